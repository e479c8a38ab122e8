"""What each call of a scope can have added to a metric, and whether some choice of that adds up to the metric.

A measurement does not say which call it is about. So a metric is certainly wrong only if no choice of what is possible
adds up to it. A call that succeeded and was read to its end was measured once, with what the wire states; a call that
failed, or has no span of the scope, may have been measured or not; a call whose counts are stated nowhere may have
added anything.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_llmtrace.checks._account import WHOLE, Account
from pytest_llmtrace.checks._failures import failure_of
from pytest_llmtrace.checks._metric_scopes import Scope
from pytest_llmtrace.checks._several import billed
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Call, Exchange, Fact, Reading, SpanKey, StreamEnd
from pytest_llmtrace.reading import PRESENT

__all__ = ["Share", "adds_up", "calls_of", "is_certain", "is_count", "tokens_of"]

Way = tuple[int, float]
"""How often a call was measured, and the sum of these measurements."""

_NOT: Way = (0, 0)
_MOST = 4096
"""How many possible sums are tried before a comparison is given up."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one call can have added to a metric.

    Attributes:
        ways: All that is possible; empty if anything is.
        most: How often the call can have been measured at most.
        kind: The kind of calls that an instrumentation measures alike, or not at all; None if the call is judged by
            itself, as one that has no span of the scope.
    """

    ways: frozenset[Way]
    most: int = 1
    kind: tuple[object, ...] | None = None

    @property
    def must(self) -> bool:
        """Whether the call must have been measured."""
        return bool(self.ways) and _NOT not in self.ways


def is_count(value: object) -> bool:
    """Tell whether a value is a number that can be added up: a hostile value is too large, or not a number at all."""
    return is_number(value) and isinstance(value, int | float) and abs(value) <= _LARGEST


_LARGEST = 2**63


def is_certain(account: Account) -> bool:
    """Tell whether a call certainly succeeded and was read to its end, and its span has ended."""
    read = account.extent is WHOLE and account.sure and account.exchange.response is not None
    answered = account.answered
    succeeded = answered.truncated is False and not answered.error and failure_of(account) is None
    return read and account.span.ended is not None and succeeded


def _kind_of(account: Account) -> tuple[object, ...]:
    """Return the kind of calls that an instrumentation measures alike: those of one API, streamed or not."""
    return account.answered.api, bool(account.answered.streaming)


def tokens_of(
    scope: Scope, name: str, *, as_told: bool = False, untold: Collection[SpanKey] = frozenset()
) -> list[Share]:
    """Return what each call can have added to a count of tokens.

    Args:
        scope: The scope, with its calls.
        name: The name of the count, as a fact.
        as_told: Whether the count that a span states is possible as well.
        untold: The spans whose calls may be left out as well, if the span does not state the count.
    """
    own = [
        _or_nothing(share) if account.span.key in untold and name not in account.stated else share
        for account in scope.accounts
        for share in (_tokens(scope, account, name, as_told=as_told),)
    ]
    return _as_seen(scope, [*own, *(_of_other(call, name) for call in scope.others)])


def calls_of(scope: Scope) -> list[Share]:
    """Return how often each call can have been counted; a call whose span took no time need not have been measured."""
    shares = [_counted(scope, account) for account in scope.accounts]
    for call in scope.others:
        most = len(call.exchanges)
        shares.append(Share(ways=frozenset((times, 0) for times in range(most + 1)), most=most))
    return _as_seen(scope, shares)


def _as_seen(scope: Scope, shares: list[Share]) -> list[Share]:
    """Return the shares; a meter that has another name than the tracer need not measure all calls with a span."""
    return shares if scope.name == scope.tracer else [_or_nothing(share) for share in shares]


def _counted(scope: Scope, account: Account) -> Share:
    span, most = account.span, scope.requests(account)
    ways = frozenset((times, 0) for times in range(1, most + 1))
    took_time = span.end_ns is not None and span.end_ns > span.start_ns
    must = is_certain(account) and took_time
    return Share(ways=ways if must else ways | {_NOT}, most=most, kind=_kind_of(account))


def _tokens(scope: Scope, account: Account, name: str, *, as_told: bool) -> Share:
    fact, most = account.answered.fact(name), scope.requests(account)
    told = [mine.value for mine in account.stated.get(name, ()) if is_count(mine.value)]
    values = _values(fact, account)
    if is_certain(account) and values and fact.value:
        ways = _measured((*values, *told) if as_told else values, most)
        return Share(ways=ways, most=most, kind=_kind_of(account))
    # If the wire states no cost, the metric's is computed from some price list, and the span's may be rounded.
    if name == "cost" and not values and not account.answered.error:
        return Share(ways=frozenset(), most=most)
    # If it is unknown what the client has seen, or if the wire counts nothing, the span's count is as good as the
    # wire's. A span that states none leaves anything possible.
    if not told and (not _is_whole(account) or _may_be_estimated(account.answered, fact, account.exchange)):
        return Share(ways=frozenset(), most=most)
    return Share(ways=_measured((0, *values, *told), most) | {_NOT}, most=most, kind=_kind_of(account))


def _or_nothing(share: Share) -> Share:
    return replace(share, ways=share.ways | {_NOT}) if share.ways else share


def _measured(values: Iterable[float], most: int) -> frozenset[Way]:
    return frozenset((times, value) for value in values for times in range(1, most + 1))


def _is_whole(account: Account) -> bool:
    return account.extent is WHOLE and account.sure


def _may_be_estimated(answered: Reading, fact: Fact, exchange: Exchange) -> bool:
    """Tell whether a call has tokens that the wire does not count: conventions let instrumentations count them then."""
    if is_count(fact.value) or answered.error or exchange.response is None:
        return False
    return not (answered.api == "embeddings" and fact.name == "output_tokens")


def _values(fact: Fact, account: Account) -> list[float]:
    """Return the possible values of a call: its last attempt's, also with attempts before, calls inside, or both."""
    if fact.state is not PRESENT or not is_count(fact.value):
        return []
    before = 0 if account.replies else sum(_stated(truth, fact.name) for truth in account.call.truths[:-1])
    inside = sum(_stated(truth, fact.name) for truth in account.beside)
    every = billed(account.call, account.replies, fact.name) or fact.value
    return [fact.value, every, *(fact.value + more for more in (before, inside, before + inside) if more)]


def _of_other(call: Call, name: str) -> Share:
    most = len(call.exchanges)
    if not call.truths:
        return Share(ways=frozenset(), most=most)
    truth, last = call.truth, call.exchanges[-1]
    fact, value = truth.fact(name), _stated(truth, name)
    is_read = last.stream_end is StreamEnd.EXHAUSTED and truth.truncated is False
    if _may_be_estimated(truth, fact, last) or (value and not is_read):
        return Share(ways=frozenset(), most=most)
    before = sum(_stated(earlier, name) for earlier in call.truths[:-1])
    ways = _measured((0, value, value + before), most) | {_NOT}
    # A span around several calls may include this call's tokens in its own measurement.
    return Share(ways=ways | {(0, value)} if call.inside else ways, most=most)


def _stated(truth: Reading, name: str) -> float:
    fact = truth.fact(name)
    return fact.value if fact.state is PRESENT and is_count(fact.value) else 0


def adds_up(shares: Sequence[Share], count: int | None, total: float, *, leaving_out: bool = False) -> bool | None:
    """Tell whether some choice of what is possible adds up to what a metric says; None if too many are possible.

    Args:
        shares: What each call can have added.
        count: How many measurements the metric has; None if it does not say.
        total: The sum of the measurements.
        leaving_out: Whether calls that are certain may be missing one by one, not only all calls of a kind together.
    """
    if not all(share.ways for share in shares):
        return count is None or count <= sum(share.most for share in shares)
    kinds: dict[object, list[Share]] = {}
    for index, share in enumerate(shares):
        kinds.setdefault(index if leaving_out or share.kind is None else share.kind, []).append(share)
    reached: set[Way] = {_NOT}
    for alike in kinds.values():
        together = _sums({_NOT}, alike)
        # An instrumentation that measures no calls of a kind has not left any of them out.
        if alike[0].kind is not None:
            together = together | {_NOT}
        reached = _added(reached, together)
        if len(reached) > _MOST:
            return None if _is_within_reach(shares, count, total) else False
    return any(_is_sum(total, of) and count in (None, times) for times, of in reached)


def _is_sum(total: float, of: float) -> bool:
    """Compare two sums: counts exactly, costs to within a millionth, as costs on spans are compared."""
    is_whole = isinstance(of, int) or float(of).is_integer()
    return total == of or (not is_whole and math.isclose(total, of, rel_tol=1e-6))


def _is_within_reach(shares: Sequence[Share], count: int | None, total: float) -> bool:
    """Tell whether a metric says no more than all calls can have added."""
    highest = sum(max(0, *(of for _, of in share.ways)) for share in shares)
    return (total <= highest or _is_sum(total, highest)) and (
        count is None or count <= sum(share.most for share in shares)
    )


def _sums(reached: set[Way], shares: Iterable[Share]) -> set[Way]:
    for share in shares:
        reached = _added(reached, share.ways)
        if len(reached) > _MOST:
            break
    return reached


def _added(some: Iterable[Way], others: Iterable[Way]) -> set[Way]:
    others = tuple(others)
    return {(times + more, of + besides) for times, of in some for more, besides in others}
