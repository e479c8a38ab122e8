"""Responses that were fetched later: one in the background is asked for again until it is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_llmtrace import wire
from pytest_llmtrace.model import Exchange, Fact, Reading, SpanKey, SpanRecord, State
from pytest_llmtrace.pairing._drafts import Draft, open_around
from pytest_llmtrace.tree import Ancestry

__all__ = ["fetched"]


def fetched(
    exchanges: Iterable[Exchange],
    drafts: Sequence[Draft],
    free: Sequence[SpanRecord],
    readings: Mapping[SpanKey, Reading],
    ancestry: Ancestry,
) -> list[Draft]:
    """Give the calls that were left open what was fetched for them while their spans were open.

    Args:
        exchanges: All of the trace, in the order of their requests.
        drafts: The calls, with their spans.
        free: The LLM spans that tell of no call.
        readings: What the LLM spans say.
        ancestry: Of the LLM spans.

    Returns:
        The fetches with the spans that tell of them and of no call: they ask no model, and these say what they brought.
    """
    brought = [(exchange, name) for exchange in exchanges if (name := wire.fetches(exchange)) is not None]
    waiting = {draft.truths[-1].response_id: draft for draft in drafts if _is_open(draft)} if brought else {}
    left = {span.key: span for span in free}
    found = []
    for exchange, name in brought:
        around = _of_fetch(exchange, name, left, readings, ancestry)
        call = waiting.get(name)
        if call is not None and not call.by_scope:  # Who makes a span around the wait alone tells of the call by it.
            call.by_scope, around = around, {}
            left = {key: span for key, span in left.items() if span not in call.by_scope.values()}
        if call is not None and call.by_scope:
            call.truths[-1] = _completed(call, exchange)
        if around:
            found.append(Draft(exchanges=[exchange], truths=[wire.read_fetched(exchange)], by_scope=around))
    return found


def _is_open(draft: Draft) -> bool:
    return draft.truths[-1].api == "responses" and not draft.has_failed and not draft.truths[-1].finish_reasons


def _of_fetch(
    exchange: Exchange,
    name: str,
    left: Mapping[SpanKey, SpanRecord],
    readings: Mapping[SpanKey, Reading],
    ancestry: Ancestry,
) -> dict[str, SpanRecord]:
    """Return by scope the spans that tell of a fetch: they were current, or name its response."""
    around = {scope: span for scope, span in open_around(exchange, ancestry).items() if span.key in left}
    for span in left.values():
        was_open = span.start_ns <= exchange.started_ns and _saw(span, exchange)
        if span.scope not in around and was_open and readings[span.key].response_id == name:
            around[span.scope] = span
    return around


def _completed(call: Draft, exchange: Exchange) -> Reading:
    """Return what a call was answered, with what a fetch has brought as far as its spans can know of it."""
    truth = call.truths[-1]
    if all(_saw(span, exchange) for span in call.by_scope.values()):
        return wire.read(call.exchanges[-1], exchange) or truth
    unknown = Fact(
        "truncated", state=State.UNREADABLE, where=truth.fact("truncated").where, note="it was fetched later"
    )
    return replace(truth, facts={**truth.facts, "truncated": unknown})


def _saw(span: SpanRecord, exchange: Exchange) -> bool:
    """Tell whether a span was open when an exchange was over."""
    return span.ended is None or exchange.ended is None or span.ended >= exchange.ended
