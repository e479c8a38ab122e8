"""Small dialects on top of the GenAI names: hand-written wrappers, the Anthropic SDK's and Pydantic AI's spans."""

from __future__ import annotations

from pytest_llmtrace.dialects._convert import json_value, milliseconds
from pytest_llmtrace.dialects._dialect import Dialect
from pytest_llmtrace.dialects._genai import is_genai
from pytest_llmtrace.dialects._place import attribute
from pytest_llmtrace.dialects._prompts import pieces_in, prompt_places
from pytest_llmtrace.model import SpanRecord

__all__ = ["ANTHROPIC_NATIVE", "HANDWRITTEN", "PYDANTIC_AI"]

# Attributes that teams add to the GenAI names in their wrappers around `anthropic.Anthropic()`.
_OWN = (
    "gen_ai.response.stop_reason",
    "gen_ai.response.tool_calls.count",
    "gen_ai.response.tool_calls.names",
    "gen_ai.latency_ms",
    "gen_ai.time_to_first_token_ms",
)


def _is_handwritten(span: SpanRecord) -> bool:
    return not span.attributes.keys().isdisjoint(_OWN) and is_genai(span)


HANDWRITTEN = Dialect(
    name="hand-written",
    recognises=_is_handwritten,
    facts={
        "finish_reason": "gen_ai.response.stop_reason",
        "tool_call_count": "gen_ai.response.tool_calls.count",
        "tool_call_names": "gen_ai.response.tool_calls.names",
        "time_to_first_token": attribute("gen_ai.time_to_first_token_ms", milliseconds),
        "latency": attribute("gen_ai.latency_ms", milliseconds),
    },
)

_ANTHROPIC = "com.anthropic.sdk.python"
_PLATFORMS = ("aws", "bedrock", "foundry", "google_cloud", "vertex")  # Their clients have scopes of their own.

ANTHROPIC_NATIVE = Dialect(
    name="anthropic-native",
    scopes=(_ANTHROPIC, *(f"{_ANTHROPIC}.{platform}" for platform in _PLATFORMS)),
    recognises=is_genai,
    facts={
        "finish_reason": "anthropic.message.stop_reason",
        "request_id": "anthropic.request.id",
    },
)

_DETAILS = "gen_ai.usage.details."

PYDANTIC_AI = Dialect(
    name="pydantic-ai",
    scopes=("pydantic-ai",),
    recognises=is_genai,
    facts={
        **prompt_places("inputs", lambda raw: pieces_in(None, json_value(raw))),  # The texts to embed.
        # The attribute is named after the metric: the time until the first chunk was handed to the consumer.
        "time_to_first_token": "gen_ai.client.operation.time_to_first_chunk",
        # pydantic_ai/usage.py, `opentelemetry_attributes`: counts under its own names, some beside GenAI's.
        "cache_read_tokens": f"{_DETAILS}cache_read_tokens",
        "cache_write_tokens": f"{_DETAILS}cache_write_tokens",
        "reasoning_tokens": f"{_DETAILS}reasoning_tokens",
        "input_audio_tokens": f"{_DETAILS}input_audio_tokens",
        "output_audio_tokens": f"{_DETAILS}output_audio_tokens",
    },
)
