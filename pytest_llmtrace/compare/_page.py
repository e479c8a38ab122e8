"""The comparison as a page for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmtrace.checks import COMPARISONS
from pytest_llmtrace.compare._run import Result
from pytest_llmtrace.compare._verdicts import Cell

__all__ = ["page"]

_INTRODUCTION = """\
# Instrumentors, compared

Each built-in recording and each scripted reply is sent once through the real SDK (synchronous client) under each \
instrumentor, in a process of its own; then the span is compared with the bytes that the SDK received, fact by fact. \
Content capture is on. Nothing is sent to the network. To make this page anew, or to see one case:

```console
python -m tox -e compare
pytest-llmtrace compare --only traceloop --case scripted:openai/chat-tools
```

What the cells mean:

- **right**: the span says what the wire says.
- **wrong**: it says something else, or something where the wire says nothing; each such cell leads to its finding.
- **absent**: the wire states it, the convention that the span is written in has a place for it, and this span leaves \
it empty, which conventions mostly allow. What is 0 or false on the wire is not counted here.
- **no place**: the convention has nowhere to put it.

A fact counts once a call, where the wire states it."""


def page(results: Sequence[Result], sdks: Sequence[str]) -> str:
    """Write the page.

    Args:
        results: One an instrumentor.
        sdks: The SDKs with their versions.
    """
    parts = [_INTRODUCTION, f"SDKs: {', '.join(sdks)}.", "\n".join(_overview(results)), "\n".join(_facts(results))]
    parts += ["\n\n".join(_wrong(result)) for result in results]
    return "\n\n".join(parts)


def _overview(results: Sequence[Result]) -> Iterator[str]:
    yield "| instrumentor | versions | calls | with a span | right | wrong | absent |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for result in results:
        counts = sum((Counter(case["facts"].values()) for case in result.cases), Counter[str]())
        spans = sum(bool(case["spans"]) for case in result.cases)
        numbers = (len(result.cases), spans, *(counts[cell] for cell in (Cell.RIGHT, Cell.WRONG, Cell.ABSENT)))
        yield f"| {result.name} | {', '.join(result.versions)} | {' | '.join(map(str, numbers))} |"


def _facts(results: Sequence[Result]) -> Iterator[str]:
    yield "## Fact by fact"
    yield ""
    yield f"| fact | {' | '.join(result.name for result in results)} |"
    yield f"| --- |{' --- |' * len(results)}"
    tables = [_by_check(result) for result in results]
    for check in COMPARISONS:
        if any(check.id in table for table in tables):
            cells = (
                _cell(table.get(check.id), _anchor(result, check.id))
                for result, table in zip(results, tables, strict=True)
            )
            yield f"| {check.noun} (`{check.id}`) | {' | '.join(cells)} |"


def _by_check(result: Result) -> Mapping[str, Counter[str]]:
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for case in result.cases:
        for check, cell in case["facts"].items():
            table[check][cell] += 1
    return table


def _anchor(result: Result, check: str) -> str:
    return f"{result.name}-{check.replace('/', '-')}"


def _cell(counts: Counter[str] | None, anchor: str) -> str:
    if not counts:
        return ""
    if set(counts) == {Cell.NO_PLACE}:
        return Cell.NO_PLACE.value
    said = [f"{counts[cell]} {cell}" for cell in (Cell.RIGHT, Cell.ABSENT) if counts[cell]]
    if counts[Cell.WRONG]:
        said.insert(1 if counts[Cell.RIGHT] else 0, f"[{counts[Cell.WRONG]} wrong](#{anchor})")
    return ", ".join(said)


def _wrong(result: Result) -> Iterator[str]:
    """Write each finding of an instrumentor once, in full for the first case that has it."""
    yield f"## {result.name}"
    by_check: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for case in result.cases:
        for check in dict.fromkeys(finding["check"] for finding in case["findings"]):
            by_check[check].append(case)
    if not by_check:
        yield "No finding."
    for check, cases in by_check.items():
        first = cases[0]
        anchors = (check, *sorted(_explained(cases, check) - by_check.keys()))
        yield "".join(f'<a id="{_anchor(result, one)}"></a>' for one in anchors)
        yield f"### {check}, {len(cases)} of {len(result.cases)} calls"
        yield f"```console\npytest-llmtrace compare --only {result.name} --case {first['case']}\n```"
        yield f"```text\n{_part_of(first['report'], check)}\n```"
        if len(cases) > 1:
            yield f"Also in {', '.join('`' + case['case'] + '`' for case in cases[1:])}."


def _explained(cases: list[dict[str, Any]], check: str) -> set[str]:
    """Return the checks whose findings this one explains: what they found is told in its own."""
    findings = (finding for case in cases for finding in case["findings"] if finding["check"] == check)
    return {also for finding in findings for also in finding["also"]}


def _part_of(report: str, check: str) -> str:
    """Cut one finding out of a report: its paragraphs are findings."""
    return next((part for part in report.split("\n\n") if f"  {check}  " in part.splitlines()[0]), report)
