"""The LLM spans of a run in the form of the report that `weaver registry live-check` writes.

The form is that of Weaver 0.25.1, crates/weaver_live_check: `LiveCheckReport`, `SampleSpan`, `PolicyFinding`. Values of
attributes are left out, since reports are kept and sent around; in that form they are optional.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from pytest_llmtrace.checks import Evidence, Verdict, advice, type_of
from pytest_llmtrace.model import Advice, SpanKey, SpanRecord

__all__ = ["of_run", "of_test"]

_LEVELS: Final = ("information", "improvement", "violation")
"""From low to high."""
_SINGLE: Final = ("string", "int", "double", "boolean")
_TYPES: Final = frozenset((*_SINGLE, *(f"{kind}[]" for kind in _SINGLE)))
"""Those that Weaver infers; of any other value it has none."""


# --- what one test has seen ------------------------------------------------------------------------------------------


def of_test(evidence: Evidence, _verdict: Verdict) -> Any:
    """Return the LLM spans of a trace as samples, and the names of the conventions' attributes, as plain data.

    The names, and not those of the conventions: the controller of a distributed run may not have a user's own.
    """
    found = advice(evidence)
    spans = _llm_spans(evidence, {claim.span.key for claim in evidence.claims})
    profiles = {claim.profile.name: claim.profile for claim in evidence.claims}
    return {
        "samples": [{"span": _span(span, found.get(span.key, []))} for span in spans],
        "registry": sorted({name for profile in profiles.values() for name in profile.attributes}),
    }


def _llm_spans(evidence: Evidence, claimed: AbstractSet[SpanKey]) -> Iterator[SpanRecord]:
    told = {span.key for call in evidence.calls for span in call.spans} | {stray.span.key for stray in evidence.strays}
    return (span for span in evidence.spans if span.key in told or span.key in claimed)


def _span(span: SpanRecord, found: list[Advice]) -> dict[str, Any]:
    by_name: dict[str, list[Advice]] = {}
    for one in found:
        by_name.setdefault(one.attribute, []).append(one)
    attributes = [_attribute(span, name, by_name.pop(name, [])) for name in span.attributes]
    return {
        "name": span.name,
        "kind": span.kind.lower(),
        "attributes": attributes,
        "span_events": [],
        "span_links": [],
        # What is missing has no attribute to stand at.
        "live_check_result": _result(span, (one for missing in by_name.values() for one in missing)),
    }


def _attribute(span: SpanRecord, name: str, found: list[Advice]) -> dict[str, Any]:
    kind = type_of(span.attributes[name])
    return {
        "name": name,
        "value": None,
        "type": kind if kind in _TYPES else None,
        "live_check_result": _result(span, found),
    }


def _result(span: SpanRecord, found: Iterable[Advice]) -> dict[str, Any]:
    all_advice = [
        {
            "id": one.id,
            "level": one.level,
            "message": one.message,
            "context": {"attribute_key": one.attribute},
            "signal_type": "span",
            "signal_name": span.name,
        }
        for one in found
    ]
    highest = max((_LEVELS.index(one["level"]) for one in all_advice), default=None)
    return {"all_advice": all_advice, "highest_advice_level": None if highest is None else _LEVELS[highest]}


# --- what the run has seen -------------------------------------------------------------------------------------------


def of_run(tests: Mapping[str, Any]) -> str:
    """Write the report on a run, from what its tests have seen."""
    samples = [sample for test in tests.values() for sample in test["samples"]]
    registry = sorted({name for test in tests.values() for name in test["registry"]})
    return json.dumps({"samples": samples, "statistics": _statistics(samples, registry)}, indent=2)


def _statistics(samples: list[Any], registry: list[str]) -> dict[str, Any]:
    spans = [sample["span"] for sample in samples]
    attributes = [attribute for span in spans for attribute in span["attributes"]]
    results = [entity["live_check_result"] for entity in (*spans, *attributes)]
    all_advice = [one for result in results for one in result["all_advice"]]
    names = Counter(attribute["name"] for attribute in attributes)
    seen = {name: names.pop(name, 0) for name in registry}
    return {
        "total_entities": len(results),
        "total_entities_by_type": {"span": len(spans), "attribute": len(attributes)},
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
        "seen_registry_metrics": {},
        "seen_non_registry_metrics": {},
        "seen_registry_events": {},
        "seen_non_registry_events": {},
        "registry_coverage": sum(map(bool, seen.values())) / len(seen) if seen else 0.0,
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
