"""Write the comparison of instrumentors as a page for people."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pytest_llmtrace.checks import COMPARISONS
from pytest_llmtrace.compare._clients import Cases, both, side_by_side
from pytest_llmtrace.compare._mishaps import is_mishap
from pytest_llmtrace.compare._mishaps_page import tables
from pytest_llmtrace.compare._run import Result, left_out
from pytest_llmtrace.compare._verdicts import Cell

__all__ = ["page"]

_INTRODUCTION = """\
# Instrumentors, compared

This page compares, fact by fact, the spans that each instrumentor makes with the bytes that the SDK received. Each \
built-in recording and each scripted reply is sent through the real SDK under each instrumentor, once with the \
synchronous client and once with the asynchronous one, each in a process of its own. Calls to `bedrock`, \
`bedrock-mantle` and `vertex` are made with the client that Anthropic's SDK has for that cloud. Content capture is on. \
Nothing is sent to the network. To make this page anew, or to see one case:

```console
python -m tox -e compare
pytest-llmtrace compare --only traceloop --case scripted:openai/chat-tools
```

What the cells of the tables mean:

- **right**: the span says what the wire says.
- **wrong**: the span says something else, or says something where the wire says nothing. Each such cell leads to its \
finding.
- **absent**: the wire states the fact, the convention in which the span is written has a place for it, and this span \
leaves that place empty. Conventions mostly allow that. What is 0 or false on the wire is not counted here.
- **no place**: the convention has no place for the fact.

A fact counts once per call, if the wire states it or the span is wrong about it. A fact that is wrong because another \
one is wrong counts as well, and its cell leads to the finding on the other one. Where the two clients differ, both \
are named; everything else is true of either. The first two tables leave out the calls in which something goes wrong \
on purpose, or a stream is left: these have [tables of their own](#when-something-goes-wrong)."""


def page(results: Sequence[Result], sdks: Sequence[str]) -> str:
    """Return the text of the page.

    Args:
        results: One result per instrumentor.
        sdks: The SDKs with their versions.
    """
    ordinary = [replace(result, clients=_ordinary(result)) for result in results]
    parts = [_INTRODUCTION, f"SDKs: {', '.join(sdks)}.", *left_out(results)]
    parts += ["\n".join(_overview(ordinary)), "\n".join(_facts(ordinary)), *tables(results)]
    parts += ["\n\n".join(_wrong(result)) for result in results]
    return "\n\n".join(parts)


def _ordinary(result: Result) -> dict[str, Cases]:
    """Return each client's cases except those in which something goes wrong on purpose, which have their own tables."""
    return {client: tuple(case for case in cases if not is_mishap(case)) for client, cases in result.clients.items()}


def _overview(results: Sequence[Result]) -> Iterator[str]:
    yield "| instrumentor | versions | calls | with a span | right | wrong | absent |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for result in results:
        numbers = (both(result.clients, count) for count in (_calls, _spans, *map(_counting, _COUNTED)))
        yield f"| {result.name} | {', '.join(result.versions)} | {' | '.join(numbers)} |"


_COUNTED = (Cell.RIGHT, Cell.WRONG, Cell.ABSENT)


def _calls(cases: Cases) -> str:
    return str(len(cases))


def _spans(cases: Cases) -> str:
    return str(sum(bool(case["spans"]) for case in cases))


def _counting(cell: Cell) -> Callable[[Cases], str]:
    return lambda cases: str(sum(found == cell for case in cases for found in case["facts"].values()))


def _facts(results: Sequence[Result]) -> Iterator[str]:
    yield "## Fact by fact"
    yield ""
    yield f"| fact | {' | '.join(result.name for result in results)} |"
    yield f"| --- |{' --- |' * len(results)}"
    for check in COMPARISONS:
        cells = [both(result.clients, _cell(check.id, result.anchor(check.id))) for result in results]
        if any(cells):
            yield f"| {check.noun} (`{check.id}`) | {' | '.join(cells)} |"


def _cell(check: str, anchor: str) -> Callable[[Cases], str]:
    def say(cases: Cases) -> str:
        counts = Counter(case["facts"][check] for case in cases if check in case["facts"])
        if set(counts) == {Cell.NO_PLACE}:
            return Cell.NO_PLACE.value
        said = [f"{counts[cell]} {cell}" for cell in (Cell.RIGHT, Cell.ABSENT) if counts[cell]]
        if counts[Cell.WRONG]:
            said.insert(1 if counts[Cell.RIGHT] else 0, f"[{counts[Cell.WRONG]} wrong](#{anchor})")
        return ", ".join(said)

    return say


_Found = list[tuple[tuple[str, ...], dict[str, Any]]]
"""The cases that have a finding, each with the clients with which it occurs."""


def _wrong(result: Result) -> Iterator[str]:
    """Yield each finding of an instrumentor once, in full for the first case that has it."""
    yield f"## {result.name}"
    by_check: defaultdict[str, _Found] = defaultdict(list)
    for clients, case in side_by_side(result.clients):
        for check in dict.fromkeys(finding["check"] for finding in case["findings"]):
            _add(by_check[check], clients, case)
    if not by_check:
        yield "No finding."
    led = set(by_check)  # The checks that have a section of their own, or an anchor at another's.
    for check, found in by_check.items():
        anchors = (check, *sorted(_explained(found, check) - led))
        led.update(anchors)
        yield "".join(f'<a id="{result.anchor(one)}"></a>' for one in anchors)
        yield from _section(result, check, found)


def _add(found: _Found, clients: tuple[str, ...], case: dict[str, Any]) -> None:
    """Add a case; if it comes twice, its clients differ in something else only, and it is joined with the first."""
    if found and found[-1][1]["case"] == case["case"]:
        clients, case = (*found[-1][0], *clients), found.pop()[1]
    found.append((clients, case))


def _section(result: Result, check: str, found: _Found) -> Iterator[str]:
    total = len(next(iter(result.clients.values())))
    shared = found[0][0] if len({clients for clients, _ in found}) == 1 else tuple(result.clients)
    only = f", {shared[0]} only" if len(shared) < len(result.clients) else ""
    clients, first = found[0]
    option = f" --{clients[0]}" if len(clients) < len(result.clients) else ""
    yield f"### {check}, {len(found)} of {total} calls{only}"
    yield f"```console\npytest-llmtrace compare --only {result.name} --case {first['case']}{option}\n```"
    yield f"```text\n{_part_of(first['report'], check)}\n```"
    if len(found) > 1:
        others = (f"`{case['case']}`{'' if of == shared else f' ({of[0]} only)'}" for of, case in found[1:])
        yield f"Also in {', '.join(others)}."


def _explained(found: _Found, check: str) -> set[str]:
    """Return the checks whose findings this check's findings explain: what they found is among the details of these."""
    findings = (finding for _, case in found for finding in case["findings"] if finding["check"] == check)
    return {also for finding in findings for also in finding["also"]}


def _part_of(report: str, check: str) -> str:
    """Return the paragraph of a report that is a check's finding; times that were measured are masked."""
    part = next((part for part in report.split("\n\n") if f"  {check}  " in part.splitlines()[0]), report)
    return re.sub(r"\b\d+ ms later", "N ms later", part)
