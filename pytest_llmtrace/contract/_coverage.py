"""Which attributes of the conventions a run has shown, on which types of spans and on which metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from pytest_llmtrace.checks import Claim, MetricClaim
from pytest_llmtrace.contract._names import Names
from pytest_llmtrace.contract._tally import Table
from pytest_llmtrace.conventions import Level

__all__ = ["OUTSIDE", "Coverage", "Seen", "coverages", "seen_of"]

OUTSIDE: Final = {
    "elsewhere": "of the convention, for others",
    "old": "no longer in the convention",
    "unknown": "not in the convention, in one of its namespaces",
    "foreign": "in no namespace of the convention",
}
"""What a convention says of attributes that it does not want on a type of spans, or on a metric."""


class Seen(NamedTuple):
    """How much an attribute is wanted, and on how many spans or series it was seen."""

    level: Level
    condition: str
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """Which attributes were seen on one scope's spans of one type of a convention, or on its series of one metric.

    Attributes:
        profile: The name of the convention.
        source: Its repository and commit.
        scope: The scope that made the spans or series.
        signal: `span` or `metric`.
        name: The type of the spans, empty for spans that claim the convention but are of none of its types; or the
            name of the metric.
        number: How many spans there were, or series of the metric, each counted once per test.
        wanted: The attributes that are wanted on them, by name; those that are wanted most come first.
        outside: On how many of them each other attribute was seen, grouped by what the convention says of the attribute
            (a key of `OUTSIDE`).
    """

    profile: str
    source: str
    scope: str
    signal: Literal["span", "metric"]
    name: str
    number: int
    wanted: Mapping[str, Seen]
    outside: Mapping[str, Mapping[str, int]]


# --- what one test has seen ------------------------------------------------------------------------------------------


def seen_of(claims: Iterable[Claim], metric_claims: Iterable[MetricClaim], names: Names) -> Table:
    """Count the attributes of spans by profile, scope and type of span, those of metrics by profile, scope and metric.

    The results of several tests can be merged. They contain what the convention wants, since the convention may be a
    file of the user's own.
    """
    seen: Table = {}
    for claim in claims:
        scope = names.plain(claim.span.scope)
        _count(_counts(seen, "span", scope, claim.type_name, claim), claim.span.attributes, claim, names)
    for metric in metric_claims:
        counts = _counts(seen, "metric", names.plain(metric.scope), metric.name, metric)
        for point in metric.points:
            _count(counts, point.attributes, metric, names)
    return seen


def _counts(seen: Table, signal: str, scope: str, name: str, claim: Claim | MetricClaim) -> Table:
    said = {"name": claim.profile.name, "source": claim.profile.source}
    # Two registries may have one name, in two folders.
    profile = seen.setdefault("\n".join(said.values()), {**said, "span": {}, "metric": {}})
    by_name = profile[signal].setdefault(scope, {})
    if name not in by_name:
        by_name[name] = _nothing_of(claim)
    found: Table = by_name[name]
    return found


def _nothing_of(claim: Claim | MetricClaim) -> Table:
    wanted = {
        name: {"level": wanted.level.name.lower(), "condition": wanted.condition, "seen": 0}
        for name, wanted in claim.wanted.items()
    }
    return {"seen": 0, "wanted": wanted, "outside": {kind: {} for kind in OUTSIDE}}


def _count(counts: Table, attributes: Mapping[str, Any], claim: Claim | MetricClaim, names: Names) -> None:
    """Count the attributes of one span or series; a flattened list, or a family of names, counts once."""
    counts["seen"] += 1
    wanted: set[str] = set()
    outside: set[tuple[str, str]] = set()
    for name in attributes:
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
    """Return the other forms in which a convention may write a name: the list that it is part of, or its family."""
    return plain.partition(".<n>")[0], plain.removesuffix(".<key>")


def _kind_of(name: str, claim: Claim | MetricClaim) -> str:
    sheet = claim.sheet
    return (
        "elsewhere" if name in sheet.known
        else "old" if name in sheet.old
        else "unknown" if name in sheet.unknown
        else "foreign"
    )  # fmt: skip


# --- what the run has seen -------------------------------------------------------------------------------------------


def coverages(seen: Mapping[str, Any]) -> Iterator[Coverage]:
    """Yield what was seen of each convention: its spans by scope and type, then its metrics by scope and name.

    Args:
        seen: The results of `seen_of`, added up.
    """
    for _, found in sorted(seen.items()):
        for signal in _SIGNALS:
            for scope, by_name in sorted(found[signal].items()):
                for name, counts in sorted(by_name.items()):
                    yield Coverage(
                        profile=found["name"],
                        source=found["source"],
                        scope=scope,
                        signal=signal,
                        name=name,
                        number=counts["seen"],
                        wanted=dict(_by_level(counts["wanted"])),
                        outside=counts["outside"],
                    )


_SIGNALS: tuple[Literal["span", "metric"], ...] = ("span", "metric")


def _by_level(wanted: Mapping[str, Any]) -> list[tuple[str, Seen]]:
    found = (
        (name, Seen(Level[one["level"].upper()], one["condition"], one["seen"])) for name, one in sorted(wanted.items())
    )
    return sorted(found, key=lambda pair: -pair[1].level)
