"""Token counts from the usage objects of all APIs, and the cost of a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pytest_llmtrace.wire._document import Document, where_of
from pytest_llmtrace.wire._facts import MISSING, Facts, Misfit, Spot, count, number, placed, shown

__all__ = ["TOKENS", "anthropic_tokens", "billed_tokens", "fixed_input", "openai_tokens", "state_cost"]

_Path = tuple[str, tuple[str, ...]]
"""A field of the usage object, or a field nested in one: its dotted name, and the keys that lead to it."""


def _path(name: str) -> _Path:
    return name, tuple(name.split("."))


def _paths(names: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[_Path, ...]]:
    return {fact: tuple(map(_path, several)) for fact, several in names.items()}


# Fact -> the fields of a usage object that may state it, of which the first with a value counts. OpenAI's names come
# first, for chat and for responses, then those of others:
_OPENAI = _paths(
    {
        "input_tokens": ("prompt_tokens", "input_tokens"),
        "output_tokens": ("completion_tokens", "output_tokens"),
        "total_tokens": ("total_tokens",),
        "cache_read_tokens": (
            "prompt_tokens_details.cached_tokens",
            "input_tokens_details.cached_tokens",
            "cached_tokens",  # Together
            "prompt_cache_hit_tokens",  # DeepSeek
            "num_cached_tokens",  # Mistral
            "cache_read_input_tokens",  # LiteLLM, for Anthropic's models
        ),
        "cache_write_tokens": (
            "prompt_tokens_details.cache_write_tokens",
            "input_tokens_details.cache_write_tokens",
            "prompt_tokens_details.cache_creation_tokens",  # LiteLLM
            "cache_creation_input_tokens",  # LiteLLM, for Anthropic's models
        ),
        "reasoning_tokens": (
            "completion_tokens_details.reasoning_tokens",
            "output_tokens_details.reasoning_tokens",
            "reasoning_tokens",
        ),
        "input_audio_tokens": ("prompt_tokens_details.audio_tokens", "input_tokens_details.audio_tokens"),
        "output_audio_tokens": ("completion_tokens_details.audio_tokens", "output_tokens_details.audio_tokens"),
    }
)
_FIELDS = frozenset(path[1][0] for paths in _OPENAI.values() for path in paths)
TOKENS = tuple(_OPENAI)
"""The facts that a usage object of any API may state."""

_ANTHROPIC = {
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
    "reasoning_tokens": "output_tokens_details.thinking_tokens",
}
_CACHED = ("cache_read_tokens", "cache_write_tokens")
_ANTHROPIC_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_ANTHROPIC_PATHS = tuple(_path(name) for name in dict.fromkeys((*_ANTHROPIC_INPUT, *_ANTHROPIC.values())))
# Perplexity and Hyper, whose `cost` is an object; OpenRouter and Anannas; the Pydantic gateway.
_COST = (_path("cost.total_cost"), _path("cost.usd"), _path("cost"), _path("pydantic_ai_gateway.cost_estimate"))
_COST_HEADER = "x-litellm-response-cost"


def openai_tokens(facts: Facts, document: Document) -> None:
    """State the token counts of an OpenAI-shaped usage object, as they stand there, but all output as one count."""
    usage = document.spot("usage")
    facts.expect(_OPENAI, usage.where)
    if usage.value is None:  # The key is the usage itself, since the APIs name its fields differently.
        for name in _OPENAI:
            facts.null(name, ((usage.key, None),), usage.where)
        return
    for name, there in _stated(usage.value):
        facts.take(name, count, [_spot(usage, path) for path in there])
    if "reasoning_tokens" in facts.found and facts.found["reasoning_tokens"].value:
        _whole_output(facts, usage.where)


def _stated(usage: Any) -> Iterable[tuple[str, Sequence[_Path]]]:
    """Return the facts that a usage object may state, each with the paths at which its value may stand."""
    if isinstance(usage, dict):
        return _stated_by(tuple([name for name in usage if name in _FIELDS]))
    return () if usage is MISSING else _OPENAI.items()


@lru_cache(maxsize=256)
def _stated_by(fields: tuple[str, ...]) -> tuple[tuple[str, tuple[_Path, ...]], ...]:
    """Return the same for the names of fields: one API's usage object has few of the fields of all APIs."""
    found = {fact: tuple(path for path in paths if path[1][0] in fields) for fact, paths in _OPENAI.items()}
    return tuple((fact, paths) for fact, paths in found.items() if paths)


def _whole_output(facts: Facts, where: str) -> None:
    """State all output tokens where `completion_tokens` leaves those of the reasoning out, as the total then shows.

    Source: xAI, "Consumption and rate limits": reasoning tokens are counted separately from `completion_tokens`, and
    are part of `total_tokens`.
    """
    found = facts.found
    counts = [found[name].value for name in _ADDED if name in found]
    if len(counts) < len(_ADDED) or None in counts or sum(counts[:3]) != counts[3]:
        return
    [first], [(key, number)] = found["output_tokens"].parts, found["reasoning_tokens"].parts
    prefix = first[0].rpartition(".")[0] + "."  # Only the first key has the prefix, which both of them share.
    facts.put("output_tokens", sum(counts[1:3]), (first, (key.removeprefix(prefix), number)), where)


_ADDED = ("input_tokens", "output_tokens", "reasoning_tokens", "total_tokens")


def anthropic_tokens(facts: Facts, document: Document) -> None:
    """State the token counts of an Anthropic usage object, whose fields a stream spreads over several events."""
    usage = document.spot("usage")
    facts.expect(_OPENAI, usage.where)
    spots = {path[0]: _part(document, usage, path) for path in _there(usage.value, _ANTHROPIC_PATHS)}
    for name, key in _ANTHROPIC.items():
        if key in spots:
            facts.take(name, count, [spots[key]])
    _anthropic_input(facts, document, spots)


def _anthropic_input(facts: Facts, document: Document, spots: Mapping[str, Spot]) -> None:
    """State all input tokens: Anthropic's `input_tokens` leaves out those read from a cache or written to one."""
    named = [(name, spots[name]) for name in _ANTHROPIC_INPUT if name in spots]
    there = [(name, spot) for name, spot in named if spot.value is not None and spot.value is not MISSING]
    try:
        total = sum([count(spot.value) for _, spot in there])
    except Misfit:
        facts.take("input_tokens", count, [next(spot for _, spot in there if _misfit(spot.value))])
        return
    if not there or there[0][0] != "input_tokens":
        if "input_tokens" in spots:
            facts.take("input_tokens", count, [spots["input_tokens"]])
        return
    # Only the first key has the prefix, which all of them share.
    parts = [(name if index else spot.key, spot.value) for index, (name, spot) in enumerate(there)]
    fields = document.fields
    numbers = [fields[f"usage.{name}"][1] for name, _ in there if f"usage.{name}" in fields] if fields else []
    facts.put("input_tokens", total, tuple(parts), where_of(*numbers) if numbers else there[0][1].where)


def billed_tokens(document: Document) -> Mapping[str, int]:
    """Return the counts of Anthropic's usage object, summed over its iterations; none if it lists fewer than two.

    The counts beside the iterations leave out those that compact the conversation, and all of them are billed.
    Source: Anthropic, "Compaction", on usage.
    """
    usage = document.body.get("usage")
    each = usage.get("iterations") if isinstance(usage, dict) else None
    if not isinstance(each, list) or len(each) < 2 or not all(isinstance(one, dict) for one in each):  # noqa: PLR2004
        return {}
    found = {fact: _sum(each, names) for fact, names in _BILLED.items()}
    return {fact: number for fact, number in found.items() if number is not None}


_BILLED = {
    "input_tokens": _ANTHROPIC_INPUT,
    "output_tokens": ("output_tokens",),
    "total_tokens": (*_ANTHROPIC_INPUT, "output_tokens"),
    "cache_read_tokens": ("cache_read_input_tokens",),
    "cache_write_tokens": ("cache_creation_input_tokens",),
}


def _sum(each: Sequence[Mapping[str, Any]], names: Sequence[str]) -> int | None:
    try:
        return sum(count(one.get(name) or 0) for one in each for name in names)
    except Misfit:
        return None


_FIRST = "message."  # The prefix of the fields in `message_start`.


def fixed_input(document: Document) -> frozenset[str]:
    """Return the input facts that only the first event of Anthropic's stream states.

    They hold even if a later event cannot be read. For the output, the first event has only a placeholder.
    """
    parts = {"input_tokens": _ANTHROPIC_INPUT, **{name: (_ANTHROPIC[name],) for name in _CACHED}}
    said = {key.removeprefix("usage."): prefix for key, (prefix, _) in document.fields.items()}
    return frozenset(
        fact for fact, names in parts.items() if {said[name] for name in names if name in said} == {_FIRST}
    )


def _misfit(value: Any) -> bool:
    try:
        count(value)
    except Misfit:
        return True
    return False


def _part(document: Document, usage: Spot, path: _Path) -> Spot:
    """Look up a field of the usage object, with the event that stated it as its place."""
    if not document.streamed or (field := document.fields.get(f"usage.{path[1][0]}")) is None:
        return _spot(usage, path)
    return _spot(Spot(usage.value, f"{field[0]}usage", where_of(field[1])), path)


def _there(usage: Any, paths: tuple[_Path, ...]) -> Sequence[_Path]:
    """Return those of some paths at which a value may stand."""
    if isinstance(usage, dict):
        return [path for path in paths if path[1][0] in usage]
    return () if usage is MISSING else paths


def _spot(usage: Spot, path: _Path) -> Spot:
    """Look up a field of the usage object."""
    value, key, where = usage
    name, steps = path
    for step in steps:
        if value is MISSING or value is None:
            break
        if not isinstance(value, dict):
            value = Misfit(f"{shown(value)} is not an object of counts", value)
            break
        value = value.get(step, MISSING)
    return placed((value, "" if value is MISSING else f"{key}.{name}", where))


def state_cost(facts: Facts, document: Document, headers: Mapping[str, str]) -> None:
    """State the cost of the call if the gateway gives it: in the usage object, or in a header as LiteLLM does."""
    usage, said = document.spot("usage"), headers.get(_COST_HEADER)
    facts.expect(("cost",), usage.where)
    there = _there(usage.value, _COST)
    if not said and not there:
        return
    spots = [_spot(usage, path) for path in there]
    if said and all(spot.value is MISSING or spot.value is None for spot in spots):
        facts.take("cost", _amount, [Spot(said, _COST_HEADER, "response headers")])
    else:
        facts.take("cost", number, spots)


def _amount(said: str) -> float:
    try:
        return number(float(said))
    except ValueError:
        raise Misfit(f"{shown(said)} is not a number", said) from None
