"""How a `SpanRecord` is written in OTLP's JSON form."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from pytest_llmtrace.export import Fate
from pytest_llmtrace.export._otlp import Encoder, as_bytes
from pytest_llmtrace.model import SpanEvent, SpanKey, SpanLink, SpanRecord

MakeSpan = Callable[..., SpanRecord]


def resource_spans(spans: list[SpanRecord], shared: Any = None, attributes: Any = None) -> list[dict[str, Any]]:
    request = Encoder(shared or {}).request(spans, attributes or {})
    return list(json.loads(request)["resourceSpans"])


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
    [resource] = resource_spans([span])
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
    """Schema URLs stand beside their resource and scope, and separate those that are otherwise the same."""
    spans = [
        make_span(1, scope_schema_url="https://a.example/2", resource_schema_url="https://a.example/1"),
        make_span(2, scope_schema_url="https://a.example/3", resource_schema_url="https://a.example/1"),
        make_span(3),
    ]
    first, second = resource_spans(spans)
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
        ({1: True}, {"kvlistValue": {"values": [{"key": "1", "value": {"boolValue": True}}]}}),
        (HTTPStatus.OK, {"intValue": "200"}),
        (Fate.LATER, {"stringValue": "later"}),
        (SpanKey, {"stringValue": str(SpanKey)}),
    ],
    ids=repr,
)
def test_values_keep_their_types(make_span: MakeSpan, value: Any, written: dict[str, Any]) -> None:
    """Each type of value has its own form, and a value that JSON cannot hold becomes text."""
    [resource] = resource_spans([make_span(attributes={"key": value})])
    [span] = resource["scopeSpans"][0]["spans"]
    assert span["attributes"] == [{"key": "key", "value": written}]
    json.dumps(written, allow_nan=False)


def test_spans_stand_by_resource_and_scope(make_span: MakeSpan) -> None:
    """Spans of one resource and scope stand together, in their order."""
    places = [("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")]
    spans = [make_span(number, resource={"r": r}, scope=scope) for number, (r, scope) in enumerate(places, 1)]
    found = [
        (scope["scope"]["name"], [int(span["spanId"], 16) for span in scope["spans"]])
        for resource in resource_spans(spans)
        for scope in resource["scopeSpans"]
    ]
    assert found == [("x", [1, 4]), ("y", [2]), ("x", [3])]


def test_scopes_have_attributes(make_span: MakeSpan) -> None:
    """The attributes of a scope stand with it, and separate it from others of its name."""
    spans = [make_span(number, scope_attributes=said) for number, said in enumerate([{}, {"a": 1}, {"a": True}], 1)]
    [resource] = resource_spans(spans)
    assert [scope["scope"] for scope in resource["scopeSpans"]] == [
        {"name": "app"},
        {"name": "app", "attributes": [{"key": "a", "value": {"intValue": "1"}}]},
        {"name": "app", "attributes": [{"key": "a", "value": {"boolValue": True}}]},
    ]


def test_resources_are_told_apart(make_span: MakeSpan) -> None:
    """An encoder writes each resource as it is, however many there were before, even if some compare equal."""
    encoder = Encoder({})
    values = [1, True, 1.0, *range(100), 1]
    written = [encoder.request([make_span(resource={"a": value})], {}) for value in values]
    found = [json.loads(request)["resourceSpans"][0]["resource"]["attributes"][0]["value"] for request in written]
    assert found[:3] == [{"intValue": "1"}, {"boolValue": True}, {"doubleValue": 1.0}]
    assert found[3:] == [{"intValue": str(value)} for value in values[3:]]


def test_names_need_be_no_texts(make_span: MakeSpan) -> None:
    """An SDK takes anything for a span's or an event's name, and so do we."""
    name: Any = SpanKey(1, 2)
    [resource] = resource_spans([make_span(name=name, events=(SpanEvent(name=name, time_ns=1),))])
    [span] = resource["scopeSpans"][0]["spans"]
    assert (span["name"], span["events"][0]["name"]) == (str(name), str(name))


def test_what_the_application_says_wins(make_span: MakeSpan) -> None:
    """Attributes of identity are added only where the application has set none of that name."""
    span = make_span(attributes={"test.case.name": "own"}, resource={"vcs.repository.name": "own"})
    more = {"vcs.repository.name": "ours", "vcs.owner.name": "ours"}
    [resource] = resource_spans([span], more, {"test.case.name": "ours", "test.suite.name": "ours"})
    values = [
        {pair["key"]: pair["value"]["stringValue"] for pair in place["attributes"]}
        for place in (resource["resource"], resource["scopeSpans"][0]["spans"][0])
    ]
    assert values == [
        {"vcs.repository.name": "own", "vcs.owner.name": "ours"},
        {"test.case.name": "own", "test.suite.name": "ours"},
    ]


def test_halves_of_characters_are_replaced(make_span: MakeSpan) -> None:
    """A lone surrogate, which no server can read, is replaced and does not spoil the whole request."""
    assert b'"x?y\\n"' in Encoder({}).request([make_span(attributes={"a": "x\ud800y\n"})], {})
    assert as_bytes({"a": "x\ud800y\n", "b": "ä"}) == '{"a":"x?y\\n","b":"ä"}'.encode()
