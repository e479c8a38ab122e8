"""The tables of the page for the cases in which something goes wrong, or a stream is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pytest_llmtrace.compare._clients import Cases, both
from pytest_llmtrace.compare._mishaps import FAULTS, is_mishap
from pytest_llmtrace.compare._run import Result
from pytest_llmtrace.exits import ASYNC_WAYS
from pytest_llmtrace.model import Severity

__all__ = ["tables"]

_RAISES = "**raises**"
_WORDS = """\
These tables are about calls in which something goes wrong on purpose, or a stream is left:

- streams of chat completions, of responses and of the messages API, left in \
[every way](faults.md#every-way-to-leave-a-stream) and with every [fault](faults.md#faults);
- the same calls without a stream, and embeddings, with every fault;
- the two errors that OpenRouter sends with status 200 (`openrouter`).

A cell names the checks that have found something, and leads to their findings; findings of the severity info are left \
out. A dash means that the span reports correctly what happened. Where either is so with one client or for some APIs \
only, the cell says which. **raises**: the instrumentation itself raises, and breaks the call. Only an asynchronous \
stream can be cancelled. After `429-retry-after` the SDK tries again, and is answered."""


def tables(results: Sequence[Result]) -> Iterator[str]:
    """Yield a table of the ways to leave a stream, one of faults of streams, and one of faults of whole replies."""
    if not any(is_mishap(case) for result in results for cases in result.clients.values() for case in cases):
        return
    yield "## When something goes wrong"
    yield _WORDS
    yield _table("way to leave a stream", results, {way: ("left:", f"-{way}") for way in ASYNC_WAYS})
    for form, heading in (("stream", "fault of a stream"), ("whole", "fault of a reply that is no stream")):
        kinds = {name: ("fault:", f"-{name}-{form}") for name, fault in FAULTS.items() if form in fault.forms}
        yield _table(heading, results, kinds)


def _table(heading: str, results: Sequence[Result], rows: dict[str, tuple[str, str]]) -> str:
    lines = [f"| {heading} | {' | '.join(result.name for result in results)} |", f"| --- |{' --- |' * len(results)}"]
    for name, (prefix, suffix) in rows.items():
        cells = (both(result.clients, _cell(result, prefix, suffix)) for result in results)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(result: Result, prefix: str, suffix: str) -> Callable[[Cases], str]:
    def say(cases: Cases) -> str:
        of = [case for case in cases if case["case"].startswith(prefix) and case["case"].endswith(suffix)]
        found = {_api(case): _checks(case) for case in of if not case.get("left_out")}
        if not found:
            return ""
        if len(set(found.values())) == 1:
            return _links(result, next(iter(found.values())))
        return ", ".join(f"{api}: {_links(result, checks)}" for api, checks in found.items())

    return say


def _api(case: dict[str, Any]) -> str:
    """Return the name of a case's API, or of its gateway if the case is about what that gateway alone does."""
    gateway, _, rest = str(case["case"]).partition(":")[2].partition("/")
    return gateway if gateway == "openrouter" else rest.partition("-")[0]


def _checks(case: dict[str, Any]) -> tuple[str, ...]:
    found = dict.fromkeys(found["check"] for found in case["findings"] if found["severity"] != Severity.INFO)
    return (*found, *((_RAISES,) if case.get("breaks") else ()))


def _links(result: Result, checks: tuple[str, ...]) -> str:
    return " ".join(check if check == _RAISES else _link(result, check) for check in checks) or "-"


def _link(result: Result, check: str) -> str:
    return f"[{check.partition('/')[2]}](#{result.anchor(check)})"
