"""What kind of work a span stands for, by the first of OpenObserve's rules that applies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

__all__ = ["MODEL_SCOPE", "Operation", "is_generation", "operation"]

MODEL_SCOPE = "ai"
"""The scope of the Vercel AI SDK, whose spans have rules of their own."""

_Named = tuple[str, Mapping[str, tuple[str, str | None]], Callable[[str], str]]

_OPERATIONS = {
    "chat": ("chat", "GENERATION"),
    "text_completion": ("text_completion", "GENERATION"),
    "generate_content": ("generate_content", "GENERATION"),
    "embeddings": ("embeddings", "EMBEDDING"),
    "invoke_agent": ("invoke_agent", "AGENT"),
    "create_agent": ("create_agent", "AGENT"),
    "execute_tool": ("execute_tool", "TOOL"),
    "invoke_workflow": ("invoke_workflow", None),  # `None`, since releases before 0.91 do not know it.
    "retrieval": ("retrieval", None),
}
_REQUEST_TYPES = {
    "chat": ("chat", "GENERATION"),
    "completion": ("text_completion", "GENERATION"),
    "embedding": ("embeddings", "EMBEDDING"),
    "rerank": ("rerank", "RERANK"),
}
_TRACELOOP_KINDS = {
    "workflow": ("invoke_workflow", "WORKFLOW"),
    "task": ("task", "TASK"),
    "agent": ("invoke_agent", "AGENT"),
    "tool": ("execute_tool", "TOOL"),
}
_OPENINFERENCE_KINDS = {
    "LLM": ("chat", "GENERATION"),
    "CHAIN": ("chain", "CHAIN"),
    "EMBEDDING": ("embeddings", "EMBEDDING"),
    "AGENT": ("invoke_agent", "AGENT"),
    "TOOL": ("execute_tool", "TOOL"),
    "RETRIEVER": ("retrieval", "RETRIEVER"),
    "EVALUATOR": ("evaluator", "EVALUATOR"),
    "GUARDRAIL": ("guardrail", "GUARDRAIL"),
}
_LANGFUSE_TYPES = {
    "GENERATION": ("chat", "GENERATION"),
    "CHAIN": ("chain", "CHAIN"),
    "EMBEDDING": ("embeddings", "EMBEDDING"),
    "AGENT": ("invoke_agent", "AGENT"),
    "TOOL": ("execute_tool", "TOOL"),
    "SPAN": ("span", "SPAN"),
    "RETRIEVER": ("retrieval", "RETRIEVER"),
}
_TOOL_KEYS = ("gen_ai.tool.name", "gen_ai.tool.call.id")
_MODEL_KEYS_OF_SCOPE = ("ai.model.id", "gen_ai.request.model", "gen_ai.response.model")
_MODEL_KEYS = (*_MODEL_KEYS_OF_SCOPE, "llm.model_name", "llm.response.model", "model")
_CHAT, _TOOL, _SPAN = ("chat", "GENERATION"), ("execute_tool", "TOOL"), ("span", "SPAN")
_GENERATIONS = frozenset({"chat", "text_completion", "generate_content", "embeddings", "GENERATION", "EMBEDDING"})


_NAMED: tuple[_Named, ...] = (
    ("gen_ai.operation.name", _OPERATIONS, str.lower),
    ("llm.request.type", _REQUEST_TYPES, str.lower),
    ("traceloop.span.kind", _TRACELOOP_KINDS, str.lower),
    ("openinference.span.kind", _OPENINFERENCE_KINDS, str.upper),
    ("langfuse.observation.type", _LANGFUSE_TYPES, str.upper),
)
"""The attributes that name the operation, in the order in which the server reads them."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What the names of a span's attributes say about its operation.

    Attributes:
        named: The attributes that may name the operation, each with the meaning of its values, and with the function
            that brings a value into lower or upper case first.
        otherwise: The operation if none of these attributes names it.
    """

    named: tuple[tuple[str, Mapping[str, str], Callable[[str], str]], ...]
    otherwise: str

    def of(self, attributes: Mapping[str, Any]) -> str:
        """Return the name of the operation (generation 3), or the type of the observation (1 and 2)."""
        for key, names, case in self.named:
            value = attributes[key]
            name = names.get(case(value)) if isinstance(value, str) else None
            if name is not None:
                return name
        return self.otherwise


def operation(keys: AbstractSet[str], scope: str, *, generation: int) -> Operation:
    """Return what the names of a span's attributes and its scope say about its operation."""
    which = 0 if generation == 3 else 1  # noqa: PLR2004
    named = (
        (key, {value: name for value, names in values.items() if (name := names[which]) is not None}, case)
        for key, values, case in _NAMED
        if key in keys
    )
    return Operation(named=tuple(named), otherwise=_otherwise(keys, scope)[which])


def _otherwise(keys: AbstractSet[str], scope: str) -> tuple[str, str]:
    if scope == MODEL_SCOPE:
        return _SPAN if keys.isdisjoint(_MODEL_KEYS_OF_SCOPE) else _CHAT
    if not keys.isdisjoint(_TOOL_KEYS):
        return _TOOL
    return _SPAN if keys.isdisjoint(_MODEL_KEYS) else _CHAT


def is_generation(name: str) -> bool:
    """Tell whether an operation has tokens and costs of its own."""
    return name in _GENERATIONS
