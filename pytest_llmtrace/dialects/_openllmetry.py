"""The dialect of OpenLLMetry (Traceloop): GenAI's names, its own older names, and flattened completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmtrace.dialects._convert import Unreadable
from pytest_llmtrace.dialects._dialect import Dialect
from pytest_llmtrace.dialects._genai import is_genai, joined
from pytest_llmtrace.dialects._messages import Message, add_text, call, is_bare, message_places, numbered
from pytest_llmtrace.dialects._prompts import flattened_prompts, prompt_places
from pytest_llmtrace.dialects._tools import flattened_tools
from pytest_llmtrace.model import SpanRecord

__all__ = ["OPENLLMETRY"]

# The values of llm.request.type that stand for one call to a model.
_CALLS = frozenset({"chat", "completion", "embedding", "embeddings"})

# Attributes that no other instrumentation writes, and its flattened messages, which some have adopted (AgentOps).
_OWN = (
    *("gen_ai.is_streaming", "llm.is_streaming", "llm.usage.total_tokens", "llm.headers", "gen_ai.headers"),
    *("gen_ai.prompt.0.role", "gen_ai.completion.0.role"),
)

_SCOPES = frozenset({"anthropic", "openai.v0", "openai.v1"})
_SCOPE = "opentelemetry.instrumentation."

_COMPLETIONS = "gen_ai.completion."
_PROMPTS = "gen_ai.prompt."


def _is_openllmetry(span: SpanRecord) -> bool:
    kind = span.attributes.get("llm.request.type")
    if isinstance(kind, str) and kind in _CALLS:
        return True
    return is_genai(span) and (
        (span.scope.startswith(_SCOPE) and span.scope[len(_SCOPE) :] in _SCOPES)
        or not span.attributes.keys().isdisjoint(_OWN)
    )


def _completions(flat: Mapping[str, Any]) -> list[Message]:
    """Read flattened completions."""
    return [_completion(group) for group in numbered(flat)]


def _completion(group: Mapping[str, Any]) -> Message:
    message = Message()
    add_text(message, message.texts, group.get("content"))
    add_text(message, message.reasoning, group.get("reasoning"))
    reason = group.get("finish_reason")
    if not isinstance(reason, str | None):
        raise Unreadable("a finish reason is not a string")
    message.finish_reason = reason
    message.calls = [
        call(asked.get("id"), asked.get("name"), asked.get("arguments")) for asked in numbered(group, "tool_calls.")
    ]
    message.spoken |= bool(message.calls)
    message.bare = is_bare(group)
    return message


_SAID = message_places(
    _COMPLETIONS,
    _completions,
    {
        "finish_reasons": f"{_COMPLETIONS}*.finish_reason",
        "output_texts": f"{_COMPLETIONS}*.content",
        "reasoning_texts": f"{_COMPLETIONS}*.reasoning",
        "tool_calls": f"{_COMPLETIONS}*.tool_calls",
    },
    flattened=True,
)

OPENLLMETRY = Dialect(
    name="openllmetry",
    recognises=_is_openllmetry,
    facts=joined(
        {
            "streaming": (
                "gen_ai.is_streaming",
                "llm.is_streaming",
                "gen_ai.request.streaming",
            ),  # The last one is AgentOps'.
            "max_tokens": "gen_ai.request.max_completion_tokens",
            "top_k": "llm.top_k",
            "frequency_penalty": "llm.frequency_penalty",
            "presence_penalty": "llm.presence_penalty",
            "stop": "llm.chat.stop_sequences",
            "choice_count": "gen_ai.request.n",
            **flattened_tools("llm.request.functions.", "name"),
            **prompt_places(
                _PROMPTS, flattened_prompts, f"{_PROMPTS}*.content", f"{_PROMPTS}*.tool_calls", flattened=True
            ),
            "finish_reason": (
                "gen_ai.response.stop_reason",
                "llm.response.finish_reason",
                "llm.response.stop_reason",
            ),
            "total_tokens": "llm.usage.total_tokens",
            "reasoning_tokens": "llm.usage.reasoning_tokens",
            **_SAID,
        }
    ),
)
