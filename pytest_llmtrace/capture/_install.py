"""Watch every provider of this process, and stand in with ours while the app has set none."""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Literal

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import ProxyTracer

from pytest_llmtrace import ownership
from pytest_llmtrace.capture import exporters, metering
from pytest_llmtrace.capture._ids import draw_unseeded
from pytest_llmtrace.capture._otel_internals import (
    LOG_COLLECTIONS,
    ON_EMIT,
    SPAN_COLLECTIONS,
    LoggerProvider,
    MeasurementConsumer,
    ProxyLogger,
    back_meters,
    back_proxy_logger,
    back_proxy_tracer,
    consumer_of,
    log_collection,
    span_collection,
)
from pytest_llmtrace.capture._watch import existing, when_made
from pytest_llmtrace.capture.context import current_spans
from pytest_llmtrace.capture.routing import LogRouter, SpanRouter, note_measurement

__all__ = ["install"]

_lock = threading.Lock()
_installed = False
_spans = SpanRouter()
_logs = LogRouter()
_of_providers: weakref.WeakSet[Any] = weakref.WeakSet()
"""The providers' own collections, and consumers of measurements, which tell us too.

Nested collections do not: they may get copies of spans.
"""


def install(*, app_exporters: Literal["muted", "live"] = "muted") -> None:
    """Capture what all SDK providers emit, whoever makes them and when. Only the first call in a process has an effect.

    Nothing is set globally: as long as the app has set no provider, the API's proxies record through ours; once it has
    set one, they resolve to its provider as they always do.

    Args:
        app_exporters: `muted` keeps the app's OTLP exporters from sending, `live` lets them send.
    """
    global _installed  # noqa: PLW0603
    with _lock:
        if _installed:
            return
        _installed = True
        if app_exporters == "muted":
            exporters.mute()
        draw_unseeded()
        ownership.carry_over_threads()
        ownership.note_causes(current_spans)
        _listen()
        _stand_in()


def _listen() -> None:
    """Have the SDK's classes tell us what is emitted; only providers that were adopted count."""
    for kind in SPAN_COLLECTIONS:
        _tell_first(kind, "on_start", _spans.on_start, _spans.on_failed_start)
        _tell_first(kind, "on_end", _spans.on_end)
    for kind_of_logs in LOG_COLLECTIONS:
        _tell_first(kind_of_logs, ON_EMIT, _logs.on_emit)
        _want_in_tests(kind_of_logs)
    _tell_first(MeasurementConsumer, "consume_measurement", note_measurement)


def _stand_in() -> None:
    """Adopt all providers, those to come as well, and let providers of our own record while the app has none."""
    resource = Resource.create()  # Made once for all three providers, since it runs each configured detector.
    tracers = TracerProvider(shutdown_on_exit=False, resource=resource)
    loggers = LoggerProvider(shutdown_on_exit=False, resource=resource)
    when_made(ProxyTracer, lambda proxy: back_proxy_tracer(proxy, tracers))
    when_made(ProxyLogger, lambda proxy: back_proxy_logger(proxy, loggers))
    for found in existing(TracerProvider, LoggerProvider, MeterProvider, ProxyTracer, ProxyLogger):
        if isinstance(found, ProxyTracer):
            back_proxy_tracer(found, tracers)
        elif isinstance(found, ProxyLogger):
            back_proxy_logger(found, loggers)
        else:  # Includes the two providers of our own.
            # A suite's own provider that never called the SDK's constructor has no state to add to, and emits nothing.
            with contextlib.suppress(AttributeError):
                _adopt(found)
    when_made(TracerProvider, _adopt)
    when_made(LoggerProvider, _adopt)
    when_made(MeterProvider, _adopt)
    metering.read_when_flushed()
    # The meter provider is made only when needed: each reader costs a collection at the start and end of each test.
    back_meters(functools.cache(lambda: MeterProvider(shutdown_on_exit=False, resource=resource)))


def _tell_first(kind: type, name: str, ours: Callable[..., None], failed: Callable[..., None] | None = None) -> None:
    """Make what belongs to providers call ours first, as collections call their processors.

    It is not added to a collection: suites count the processors of their application, and look at the first.

    Args:
        kind: The type of the collections.
        name: The method.
        ours: What is called first.
        failed: What is called with the exception that a processor of the application raises.
    """
    tell = getattr(kind, name)
    # When Python ends, it closes generators that are still suspended, and with them their spans, after it has emptied
    # the modules: what is used then must not be looked up in one.
    ours_too, is_finalizing = _of_providers, sys.is_finalizing

    @functools.wraps(tell)
    def tell_both(self: Any, *args: Any, **kwargs: Any) -> None:
        if not is_finalizing() and self in ours_too:
            ours(*args, **kwargs)
        if failed is None:
            tell(self, *args, **kwargs)
            return
        try:
            tell(self, *args, **kwargs)
        except Exception as error:
            failed(error, *args, **kwargs)
            raise

    setattr(kind, name, tell_both)


def _want_in_tests(kind: type) -> None:
    """Enable loggers in traced tests, whatever the app's processors want; without a processor they are disabled."""
    enabled = getattr(kind, "enabled", None)
    if enabled is None:  # Before loggers could be asked.
        return

    @functools.wraps(enabled)
    def enabled_for_either(self: Any, **asked: Any) -> Any:
        return (self in _of_providers and ownership.current() is not None) or enabled(self, **asked)

    kind.enabled = enabled_for_either  # type: ignore[attr-defined]


def _tells_as_usual(collection: object, kinds: tuple[type, ...], *names: str) -> bool:
    """Tell whether a collection calls its processors by the SDK's own methods; a subclass may override them."""
    own = type(collection)
    return any(all(getattr(own, name, None) is getattr(kind, name) for name in names) for kind in kinds)


def _adopt(provider: Any) -> None:
    if isinstance(provider, TracerProvider):
        collection = span_collection(provider)
        if _tells_as_usual(collection, SPAN_COLLECTIONS, "on_start", "on_end"):
            _of_providers.add(collection)
        else:
            collection.add_span_processor(_spans)
    elif isinstance(provider, LoggerProvider):
        collection = log_collection(provider)
        if _tells_as_usual(collection, LOG_COLLECTIONS, ON_EMIT):
            _of_providers.add(collection)
        else:
            collection.add_log_record_processor(_logs)
    else:
        metering.read(provider)
        _of_providers.add(consumer_of(provider))
