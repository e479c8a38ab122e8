"""Do two numbers say the same? Counts exactly, measures as far as a single-precision float carries them."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

from pytest_llmtrace.checks._account import WHOLE, Account
from pytest_llmtrace.checks._compare import Difference
from pytest_llmtrace.checks._several import billed
from pytest_llmtrace.checks._words import place_of, said
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Fact, Reading, State

__all__ = ["count", "count_of_request", "derived_total", "measure", "sum_of_parts"]

# A single-precision float carries about seven digits; a number that passed through one is still right.
_PRECISION = 1e-6

_SUMMED = "the counts of several attempts are added up, but the attempts before the last were abandoned"
_OF_ONE = "the turn took several requests, each of which is billed, and this is the count of one of them"
_LEFT_OUT = {
    "input_tokens": "input counts include cached tokens (OTel GenAI, Anthropic); cost dashboards will be too low",
    "output_tokens": "output counts include reasoning tokens (OTel GenAI); cost dashboards will be too low",
}


def count(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare counts: exactly, 12.0 for 12; a count that adds up the attempts of a call is reported as that.

    The count of a span around several calls may be their sum: that the others have no span is reported with them. It
    may also be that of all iterations of Anthropic's API, where the wire's leaves out those that compact.

    The count of a turn that was continued is the sum of its requests' counts.
    """
    if is_number(mine.value) and mine.value == true.value:
        return None
    if not (is_number(mine.value) and is_number(true.value)):
        return Difference()
    if mine.value in (_sum_of_calls(true, account), billed(account.call, account.replies, true.name)):
        return None
    if account.replies:
        return _of_turn(mine, true, account)
    return (
        Difference(why=_SUMMED)
        if mine.value == _sum_of_attempts(true.name, account)
        else _apart_by(mine, true, account)
    )


def _apart_by(mine: Fact, true: Fact, account: Account) -> Difference:
    way = "low" if mine.value < true.value else "high"
    more = f"the count is too {way}{_by_what(mine, true.value, account)}"
    return Difference(more=more, follows=_wrong_parts(mine, true.value, account))


def _of_turn(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Judge a count of a turn that is not the sum over its requests."""
    each = [_stated(true.name, reply) or 0 for reply in account.replies]
    # If the last reply broke off, or its reader left, its count is unknown.
    is_whole = account.extent is WHOLE and account.answered.truncated is False
    if not is_whole and mine.value == sum(each[:-1]):
        return None
    difference = _apart_by(mine, true, account)
    return replace(difference, more="", why=_OF_ONE, next=_ADD_UP) if mine.value in each else difference


_ADD_UP = "add up the usage of all replies of the turn"


def _sum_of_attempts(name: str, account: Account) -> float | None:
    """Add up what the attempts of a call have stated; None if only one of them has stated anything."""
    facts = (truth.fact(name) for truth in account.call.truths)
    stated = [fact.value for fact in facts if fact.state is State.PRESENT and is_number(fact.value)]
    return sum(stated) if len(stated) > 1 else None


def _sum_of_calls(true: Fact, account: Account) -> float | None:
    """Add up what all calls inside of a span have stated; None if there is only one, or if one has stated nothing."""
    stated = [_stated(true.name, reading) for reading in account.beside]
    return sum(filter(None, stated), true.value) if stated and None not in stated else None


def _stated(name: str, reading: Reading) -> float | None:
    fact = reading.fact(name)
    if fact.state is State.PRESENT and is_number(fact.value):
        return fact.value
    parts = [_stated(part, reading) for part in _PARTS[name]] if name == "total_tokens" else [None]
    return None if None in parts else sum(filter(None, parts))


def count_of_request(mine: Fact, true: Fact, _account: Account) -> Difference | None:
    """Compare whole numbers that the request sets: exactly, 12.0 for 12."""
    return None if is_number(mine.value) and mine.value == true.value else Difference()


def sum_of_parts(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare counts that are sums on some wires; a count that is only the first part is reported as that."""
    difference = count(mine, true, account)
    if difference is not None and len(true.parts) > 1 and mine.value == _first_part(true.name, account):
        return replace(difference, why=_LEFT_OUT[true.name])
    return difference


def _first_part(name: str, account: Account) -> Any:
    """Return the input without cached tokens, or the output without reasoning: what such APIs state first."""
    facts = [reply.fact(name) for reply in account.replies or (account.answered,)]
    return sum(fact.parts[0][1] for fact in facts if fact.state is State.PRESENT)


def derived_total(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Judge a total that the wire does not state: it may be the sum of what the wire does state."""
    read, written = account.answered.fact("input_tokens"), account.answered.fact("output_tokens")
    if State.UNREADABLE in (read.state, written.state):
        return None
    if not mine.value and (read.state is not State.PRESENT or account.answered.error or account.answered.truncated):
        return None  # Nothing was counted.
    if read.state is not State.PRESENT:
        return Difference()
    both = [fact for fact in (read, written) if fact.state is State.PRESENT]
    total = sum(fact.value for fact in both)
    found = count(mine, Fact(name=true.name, value=total, state=State.PRESENT), account)
    if found is None:
        return None
    sums = "; ".join(said(fact, fact.name) for fact in both)
    places = dict.fromkeys(place_of(fact, account.exchange) for fact in both)
    return replace(found, wire=f"no total; {sums}; together {total}", where="\n".join(places))


# The counts that a count is the sum of, or contains.
_PARTS = {
    "total_tokens": ("input_tokens", "output_tokens"),
    "input_tokens": ("cache_read_tokens", "cache_write_tokens"),
    "output_tokens": ("reasoning_tokens",),
}


# The words for other counts of the wire, which a wrong count may be, or by which it may be too high or too low.
_WHOLES = {"input_tokens": "input", "output_tokens": "output", "total_tokens": "total"}
_KINDS = {
    "cache_read_tokens": "tokens read from a cache",
    "cache_write_tokens": "tokens written to a cache",
    "reasoning_tokens": "reasoning tokens",
}
_WITHIN = {**_PARTS, "total_tokens": (*_PARTS["input_tokens"], *_PARTS["output_tokens"])}


def _by_what(mine: Fact, true: float, account: Account) -> str:
    """Say which other count of the wire a wrong count is, or by which it differs; empty if there is none."""
    names = [name for name in (*_WHOLES, *_KINDS) if name != mine.name]
    others = {name: stated for name in names if (stated := _stated(name, account.answered))}
    apart = abs(_apart(mine.value, true))
    parts = [name for name in _WITHIN.get(mine.name, ()) if name in others]
    for number in range(1, len(parts) + 1 if 0 < apart < _MOST else 0):
        for some in itertools.combinations(parts, number):
            if sum(others[name] for name in some) == apart:
                return f" by {apart:,}, the number of {' and '.join(_KINDS[name] for name in some)}"
    same = next((name for name, stated in others.items() if stated == mine.value), None)
    if same in _WHOLES:
        return f": it is the {_WHOLES[same]} count"
    return f": it is the number of {_KINDS[same]}" if same in _KINDS and mine.name in _KINDS else ""


_MOST = 10**15


def _wrong_parts(mine: Fact, true: float, account: Account) -> tuple[str, ...]:
    """Name the checks of the parts of a count that are wrong by just as much as the count."""
    errors = {name: error for name in _PARTS.get(mine.name, ()) if (error := _error(name, account))}
    own = _apart(mine.value, true)
    for number in range(1, len(errors) + 1):
        for names in itertools.combinations(errors, number):
            if sum(errors[name] for name in names) == own:
                return tuple(f"wire/{name.replace('_', '-')}" for name in names)
    return ()


def _error(name: str, account: Account) -> int:
    """Return by how much a count of the span is too high; 0 where it cannot be told."""
    stated = account.stated.get(name)
    return _apart(stated[0].value, account.answered.fact(name).value) if stated else 0


def _apart(mine: Any, true: Any) -> int:
    """Subtract two counts as integers, since a hostile one overflows a float; 0 if one is not a whole number."""
    return int(mine) - int(true) if _is_whole(mine) and _is_whole(true) else 0


def _is_whole(value: Any) -> bool:
    return is_number(value) and (isinstance(value, int) or value.is_integer())


def measure(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare measures: temperatures, penalties, costs; a cost may be the sum over all calls inside of the span."""
    if not (is_number(mine.value) and is_number(true.value)):
        return Difference()
    together = _sum_of_calls(true, account) if account.beside and true.name == "cost" else None
    known = (true.value,) if together is None else (true.value, together)
    return None if any(_is_close(mine.value, number) for number in known) else Difference()


def _is_close(mine: float, true: float) -> bool:
    try:
        return math.isclose(mine, true, rel_tol=_PRECISION)
    except OverflowError:  # An integer too large for a float.
        return mine == true
