"""OTLP's protobuf form, against OpenTelemetry's own encoder."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode

from pytest_llmtrace.capture.records import span_record
from pytest_llmtrace.export import resource_spans
from pytest_llmtrace.export._otlp import as_bytes
from pytest_llmtrace.export._protobuf import request

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
    """What we send in protobuf is, field by field, what OpenTelemetry's exporter sends of the same spans."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "app", "service.instance": 7}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("scope", "1.2")
    with tracer.start_as_current_span("outer", kind=SpanKind.CLIENT, attributes=VALUES) as outer:
        outer.add_event("event", VALUES)
        outer.set_status(StatusCode.ERROR, "no")
        link = Link(outer.get_span_context(), {"why": "batch"})
        with provider.get_tracer("other").start_as_current_span("inner", links=[link]):
            pass
    spans = memory.get_finished_spans()
    theirs = encode_spans(spans)
    records = [span_record(span, started=0, ended=1) for span in spans]
    resources = json.loads(as_bytes(resource_spans(records, resource={}, attributes={})))
    ours = ExportTraceServiceRequest.FromString(request(resources))
    for span in (span for one in (ours, theirs) for scope in one.resource_spans[0].scope_spans for span in scope.spans):
        span.flags = 0  # Whether a parent is remote is not ours to know.
        for one in span.links:
            one.flags = 0
    assert ours == theirs
