"""Which attributes of the conventions a run has shown, on which types of spans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_llmtrace.checks import Claim
from pytest_llmtrace.contract._names import Names
from pytest_llmtrace.contract._tally import Table, merge
from pytest_llmtrace.conventions import Level, Profile, SpanType, Wanted

__all__ = ["OUTSIDE", "Coverage", "coverages", "seen_of"]

OUTSIDE: Final = {
    "elsewhere": "of the convention, for other spans",
    "old": "no longer in the convention",
    "unknown": "not in the convention, in one of its namespaces",
    "foreign": "in no namespace of the convention",
}
"""What a convention says of attributes that it does not want on a type of spans."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """What the spans of one scope have shown of one type of a convention's spans.

    Attributes:
        profile: The convention.
        scope: Who made the spans.
        span_type: The type; None for spans that claim the convention and are of no type that it has.
        spans: How many there were.
        wanted: On how many of them each attribute was seen that the type wants, by name; 0 where it never was.
        outside: The same of all other attributes, by what the convention says of them, a key of `OUTSIDE`.
    """

    profile: Profile
    scope: str
    span_type: SpanType | None
    spans: int
    wanted: Mapping[str, int]
    outside: Mapping[str, Mapping[str, int]]

    def of(self, level: Level) -> Mapping[str, Wanted]:
        """Return the attributes that the type wants at a level, by name."""
        found = self.span_type.attributes.items() if self.span_type else ()
        return {name: wanted for name, wanted in sorted(found) if wanted.level is level}


# --- what one test has seen ------------------------------------------------------------------------------------------


def seen_of(claims: Iterable[Claim], names: Names) -> Table:
    """Count the attributes of spans by profile, scope and type of span. Parts of several tests can be merged."""
    seen: Table = {}
    for claim in claims:
        by_scope = seen.setdefault(claim.profile.name, {}).setdefault(claim.span.scope, {})
        merge(by_scope, {claim.type_name: {"seen": 1, **_sorted(claim, names)}})
    return seen


def _sorted(claim: Claim, names: Names) -> Table:
    wanted: dict[str, int] = {}
    outside: dict[str, dict[str, int]] = {kind: {} for kind in OUTSIDE}
    for name in claim.span.attributes:
        plain = names.attribute(name)
        known = next((one for one in _written_as(name, plain) if one in claim.wanted), None)
        if known is not None:
            wanted[known] = 1
        else:
            outside[_kind_of(name, claim)][plain] = 1
    return {"wanted": wanted, "outside": outside}


def _written_as(name: str, plain: str) -> Iterator[str]:
    """Yield how a convention may write a name: as it is, as the list that it is part of, or as its family."""
    yield from (name, plain, plain.partition(".<n>")[0], plain.removesuffix(".<key>"), plain.removesuffix("<key>"))


def _kind_of(name: str, claim: Claim) -> str:
    sheet = claim.sheet
    return (
        "elsewhere" if name in sheet.known
        else "old" if name in sheet.old
        else "unknown" if name in sheet.unknown
        else "foreign"
    )  # fmt: skip


# --- what the run has seen -------------------------------------------------------------------------------------------


def coverages(seen: Mapping[str, Any], profile: Callable[[str], Profile]) -> Iterator[Coverage]:
    """Yield what was seen of each convention, scope and type of span, in the order of their names.

    Args:
        seen: What `seen_of` has returned, added up.
        profile: Returns the convention of a name.
    """
    for name, by_scope in sorted(seen.items()):
        convention = profile(name)
        for scope, by_type in sorted(by_scope.items()):
            for type_name, counts in sorted(by_type.items()):
                span_type = convention.span_types.get(type_name)
                wanted = dict.fromkeys(span_type.attributes, 0) if span_type else {}
                yield Coverage(
                    profile=convention,
                    scope=scope,
                    span_type=span_type,
                    spans=counts["seen"],
                    wanted={**wanted, **counts["wanted"]},
                    outside=counts["outside"],
                )
