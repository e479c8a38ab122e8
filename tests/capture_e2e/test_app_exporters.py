"""The app's own exporters and `openobserve_init()`: nothing leaves the machine, and all signals are captured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.door import Door

RunPytest = Callable[..., Any]

PROTOCOLS = ("http", "grpc")


# Three signals over one protocol, batched as in production, with a queue that is flushed at exit.
EXPORTERS = """
import app
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.{protocol}._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.{protocol}.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

tracers, app.loggers = TracerProvider(), LoggerProvider()
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter({timeout})))
app.loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter({timeout})))
trace.set_tracer_provider(tracers)
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter({timeout}))]))
"""
TESTS = """
import app, pytest
from opentelemetry import metrics, trace

@pytest.mark.llmtrace(gateway="openai")
@pytest.mark.parametrize("number", [1, 2])
def test_signals(llmtrace, number):
    assert app.chat()
    app.loggers.get_logger("app").emit(body="hello", timestamp=1)
    metrics.get_meter("app").create_counter("calls").add(1)
    trace.get_tracer_provider().force_flush()
    assert [span.name for span in llmtrace.spans()] == ["chat"]
    assert [log.body for log in llmtrace.logs()] == ["hello"]
    assert [point.value for point in llmtrace.metrics() if point.name == "calls"] == [1]
"""
# 192.0.2.0/24 is never routed (RFC 5737): a client that connects waits until its own timeout.
NOWHERE = "192.0.2.1:4317"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("where", ["local", "elsewhere"])
def test_otlp_exporters_are_muted(protocol: str, where: str, door: Door, run_pytest: RunPytest) -> None:
    """Exporters of three signals cause no connection, no finding, no output, and no delay at the end of the process.

    This holds for a server on this machine, which counts connections, and for one that does not exist, for which an
    exporter would wait ten seconds.
    """
    endpoint = f"http://{door.address if where == 'local' else NOWHERE}"
    run = run_pytest(
        TESTS, conftest=EXPORTERS.format(protocol=protocol, timeout=""), OTEL_EXPORTER_OTLP_ENDPOINT=endpoint
    )
    assert run.status == 0, run.text
    assert "2 passed" in run.text
    assert "0 findings" in run.text
    assert "xport" not in run.text
    assert door.knocks == 0
    assert run.exit_seconds < 9


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_live_exporters_reach_out(protocol: str, door: Door, run_pytest: RunPytest) -> None:
    """With `llmtrace_app_exporters=live` the app's exporters reach the hosts that `allow_hosts` allows."""
    tests = TESTS.replace('gateway="openai"', f'gateway="openai", allow_hosts=["{door.address}"]')
    run = run_pytest(
        tests,
        conftest=EXPORTERS.format(protocol=protocol, timeout="timeout=1"),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{door.address}",
        LLMTRACE_APP_EXPORTERS="live",
    )
    assert "2 passed" in run.text
    assert "0 findings" in run.text
    assert door.knocks > 0


INIT = """
import app, pytest
from openobserve import openobserve_init

{where}

@pytest.mark.llmtrace(gateway="openai")
def test_first(llmtrace{argument}):
    {inside}
    app.chat()
    assert llmtrace.llm_span().resource["service.name"] == "shop"

@pytest.mark.llmtrace(gateway="openai")
def test_second(llmtrace{argument}):
    {inside}
    app.chat()
    assert llmtrace.llm_span().resource["service.name"] == "shop"

@pytest.mark.llmtrace(gateway="openai")
def test_other(llmtrace):
    app.chat()
    assert llmtrace.llm_span().resource["service.name"] == "shop"
"""
FIXTURE = """
@pytest.fixture{scope}
def telemetry():
    openobserve_init()
"""
HINT = (
    "openobserve_init() works once per process: call it in a session-scoped fixture or where the app starts. "
    "The providers of the first call are still in place, and spans were still captured."
)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(
    ("where", "argument"),
    [
        pytest.param("openobserve_init()", "", id="import"),
        pytest.param(FIXTURE.format(scope="(scope='session')"), ", telemetry", id="session-fixture"),
    ],
)
def test_openobserve_init_per_session(
    where: str, argument: str, protocol: str, door: Door, run_pytest: RunPytest
) -> None:
    """Called once, it serves every test, and sends nothing to its back end."""
    tests = INIT.format(where=where, argument=argument, inside="")
    run = run_pytest(tests, **door.environ(protocol))
    assert "3 passed" in run.text
    assert "0 findings" in run.text
    assert door.knocks == 0
    assert run.exit_seconds < 9


@pytest.mark.parametrize(
    ("where", "argument", "inside", "outcome"),
    [
        pytest.param("", "", "openobserve_init()", "1 failed, 2 passed", id="test"),
        pytest.param(FIXTURE.format(scope=""), ", telemetry", "", "2 passed, 1 error", id="fixture"),
    ],
)
def test_openobserve_init_per_test(
    where: str, argument: str, inside: str, outcome: str, door: Door, run_pytest: RunPytest
) -> None:
    """The second call raises as always, the report says why, and the first call's provider stays in use."""
    run = run_pytest(INIT.format(where=where, argument=argument, inside=inside), **door.environ("http/protobuf"))
    assert outcome in run.text
    assert "RuntimeError: Traces already initialized. Call openobserve_shutdown() first." in run.text
    assert HINT in run.text
    assert door.knocks == 0
