"""How log records and metric points are captured."""

from __future__ import annotations

import gc
import inspect
from contextlib import closing
from typing import Any

import pytest
from opentelemetry import _logs, trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from pytest_llmtrace import capture, ownership
from pytest_llmtrace.capture._otel_internals import LoggerProvider
from pytest_llmtrace.capture.metering import Sums
from pytest_llmtrace.model import LogRecord, MetricPoint, SpanKey
from pytest_llmtrace.ownership import Owner

Books = tuple[capture.Book, capture.Book]
Pair = tuple[Owner, Owner]


def emit(provider: LoggerProvider, body: Any, event_name: str, **attributes: Any) -> None:
    """Emit an event in the current span, as the installed release of OpenTelemetry wants it."""
    logger: Any = provider.get_logger("app.llm")
    fields = {"timestamp": 5, "severity_number": _logs.SeverityNumber.INFO, "body": body}
    if "body" in inspect.signature(logger.emit).parameters:
        logger.emit(**fields, event_name=event_name, attributes=attributes)
        return
    context = trace.get_current_span().get_span_context()  # before opentelemetry-api 1.36
    record = vars(sdk_logs)["LogRecord"](
        **fields,
        trace_id=context.trace_id,
        span_id=context.span_id,
        trace_flags=context.trace_flags,
        resource=provider.resource,
        attributes={**attributes, "event.name": event_name},
    )
    logger.emit(record)


def test_log_record(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """An event is read whole, with the span that it was emitted in."""
    provider = LoggerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    with ownership.belonging_to(owners[0]), tracer.start_as_current_span("chat") as span:
        emit(provider, {"role": "user"}, "gen_ai.user.message", n=1)
    (record,) = books[0].logs()
    context = span.get_span_context()
    assert {name: value for name, value in record.attributes.items() if name != "event.name"} == {"n": 1}
    assert record == LogRecord(
        scope="app.llm",
        body={"role": "user"},
        event_name="gen_ai.user.message",
        severity="INFO",
        attributes=record.attributes,
        resource={"service.name": "shop"},
        span=SpanKey(context.trace_id, context.span_id),
        time_ns=5,
    )
    assert books[1].logs() == ()


def test_log_record_belongs_to_its_spans_test(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """A log record belongs to the test of its span, or without a span to the test whose code is running."""
    provider = LoggerProvider(shutdown_on_exit=False)
    with ownership.belonging_to(owners[0]):
        span = tracer.start_span("chat")
    with ownership.belonging_to(owners[1]):
        with trace.use_span(span, end_on_exit=True):
            emit(provider, "in the span", "e")
        emit(provider, "outside", "e")
    assert [[record.body for record in book.logs()] for book in books] == [["in the span"], ["outside"]]
    assert books[1].logs()[0].span is None


@pytest.fixture
def meters() -> MeterProvider:
    """Return a meter provider that is not the global one, with a reader of the app's own."""
    return MeterProvider(
        metric_readers=[InMemoryMetricReader()], resource=Resource({"service.name": "shop"}), shutdown_on_exit=False
    )


def values(book: capture.Book) -> dict[str, object]:
    return {point.name: point.value for point in book.metrics() if point.scope == "app.llm"}


def test_metric_points(meters: MeterProvider, books: Books) -> None:
    """Counters, histograms and gauges are read whole."""
    meter = meters.get_meter("app.llm", "1.2")
    meter.create_counter("calls", "{call}").add(2, {"model": "m"})
    for seconds in (0.5, 1.5):
        meter.create_histogram("duration", "s", explicit_bucket_boundaries_advisory=[1.0, 2.0]).record(seconds)
    meter.create_gauge("queue").set(3)
    where: dict[str, Any] = {"scope": "app.llm", "scope_version": "1.2", "resource": {"service.name": "shop"}}
    where["shared"] = True  # Two books are open, so a point may be of either.
    assert sorted(books[0].metrics(), key=lambda point: point.name) == [
        MetricPoint(**where, name="calls", unit="{call}", kind="sum", value=2, attributes={"model": "m"}),
        MetricPoint(
            **where,
            name="duration",
            unit="s",
            kind="histogram",
            value=2.0,
            count=2,
            bounds=(1.0, 2.0),
            lowest=0.5,
            highest=1.5,
        ),
        MetricPoint(**where, name="queue", kind="gauge", value=3),
    ]


def test_what_views_make_of_a_metric(books: Books) -> None:
    """A point says which attributes a view of the application keeps, and whether it has chosen the aggregation."""
    views = [View(instrument_name="calls", attribute_keys={"model"}), View(instrument_name="t", aggregation=_buckets())]
    meter = MeterProvider(views=views, shutdown_on_exit=False).get_meter("app.llm")
    meter.create_counter("calls").add(1, {"model": "m", "user": "u"})
    meter.create_histogram("t").record(1, {"user": "u"})
    calls, times = books[0].metrics()
    assert (dict(calls.attributes), calls.kept, calls.aggregated) == ({"model": "m"}, frozenset({"model"}), False)
    assert [calls.hides(name) for name in ("user", "model")] == [True, False]
    assert (times.kept, times.aggregated, times.hides("user")) == (None, True, False)


def _buckets() -> ExplicitBucketHistogramAggregation:
    return ExplicitBucketHistogramAggregation(boundaries=[1, 2])


def test_the_extremes_of_a_histogram_are_those_of_all_that_was_measured(meters: MeterProvider) -> None:
    """The extremes cover all collections, although a reader gets those of each; a view may keep none at all."""
    view = View(instrument_name="plain", aggregation=ExplicitBucketHistogramAggregation(record_min_max=False))
    plain = MeterProvider(views=[view], shutdown_on_exit=False)
    instruments = [provider.get_meter("app.llm").create_histogram("plain") for provider in (meters, plain)]
    with closing(capture.open_book(Owner("test"))) as book:
        found = []
        for value in (2.0, 1.0, 3.0):
            for instrument in instruments:
                instrument.record(value)
            found.append([(point.lowest, point.highest) for point in book.metrics()])
    assert found == [[(2.0, 2.0), (None, None)], [(1.0, 2.0), (None, None)], [(1.0, 3.0), (None, None)]]


def test_a_point_says_how_many_streams_and_providers_gave_it(meters: MeterProvider) -> None:
    """Two views of one name, or two providers, have each measurement twice; those of one provider alone once."""
    views = [View(instrument_name="calls", name="calls"), View(instrument_name="cal*")]
    doubling = MeterProvider(views=views, shutdown_on_exit=False)
    other = MeterProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    with closing(capture.open_book(Owner("test"))) as book:
        for provider in (doubling, meters, other):
            provider.get_meter("app.llm").create_counter("calls").add(1, {"provider": str(provider is doubling)})
        meters.get_meter("app.llm").create_counter("once").add(1)
        meters.get_meter("app.llm").create_counter("once").add(1)
        book.metrics()
        meters.get_meter("app.llm").create_counter("once").add(1)
        found = {(point.name, point.value, point.streams, point.providers) for point in book.metrics()}
    assert found == {("calls", 2, 2, 1), ("calls", 2, 2, 2), ("once", 3, 1, 1)}


def test_metrics_are_the_difference_that_the_test_made(meters: MeterProvider) -> None:
    """A book has only what was measured while it was open, and can be read again and again."""
    meter = meters.get_meter("app.llm")
    calls, queue = meter.create_counter("calls"), meter.create_gauge("queue")
    calls.add(100)
    outer = capture.open_book(Owner("outer"))
    calls.add(1)
    queue.set(7)
    inner = capture.open_book(Owner("inner"))
    calls.add(2)
    queue.set(5)
    assert (values(inner), values(inner)) == ({"calls": 2, "queue": 5},) * 2
    calls.add(3)
    inner.close()
    calls.add(50)
    assert values(inner) == {"calls": 5, "queue": 5}
    assert values(outer) == {"calls": 56, "queue": 5}
    outer.close()


def test_observed_counters_count_from_the_start_of_the_test(meters: MeterProvider) -> None:
    """An observable counter reports totals; the point is what was added since the book was opened."""
    total = [100]

    def observe(options: CallbackOptions) -> list[Observation]:
        return [Observation(total[0])]

    meters.get_meter("app.llm").create_observable_counter("bytes", [observe])
    book = capture.open_book(Owner("test"))
    total[0] = 130
    assert values(book) == {"bytes": 30}
    book.close()


@pytest.mark.parametrize("end", ["force_flush", "shutdown"])
def test_an_app_that_flushes_loses_nothing(end: str, books: Books) -> None:
    """Points that our reader collects when the app flushes or shuts down count, even if the provider is then gone."""
    provider = MeterProvider(shutdown_on_exit=False)
    provider.get_meter("app.llm").create_counter("calls").add(1)
    getattr(provider, end)()
    del provider
    gc.collect()
    assert values(books[0]) == {"calls": 1}


def test_the_apps_reader_keeps_working(books: Books) -> None:
    """Our reader takes nothing away from the app's, and does not change how it counts."""
    reader = InMemoryMetricReader()
    counter = MeterProvider([reader], shutdown_on_exit=False).get_meter("app").create_counter("calls")
    for _ in range(2):
        counter.add(1)
        books[0].metrics()
    data = reader.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert point.value == 2  # type: ignore[union-attr]


def test_points_of_traces_that_are_open_together_say_so(meters: MeterProvider) -> None:
    """A measurement does not name its test, so a point is marked as shared if two traces were open for it."""
    counter = meters.get_meter("app").create_counter("calls")
    alone = Sums()
    alone.open()
    counter.add(1)
    assert [point.shared for point in alone.points()] == [False]
    other = Sums()
    other.open()
    counter.add(1)
    other.close()
    alone.close()
    assert [[(point.value, point.shared) for point in sums.points()] for sums in (alone, other)] == [
        [(2, True)],
        [(1, True)],
    ]


def test_points_say_so_when_others_measure(meters: MeterProvider, owners: Pair) -> None:
    """If an earlier test's code measures late, as in a thread of its own, points are marked as shared."""
    earlier = capture.open_book(owners[0])
    earlier.close()
    book = capture.open_book(owners[1])
    counter = meters.get_meter("app").create_counter("calls")
    seen = []
    for owner in (owners[1], Owner("apart", stands_in=True), owners[0]):
        with ownership.belonging_to(owner):
            counter.add(1)
        seen.append([point.shared for point in book.metrics()])
    book.close()
    assert seen == [[False], [False], [True]]


def test_points_say_so_when_a_span_of_others_ends(meters: MeterProvider, tracer: trace.Tracer, owners: Pair) -> None:
    """If an earlier test's span ends late, its stream or thread may have measured, so points are marked as shared."""
    earlier = capture.open_book(owners[0])
    with ownership.belonging_to(owners[0]):
        left = tracer.start_span("chat")
    earlier.close()
    book = capture.open_book(owners[1])
    with ownership.belonging_to(owners[1]):
        tracer.start_span("chat").end()
    meters.get_meter("app").create_counter("calls").add(1)
    before = [point.shared for point in book.metrics()]
    left.end()
    after = [point.shared for point in book.metrics()]
    book.close()
    assert (before, after) == ([False], [True])
