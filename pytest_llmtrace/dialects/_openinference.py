"""The dialect of OpenInference: flattened messages, and the request's parameters as one JSON text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmtrace.dialects._convert import dimensions
from pytest_llmtrace.dialects._dialect import Dialect, together
from pytest_llmtrace.dialects._messages import Message, add_text, call, hear, message_places, numbered
from pytest_llmtrace.dialects._place import Part, happened, inside, parameters
from pytest_llmtrace.dialects._prompts import Piece, answering, asked_for, pieces_in, prompt_places, several
from pytest_llmtrace.dialects._tools import flattened_tools
from pytest_llmtrace.dialects._whole import reply_places, request_places
from pytest_llmtrace.model import SpanRecord

__all__ = ["OPENINFERENCE", "WHOLE"]

# spec/semantic_conventions.md: the kinds of span that stand for one call to a model.
_CALLS = frozenset({"LLM", "EMBEDDING"})

_ASKED = "llm.invocation_parameters"
_EMBEDDED = "embedding.invocation_parameters"
_INPUT = "llm.input_messages."
_PROMPTS = "llm.prompts."
_OUTPUT = "llm.output_messages."
_CHOICES = "llm.choices."
_VECTORS = "embedding.embeddings."

_ID, _NAME, _ARGUMENTS = "tool_call.id", "tool_call.function.name", "tool_call.function.arguments"
_CALL = frozenset({_ID, _NAME, _ARGUMENTS})


def _is_openinference(span: SpanRecord) -> bool:
    kind = span.attributes.get("openinference.span.kind")
    return isinstance(kind, str) and kind in _CALLS


# --- messages --------------------------------------------------------------------------------------------------------


def _messages(flat: Mapping[str, Any]) -> list[Message]:
    """Read flattened messages; some have tool calls among the contents, some state calls or the text twice."""
    return [_message(group) for group in numbered(flat)]


def _message(group: Mapping[str, Any]) -> Message:
    message = Message(spoken="message.role" in group)  # Masking hides whole messages, role included.
    add_text(message, message.texts, group.get("message.content"))
    flat = [*message.texts]
    for content in numbered(group, "message.contents."):
        _add(message, content)
    if flat and len(message.texts) > len(flat):  # The parts state the same text once more.
        message.texts, message.repeated_texts = flat, message.texts[len(flat) :]
    asked = numbered(group, "message.tool_calls.")
    outer = [_call(one) for one in asked if not _CALL.isdisjoint(one)]  # Calls without a name have none of these.
    if "message.function_call_name" in group:  # The API's predecessor of `tool_calls`; some gateways still use it.
        outer.append(call(None, group["message.function_call_name"], group.get("message.function_call_arguments_json")))
    if outer:
        message.calls, message.repeated = outer, message.calls
        message.spoken = True
    return message


def _add(message: Message, content: Mapping[str, Any]) -> None:
    message.spoken = True
    if not _CALL.isdisjoint(content):
        message.calls.append(_call(content))
        return
    kind = content.get("message_content.type", "text")
    if kind == "reasoning":
        add_text(message, message.reasoning, content.get("message_content.text"))
    elif kind in ("text", "output_text"):  # The result of a provider's tool is not the answer.
        add_text(message, message.texts, content.get("message_content.text"))
    elif kind == "audio":
        hear(message, content.get("message_content.audio.audio.transcript"))


def _call(group: Mapping[str, Any]) -> Mapping[str, Any]:
    return call(group.get(_ID), group.get(_NAME), group.get(_ARGUMENTS))


_SAID = message_places(
    _OUTPUT,
    _messages,
    {
        "output_texts": f"{_OUTPUT}*.message.content",
        "repeated_texts": f"{_OUTPUT}*.message.contents.*.message_content[text]",
        "transcripts": f"{_OUTPUT}*.message.contents.*.message_content.audio.audio.transcript",
        "reasoning_texts": f"{_OUTPUT}*.message.contents.*.message_content[reasoning]",
        "tool_calls": f"{_OUTPUT}*.message.tool_calls",
        "repeated": f"{_OUTPUT}*.message.contents.*.tool_call",
    },
    flattened=True,
)


def _given(flat: Mapping[str, Any]) -> Iterator[Piece]:
    """Read the prompt; some state a message's text or tool calls a second time, in its parts."""
    for group in numbered(flat):
        role = "tool" if "message.tool_call_id" in group else group.get("message.role")
        text = group.get("message.content")
        contents = numbered(group, "message.contents.") or numbered(group, "message.content.")  # The latter are DSPy's.
        parts = text or [_part(one) for one in contents]
        pieces = pieces_in(role if isinstance(role, str) else None, parts)
        yield from answering(group.get("message.tool_call_id"), pieces) if role == "tool" else pieces
        asked = [one for one in numbered(group, "message.tool_calls.") if not _CALL.isdisjoint(one)]
        for one in asked or contents:
            yield from asked_for(one.get(_ID), one.get(_NAME), one.get(_ARGUMENTS))
        function = group.get("message.function_call_name")
        yield from asked_for(None, function, group.get("message.function_call_arguments_json"))


def _part(group: Mapping[str, Any]) -> Mapping[str, Any]:
    kind = group.get("message_content.type", group.get("type", "text"))
    return {"type": kind, "text": group.get("message_content.text", group.get("text"))}


# --- completions -----------------------------------------------------------------------------------------------------


def _choices(flat: Mapping[str, Any]) -> list[Message]:
    """Read the flattened choices of the completions API."""
    messages = []
    for group in numbered(flat):
        message = Message()
        add_text(message, message.texts, group.get("completion.text"))
        messages.append(message)
    return messages


_COMPLETED = message_places(_CHOICES, _choices, {"output_texts": f"{_CHOICES}*.completion.text"}, flattened=True)


def _prompts(flat: Mapping[str, Any]) -> Iterator[Piece]:
    for group in numbered(flat):
        yield from pieces_in(None, group.get("prompt.text"))


# --- embeddings ------------------------------------------------------------------------------------------------------


def _vectors(flat: Mapping[str, Any]) -> list[Any]:
    vectors = [group.get("embedding.vector") for group in numbered(flat)]
    return [vector for vector in vectors if vector is not None and vector != "__REDACTED__"]


def _embedded(flat: Mapping[str, Any]) -> Iterator[Piece]:
    for group in numbered(flat):
        yield from pieces_in(None, group.get("embedding.text"))


def _count(vectors: Sequence[Any]) -> int | None:
    return len(vectors) or None


_VECTOR = f"{_VECTORS}*.embedding.vector"

OPENINFERENCE = Dialect(
    name="openinference",
    recognises=_is_openinference,
    facts={
        **parameters(_ASKED),
        "dimensions": (inside(_EMBEDDED, "dimensions"), inside(_ASKED, "dimensions")),
        "request_model": ("llm.request.model_name", inside(_ASKED, "model"), inside(_EMBEDDED, "model")),
        **flattened_tools("llm.tools.", "tool.json_schema"),
        **several(
            prompt_places(
                _INPUT, _given, f"{_INPUT}*.message.content", f"{_INPUT}*.message.tool_calls", flattened=True
            ),
            prompt_places(_PROMPTS, _prompts, f"{_PROMPTS}*.prompt.text", flattened=True),
            prompt_places(_VECTORS, _embedded, f"{_VECTORS}*.embedding.text", flattened=True),
        ),
        "response_model": "llm.response.model_name",
        # The requested model until the reply names another one.
        "model": ("llm.model_name", "embedding.model_name"),
        "finish_reason": "llm.finish_reason",
        "output_texts": (
            *(_SAID[name] for name in ("output_texts", "repeated_texts", "transcripts")),
            _COMPLETED["output_texts"],
        ),
        "reasoning_texts": _SAID["reasoning_texts"],
        "tool_calls": (_SAID["tool_calls"], _SAID["repeated"]),
        "embedding_count": Part(prefix=_VECTORS, reader=_vectors, take=_count, label=_VECTOR),
        "embedding_dimensions": Part(prefix=_VECTORS, reader=_vectors, take=dimensions, label=_VECTOR),
        "time_to_first_token": happened("First Token Stream Event"),
        "input_tokens": "llm.token_count.prompt",
        "output_tokens": "llm.token_count.completion",
        "total_tokens": "llm.token_count.total",
        "cache_read_tokens": "llm.token_count.prompt_details.cache_read",
        "cache_write_tokens": "llm.token_count.prompt_details.cache_write",
        "reasoning_tokens": "llm.token_count.completion_details.reasoning",
        "input_audio_tokens": "llm.token_count.prompt_details.audio",
        "output_audio_tokens": "llm.token_count.completion_details.audio",
        "cost": "llm.cost.total",
    },
)

WHOLE = Dialect(
    name="openinference",
    recognises=_is_openinference,
    facts=together(request_places("input.value"), reply_places("output.value")),
)
"""Reads the request and the reply that instrumentors of SDKs write as the input and the output of a call.

These may have any form, and no back end counts tokens there: what they state does not replace an attribute.
"""
