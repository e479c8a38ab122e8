"""Write coverage for people and programs: as Markdown, which a terminal shows as well, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from pytest_llmtrace._lines import counted, legible
from pytest_llmtrace.contract._coverage import OUTSIDE, Coverage
from pytest_llmtrace.contract._file import as_json
from pytest_llmtrace.contract._pages import cell, code
from pytest_llmtrace.conventions import Level

__all__ = ["to_json", "to_markdown"]

_NO_TYPE = "no type of the convention"
_LEVELS = sorted(Level, reverse=True)


def to_markdown(coverages: Iterable[Coverage]) -> str:
    """Return, for each convention, a table of all span types, one of all metrics, and one for each of them."""
    found = tuple(coverages)
    if not found:
        return "No span or metric claims to keep a convention."
    return "\n".join(_page(found))


def _page(found: Sequence[Coverage]) -> Iterator[str]:
    for (profile, source), of_profile in groupby(found, key=lambda one: (one.profile, one.source)):
        inner = tuple(of_profile)
        yield f"# {legible(f'{profile} ({source})')}\n"
        for signal, head in _HEADS.items():
            if of_signal := [one for one in inner if one.signal == signal]:
                yield from _table(_summary(of_signal, head))
                yield ""
        for one in inner:
            yield f"## {_type_of(one)} of {code(one.scope)}, {_number_of(one)}\n"
            yield from _table(_attributes(one))
            yield ""


_HEADS = {"span": ("span type", "spans"), "metric": ("metric", "series")}


def _number_of(one: Coverage) -> str:
    return counted(one.number, "span") if one.signal == "span" else f"{one.number} series"


def _summary(found: Iterable[Coverage], head: tuple[str, str]) -> Iterator[Sequence[str]]:
    yield ("scope", *head, *map(_named, _LEVELS), "others")
    for one in found:
        others = len({name for names in one.outside.values() for name in names})
        yield (
            cell(one.scope),
            cell(one.name) or _NO_TYPE,
            str(one.number),
            *(_share(one, level) for level in _LEVELS),
            str(others),
        )


def _share(one: Coverage, level: Level) -> str:
    """Return how many of the attributes of a level were seen at all."""
    wanted = [seen for seen in one.wanted.values() if seen.level is level]
    return f"{sum(seen.number > 0 for seen in wanted)} of {len(wanted)}" if wanted else ""


def _attributes(one: Coverage) -> Iterator[Sequence[str]]:
    yield ("attribute", "level", "seen on", "condition")
    for name, (level, condition, number) in one.wanted.items():
        seen = f"{number} of {one.number}" if number else "none"
        yield (cell(name), _named(level), seen, legible(condition).replace("|", "\\|"))
    for kind, said in OUTSIDE.items():
        for name, number in sorted(one.outside[kind].items()):
            yield (cell(name), said, f"{number} of {one.number}", "")


def _type_of(one: Coverage) -> str:
    return code(one.name) or _NO_TYPE


def _named(level: Level) -> str:
    return level.name.lower().replace("_", " ")


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write rows as a Markdown table whose columns are aligned, so that it can be read as it is."""
    cells = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for number, row in enumerate(cells):
        yield f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        if number == 0:
            yield f"| {' | '.join('-' * width for width in widths)} |"


def to_json(coverages: Iterable[Coverage]) -> str:
    """Return all counts as JSON, with the level and the condition of each attribute."""
    return as_json(
        {
            "format": "pytest-llmtrace coverage",
            "version": 1,
            "coverage": [_plain(one) for one in coverages],
        }
    )


def _plain(one: Coverage) -> dict[str, Any]:
    spans = {"span_type": one.name or None, "spans": one.number}
    return {
        "profile": one.profile,
        "source": one.source,
        "scope": one.scope,
        **(spans if one.signal == "span" else {"metric": one.name, "series": one.number}),
        "wanted": {
            name: {"level": level.name.lower(), "condition": condition, "seen": number}
            for name, (level, condition, number) in one.wanted.items()
        },
        "outside": one.outside,
    }
