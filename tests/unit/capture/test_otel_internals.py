"""Guards: OpenTelemetry's private names still have the shape that we rely on. See `_otel_internals`."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs import NoOpLogger
from opentelemetry._logs._internal import ProxyLogger
from opentelemetry.metrics import _internal as metrics_internal
from opentelemetry.metrics._internal import instrument as instruments
from opentelemetry.sdk import metrics
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.metrics.view import LastValueAggregation, View
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider

from pytest_llmtrace import ownership
from pytest_llmtrace.capture import Book, _otel_internals
from pytest_llmtrace.ownership import Owner


def test_proxy_tracer() -> None:
    """A proxy keeps its scope and falls back to `_noop_tracer`."""
    proxy: Any = trace.ProxyTracer("name", "1.0", "schema", {"a": 1})
    fields = (proxy._instrumenting_module_name, proxy._instrumenting_library_version, proxy._schema_url)
    assert (*fields, proxy._attributes) == ("name", "1.0", "schema", {"a": 1})
    fallback = proxy._noop_tracer = trace.NoOpTracer()
    assert proxy._tracer is fallback


def test_proxy_logger() -> None:
    """A proxy keeps its scope and falls back to `_noop_logger`."""
    proxy: Any = ProxyLogger("name", "1.0", "schema", {"a": 1})
    assert (proxy._name, proxy._version, proxy._schema_url, proxy._attributes) == ("name", "1.0", "schema", {"a": 1})
    fallback = proxy._noop_logger = NoOpLogger("fallback")
    assert proxy._logger is fallback


def test_processors_of_a_provider() -> None:
    """A provider's private processor is the one that its tracers and loggers have."""
    tracers: Any = TracerProvider(shutdown_on_exit=False)
    loggers: Any = _otel_internals.LoggerProvider(shutdown_on_exit=False)
    assert tracers._active_span_processor is tracers.get_tracer("a").span_processor
    assert loggers._multi_log_record_processor is loggers.get_logger("a")._multi_log_record_processor


@pytest.mark.parametrize("limit", [None, 250])
def test_text_limit(limit: int | None) -> None:
    """A span, open or ended, knows the length to which its provider cuts texts."""
    provider = TracerProvider(span_limits=SpanLimits(max_span_attribute_length=limit), shutdown_on_exit=False)
    span: Any = provider.get_tracer("name").start_span("chat")
    assert _otel_internals.text_limit(span) == limit
    assert _otel_internals.text_limit(span._readable_span()) == limit
    span.end()


@pytest.mark.parametrize("name", _otel_internals._SYNCHRONOUS)
def test_proxy_meter(name: str) -> None:
    """A proxy meter makes proxy instruments, which may change the meter behind them more than once."""
    meter: Any = metrics_internal._ProxyMeter("name", "1.0", "schema")
    assert (meter.name, meter.version, meter.schema_url, meter._real_meter) == ("name", "1.0", "schema", None)
    instrument = getattr(meter, name)("i")
    assert isinstance(instrument, instruments._ProxyInstrument)
    assert meter._instruments == [instrument]
    for _ in range(2):
        real = metrics.MeterProvider(shutdown_on_exit=False).get_meter("real")
        instrument.on_meter_set(real)
        assert instrument._real_instrument is not None
    assert isinstance(metrics_internal._PROXY_METER_PROVIDER._meters, list)


def test_readers_of_a_meter_provider_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `add_metric_reader`, a reader can be added by hand, and gets measurements of older instruments too."""
    monkeypatch.delattr(metrics.MeterProvider, "add_metric_reader", raising=False)
    provider = metrics.MeterProvider(shutdown_on_exit=False)
    counter = provider.get_meter("name").create_counter("early")
    received: list[Any] = []
    reader = _otel_internals.DeltaReader(lambda data, _: received.append(data))
    _otel_internals.add_reader(provider, reader)
    counter.add(2)
    reader.collect()
    [metric] = received[0].resource_metrics[0].scope_metrics[0].metrics
    assert (metric.name, metric.data.data_points[0].value) == ("early", 2)


def test_measurements_of_a_meter_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's own consumer gets each measurement from the code that measures, by a method of its class."""
    told: list[float] = []
    kind = _otel_internals.MeasurementConsumer
    monkeypatch.setattr(kind, "consume_measurement", lambda _self, measurement: told.append(measurement.value))
    provider = metrics.MeterProvider(shutdown_on_exit=False)
    meter = provider.get_meter("name")
    meter.create_counter("c").add(2)
    meter.create_histogram("h").record(0.5)
    meter.create_gauge("g").set(3)
    assert told == [2, 0.5, 3]
    assert type(_otel_internals.consumer_of(provider)) is kind


def test_views_of_a_meter_provider() -> None:
    """What views make of a metric can be read by its scope and name; of two views of one name, both count."""
    last, some = LastValueAggregation(), {"a", "b"}
    views = [
        View(instrument_name="filtered", attribute_keys=some),
        View(instrument_name="renamed", name="new", aggregation=last),
        View(instrument_name="twice", attribute_keys={"b", "c"}),
        View(instrument_name="twice", aggregation=last, attribute_keys=some),
        View(instrument_name="twice", name="twice"),
    ]
    provider = metrics.MeterProvider(views=views, shutdown_on_exit=False)
    received: list[_otel_internals.Shapes] = []
    reader = _otel_internals.DeltaReader(lambda _, shapes: received.append(shapes))
    _otel_internals.add_reader(provider, reader)
    for name in ("filtered", "renamed", "twice", "plain"):
        provider.get_meter("name").create_counter(name).add(1)
    reader.collect()
    plain = _otel_internals.Shape()
    assert received == [
        {
            ("name", "filtered"): plain._replace(kept=frozenset("ab")),
            ("name", "new"): plain._replace(aggregated=True),
            ("name", "twice"): plain._replace(kept=frozenset("b"), aggregated=True),
            ("name", "plain"): plain,
        }
    ]


def test_observable_proxies() -> None:
    """Observable proxies are recognised by their `_callbacks`."""
    meter = metrics_internal._ProxyMeter("name")
    assert hasattr(meter.create_observable_gauge("g"), "_callbacks")
    assert not hasattr(meter.create_counter("c"), "_callbacks")


def test_metric_reader() -> None:
    """Readers override `_receive_metrics`, and a gauge's temporality goes by `_Gauge`."""
    assert "_receive_metrics" in MetricReader.__abstractmethods__
    meter = metrics.MeterProvider(shutdown_on_exit=False).get_meter("m")
    assert isinstance(meter.create_gauge("g"), metrics._Gauge)


def test_suppression_key() -> None:
    """The key exists, and differs from the plain string."""
    assert otel_context._SUPPRESS_INSTRUMENTATION_KEY.startswith("suppress_instrumentation-")


def test_log_exporters() -> None:
    """The base class of log exporters and the result of a successful export exist under one of their two names."""
    assert _otel_internals.LOG_EXPORTERS
    assert _otel_internals.LOG_EXPORT_SUCCESS.name == "SUCCESS"


class Redacting(SpanProcessor):
    """A processor as users write it: it replaces the attributes of the span it is given, through a private name."""

    def on_end(self, span: ReadableSpan) -> None:
        span._attributes = {"prompt": "***"}


def test_processor_after_ours_may_redact(
    provider: TracerProvider, tracer: trace.Tracer, owners: tuple[Owner, Owner], books: tuple[Book, Book]
) -> None:
    """The captured attributes are those that the app's processors let through to its exporters."""
    provider.add_span_processor(Redacting())
    with ownership.belonging_to(owners[0]):
        tracer.start_span("chat", attributes={"prompt": "secret"}).end()
    assert books[0].spans()[0].attributes == {"prompt": "***"}
    assert books[0].finished()[0].attributes == {"prompt": "***"}
