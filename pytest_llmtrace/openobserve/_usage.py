"""Tokens and costs of an LLM span, as the server reads them from what the client has sent."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmtrace.openobserve._operation import MODEL_SCOPE
from pytest_llmtrace.openobserve._server import Server
from pytest_llmtrace.openobserve._values import number, parsed, tokens

__all__ = ["Counted", "Usage", "costs", "counted", "usage"]

_Attributes = Mapping[str, Any]
_Place = tuple[tuple[str, ...], str]

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
_CACHE_READ = (  # Each with whether the input includes these tokens.
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
_DETAILS = "langfuse.observation.usage_details"
_COST = "gen_ai.usage.cost"
_COST_DETAILS = "langfuse.observation.cost_details"
_RENAMED = {"prompt_tokens": "input", "completion_tokens": "output", "total_tokens": "total"}


@dataclass(kw_only=True)
class Usage:
    """The counts of a span, as the server reads them from a client's attributes.

    Attributes:
        counts: The counts by name: `input`, `output`, `total`, `cache_read`, `cache_creation`, and Langfuse's names.
        beside: Cached tokens that the input does not include.
    """

    counts: dict[str, int] = field(default_factory=dict)
    beside: int = 0


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The attributes of a span that hold counts, by their names alone; of several for one count the last wins.

    Attributes:
        before: The attributes that are read first, each with the count that it holds. If an attribute has several
            names, these are tried in their order.
        cached: The attributes that hold cached tokens, by their count, each with whether the input includes these
            tokens; of several for one count the first wins.
        after: The attributes that are read last, as in `before`.
        is_detailed: Whether the span has Langfuse's details, which win over all other counts.
        has_costs: Whether the span has a cost.
    """

    before: tuple[_Place, ...]
    cached: tuple[tuple[str, tuple[tuple[str, bool], ...]], ...]
    after: tuple[_Place, ...]
    is_detailed: bool
    has_costs: bool


def counted(keys: Container[str], scope: str, server: Server) -> Counted:
    """Return the attributes that hold counts, by their names alone."""

    def there(key: str) -> tuple[str, ...]:
        """Return the names under which an attribute is there: the newest releases read `a_b` for `a.b` as well."""
        names = (key, key.replace(".", "_")) if server.keeps_usage else (key,)
        return tuple(name for name in dict.fromkeys(names) if name in keys)

    def places(*said: tuple[str, str]) -> tuple[_Place, ...]:
        return tuple((names, count) for key, count in said if (names := there(key)))

    cached = (("cache_read", _CACHE_READ), ("cache_creation", _CACHE_CREATION)) if server.keeps_usage else ()
    between = _CACHE_OF_GENERATION_2 if server.generation == 2 else ()  # noqa: PLR2004
    return Counted(
        before=places(*_BEFORE_CACHE, *between),
        cached=tuple(
            (count, tuple((name, included) for key, included in said for name in there(key))) for count, said in cached
        ),
        after=places(
            *(_CACHE_MISS if server.keeps_usage else ()), *_AFTER_CACHE, *(_OF_SCOPE if scope == MODEL_SCOPE else ())
        ),
        is_detailed=_DETAILS in keys,
        has_costs=_COST in keys or _COST_DETAILS in keys,
    )


def usage(attributes: _Attributes, known: Counted) -> Usage:
    """Return the counts of a span.

    Args:
        attributes: The attributes of the span, as they arrive at the server.
        known: What `counted` returns for the names of these attributes.
    """
    found = Usage()
    _read(attributes, known.before, found.counts)
    for name, places in known.cached:
        for key, included in places:
            count = tokens(attributes[key])
            if count is not None:
                found.counts[name] = count
                found.beside += 0 if included else count
                break
    _read(attributes, known.after, found.counts)
    if known.is_detailed:
        found.counts |= dict(_details(attributes))
    return found


def _read(attributes: _Attributes, places: Iterable[_Place], found: dict[str, int]) -> None:
    for keys, name in places:
        for key in keys:
            count = tokens(attributes[key])
            if count is not None:
                found[name] = count
                break


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
    """Return the costs that the client has sent, in USD, by name: `total`, and Langfuse's names."""
    found = {"total": attributes.get(_COST), **_json_object(attributes.get(_COST_DETAILS))}
    return {name: cost for name, value in found.items() if (cost := _number(value)) is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        return number(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _json_object(value: Any) -> Mapping[str, Any]:
    found = parsed(value)
    return found if isinstance(found, Mapping) else {}
