"""How a call and its spans are described in findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_llmtrace.checks._words import place_of_exchange, shown
from pytest_llmtrace.model import Call, Exchange, Reading, SpanRecord, State

__all__ = ["counts", "llm_spans", "said", "said_of", "stated"]


def said(call: Call) -> str:
    """Say of each attempt of a call what was asked, what was answered, and where that came from."""
    truths = call.truths or (None,) * len(call.exchanges)
    return "\n".join(said_of(exchange, truth) for exchange, truth in zip(call.exchanges, truths, strict=True))


def said_of(exchange: Exchange, truth: Reading | None) -> str:
    """Say of one attempt what was asked, what was answered, and where that came from."""
    asked = f"{truth.api} call" if truth else "call"
    model = f" to model {truth.request_model!r}" if truth and truth.request_model else ""
    answered = (
        f"answered {exchange.response.status}" if exchange.response else f"no response ({exchange.outcome.value})"
    )
    return f"{asked}{model}, {answered}\n{place_of_exchange(exchange)}"


def counts(reading: Reading) -> bool:
    """Tell whether a reading states any tokens."""
    return bool(reading.input_tokens or reading.output_tokens or reading.total_tokens)


def stated(reading: Reading) -> str:
    """Write the token counts of a span as they stand there."""
    facts = (reading.fact(name) for name in ("input_tokens", "output_tokens"))
    parts = (part for fact in facts if fact.state is State.PRESENT for part in fact.parts)
    return ", ".join(f"{key} = {shown(value)}" for key, value in parts)


def llm_spans(calls: Iterable[Call]) -> Iterator[tuple[Call, SpanRecord, Reading]]:
    """Yield each span of each call, with the call and the reading of the span."""
    for call in calls:
        for span, reading in zip(call.spans, call.readings, strict=False):
            yield call, span, reading
