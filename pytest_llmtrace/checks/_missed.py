"""Spans that name a call's model, but were not open when the call was made: they ended too early or began too late."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pytest_llmtrace.checks._check import Evidence, title_of_span
from pytest_llmtrace.checks.late import STARTED_LATE
from pytest_llmtrace.model import Call, Outcome, SpanRecord, Stray, Worker
from pytest_llmtrace.pairing import fits

__all__ = ["Missed", "missed"]


class Missed(NamedTuple):
    """A span that was not open when a call was made: in words, why that matters, and what to do."""

    span: SpanRecord
    words: str
    why: str
    next: str


def missed(evidence: Evidence) -> dict[int, Missed]:
    """Return the spans that calls without a span have missed, by the index of the call's first exchange.

    A span is looked for in the worker of the request: the last one that had ended by then, or else the first one that
    began when the call was over. A span is missed by one call only.
    """
    lacking = [call for call in evidence.calls if not call.spans and call.exchanges[0].outcome is not Outcome.REFUSED]
    strays = [stray for stray in evidence.strays if stray.span.ended is not None]
    if not lacking or not strays:
        return {}
    beside, found = _Beside(strays), dict[int, Missed]()
    for call in lacking:
        miss = beside.before(call) or beside.after(call)
        if miss is not None:
            found[call.exchanges[0].index] = miss
    return found


class _Beside:
    """The spans that describe no call, by worker, in the order of their ends and of their starts."""

    def __init__(self, strays: Iterable[Stray]) -> None:
        self._by_key = {stray.span.key: stray for stray in strays}
        apart = [stray for stray in self._by_key.values() if not stray.covers]
        self._ended, self._started = _by_worker(apart, _end), _by_worker(apart, _start)

    def before(self, call: Call) -> Missed | None:
        """Return what a call has missed that had ended before its request, and does not know any answer."""
        first = call.exchanges[0]
        ended = self._ended.get(first.ambient.worker, [])
        at = bisect_left(ended, first.started, key=_end)
        current = self._by_key.get(first.ambient.span) if first.ambient.span else None
        stray = current or (ended[at - 1] if at else None)
        if stray is None or stray.reading.output_tokens or stray.reading.response_id or _end(stray) >= first.started:
            return None
        return self._taken(stray, call, "but had ended before the request was made", _EARLY, _KEEP_OPEN)

    def after(self, call: Call) -> Missed | None:
        """Return what a call has missed that began when it was over."""
        last = call.exchanges[-1]
        started = self._started.get(last.ambient.worker, [])
        at = len(started) if last.ended is None else bisect_right(started, last.ended, key=_start)
        if at == len(started):
            return None
        return self._taken(started[at], call, "but was started when the call was over", STARTED_LATE.why, _START_BEFORE)

    def _taken(self, stray: Stray, call: Call, how: str, why: str, to_do: str) -> Missed | None:
        if not fits(stray.reading, call.truth) or self._by_key.pop(stray.span.key, None) is None:
            return None
        return Missed(stray.span, f"{title_of_span(stray.span)} may be meant to describe this call, {how}", why, to_do)


_EARLY = "the span knows neither how long the call took nor what came of it"
_KEEP_OPEN = (
    "keep the span open until the response has been read: a generator, a coroutine or a task sends its request when it "
    "runs, not where it is made"
)
_START_BEFORE = "start the span before the call, and set what the response says while it is open"


def _by_worker(strays: Iterable[Stray], tick: Callable[[Stray], int]) -> dict[Worker | None, list[Stray]]:
    found: dict[Worker | None, list[Stray]] = {}
    for stray in sorted(strays, key=tick):
        if stray.span.worker is not None:
            found.setdefault(stray.span.worker, []).append(stray)
    return found


def _start(stray: Stray) -> int:
    return stray.span.started


def _end(stray: Stray) -> int:
    return stray.span.ended or 0
