"""One call, one span: there, ended, not before its stream, and not left behind."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace import wire
from pytest_llmtrace.checks._check import Check, Evidence, title_of_exchange, title_of_span
from pytest_llmtrace.model import Exchange, Finding, Outcome, SpanRecord

__all__ = ["ENDED_BEFORE_STREAM", "EXCHANGE_WITHOUT_SPAN", "SPAN_CURRENT", "SPAN_NEVER_ENDED"]


def _exchange_without_span(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    if not evidence.spans and evidence.absence is not None:
        return  # The one cause is told by capture/nothing.
    for call in evidence.calls:
        first = call.exchanges[0]
        if first.outcome is Outcome.REFUSED:
            continue
        if call.spans:
            yield None
            continue
        cause = evidence.causes.get(first.index)
        yield check.finding(
            title_of_exchange(first) + (f": {cause.cause}" if cause else ""),
            ("span", _spans_seen(evidence.spans)),
            ("wire", "\n".join(_said(exchange) for exchange in call.exchanges)),
            why=cause.why if cause else "",
            next=cause.next if cause else "",
        )


def _span_never_ended(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    current = {span.key for span in evidence.current}
    for span in evidence.spans:
        if span.ended is not None:
            yield None
            continue
        if span.key in evidence.held:
            continue
        leak = ", and it is still the current span" if span.key in current else ""
        yield check.finding(title_of_span(span), ("span", f"was started and not ended when the test was over{leak}"))


def _span_current(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    if evidence.spans and not evidence.current:
        yield None
    for span in evidence.current:
        if span.ended is not None:  # One that is open as well is told by structure/span-never-ended.
            yield check.finding(title_of_span(span), ("span", "has ended and is still the current span of the test"))


def _ended_before_stream(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for call in evidence.calls:
        exchange = call.exchanges[-1]
        last = wire.last_content_tick(exchange)
        if last is None:
            continue
        for span in call.spans:
            if span.ended is None or span.ended > last:
                yield None
                continue
            after = sum(tick > span.ended for tick in exchange.chunk_ticks)
            total = len(exchange.chunk_ticks)
            yield check.finding(
                title_of_span(span),
                ("span", f"ended when {total - after} of {total} chunks of its stream had been read"),
                ("wire", _said(exchange)),
            )


def _spans_seen(spans: tuple[SpanRecord, ...]) -> str:
    if not spans:
        return "none was captured in this test"
    others = "\n".join(f"{span.name!r} ({span.scope})" for span in spans[:5])
    more = f"\nand {len(spans) - 5} more" if len(spans) > 5 else ""  # noqa: PLR2004
    return f"none is an LLM span of this exchange; captured were:\n{others}{more}"


def _said(exchange: Exchange) -> str:
    reading = wire.read(exchange)
    asked = f"{reading.api} call" if reading else "call"
    model = f" to model {reading.request_model!r}" if reading and reading.request_model else ""
    answered = exchange.response.status if exchange.response else exchange.outcome.value
    return f"{asked}{model}, answered {answered}\n{exchange.origin}, exchange {exchange.index}"


EXCHANGE_WITHOUT_SPAN = Check(
    id="structure/exchange-without-span",
    title="Every LLM call has its span",
    why="the call was made and no LLM span tells of it: its cost, latency and errors are invisible",
    next="instrument this call",
    look=_exchange_without_span,
)

SPAN_NEVER_ENDED = Check(
    id="structure/span-never-ended",
    title="Every span ends",
    why="a span that never ends is never exported",
    next="end it on every path: with start_as_current_span(...), or end() in a finally",
    look=_span_never_ended,
)

SPAN_CURRENT = Check(
    id="structure/span-current",
    title="No span is left current",
    why="whatever the caller does next becomes a child of this span, in a trace that is not its own",
    next="detach it in the context that attached it; a generator must be closed by whoever iterates it",
    look=_span_current,
)

ENDED_BEFORE_STREAM = Check(
    id="structure/ended-before-stream",
    title="A stream's span lasts as long as its stream",
    why="its duration is that of the first bytes, and tokens, finish reason and errors that came later are not on it",
    next="end the span when the stream is exhausted, closed or has failed",
    look=_ended_before_stream,
)
