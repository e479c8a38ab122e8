"""The tables of docs/conformance.md on specimens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.neighbours.semconv._judges import judged
from tests.neighbours.semconv._specimens import Specimen, specimens

__all__ = ["groups", "rows"]


@dataclass(frozen=True, kw_only=True)
class Group:
    """The results of both tools on the spans of one group.

    Attributes:
        specimens: The spans.
        theirs: How many of them pytest-genai-semconv reports.
        ours: How many of them we report, at least with a warning.
        told: How many of them we report in any way, even if only as information.
        how: How often each pair of severity and check was found.
    """

    specimens: Sequence[Specimen]
    theirs: int
    ours: int
    told: int
    how: Counter[tuple[str, str]]

    @property
    def is_wrong(self) -> bool:
        """Whether the convention says that the spans are wrong."""
        return self.specimens[0].is_wrong


def groups() -> Iterator[Group]:
    """Yield the results of both tools on all specimens, group by group."""
    by_group: dict[str, list[Specimen]] = {}
    for specimen in specimens():
        by_group.setdefault(specimen.group, []).append(specimen)
    for found in by_group.values():
        verdicts = [judged(specimen) for specimen in found]
        yield Group(
            specimens=found,
            theirs=sum(bool(said) for said, _ in verdicts),
            ours=sum(any(severity != "info" for severity, _ in said) for _, said in verdicts),
            told=sum(bool(said) for _, said in verdicts),
            how=Counter(one for _, said in verdicts for one in dict.fromkeys(said)),
        )


def rows(found: Iterable[Group], *, wrong: bool) -> Iterator[str]:
    """Yield the lines of the table of the right or of the wrong groups."""
    yield "| spans | pytest-genai-semconv | pytest-llmtrace | source |"
    yield "| --- | --- | --- | --- |"
    for group in found:
        if group.is_wrong is wrong:
            first, number = group.specimens[0], len(group.specimens)
            mine = ", ".join(f"`{check}` ({severity})" for severity, check in group.how)
            cells = (
                f"{first.group} ({number})",
                _found(group.theirs, number, wrong=wrong),
                f"{_found(group.ours or group.told, number, wrong=wrong)}{f': {mine}' if mine else ''}",
                first.source,
            )
            yield f"| {' | '.join(cells)} |"


def _found(number: int, total: int, *, wrong: bool) -> str:
    if wrong:
        return "found" if number == total else "not found" if number == 0 else f"{number} of {total} found"
    return "silent" if number == 0 else f"**{number} of {total} refused**"
