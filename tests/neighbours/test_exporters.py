"""Hand-made exporters of suites, in their usual forms, beside `llmtrace`."""

from __future__ import annotations

import gzip
import http.server
import threading
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
    """Their exporter gets its spans as before, in any order of fixtures; ours gets the same spans and verifies them."""
    result = run({"test_it.py": HEAD + FORMS[form] + TESTS})
    passing = ("test_before", "test_first", "test_other_order", "test_without_theirs", "test_after")
    assert result.outcomes == {**dict.fromkeys(passing, "call passed"), "test_cleared": "call failed"}, result.out
    assert "structure/span-never-ended  span 'left open' (shop)" in result.texts["test_cleared"][0]


class Logfire(http.server.BaseHTTPRequestHandler):
    """A stand-in for logfire's back end."""

    received: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        self.send_response(200)
        said = b'{"project_name": "shop", "project_url": "shop"}'
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: object) -> None:
        """Be silent."""


@pytest.mark.parametrize("exporters", ["muted", "live"])
def test_spans_of_tests_that_logfire_makes(run: Any, installed: Any, exporters: str) -> None:
    """`--logfire` runs beside `llmtrace`; its spans belong to no test, and are sent if exporters are live."""
    installed("logfire")
    received: list[bytes] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("", (Logfire,), {"received": received})) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        done = run(
            {"test_it.py": HEAD + LOGFIRE},
            plugins=["logfire._internal.integrations.pytest"],
            options=["--logfire", "-o", f"llmtrace_app_exporters={exporters}"],
            LOGFIRE_TOKEN="pylf_v1_us_" + "a1B2" * 10,
            LOGFIRE_BASE_URL=f"http://127.0.0.1:{server.server_port}",
        )
        server.shutdown()
    assert (done.code, done.outcomes) == (0, {"test_first": "call passed", "test_it": "call passed"}), done.out
    assert any(b"test_it.py::test_it" in body for body in received) is (exporters == "live")


LOGFIRE = """
def test_first(llmtrace):
    pass  # Its span may be sent when it begins, since nothing was muted then.

def test_it(llmtrace):
    work()
    assert [span.name for span in llmtrace.spans()] == ["work"]
    assert [span.name for span in llmtrace.tree().roots] == ["work"]
"""
