"""Bring every span and log record into the book of the test that caused it.

The owner is decided when a span starts: its parent's owner (with the exception in `ownership.heir`), else that of the
running code. A late end, or a late child, of a span goes to the same book, and is dropped if nobody holds that book any
more.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import get_current_span

from pytest_llmtrace import ownership
from pytest_llmtrace.capture._otel_internals import LogRecordProcessor
from pytest_llmtrace.capture.book import book_of
from pytest_llmtrace.capture.metering import share
from pytest_llmtrace.capture.platforms import own_context
from pytest_llmtrace.capture.records import Origin, key_of
from pytest_llmtrace.model import SpanKey

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

    from pytest_llmtrace.ownership import Owner

__all__ = ["LogRouter", "Note", "SpanRouter", "current_in", "find", "note_measurement"]


class Note:
    """A span's owner, and whether it is exported. The span keeps its note alive, so a note never refers to a span."""

    __slots__ = ("__weakref__", "captured", "context", "owner")

    def __init__(self, context: SpanContext, owner: Owner | None, *, captured: bool) -> None:
        self.context = context
        self.owner = owner
        self.captured = captured


# A note lives as long as its span, or the book that has it. It is looked up by the context's identity first: a suite
# may reset its id generator for each test, so that keys repeat. The key finds a parent that came in a traceparent
# header.
_of_span: weakref.WeakKeyDictionary[Span, Note] = weakref.WeakKeyDictionary()
_by_identity: weakref.WeakValueDictionary[int, Note] = weakref.WeakValueDictionary()
_by_key: weakref.WeakValueDictionary[SpanKey, Note] = weakref.WeakValueDictionary()


def find(context: SpanContext | None) -> Note | None:
    """Return the note of a span by its context; None if the span did not start in an SDK provider of this process."""
    if context is None:
        return None
    return _same(context) or _by_key.get(key_of(context))


def _same(context: SpanContext) -> Note | None:
    note = _by_identity.get(id(context))
    return note if note is not None and note.context is context else None


def _origin(given: Context | None) -> Origin:
    current, causes = current_in(None), ownership.causes()
    own = own_context()
    if own is not None and given is own:  # The platform starts each of its spans in its own context.
        inner = current_in(own)
        apart = inner is None and causes.own is None
        return Origin(ownership.worker(), inner or current, causes.own or causes.shared, apart)
    apart = given is not None and given is not get_current() and current_in(given) is None
    return Origin(ownership.worker(), current, causes.shared, apart)


def current_in(context: Context | None) -> SpanKey | None:
    """Return the key of the span that is current in a context, if any; `None` stands for the running code's context."""
    found = get_current_span(context).get_span_context()
    return key_of(found) if found.is_valid else None


class SpanRouter(SpanProcessor):
    """The span processor of all providers."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Decide the owner, and enter the span into its book."""
        context = span.get_span_context()
        parent = find(span.parent)
        owner = ownership.heir(parent.owner) if parent and parent.owner else ownership.current()
        if owner is not None and owner.stands_in:
            owner = None
        # A span that is recorded but not sampled reaches no exporter: to a back end it does not exist.
        note = Note(context, owner, captured=context.trace_flags.sampled)
        _of_span[span] = _by_identity[id(context)] = _by_key[key_of(context)] = note
        book = book_of(owner)
        if book is not None and note.captured:
            book.note_start(note, span, _origin(parent_context))

    def on_failed_start(self, error: Exception, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Enter that a processor of the application raised when a span started, so that no code gets that span."""
        note = _same(span.get_span_context())
        book = book_of(note.owner) if note else None
        if note is not None and book is not None:
            book.note_stillborn(note, error)

    def on_end(self, span: ReadableSpan) -> None:
        """Enter the end of the span.

        If its book is closed or gone, its code is late, and may record metrics that go to the books that are open.
        """
        note = _same(span.context)
        book = book_of(note.owner) if note else None
        if note is not None and book is not None:
            book.note_end(note, span)
        if book is None or book.is_closed:
            share()

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002
        """Return True: the None that opentelemetry-sdk 1.30 inherits would keep other processors from being flushed."""
        return True


def note_measurement(*_: object) -> None:
    """Note a measurement of code that is late, since its book is closed or gone: it goes to the books that are open."""
    owner = ownership.current()
    if owner is None or owner.stands_in:
        return
    book = book_of(owner)
    if book is None or book.is_closed:
        share()


class LogRouter(LogRecordProcessor):
    """The log record processor of all providers."""

    def on_emit(self, log_record: Any) -> None:
        """Enter a record into the book of its span's owner, else of the running code's."""
        record = log_record.log_record
        note = _by_key.get(SpanKey(record.trace_id or 0, record.span_id or 0))
        book = book_of((note.owner if note else None) or ownership.current())
        if book is not None:
            book.note_log(log_record)

    emit = on_emit  # its name before opentelemetry-sdk 1.36

    def shutdown(self) -> None:
        """Do nothing: log records emitted after a provider's shutdown count as well."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002
        """Return True: nothing is buffered."""
        return True
