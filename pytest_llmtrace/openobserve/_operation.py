"""What kind of work a span is, by the first rule that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["MODEL_SCOPE", "is_generation", "operation"]

MODEL_SCOPE = "ai"
"""The scope of the Vercel AI SDK, whose spans have rules of their own."""

_Rule = Callable[[Mapping[str, Any], str], tuple[str, str | None] | None]

_OPERATIONS = {
    "chat": ("chat", "GENERATION"),
    "text_completion": ("text_completion", "GENERATION"),
    "generate_content": ("generate_content", "GENERATION"),
    "embeddings": ("embeddings", "EMBEDDING"),
    "invoke_agent": ("invoke_agent", "AGENT"),
    "create_agent": ("create_agent", "AGENT"),
    "execute_tool": ("execute_tool", "TOOL"),
    "invoke_workflow": ("invoke_workflow", None),  # None: releases before 0.91 do not know it.
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


def _named(key: str, values: Mapping[str, tuple[str, str | None]], case: Callable[[str], str]) -> _Rule:
    return lambda attributes, _: values.get(case(value)) if isinstance(value := attributes.get(key), str) else None


def _of_scope(attributes: Mapping[str, Any], scope: str) -> tuple[str, str | None] | None:
    if scope != MODEL_SCOPE:
        return None
    return _CHAT if any(key in attributes for key in _MODEL_KEYS_OF_SCOPE) else _SPAN


_RULES: tuple[_Rule, ...] = (
    _named("gen_ai.operation.name", _OPERATIONS, str.lower),
    _named("llm.request.type", _REQUEST_TYPES, str.lower),
    _named("traceloop.span.kind", _TRACELOOP_KINDS, str.lower),
    _named("openinference.span.kind", _OPENINFERENCE_KINDS, str.upper),
    _named("langfuse.observation.type", _LANGFUSE_TYPES, str.upper),
    _of_scope,
    lambda attributes, _: _TOOL if any(key in attributes for key in _TOOL_KEYS) else None,
    lambda attributes, _: _CHAT if any(key in attributes for key in _MODEL_KEYS) else None,
)


def operation(attributes: Mapping[str, Any], scope: str, *, generation: int) -> str:
    """Return the name of the operation (generation 3), or the type of the observation (1 and 2)."""
    for rule in _RULES:
        found = rule(attributes, scope)
        if found is not None and (name := found[0] if generation == 3 else found[1]) is not None:  # noqa: PLR2004
            return name
    return _SPAN[0] if generation == 3 else _SPAN[1]  # noqa: PLR2004


def is_generation(name: str) -> bool:
    """Tell whether an operation is one that has tokens and costs of its own."""
    return name in _GENERATIONS
