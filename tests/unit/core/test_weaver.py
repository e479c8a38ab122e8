"""The report that has the form of Weaver's live check."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pytest_llmtrace.checks import Evidence, Verdict
from pytest_llmtrace.model import MetricPoint, SpanRecord
from pytest_llmtrace.report import FORMATS
from tests.unit.checks.conventions._profiles import GENAI, OPENINFERENCE

SpanMaker = Callable[..., SpanRecord]

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
NOTHING: dict[str, Any] = {"all_advice": [], "highest_advice_level": None}


def written(*traces: Evidence) -> Any:
    """Write the report on several traces, each as a worker sends it to the controller."""
    weaver = FORMATS["weaver"]
    tests = {str(number): weaver.of_test(evidence, Verdict.none()) for number, evidence in enumerate(traces)}
    return json.loads(weaver.of_run(json.loads(json.dumps(tests))))


def finding(kind: str, level: str, name: str, message: str) -> dict[str, Any]:
    return {
        "id": kind,
        "level": level,
        "message": message,
        "context": {"attribute_key": name},
        "signal_type": "span",
        "signal_name": "chat",
    }


def test_samples(make_span: SpanMaker) -> None:
    """A sample has a span's attributes by name and type, without values; advice stands at the attribute concerned."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": "12", "app.tags": (), "app.on": True}
    span = make_span(kind="CLIENT", attributes=attributes)
    mismatch = "Attribute 'gen_ai.usage.input_tokens' has type 'string'. Type should be 'int'."
    missing = "Required attribute 'gen_ai.provider.name' is not present."
    assert written(Evidence(spans=(span,), profiles=(GENAI,)))["samples"] == [
        {
            "span": {
                "name": "chat",
                "kind": "client",
                "attributes": [
                    {"name": "gen_ai.operation.name", "value": None, "type": "string", "live_check_result": NOTHING},
                    {
                        "name": "gen_ai.usage.input_tokens",
                        "value": None,
                        "type": "string",
                        "live_check_result": {
                            "all_advice": [
                                finding("type_mismatch", "violation", "gen_ai.usage.input_tokens", mismatch)
                            ],
                            "highest_advice_level": "violation",
                        },
                    },
                    {"name": "app.tags", "value": None, "type": None, "live_check_result": NOTHING},
                    {"name": "app.on", "value": None, "type": "boolean", "live_check_result": NOTHING},
                ],
                "span_events": [],
                "span_links": [],
                "live_check_result": {
                    "all_advice": [
                        finding("required_attribute_not_present", "violation", "gen_ai.provider.name", missing)
                    ],
                    "highest_advice_level": "violation",
                },
            }
        }
    ]


def test_statistics(make_span: SpanMaker) -> None:
    """Statistics cover all samples: each span and each attribute is an entity; coverage is the registry's."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "app.on": True}
    good = make_span(kind="CLIENT", attributes=attributes)
    bad = make_span(kind="CLIENT", status="ERROR", attributes={**attributes, "gen_ai.mood": "good"})
    statistics = written(*(Evidence(spans=(span,), profiles=(GENAI,)) for span in (good, bad)))["statistics"]
    seen = statistics.pop("seen_registry_attributes")
    assert {name: count for name, count in seen.items() if count} == {
        "gen_ai.operation.name": 2,
        "gen_ai.provider.name": 2,
    }
    assert seen.keys() == GENAI.attributes.keys()
    assert statistics == {
        "total_entities": 9,
        "total_entities_by_type": {"span": 2, "attribute": 7},
        "total_advisories": 2,
        "advice_level_counts": {"information": 1, "violation": 1},
        "highest_advice_level_counts": {"information": 1, "violation": 1},
        "no_advice_count": 7,
        "advice_type_counts": {"conditionally_required_attribute_not_present": 1, "missing_attribute": 1},
        "advice_message_counts": {
            "Attribute 'gen_ai.mood' does not exist in the registry.": 1,
            "Conditionally required attribute 'error.type' is not present.": 1,
        },
        "seen_non_registry_attributes": {"app.on": 2, "gen_ai.mood": 1},
        "seen_registry_metrics": dict.fromkeys(GENAI.metrics, 0),
        "seen_non_registry_metrics": {},
        "seen_registry_events": {},
        "seen_non_registry_events": {},
        "registry_coverage": 2 / (len(seen) + len(GENAI.metrics)),
    }


def test_indexed_names_and_families_are_in_the_registry(make_span: SpanMaker) -> None:
    """Indexed names and members of families are counted under the registry's name for them."""
    chat = make_span(1, attributes={**CHAT, "gen_ai.prompt.variable.city": "Bern", "gen_ai.prompt.variable.day": "x"})
    roles = {f"llm.input_messages.{number}.message.role": "user" for number in range(3)}
    llm = make_span(2, attributes={"openinference.span.kind": "LLM", "llm.system": "openai", **roles})
    statistics = written(Evidence(spans=(chat, llm), profiles=(GENAI, OPENINFERENCE)))["statistics"]
    seen = statistics["seen_registry_attributes"]
    assert (seen["gen_ai.prompt.variable"], seen["message.role"]) == (2, 3)
    assert statistics["seen_non_registry_attributes"] == {}


def test_metrics() -> None:
    """A metric has its points with their attributes; advice on the metric stands there once, not at each point."""
    calls: dict[str, Any] = {"scope": "app", "name": "gen_ai.calls", "unit": "calls"}
    series = ({**CHAT, "gen_ai.mood": "x"}, {"gen_ai.operation.name": 1})
    points = [MetricPoint(**calls, attributes=attributes) for attributes in series]
    report = written(Evidence(metrics=tuple(points), profiles=(GENAI,)))
    metric = report["samples"][0]["metric"]
    results = [metric["live_check_result"], *(point["live_check_result"] for point in metric["data_points"])]
    said = [[(one["id"], one["signal_type"], one["context"]) for one in result["all_advice"]] for result in results]
    assert (metric["name"], metric["instrument"], metric["unit"]) == ("gen_ai.calls", "counter", "calls")
    assert said == [
        [("unit_mismatch", "metric", {})],
        [],
        [("required_attribute_not_present", "metric", {"attribute_key": "gen_ai.provider.name"})],
    ]
    attributes = [attribute for point in metric["data_points"] for attribute in point["attributes"]]
    assert [(one["name"], one["live_check_result"]["highest_advice_level"]) for one in attributes] == [
        ("gen_ai.operation.name", None),
        ("gen_ai.provider.name", None),
        ("gen_ai.mood", "violation"),
        ("gen_ai.operation.name", "violation"),
    ]
    statistics = report["statistics"]
    assert statistics["total_entities_by_type"] == {"metric": 1, "data_point": 2, "attribute": 4}
    assert statistics["seen_registry_metrics"] == {"gen_ai.calls": 1, "gen_ai.depth": 0, "gen_ai.duration": 0}
    assert statistics["seen_non_registry_metrics"] == {}


def test_a_histogram() -> None:
    """Points of a histogram have a count and no sum; a metric that the convention lacks is counted as such."""
    point = MetricPoint(scope="app", name="gen_ai.wait", unit="s", kind="histogram", value=2.5, count=3)
    report = written(Evidence(metrics=(point,), profiles=(GENAI,)))
    [shown] = report["samples"][0]["metric"]["data_points"]
    assert shown == {"attributes": [], "count": 3, "sum": None, "live_check_result": NOTHING}
    assert report["statistics"]["advice_type_counts"] == {"missing_metric": 1}
    assert report["statistics"]["seen_non_registry_metrics"] == {"gen_ai.wait": 1}


def test_other_spans(make_span: SpanMaker) -> None:
    """Spans that belong to no call and keep no convention are not samples."""
    report = written(Evidence(spans=(make_span(attributes={"http.route": "/"}),), profiles=(GENAI,)))
    assert (report["samples"], report["statistics"]["registry_coverage"]) == ([], 0.0)
