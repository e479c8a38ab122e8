"""The spans of a book in the shape of the SDK's in-memory exporter, for suites that migrate by deleting lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from pytest_llmtrace.capture.book import Book

__all__ = ["FinishedSpans"]


class FinishedSpans:
    """The ended spans of a book, with the methods by which tests read an `InMemorySpanExporter`."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def get_finished_spans(self) -> tuple[ReadableSpan, ...]:
        """Return the ended spans since the last `clear`, in the order in which they ended."""
        return self._book.finished()

    def clear(self) -> None:
        """Let `get_finished_spans` start afresh. All spans are still verified: clearing must not hide a wrong one."""
        self._book.clear()
