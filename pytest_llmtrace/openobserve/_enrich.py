"""What OpenObserve computes for an LLM span, beside what the client has sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pytest_llmtrace.openobserve._operation import MODEL_SCOPE, is_generation, operation
from pytest_llmtrace.openobserve._server import Server
from pytest_llmtrace.openobserve._server import server as server_of
from pytest_llmtrace.openobserve._texts import BY_THE_SERVER, Source, text_sources, texts
from pytest_llmtrace.openobserve._usage import Usage, costs, counted, usage
from pytest_llmtrace.openobserve._values import column, compact, flattened
from pytest_llmtrace.telemetry import SpanEvent

__all__ = ["Enrichment", "enrich"]

_Attributes = Mapping[str, Any]

_ESTIMATED = "the server counts the tokens of the text by itself, with the tokeniser of the model"
_TOTAL_OF_ESTIMATED = "it is the sum of counts that the server estimates"
_PRICED = "the server takes prices from its own catalogue, which changes"
_LAID_OUT = "the server lays it out by itself, out of the span's events"
_CONFIGURED = "evaluations are read by rules that are not known well enough"

_MODEL = (
    "gen_ai.response.model",
    "ai.model.id",
    "gen_ai.request.model",
    "langfuse.observation.model.name",
    "llm.response.model",
    "llm.model_name",
    "model",
)
_TOOL_NAME = ("gen_ai.tool.name", "langfuse.observation.metadata.tool.name")
_TOOL_NAME_WITH_AGENTS = (
    "gen_ai.tool.name",
    "tool.name",
    "tool_call.function.name",
    "langchain.tool.name",
    "crewai.task.tools",
    "langfuse.observation.metadata.tool.name",
)
_SOURCES: Mapping[str, tuple[str, ...]] = {
    "provider": (
        "gen_ai.provider.name",
        "gen_ai.system",
        "ai.model.provider",
        "langfuse.observation.metadata.ls_provider",
    ),
    "prompt_name": ("gen_ai.prompt.name", "langfuse.observation.prompt.name"),
    "tool_call_id": ("gen_ai.tool.call.id", "langfuse.observation.metadata.tool.id"),
    "tool_call_arguments": ("gen_ai.tool.call.arguments",),
    "tool_call_result": ("gen_ai.tool.call.result",),
}
"""Fields of the span itself, each with its sources in order."""
_WIDER: Mapping[str, tuple[str, ...]] = {
    "user": ("user.id", "ai.telemetry.metadata.userId"),
    "conversation": (
        "session.id",
        "gen_ai.conversation.id",
        "ai.telemetry.metadata.sessionId",
        "langfuse.observation.metadata.langfuse_session_id",
        "langfuse.observation.metadata.session_id",
    ),
    "agent_name": ("gen_ai.agent.name", "agent.name", "llm.agent.name", "gcp.vertex.agent.name", "crewai.task.agent"),
    "agent_id": ("gen_ai.agent.id", "agent.id", "agent_id", "llm.agent.id", "llm.agent_id"),
    "environment": (
        "deployment.environment.name",
        "deployment.environment",
        "env",
        "environment",
        "k8s.namespace.name",
    ),
    "agent_version": ("gen_ai.agent.version", "service.version", "app.version", "git.commit.sha"),
}
"""Fields that are looked for on the span, then on the resource."""
_PARAMETERS_OF_SCOPE = {
    "ai.settings.maxSteps": "maxSteps",
    "ai.prompt.toolChoice": "toolChoice",
    "gen_ai.request.max_tokens": "maxTokens",
    "gen_ai.response.finish_reasons": "finishReason",
    "gen_ai.system": "system",
    "ai.settings.maxRetries": "maxRetries",
    "ai.settings.mode": "mode",
    "gen_ai.request.temperature": "temperature",
}
_PARAMETERS_IN_JSON = ("llm.invocation_parameters", "langfuse.observation.model.parameters", "model_config")
_REQUEST = "gen_ai.request."
_EVALUATIONS = ("llm.evaluation.", "evaluation_", "llm_evaluation_")
_CACHE_COSTS = (
    "gen_ai_usage_cost_cache_read_input",
    "gen_ai_usage_cost_cache_creation_input",
    "gen_ai_usage_cost_estimated_without_cache",
    "gen_ai_usage_cost_cache_read_savings",
    "gen_ai_usage_cost_net_cache_impact",
)


@dataclass(kw_only=True)
class Enrichment:
    """What is computed.

    Attributes:
        columns: Values by column.
        unknown: Columns that the server fills with what cannot be known here, and why.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


def enrich(
    attributes: _Attributes, resource: _Attributes, events: tuple[SpanEvent, ...], scope: str, server: Server
) -> Enrichment:
    """Compute what the server adds to an LLM span.

    Args:
        attributes: The span's, as they arrive.
        resource: The resource's, likewise.
        events: The span's.
        scope: The name of its scope.
        server: Whose releases.
    """
    names, found = server.columns, Enrichment()
    readable = _readable(tuple(attributes), tuple(resource), scope, server.name)
    kind = operation(attributes, scope, generation=server.generation)
    found.columns[names["operation"]] = kind
    for name, value in _fields(attributes, resource, readable):
        found.columns[names[name]] = value
    found.columns |= _parameters(attributes, scope, readable, server)
    pair = texts(attributes, events, scope, readable.texts)
    for name, text in zip(("input", "output"), pair, strict=True):
        if text is BY_THE_SERVER:
            found.unknown[names[name]] = _LAID_OUT
        else:
            found.columns |= dict(flattened(names[name], text))
    _add_usage(
        found, usage(attributes, scope, server, readable.counts), pair if is_generation(kind) else (None, None), server
    )
    priced = is_generation(kind) and (server.prices_silence or any(text is not None for text in pair))
    _add_costs(found, costs(attributes), priced=priced, server=server)
    if readable.has_evaluation:
        found.unknown["llm_evaluator_type"] = _CONFIGURED
    return found


@dataclass(frozen=True, kw_only=True)
class _Readable:
    """What is read of a span, by the names of its attributes alone: each field with the attribute it is taken from."""

    own: tuple[tuple[str, str], ...]
    wider: tuple[tuple[str, str, bool], ...]
    in_json: tuple[str, ...]
    requested: tuple[tuple[str, str], ...]
    texts: tuple[Source, ...]
    counts: frozenset[str]
    has_evaluation: bool


@lru_cache(maxsize=4096)
def _readable(there: tuple[str, ...], resource: tuple[str, ...], scope: str, profile: str) -> _Readable:
    """Spans repeat their names, so that this is looked for once; a field of the resource is marked by True."""
    server = server_of(profile)
    names = server.columns
    tool_names = _TOOL_NAME_WITH_AGENTS if "agent_name" in names else _TOOL_NAME
    sources = {"response_model": _MODEL, **_SOURCES, "tool_name": tool_names}
    own = {name: next((key for key in keys if key in there), None) for name, keys in sources.items()}
    places = ((False, there), (True, resource))
    wider = {
        name: next(((key, is_resource) for is_resource, place in places for key in keys if key in place), None)
        for name, keys in _WIDER.items()
        if name in names
    }
    return _Readable(
        own=tuple((name, key) for name, key in own.items() if key is not None),
        wider=tuple((name, *found) for name, found in wider.items() if found is not None),
        in_json=tuple(key for key in _PARAMETERS_IN_JSON if key in there),
        requested=tuple(_requested(there, server)),
        texts=text_sources(there, scope),
        counts=counted(there, server),
        has_evaluation=any(key.startswith(_EVALUATIONS) for key in there),
    )


def _requested(there: Iterable[str], server: Server) -> Iterator[tuple[str, str]]:
    for key in there:
        name = _parameter(key.removeprefix(_REQUEST), server) if key.startswith(_REQUEST) else None
        if name is not None:
            yield key, name


def _fields(attributes: _Attributes, resource: _Attributes, readable: _Readable) -> Iterator[tuple[str, Any]]:
    for name, key in readable.own:
        value = attributes[key]
        if isinstance(value, str) or name != "response_model":
            yield name, compact(value) if isinstance(value, list | dict) else value
    for name, key, is_resource in readable.wider:
        yield name, (resource if is_resource else attributes)[key]


def _parameters(attributes: _Attributes, scope: str, readable: _Readable, server: Server) -> dict[str, str]:
    """Return the parameters of the request, by column."""
    if scope == MODEL_SCOPE:
        said: _Attributes | None = {
            name: attributes[key] for key, name in _PARAMETERS_OF_SCOPE.items() if key in attributes
        }
    else:
        objects = (_object(attributes[key]) for key in readable.in_json)
        said = next((one for one in objects if one is not None), None)
    if said is None:
        return {name: _as_text(attributes[key]) for key, name in readable.requested}
    columns = ((_parameter(name, server), value) for name, value in said.items() if value is not None)
    return {name: _as_text(value) for name, value in columns if name is not None}


def _parameter(name: str, server: Server) -> str | None:
    """Return the column of a parameter; the model has one of its own since generation 3."""
    return None if server.generation >= 3 and name == "model" else column(server.columns["parameters"] + name)  # noqa: PLR2004


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else compact(value)


def _object(value: Any) -> Mapping[str, Any] | None:
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def _add_usage(found: Enrichment, used: Usage, said: tuple[Any, Any], server: Server) -> None:
    names, counts = server.columns, used.counts
    for name, text in zip(("input", "output"), said, strict=True):
        if name not in counts and text is not None:
            found.unknown[names[f"usage.{name}"]] = _ESTIMATED
        else:
            found.columns[names[f"usage.{name}"]] = counts.get(name, 0)
    both = (names["usage.input"], names["usage.output"])
    if "total" in counts:
        found.columns[names["usage.total"]] = counts["total"]
    elif found.unknown.keys() & set(both):
        found.unknown[names["usage.total"]] = _TOTAL_OF_ESTIMATED
    else:
        found.columns[names["usage.total"]] = sum(found.columns[name] for name in both) + used.beside
    for name in counts.keys() - {"input", "output", "total"}:
        found.columns[names.get(f"usage.{name}") or names["usage.*"] + name] = counts[name]


def _add_costs(found: Enrichment, sent: Mapping[str, float], *, priced: bool, server: Server) -> None:
    names = server.columns
    if not sent and priced:
        columns = [names[f"cost.{name}"] for name in ("input", "output", "total")]
        cached = found.columns.keys() & {names.get("usage.cache_read", ""), names.get("usage.cache_creation", "")}
        found.unknown |= dict.fromkeys((*columns, *(_CACHE_COSTS if cached else ())), _PRICED)
        return
    for name, cost in sent.items():
        column = names.get(f"cost.{name}")
        if column is not None:
            found.columns[column] = cost
    if "total" not in sent:
        found.columns[names["cost.total"]] = sum(sent.values()) if sent else 0.0
