"""Spans of every SDK provider, whoever made it and when: each case in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

RunScript = Callable[..., CompletedProcess[str]]

APP = """
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

class Product(TracerProvider):
    '''As some products' providers: the first processor that is added replaces a default.'''

    def __init__(self):
        self.default = "in place"
        super().__init__(resource=Resource({"service.name": "shop"}))

    def add_span_processor(self, processor):
        self.default = None
        super().add_span_processor(processor)

tracer = trace.get_tracer("app.llm", "1.0")  # at import, as most apps do
"""
SET_BEFORE = "provider = Product(); trace.set_tracer_provider(provider)"
MADE_BEFORE = "provider = Product(); tracer = provider.get_tracer('app.llm', '1.0')"
GET_TRACER = "tracer = trace.get_tracer('app.llm', '1.0')"
FREEZE = "import gc; gc.freeze()"
CALL = """
owner, book = open_test()
with ownership.active(owner):
    tracer.start_span("chat").end()
(span,) = book.spans()
print([span.name, span.scope, span.scope_version, span.resource["service.name"]])
"""


@pytest.mark.parametrize(
    ("before", "after", "service"),
    [
        pytest.param("", "", "from the environment", id="none"),
        pytest.param(SET_BEFORE, "", "shop", id="set-before-ours"),
        pytest.param("", SET_BEFORE, "shop", id="set-after-ours"),
        pytest.param(MADE_BEFORE, "", "shop", id="private-at-import"),
        pytest.param(FREEZE, "", "from the environment", id="none-hidden-from-the-collector"),
        pytest.param(f"{MADE_BEFORE}; {FREEZE}", "", "shop", id="private-hidden-from-the-collector"),
        pytest.param("", MADE_BEFORE, "shop", id="private-later"),
        pytest.param("", f"tracer.start_span('early').end(); {SET_BEFORE}", "shop", id="set-after-first-span"),
    ],
)
def test_the_apps_provider_is_the_one_that_counts(before: str, after: str, service: str, run_script: RunScript) -> None:
    """Wherever the app makes its provider, its spans are captured and carry its resource; no warning is logged."""
    install = "import threading; threads = threading.active_count(); capture.install(); capture.install()"
    check = "assert threading.active_count() == threads"
    done = run_script(APP, before, install, after, CALL, check, OTEL_SERVICE_NAME="from the environment")
    assert (done.stdout, done.stderr) == (f"['chat', 'app.llm', '1.0', '{service}']\n", "")


def test_the_apps_provider_becomes_the_global_one(run_script: RunScript) -> None:
    """The app's first `set_tracer_provider` wins as if we were not there; its second is refused as always."""
    done = run_script(
        APP,
        """
        capture.install()
        assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)  # so that apps see: none is set yet
        provider = Product()
        assert provider.default == "in place"
        trace.set_tracer_provider(provider)
        assert trace.get_tracer_provider() is provider
        trace.set_tracer_provider(TracerProvider())
        assert trace.get_tracer_provider() is provider
        """,
    )
    assert done.stderr == "Overriding of current TracerProvider is not allowed\n"


def test_samplers_and_processors_of_the_app(run_script: RunScript) -> None:
    """A tracer that was handed out before the app set its provider obeys its sampler and feeds its exporters."""
    done = run_script(
        APP,
        """
        from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

        class NoHealthChecks(Sampler):
            def should_sample(self, parent_context, trace_id, name, *args, **kwargs):
                return SamplingResult(Decision.DROP if name == "health" else Decision.RECORD_AND_SAMPLE)

            def get_description(self):
                return "NoHealthChecks"

        capture.install()
        owner, book = open_test()
        with ownership.active(owner):
            tracer.start_span("early").end()
            provider = TracerProvider(sampler=NoHealthChecks())
            provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
            trace.set_tracer_provider(provider)
            with tracer.start_as_current_span("chat"):
                tracer.start_span("health").end()
        assert names(book) == ["early", "chat"], names(book)
        """,
    )
    assert json.loads(done.stdout)["name"] == "chat"


def test_a_suite_that_resets_the_global_provider(run_script: RunScript) -> None:
    """Suites reset OpenTelemetry's globals between tests, against its advice: each test still has its spans."""
    run_script(
        APP,
        """
        from opentelemetry.util._once import Once
        capture.install()
        for test in range(3):
            trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()
            owner, book = open_test()
            with ownership.active(owner):
                trace.get_tracer("before").start_span("before").end()
                trace.set_tracer_provider(Product())
                trace.get_tracer("after").start_span("after").end()
            assert names(book) == ["before", "after"], names(book)
        """,
    )


def test_a_wrapped_provider(run_script: RunScript) -> None:
    """Some products set a provider of their own class globally, around an SDK provider that nothing else sees."""
    run_script(
        APP,
        """
        class Wrapping(trace.TracerProvider):
            def __init__(self):
                self.provider = TracerProvider()

            def get_tracer(self, *args, **kwargs):
                return self.provider.get_tracer(*args, **kwargs)

        capture.install()
        trace.set_tracer_provider(Wrapping())
        owner, book = open_test()
        with ownership.active(owner):
            tracer.start_span("chat").end()
        assert names(book) == ["chat"]
        """,
    )


COUNTED = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor

printing = SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.name))
concurrent = TracerProvider(active_span_processor=ConcurrentMultiSpanProcessor(), shutdown_on_exit=False)
providers = [TracerProvider(), concurrent]
for provider in providers:
    provider.add_span_processor(printing)
reader = InMemoryMetricReader()
meters = MeterProvider(metric_readers=[reader])

from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk._logs._internal import ConcurrentMultiLogRecordProcessor

class Deaf(sdk_logs.LogRecordProcessor):
    def on_emit(self, record): ...

    emit = on_emit

    def shutdown(self): ...

    def force_flush(self, timeout_millis=0): ...

    def enabled(self, **asked):
        return False

deaf = Deaf()
concurrent_logs = sdk_logs.LoggerProvider(multi_log_record_processor=ConcurrentMultiLogRecordProcessor())
logger_providers = [sdk_logs.LoggerProvider(), concurrent_logs]
for provider in logger_providers:
    provider.add_log_record_processor(deaf)
loggers = [provider.get_logger("app") for provider in logger_providers]
"""


@pytest.mark.parametrize(("before", "after"), [(COUNTED, ""), ("", COUNTED)], ids=["before-ours", "after-ours"])
def test_what_suites_count(before: str, after: str, run_script: RunScript) -> None:
    """Suites look, by private names, at what their set-up has given a provider: nothing of ours is among it."""
    run_script(
        APP,
        before,
        "capture.install()",
        after,
        """
        assert [p._active_span_processor._span_processors for p in providers] == [(printing,)] * 2
        own = getattr(meters._sdk_config, "metric_readers", None) or meters._metric_readers  # by release
        assert list(own) == [reader]
        assert [p._multi_log_record_processor._log_record_processors for p in logger_providers] == [(deaf,)] * 2
        can_be_asked = hasattr(loggers[0], "enabled")  # by release
        assert not (can_be_asked and any(logger.enabled() for logger in loggers))
        owner, book = open_test()
        with ownership.active(owner):
            for provider in providers:
                provider.get_tracer("app").start_span("chat").end()
            meters.get_meter("app").create_counter("calls").add(1)
            for logger in loggers:
                assert not can_be_asked or logger.enabled()
                emit(logger, "hello")
        assert names(book) == ["chat", "chat"]
        assert [log.body for log in book.logs()] == ["hello", "hello"]
        assert [(point.name, point.value) for point in book.metrics()] == [("calls", 1)]
        """,
    )


SINGLE = """
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exported, more = InMemorySpanExporter(), InMemorySpanExporter()
provider = TracerProvider(active_span_processor=SimpleSpanProcessor(exported))
tracer = provider.get_tracer("app.llm", "1.0")
loggers = sdk_logs.LoggerProvider(multi_log_record_processor=Seeing())
logger = loggers.get_logger("app.llm")
"""


@pytest.mark.parametrize(("before", "after"), [(SINGLE, ""), ("", SINGLE)], ids=["before-ours", "after-ours"])
def test_a_provider_with_a_single_processor(before: str, after: str, run_script: RunScript) -> None:
    """Many apps pass a single processor where the SDK wants a collection, which works: it is notified as before."""
    run_script(
        APP,
        METERS,
        before,
        "capture.install()",
        after,
        """
        owner, book = open_test()
        with ownership.active(owner):
            tracer.start_span("chat").end(); emit(logger, "hello")
            provider.add_span_processor(SimpleSpanProcessor(more))
            tracer.start_span("again").end()
        assert names(book) == ["chat", "again"]
        assert [log.body for log in book.logs()] == seen == ["hello"]
        assert [span.name for span in exported.get_finished_spans()] == ["chat", "again"]
        assert [span.name for span in more.get_finished_spans()] == ["again"]
        assert provider.force_flush()
        """,
    )


@pytest.mark.parametrize(
    "steps",
    [("capture.install()", GET_TRACER), (GET_TRACER, "capture.install()")],
    ids=["tracer-after-ours", "tracer-before-ours"],
)
def test_without_a_provider_nothing_is_recorded_between_traced_tests(
    steps: tuple[str, str], run_script: RunScript
) -> None:
    """Ours stands in for traced tests alone: an untraced test may prove that an app without a provider is quiet."""
    run_script(
        *steps,
        """
        owner, book = open_test()
        for _ in range(2):
            with tracer.start_as_current_span("outside") as outside, ownership.active(owner):
                with tracer.start_as_current_span("inside") as inside:
                    assert inside.is_recording()
                    assert inside.parent is None
            assert outside is trace.INVALID_SPAN, outside
        assert names(book) == ["inside", "inside"]
        """,
    )


DOUBLES = """
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider

doubles = []
for kind in (TracerProvider, LoggerProvider, MeterProvider):
    class Double(kind):
        def __init__(self):
            doubles.append(self)

    Double()
"""


@pytest.mark.parametrize(("before", "after"), [(DOUBLES, ""), ("", DOUBLES)], ids=["before-ours", "after-ours"])
def test_doubles_of_providers(before: str, after: str, run_script: RunScript) -> None:
    """A test's classes that derive from the SDK's and do not call its constructors get in nobody's way."""
    nothing = "assert open_test()[1].absence().cause == 'no instrumentor is switched on'"
    done = run_script(APP, before, "capture.install()", after, nothing, CALL, OTEL_SERVICE_NAME="shop")
    assert (done.stdout, done.stderr) == ("['chat', 'app.llm', '1.0', 'shop']\n", "")


METERS = """
from opentelemetry import _logs, metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk import _logs as sdk_logs

early = metrics.get_meter("app.llm", "1.0").create_counter("early")
logger = _logs.get_logger("app.llm")

seen = []

class Seeing(sdk_logs.LogRecordProcessor):
    def on_emit(self, emitted):
        seen.append(emitted.log_record.body)

    emit = on_emit

    def shutdown(self): ...

    def force_flush(self, timeout_millis=0): ...
"""


def test_logs_and_metrics_before_and_after_the_app_sets_its_providers(run_script: RunScript) -> None:
    """As for spans: ours stand in until the app sets its own, then what was handed out before goes there."""
    run_script(
        METERS,
        """
        capture.install()
        late = metrics.get_meter("app.llm", "1.0").create_histogram("late")
        resource = Resource({"service.name": "shop"})
        loggers = sdk_logs.LoggerProvider(resource=resource)
        loggers.add_log_record_processor(Seeing())
        owner, book = open_test()
        with ownership.active(owner):
            early.add(1); late.record(1); emit(logger, "before")
            metrics.set_meter_provider(MeterProvider(resource=resource))
            _logs.set_logger_provider(loggers)
            early.add(2); late.record(2); emit(logger, "after")
        points = [(p.name, p.value, p.resource["service.name"]) for p in book.metrics()]
        assert points == [("early", 1, "ours"), ("late", 1, "ours"), ("early", 2, "shop"), ("late", 2, "shop")], points
        assert [log.body for log in book.logs()] == ["before", "after"]
        assert seen == ["after"]
        """,
        OTEL_SERVICE_NAME="ours",
    )


def test_logs_and_metrics_of_providers_made_before_ours(run_script: RunScript) -> None:
    """Providers that were set before are watched from then on; meters where the SDK can add a reader."""
    run_script(
        METERS,
        """
        _logs.set_logger_provider(sdk_logs.LoggerProvider())
        metrics.set_meter_provider(MeterProvider())
        capture.install()
        owner, book = open_test()
        with ownership.active(owner):
            early.add(1); emit(logger, "hello")
        assert [log.body for log in book.logs()] == ["hello"]
        assert [(p.name, p.value) for p in book.metrics()] == [("early", 1)]
        """,
    )


@pytest.mark.parametrize(
    "collects",
    ["collect.return_value = mock.Mock()", "collect.side_effect = TimeoutError"],
    ids=["no-points", "raises"],
)
def test_a_meter_provider_that_cannot_be_collected(collects: str, run_script: RunScript) -> None:
    """A test double of a meter provider that lives on does not keep others from their points."""
    run_script(
        METERS,
        f"""
        from unittest import mock

        capture.install()
        with mock.patch("opentelemetry.sdk.metrics._internal.SynchronousMeasurementConsumer") as consumer:
            consumer.return_value.{collects}
            double = MeterProvider(shutdown_on_exit=False)
        owner, book = open_test()
        with ownership.active(owner):
            early.add(1)
        assert [(p.name, p.value) for p in book.metrics()] == [("early", 1)]
        """,
    )


@pytest.mark.parametrize("leave", ["force_flush", "shutdown"])
def test_a_flush_asks_one_provider(leave: str, run_script: RunScript) -> None:
    """Flushing or shutting down a provider calls only that provider's own callbacks."""
    run_script(
        METERS,
        f"""
        asked = []
        capture.install()
        for name in ("one", "other"):
            provider = MeterProvider(shutdown_on_exit=False)
            meter = provider.get_meter(name)
            meter.create_observable_counter(name, callbacks=[lambda _, name=name: asked.append(name) or []])
            meter.create_counter("made").add(1)
        owner, book = open_test()
        asked.clear()
        provider.{leave}()
        assert asked == ["other"], asked
        """,
    )


def test_unused_it_costs_nothing(run_script: RunScript) -> None:
    """Capture alone imports neither instrumentation nor exporters."""
    run_script(
        """
        import sys
        capture.install()
        heavy = ("opentelemetry.instrumentation", "opentelemetry.exporter", "grpc", "requests")
        assert not [name for name in sys.modules if name.startswith(heavy)]
        """
    )


def test_the_apps_processors_are_flushed(run_script: RunScript) -> None:
    """Ours comes first, and has nothing to flush; those behind it have their turn."""
    flush = """
from opentelemetry.sdk.trace.export import BatchSpanProcessor
capture.install()
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.name)))
provider.get_tracer("app").start_span("chat").end()
print("", provider.force_flush())
"""
    done = run_script(APP, flush)
    assert (done.stdout, done.stderr) == ("chat True\n", "")
