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
    title="A value that a span copies from the request or the response is the one there",
    why="whoever looks up how a call was set up, or how it was billed, reads a value that nobody stated",
    next="take it from the field of the request or the response that the attribute is named after, if that field is "
    "there",
    look=_copied,
    compares="Attributes that repeat a field unchanged, under the names that OTel GenAI and OpenLLMetry have for "
    "them: the service tier that was asked for and the one that served, the system fingerprint, the reasoning effort, "
    "and the encoding format of embeddings. Each is compared with its field of the request or the response; in a "
    "stream, the field of any event is right. Where the wire does not have the field, nothing is judged.",
    source="OTel GenAI, OpenAI: `openai.request.service_tier`, `openai.response.service_tier`, "
    "`openai.response.system_fingerprint`; client inference span: `gen_ai.request.reasoning.level`, "
    "`gen_ai.request.encoding_formats`",
)
