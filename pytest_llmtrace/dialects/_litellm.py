"""The dialect of LiteLLM's callback `otel`: GenAI's names, LiteLLM's call types, its own place for tool calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmtrace.dialects._dialect import Dialect
from pytest_llmtrace.dialects._genai import joined
from pytest_llmtrace.dialects._messages import Message, call, message_places, numbered
from pytest_llmtrace.dialects._prompts import flattened_prompts, prompt_places
from pytest_llmtrace.dialects._tools import flattened_tools
from pytest_llmtrace.model import SpanRecord

__all__ = ["LITELLM"]

# litellm/types/utils.py, CallTypes: the types that are one call to a model, each also with an `a` before it (async).
_NAMES = ("completion", "text_completion", "responses", "embedding", "anthropic_messages")
_CALLS = frozenset(_NAMES) | {f"a{name}" for name in _NAMES}

_COMPLETIONS = "gen_ai.completion."
_PROMPTS = "gen_ai.prompt."


def _is_litellm(span: SpanRecord) -> bool:
    """Tell whether a span has LiteLLM's attributes: if another span is current, LiteLLM writes them on that one."""
    kind = span.attributes.get("llm.request.type")
    return "litellm.call_id" in span.attributes and isinstance(kind, str) and kind in _CALLS


def _called(flat: Mapping[str, Any]) -> list[Message]:
    """Read the tool calls, which are numbered across all choices and have no ids."""
    asked = [
        call(None, group.get("function_call.name"), group.get("function_call.arguments")) for group in numbered(flat)
    ]
    return [Message(calls=asked, spoken=True)]


_TOOLS = message_places(_COMPLETIONS, _called, {"tool_calls": f"{_COMPLETIONS}*.function_call"}, flattened=True)

LITELLM = Dialect(
    name="litellm",
    recognises=_is_litellm,
    facts=joined(
        {
            "streaming": "llm.is_streaming",
            **flattened_tools("llm.request.functions.", "name"),
            **prompt_places(
                _PROMPTS, flattened_prompts, f"{_PROMPTS}*.content", f"{_PROMPTS}*.tool_calls", flattened=True
            ),
            "cost": "gen_ai.cost.total_cost",
            **_TOOLS,
        }
    ),
)
