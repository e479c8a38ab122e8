"""Metrics against their convention: name, unit, instrument, buckets and attributes."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._advice import (
    deprecated_attribute,
    deprecated_metric,
    missing_attribute,
    missing_metric,
    unexpected_instrument,
    unit_mismatch,
)
from pytest_llmtrace.checks._claims import is_known_elsewhere, others
from pytest_llmtrace.checks._metric_claims import KINDS, MetricClaim
from pytest_llmtrace.checks._metric_rule import metric_advised, metric_rule
from pytest_llmtrace.checks._rule import Breach
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.checks.conventions_names import instead_of_old, instead_of_unknown, old_names
from pytest_llmtrace.conventions import Profile
from pytest_llmtrace.model import Severity

__all__ = ["CHECKS"]


# --- Names -----------------------------------------------------------------------------------------------------------


def _unknown(claim: MetricClaim) -> Breach | bool:
    own, is_wanted = claim.own, claim.is_wanted
    attributes = tuple(name for name in claim.sheet.unknown if not is_known_elsewhere(name, own, is_wanted=is_wanted))
    is_known = any(_has(kept, claim.name) for kept in (claim.profile, *others(own, is_wanted=is_wanted)))
    metric = () if is_known else (claim.name,)
    if not metric and not attributes:
        return True
    return Breach(
        names=(*metric, *attributes),
        said=(*("its name" for _ in metric), *(f"attribute {name}" for name in attributes)),
        wanted=(
            *(f"no metric {name}{instead_of_unknown(name, claim.profile.metrics)}" for name in metric),
            *(f"no attribute {name}{instead_of_unknown(name, claim.profile.attributes)}" for name in attributes),
        ),
        advice=(*(missing_metric() for _ in metric), *map(missing_attribute, attributes)),
    )


def _has(kept: Profile, name: str) -> bool:
    return name in kept.metrics or name in kept.metric_renames


UNKNOWN = metric_advised(
    id="convention/metric-unknown",
    title="The namespaces of a convention hold only metrics that it defines",
    why="no panel that is built for the convention shows it, and a later version may give the name to something else",
    next="use the names that the convention has, or a namespace of your own",
    judge=_unknown,
    compares="The names of metrics, and of their attributes, in the convention's own namespaces. A name that another "
    "convention, or another version of this one, defines is a finding only where `conventions=` names the convention "
    "that is wanted.",
    source="OpenTelemetry, naming: application metrics and attributes do not use existing namespaces",
)


def _deprecated(claim: MetricClaim) -> Breach | bool:
    if not claim.is_wanted:
        return False
    rename = claim.profile.metric_renames.get(claim.name)
    metric = {claim.name: instead_of_old(claim.name, rename)} if rename else dict(_moved(claim))
    attributes = dict(old_names(claim.sheet, claim.attributes))
    if not metric and not attributes:
        return True
    return Breach(
        names=(*metric, *attributes),
        said=(*("its name" for _ in metric), *(f"{name} = {shown(claim.attributes[name])}" for name in attributes)),
        wanted=(*metric.values(), *attributes.values()),
        advice=(
            *(deprecated_metric(name, words) for name, words in metric.items()),
            *(deprecated_attribute(name, words) for name, words in attributes.items()),
        ),
    )


def _moved(claim: MetricClaim) -> Iterator[tuple[str, str]]:
    """Yield the metric and what is used instead, if there is another metric for the operation of some of its points."""
    moved = claim.metric.moved if claim.metric else {}
    stated = dict.fromkeys(point.attributes.get(_OPERATION) for point in claim.points)
    found = [value for value in stated if isinstance(value, str) and value in moved]
    if found:
        instead = " or ".join(dict.fromkeys(moved[value] for value in found))
        yield claim.name, f"{instead} instead of {claim.name} where {_OPERATION} is {' or '.join(found)}"


_OPERATION = "gen_ai.operation.name"


DEPRECATED = metric_rule(
    id="convention/metric-deprecated",
    title="Metrics have the names of the convention that is wanted",
    why="panels that were built for the new names show nothing",
    next="use the new names, or name the convention that the instrumentation keeps in conventions=",
    judge=_deprecated,
    severity=Severity.WARNING,
    compares="The names of metrics and of their attributes with those of the convention that `conventions=` names. "
    "Nothing is judged without it.",
    source="The migration guide of the GenAI conventions",
)


# --- What a metric is ------------------------------------------------------------------------------------------------


def _unit(claim: MetricClaim) -> Breach | bool:
    wanted = claim.metric.unit if claim.metric else None
    if wanted is None:
        return False
    units = {point.unit: None for point in claim.points if point.unit != wanted}
    if not units:
        return True
    return Breach(
        names=("unit",),
        said=tuple(f"unit {shown(unit)}" for unit in units),
        wanted=(f"unit {shown(wanted)}",),
        advice=tuple(unit_mismatch(unit, wanted) for unit in units),
    )


UNIT = metric_rule(
    id="convention/metric-unit",
    title="A metric has the unit that its convention gives it",
    why="back ends put the unit into the name or convert by it: two series that nobody adds up, or seconds shown as "
    "milliseconds",
    next="give unit= when the instrument is made",
    judge=_unit,
    source="OTel GenAI, metrics: the unit of each, in UCUM",
)


def _instrument(claim: MetricClaim) -> Breach | bool:
    wanted = claim.metric.instrument if claim.metric else ""
    if wanted not in KINDS:
        return False
    made = [point.kind for point in claim.points if not point.aggregated]
    kinds = dict.fromkeys(kind for kind in made if kind != KINDS[wanted])
    if not kinds:
        return bool(made)
    return Breach(
        names=("instrument",),
        said=tuple(f"the points are those of a {kind}" for kind in kinds),
        wanted=(f"instrument {wanted}",),
        advice=tuple(unexpected_instrument(kind, wanted) for kind in kinds),
    )


INSTRUMENT = metric_rule(
    id="convention/metric-instrument",
    title="A metric is of the instrument that its convention asks for",
    why="a percentile of a sum, or the rate of a histogram's value, is no number at all: the panel stays empty",
    next="make it with the other instrument",
    judge=_instrument,
    compares="The kind of the metric's points with that of the instrument: histogram, gauge or sum. Counters that "
    "only go up, and those that also go down, are both sums. Not judged is what a view of the application aggregates.",
    source="OTel GenAI, metrics: the instrument of each",
)


def _buckets(claim: MetricClaim) -> Breach | bool:
    wanted = claim.metric.buckets if claim.metric else ()
    found = {point.bounds: None for point in claim.points if point.bounds and not point.aggregated}
    if not wanted or not found:
        return False
    others = [bounds for bounds in found if bounds != wanted]
    if not others:
        return True
    return Breach(
        names=("buckets",),
        said=tuple(f"buckets up to {_written(bounds)}" for bounds in others),
        wanted=(f"buckets up to {_written(wanted)}",),
    )


def _written(bounds: tuple[float, ...]) -> str:
    return ", ".join(f"{bound:g}" if bound < _MILLION else f"{bound:.0f}" for bound in bounds)


_MILLION = 1_000_000

BUCKETS = metric_advised(
    id="convention/metric-buckets",
    title="A histogram has the buckets that its convention advises",
    why="percentiles over services need the same buckets in each; the SDK's own are for milliseconds, so most calls of "
    "a model fall into the first, and long prompts into the last",
    next="give explicit_bucket_boundaries_advisory= when the instrument is made",
    judge=_buckets,
    compares="The bucket boundaries of histograms that have explicit ones. Not judged are those that a view of the "
    "application has set.",
    source="OTel GenAI and MCP, metrics: the bucket boundaries of each",
)

CHECKS = (UNKNOWN, DEPRECATED, UNIT, INSTRUMENT, BUCKETS)
