"""Responses that were fetched later: a response in the background is asked for again until it is complete."""

from __future__ import annotations

from collections import deque
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
    """Complete the calls that got no final answer by what was fetched for them while their spans were open.

    Args:
        exchanges: All exchanges of the trace, in the order of their requests.
        drafts: The calls, with their spans.
        free: The LLM spans that describe no call.
        readings: What the LLM spans say.
        ancestry: The ancestry of the LLM spans.

    Returns:
        The fetches that have spans which describe them and no call. A fetch asks no model, but these spans say what it
        brought.
    """
    brought = [(exchange, name) for exchange in exchanges if (name := wire.fetches(exchange)) is not None]
    if not brought:
        return []
    waiting = {draft.truths[-1].response_id: draft for draft in drafts if _is_open(draft)}
    left = _Left(free, readings, ancestry)
    found = []
    for exchange, name in brought:
        around = left.around(exchange, name)
        call = waiting.get(name)
        if call is not None and not call.by_scope:  # A span around the wait alone describes the call.
            call.by_scope, around = around, {}
            left.take(call.by_scope.values())
        if call is not None and call.by_scope:
            call.truths[-1] = _completed(call, exchange)
        if around:
            found.append(Draft(exchanges=[exchange], truths=[wire.read_fetched(exchange)], by_scope=around))
    return found


def _is_open(draft: Draft) -> bool:
    return draft.truths[-1].api == "responses" and not draft.has_failed and not draft.truths[-1].finish_reasons


class _Left:
    """The LLM spans that describe no call: all of them by key, and by the response id that they name."""

    def __init__(self, spans: Iterable[SpanRecord], readings: Mapping[SpanKey, Reading], ancestry: Ancestry) -> None:
        self._ancestry = ancestry
        self._free = {span.key for span in spans}
        self._named: dict[str, dict[str, deque[SpanRecord]]] = {}
        for span in sorted(spans, key=lambda span: span.start_ns):
            name = readings[span.key].response_id
            if isinstance(name, str):  # A user's dialect may return anything.
                self._named.setdefault(name, {}).setdefault(span.scope, deque()).append(span)

    def around(self, exchange: Exchange, name: str) -> dict[str, SpanRecord]:
        """Return by scope the spans that describe a fetch; to be called in the order of the requests.

        They were current, or name its response and were open all the while; of the latter, the first one in each scope
        that no other fetch has got.
        """
        current = open_around(exchange, self._ancestry)
        found = {scope: span for scope, span in current.items() if span.key in self._free}
        for scope, spans in self._named.get(name, {}).items():
            while spans and not _saw(spans[0], exchange):
                spans.popleft()
            if scope not in found and spans and spans[0].key in self._free and _began(spans[0], exchange):
                found[scope] = spans.popleft()
        return found

    def take(self, spans: Iterable[SpanRecord]) -> None:
        """Note that spans describe a call after all."""
        self._free.difference_update(span.key for span in spans)


def _completed(call: Draft, exchange: Exchange) -> Reading:
    """Return the answer to a call: with what a fetch has brought if its spans saw that, else with an unknown end."""
    truth = call.truths[-1]
    if all(_saw(span, exchange) for span in call.by_scope.values()):
        return wire.read(call.exchanges[-1], exchange) or truth
    unknown = Fact(
        "truncated", state=State.UNREADABLE, where=truth.fact("truncated").where, note="it was fetched later"
    )
    return replace(truth, facts={**truth.facts, "truncated": unknown})


def _began(span: SpanRecord, exchange: Exchange) -> bool:
    """Tell by its timestamps whether a span began before a request: it may have been made afterwards and dated back."""
    return span.start_ns <= exchange.started_ns


def _saw(span: SpanRecord, exchange: Exchange) -> bool:
    """Tell whether a span was open when an exchange was over."""
    return span.ended is None or exchange.ended is None or span.ended >= exchange.ended
