"""The columns that OpenObserve computes for an LLM span, beside those of the attributes that the client has sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pytest_llmtrace.openobserve._evaluation import evaluated
from pytest_llmtrace.openobserve._operation import is_generation
from pytest_llmtrace.openobserve._readable import Readable, parameter
from pytest_llmtrace.openobserve._server import Server
from pytest_llmtrace.openobserve._server import server as server_of
from pytest_llmtrace.openobserve._texts import BY_THE_SERVER, texts
from pytest_llmtrace.openobserve._usage import Usage, costs, usage
from pytest_llmtrace.openobserve._values import compact, flattened, parsed, written
from pytest_llmtrace.telemetry import SpanRecord

__all__ = ["Enrichment", "enrich"]

_Attributes = Mapping[str, Any]

_ESTIMATED = "the server counts the tokens of the text by itself, with the tokeniser of the model"
_TOTAL_OF_ESTIMATED = "it is the sum of counts that the server estimates"
_PRICED = "the server takes prices from its own catalogue, which changes"
_LAID_OUT = "the server lays it out by itself, out of the span's events"
_POINT_IN_TIME = "it is a point in time, which the server reads by rules of its own"
_COUNTS = ("input", "output", "total")
_CACHE_COSTS = (
    "gen_ai_usage_cost_cache_read_input",
    "gen_ai_usage_cost_cache_creation_input",
    "gen_ai_usage_cost_estimated_without_cache",
    "gen_ai_usage_cost_cache_read_savings",
    "gen_ai_usage_cost_net_cache_impact",
)


@dataclass(kw_only=True)
class Enrichment:
    """The columns that the server computes for a span.

    Attributes:
        columns: The values, by column.
        unknown: The columns that the server fills with values that cannot be known here, with the reason.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


def enrich(
    span: SpanRecord, attributes: _Attributes, resource: _Attributes, readable: Readable, server: Server
) -> Enrichment:
    """Compute what the server adds to an LLM span.

    Args:
        span: The span.
        attributes: Its attributes, as they arrive at the server.
        resource: The attributes of its resource, in the same form.
        readable: Which of these attributes the server reads.
        server: The releases of the server.
    """
    names, found = server.columns, Enrichment()
    kind = readable.operation.of(attributes)
    found.columns[names["operation"]] = kind
    _add_fields(found.columns, attributes, resource, readable, server)
    _add_parameters(found.columns, attributes, readable, server)
    pair = texts(attributes, span.events, span.scope, readable.texts)
    _add_texts(found, pair, server)
    is_priced = is_generation(kind)
    _add_usage(found, usage(attributes, readable.counts), pair if is_priced else (None, None), server)
    is_priced = is_priced and (server.prices_silence or any(text is not None for text in pair))
    _add_costs(found, attributes, readable, priced=is_priced, server=server)
    if readable.has_first_chunk:
        found.unknown[names["first_chunk"]] = _POINT_IN_TIME
    if readable.has_evaluation:
        found.columns |= evaluated(attributes)
    return found


def _add_fields(
    columns: dict[str, Any], attributes: _Attributes, resource: _Attributes, readable: Readable, server: Server
) -> None:
    if readable.model is not None and isinstance(model := attributes[readable.model], str):
        columns[server.columns["response_model"]] = model
    for name, key in readable.own:
        value = attributes[key]
        columns[name] = value if isinstance(value, str) else compact(value)
    for name, key, is_resource in readable.wider:
        columns |= flattened(name, (resource if is_resource else attributes)[key])
    for name, holders in readable.names:
        values = ((resource if is_resource else attributes)[key] for key, is_resource in holders)
        stripped = (value.strip() for value in values if isinstance(value, str))
        if text := next(filter(None, stripped), None):
            columns[name] = text


def _add_parameters(columns: dict[str, Any], attributes: _Attributes, readable: Readable, server: Server) -> None:
    for key in readable.in_json:
        said = parsed(attributes[key])
        if isinstance(said, Mapping):
            named = ((parameter(name, server), value) for name, value in said.items() if value is not None)
            columns |= {name: _as_text(value) for name, value in named if name is not None}
            return
    for name, key in readable.requested:
        value = attributes[key]
        columns[name] = value if isinstance(value, str) else compact(value)


def _as_text(value: Any) -> str:
    """Return a parameter as text; a string stays as it is."""
    return value if isinstance(value, str) else written(value)


def _add_texts(found: Enrichment, pair: tuple[Any, Any], server: Server) -> None:
    for name, text in zip((server.columns["input"], server.columns["output"]), pair, strict=True):
        if isinstance(text, str):
            found.columns[name] = text
        elif text is BY_THE_SERVER:
            found.unknown[name] = _LAID_OUT
        else:
            found.columns |= flattened(name, text)


def _add_usage(found: Enrichment, used: Usage, said: tuple[Any, Any], server: Server) -> None:
    names, columns, counts = server.columns, found.columns, used.counts
    both = names["usage.input"], names["usage.output"]
    estimated = False
    for name, column, text in zip(("input", "output"), both, said, strict=True):
        if name not in counts and text is not None:
            found.unknown[column] = _ESTIMATED
            estimated = True
        else:
            columns[column] = counts.get(name, 0)
    if "total" in counts:
        columns[names["usage.total"]] = counts["total"]
    elif estimated:
        found.unknown[names["usage.total"]] = _TOTAL_OF_ESTIMATED
    else:
        columns[names["usage.total"]] = columns[both[0]] + columns[both[1]] + used.beside
    for name, count in counts.items():
        if name not in _COUNTS:
            columns[names.get(f"usage.{name}") or names["usage.*"] + name] = count


def _add_costs(found: Enrichment, attributes: _Attributes, readable: Readable, *, priced: bool, server: Server) -> None:
    names = server.columns
    sent = costs(attributes) if readable.counts.has_costs else {}
    if not sent and priced:
        found.unknown |= _unpriced(server.name, cached=not found.columns.keys().isdisjoint(_cached(server.name)))
        return
    for name, cost in sent.items():
        column = names.get(f"cost.{name}")
        if column is not None:
            found.columns[column] = cost
    if "total" not in sent:
        found.columns[names["cost.total"]] = sum(sent.values()) if sent else 0.0


@cache
def _cached(profile: str) -> frozenset[str]:
    """Return the columns of cached tokens, which have prices of their own."""
    names = server_of(profile).columns
    return frozenset(names[fact] for fact in ("usage.cache_read", "usage.cache_creation") if fact in names)


@cache
def _unpriced(profile: str, *, cached: bool) -> Mapping[str, str]:
    """Return the columns that the server fills from its catalogue of prices, with the reason why they are unknown."""
    names = server_of(profile).columns
    columns = (names[f"cost.{name}"] for name in _COUNTS)
    return dict.fromkeys((*columns, *(_CACHE_COSTS if cached else ())), _PRICED)
