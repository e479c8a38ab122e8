"""The attributes of a metric against its convention: which of them it has, their types and their values."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._advice import condition_met, required_attribute, undefined_variant
from pytest_llmtrace.checks._lexicon import lexicon
from pytest_llmtrace.checks._metric_claims import MetricClaim
from pytest_llmtrace.checks._metric_rule import metric_rule
from pytest_llmtrace.checks._rule import Breach
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.checks.conventions_attributes import mistyped
from pytest_llmtrace.conventions import Level, has_type
from pytest_llmtrace.model import Severity

__all__ = ["CHECKS"]


def _required(claim: MetricClaim) -> Breach | bool:
    required = claim.metric.required if claim.metric else ()
    if not required:
        return False
    absent = tuple(name for name in required if name not in claim.sheet.renamed and _without(claim, name))
    if not absent:
        return True
    return Breach(
        names=absent,
        said=tuple(f"no {name}{_on_some(claim, name)}" for name in absent),
        wanted=("required on every point of this metric",),
        advice=tuple(map(required_attribute, absent)),
        lacks=absent,
    )


def _without(claim: MetricClaim, name: str) -> int:
    """Count the series that were measured without an attribute, as far as views and the SDK's limits let that be seen.

    Above its limit of series, the SDK adds all others up in one that says nothing else.
    """
    return sum(
        name not in point.attributes and not point.hides(name) and _OVERFLOW not in point.attributes
        for point in claim.points
    )


_OVERFLOW = "otel.metric.overflow"


def _on_some(claim: MetricClaim, name: str) -> str:
    without = _without(claim, name)
    return "" if without == len(claim.points) else f" on {without} of {len(claim.points)} series"


REQUIRED = metric_rule(
    id="convention/metric-required",
    title="The points of a metric have the attributes that its convention requires",
    why="whoever groups by these attributes counts these points under no value, or not at all",
    next="pass them with each measurement",
    judge=_required,
    compares="The attributes of each series with those that the convention requires. An attribute that is there under "
    "an older name is reported by convention/metric-deprecated. What a view of the application drops is not missing.",
    source="The requirement level `required` of OTel GenAI's and MCP's metrics",
    whole_runs_only=True,
)


def _type(claim: MetricClaim) -> Breach | bool:
    known = {name: attribute for name, attribute in claim.sheet.known.items() if attribute}
    if not known:
        return False
    wrong = {
        name: value
        for name, attribute in known.items()
        for point in claim.points
        if name in point.attributes and not has_type(value := point.attributes[name], attribute.types)
    }
    return mistyped(wrong, known) if wrong else True


TYPE = metric_rule(
    id="convention/metric-type",
    title="An attribute of a metric has the type that its convention gives it",
    why="443 and '443' are two series, and no filter finds both",
    next="convert the value before it is measured",
    judge=_type,
    compares="The types of the attributes' values, as in `convention/type`. A mask is not accepted here.",
    source="OTel GenAI: the types of its attributes",
)


def _value(claim: MetricClaim) -> Breach | bool:
    closed = lexicon(claim.profile).closed.intersection(claim.sheet.known)
    if not closed:
        return False
    wrong = dict(_outside(claim, closed))
    if not wrong:
        return True
    values = {name: ", ".join(sorted(claim.profile.attributes[name].values)) for name in wrong}
    return Breach(
        names=tuple(wrong),
        said=tuple(f"{name} = {shown(value)}" for name, value in wrong.items()),
        wanted=tuple(f"{name}: {listed}" for name, listed in values.items()),
        advice=tuple(map(undefined_variant, wrong)),
    )


def _outside(claim: MetricClaim, closed: frozenset[str]) -> Iterator[tuple[str, str]]:
    for name in sorted(closed):
        for point in claim.points:
            value = point.attributes.get(name)
            if isinstance(value, str) and value not in claim.profile.attributes[name].values:
                yield name, value


VALUE = metric_rule(
    id="convention/metric-value",
    title="An attribute of a metric with a closed list of values has one of them",
    why="a panel that has a colour for each value has none for it",
    next="use one of the values",
    judge=_value,
    severity=Severity.WARNING,
    compares="The values of attributes for which the convention has a closed list. OpenTelemetry's own lists are open.",
    source="A registry of your own: `allow_custom_values: false`",
)


def _port(claim: MetricClaim) -> Breach | bool:
    wanted = claim.wanted.get("server.port")
    # As on spans: where the convention has a default port, the attribute may be left out.
    if wanted is None or wanted.level is not Level.CONDITIONALLY_REQUIRED or "443" in wanted.condition:
        return False
    seen = [point.attributes for point in claim.points if not point.hides("server.port")]
    addressed = [attributes for attributes in seen if attributes.get("server.address")]
    absent = [attributes for attributes in addressed if "server.port" not in attributes]
    if not absent:
        return bool(addressed)
    some = "" if len(absent) == len(claim.points) else f" on {len(absent)} of {len(claim.points)} series"
    return Breach(
        names=("server.port",),
        said=(f"no server.port{some}, but server.address = {shown(absent[0]['server.address'])}",),
        wanted=(f"server.port: {wanted.condition}",),
        advice=(condition_met("server.port"),),
        lacks=("server.port",),
    )


PORT = metric_rule(
    id="convention/metric-server-port",
    title="The points of a metric that name the server name the port",
    why="two servers on one host are one series",
    next="pass server.port beside server.address",
    judge=_port,
    severity=Severity.INFO,
    source="OTel GenAI: `server.port` if `server.address` is set",
    whole_runs_only=True,
)

CHECKS = (REQUIRED, TYPE, VALUE, PORT)
