"""Exporters that suites have made by hand, in their usual forms, beside `llmtrace`."""

from __future__ import annotations

from typing import Any

import pytest

HEAD = """
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once

def new_provider(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider

def work():
    with trace.get_tracer("shop").start_as_current_span("work"):
        pass
"""

FORMS = {
    "reset for each test": """
def reset():
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()

@pytest.fixture
def exporter():
    exporter = InMemorySpanExporter()
    provider = new_provider(exporter)
    reset()
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()
    reset()
""",
    "set when the first test asks": """
@pytest.fixture(scope="session")
def spans():
    exporter = InMemorySpanExporter()
    trace.set_tracer_provider(new_provider(exporter))
    return exporter

@pytest.fixture
def exporter(spans):
    spans.clear()
    return spans
""",
    "a processor for each test": """
trace.set_tracer_provider(TracerProvider())

@pytest.fixture
def exporter():
    exporter = InMemorySpanExporter()
    processor = SimpleSpanProcessor(exporter)
    trace.get_tracer_provider().add_span_processor(processor)
    yield exporter
    processor.shutdown()
""",
}

TESTS = """
def names(spans):
    return [span.name for span in spans]

def test_before(exporter):
    work()
    assert names(exporter.get_finished_spans()) == ["work"]

def test_first(exporter, llmtrace):
    work()
    assert names(exporter.get_finished_spans()) == names(llmtrace.spans()) == ["work"]

def test_other_order(llmtrace, exporter):
    work()
    assert names(exporter.get_finished_spans()) == names(llmtrace.spans()) == ["work"]

def test_without_theirs(llmtrace):
    work()
    assert names(llmtrace.spans()) == names(llmtrace.exporter.get_finished_spans()) == ["work"]

def test_cleared(exporter, llmtrace):
    left = trace.get_tracer("shop").start_span("left open")
    exporter.clear()

def test_after(exporter):
    work()
    assert names(exporter.get_finished_spans()) == ["work"]
"""


@pytest.mark.parametrize("form", FORMS)
def test_both_capture(run: Any, form: str) -> None:
    """Theirs has the spans that it had, whichever fixture comes first; ours has the same, and judges them."""
    result = run({"test_it.py": HEAD + FORMS[form] + TESTS})
    passing = ("test_before", "test_first", "test_other_order", "test_without_theirs", "test_after")
    assert result.outcomes == {**dict.fromkeys(passing, "call passed"), "test_cleared": "call failed"}, result.out
    assert "structure/span-never-ended  span 'left open' (shop)" in result.texts["test_cleared"][0]
