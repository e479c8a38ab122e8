"""Usage objects, of all flavours, and what a call cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_llmtrace.wire._document import Document, where_of
from pytest_llmtrace.wire._facts import MISSING, Facts, Misfit, Spot, count, number, shown

__all__ = ["anthropic_tokens", "openai_tokens", "state_cost"]

# Fact -> where it may stand in a usage object, the first that says something counts. OpenAI's names of both
# generations (chat, responses), then those of others:
_OPENAI: dict[str, tuple[tuple[str, ...], ...]] = {
    "input_tokens": (("prompt_tokens",), ("input_tokens",)),
    "output_tokens": (("completion_tokens",), ("output_tokens",)),
    "total_tokens": (("total_tokens",),),
    "cache_read_tokens": (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("cached_tokens",),  # Together
        ("prompt_cache_hit_tokens",),  # DeepSeek
        ("num_cached_tokens",),  # Mistral
        ("cache_read_input_tokens",),  # LiteLLM, of Anthropic's models
    ),
    "cache_write_tokens": (
        ("prompt_tokens_details", "cache_write_tokens"),
        ("input_tokens_details", "cache_write_tokens"),
        ("prompt_tokens_details", "cache_creation_tokens"),  # LiteLLM
        ("cache_creation_input_tokens",),  # LiteLLM, of Anthropic's models
    ),
    "reasoning_tokens": (
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
        ("reasoning_tokens",),
    ),
    "input_audio_tokens": (("prompt_tokens_details", "audio_tokens"), ("input_tokens_details", "audio_tokens")),
    "output_audio_tokens": (
        ("completion_tokens_details", "audio_tokens"),
        ("output_tokens_details", "audio_tokens"),
    ),
}
_ANTHROPIC: dict[str, tuple[str, ...]] = {
    "output_tokens": ("output_tokens",),
    "cache_read_tokens": ("cache_read_input_tokens",),
    "cache_write_tokens": ("cache_creation_input_tokens",),
    "reasoning_tokens": ("output_tokens_details", "thinking_tokens"),
}
_COST = (("cost",), ("pydantic_ai_gateway", "cost_estimate"))  # OpenRouter and Anannas, Pydantic gateway
_HEADS = {name: frozenset(path[0] for path in paths) for name, paths in {**_OPENAI, "cost": _COST}.items()}
_COST_HEADER = "x-litellm-response-cost"
_ANTHROPIC_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def openai_tokens(facts: Facts, document: Document) -> None:
    """State the token counts of an OpenAI-shaped usage object, as they stand there."""
    usage = document.spot("usage")
    facts.expect(_OPENAI, usage.where)
    for name, paths in _OPENAI.items():
        if not _lacks(usage.value, _HEADS[name]):
            facts.take(name, count, _spots(usage, paths))


def anthropic_tokens(facts: Facts, document: Document) -> None:
    """State the token counts of an Anthropic usage object, of which a stream gives parts in several events."""
    usage = document.spot("usage")
    facts.expect(_OPENAI, usage.where)
    for name, path in _ANTHROPIC.items():
        if not _lacks(usage.value, path[:1]):
            facts.take(name, count, [_spot(_holder(document, usage, path[0]), path)])
    _anthropic_input(facts, document, usage)


def _anthropic_input(facts: Facts, document: Document, usage: Spot) -> None:
    """State what the model read: `input_tokens` leaves out what was read from a cache or written to one."""
    spots = [_spot(_holder(document, usage, key), (key,)) for key in _ANTHROPIC_INPUT]
    there = [spot for spot in spots if spot.value is not MISSING and spot.value is not None]
    try:
        total = sum(count(spot.value) for spot in there)
    except Misfit:
        facts.take("input_tokens", count, [next(spot for spot in there if _misfit(spot.value))])
        return
    if spots[0] not in there:
        facts.take("input_tokens", count, spots[:1])
        return
    # The prefix that they share is said once.
    parts = [(spot.key if spot is there[0] else spot.key.rpartition(".")[2], spot.value) for spot in there]
    numbers = [
        document.fields[name][1]
        for spot in there
        if (name := f"usage.{spot.key.rpartition('.')[2]}") in document.fields
    ]
    where = where_of(*numbers) if numbers else usage.where
    facts.put("input_tokens", total, tuple(parts), where)


def _misfit(value: Any) -> bool:
    try:
        count(value)
    except Misfit:
        return True
    return False


def _holder(document: Document, usage: Spot, key: str) -> Spot:
    """Return the usage object as of the event that said this field of it."""
    field = document.fields.get(f"usage.{key}") if document.streamed else None
    return usage if field is None else Spot(usage.value, f"{field[0]}usage", where_of(field[1]))


def _lacks(usage: Any, fields: Iterable[str]) -> bool:
    """Tell whether a usage object has none of some fields: each flavour has few of those of all."""
    return usage is MISSING or (isinstance(usage, dict) and usage.keys().isdisjoint(fields))


def _spots(usage: Spot, paths: tuple[tuple[str, ...], ...]) -> Iterator[Spot]:
    for path in paths:
        yield _spot(usage, path)


def _spot(usage: Spot, path: tuple[str, ...]) -> Spot:
    """Look up a field of the usage object, by its path in there."""
    value, key, where = usage
    for step in path:
        if value is MISSING or value is None:
            break
        if not isinstance(value, dict):
            value = Misfit(f"{shown(value)} is no object of counts", value)
            break
        value = value.get(step, MISSING)
    if value is MISSING:
        return Spot(value, "", where)
    return Spot(value, f"{key}.{'.'.join(path)}", where)


def state_cost(facts: Facts, document: Document, headers: Mapping[str, str]) -> None:
    """State what the call cost, where the gateway says so: in the usage object, or LiteLLM in a header."""
    usage, said = document.spot("usage"), headers.get(_COST_HEADER)
    facts.expect(("cost",), usage.where)
    if not said and _lacks(usage.value, _HEADS["cost"]):
        return
    spots = list(_spots(usage, _COST))
    if said and all(spot.value is MISSING or spot.value is None for spot in spots):
        facts.take("cost", _amount, [Spot(said, _COST_HEADER, "response headers")])
    else:
        facts.take("cost", number, spots)


def _amount(said: str) -> float:
    try:
        return number(float(said))
    except ValueError:
        raise Misfit(f"{shown(said)} is no number", said) from None
