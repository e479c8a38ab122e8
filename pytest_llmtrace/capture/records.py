"""Convert the SDK's spans and log records into our records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_llmtrace.capture._otel_internals import text_limit
from pytest_llmtrace.model import Dropped, LogRecord, SpanEvent, SpanKey, SpanLink, SpanRecord, Worker

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link, SpanContext

__all__ = ["Origin", "key_of", "log_record", "span_record"]


class Origin(NamedTuple):
    """Where a span was started: the facts that its record (`SpanRecord`) holds beside those of the span itself."""

    worker: Worker | None = None
    current: SpanKey | None = None
    cause: SpanKey | None = None
    apart: bool = False


NOWHERE = Origin()
_TEXT = frozenset({str})
_VALUES = frozenset({str, bool, int, float, tuple})
_KNOWS_REMOTE = 0x100
_IS_REMOTE = 0x200


def key_of(context: SpanContext) -> SpanKey:
    """Return the key of a span."""
    return SpanKey(context.trace_id, context.span_id)


def span_record(
    span: ReadableSpan, *, started: int, ended: int | None, origin: Origin = NOWHERE, stillborn: str = ""
) -> SpanRecord:
    """Return the record of a span as it stands now.

    Args:
        span: The span, ended or not.
        started: The tick of its start.
        ended: The tick of its end; None while it is open.
        origin: Where it was started.
        stillborn: The exception of a span processor that ended its start; else empty.
    """
    scope = span.instrumentation_scope
    return SpanRecord(
        key=key_of(span.context),
        parent=key_of(span.parent) if span.parent else None,
        name=span.name,
        kind=span.kind.name,
        scope=(scope and scope.name) or "",
        scope_version=(scope and scope.version) or None,
        status=span.status.status_code.name,
        status_description=span.status.description,
        attributes=_plain(span.attributes),
        events=tuple(map(_event, span.events)),
        links=tuple(map(_link, span.links)),
        resource=_plain(span.resource.attributes),
        start_ns=span.start_time or 0,
        end_ns=span.end_time,
        started=started,
        ended=ended,
        worker=origin.worker,
        current=origin.current,
        cause=origin.cause,
        apart=origin.apart,
        stillborn=stillborn,
        text_limit=text_limit(span),
        trace_state=span.context.trace_state.to_header(),
        flags=_flags(span.context, span.parent),
        dropped=Dropped(span.dropped_attributes, span.dropped_events, span.dropped_links),
        scope_attributes=_plain(scope and scope.attributes),
        scope_schema_url=(scope and scope.schema_url) or "",
        resource_schema_url=span.resource.schema_url or "",
    )


def _event(event: Event) -> SpanEvent:
    return SpanEvent(
        name=event.name,
        time_ns=event.timestamp,
        attributes=_plain(event.attributes),
        dropped_attributes=event.dropped_attributes,
    )


def _link(link: Link) -> SpanLink:
    return SpanLink(
        key=key_of(link.context),
        attributes=_plain(link.attributes),
        dropped_attributes=link.dropped_attributes,
        trace_state=link.context.trace_state.to_header(),
        flags=_flags(link.context, link.context),
    )


def _flags(context: SpanContext, other: SpanContext | None) -> int:
    """Return the `SpanFlags` of opentelemetry-proto: a context's trace flags, and whether another context is remote."""
    return context.trace_flags | _KNOWS_REMOTE | (_IS_REMOTE if other is not None and other.is_remote else 0)


def log_record(emitted: Any) -> LogRecord:
    """Return the record of what a log record processor was handed.

    Before opentelemetry-sdk 1.36 or so, the resource is on the record and an event's name among its attributes.
    """
    record = emitted.log_record
    attributes = _plain(record.attributes)
    resource = getattr(emitted, "resource", None) or getattr(record, "resource", None)
    severity = getattr(record.severity_number, "name", None)
    scope = emitted.instrumentation_scope
    return LogRecord(
        scope=(scope and scope.name) or "",
        body=record.body,
        event_name=getattr(record, "event_name", None) or attributes.get("event.name"),
        severity=record.severity_text or severity,
        attributes=attributes,
        resource=_plain(resource.attributes) if resource else {},
        span=SpanKey(record.trace_id, record.span_id) if record.span_id else None,
        time_ns=record.timestamp or record.observed_timestamp,
        scope_version=(scope and scope.version) or None,
    )


def _plain(attributes: Any) -> dict[str, Any]:
    """Return a copy of attributes; a member of a string enumeration becomes the text that an exporter writes for it."""
    copy = getattr(attributes, "copy", None)  # Read item by item, the SDK's mapping takes a lock for each value.
    plain = dict(copy() if copy else attributes or {})
    if _TEXT.issuperset(map(type, plain)) and _VALUES.issuperset(map(type, plain.values())):
        return plain
    return {_text(name): _text(value) for name, value in plain.items()}


def _text(said: Any) -> Any:
    return str.__str__(said) if isinstance(said, str) else said
