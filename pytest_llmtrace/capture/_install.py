"""Watch every provider of this process, and stand in while there is none."""

from __future__ import annotations

import contextlib
import functools
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
    SPAN_COLLECTIONS,
    LoggerProvider,
    ProxyLogger,
    add_log_processor,
    back_meters,
    back_proxy_logger,
    back_proxy_tracer,
    span_collection,
)
from pytest_llmtrace.capture._watch import existing, when_made
from pytest_llmtrace.capture.context import current_spans
from pytest_llmtrace.capture.routing import LogRouter, SpanRouter

__all__ = ["install"]

_lock = threading.Lock()
_installed = False
_spans = SpanRouter()
_logs = LogRouter()
_of_providers: weakref.WeakSet[Any] = weakref.WeakSet()
"""The collections of processors that tell ours, too. One within another does not: what it is told may be a copy."""


def install(*, app_exporters: Literal["muted", "live"] = "muted") -> None:
    """Capture what SDK providers emit, whoever made them and when; once per process, the first call decides.

    Nothing is set globally: as long as the app has set no provider, the API's proxies record through ours, and when
    it does, they resolve to its provider as they always do.

    Args:
        app_exporters: `muted` keeps the app's OTLP exporters from reaching out, `live` lets them.
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
        _watch_and_stand_in()


def _watch_and_stand_in() -> None:
    for kind in SPAN_COLLECTIONS:
        _tell_first(kind, "on_start", _spans.on_start)
        _tell_first(kind, "on_end", _spans.on_end)
    resource = Resource.create()  # Once for all three: it asks each detector that is configured.
    tracers = TracerProvider(shutdown_on_exit=False, resource=resource)
    loggers = LoggerProvider(shutdown_on_exit=False, resource=resource)
    when_made(ProxyTracer, lambda proxy: back_proxy_tracer(proxy, tracers))
    when_made(ProxyLogger, lambda proxy: back_proxy_logger(proxy, loggers))
    for found in existing(TracerProvider, LoggerProvider, MeterProvider, ProxyTracer, ProxyLogger):
        if isinstance(found, ProxyTracer):
            back_proxy_tracer(found, tracers)
        elif isinstance(found, ProxyLogger):
            back_proxy_logger(found, loggers)
        else:  # Our own two as well.
            # A suite's own that never called the SDK's constructor has no state to add to, and emits nothing.
            with contextlib.suppress(AttributeError):
                _adopt(found)
    when_made(TracerProvider, _adopt)
    when_made(LoggerProvider, _adopt)
    when_made(MeterProvider, _adopt)
    metering.read_when_flushed()
    # Made when it is needed: each reader is asked for its points at the beginning and the end of each test.
    back_meters(functools.cache(lambda: MeterProvider(shutdown_on_exit=False, resource=resource)))


def _tell_first(kind: type, name: str, ours: Callable[..., None]) -> None:
    """Let the collections of providers tell our processor of a span before their own.

    It is none of their own: suites count those of their application, and look at the first.
    """
    tell = getattr(kind, name)

    @functools.wraps(tell)
    def tell_both(self: Any, *args: Any, **kwargs: Any) -> None:
        if self in _of_providers:
            ours(*args, **kwargs)
        tell(self, *args, **kwargs)

    setattr(kind, name, tell_both)


def _tells_as_usual(collection: object) -> bool:
    """Tell whether a collection tells its processors as the SDK's do: a subclass may do it in its own way."""
    own, names = type(collection), ("on_start", "on_end")
    return any(all(getattr(own, name, None) is getattr(kind, name) for name in names) for kind in SPAN_COLLECTIONS)


def _adopt(provider: Any) -> None:
    if isinstance(provider, TracerProvider):
        collection = span_collection(provider)
        if _tells_as_usual(collection):
            _of_providers.add(collection)
        else:
            collection.add_span_processor(_spans)
    elif isinstance(provider, LoggerProvider):
        add_log_processor(provider, _logs)
    else:
        metering.read(provider)
