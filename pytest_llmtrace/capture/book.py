"""The book of an owner: the spans, log records and metric points that its code emitted."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import weakref
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmtrace import clock
from pytest_llmtrace.capture import absence
from pytest_llmtrace.capture.metering import Sums
from pytest_llmtrace.capture.records import Origin, key_of, log_record, span_record
from pytest_llmtrace.model import Absence, Exchange, LogRecord, MetricPoint, SpanKey, SpanRecord
from pytest_llmtrace.ownership import Owner

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from pytest_llmtrace.capture.routing import Note

__all__ = ["Book", "book_of", "open_book"]


@dataclass(kw_only=True, slots=True)
class _Entry:
    span: ReadableSpan  # The object itself: a processor after ours may redact it until the end.
    note: Note  # Kept, so that a child that comes late finds its parent's owner.
    origin: Origin
    started: int
    ended: int | None = None
    stillborn: str = ""

    def settle(self) -> None:
        """Count a span as ended if it has ended without our notice: a processor before ours has raised."""
        if self.ended is None and self.span.end_time is not None:
            self.ended = clock.tick()


class Book:
    """The spans, log records and metric points of one owner. Late spans still arrive when it is closed.

    Attributes:
        owner: Whose book it is.
        is_closed: Whether it takes no more metric points.
    """

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self._spans: dict[int, _Entry] = {}
        self._logs: list[Any] = []
        self._sums = Sums()
        self._sums.open()
        self.is_closed = False
        self._cleared = 0
        self._ends: threading.Condition | None = None  # Notified of each end while somebody waits for one.

    def spans(self) -> tuple[SpanRecord, ...]:
        """Return the spans as they stand now, ended or not, in the order of their start."""
        return tuple(
            span_record(
                entry.span,
                origin=entry.origin,
                started=entry.started,
                ended=entry.ended,
                stillborn=entry.stillborn,
            )
            for entry in self._entries()
        )

    def open_keys(self) -> frozenset[SpanKey]:
        """Return the identities of the spans that have not ended."""
        return frozenset(span.key for span in self.spans() if span.ended is None)

    def finished(self) -> tuple[ReadableSpan, ...]:
        """Return the ended span objects since the last `clear`, in the order of their end."""
        ended = [(entry.ended, entry.span) for entry in self._entries() if entry.ended is not None]
        return tuple(span for tick, span in sorted(ended, key=lambda pair: pair[0]) if tick > self._cleared)

    def logs(self) -> tuple[LogRecord, ...]:
        """Return the log records in the order in which they were emitted."""
        return tuple(log_record(emitted) for emitted in tuple(self._logs))

    def metrics(self) -> tuple[MetricPoint, ...]:
        """Return what all SDK meters measured while this book was open, one point per series.

        Counters and histograms give the difference since the book was opened; a sum that did not change is left out.
        A measurement does not say who made it: if tests run at the same time in one process, each book has the points
        of all of them.
        """
        return self._sums.points()

    def absence(self, exchanges: Iterable[Exchange] = (), *, environ: Mapping[str, str] = os.environ) -> Absence | None:
        """Return why the book has no span; None if it has one or no cause is known.

        Args:
            exchanges: The requests that passed.
            environ: The environment variables.
        """
        return None if self._spans else absence.find(exchanges, environ=environ)

    def collect(self) -> bool:
        """Collect garbage, since an abandoned generator ends its span then. Costly, so done only if a span is open.

        Returns:
            Whether garbage was collected.
        """
        if all(entry.ended is not None for entry in self._entries()):
            return False
        gc.collect()
        return True

    def wait_for_others(self, seconds: float, *, but: Collection[SpanKey] = ()) -> None:
        """Wait for the ends of spans that other threads have begun, as long as these threads run.

        A server in its own thread ends the span of a request after it has sent the answer; a test need not wait for
        that itself.

        Args:
            seconds: Limit for the wait, in seconds of real time.
            but: Spans that are not waited for.
        """
        self._ends = ends = threading.Condition()
        with ends:
            ends.wait_for(lambda: not self._is_open_elsewhere(but), seconds)
        self._ends = None

    def _is_open_elsewhere(self, but: Collection[SpanKey]) -> bool:
        others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
        return any(
            entry.ended is None
            and entry.origin.worker is not None
            and entry.origin.worker.thread in others
            and key_of(entry.span.context) not in but
            for entry in self._entries()
        )

    def clear(self) -> None:
        """Let `finished` start afresh. All spans are still checked: clearing an exporter must not hide a wrong span."""
        self._cleared = clock.tick()

    def close(self) -> None:
        """Take no more metric points."""
        self.is_closed = True
        self._sums.close()

    def note_start(self, note: Note, span: ReadableSpan, origin: Origin) -> None:
        """Enter a span that has started."""
        self._spans[id(note.context)] = _Entry(span=span, note=note, origin=origin, started=clock.tick())

    def note_stillborn(self, note: Note, error: Exception) -> None:
        """Enter that a span processor raised when a span started."""
        entry = self._spans.get(id(note.context))
        if entry is not None:
            with contextlib.suppress(Exception):  # It may fail to describe itself.
                entry.stillborn = type(error).__name__
                entry.stillborn = f"{type(error).__name__}: {error}"

    def note_end(self, note: Note, span: ReadableSpan) -> None:
        """Enter the end of a span; the SDK hands over the ended span as another object."""
        entry = self._spans.get(id(note.context))
        if entry is not None:
            entry.span = span
            entry.settle()
            if (ends := self._ends) is not None:
                with ends:
                    ends.notify_all()

    def note_log(self, emitted: Any) -> None:
        """Enter a log record."""
        self._logs.append(emitted)

    def _entries(self) -> tuple[_Entry, ...]:
        entries = tuple(self._spans.values())
        for entry in entries:
            entry.settle()
        return entries


# Weak on both sides: a book lives as long as somebody holds it, whatever threads and contexts do with the owner.
_books: weakref.WeakKeyDictionary[Owner, weakref.ref[Book]] = weakref.WeakKeyDictionary()


def open_book(owner: Owner) -> Book:
    """Return the book of an owner, a new one unless somebody still holds an earlier one."""
    book = book_of(owner)
    if book is None:
        book = Book(owner)
        _books[owner] = weakref.ref(book)
    return book


def book_of(owner: Owner | None) -> Book | None:
    """Return the book of an owner; None if it has none or nobody holds it any more."""
    found = _books.get(owner) if owner is not None else None
    return found() if found is not None else None
