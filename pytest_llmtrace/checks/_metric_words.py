"""How reports say what a metric measured of calls, and what the wire states of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._metric_scopes import Part
from pytest_llmtrace.checks._metric_shares import is_certain, is_count
from pytest_llmtrace.checks._words import first_of, place_of, place_of_exchange, said, shown
from pytest_llmtrace.model import Fact

__all__ = [
    "Measured",
    "calls_in_words",
    "of_model",
    "places_of_calls",
    "places_of_fact",
    "stated",
    "tokens_in_words",
]

_SHOWN = 3
"""How many calls of a finding are shown."""

_MOST = 8


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the points of one metric of one scope add up to.

    Attributes:
        count: How many measurements there are; None for a counter, which does not say.
        total: The sum of the measurements.
    """

    count: int | None
    total: float


def of_model(part: Part) -> str:
    """Name the model of a part; empty if the part is the whole scope."""
    return f" of {shown(part.model)}" if part.model else ""


# --- Tokens ----------------------------------------------------------------------------------------------------------


def _noun(fact: str) -> str:
    return fact.replace("_", " ")


def tokens_in_words(part: Part, fact: str, measured: Measured, *, is_mixed: bool) -> str:
    """Say what a metric measured of a count and, if that is a multiple or another count of these calls, say that."""
    if measured.count == 0:
        return f"{_noun(fact)}{of_model(part)}: nothing"
    times = "" if measured.count is None else f" in {counted(measured.count, 'measurement')}"
    nearest = "" if is_mixed else _nearest(part, fact, measured.total)
    return f"{_noun(fact)}{of_model(part)}: {_number(measured.total)}{times}{nearest}"


def _number(value: float) -> str:
    """Write a sum; a sum of costs without the digits that are only rounding errors of adding up."""
    return shown(float(f"{value:.12g}") if isinstance(value, float) else value)


def stated(part: Part, fact: str) -> str:
    """Say what the wire states of a count: for one call with its parts, for several calls as a sum."""
    facts = [one for _, one in _facts(part, fact)]
    if len(facts) == 1:
        return f"{_noun(fact)}{of_model(part)}: {said(facts[0], _noun(fact))}"
    of = f"{_noun(fact)} of {counted(len(facts or part.calls.accounts), 'call')}{of_model(part)}"
    if not facts:
        return f"{of}: not stated"
    values = [shown(one.value) for one in facts]
    added = " + ".join(values if len(values) <= _MOST else [*values[:_MOST], "..."])
    return f"{of}: {added} = {_number(_true(part, fact))}"


def _true(part: Part, fact: str) -> float:
    total: float = sum(one.value for _, one in _facts(part, fact))
    return total


def places_of_fact(parts: Sequence[Part], fact: str) -> Sequence[str]:
    """Name where the wire states a count."""
    facts = [found for part in parts for found in _facts(part, fact)]
    return first_of([*dict.fromkeys(place_of(one, account.exchange) for account, one in facts)], _SHOWN)


def _facts(part: Part, name: str) -> Iterator[tuple[Account, Fact]]:
    for account in part.calls.accounts:
        fact = account.answered.fact(name)
        if is_count(fact.value):
            yield account, fact


def _nearest(part: Part, fact: str, total: float) -> str:
    right = _true(part, fact)
    other = _OTHER.get(fact)
    if other and total == _true(part, other):
        return f", which is the count of {_noun(other)}"
    times = round(total / right) if right else 0
    if times > 1 and math.isclose(total, times * right, rel_tol=1e-9):
        return f", {times} times what the wire says"
    inside = [one for one in _INSIDE if fact == "input_tokens" and _true(part, one)]
    for some in (*([one] for one in inside), inside):
        number = sum(_true(part, one) for one in some)
        if number and abs(total - right) == number:
            what = " and ".join(map(_noun, some))
            how = f"without the {what}" if total < right else f"with the {what} counted twice"
            return f", {how}: {shown(number)}"
    return ""


_OTHER = {"input_tokens": "output_tokens", "output_tokens": "input_tokens"}
_INSIDE = ("cache_read_tokens", "cache_write_tokens")


# --- Calls -----------------------------------------------------------------------------------------------------------


def calls_in_words(part: Part) -> str:
    """Count the calls of a part."""
    calls = part.calls
    others = f", and {len(calls.others)} without a span of this scope" if calls.others else ""
    failed = sum(not is_certain(account) for account in calls.accounts)
    some = f", {failed} of which did not complete" if failed else ""
    number = counted(len(calls.accounts), "call") if calls.accounts else "no call"
    return f"{number}{of_model(part)}{some}{others}"


def places_of_calls(parts: Sequence[Part]) -> Sequence[str]:
    """Name the places of the answers to calls."""
    accounts = [account for part in parts for account in part.calls.accounts]
    return first_of([*dict.fromkeys(place_of_exchange(account.exchange) for account in accounts)], _SHOWN)
