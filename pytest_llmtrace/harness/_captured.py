"""The part of `LLMTrace` that shows users what was captured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, cast

from pytest_llmtrace import capture, dialects, intercept
from pytest_llmtrace._selection import Predicate, exactly_one, select
from pytest_llmtrace.canaries import Canaries, Search
from pytest_llmtrace.checks import secrets_of
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import LogRecord, MetricPoint, SpanRecord
from pytest_llmtrace.pairing import pair
from pytest_llmtrace.tree import SpanTree
from pytest_llmtrace.views import ExchangeView, SpanView, exchange_views

if TYPE_CHECKING:
    from pytest_llmtrace.openobserve import Stream

__all__ = ["NOT_OPEN", "Captured"]


NOT_OPEN = "this trace is not open yet; open it: with LLMTrace(...) as trace: ..."


class _NotYet:
    """A placeholder for an attribute that opening a trace sets: reading it earlier raises an error with the remedy."""

    def __get__(self, trace: object, _: object) -> Self:
        if trace is None:
            return self
        raise UsageError(NOT_OPEN)


_NOT_YET = _NotYet()


class Captured:
    """The spans, log records, metric points and exchanges of a trace, and canaries for them.

    The subclass sets `_canaries`, and opening the trace sets `_book` and `_ledger`.
    """

    _book: capture.Book = cast("Any", _NOT_YET)
    _canaries: Canaries
    _ledger: intercept.Ledger = cast("Any", _NOT_YET)

    def drop_garbage(self) -> bool:
        """Collect garbage if a span is open, since a generator that was dropped ends its span then; tell whether."""
        return self._book.collect()

    def spans(self, predicate: Predicate | None = None, /, **where: Any) -> tuple[SpanView, ...]:
        """Return the ended spans that fit, oldest first.

        Args:
            predicate: Your own condition: a function of a `SpanView`.
            where: `name`, `kind`, `scope`, `status`, `attributes` (a subset). Instead of a text, a compiled pattern may
                be given, which is searched for in the span's text.

        Raises:
            UsageError: If a condition is not known (the text names the nearest known one), or no span can ever fit it.
        """
        return select(self._views(), predicate, where)

    def span(self, predicate: Predicate | None = None, /, **where: Any) -> SpanView:
        """Return the one ended span that fits.

        Raises:
            SelectionError: If no span fits, or several do; the text names the near misses.
            UsageError: As for `spans`.
        """
        __tracebackhide__ = True
        return exactly_one(self._views(), predicate, where, noun="span", mask=self._masked, hint=self._hint())

    def llm_spans(self, predicate: Predicate | None = None, /, **where: Any) -> tuple[SpanView, ...]:
        """Return the ended spans that fit and that a dialect reads as an LLM call; see `spans`."""
        return select(self._llm_views(), predicate, where)

    def llm_span(self, predicate: Predicate | None = None, /, **where: Any) -> SpanView:
        """Return the one ended LLM span that fits; see `span`."""
        __tracebackhide__ = True
        calls, others = self._llm_views(), (view for view in self._views() if view.call is None)
        return exactly_one(
            calls, predicate, where, noun="LLM span", others=others, mask=self._masked, hint=self._hint()
        )

    def tree(self) -> SpanTree[SpanView]:
        """Return all spans, ended or not, as a tree."""
        return SpanTree(SpanView(record=record, reader=dialects.read) for record in self._book.spans())

    def logs(self) -> tuple[LogRecord, ...]:
        """Return the log records and events that SDK loggers emitted."""
        return self._book.logs()

    def metrics(self) -> tuple[MetricPoint, ...]:
        """Return the metric points that SDK meters recorded since this trace was opened."""
        return self._book.metrics()

    def exchanges(self) -> tuple[ExchangeView, ...]:
        """Return the requests of this trace and what came back, in the order of the requests."""
        exchanges = self._ledger.exchanges()
        return exchange_views(exchanges, pair(exchanges, self._book.spans()))

    def canary(self, place: str) -> str:
        """Return a value that occurs nowhere else, for the test to use in a place; all telemetry is searched for it.

        Args:
            place: Where the test will use it: `api_key`, `provider_key`, `organization`, `cookie` (secrets: reported
                wherever they come out), `prompt`, `system_prompt`, `tool_arguments`, `tool_result`, `output`,
                `user_id`, `exception` (content: reported where `content=` forbids it).

        Raises:
            UsageError: If there is no such place.
        """
        return self._canaries.give(place)

    def openobserve(self, profile: str | None = None, *, stream: str = "default") -> Stream:
        """Return the ended spans as OpenObserve stores them: `.rows()`, and `.sql(query)` (extra `sql`).

        Args:
            profile: The releases of OpenObserve: `0.70`, `0.90`, `0.91` or `0.92`, which is the default.
            stream: The name of the stream in queries.

        Raises:
            UsageError: If there is no such profile.
        """
        from pytest_llmtrace import openobserve  # Most tests do not need it.

        return openobserve.Stream(openobserve.records(self.ended(), profile=profile or openobserve.NEWEST), name=stream)

    @property
    def exporter(self) -> capture.FinishedSpans:
        """The captured spans, as `InMemorySpanExporter` would hand them out."""
        return capture.FinishedSpans(self._book)

    @property
    def is_copy(self) -> bool:
        """Whether this is a copy of the trace, in a child process that the code under test has forked."""
        return self._ledger.children.is_copy

    def unrecorded(self, who: str) -> Iterator[str]:
        """Yield a sentence for everything that was requested while recording and was not recorded.

        Args:
            who: The code under test, in a report's words.
        """
        if self._ledger.children.are_unrecorded:
            yield f"not recorded: the requests of child processes that {who} has forked"
        for host in self._ledger.unrecorded():
            yield f"not recorded: the requests of {who} to {host}, by a client that is not built on httpx"

    def ended(self) -> tuple[SpanRecord, ...]:
        """Return the records of the ended spans, oldest first; for callers that process all of them themselves."""
        return tuple(record for record in self._book.spans() if record.ended is not None)

    def _views(self) -> tuple[SpanView, ...]:
        return tuple(SpanView(record=record, reader=dialects.read) for record in self.ended())

    def _llm_views(self) -> tuple[SpanView, ...]:
        return tuple(view for view in self._views() if view.call is not None)

    def _masked(self, text: str) -> str:
        """Mask this trace's secrets in a text: the text of a failure is printed and kept, as a report is."""
        return Search(secrets_of(self._ledger.exchanges(), self._canaries.given())).masked(text)

    def _hint(self) -> str:
        if self._book.spans():
            return "next: print(llmtrace.tree()) shows all spans, including those that have not ended"
        absence = self._book.absence(self._ledger.exchanges())
        return f"nothing was captured: {absence.why}\nnext: {absence.next}" if absence else ""
