"""What OpenObserve reads of an LLM span, as far as the names of its attributes decide it: many spans share these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain

from pytest_llmtrace.openobserve._evaluation import is_evaluation
from pytest_llmtrace.openobserve._operation import MODEL_SCOPE, Operation, operation
from pytest_llmtrace.openobserve._server import Server
from pytest_llmtrace.openobserve._texts import Source, text_sources
from pytest_llmtrace.openobserve._usage import Counted, counted
from pytest_llmtrace.openobserve._values import column

__all__ = ["Readable", "parameter", "readable"]

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
"""In releases that do not read agents; those that do have more sources (`_NAMES`)."""
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
}
"""Fields that are looked for on the span, then on the resource."""
_NAMES: Mapping[str, tuple[str, ...]] = {
    "tool_name": (
        "gen_ai.tool.name",
        "tool.name",
        "tool_call.function.name",
        "langchain.tool.name",
        "crewai.task.tools",
        "langfuse.observation.metadata.tool.name",
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
"""Fields of releases that read agents, where a blank text is passed over. All but the tool are looked for on the
resource, too."""
_OF_RESOURCE: Mapping[str, tuple[str, ...]] = {"user": ("user.id",), "conversation": ("session.id",)}
"""The attributes that are read of the resource, for fields where they are fewer than those of the span."""
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
_REQUESTED = "gen_ai.request.model"  # No release makes a parameter of it.
_FIRST_CHUNK = "langfuse.observation.completion_start_time"


@dataclass(frozen=True, kw_only=True)
class Readable:
    """What is read of a span, and from which of its attributes.

    Attributes:
        operation: What kind of work the span stands for.
        model: The attribute that holds the model, if there is one.
        own: Columns, each with the attribute of the span that it is read from.
        wider: Columns, each with the attribute that it is read from, and whether that is an attribute of the resource.
        names: Columns that get the first text which is not blank, each with the attributes that may hold it, as in
            `wider`.
        in_json: Attributes that hold the parameters of the request as JSON.
        requested: Columns of parameters, each with its attribute of the span, for when `in_json` gives no parameters.
        texts: The sources that give a span without events its texts.
        counts: The attributes that hold tokens and costs.
        has_first_chunk: Whether the span states when the first chunk of a stream came, in the form that is read.
        has_evaluation: Whether the span may hold the result of an evaluation.
    """

    operation: Operation
    model: str | None
    own: tuple[tuple[str, str], ...]
    wider: tuple[tuple[str, str, bool], ...]
    names: tuple[tuple[str, tuple[tuple[str, bool], ...]], ...]
    in_json: tuple[str, ...]
    requested: tuple[tuple[str, str], ...]
    texts: tuple[Source, ...]
    counts: Counted
    has_first_chunk: bool
    has_evaluation: bool


def readable(attributes: Iterable[str], resource: AbstractSet[str], scope: str, server: Server) -> Readable:
    """Return what the server reads of spans with these names.

    Args:
        attributes: The names of a span's attributes, in their order.
        resource: The names of its resource's attributes.
        scope: The name of the span's scope.
        server: The releases of the server.
    """
    there = dict.fromkeys(attributes).keys()
    reads_agents = "agent_name" in server.columns
    sources = _SOURCES if reads_agents else {**_SOURCES, "tool_name": _TOOL_NAME}
    return Readable(
        operation=operation(there, scope, generation=server.generation),
        model=_first(_MODEL, there),
        own=tuple((server.columns[name], key) for name, keys in sources.items() if (key := _first(keys, there))),
        wider=tuple(_wider(there, resource, server)),
        names=tuple(_names(there, resource, server)) if reads_agents else (),
        in_json=() if scope == MODEL_SCOPE else tuple(key for key in _PARAMETERS_IN_JSON if key in there),
        requested=tuple(_requested(there, scope, server)),
        texts=text_sources(there, scope),
        counts=counted(there, scope, server),
        has_first_chunk=_FIRST_CHUNK in there,
        has_evaluation=server.generation > 1 and is_evaluation(there),
    )


def parameter(name: str, server: Server) -> str | None:
    """Return the column of a parameter; `None` for the model, which has a column of its own since generation 3."""
    return None if server.generation >= 3 and name == "model" else column(server.columns["parameters"] + name)  # noqa: PLR2004


def _first(keys: Iterable[str], there: AbstractSet[str]) -> str | None:
    return next((key for key in keys if key in there), None)


def _wider(there: AbstractSet[str], resource: AbstractSet[str], server: Server) -> Iterator[tuple[str, str, bool]]:
    for name, keys in _WIDER.items():
        if name not in server.columns:
            continue
        key = _first(keys, there)
        wider = _first(_OF_RESOURCE.get(name, keys), resource) if name != "user" or server.reads_user else None
        if key is not None:
            yield server.columns[name], key, False
        elif wider is not None:
            yield server.columns[name], wider, True


def _names(
    there: AbstractSet[str], resource: AbstractSet[str], server: Server
) -> Iterator[tuple[str, tuple[tuple[str, bool], ...]]]:
    for name, keys in _NAMES.items():
        of_resource = () if name == "tool_name" else keys
        found = ((key, False) for key in keys if key in there), ((key, True) for key in of_resource if key in resource)
        if holders := tuple(chain(*found)):
            yield server.columns[name], holders


def _requested(there: AbstractSet[str], scope: str, server: Server) -> Iterator[tuple[str, str]]:
    if scope == MODEL_SCOPE:
        named: Iterable[tuple[str, str]] = ((key, name) for key, name in _PARAMETERS_OF_SCOPE.items() if key in there)
    else:
        named = ((key, key.removeprefix(_REQUEST)) for key in there if key.startswith(_REQUEST) and key != _REQUESTED)
    for key, name in named:
        column_of = parameter(name, server)
        if column_of is not None:
            yield column_of, key
