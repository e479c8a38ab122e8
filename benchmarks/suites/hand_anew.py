"""Fixtures by hand with a provider, exporter and instrumentation for each test, like instrumentations' own suites."""

from __future__ import annotations

import pytest
from hand_made import client, replying
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

__all__ = ["client", "replying", "spans"]

OpenAIInstrumentor().uninstrument()


@pytest.fixture
def spans():
    """The spans of a test."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    yield exporter
    OpenAIInstrumentor().uninstrument()
