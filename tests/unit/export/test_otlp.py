"""SpanRecord -> OTLP's JSON form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.export._otlp import as_bytes, resource_spans
from pytest_llmtrace.model import SpanEvent, SpanKey, SpanLink, SpanRecord

MakeSpan = Callable[..., SpanRecord]


def test_a_whole_span(make_span: MakeSpan) -> None:
    """A span has all that the record has: ids in hexadecimal, times as strings, enums as numbers."""
    span = make_span(
        2,
        parent=1,
        kind="CLIENT",
        scope_version="1.2",
        status="ERROR",
        status_description="no",
        attributes={"gen_ai.request.model": "gpt-4o"},
        events=(SpanEvent(name="exception", time_ns=2**60, attributes={"exception.type": "E"}),),
        links=(SpanLink(key=SpanKey(3, 4), attributes={"why": "batch"}),),
        resource={"service.name": "app"},
        start_ns=2**60,
        end_ns=2**60 + 1,
    )
    [resource] = resource_spans([span], resource={}, attributes={})
    assert resource == {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "app"}}]},
        "scopeSpans": [
            {
                "scope": {"name": "app", "version": "1.2"},
                "spans": [
                    {
                        "traceId": f"{1:032x}",
                        "spanId": f"{2:016x}",
                        "parentSpanId": f"{1:016x}",
                        "name": "chat",
                        "kind": 3,
                        "startTimeUnixNano": "1152921504606846976",
                        "endTimeUnixNano": "1152921504606846977",
                        "attributes": [{"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}}],
                        "status": {"code": 2, "message": "no"},
                        "events": [
                            {
                                "timeUnixNano": "1152921504606846976",
                                "name": "exception",
                                "attributes": [{"key": "exception.type", "value": {"stringValue": "E"}}],
                            }
                        ],
                        "links": [
                            {
                                "traceId": f"{3:032x}",
                                "spanId": f"{4:016x}",
                                "attributes": [{"key": "why", "value": {"stringValue": "batch"}}],
                            }
                        ],
                    }
                ],
            }
        ],
    }


def test_schema_urls(make_span: MakeSpan) -> None:
    """They stand beside the resource and the scope that have them, and tell apart what is the same otherwise."""
    spans = [
        make_span(1, scope_schema_url="https://a.example/2", resource_schema_url="https://a.example/1"),
        make_span(2, scope_schema_url="https://a.example/3", resource_schema_url="https://a.example/1"),
        make_span(3),
    ]
    first, second = resource_spans(spans, resource={}, attributes={})
    scopes = [(scope["schemaUrl"], len(scope["spans"])) for scope in first["scopeSpans"]]
    assert (first["schemaUrl"], scopes) == (
        "https://a.example/1",
        [("https://a.example/2", 1), ("https://a.example/3", 1)],
    )
    assert "schemaUrl" not in second
    assert "schemaUrl" not in second["scopeSpans"][0]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("x", {"stringValue": "x"}),
        (True, {"boolValue": True}),
        (2**62, {"intValue": "4611686018427387904"}),
        (-(2**63), {"intValue": "-9223372036854775808"}),
        (2**63, {"stringValue": "9223372036854775808"}),
        pytest.param(-(2**20_000), {"stringValue": hex(-(2**20_000))}, id="huge"),
        (0.5, {"doubleValue": 0.5}),
        (float("nan"), {"stringValue": "nan"}),
        (b"\x00\xff", {"bytesValue": "AP8="}),
        (None, {}),
        (("a", 1), {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}}),
        ({"a": 1}, {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}}),
        (SpanKey, {"stringValue": str(SpanKey)}),
    ],
    ids=repr,
)
def test_values_keep_their_types(make_span: MakeSpan, value: Any, written: dict[str, Any]) -> None:
    """Each type of value has its own form, and what JSON cannot have becomes text."""
    [resource] = resource_spans([make_span(attributes={"key": value})], resource={}, attributes={})
    [span] = resource["scopeSpans"][0]["spans"]
    assert span["attributes"] == [{"key": "key", "value": written}]
    json.dumps(written, allow_nan=False)


def test_spans_stand_by_resource_and_scope(make_span: MakeSpan) -> None:
    """Spans of one resource and scope stand together, in their order."""
    places = [("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")]
    spans = [make_span(number, resource={"r": r}, scope=scope) for number, (r, scope) in enumerate(places, 1)]
    found = [
        (scope["scope"]["name"], [int(span["spanId"], 16) for span in scope["spans"]])
        for resource in resource_spans(spans, resource={}, attributes={})
        for scope in resource["scopeSpans"]
    ]
    assert found == [("x", [1, 4]), ("y", [2]), ("x", [3])]


def test_what_the_application_says_wins(make_span: MakeSpan) -> None:
    """Identity is added where the application has set nothing of that name."""
    span = make_span(attributes={"test.case.name": "own"}, resource={"vcs.repository.name": "own"})
    more = {"vcs.repository.name": "ours", "vcs.owner.name": "ours"}
    [resource] = resource_spans([span], resource=more, attributes={"test.case.name": "ours", "test.suite.name": "ours"})
    values = [
        {pair["key"]: pair["value"]["stringValue"] for pair in place["attributes"]}
        for place in (resource["resource"], resource["scopeSpans"][0]["spans"][0])
    ]
    assert values == [
        {"vcs.repository.name": "own", "vcs.owner.name": "ours"},
        {"test.case.name": "own", "test.suite.name": "ours"},
    ]


def test_halves_of_characters_are_replaced() -> None:
    """A lone surrogate, which no server can read, does not spoil the whole request."""
    assert as_bytes({"a": "x\ud800y\n", "b": "ä"}) == '{"a":"x?y\\n","b":"ä"}'.encode()
