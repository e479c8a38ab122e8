"""The dialects of an agent's steps: the executions of its tools, and its runs, which state the sums of their calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_llmtrace.dialects._convert import Unreadable, json_value
from pytest_llmtrace.dialects._dialect import Dialect, Places
from pytest_llmtrace.dialects._openinference import OPENINFERENCE
from pytest_llmtrace.dialects._place import attribute
from pytest_llmtrace.model import SpanRecord

__all__ = ["AGENTS", "TOOLS", "is_step"]

_OPERATION, _OI_KIND, _TL_KIND = "gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind"
_RUNS = ("invoke_agent", "invoke_workflow")
_SUMS = "gen_ai.aggregated_usage."


def _says(key: str, *values: str) -> Callable[[SpanRecord], bool]:
    """Return a function that tells whether an attribute of a span has one of some values."""
    return lambda span: span.attributes.get(key) in values


def _is_executed(span: SpanRecord) -> bool:
    operation = span.attributes.get(_OPERATION)
    return operation == "execute_tool" or (operation is None and "gen_ai.tool.call.id" in span.attributes)


def is_step(span: SpanRecord) -> bool:
    """Tell whether a span is an agent's run or the execution of a tool, whatever it says of it; not a chain's node."""
    attributes = span.attributes
    return (
        attributes.get(_OPERATION) in (*_RUNS, "execute_tool")
        or attributes.get(_OI_KIND) in ("AGENT", "TOOL")
        or attributes.get(_TL_KIND) in ("agent", "tool")
    )


# --- executions of tools ---------------------------------------------------------------------------------------------


def _keywords(value: Any) -> Any:
    """Return the keywords of a call that Traceloop's decorator has written whole; `None` if it has more arguments."""
    try:
        called = json_value(value)
    except Unreadable:
        return None
    if isinstance(called, Mapping) and set(called) == {"args", "kwargs"} and not called["args"]:
        return called["kwargs"]
    return None


TOOLS: tuple[Dialect, ...] = (
    Dialect(
        name="openinference",
        of="tool",
        recognises=_says(_OI_KIND, "TOOL"),
        facts={
            "tool_call_id": ("tool_call.id", "tool.id"),
            "tool_name": ("tool.name", "tool_call.function.name"),
            # Its `tool.parameters` are a schema with some of its instrumentors.
            "tool_arguments": ("tool_call.function.arguments", "input.value"),
            "tool_result": "output.value",
        },
    ),
    Dialect(
        name="openllmetry",
        of="tool",
        recognises=_says(_TL_KIND, "tool"),
        facts={
            "tool_call_id": "gen_ai.tool.call.id",
            "tool_name": "gen_ai.tool.name",
            "tool_arguments": attribute("traceloop.entity.input", _keywords),
        },
    ),
    Dialect(
        name="pydantic-ai",  # Its data versions 1 and 2.
        of="tool",
        scopes=("pydantic-ai",),
        recognises=lambda span: "gen_ai.tool.call.id" in span.attributes,
        facts={"tool_arguments": "tool_arguments", "tool_result": "tool_response"},
    ),
    Dialect(
        name="otel-genai",
        of="tool",
        recognises=_is_executed,
        facts={
            "tool_call_id": "gen_ai.tool.call.id",
            "tool_name": "gen_ai.tool.name",
            "tool_arguments": "gen_ai.tool.call.arguments",
            "tool_result": "gen_ai.tool.call.result",
        },
    ),
)


# --- runs of agents --------------------------------------------------------------------------------------------------

_COUNTS: Mapping[str, tuple[str, ...]] = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "total_tokens": ("total_tokens",),
    "cache_read_tokens": ("cache_read.input_tokens", "cache_read_input_tokens"),
    "cache_write_tokens": ("cache_write.input_tokens", "cache_creation.input_tokens", "cache_creation_input_tokens"),
    "reasoning_tokens": ("reasoning.output_tokens", "reasoning_tokens"),
}


def _counts_of(*prefixes: str) -> dict[str, Places]:
    return {name: tuple(f"{prefix}{key}" for prefix in prefixes for key in keys) for name, keys in _COUNTS.items()}


AGENTS: tuple[Dialect, ...] = (
    Dialect(
        name="openinference",
        of="agent",
        recognises=_says(_OI_KIND, "AGENT", "CHAIN"),
        facts={name: OPENINFERENCE.facts[name] for name in _COUNTS},
    ),
    Dialect(
        name="openllmetry",
        of="agent",
        recognises=_says(_TL_KIND, "agent", "workflow"),
        facts={**_counts_of("gen_ai.usage."), "total_tokens": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens")},
    ),
    Dialect(
        name="otel-genai",
        of="agent",
        recognises=_says(_OPERATION, *_RUNS),
        facts=_counts_of("gen_ai.usage."),
    ),
    Dialect(name="aggregated", of="agent", facts=_counts_of(_SUMS)),  # These names say what they are, on any span.
)
