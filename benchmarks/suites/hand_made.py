"""The fixtures that a team writes by hand: replies from a `MockTransport`, spans in an `InMemorySpanExporter`."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import app
import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

LIBRARY = importlib.import_module("httpx" if openai.__version__.startswith(("1.", "2.")) else "httpx2")
REPLY = json.loads(Path("reply.json").read_text(encoding="utf-8"))

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
replies: list[bytes] = []


@pytest.fixture(scope="session")
def client():
    """A client for all tests, as the application has one too."""
    transport = LIBRARY.MockTransport(lambda _: LIBRARY.Response(200, headers=REPLY["headers"], content=replies.pop()))
    return openai.OpenAI(api_key="bench", max_retries=0, http_client=LIBRARY.Client(transport=transport))


@pytest.fixture
def replying(client, monkeypatch, number):
    """Queue the reply of a test."""
    monkeypatch.setattr(app, "client", client)
    replies.append(REPLY["body"].replace("Reply00000", f"Reply{number:05}").encode())
    yield
    assert not replies


@pytest.fixture
def spans():
    """The spans of a test."""
    exporter.clear()
    yield exporter
    exporter.clear()
