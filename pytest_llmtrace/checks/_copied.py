"""Do values that a span copies unchanged from the request or the response stand there?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_llmtrace import wire
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._words import place_of_exchange, shown
from pytest_llmtrace.model import Finding

__all__ = ["COPIED"]


class _Source(NamedTuple):
    """Where the value of an attribute is copied from: one of these fields, of the request or of the response."""

    fields: tuple[str, ...]
    asked: bool


_TIER_ASKED = _Source(("service_tier",), asked=True)
_TIER = _Source(("service_tier",), asked=False)
_FINGERPRINT = _Source(("system_fingerprint",), asked=False)
_EFFORT = _Source(("reasoning.effort", "reasoning_effort", "output_config.effort"), asked=True)
_ENCODING = _Source(("encoding_format",), asked=True)

_SOURCES: Mapping[str, _Source] = {
    "openai.request.service_tier": _TIER_ASKED,
    "gen_ai.openai.request.service_tier": _TIER_ASKED,
    "openai.response.service_tier": _TIER,
    "gen_ai.openai.response.service_tier": _TIER,
    "openai.response.system_fingerprint": _FINGERPRINT,
    "gen_ai.openai.response.system_fingerprint": _FINGERPRINT,
    "gen_ai.openai.system_fingerprint": _FINGERPRINT,
    "gen_ai.request.reasoning.level": _EFFORT,
    "gen_ai.request.reasoning_effort": _EFFORT,
    "gen_ai.request.encoding_formats": _ENCODING,
}


def _copied(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.accounts:
        attributes = account.span.attributes
        yield from (_judged(check, account, name) for name in _SOURCES if name in attributes)


def _judged(check: Check, account: Account, attribute: str) -> Finding | None:
    mine = account.span.attributes[attribute]
    values = mine if isinstance(mine, tuple | list) else (mine,)
    source = _SOURCES[attribute]
    stands = _asked(account, source) if source.asked else _answered(account, source)
    if not stands or all(not isinstance(value, str) or value in stands for value in values):
        return None
    value, where = next(iter(stands.items()))
    return check.finding(
        account.span, ("span", f"{attribute} = {shown(mine)}"), ("wire", f"{where[0]} = {shown(value)}\n{where[1]}")
    )


def _asked(account: Account, source: _Source) -> dict[Any, tuple[str, str]]:
    """Return the texts that the requests have in these fields, the last attempt first, each with field and place."""
    return {
        value: (field, f"{place_of_exchange(exchange)}, request body")
        for exchange in reversed(account.call.exchanges)
        for field in source.fields
        if isinstance(value := wire.asked_with(exchange.request, field), str)
    }


def _answered(account: Account, source: _Source) -> dict[Any, tuple[str, str]]:
    exchange = account.exchange
    return {
        value: (field, f"{place_of_exchange(exchange)}, {where}")
        for field in source.fields
        for value, where in wire.answered_with(exchange, field).items()
    }


COPIED = Check(
    id="wire/copied",
    title="What a span copies from the wire stands there",
    why="whoever asks what a call was given, and what it was billed as, is told what was not said",
    next="take it from the field of the request or the response that its name says, when that is there",
    look=_copied,
    compares="The service tier that was asked for and that which served, the fingerprint of the system, the effort of "
    "reasoning, and the encoding of embeddings, under the names that OTel GenAI and OpenLLMetry have for them, with "
    "that field of the request or the response, as it stands there; of a stream with that of any event. Where the wire "
    "has no such field, nothing is judged.",
    source="OTel GenAI, OpenAI: `openai.request.service_tier`, `openai.response.service_tier`, "
    "`openai.response.system_fingerprint`; client inference span: `gen_ai.request.reasoning.level`, "
    "`gen_ai.request.encoding_formats`",
)
