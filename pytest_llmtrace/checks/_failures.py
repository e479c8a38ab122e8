"""How calls went wrong, by what their bytes say and by what the transport raised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace.checks._account import Account, Extent, was_stopped
from pytest_llmtrace.checks._words import error_in_words, place_of, place_of_exchange, shown
from pytest_llmtrace.model import LOWEST_ERROR, Exchange, Fact, Response

__all__ = ["CallFailure", "failure_of", "failures"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CallFailure:
    """How a call failed: in words, where that stands, why a span may hide it, and the codes that name the failure."""

    words: str
    where: str
    hidden_by: str = ""
    codes: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.words}\n{self.where}"


_IN_BODY = (
    "the SDK returns an empty answer for an error inside a 200 and raises nothing, so the span looks like a success "
    "that said nothing"
)
_IN_STREAM = "the answer broke off with an error after the response had begun as a 200; the span looks like a success"
_AT_EVENT = "the client raised in the middle of the answer; the span looks like a success"
_IN_TRANSPORT = "no complete answer arrived, and the span looks like a success"


def failure_of(account: Account) -> CallFailure | None:
    """Return how the last attempt of a call failed; None if it did not."""
    exchange = account.exchange
    if exchange.failure is not None and not was_stopped(exchange) and not _is_done(exchange):
        return CallFailure(words=shown(exchange.failure), where=place_of_exchange(exchange), hidden_by=_IN_TRANSPORT)
    response, error = exchange.response, account.answered.facts.get("error")
    if response is None:
        return None
    if exchange.unparsed is not None and (unread := _unread_event(exchange, response, exchange.unparsed)) is not None:
        return unread
    if response.status < LOWEST_ERROR and (error is None or not error.value):
        return None
    return _stated(account, response.status, error or Fact(name="error"))


def _is_done(exchange: Exchange) -> bool:
    """Tell whether the answer was complete already: an SDK may raise as it drains its connection for the next call."""
    return exchange.response is not None and wire.is_done(exchange.response)


def _unread_event(exchange: Exchange, response: Response, unparsed: str) -> CallFailure | None:
    """Return the failure at the event that the client could not parse, and at which it gave up the stream, if any."""
    if (event := wire.place_of_event(exchange, unparsed)) is None:
        return None
    words = f"{response.status}, then an event that is not JSON, at which the client gave up"
    return CallFailure(words=words, where=f"{place_of_exchange(exchange)}, {event}", hidden_by=_AT_EVENT)


def _stated(account: Account, status: int, error: Fact) -> CallFailure | None:
    """Return the error that a response states, if any: by its status, in its body, or in mid-stream."""
    stated, where = error.value if isinstance(error.value, Mapping) else {}, place_of(error, account.exchange)
    if status >= LOWEST_ERROR:
        words = error_in_words({"status": status, **{k: v for k, v in stated.items() if k != "status"}})
        return CallFailure(words=words, where=where, codes=_codes(stated, status))
    if not stated or account.extent is Extent.UNKNOWN:
        return None
    streamed = account.answered.streaming
    words = f"{status}, then {error_in_words(stated)}" if streamed else f"{status} with {error_in_words(stated)}"
    return CallFailure(
        words=words, where=where, hidden_by=_IN_STREAM if streamed else _IN_BODY, codes=_codes(stated, None)
    )


def _codes(error: Mapping[str, Any], status: int | None) -> frozenset[str]:
    found = (status, error.get("status"), error.get("code"))
    return frozenset(str(code) for code in found if isinstance(code, int | str))


def failures(accounts: Iterable[Account]) -> tuple[tuple[Account, CallFailure], ...]:
    """Return the ended spans whose call failed, with the failure; structure/span-never-ended reports open ones."""
    ended = [account for account in accounts if account.span.ended is not None]
    return tuple([(account, failure) for account in ended if (failure := failure_of(account)) is not None])
