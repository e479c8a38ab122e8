"""What the calls inside of an agent's run used, as sums that its span may rightly state."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from http import HTTPStatus

from pytest_llmtrace import dialects, wire
from pytest_llmtrace._quick import lazy
from pytest_llmtrace.checks._check import Evidence
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Call, Exchange, SpanKey, SpanRecord

__all__ = ["Inside", "Tree", "Unknown", "amount", "stated_amount"]

_MOST_SUMS = 500
_DEEPEST = 32
"""How many agents and tools may be inside of each other in a run that is judged; real runs have a handful."""
_PARTS = frozenset({"cache_read_tokens", "cache_write_tokens", "reasoning_tokens"})
"""Counts that a reply leaves out if they are 0."""


class Unknown(ValueError):
    """A sum is not known for certain."""


Measure = Callable[[Call, str], frozenset[float]]
"""Returns what a call may count as, by the name of a fact."""


def amount(call: Call, name: str) -> frozenset[float]:
    """Return what a call may have used by the bytes: its last attempt, or all that say something.

    Raises:
        Unknown: If the bytes do not say it.
    """
    if not call.truths:
        raise Unknown
    *earlier, last = [_of_attempt(call, number, name) for number in range(len(call.truths))]
    if last is None:
        raise Unknown
    found = {last, last + sum(one or 0 for one in earlier)}
    return frozenset(found | {0} if call.truth.api == "embeddings" else found)


def _of_attempt(call: Call, number: int, name: str) -> float | None:
    truth, response = call.truths[number], call.exchanges[number].response
    value = truth.fact(name).value
    if is_number(value):
        return value
    if response is not None and response.status >= HTTPStatus.BAD_REQUEST:
        return 0
    if truth.truncated is not False or truth.error or truth.input_tokens is None:
        return None
    if name == "total_tokens":
        return truth.input_tokens + (truth.output_tokens or 0)
    return 0 if name in _PARTS or truth.api == "embeddings" else None


def stated_amount(call: Call, name: str) -> frozenset[float]:
    """Return what the spans of a call state; their own faults are not found once more in the sum.

    Raises:
        Unknown: If they do not state it.
    """
    found = {fact.value for reading in call.readings for fact in reading.stated(name) if is_number(fact.value)}
    if not found and name not in _PARTS:
        raise Unknown
    return frozenset(found or {0})


class Inside:
    """The calls inside of a run: those of its own, and those of the agents and tools that it has called.

    Some frameworks count the tokens of such an inner agent in both runs, others only in the inner one.
    """

    def __init__(self) -> None:
        self.own: list[Call] = []
        self.steps: dict[SpanKey, Inside] = {}
        self.is_whole = True

    @lazy
    def calls(self) -> tuple[Call, ...]:
        """All calls, once no more are put into it."""
        return (*self.own, *itertools.chain.from_iterable(step.calls for step in self.steps.values()))

    def put(self, call: Call, path: Sequence[SpanKey] | None) -> None:
        """Put a call into it, behind the steps on the path to it; None for a path that is too long to be judged."""
        if path is None:
            self.is_whole = False
            return
        inside = self
        for key in path:
            inside = inside.steps.setdefault(key, Inside())
        inside.own.append(call)

    def sums(self, name: str, measure: Measure) -> frozenset[float]:
        """Return all sums that the run may state.

        Raises:
            Unknown: If one of the calls is not known, or there are too many sums.
        """
        if not self.is_whole:
            raise Unknown
        found = frozenset({0.0})
        for call in self.own:
            found = _added(found, measure(call, name))
        for step in self.steps.values():
            found = _added(found, step.sums(name, measure) | {0})
        return found

    def whole(self, name: str) -> float:
        """Return the sum over all calls by the bytes."""
        return sum(max(amount(call, name)) for call in self.calls)


def _added(sums: Iterable[float], more: Iterable[float]) -> frozenset[float]:
    more = tuple(more)
    found = frozenset(one + other for one in sums for other in more)
    if len(found) > _MOST_SUMS:
        raise Unknown
    return found


class Tree:
    """The runs of a trace, with the calls inside of each."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    @lazy
    def inside(self) -> dict[SpanKey, Inside]:
        """The calls inside of each run that counts tokens, by the key of its span."""
        found: dict[SpanKey, Inside] = {span.key: Inside() for span, _ in self._evidence.runs}
        for call in self._evidence.calls:
            for at, path in self._around(call, found.keys()).items():
                found[at].put(call, path)
        return found

    @lazy
    def _steps(self) -> frozenset[SpanKey]:
        return frozenset(span.key for span in self._evidence.beside if dialects.is_step(span))

    def _around(self, call: Call, runs: Container[SpanKey]) -> dict[SpanKey, list[SpanKey] | None]:
        """Return each run around a call with the steps between it and the call, the outermost first.

        The request may have been made in another span than that around the call's own, as with callbacks.
        """
        own, found = {span.key for span in call.spans}, dict[SpanKey, list[SpanKey] | None]()
        for start in (*(span.parent for span in call.spans), call.exchanges[0].ambient.span):
            passed: list[SpanKey] = []
            for around in self._evidence.lineage(start):
                if around.key in runs and around.key not in own:
                    found.setdefault(around.key, passed[::-1] if len(passed) <= _DEEPEST else None)
                if around.key in self._steps:
                    passed.append(around.key)
        return found

    def is_sure(self, span: SpanRecord) -> bool:
        """Tell whether the calls of a run are known: no other could have been made while it was open.

        A call in no run at all may have lost its context; an LLM span without an exchange may be of a call.
        """
        return not self._has_strays and not any(_is_open(span, exchange.started) for exchange in self._outside)

    @lazy
    def _has_strays(self) -> bool:
        return any(stray.reading.input_tokens and not stray.covers for stray in self._evidence.strays)

    @lazy
    def _outside(self) -> Sequence[Exchange]:
        """The requests of calls in no run, and those to APIs that are not read."""
        known = {id(call) for inside in self.inside.values() for call in inside.calls}
        calls = (call for call in self._evidence.calls if id(call) not in known)
        unread = (exchange for exchange in self._evidence.exchanges if wire.unread_api(exchange.request))
        return (*itertools.chain.from_iterable(call.exchanges for call in calls), *unread)

    def earlier(self, span: SpanRecord) -> Sequence[tuple[SpanRecord, Inside]]:
        """Return the runs of the same agent that were over when this one began, the last first."""
        runs = reversed(self._of_agent[span.name, span.scope])
        return [(one, self.inside[one.key]) for one in runs if one.ended is not None and one.ended < span.started]

    @lazy
    def _of_agent(self) -> Mapping[tuple[str, str], Sequence[SpanRecord]]:
        found: dict[tuple[str, str], list[SpanRecord]] = {}
        for span, _ in self._evidence.runs:
            found.setdefault((span.name, span.scope), []).append(span)
        return found


def _is_open(span: SpanRecord, tick: int) -> bool:
    return span.started <= tick and (span.ended is None or tick <= span.ended)
