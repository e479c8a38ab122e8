"""The LLM spans and metrics of a run in the form of the report that `weaver registry live-check` writes.

The format is that of Weaver 0.25.1, crates/weaver_live_check: `LiveCheckReport`, `SampleSpan`, `SampleMetric`,
`PolicyFinding`. Values of attributes and measurements are left out, since reports are kept and sent around; the format
has them as optional.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.checks import Evidence, MetricClaim, Verdict, advice, advice_on_point, type_of
from pytest_llmtrace.model import Advice, MetricPoint, SpanKey, SpanRecord

__all__ = ["of_run", "of_test"]

_LEVELS: Final = ("information", "improvement", "violation")
"""From low to high."""
_SINGLE: Final = ("string", "int", "double", "boolean")
_TYPES: Final = frozenset((*_SINGLE, *(f"{kind}[]" for kind in _SINGLE)))
"""The types that Weaver infers; a value of another kind has no type there."""


# --- what one test has seen ------------------------------------------------------------------------------------------


def of_test(evidence: Evidence, _verdict: Verdict) -> Any:
    """Return the LLM spans and metrics of a trace as samples, and the names that its conventions define, as plain data.

    These names are sent, not the names of the conventions: the controller of a distributed run may lack a user's own.
    """
    found = advice(evidence)
    spans = _llm_spans(evidence, {claim.span.key for claim in evidence.claims})
    profiles = {one.profile for one in evidence.claims} | {one.profile for one in evidence.metric_claims}
    samples: list[Any] = [{"span": _span(span, found.get(span.key, []))} for span in spans]
    return {
        "samples": [*samples, *({"metric": _metric(claim)} for claim in evidence.metric_claims)],
        "registry": sorted({name for profile in profiles for name in profile.attributes}),
        "forms": _forms(evidence),
        "metrics": sorted({name for profile in profiles for name in profile.metrics}),
    }


def _forms(evidence: Evidence) -> dict[str, str]:
    """Return the attribute names that stand for another one in the registry: members of a family, and indexed names."""
    sheets = [claim.sheet for claim in evidence.claims] + [claim.sheet for claim in evidence.metric_claims]
    known = ((name, attribute) for sheet in sheets for name, attribute in sheet.known.items())
    return {name: attribute.name for name, attribute in known if attribute and attribute.name != name}


def _llm_spans(evidence: Evidence, claimed: AbstractSet[SpanKey]) -> Iterator[SpanRecord]:
    told = {span.key for call in evidence.calls for span in call.spans} | {stray.span.key for stray in evidence.strays}
    return (span for span in evidence.spans if span.key in told or span.key in claimed)


class _Signal(NamedTuple):
    """The span or metric that advice is about."""

    type: str
    name: str


def _span(span: SpanRecord, found: list[Advice]) -> dict[str, Any]:
    signal = _Signal("span", span.name)
    attributes, missing = _attributes(signal, span.attributes, found)
    return {
        "name": span.name,
        "kind": span.kind.lower(),
        "attributes": attributes,
        "span_events": [],
        "span_links": [],
        # Advice on a missing attribute has no attribute to be attached to.
        "live_check_result": _result(signal, missing),
    }


def _metric(claim: MetricClaim) -> dict[str, Any]:
    signal = _Signal("metric", claim.name)
    found = [(point, advice_on_point(claim, point)) for point in claim.points]
    of_metric = dict.fromkeys(one for _, advised in found for one in advised if not one.attribute)
    return {
        "name": claim.name,
        "instrument": claim.instrument,
        "unit": claim.points[0].unit,
        "data_points": [_point(signal, point, [one for one in advised if one.attribute]) for point, advised in found],
        "live_check_result": _result(signal, of_metric),
    }


def _point(signal: _Signal, point: MetricPoint, found: list[Advice]) -> dict[str, Any]:
    attributes, missing = _attributes(signal, point.attributes, found)
    measured = {"value": None} if point.count is None else {"count": point.count, "sum": None}
    return {"attributes": attributes, **measured, "live_check_result": _result(signal, missing)}


def _attributes(
    signal: _Signal, attributes: Mapping[str, Any], found: list[Advice]
) -> tuple[list[dict[str, Any]], list[Advice]]:
    """Return the attributes, each with the advice on it, and the advice on attributes that are missing."""
    by_name: dict[str, list[Advice]] = {}
    for one in found:
        by_name.setdefault(one.attribute, []).append(one)
    there = [_attribute(signal, name, value, by_name.pop(name, [])) for name, value in attributes.items()]
    return there, [one for missing in by_name.values() for one in missing]


def _attribute(signal: _Signal, name: str, value: Any, found: list[Advice]) -> dict[str, Any]:
    kind = type_of(value)
    return {
        "name": name,
        "value": None,
        "type": kind if kind in _TYPES else None,
        "live_check_result": _result(signal, found),
    }


def _result(signal: _Signal, found: Iterable[Advice]) -> dict[str, Any]:
    all_advice = [
        {
            "id": one.id,
            "level": one.level,
            "message": one.message,
            "context": {"attribute_key": one.attribute} if one.attribute else {},
            "signal_type": signal.type,
            "signal_name": signal.name,
        }
        for one in found
    ]
    highest = max((_LEVELS.index(one["level"]) for one in all_advice), default=None)
    return {"all_advice": all_advice, "highest_advice_level": None if highest is None else _LEVELS[highest]}


# --- what the run has seen -------------------------------------------------------------------------------------------


def of_run(tests: Mapping[str, Any]) -> str:
    """Return the report on a run as JSON, made from what its tests contributed."""
    samples = [sample for test in tests.values() for sample in test["samples"]]
    known = ({name for test in tests.values() for name in test[part]} for part in ("registry", "metrics"))
    forms = {name: form for test in tests.values() for name, form in test["forms"].items()}
    return json.dumps({"samples": samples, "statistics": _statistics(samples, forms, *map(sorted, known))}, indent=2)


def _statistics(
    samples: list[Any], forms: Mapping[str, str], registry: list[str], known_metrics: list[str]
) -> dict[str, Any]:
    entities = _entities(samples)
    results = [entity["live_check_result"] for of_type in entities.values() for entity in of_type]
    all_advice = [one for result in results for one in result["all_advice"]]
    said = {kind: [entity["name"] for entity in entities.get(kind, ())] for kind in ("attribute", "metric")}
    names, metrics = Counter(forms.get(name, name) for name in said["attribute"]), Counter(said["metric"])
    seen = {name: names.pop(name, 0) for name in registry}
    seen_metrics = {name: metrics.pop(name, 0) for name in known_metrics}
    every = (*seen.values(), *seen_metrics.values())
    return {
        "total_entities": len(results),
        "total_entities_by_type": {kind: len(of_type) for kind, of_type in entities.items()},
        "total_advisories": len(all_advice),
        "advice_level_counts": _counted(one["level"] for one in all_advice),
        "highest_advice_level_counts": _counted(
            result["highest_advice_level"] for result in results if result["highest_advice_level"]
        ),
        "no_advice_count": sum(not result["all_advice"] for result in results),
        "advice_type_counts": _counted(one["id"] for one in all_advice),
        "advice_message_counts": _counted(one["message"] for one in all_advice),
        "seen_registry_attributes": seen,
        "seen_non_registry_attributes": dict(names),
        "seen_registry_metrics": seen_metrics,
        "seen_non_registry_metrics": dict(metrics),
        "seen_registry_events": {},
        "seen_non_registry_events": {},
        "registry_coverage": sum(map(bool, every)) / len(every) if every else 0.0,
    }


def _entities(samples: list[Any]) -> dict[str, list[Any]]:
    """Return all entities that advice can be attached to, by type; types without an entity are left out."""
    spans = [sample["span"] for sample in samples if "span" in sample]
    metrics = [sample["metric"] for sample in samples if "metric" in sample]
    points = [point for metric in metrics for point in metric["data_points"]]
    attributes = [attribute for entity in (*spans, *points) for attribute in entity["attributes"]]
    found = {"span": spans, "metric": metrics, "data_point": points, "attribute": attributes}
    return {kind: of_type for kind, of_type in found.items() if of_type}


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
