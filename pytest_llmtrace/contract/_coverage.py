"""Which attributes of the conventions a run has shown, on which types of spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pytest_llmtrace.checks import Claim
from pytest_llmtrace.contract._names import Names
from pytest_llmtrace.contract._tally import Table
from pytest_llmtrace.conventions import Level

__all__ = ["OUTSIDE", "Coverage", "Seen", "coverages", "seen_of"]

OUTSIDE: Final = {
    "elsewhere": "of the convention, for other spans",
    "old": "no longer in the convention",
    "unknown": "not in the convention, in one of its namespaces",
    "foreign": "in no namespace of the convention",
}
"""What a convention says of attributes that it does not want on a type of spans."""


class Seen(NamedTuple):
    """How much an attribute is wanted, and on how many spans it was seen."""

    level: Level
    condition: str
    spans: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """What the spans of one scope have shown of one type of a convention's spans.

    Attributes:
        profile: The name of the convention.
        source: Its repository and commit.
        scope: Who made the spans.
        span_type: The type; empty for spans that claim the convention and are of no type that it has.
        spans: How many there were.
        wanted: What the type wants, by name, those first that are wanted most.
        outside: On how many spans each other attribute was seen, by what the convention says of it: a key of `OUTSIDE`.
    """

    profile: str
    source: str
    scope: str
    span_type: str
    spans: int
    wanted: Mapping[str, Seen]
    outside: Mapping[str, Mapping[str, int]]


# --- what one test has seen ------------------------------------------------------------------------------------------


def seen_of(claims: Iterable[Claim], names: Names) -> Table:
    """Count the attributes of spans by profile, scope and type of span. Parts of several tests can be merged.

    What the type wants is part of it, since a convention may be a file of the user's own.
    """
    seen: Table = {}
    for claim in claims:
        profile = seen.setdefault(claim.profile.name, {"source": claim.profile.source, "scopes": {}})
        by_type = profile["scopes"].setdefault(claim.span.scope, {})
        if claim.type_name not in by_type:
            by_type[claim.type_name] = _nothing_of(claim)
        _count(by_type[claim.type_name], claim, names)
    return seen


def _nothing_of(claim: Claim) -> Table:
    wanted = {
        name: {"level": wanted.level.name.lower(), "condition": wanted.condition, "seen": 0}
        for name, wanted in claim.wanted.items()
    }
    return {"seen": 0, "wanted": wanted, "outside": {kind: {} for kind in OUTSIDE}}


def _count(counts: Table, claim: Claim, names: Names) -> None:
    """Count the attributes of one span, a list or family once."""
    counts["seen"] += 1
    wanted: set[str] = set()
    outside: set[tuple[str, str]] = set()
    for name in claim.span.attributes:
        plain = names.attribute(name)
        known = name if name in claim.wanted else next((one for one in _written_as(plain) if one in claim.wanted), None)
        if known is None:
            outside.add((_kind_of(name, claim), plain))
        else:
            wanted.add(known)
    for name in wanted:
        counts["wanted"][name]["seen"] += 1
    for kind, name in outside:
        counts["outside"][kind][name] = counts["outside"][kind].get(name, 0) + 1


def _written_as(plain: str) -> tuple[str, str]:
    """Return how else a convention may write a name: as the list that it is part of, or as its family."""
    return plain.partition(".<n>")[0], plain.removesuffix(".<key>")


def _kind_of(name: str, claim: Claim) -> str:
    sheet = claim.sheet
    return (
        "elsewhere" if name in sheet.known
        else "old" if name in sheet.old
        else "unknown" if name in sheet.unknown
        else "foreign"
    )  # fmt: skip


# --- what the run has seen -------------------------------------------------------------------------------------------


def coverages(seen: Mapping[str, Any]) -> Iterator[Coverage]:
    """Yield what was seen of each convention, scope and type of span, in the order of their names.

    Args:
        seen: What `seen_of` has returned, added up.
    """
    for name, profile in sorted(seen.items()):
        for scope, by_type in sorted(profile["scopes"].items()):
            for type_name, counts in sorted(by_type.items()):
                yield Coverage(
                    profile=name,
                    source=profile["source"],
                    scope=scope,
                    span_type=type_name,
                    spans=counts["seen"],
                    wanted=dict(_by_level(counts["wanted"])),
                    outside=counts["outside"],
                )


def _by_level(wanted: Mapping[str, Any]) -> list[tuple[str, Seen]]:
    found = (
        (name, Seen(Level[one["level"].upper()], one["condition"], one["seen"])) for name, one in sorted(wanted.items())
    )
    return sorted(found, key=lambda pair: -pair[1].level)
