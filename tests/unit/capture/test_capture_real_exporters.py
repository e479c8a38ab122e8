"""The real OTLP exporters and `openobserve_init()`, against a socket that counts connections."""

from __future__ import annotations

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from tests.door import Door

RunScript = Callable[..., CompletedProcess[str]]


EXPORTERS = """
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.{protocol}._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.{protocol}.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor
"""
INSTALL = "capture.install(app_exporters={mode!r})\n"
USE = """
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
loggers = sdk_logs.LoggerProvider()
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
loggers.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter()))
meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])

owner, book = open_test()
with ownership.active(owner):
    trace.get_tracer("app").start_span("chat").end()
    meters.get_meter("app").create_counter("calls").add(1)
    emit(loggers.get_logger("app"), "hello")
assert names(book) == ["chat"]
assert [point.value for point in book.metrics() if point.name == "calls"] == [1]
assert [log.body for log in book.logs()] == ["hello"]
"""


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("imported", ["before", "after"])
def test_muted_exporters_never_reach_out(protocol: str, imported: str, door: Door, run_script: RunScript) -> None:
    """Muted exporters of all signals, batched or not, neither connect nor log, even at exit; the console one prints."""
    exporters, install = EXPORTERS.format(protocol=protocol), INSTALL.format(mode="muted")
    parts = (exporters, install) if imported == "before" else (install, exporters)
    done = run_script(
        *parts, USE, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{door.address}", OTEL_EXPORTER_OTLP_INSECURE="true"
    )
    assert door.knocks == 0
    assert done.stderr == ""
    assert '"name": "chat"' in done.stdout


LIVE = """
import os, socket, threading
door = socket.create_server(("127.0.0.1", 0))
door.settimeout(30)
endpoint = f"http://127.0.0.1:{door.getsockname()[1]}"
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
threading.Thread(target=lambda: provider.get_tracer("app").start_span("chat").end(), daemon=True).start()
door.accept()
print("knocked", flush=True)
os._exit(0)  # The exporter would try again for a minute.
"""


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_live_exporters_do(protocol: str, run_script: RunScript) -> None:
    """`app_exporters="live"` leaves the exporters as they are."""
    done = run_script(EXPORTERS.format(protocol=protocol), INSTALL.format(mode="live"), LIVE)
    assert done.stdout == "knocked\n"


OPENOBSERVE = """
from openobserve import openobserve_init
from opentelemetry import metrics
capture.install()
tracer = trace.get_tracer("app")
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_openobserve_init_in_each_test(protocol: str, door: Door, run_script: RunScript) -> None:
    """The second call raises as it always does and the hint says why; each test has its spans nevertheless."""
    run_script(
        OPENOBSERVE,
        """
        for test in range(3):
            owner, book = open_test()
            with ownership.active(owner):
                hint = None
                try:
                    openobserve_init()
                except RuntimeError as error:
                    hint = capture.hint_for(error)
                with tracer.start_as_current_span("chat"):
                    metrics.get_meter("app").create_counter("calls").add(1)
            assert (hint is None) == (test == 0), hint
            assert [span.resource["service.name"] for span in book.spans()] == ["shop"]
            assert [point.value for point in book.metrics() if point.name == "calls"] == [1]
            book.close()
        """,
        **door.environ(protocol),
    )
    assert door.knocks == 0


def test_openobserve_init_per_session(door: Door, run_script: RunScript) -> None:
    """`openobserve_init()`, called once, serves every test, and its shutdown does not end our capture."""
    run_script(
        OPENOBSERVE,
        """
        from openobserve import openobserve_shutdown
        openobserve_init(agent_name="helper")
        for test in range(3):
            owner, book = open_test()
            with ownership.active(owner):
                tracer.start_span("chat").end()
            assert [span.attributes for span in book.spans()] == [{"gen_ai.agent.name": "helper"}]
            if test == 1:
                openobserve_shutdown()
        """,
        **door.environ("http/protobuf"),
    )
    assert door.knocks == 0
