"""Watch every provider of this process, and stand in while there is none."""

from __future__ import annotations

import contextlib
import functools
import threading
from typing import Any, Literal

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import ProxyTracer

from pytest_llmtrace import ownership
from pytest_llmtrace.capture import exporters, metering
from pytest_llmtrace.capture._ids import draw_unseeded
from pytest_llmtrace.capture._otel_internals import (
    LoggerProvider,
    ProxyLogger,
    back_meters,
    back_proxy_logger,
    back_proxy_tracer,
)
from pytest_llmtrace.capture._watch import existing, when_made
from pytest_llmtrace.capture.context import current_spans
from pytest_llmtrace.capture.routing import LogRouter, SpanRouter

__all__ = ["install"]

_lock = threading.Lock()
_installed = False
_spans = SpanRouter()
_logs = LogRouter()


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
    resource = Resource.create()  # Once for all three: it asks every installed detector.
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
    metering.read_new()
    # Made when it is needed: each reader is asked for its points at the beginning and the end of each test.
    back_meters(functools.cache(lambda: MeterProvider(shutdown_on_exit=False, resource=resource)))


def _adopt(provider: Any) -> None:
    # The SDK's own methods: a subclass may take the first processor that is added for the user's.
    if isinstance(provider, TracerProvider):
        TracerProvider.add_span_processor(provider, _spans)
    elif isinstance(provider, LoggerProvider):
        LoggerProvider.add_log_record_processor(provider, _logs)
    else:
        metering.read_existing(provider)
