"""What one span says about one call, beside what the bytes say, and how much of the call the span can know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from pytest_llmtrace import wire
from pytest_llmtrace._quick import quick
from pytest_llmtrace.checks._said import counts
from pytest_llmtrace.checks._several import Several, shared_by
from pytest_llmtrace.checks._whole import stated_whole
from pytest_llmtrace.model import LOWEST_ERROR, Call, Exchange, Fact, Outcome, Reading, SpanKey, SpanRecord, StreamEnd
from pytest_llmtrace.reading import PRESENT

__all__ = ["WHOLE", "Account", "Extent", "accounts", "has_answer", "is_odd", "was_stopped"]


@quick
class Extent(StrEnum):
    """How much of the response the client has read, as far as a comparison with the span may rely on it."""

    WHOLE = "whole"  # all of it, whether cut or complete: the span can know whatever the bytes say
    BEGUN = "begun"  # it stopped before the end: the span can know what the first event fixed
    UNKNOWN = "unknown"  # the end arrived in one block with what was before it, and may not have been looked at


WHOLE = Extent.WHOLE


class Account(NamedTuple):
    """One span's account of one call. It is a tuple for speed, as a `Fact`: there is one for each span of each call.

    Attributes:
        call: The call; if it is a turn that was continued, all of the turn's calls as one.
        span: The span that describes the call.
        reading: What the span says.
        stated: The facts that are present on the span, by name, each with all its places.
        whole: The facts that a request and a reply state which stand whole on the span, if these are not just those of
            the wire. They are compared, but do not stand for an attribute that is missing.
        is_clear: Whether `stated` has all that the span says: no fact is null, or cannot be read.
        asked: What the first attempt's bytes say: the request's facts are taken from it.
        answered: What the last attempt's bytes say: the attempt that counts; what all replies of a turn say.
        exchange: The last attempt.
        extent: How much of the response the span can know.
        sure: Whether the extent is known from the bytes, and not from the finish reason that the span states.
        beside: What the bytes say of the other calls inside the span whose tokens no span of their own counts.
        of_scope: All spans of the span's scope that describe calls.
        replies: What the bytes of each reply say, if the call is a turn that was continued.
    """

    call: Call
    span: SpanRecord
    reading: Reading
    stated: Mapping[str, list[Fact]]
    whole: Mapping[str, list[Fact]]
    is_clear: bool
    asked: Reading
    answered: Reading
    exchange: Exchange
    extent: Extent
    sure: bool = True
    beside: Sequence[Reading] = ()
    of_scope: Sequence[SpanRecord] = ()
    replies: Sequence[Reading] = ()

    def places(self, name: str) -> Sequence[Fact]:
        """Return the places in which the span states a fact that it is known to state, its own attributes first."""
        return self.stated.get(name) or self.whole[name]

    def asked_later(self, name: str) -> Iterator[Fact]:
        """Yield the values that a fact of the request has in the last attempt, and as the response repeats it.

        A span may state these, too: a fallback asks for another model, and whoever sees the response alone, as
        processors of an agent's own traces do, knows the request only from what the response repeats.
        """
        last = self.answered.fact(name)
        if last.state is PRESENT:
            yield last
        yield from (fact for fact in self.answered.others if fact.name == name)

    def answered_in_parts(self, name: str) -> Iterator[Any]:
        """Yield the values that a field of the answer has, in each event of a stream.

        A span may state any: Groq's last chunk may have another id and model than the first, and clients keep either.
        """
        return (said.get(name) for said, _ in wire.answers(self.exchange.response))


def accounts(calls: Iterable[Call]) -> tuple[Account, ...]:
    """Return the accounts of the spans of all calls; a call that was refused or cannot be read has none."""
    calls = tuple(calls)
    beside: dict[SpanKey, list[Reading]] = {}
    of_scopes: dict[str, list[SpanRecord]] = {}
    for call in calls:
        for key in () if any(map(counts, call.readings)) else call.inside:
            beside.setdefault(key, []).append(call.truth)
        for span in call.spans:
            of_scopes.setdefault(span.scope, []).append(span)
    shared = shared_by(calls)
    return tuple([account for call in calls for account in _accounts(call, beside, of_scopes, shared)])


def _accounts(
    call: Call,
    beside: Mapping[SpanKey, Sequence[Reading]],
    of_scopes: Mapping[str, Sequence[SpanRecord]],
    shared: Mapping[SpanKey, Several],
) -> Iterator[Account]:
    exchange = call.exchanges[-1]
    if not call.truths or exchange.outcome is Outcome.REFUSED:
        return
    last = call.truths[-1]
    how_far = _extent(exchange, last)
    unknown = how_far is Extent.UNKNOWN
    for span, reading in zip(call.spans, call.readings, strict=True):
        several = shared.get(span.key)
        if several is not None and several.spokesman is not call:
            continue
        told = call if several is None else several.call
        # A finish reason comes at the end: a span that states one has seen all of the response.
        stated = _stated(reading)
        seen = unknown and bool(reading.finish_reasons or reading.finish_reason)
        yield Account(
            call=told,
            span=span,
            reading=reading,
            stated=stated,
            whole=stated_whole(span, told),
            is_clear=len(stated) == len(reading.facts) and all(fact.state is PRESENT for fact in reading.others),
            asked=told.truths[0],
            answered=last if several is None else several.answered,
            exchange=exchange,
            extent=WHOLE if seen else how_far,
            sure=not seen,
            beside=beside.get(span.key, ()),
            of_scope=of_scopes[span.scope],
            replies=() if several is None else several.replies,
        )


def _stated(reading: Reading) -> dict[str, list[Fact]]:
    stated = {name: [fact] for name, fact in reading.facts.items() if fact.state is PRESENT}
    for fact in reading.others:
        if fact.state is PRESENT:
            stated.setdefault(fact.name, []).append(fact)
    return stated


def is_odd(account: Account) -> bool:
    """Tell whether a call did not go as most do: it failed, was cut or stopped, was timed, or has unclear facts."""
    exchange, answered = account.exchange, account.answered
    failed = exchange.failure is not None or exchange.unparsed is not None or answered.error
    if failed or exchange.response is None or exchange.response.status >= LOWEST_ERROR:
        return True
    return exchange.timed or answered.truncated is not False or not account.is_clear


def has_answer(answered: Reading) -> bool:
    """Tell whether every choice that was asked for has a finish reason, whatever was still to follow."""
    reasons = answered.finish_reasons or ()
    return all(reasons) and len(reasons) >= (answered.choice_count or 1)


def was_stopped(exchange: Exchange) -> bool:
    """Tell whether the application itself stopped an exchange: a task was cancelled, a generator closed."""
    return exchange.failure is not None and exchange.failure.partition(":")[0] in _STOPS


_STOPS = frozenset({"CancelledError", "Cancelled", "GeneratorExit", "KeyboardInterrupt", "SystemExit"})


def _extent(exchange: Exchange, answered: Reading) -> Extent:
    if was_stopped(exchange):
        return Extent.BEGUN
    if exchange.stream_end is StreamEnd.FAILED or exchange.response is None:
        return Extent.WHOLE if exchange.ended is not None else Extent.BEGUN
    ended = exchange.stream_end is StreamEnd.EXHAUSTED
    if not ended and answered.truncated is not False and not has_answer(answered):
        return Extent.BEGUN
    # Our own player calls a body exhausted when it has handed out the last chunk, whether or not the client read that.
    if not answered.streaming or (ended and exchange.outcome is not Outcome.ANSWERED):
        return WHOLE
    if _is_one_event(exchange.response.chunks):
        return WHOLE
    return Extent.UNKNOWN


def _is_one_event(chunks: tuple[bytes, ...]) -> bool:
    last = chunks[-1].strip() if chunks else b""
    return b"\n\n" not in last and b"\r\n\r\n" not in last
