"""Metrics, each with the conventions that it is compared with."""

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
"""The kinds of instruments, each with the kind of its points."""


@dataclass(frozen=True, kw_only=True)
class MetricClaim:
    """The points of one metric of one scope, and one convention that they are compared with.

    Attributes:
        points: The points, at least one.
        profile: The convention.
        is_wanted: Whether `conventions=` names that profile; if not, it was chosen by what the points say.
        own: The registries of the user's own that `conventions=` names.
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
        """The scope that made the metric."""
        return self.points[0].scope

    @property
    def metric(self) -> MetricType | None:
        """What the convention says of the metric; None if it has no such metric."""
        return self.profile.metrics.get(self.name)

    @property
    def instrument(self) -> str:
        """The instrument that the convention names, if the points can be of that kind; else the kind of the points."""
        kind, wanted = self.points[0].kind, self.metric.instrument if self.metric else ""
        return wanted if KINDS.get(wanted) == kind else kind

    @property
    def wanted(self) -> Mapping[str, Wanted]:
        """Which attributes the convention wants on the points, and when, by name."""
        return self.metric.attributes if self.metric else {}

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of all points, each with the value of the first point that has it."""
        return {name: value for point in reversed(self.points) for name, value in point.attributes.items()}

    @cached_property
    def sheet(self) -> Sheet:
        """The attributes of all points, sorted by what the convention says of their names."""
        return lexicon(self.profile).sort(self.attributes)


def metric_claims(points: Iterable[MetricPoint], wanted: tuple[Profile, ...]) -> Iterator[MetricClaim]:
    """Yield a claim for each metric of each scope and each convention that it is compared with, as they appeared."""
    metrics: dict[tuple[str, str | None, str], list[MetricPoint]] = {}
    for point in points:
        metrics.setdefault((point.scope, point.scope_version, point.name), []).append(point)
    own = conventions.own(wanted)
    for found in map(tuple, metrics.values()):
        for profile in conventions.metric_claims(found, wanted):
            yield MetricClaim(points=found, profile=profile, is_wanted=profile in wanted, own=own)
