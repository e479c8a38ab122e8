"""OTLP's protobuf form, against OpenTelemetry's own encoder."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from pytest_llmtrace.capture.records import span_record
from pytest_llmtrace.export import Encoder
from pytest_llmtrace.export._protobuf import request

REMOTE = SpanContext(
    7, 8, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("vendor", "1"), ("other", "2")])
)
VALUES: dict[str, Any] = {
    "text": "grüße",
    "empty": "",
    "long": "x" * 70_000,
    "number": -5,
    "large": 2**63 - 1,
    "zero": 0,
    "real": 0.25,
    "yes": True,
    "no": False,
    "texts": ("a", "b"),
    "numbers": (1, 2),
    "none": (),
}


def test_the_same_as_opentelemetry() -> None:
    """Our protobuf equals OpenTelemetry's field by field, but has the trace flags and link states that it lacks."""
    memory = InMemorySpanExporter()
    limits = SpanLimits(
        max_span_attributes=10, max_events=1, max_links=1, max_event_attributes=3, max_link_attributes=1
    )
    resource = Resource({"service.name": "app", "service.instance": 7}, "https://opentelemetry.io/schemas/1.40.0")
    provider = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("scope", "1.2", "https://opentelemetry.io/schemas/1.42.0", {"team": "chat", **VALUES})
    caller = trace.set_span_in_context(trace.NonRecordingSpan(REMOTE))
    with tracer.start_as_current_span("outer", caller, kind=SpanKind.CLIENT, attributes=VALUES) as outer:
        outer.add_event("too many")
        outer.add_event("event", VALUES)
        outer.set_status(StatusCode.ERROR, "no")
        links = [Link(outer.get_span_context(), {"why": "batch"}), Link(REMOTE, {"why": "retry", "of": 2})]
        with provider.get_tracer("other").start_as_current_span("inner", links=links, attributes=VALUES):
            pass
    spans = memory.get_finished_spans()
    theirs = encode_spans(spans)
    records = [span_record(span, started=0, ended=1) for span in spans]
    resources = json.loads(Encoder({}).request(records, {}))["resourceSpans"]
    ours = ExportTraceServiceRequest.FromString(request(resources))
    for span in (span for scope in ours.resource_spans[0].scope_spans for span in scope.spans):
        assert span.flags & 0xFF == 1
        span.flags &= ~0xFF  # OpenTelemetry's exporter leaves out the trace flags, and the trace state of links.
        for one in span.links:
            one.flags &= ~0xFF
            assert one.trace_state == "vendor=1,other=2"
            one.ClearField("trace_state")
    assert ours == theirs
    [inner, outer] = [span for scope in theirs.resource_spans[0].scope_spans for span in scope.spans]
    assert (inner.name, inner.dropped_links_count, inner.links[0].dropped_attributes_count) == ("inner", 1, 1)
    assert (outer.trace_state, outer.dropped_events_count, outer.dropped_attributes_count) == ("vendor=1,other=2", 1, 2)
    assert outer.events[0].dropped_attributes_count == 9
