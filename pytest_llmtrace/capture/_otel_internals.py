"""Names of OpenTelemetry that are private or live in private modules; the rest of this package uses public ones only.

Supported: opentelemetry-api and -sdk 1.30 to 1.45, opentelemetry-instrumentation 0.51b0 to 0.66b2. Each name has a
guard test (`tests/unit/capture/test_otel_internals.py`) that fails when its shape changes. `Goes when` is the condition
for the removal of an entry.

- `opentelemetry._logs`, `opentelemetry.sdk._logs`: the only home of the logs API and SDK.
  Goes when logs are declared stable and move.
- `ProxyTracer._noop_tracer` and the fields of its scope: the tracer that a proxy uses while no provider is set. We put
  ours there, so that the global provider stays unset and the app's own wins. Goes when the API takes a fallback
  provider.
- `ProxyLogger`, its `_noop_logger` and fields; `_ProxyMeter`, `_ProxyInstrument`, `_PROXY_METER_PROVIDER`, `_meters`,
  `_instruments`, `_real_meter`, `_callbacks`: the same for loggers and instruments. Go with the entry above.
- `TracerProvider._active_span_processor`, and `_multi_log_record_processor` of `LoggerProvider` and `Logger`: the
  processor that gets the spans or log records, as a rule a collection that passes them on to several. Go when the SDK
  puts a single processor that it is given there into a collection.
- `context._SUPPRESS_INSTRUMENTATION_KEY`: the key that instrumentors look at. Goes when the API has a function that
  tells whether instrumentation is suppressed.
- `sdk.metrics._Gauge`: the key for a gauge's temporality; by default a reader gets a gauge's last value at each
  collection again. Goes when the SDK exports `Gauge`.
- `MetricReader._receive_metrics`: the documented method for readers to override. Goes when it has a public name.
- `MeterProvider._measurement_consumer`, its `_lock`, `_sdk_config` and `_reader_storages`,
  `MetricReader._set_collect_callback`, `_instrument_class_temporality` and `_instrument_class_aggregation`: what
  `MeterProvider.add_metric_reader` does, in releases that lack it. Go when the lowest supported release has it.
- `SynchronousMeasurementConsumer`, which gets each measurement of a provider, and its `consume_measurement`. Goes when
  the SDK tells a reader of each measurement, or has processors of measurements.
- `MetricReaderStorage._instrument_view_instrument_matches`, `_name`, `_instrument` and `_view` of what is in it, and
  `View._attribute_keys` and `_aggregation`: what the app's views make of each metric. Go when points, or a reader, can
  be asked for that.
- `ReadableSpan._attributes` and its `max_value_len`: the length to which a provider cuts the texts of its spans.
  Goes when a span or its provider exposes its limits.
- `BaseInstrumentor._instance`: calling the class would run `__init__` again, which resets the settings of some
  instrumentors. Goes when there is a public way to ask for the instance.
- `BaseInstrumentor._check_dependency_conflicts`: the check because of which `instrument()` does nothing.
  Goes when `instrument()` tells its caller that it did nothing.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs._internal import ProxyLogger
from opentelemetry.metrics._internal import _PROXY_METER_PROVIDER, _ProxyMeter
from opentelemetry.metrics._internal.instrument import _ProxyInstrument
from opentelemetry.sdk import metrics
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs import export as _log_export
from opentelemetry.sdk._logs._internal import (
    ConcurrentMultiLogRecordProcessor,
    Logger,
    SynchronousMultiLogRecordProcessor,
)
from opentelemetry.sdk.metrics._internal.measurement_consumer import SynchronousMeasurementConsumer
from opentelemetry.sdk.metrics._internal.metric_reader_storage import MetricReaderStorage
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader, MetricsData
from opentelemetry.sdk.metrics.view import DefaultAggregation
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    SynchronousMultiSpanProcessor,
    Tracer,
    TracerProvider,
)

from pytest_llmtrace import ownership
from pytest_llmtrace.capture._watch import existing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = [
    "LOG_COLLECTIONS",
    "LOG_EXPORTERS",
    "LOG_EXPORT_SUCCESS",
    "ON_EMIT",
    "SPAN_COLLECTIONS",
    "DeltaReader",
    "LogRecordProcessor",
    "LoggerProvider",
    "MeasurementConsumer",
    "ProxyLogger",
    "Shape",
    "Shapes",
    "add_reader",
    "back_meters",
    "back_proxy_logger",
    "back_proxy_tracer",
    "conflict_of",
    "consumer_of",
    "existing_instance",
    "log_collection",
    "span_collection",
    "suppressed",
    "text_limit",
]

# LogExporter and LogExportResult were renamed between the supported releases; a release may have either name, or both.
LOG_EXPORTERS: tuple[type, ...] = tuple(
    getattr(_log_export, name) for name in ("LogRecordExporter", "LogExporter") if hasattr(_log_export, name)
)
LOG_EXPORT_SUCCESS: Any = getattr(_log_export, "LogRecordExportResult", None) or _log_export.LogExportResult
LOG_EXPORT_SUCCESS = LOG_EXPORT_SUCCESS.SUCCESS

SPAN_COLLECTIONS = (SynchronousMultiSpanProcessor, ConcurrentMultiSpanProcessor)
LOG_COLLECTIONS = (SynchronousMultiLogRecordProcessor, ConcurrentMultiLogRecordProcessor)
"""The SDK's own collections: a collection is a processor that forwards every call to several processors."""

MeasurementConsumer = SynchronousMeasurementConsumer
"""What gets each measurement of a meter provider, from the code that measures."""

ON_EMIT = "on_emit" if hasattr(LogRecordProcessor, "on_emit") else "emit"
"""The method that tells a log record processor of a record; it was renamed in opentelemetry-sdk 1.36."""

_SUPPRESS_KEYS = (
    otel_context._SUPPRESS_INSTRUMENTATION_KEY,
    "suppress_instrumentation",  # set by older instrumentation utilities
    "suppress_language_model_instrumentation",  # set by frameworks' instrumentors around the SDK that they wrap
)
_SYNCHRONOUS = ("create_counter", "create_up_down_counter", "create_histogram", "create_gauge")
_DELTA: dict[type, AggregationTemporality] = dict.fromkeys(
    (
        metrics.Counter,
        metrics.Histogram,
        metrics.ObservableCounter,
        metrics.ObservableGauge,
        metrics.ObservableUpDownCounter,
        metrics.UpDownCounter,
        metrics._Gauge,
    ),
    AggregationTemporality.DELTA,
)


class Shape(NamedTuple):
    """What views of the app make of a metric, beside a new name.

    Attributes:
        kept: The only attributes that they keep; None if they keep all.
        aggregated: Whether they choose the aggregation.
    """

    kept: frozenset[str] | None = None
    aggregated: bool = False


Shapes = Mapping[tuple[str, str], Shape]
"""What views make of metrics, by the scope and the name of each that has a view."""


class DeltaReader(MetricReader):
    """A metric reader that hands over, at each collection, what was measured since the previous one.

    Args:
        receive: Takes the points, and what the app's views have made of them.
    """

    def __init__(self, receive: Callable[[MetricsData, Shapes], None]) -> None:
        super().__init__(preferred_temporality=_DELTA)
        self._receive = receive
        self.shapes: Callable[[], Shapes] = dict

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 0, **_: Any) -> None:  # noqa: ARG002
        if isinstance(metrics_data, MetricsData):  # A suite's double of a provider may hand over anything at all.
            self._receive(metrics_data, self.shapes())

    def shutdown(self, timeout_millis: float = 0, **_: Any) -> None:
        """Do nothing: a provider shuts down only the readers that it was made with, and this one is added later."""


def consumer_of(provider: metrics.MeterProvider) -> MeasurementConsumer:
    """Return what gets the measurements of a meter provider."""
    consumer: MeasurementConsumer = provider._measurement_consumer
    return consumer


def add_reader(provider: metrics.MeterProvider, reader: DeltaReader) -> None:
    """Add a reader to a meter provider that is in use."""
    consumer: Any = provider._measurement_consumer
    if hasattr(provider, "add_metric_reader"):
        provider.add_metric_reader(reader)
    else:
        _add_to_storages(consumer, reader)
    reader._set_collect_callback(_if_it_can(consumer.collect))
    reader.shapes = functools.partial(_shapes, consumer, weakref.ref(reader))


def _shapes(consumer: Any, reader: weakref.ref[DeltaReader]) -> Shapes:
    storage = consumer._reader_storages.get(reader()) if consumer._sdk_config.views else None
    if storage is None:  # As nearly always: the app has no views.
        return {}
    found: dict[tuple[str, str], Shape] = {}
    for match in chain.from_iterable(tuple(storage._instrument_view_instrument_matches.values())):
        keys = match._view._attribute_keys
        shape = Shape(
            kept=None if keys is None else frozenset(keys),
            aggregated=not isinstance(match._view._aggregation, DefaultAggregation),
        )
        where = match._instrument.instrumentation_scope.name, match._name
        found[where] = _both(found[where], shape) if where in found else shape
    return found


def _both(one: Shape, other: Shape) -> Shape:
    """Return what two views of one name have in common: which of them a point went through cannot be seen."""
    kept = [shape.kept for shape in (one, other) if shape.kept is not None]
    return Shape(kept=frozenset.intersection(*kept) if kept else None, aggregated=one.aggregated or other.aggregated)


def _add_to_storages(consumer: Any, reader: MetricReader) -> None:
    with consumer._lock:
        classes: tuple[Any, Any] = reader._instrument_class_temporality, reader._instrument_class_aggregation
        storage = MetricReaderStorage(consumer._sdk_config, *classes)
        # A new mapping, not one more entry in the old one: a thread that measures right now iterates over the old one.
        consumer._reader_storages = {**consumer._reader_storages, reader: storage}


def _if_it_can(collect: Callable[..., Any]) -> Callable[..., Any]:
    """Make a provider's collection return None where it raises.

    Our reader asks every provider around every trace, and a double that a test has left behind lives on as long as
    anybody holds it: it would break all later traced tests of the process.
    """

    def collect_or_nothing(*args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(Exception):
            return collect(*args, **kwargs)
        return None

    return collect_or_nothing


def span_collection(provider: TracerProvider) -> Any:
    """Return the collection that passes spans on to a provider's processors."""
    return _collection(
        provider,
        "_active_span_processor",
        SynchronousMultiSpanProcessor,
        "add_span_processor",
        Tracer,
        "span_processor",
    )


def log_collection(provider: LoggerProvider) -> Any:
    """Return the collection that passes log records on to a provider's processors."""
    name = "_multi_log_record_processor"
    return _collection(provider, name, SynchronousMultiLogRecordProcessor, "add_log_record_processor", Logger, name)


def _collection(provider: Any, name: str, kind: Any, add: str, user: type, name_there: str) -> Any:
    """Return a provider's collection of processors; a single processor is put into a new collection first.

    Many apps hand a single one to `TracerProvider`, as its argument `active_span_processor`, where the SDK wants a
    collection; that works until another processor is added.
    """
    own: Any = getattr(provider, name)
    if hasattr(own, add):
        return own
    several = kind()
    getattr(several, add)(own)
    setattr(provider, name, several)
    _exchange(user, name_there, own, several)
    return several


def _exchange(kind: type, name: str, old: object, new: object) -> None:
    """Replace one object by another in all instances of a class: tracers and loggers keep what their provider had."""
    for made in existing(kind):
        if getattr(made, name, None) is old:
            setattr(made, name, new)


class _StandIn(trace.Tracer):
    """A tracer that records for tests that are traced, and for all other code does what the API's own does.

    A test that is not traced may prove that an app without a provider records nothing.
    """

    def __init__(self, tracer: trace.Tracer, otherwise: trace.Tracer) -> None:
        self._tracer = tracer
        self._otherwise = otherwise

    def start_span(self, *args: Any, **kwargs: Any) -> trace.Span:
        return self._now().start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        return self._now().start_as_current_span(*args, **kwargs)

    def _now(self) -> trace.Tracer:
        return self._tracer if ownership.current() is not None else self._otherwise


def back_proxy_tracer(proxy: trace.ProxyTracer, provider: TracerProvider) -> None:
    """Let a proxy use a provider's tracer in tests that are traced, for as long as no provider is set globally."""
    own = provider.get_tracer(
        proxy._instrumenting_module_name, proxy._instrumenting_library_version, proxy._schema_url, proxy._attributes
    )
    proxy._noop_tracer = _StandIn(own, proxy._noop_tracer)  # type: ignore[assignment]


def back_proxy_logger(proxy: ProxyLogger, provider: LoggerProvider) -> None:
    """Let a proxy use a provider's logger for as long as no provider is set globally."""
    proxy._noop_logger = provider.get_logger(  # type: ignore[assignment]
        proxy._name, proxy._version, proxy._schema_url, proxy._attributes
    )


def back_meters(provider: Callable[[], metrics.MeterProvider]) -> None:
    """Let all proxy instruments, existing and future, use a provider's instruments while none is set globally.

    `provider` is called only when there is such an instrument.

    Observable instruments are left alone: once the app has set its provider, their callbacks would be called for both.
    """
    for name in _SYNCHRONOUS:
        setattr(_ProxyMeter, name, _backed(getattr(_ProxyMeter, name), provider))
    for meter in tuple(_PROXY_METER_PROVIDER._meters):
        for instrument in tuple(meter._instruments) if meter._real_meter is None else ():
            if not hasattr(instrument, "_callbacks"):
                instrument.on_meter_set(provider().get_meter(meter.name, meter.version, meter.schema_url))


def _backed(create: Callable[..., Any], provider: Callable[[], metrics.MeterProvider]) -> Callable[..., Any]:
    @functools.wraps(create)
    def create_backed(self: _ProxyMeter, *args: Any, **kwargs: Any) -> Any:
        instrument = create(self, *args, **kwargs)
        if isinstance(instrument, _ProxyInstrument):
            instrument.on_meter_set(provider().get_meter(self.name, self.version, self.schema_url))
        return instrument

    return create_backed


def suppressed() -> bool:
    """Tell whether the calling context suppresses the instrumentation of LLM calls.

    The key of `suppress_http_instrumentation` does not count: only HTTP instrumentors look at it, and instrumentors
    of LLM SDKs set it around their own call.
    """
    return any(map(otel_context.get_current().get, _SUPPRESS_KEYS))


def text_limit(span: ReadableSpan) -> int | None:
    """Return the length to which the texts of a span's attributes are cut; None if they are not cut."""
    limit: int | None = getattr(getattr(span, "_attributes", None), "max_value_len", None)
    return limit


def existing_instance(instrumentor: type) -> Any | None:
    """Return the one instance of an instrumentor class; None if none was ever made."""
    return getattr(instrumentor, "_instance", None)


def conflict_of(instrumentor: Any) -> Any | None:
    """Return the dependency conflict because of which an instrumentor's `instrument()` would do nothing, if any."""
    check = getattr(instrumentor, "_check_dependency_conflicts", None)
    return check() if check else None
