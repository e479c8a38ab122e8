"""Collect what fixtures did after their test was judged, as separate evidence for the checks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from pytest_llmtrace.capture import Book
from pytest_llmtrace.checks import Evidence, Leftover
from pytest_llmtrace.intercept import Ledger
from pytest_llmtrace.model import Call, SpanKey
from pytest_llmtrace.pairing import match

__all__ = ["after"]


def after(
    before: Evidence, ledger: Ledger, book: Book, *, held: Collection[SpanKey], leftovers: Iterable[Leftover]
) -> Evidence | None:
    """Collect what is new since a judgement and could not be seen then; return None if there is nothing.

    Args:
        before: The evidence that was judged.
        ledger: The ledger with the requests of the trace.
        book: The book with the spans of the trace.
        held: Spans that fixtures opened before the test and should have ended by now.
        leftovers: What fixtures might have played and did not.
    """
    late = ledger.exchanges(since=len(before.exchanges))
    blocked, left = ledger.blocked()[len(before.blocked) :], tuple(leftovers)
    if not (late or blocked or left or held):
        return None  # As after most tests.
    book.collect()
    spans = book.spans()
    calls = tuple(_over(match(ledger.exchanges(), spans).calls, since=len(before.exchanges))) if late else ()
    told = {span.key for call in calls for span in call.spans}
    told |= {span.key for span in spans if span.key in held and span.ended is None}
    if not (late or blocked or left or told):
        return None
    return replace(
        before,
        exchanges=late,
        blocked=blocked,
        spans=tuple(span for span in spans if span.key in told),
        calls=calls,
        leftovers=left,
        children=ledger.children.made(),
        held=frozenset(),
        # These are about the whole of the test, and were judged.
        strays=(), fetches=(), logs=(), metrics=(), untimed=(), current=(), absence=None,
        silent={}, causes={}, budget={},
    )  # fmt: skip


def _over(calls: Iterable[Call], *, since: int) -> Iterable[Call]:
    """Yield the calls that began after a judgement and whose spans have ended.

    Code that is still running, for instance in a thread, may yet end its spans, and make one for a call without a span.
    """
    late = (call for call in calls if call.spans and call.exchanges[0].index >= since)
    return (call for call in late if all(span.ended is not None for span in call.spans))
