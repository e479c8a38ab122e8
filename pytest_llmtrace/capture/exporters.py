"""Mute the application's OTLP exporters.

A test run must not send to the team's back end, and must not hang at exit because the endpoint is dead. Batches are
flushed late, so exporters are muted from the first use to the end of the process. They stay in place and report
success. Console, in-memory and file exporters are left alone.
"""

from __future__ import annotations

import functools
from typing import Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from pytest_llmtrace.capture._otel_internals import LOG_EXPORT_SUCCESS, LOG_EXPORTERS
from pytest_llmtrace.capture._watch import subclasses

__all__ = ["mute"]

_OTLP = "opentelemetry.exporter.otlp."
_muted: set[type] = set()


def mute() -> None:
    """Make every OTLP exporter, whether imported already or later, report success without sending."""
    _mute_family(SpanExporter, SpanExportResult.SUCCESS)
    _mute_family(MetricExporter, MetricExportResult.SUCCESS)
    for base in LOG_EXPORTERS:
        _mute_family(base, LOG_EXPORT_SUCCESS)


def _mute_family(base: Any, success: Any) -> None:
    for cls in tuple(subclasses(base)):
        _mute_class(cls, success)

    def mute_new_class(cls: Any, /, **kwargs: Any) -> None:
        super(base, cls).__init_subclass__(**kwargs)
        _mute_class(cls, success)

    # Exporter modules are often imported late; their classes pass here when they are defined.
    base.__init_subclass__ = classmethod(mute_new_class)


def _mute_class(cls: type, success: Any) -> None:
    if cls in _muted or "export" not in vars(cls) or not _reaches_out(cls):
        return
    _muted.add(cls)

    @functools.wraps(vars(cls)["export"])
    def export(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
        return success

    cls.export = export  # type: ignore[attr-defined]


def _reaches_out(cls: type) -> bool:
    return cls.__module__.startswith(_OTLP) and "file" not in cls.__module__.removeprefix(_OTLP)
