"""Metrics, each with the convention that it is held against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_llmtrace import conventions
from pytest_llmtrace.checks._lexicon import Sheet, lexicon
from pytest_llmtrace.conventions import MetricType, Profile, Wanted
from pytest_llmtrace.model import MetricPoint

__all__ = ["KINDS", "MetricClaim", "metric_claims"]


KINDS: Mapping[str, str] = {"counter": "sum", "updowncounter": "sum", "gauge": "gauge", "histogram": "histogram"}
"""Instruments, and what the points of each are."""


@dataclass(frozen=True, kw_only=True)
class MetricClaim:
    """The points of one metric of one scope, and one convention that they are held against.

    Attributes:
        points: At least one.
        profile: The convention.
        is_wanted: Whether somebody has named that profile, and it was not chosen for what the points say.
        own: As of spans.
    """

    points: tuple[MetricPoint, ...]
    profile: Profile
    is_wanted: bool = False
    own: tuple[Profile, ...] = ()

    @property
    def name(self) -> str:
        """The name of the metric."""
        return self.points[0].name

    @property
    def scope(self) -> str:
        """Who made it."""
        return self.points[0].scope

    @property
    def metric(self) -> MetricType | None:
        """What the convention says of it; None if it has no such metric."""
        return self.profile.metrics.get(self.name)

    @property
    def instrument(self) -> str:
        """What it was made with, as far as points tell: of two that make the same, what the convention says."""
        kind, wanted = self.points[0].kind, self.metric.instrument if self.metric else ""
        return wanted if KINDS.get(wanted) == kind else kind

    @property
    def wanted(self) -> Mapping[str, Wanted]:
        """What the convention wants on its points, by name."""
        return self.metric.attributes if self.metric else {}

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of its points, each with one value that it has."""
        return {name: value for point in reversed(self.points) for name, value in point.attributes.items()}

    @cached_property
    def sheet(self) -> Sheet:
        """These, sorted by what the convention says of their names."""
        return lexicon(self.profile).sort(self.attributes)


def metric_claims(points: Iterable[MetricPoint], wanted: tuple[Profile, ...]) -> Iterator[MetricClaim]:
    """Yield what each metric of each scope is held against, in the order in which they appeared."""
    metrics: dict[tuple[str, str | None, str], list[MetricPoint]] = {}
    for point in points:
        metrics.setdefault((point.scope, point.scope_version, point.name), []).append(point)
    own = conventions.own(wanted)
    for found in map(tuple, metrics.values()):
        for profile in conventions.metric_claims(found, wanted):
            yield MetricClaim(points=found, profile=profile, is_wanted=profile in wanted, own=own)
