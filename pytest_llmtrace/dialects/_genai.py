"""The dialect of OpenTelemetry's conventions for generative AI, with the names of all their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_llmtrace.dialects._convert import json_value
from pytest_llmtrace.dialects._dialect import Dialect, Places, listed, together
from pytest_llmtrace.dialects._dumped import messages_in
from pytest_llmtrace.dialects._messages import Message, from_value, message_places
from pytest_llmtrace.dialects._prompts import from_messages, from_parts, prompt_places, several
from pytest_llmtrace.dialects._tools import tool_places
from pytest_llmtrace.model import SpanRecord

__all__ = ["CALLS", "GENAI", "SPOKEN", "STATED", "STEPS", "is_genai", "joined"]

# gen_ai.operation.name: the well-known operations that are one call to a model. The others (create_agent,
# invoke_agent, execute_tool, ...) are the application's own steps around such calls.
CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings"})

# A span without gen_ai.operation.name, written by hand or before that existed (semconv 1.27), has to name a model.
_MODELS = ("gen_ai.request.model", "gen_ai.response.model")

# Attributes of a framework's own steps.
STEPS = ("traceloop.span.kind", "gen_ai.tool.name")


def is_genai(span: SpanRecord) -> bool:
    """Tell whether a span is a call to a model by the attributes of the GenAI conventions."""
    attributes = span.attributes
    if attributes.get("logfire.span_type") == "log":  # logfire's note of a stream that has ended: not the call's span.
        return False
    operation = attributes.get("gen_ai.operation.name")
    if operation is not None:
        return isinstance(operation, str) and operation in CALLS
    return any(key in attributes for key in _MODELS) and not any(key in attributes for key in STEPS)


def _answers(raw: Any) -> list[Message]:
    """Read the messages of the answer; an empty list says nothing, like a message that has only a role.

    Laminar writes the choices of the chat API there, or the items of the Responses API, unchanged.
    """
    value = json_value(raw)
    listed = value if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value) else ()
    if listed and all(isinstance(item.get("message"), Mapping) for item in listed):
        return messages_in({"choices": listed}) or []
    if listed and all("type" in item and "parts" not in item for item in listed):
        found = messages_in(listed)
        if found is not None:
            return found
    return from_value(value) or [Message(bare=True)]


SPOKEN = message_places(
    "gen_ai.output.messages",
    _answers,
    {
        "finish_reasons": "gen_ai.output.messages[*].finish_reason",
        "output_texts": "gen_ai.output.messages[*].parts[text]",
        "transcripts": "gen_ai.output.messages[*].parts[audio].transcript",
        "reasoning_texts": "gen_ai.output.messages[*].parts[reasoning]",
        "refusals": "gen_ai.output.messages[*].parts[refusal]",
        "tool_calls": "gen_ai.output.messages[*].parts[tool_call]",
    },
)

_FACTS: dict[str, Places] = {
    "request_model": "gen_ai.request.model",
    "streaming": "gen_ai.request.stream",
    "max_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": ("gen_ai.request.seed", "gen_ai.openai.request.seed"),
    "stop": "gen_ai.request.stop_sequences",
    "choice_count": "gen_ai.request.choice.count",
    **tool_places("gen_ai.tool.definitions"),
    **several(
        prompt_places("gen_ai.input.messages", from_messages, calls="gen_ai.input.messages[*].parts[tool_call]"),
        prompt_places("gen_ai.system_instructions", from_parts),
        prompt_places("gen_ai.prompt", from_messages),  # Until semconv 1.28, and by hand.
    ),
    "response_id": "gen_ai.response.id",
    "response_model": "gen_ai.response.model",
    "finish_reasons": ("gen_ai.response.finish_reasons", SPOKEN["finish_reasons"]),
    "finish_reason": "gen_ai.response.finish_reason",  # In no convention; Semantic Kernel and OpenLLMetry write it.
    "output_texts": (SPOKEN["output_texts"], SPOKEN["transcripts"]),
    "reasoning_texts": SPOKEN["reasoning_texts"],
    "refusals": SPOKEN["refusals"],
    "tool_calls": SPOKEN["tool_calls"],
    "embedding_dimensions": "gen_ai.embeddings.dimension.count",
    "time_to_first_token": "gen_ai.response.time_to_first_chunk",
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    # Not in the conventions, but written by many instrumentations, and read by back ends.
    "total_tokens": "gen_ai.usage.total_tokens",
    "cost": "gen_ai.usage.cost",
    "cache_read_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
    "cache_write_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",  # Strands
    ),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
    "input_audio_tokens": "gen_ai.usage.audio.input_tokens",
    "output_audio_tokens": "gen_ai.usage.audio.output_tokens",
    "error_type": "error.type",
}

STATED: Mapping[str, Sequence[str]] = {
    name: keys for name, places in _FACTS.items() if (keys := [key for key in listed(places) if isinstance(key, str)])
}
"""The attributes that state a fact by themselves, unlike those with content."""

GENAI = Dialect(name="otel-genai", recognises=is_genai, facts=_FACTS)


def joined(own: Mapping[str, Places]) -> dict[str, Places]:
    """Return the places of a dialect that builds on the GenAI conventions: those, then its own."""
    return together(_FACTS, own)
