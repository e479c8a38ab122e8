"""Exchanges + spans -> calls: which spans tell of which exchanges.

The span that is current when a request passes, and its ancestors, are the best witnesses there are. Time and facts
are asked only where no LLM span was current, as with instrumentations that do not activate the spans of streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus

from pytest_llmtrace import dialects, wire
from pytest_llmtrace.model import Call, Exchange, SpanKey, SpanRecord

__all__ = ["pair"]


def pair(exchanges: Iterable[Exchange], spans: Iterable[SpanRecord]) -> tuple[Call, ...]:
    """Pair the LLM exchanges of a trace with its LLM spans.

    Args:
        exchanges: In the order of their requests; those that are no LLM calls are passed over.
        spans: All spans of the trace, in the order of their start.

    Returns:
        One call for each logical call, retries grouped, each with one span a scope (none if nobody reported it).
    """
    attempts = sorted(_attempts(filter(wire.is_llm_call, exchanges)), key=lambda group: group[0].index)
    by_key = {span.key: span for span in spans}
    llm = {key: span for key, span in by_key.items() if dialects.is_llm(span)}
    found = [_by_context(group, by_key, llm) for group in attempts]
    taken = {span.key for group in found for span in group}
    free = [span for key, span in llm.items() if key not in taken]
    return tuple(
        Call(exchanges=tuple(group), spans=tuple(known or _by_time(group, free)))
        for group, known in zip(attempts, found, strict=True)
    )


def _attempts(exchanges: Iterable[Exchange]) -> Iterator[list[Exchange]]:
    """Group the attempts of one logical call: same request, same span, one after the other."""
    groups: dict[object, list[Exchange]] = {}
    for exchange in exchanges:
        same = (exchange.ambient.span, exchange.request.url, exchange.request.body)
        group = groups.get(same)
        if group is not None and _is_retry(exchange, group[-1]):
            group.append(exchange)
            continue
        if group is not None:
            yield group
        groups[same] = [exchange]
    yield from groups.values()


def _is_retry(exchange: Exchange, before: Exchange) -> bool:
    """Tell whether an exchange tries again what another has tried, and failed at.

    The SDKs count their retries in a header; whoever sends none is known by the failure before.
    """
    over = before.ended is not None and before.ended < exchange.started
    return over and _failed(before) and _retry_count(exchange) != "0"


def _retry_count(exchange: Exchange) -> str | None:
    return next((value for name, value in exchange.request.headers if name.lower() == "x-stainless-retry-count"), None)


def _failed(exchange: Exchange) -> bool:
    if exchange.response is None or exchange.failure is not None:
        return True
    return exchange.response.status >= HTTPStatus.BAD_REQUEST


def _by_context(
    attempts: list[Exchange], by_key: Mapping[SpanKey, SpanRecord], llm: Mapping[SpanKey, SpanRecord]
) -> list[SpanRecord]:
    """Return the innermost LLM span of each scope among the current span and its ancestors."""
    by_scope: dict[str, SpanRecord] = {}
    for span in _lineage(attempts[0].ambient.span, by_key):
        if span.key in llm:
            by_scope.setdefault(span.scope, span)
    return list(by_scope.values())


def _lineage(key: SpanKey | None, by_key: Mapping[SpanKey, SpanRecord]) -> Iterator[SpanRecord]:
    seen: set[SpanKey] = set()
    while key is not None and key in by_key and key not in seen:
        seen.add(key)
        yield by_key[key]
        key = by_key[key].parent


def _by_time(attempts: list[Exchange], free: list[SpanRecord]) -> list[SpanRecord]:
    """Take the latest free LLM span of each scope that was open when the first attempt passed and fits its facts."""
    first = attempts[0]
    model = wire.read(first)
    by_scope: dict[str, SpanRecord] = {}
    for span in reversed(free):
        if _was_open(span, first) and _fits(span, model.request_model if model else None):
            by_scope.setdefault(span.scope, span)
    for span in by_scope.values():
        free.remove(span)
    return list(by_scope.values())


def _was_open(span: SpanRecord, exchange: Exchange) -> bool:
    # By its own times: an instrumentation may make the span afterwards and date it back.
    started = span.started <= exchange.started or span.start_ns <= exchange.started_ns
    return started and (span.ended is None or span.ended >= exchange.started)


def _fits(span: SpanRecord, model: str | None) -> bool:
    reading = dialects.read(span)
    named = {reading.request_model, reading.response_model} - {None} if reading else set()
    return model is None or not named or model in named
