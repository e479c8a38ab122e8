"""Write changes for people: as text, as Markdown for a pull request, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Final

from pytest_llmtrace._lines import counted, legible
from pytest_llmtrace.contract._changes import Change, Impact
from pytest_llmtrace.contract._file import as_json

__all__ = ["FORMATS", "Page", "cell", "code"]

Page = Callable[[Sequence[Change], str, str], str]
"""Writes changes, given the changes and the names of the old and the new contract."""


def _text(changes: Sequence[Change], old: str, new: str) -> str:
    return "\n".join(map(legible, _lines(changes, f"{old} -> {new}: {_headline(changes)}")))


def _lines(changes: Sequence[Change], headline: str) -> Iterator[str]:
    yield headline
    for scope, of_scope in groupby(changes, key=lambda change: change.scope):
        yield ""
        yield scope or "(no scope)"
        for place, inner in groupby(of_scope, key=lambda change: change.place):
            if place:
                yield f"  {place}"
            for change in inner:
                yield f"  {'  ' * bool(place)}{change.impact:<8}  {change.kind:<7}  {_sentence(change)}"


def _sentence(change: Change) -> str:
    if change.old and change.new:
        subject = change.subject.partition(" ")[0] if change.kind == "renamed" else change.subject
        return f"{subject}: {change.old} -> {change.new}"
    hint = f"; see {change.hint}" if change.hint else ""
    return f"{change.subject} ({change.old or change.new}){hint}"


def _markdown(changes: Sequence[Change], old: str, new: str) -> str:
    return "\n".join(_rows(changes, f"Telemetry contract, {code(old)} → {code(new)}: {_headline(changes)}"))


def _rows(changes: Sequence[Change], headline: str) -> Iterator[str]:
    yield headline
    for scope, of_scope in groupby(changes, key=lambda change: change.scope):
        yield f"\n**{code(scope or '(no scope)')}**\n"
        yield "| impact | change | where | what | before | after |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for change in of_scope:
            noun, _, name = change.subject.partition(" ")
            what = f"{noun} {cell(name)}" if name else noun
            impact = f"**{change.impact}**" if change.impact is Impact.BREAKING else change.impact
            after = f"see {cell(change.hint)}" if change.hint else cell(change.new)
            cells = (impact, change.kind, cell(change.place), what, cell(change.old), after)
            yield f"| {' | '.join(cells)} |"


def cell(text: str) -> str:
    """Quote foreign text as `code` does, so that none of it ends a cell of a table."""
    return code(text).replace("|", "\\|")


def code(text: str) -> str:
    """Quote foreign text, so that nothing in it is markup."""
    text = legible(text).replace("`", "'")
    return f"`{text}`" if text else ""


def _json(changes: Sequence[Change], old: str, new: str) -> str:
    counts = Counter(change.impact for change in changes)
    return as_json(
        {
            "format": "pytest-llmtrace contract diff",
            "version": 1,
            "old": old,
            "new": new,
            "counts": {impact.value: counts[impact] for impact in Impact},
            "changes": [asdict(change) for change in changes],
        }
    )


def _headline(changes: Sequence[Change]) -> str:
    counts = Counter(change.impact for change in changes)
    if not changes:
        return "no change"
    breaking, other, added = counts[Impact.BREAKING], counts[Impact.OTHER], counts[Impact.ADDITION]
    return f"{breaking} breaking, {other} other, {counted(added, 'addition')}"


FORMATS: Final[Mapping[str, Page]] = {"text": _text, "json": _json, "markdown": _markdown}
