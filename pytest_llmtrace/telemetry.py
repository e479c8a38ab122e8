"""The records of telemetry: spans, log records, metric points, and what was current. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = [
    "Absence",
    "Ambient",
    "Dropped",
    "LogRecord",
    "MetricPoint",
    "SpanEvent",
    "SpanKey",
    "SpanLink",
    "SpanRecord",
    "Worker",
]


class SpanKey(NamedTuple):
    """A span's identity. Spans are never keyed by name."""

    trace_id: int
    span_id: int


class Worker(NamedTuple):
    """The thread that ran some code, and the asyncio task if there was one."""

    thread: int
    task: int | None = None


class Dropped(NamedTuple):
    """How many attributes, events and links the limits of the SDK have left out of a span."""

    attributes: int = 0
    events: int = 0
    links: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanEvent:
    """An event on a span; the time in nanoseconds since the epoch."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    dropped_attributes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanLink:
    """A link from a span to another; `flags` and `trace_state` are those of the other span, as in `SpanRecord`."""

    key: SpanKey
    attributes: Mapping[str, Any] = field(default_factory=dict)
    dropped_attributes: int = 0
    trace_state: str = ""
    flags: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanRecord:
    """A span as it stood when it was read; times in nanoseconds since the epoch.

    `started` and `ended` are ticks (see `clock.tick`); `ended` and `end_ns` are None while the span is open.

    Attributes:
        worker: The thread and task in which it was started.
        current: The span that was current there, which need not be its parent.
        cause: The span that was current where that thread, or work item of a thread pool, was started.
        apart: Whether it was started in an explicit context that has no current span, as for a trace of its own.
        stillborn: The exception of a span processor that ended its start, so that no code has the span; else empty.
        text_limit: The length to which its provider cuts the texts of attributes; None if it does not cut them.
        trace_state: The trace state, in the form of W3C's header `tracestate`.
        flags: W3C's trace flags, and whether the parent is remote (`SpanFlags` of opentelemetry-proto); 0 if not known.
        dropped: How many attributes, events and links its provider has dropped because of its limits.
        scope_attributes: The attributes of its scope.
        scope_schema_url: The schema URL of its scope, which names the version of the conventions that the scope keeps.
        resource_schema_url: The schema URL of its resource.
    """

    key: SpanKey
    parent: SpanKey | None = None
    name: str
    kind: str = "INTERNAL"
    scope: str = ""
    scope_version: str | None = None
    status: str = "UNSET"
    status_description: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    resource: Mapping[str, Any] = field(default_factory=dict)
    start_ns: int = 0
    end_ns: int | None = None
    started: int = 0
    ended: int | None = None
    worker: Worker | None = field(default=None, compare=False)
    current: SpanKey | None = field(default=None, compare=False)
    cause: SpanKey | None = field(default=None, compare=False)
    apart: bool = field(default=False, compare=False)
    stillborn: str = field(default="", compare=False)
    text_limit: int | None = field(default=None, compare=False)
    trace_state: str = ""
    flags: int = 0
    dropped: Dropped = field(default=Dropped())
    scope_attributes: Mapping[str, Any] = field(default_factory=dict)
    scope_schema_url: str = ""
    resource_schema_url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRecord:
    """A log record (or event) that went through an SDK logger provider; the time in nanoseconds since the epoch."""

    scope: str
    body: Any = None
    event_name: str | None = None
    severity: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)
    span: SpanKey | None = None
    time_ns: int | None = None
    scope_version: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricPoint:
    """One data point of a metric, as the difference that the test made.

    `value` is the sum or the gauge's value; for a histogram, it is the sum of the measurements, and `count` is their
    number (None for other kinds). `bounds` are the bucket boundaries of a histogram; an exponential one has none.
    `lowest` and `highest` are the extremes of its measurements, None if its view keeps none. `shared` says that other
    traces were open meanwhile, or that code of an earlier one was at work, so that part of the point may be theirs.
    `kept` are the only attributes that a view of the application keeps, None if it keeps all; `aggregated` says that a
    view has chosen the kind of the point, or its buckets. `providers` and `streams` say how many meter providers gave
    the point, and how many streams of them: several if two views have one name, as each measurement is then in both.
    """

    scope: str
    name: str
    unit: str = ""
    kind: str = "sum"
    value: float | int = 0
    count: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)
    scope_version: str | None = None
    bounds: tuple[float, ...] = ()
    lowest: float | int | None = None
    highest: float | int | None = None
    shared: bool = False
    kept: frozenset[str] | None = None
    aggregated: bool = False
    providers: int = 1
    streams: int = 1

    def hides(self, attribute: str) -> bool:
        """Tell whether a view of the application drops an attribute, so that nobody knows if it was measured."""
        return self.kept is not None and attribute not in self.kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Ambient:
    """What was current when a request passed.

    Attributes:
        span: The current span, or None when there was none.
        recording: Whether that span records (False: sampled out, no-op or foreign).
        suppressed: Whether the context suppresses instrumentation.
        worker: The thread and task that made the request.
    """

    span: SpanKey | None = None
    recording: bool = False
    suppressed: bool = False
    worker: Worker | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Absence:
    """Why no span was captured: the cause's name, a sentence, and what to do."""

    cause: str
    why: str
    next: str
