"""Spans, log records and metric points of any provider, made at any time, are captured by their own test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

RunPytest = Callable[..., Any]

# Two tests, since the providers that the first sets up must serve the second as well.
TESTS = """
import app

def check(llmtrace, service):
    llmtrace.gateway("openai").chat(text="hi")
    assert app.chat() == "hi"
    span = llmtrace.llm_span()
    assert (span.name, span.scope, span.resource["service.name"]) == ("chat", "app", service)
    assert [exchange.spans for exchange in llmtrace.exchanges()] == [(span,)]
"""
EACH = """
def test_first(llmtrace):
    check(llmtrace, {service!r})

def test_second(llmtrace):
    check(llmtrace, {service!r})
"""
OWN = """
import app
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

app.exported = InMemorySpanExporter()
app.provider = TracerProvider(resource=Resource({"service.name": "shop"}))
app.provider.add_span_processor(SimpleSpanProcessor(app.exported))
"""
EXPORTED = """
def test_exported():
    assert [span.name for span in app.exported.get_finished_spans()] == ["chat", "chat"]
"""
IN_THE_TEST = """
from opentelemetry import trace

def test_first(llmtrace):
    check(llmtrace, "unset")

def test_second(llmtrace):
    trace.set_tracer_provider(app.provider)
    check(llmtrace, "shop")

def test_third(llmtrace):
    check(llmtrace, "shop")
"""
PRIVATE = """
app.chat.__defaults__ = (app.provider.get_tracer("app"),)
"""


@pytest.mark.parametrize(
    ("conftest", "tests"),
    [
        pytest.param("", EACH.format(service="unset"), id="none"),
        pytest.param(
            f"{OWN}\ntrace.set_tracer_provider(app.provider)", EACH.format(service="shop") + EXPORTED, id="set-before"
        ),
        pytest.param(OWN, IN_THE_TEST + EXPORTED, id="set-inside-a-test"),
        pytest.param(OWN + PRIVATE, EACH.format(service="shop") + EXPORTED, id="private"),
    ],
)
def test_every_provider_is_captured(conftest: str, tests: str, run_pytest: RunPytest) -> None:
    """A tracer fetched at import records for each test; the app's provider is used, and its exporter still works."""
    run = run_pytest(TESTS + tests, conftest=conftest, OTEL_SERVICE_NAME="unset")
    assert run.status == 0, run.text


def test_logs_and_metrics(run_pytest: RunPytest) -> None:
    """Log records and metric points of the app's providers, made before or inside the tests, reach their own test."""
    signals = """
        import inspect
        import pytest
        from opentelemetry.metrics import get_meter
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk.metrics import MeterProvider

        loggers, meters = LoggerProvider(), MeterProvider()
        by_proxy = get_meter("app").create_counter("calls")

        def emit(provider, body):
            logger = provider.get_logger("app")
            if "body" in inspect.signature(logger.emit).parameters:
                logger.emit(body=body, timestamp=1)
            else:  # before opentelemetry-api 1.36
                from opentelemetry.sdk._logs import LogRecord
                logger.emit(LogRecord(body=body, timestamp=1, resource=provider.resource))

        @pytest.mark.parametrize("number", [1, 2, 3])
        def test_signals(llmtrace, number):
            emit(loggers, f"early {number}")
            emit(LoggerProvider(shutdown_on_exit=False), f"late {number}")
            meters.get_meter("app").create_histogram("duration").record(number)
            by_proxy.add(number)
            assert [(log.scope, log.body) for log in llmtrace.logs()] == [
                ("app", f"early {number}"), ("app", f"late {number}")
            ]
            found = {point.name: (point.scope, point.kind, point.value, point.count) for point in llmtrace.metrics()}
            early = {"duration": ("app", "histogram", number, 1)}  # A meter provider from before our first use.
            assert found == {**early, "calls": ("app", "sum", number, None)}
    """
    lines = signals.splitlines()
    run = run_pytest("\n".join(line[8:] for line in lines))
    assert run.status == 0, run.text


def test_exporter_looks_like_the_sdks(run_pytest: RunPytest) -> None:
    """`llmtrace.exporter` returns the same spans as `InMemorySpanExporter`; clearing it hides no finding."""
    run = run_pytest(
        OWN.replace("import app\n", "").replace("app.exported", "exported").replace("app.provider", "provider")
        + """
import app, pytest
tracer = provider.get_tracer("app")

def fields(spans):
    return [(type(span), span.name, span.context, span.status.status_code, dict(span.attributes)) for span in spans]

@pytest.mark.llmtrace(gateway="openai")
def test_same(llmtrace):
    with tracer.start_as_current_span("outer"):
        app.chat(tracer)
    got = llmtrace.exporter.get_finished_spans()
    assert isinstance(got, tuple)
    assert [span.name for span in got] == ["chat", "outer"]
    assert fields(got) == fields(exported.get_finished_spans())
    assert [span.to_json() for span in got] == [span.to_json() for span in exported.get_finished_spans()]
    llmtrace.exporter.clear()
    assert llmtrace.exporter.get_finished_spans() == ()
    assert len(llmtrace.spans()) == 2
    app.chat(tracer)
    assert [span.name for span in llmtrace.exporter.get_finished_spans()] == ["chat"]

@pytest.mark.llmtrace(gateway="openai")
def test_cleared(llmtrace):
    with tracer.start_as_current_span("outer"):
        app.ask()
    llmtrace.exporter.clear()
"""
    )
    assert "1 failed, 1 passed" in run.text
    assert run.failure("test_cleared").startswith(
        "llmtrace: 1 finding in test_cleared (1 exchange, 0 LLM spans, <n> checks)\n\n"
        "error  structure/exchange-without-span  POST /v1/chat/completions  (exchange 0)\n"
        "       span   none describes this exchange; these were captured:\n"
        "              'outer' (app)\n"
    )


def test_a_generator_that_is_left_until_the_end_of_the_process_is_quiet(run_pytest: RunPytest) -> None:
    """Python closes it when the modules have been emptied; its span then ends without a word."""
    suite = """
import sys
import pytest
from opentelemetry.sdk.trace import TracerProvider

provider = TracerProvider()
tracer = provider.get_tracer("app")

def stream():
    span = tracer.start_span("chat")
    try:
        yield
    finally:
        span.end()

@pytest.mark.llmtrace(verify=False)
def test_it(llmtrace):
    global left
    sys.left, left = stream(), stream()
    next(sys.left), next(left)
"""
    # A fork ends with modules that something else refers to; with such a variable, this is a process of its own.
    run = run_pytest(suite, PYTHONASYNCIODEBUG="0")
    assert run.status == 0, run.text
    assert "Exception ignored" not in run.text
