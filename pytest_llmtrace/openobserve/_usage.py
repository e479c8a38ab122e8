"""Tokens and costs of an LLM span: what the client has sent, and what only the server can say."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmtrace.openobserve._operation import MODEL_SCOPE
from pytest_llmtrace.openobserve._server import Server
from pytest_llmtrace.openobserve._values import tokens

__all__ = ["Usage", "costs", "counted", "usage"]

_Attributes = Mapping[str, Any]

_BEFORE_CACHE = (
    ("llm.usage.total_tokens", "total"),
    ("gen_ai.usage.input_tokens", "input"),
    ("gen_ai.usage.output_tokens", "output"),
    ("gen_ai.usage.total_tokens", "total"),
    ("gen_ai.usage.prompt_tokens", "input"),
    ("gen_ai.usage.completion_tokens", "output"),
)
_AFTER_CACHE = (("llm.token_count.prompt", "input"), ("llm.token_count.completion", "output"))
_OF_SCOPE = (
    ("gen_ai.usage.prompt_tokens", "input"),
    ("gen_ai.usage.input_tokens", "input"),
    ("gen_ai.usage.completion_tokens", "output"),
    ("gen_ai.usage.output_tokens", "output"),
    ("ai.usage.tokens", "total"),
)
_CACHE_READ = (  # Each with whether the input includes it.
    ("gen_ai.usage.cache_read.input_tokens", True),
    ("cache_read_input_tokens", False),
    ("gen_ai.usage.prompt_tokens_details.cached_tokens", True),
    ("prompt_tokens_details.cached_tokens", True),
    ("gen_ai.usage.cache_read_tokens", False),
    ("gen_ai.usage.cached_tokens", False),
    ("cached_tokens", False),
    ("gen_ai.usage.prompt_cache_hit_tokens", False),
    ("prompt_cache_hit_tokens", False),
)
_CACHE_CREATION = (
    ("gen_ai.usage.cache_creation.input_tokens", True),
    ("cache_creation_input_tokens", False),
    ("gen_ai.usage.cache_write_tokens", False),
)
_CACHE_MISS = (("gen_ai.usage.prompt_cache_miss_tokens", "input"), ("prompt_cache_miss_tokens", "input"))
_CACHE_OF_GENERATION_2 = (
    ("gen_ai.usage.cache_read_tokens", "cache_read_input_tokens"),
    ("gen_ai.usage.cache_write_tokens", "cache_creation_input_tokens"),
)
_KEYS = (
    *(key for key, _ in (*_BEFORE_CACHE, *_AFTER_CACHE, *_OF_SCOPE, *_CACHE_OF_GENERATION_2, *_CACHE_MISS)),
    *(key for key, _ in (*_CACHE_READ, *_CACHE_CREATION)),
)
_FLAT = {key: key.replace(".", "_") for key in _KEYS}
"""How the newest releases read them as well."""
_DETAILS = "langfuse.observation.usage_details"
_COST = "gen_ai.usage.cost"
_COST_DETAILS = "langfuse.observation.cost_details"
_RENAMED = {"prompt_tokens": "input", "completion_tokens": "output", "total_tokens": "total"}


@dataclass(kw_only=True)
class Usage:
    """Counts by what they count, as the server reads them from a client's attributes.

    Attributes:
        counts: `input`, `output`, `total`, `cache_read`, `cache_creation`, and what Langfuse names.
        beside: Cached tokens that the input does not include.
    """

    counts: dict[str, int] = field(default_factory=dict)
    beside: int = 0


def usage(attributes: _Attributes, scope: str, server: Server, known: frozenset[str]) -> Usage:
    """Read the counts; of several sources for one the last wins.

    Args:
        attributes: The span's, as they arrive.
        scope: The name of its scope.
        server: Whose releases.
        known: What `counted` says of the attributes.
    """
    found = Usage()
    if known:
        look = _Look(attributes, known, also_flat=server.keeps_usage)
        look.into(found, _BEFORE_CACHE)
        if server.keeps_usage:
            _read_cache(look, found)
        elif server.generation == 2:  # noqa: PLR2004
            look.into(found, _CACHE_OF_GENERATION_2)
        look.into(found, _AFTER_CACHE)
        if scope == MODEL_SCOPE:
            look.into(found, _OF_SCOPE)
    if _DETAILS in attributes:
        found.counts |= dict(_details(attributes))
    return found


def counted(keys: Container[str], server: Server) -> frozenset[str]:
    """Return those of the attributes that hold counts, by the names that they are asked for."""
    return frozenset(key for key, flat in _FLAT.items() if key in keys or (server.keeps_usage and flat in keys))


@dataclass(frozen=True)
class _Look:
    attributes: _Attributes
    there: frozenset[str]
    also_flat: bool

    def at(self, key: str) -> int | None:
        stated = self.attributes.get(key)
        found = None if stated is None else tokens(stated)
        if found is None and self.also_flat:
            stated = self.attributes.get(_FLAT[key])
            return None if stated is None else tokens(stated)
        return found

    def into(self, found: Usage, places: Iterable[tuple[str, str]]) -> None:
        for key, name in places:
            count = self.at(key) if key in self.there else None
            if count is not None:
                found.counts[name] = count


def _read_cache(look: _Look, found: Usage) -> None:
    for name, places in (("cache_read", _CACHE_READ), ("cache_creation", _CACHE_CREATION)):
        for key, included in places:
            count = look.at(key) if key in look.there else None
            if count is not None:
                found.counts[name] = count
                found.beside += 0 if included else count
                break
    look.into(found, _CACHE_MISS)


def _details(attributes: _Attributes) -> Iterator[tuple[str, int]]:
    for key, value in _leaves(_json_object(attributes.get(_DETAILS))):
        count = tokens(value)
        if count is not None:
            yield _RENAMED.get(key, key), count


def _leaves(found: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}_")
        else:
            yield prefix + key, value


def costs(attributes: _Attributes) -> dict[str, float]:
    """Read the costs that the client has sent, in USD: `total`, and what Langfuse names."""
    if _COST not in attributes and _COST_DETAILS not in attributes:
        return {}
    found = {"total": attributes.get(_COST), **_json_object(attributes.get(_COST_DETAILS))}
    return {name: cost for name, value in found.items() if (cost := _number(value)) is not None}


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _json_object(value: Any) -> Mapping[str, Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}
