"""Read the facts in the headers of a response, such as the request id, the provider and rate limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple

from pytest_llmtrace.wire._document import Document
from pytest_llmtrace.wire._facts import MISSING, Facts, Misfit, Spot, placed, shown, text

__all__ = ["state_headers", "state_provider"]

_WHERE = "response headers"
_FACTS = ("request_id", "served_model", "retry_after", "rate_limit")
_LIMITS = ("x-ratelimit-", "anthropic-ratelimit-", "ratelimit")
# By preference: the names of OpenAI, Anthropic (first for Anthropic's own API), Azure, AWS, Mistral and LiteLLM.
_REQUEST_IDS = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "mistral-correlation-id",
    "x-litellm-call-id",
)
_ANTHROPIC_IDS = ("request-id", *_REQUEST_IDS)
_PROVIDERS = ("x-inference-provider", "x-portkey-provider")  # Hugging Face router, Portkey
_RETRIES = ("retry-after-ms", "retry-after")
_SERVED = ("x-litellm-model-name",)


def state_headers(facts: Facts, headers: Mapping[str, str], api: str) -> None:
    """State the facts in the headers of a response."""
    facts.expect(_FACTS, _WHERE)
    there = _there(tuple(headers), _ANTHROPIC_IDS if api == "messages" else _REQUEST_IDS)
    if there.ids:
        facts.take("request_id", text, _spots(headers, there.ids))
    if there.served:
        facts.take("served_model", text, _spots(headers, there.served))
    if there.retries:
        _state_retry(facts, headers)
    if there.limits:
        limits = {name: headers[name] for name in there.limits}
        facts.put("rate_limit", limits, tuple(limits.items()), _WHERE)


class _There(NamedTuple):
    """The names of the response's headers that state a fact, one field for each fact."""

    ids: tuple[str, ...]
    served: tuple[str, ...]
    retries: tuple[str, ...]
    limits: tuple[str, ...]


@lru_cache(maxsize=256)
def _there(names: tuple[str, ...], ids: tuple[str, ...]) -> _There:
    """Return which headers state a fact. Cached: most responses have the same headers as an earlier one."""
    return _There(
        ids=tuple(name for name in ids if name in names),
        served=tuple(name for name in _SERVED if name in names),
        retries=tuple(name for name in _RETRIES if name in names),
        limits=tuple(name for name in names if name.startswith(_LIMITS)),
    )


def state_provider(facts: Facts, document: Document, headers: Mapping[str, str]) -> None:
    """State the provider that served the call, as the body or a header names it."""
    if "provider" in document.body or not headers.keys().isdisjoint(_PROVIDERS):
        facts.take("provider", text, [document.spot("provider"), *_spots(headers, _PROVIDERS)])
    else:
        facts.absent("provider", document.where)


def _spots(headers: Mapping[str, str], names: tuple[str, ...]) -> list[Spot]:
    return [placed((headers.get(name) or MISSING, name, _WHERE)) for name in names]


def _state_retry(facts: Facts, headers: Mapping[str, str]) -> None:
    def seconds(value: Any) -> float:
        return _seconds(value, headers.get("date", ""))

    [exact, usual] = _spots(headers, _RETRIES)
    if exact.value is not MISSING:
        facts.take("retry_after", _milliseconds, [exact])
    else:
        facts.take("retry_after", seconds, [usual])


def _milliseconds(value: str) -> float:
    return _duration(value) / 1000


def _seconds(value: str, now: str) -> float:
    """Return the seconds in RFC 9110's Retry-After: a number, or a date, counted from the response's own date."""
    date = _date(value)
    if date is None:
        return _duration(value)
    since = _date(now)
    if since is None:
        raise Misfit(f"{shown(value)} is a date, but the response has no date of its own to count from", value)
    return max(0.0, (date - since).total_seconds())


def _duration(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise Misfit(f"{shown(value)} is not a time to wait", value)
    return seconds


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.astimezone()
