"""The fixtures that a team writes by hand: replies from a `MockTransport`, spans in an `InMemorySpanExporter`."""

from __future__ import annotations

import app
import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks._material import LIBRARY, headers, mocked, reply

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
replies: list[bytes] = []


@pytest.fixture(scope="session")
def client():
    """A client for all tests, as the application has one too."""
    reply_headers = headers(stream=False)
    transport = mocked(lambda _: LIBRARY.Response(200, headers=reply_headers, content=replies.pop()))
    return openai.OpenAI(api_key="bench", max_retries=0, http_client=transport)


@pytest.fixture
def replying(client, monkeypatch, number):
    """Queue the reply of a test."""
    monkeypatch.setattr(app, "client", client)
    replies.append(reply(number, stream=False))
    yield
    assert not replies


@pytest.fixture
def spans():
    """The spans of a test."""
    exporter.clear()
    yield exporter
    exporter.clear()
