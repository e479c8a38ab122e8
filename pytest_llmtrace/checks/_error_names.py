"""Which HTTP statuses the classes of the SDKs' errors stand for, and what a span may therefore say."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._adapted import is_of_sdk
from pytest_llmtrace.checks._failures import CallFailure
from pytest_llmtrace.model import LOWEST_ERROR, Exchange

__all__ = ["came_from_nothing", "is_of_attempt", "is_of_other_status", "others_failed"]

_CLIENT = frozenset(range(LOWEST_ERROR, 500))

# Class of OpenAI's and Anthropic's SDKs -> the statuses for which it may be raised. Classes that only one of them has,
# or only some of their versions, are left out. Frameworks use `BadRequestError` for more than status 400.
_STATUSES: Mapping[str, frozenset[int]] = {
    "APITimeoutError": frozenset({408, 504, 522, 524}),
    "AuthenticationError": frozenset({401, 403, 407}),
    "BadRequestError": _CLIENT - {401, 429},
    "ConflictError": frozenset({409}),
    "InternalServerError": frozenset(range(500, 600)),
    "NotFoundError": frozenset({404, 410}),
    "PermissionDeniedError": frozenset({401, 403}),
    "RateLimitError": frozenset({429}),
    "UnprocessableEntityError": frozenset({422}),
    # A client may run out of time between two attempts, but not after a status at which it makes no other.
    "timeout": frozenset(range(LOWEST_ERROR, 600)) - {400, 401, 403, 404, 413, 422},
}
_ANSWERS = frozenset(_STATUSES) - {"APITimeoutError", "timeout"}
"""The classes that are raised only for a response."""

_MODULES = frozenset({"anthropic", "openai"})
_LIMITED = re.compile(r"rate|limit|quota|throttl|overload|capacity|exhaust|too many", re.IGNORECASE)
"""How providers speak of a limit in an error with another status than 429."""


def is_of_other_status(name: str, failure: CallFailure, account: Account, exchanges: Sequence[Exchange]) -> bool | None:
    """Tell whether an error's class is one that its SDK does not raise for the status that came.

    Args:
        name: The class on the span, perhaps with its module.
        failure: How the call failed.
        account: The span and its call.
        exchanges: All exchanges of the trace, in the order of their requests: the error may be that of another call of
            the same span.

    Returns:
        The answer; `None` if that cannot be known, as of a class that is not one of an SDK's, or of an application's
        own span, whose error may be its own.
    """
    word = _class_of(name, account)
    response = account.exchange.response
    if word is None or response is None or response.status < LOWEST_ERROR:
        return None
    statuses = {response.status, *(int(code) for code in failure.codes if code.isdecimal())}
    statuses.update(_around(account, exchanges))
    if _UNKNOWN in statuses or (word == "RateLimitError" and _LIMITED.search(failure.words)):
        return None
    return statuses.isdisjoint(_STATUSES[word])


def came_from_nothing(name: str, account: Account, exchanges: Sequence[Exchange]) -> bool:
    """Tell whether a span of an SDK's instrumentation has an error for a response although none failed."""
    if not is_of_sdk(account) or _class_of(name, account) not in _ANSWERS or account.answered.truncated is not False:
        return False
    response = account.exchange.response
    statuses = {response.status if response is not None else _UNKNOWN, *_around(account, exchanges)}
    return _UNKNOWN not in statuses and max(statuses) < LOWEST_ERROR


def others_failed(account: Account, exchanges: Sequence[Exchange]) -> bool:
    """Tell whether another call failed while the span was open: its error may be on the span."""
    return any(status == _UNKNOWN or status >= LOWEST_ERROR for status in _around(account, exchanges))


def is_of_attempt(name: str, exchange: Exchange) -> bool:
    """Tell whether a class or a code is one that an SDK's error has for an attempt that failed."""
    word = name.rpartition(".")[2]
    if exchange.response is None or exchange.failure is not None:
        return word in _OF_TRANSPORT
    status = exchange.response.status
    return status >= LOWEST_ERROR and (word == str(status) or (word in _ANSWERS and status in _STATUSES[word]))


_OF_TRANSPORT = frozenset({"APIConnectionError", "APITimeoutError"})


def _class_of(name: str, account: Account) -> str | None:
    """Return the class of an SDK's error that a name certainly means; `None` if it may be somebody else's."""
    module, _, word = name.rpartition(".")
    is_sure = module.partition(".")[0] in _MODULES if module else is_of_sdk(account)
    return word if is_sure and word in _STATUSES else None


_UNKNOWN = 0
"""Stands for the status of an exchange that had no response."""


_STARTED = attrgetter("started")


def _around(account: Account, exchanges: Sequence[Exchange]) -> Iterator[int]:
    """Yield the statuses of the exchanges of other calls that were made while the span was open."""
    span, own = account.span, {exchange.index for exchange in account.call.exchanges}
    first = bisect_left(exchanges, span.started, key=_STARTED)
    last = bisect_right(exchanges, span.ended or span.started, key=_STARTED)
    for exchange in exchanges[first:last]:
        if exchange.index not in own:
            yield exchange.response.status if exchange.response is not None else _UNKNOWN
