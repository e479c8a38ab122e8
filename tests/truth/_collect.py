"""Collectors, one for each API, that make an `Answer` of the SDKs' objects: plain replies and events of streams."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

from tests.truth._answer import Answer, Choice, ToolCall, Usage

__all__ = ["Collector", "collector_of"]

Collector = Callable[[Answer, Any], None]
"""A function that adds one object that the SDK returned, or one event of its stream, to an answer."""


def collector_of(api: str, *, stream: bool) -> Collector:
    """Return the collector for an API's plain replies, or for the events of its streams."""
    return _COLLECTORS[api, stream]


def _joined(before: str | None, more: str | None) -> str | None:
    return more if before is None else before if more is None else before + more


def _extra(thing: Any, name: str) -> Any:
    """Return a field that the SDK's types may not have, or None."""
    return getattr(thing, name, None)


def _cost(stated: Any) -> Any:
    """Return a cost, of which Perplexity states the parts and their sum."""
    return stated.get("total_cost") if isinstance(stated, dict) else stated


# --- OpenAI: chat completions and completions ------------------------------------------------------------------------


def _chat(answer: Answer, completion: Any) -> None:
    _head(answer, completion)
    answer.complete = answer.error is None
    for said in completion.choices or ():
        choice = answer.choices.setdefault(said.index, Choice())
        choice.finish_reason = said.finish_reason
        message = said.message
        choice.text, choice.refusal, choice.reasoning = _text(message.content), message.refusal, _reasoning(message)
        choice.tool_calls = [_function(call) for call in message.tool_calls or ()]
        if message.function_call is not None:
            _add_legacy(choice, message.function_call)


def _chat_chunk(answer: Answer, chunk: Any) -> None:
    _head(answer, chunk)
    for said in chunk.choices or ():
        choice = answer.choices.setdefault(said.index, Choice())
        choice.finish_reason = said.finish_reason or choice.finish_reason
        delta = said.delta
        if delta is None:  # Some of Azure's chunks only carry the findings of its filter.
            continue
        choice.text = _joined(choice.text, _text(delta.content))
        choice.refusal = _joined(choice.refusal, delta.refusal)
        choice.reasoning = _joined(choice.reasoning, _reasoning(delta))
        for piece in delta.tool_calls or ():
            _add_piece(choice, piece)
        if delta.function_call is not None:
            _add_legacy(choice, delta.function_call)
    answer.complete = bool(answer.choices) and all(choice.finish_reason for choice in answer.choices.values())


def _add_piece(choice: Choice, piece: Any) -> None:
    """Add a fragment of a tool call; Mistral's fragments have no index, and each is a whole call."""
    index = len(choice.tool_calls) if piece.index is None else piece.index
    while len(choice.tool_calls) <= index:
        choice.tool_calls.append(ToolCall())
    call = choice.tool_calls[index]
    call.id = piece.id or call.id
    if piece.function is not None:
        call.name += piece.function.name or ""
        call.arguments += piece.function.arguments or ""


def _add_legacy(choice: Choice, piece: Any) -> None:
    """Add a function call, as before tools existed: one call, without an id. Snowflake sends an empty one for none."""
    if piece.name or piece.arguments:
        call = choice.tool_calls[0] if choice.tool_calls else ToolCall()
        choice.tool_calls = [call]
        call.name += piece.name or ""
        call.arguments += piece.arguments or ""


def _completion(answer: Answer, completion: Any) -> None:
    _head(answer, completion)
    for said in completion.choices or ():
        choice = answer.choices.setdefault(said.index, Choice())
        choice.text = _joined(choice.text, said.text)
        choice.finish_reason = said.finish_reason or choice.finish_reason
    answer.complete = bool(answer.choices) and all(choice.finish_reason for choice in answer.choices.values())


def _head(answer: Answer, reply: Any) -> None:
    answer.id = reply.id or answer.id
    answer.model = reply.model or answer.model
    answer.request_id = _extra(reply, "_request_id") or answer.request_id
    error = _extra(reply, "error")
    if error:
        answer.error = str(error.get("message") if isinstance(error, Mapping) else error)
    groq = _extra(reply, "x_groq") or {}
    usage = groq.get("usage") if reply.usage is None else reply.usage.model_dump(exclude_none=True)
    if usage is not None:
        answer.usage = _openai_usage(usage)


def _text(content: Any) -> str | None:
    """Return the text of a content; Mistral's may be a list of parts, some of them thoughts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text") or None
    text: str | None = content
    return text


def _reasoning(message: Any) -> str | None:
    if isinstance(message.content, list):
        thoughts = [part["thinking"] for part in message.content if part["type"] == "thinking"]
        return "".join(inner["text"] for thought in thoughts for inner in thought) or None
    said: str | None = _extra(message, "reasoning_content") or _extra(message, "reasoning")
    return said


def _function(call: Any) -> ToolCall:
    if call.type == "custom":
        return ToolCall(id=call.id, name=call.custom.name, arguments=call.custom.input)
    return ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)


def _openai_usage(raw: Mapping[str, Any]) -> Usage:
    read = raw.get("prompt_tokens_details") or {}
    written = raw.get("completion_tokens_details") or {}
    # DeepSeek and Mistral have names of their own for cached tokens.
    cached = (read.get("cached_tokens"), raw.get("prompt_cache_hit_tokens"), raw.get("num_cached_tokens"))
    return Usage(
        input=raw.get("prompt_tokens"),
        output=raw.get("completion_tokens"),
        total=raw.get("total_tokens"),
        cache_read=next((count for count in cached if count is not None), None),
        cache_write=read.get("cache_write_tokens"),
        reasoning=written.get("reasoning_tokens"),
        input_audio=read.get("audio_tokens"),
        output_audio=written.get("audio_tokens"),
        cost=_cost(raw.get("cost")),
        raw=dict(raw),
    )


# --- OpenAI: embeddings and responses --------------------------------------------------------------------------------


def _embeddings(answer: Answer, reply: Any) -> None:
    answer.id, answer.model = _extra(reply, "id"), reply.model  # OpenRouter states an id.
    answer.vectors = [_vector(item.embedding) for item in reply.data]
    answer.usage = None if reply.usage is None else _openai_usage(reply.usage.model_dump(exclude_none=True))
    answer.complete = True


def _vector(embedding: list[float] | str) -> list[float]:
    """Unpack a vector, which the SDK does not do if the application itself asks for base64."""
    if isinstance(embedding, str):
        packed = base64.b64decode(embedding)
        return list(struct.unpack(f"<{len(packed) // 4}f", packed))
    return embedding


def _response(answer: Answer, response: Any) -> None:
    answer.id, answer.model = response.id, response.model
    answer.error = response.error.message if response.error else None
    answer.complete = response.status in {"completed", "incomplete"}
    # A response that failed does not repeat the answer that its stream has given so far.
    choice = Choice() if response.output else answer.choices.get(0, Choice())
    choice.finish_reason = _response_reason(response)
    for item in response.output:
        _add_item(choice, item)
    if response.output or choice.finish_reason:
        answer.choices[0] = choice
    if response.usage is not None:
        answer.usage = _response_usage(response.usage)


def _response_reason(response: Any) -> str | None:
    if response.status == "incomplete" and response.incomplete_details is not None:
        reason: str | None = response.incomplete_details.reason
        return reason
    return next((end for end in ("completed", "failed", "cancelled", "incomplete") if end == response.status), None)


def _add_item(choice: Choice, item: Any) -> None:
    if item.type == "function_call":
        choice.tool_calls.append(ToolCall(id=item.call_id, name=item.name, arguments=item.arguments))
    elif item.type == "custom_tool_call":
        choice.tool_calls.append(ToolCall(id=item.call_id, name=item.name, arguments=item.input))
    elif item.type == "reasoning":
        for part in item.summary:
            choice.reasoning = _joined(choice.reasoning, part.text)
    elif item.type == "message":
        for part in item.content:
            if part.type == "output_text":
                choice.text = _joined(choice.text, part.text)
            elif part.type == "refusal":
                choice.refusal = _joined(choice.refusal, part.refusal)


def _response_event(answer: Answer, event: Any) -> None:
    if event.type in {"response.completed", "response.incomplete", "response.failed"}:
        _response(answer, event.response)
    elif event.type == "response.created":
        answer.id, answer.model = event.response.id, event.response.model
    elif event.type == "response.output_text.delta":
        choice = answer.choices.setdefault(0, Choice())
        choice.text = _joined(choice.text, event.delta)
    elif event.type == "error":
        answer.error = event.message


def _response_usage(usage: Any) -> Usage:
    read, written = _extra(usage, "input_tokens_details"), _extra(usage, "output_tokens_details")
    return Usage(
        input=usage.input_tokens,
        output=usage.output_tokens,
        total=usage.total_tokens,
        cache_read=_extra(read, "cached_tokens"),
        cache_write=_extra(read, "cache_write_tokens"),
        reasoning=_extra(written, "reasoning_tokens"),
        cost=_extra(usage, "cost"),
        raw=usage.model_dump(exclude_none=True),
    )


# --- Anthropic -------------------------------------------------------------------------------------------------------


def _message(answer: Answer, message: Any) -> None:
    _message_head(answer, message)
    for block in message.content:
        _add_block(answer.choices[0], block)
    answer.choices[0].finish_reason = message.stop_reason
    answer.complete = True


def _message_head(answer: Answer, message: Any) -> None:
    answer.id, answer.model = message.id, message.model
    answer.request_id = _extra(message, "_request_id")
    answer.choices[0] = Choice()
    answer.usage = Usage(raw={})
    _add_usage(answer.usage, message.usage)


def _add_block(choice: Choice, block: Any) -> None:
    if block.type == "text":
        choice.text = _joined(choice.text, block.text)
    elif block.type == "thinking":
        choice.reasoning = _joined(choice.reasoning, block.thinking)
    elif block.type == "tool_use":
        arguments = json.dumps(block.input) if block.input else ""
        choice.tool_calls.append(ToolCall(id=block.id, name=block.name, arguments=arguments))


def _message_event(answer: Answer, event: Any) -> None:
    if event.type == "message_start":
        _message_head(answer, event.message)
        if answer.usage is not None:
            answer.usage.output = answer.usage.total = None  # The count is a placeholder: nothing has been written yet.
    elif event.type == "content_block_start":
        _add_block(answer.choices[0], event.content_block)
        if event.content_block.type == "tool_use":
            answer.open[event.index] = answer.choices[0].tool_calls[-1]
    elif event.type == "content_block_delta":
        _add_delta(answer, event)
    elif event.type == "message_delta" and answer.usage is not None:
        answer.choices[0].finish_reason = event.delta.stop_reason
        _add_usage(answer.usage, event.usage)
    reasoned = event.type == "message_delta" and event.delta.stop_reason is not None
    answer.complete = answer.complete or reasoned or event.type == "message_stop"


def _add_delta(answer: Answer, event: Any) -> None:
    choice, delta = answer.choices[0], event.delta
    if delta.type == "text_delta":
        choice.text = _joined(choice.text, delta.text)
    elif delta.type == "thinking_delta":
        choice.reasoning = _joined(choice.reasoning, delta.thinking)
    elif delta.type == "input_json_delta" and event.index in answer.open:  # The server's own tools write some, too.
        answer.open[event.index].arguments += delta.partial_json


def _add_usage(usage: Usage, said: Any) -> None:
    """Add the counts of an event; those that it does not restate are kept."""
    usage.raw |= said.model_dump(exclude_none=True)
    usage.cache_read = usage.raw.get("cache_read_input_tokens")
    usage.cache_write = usage.raw.get("cache_creation_input_tokens")
    if usage.raw.get("input_tokens") is not None:
        usage.input = usage.raw["input_tokens"] + (usage.cache_read or 0) + (usage.cache_write or 0)
    usage.output = usage.raw.get("output_tokens")
    usage.reasoning = usage.raw.get("output_tokens_details", {}).get("thinking_tokens")
    usage.cost = usage.raw.get("cost")  # OpenRouter and Anannas state it.
    if usage.input is not None and usage.output is not None:
        usage.total = usage.input + usage.output


_COLLECTORS: Mapping[tuple[str, bool], Collector] = {
    ("chat", False): _chat,
    ("chat", True): _chat_chunk,
    ("completions", False): _completion,
    ("completions", True): _completion,
    ("responses", False): _response,
    ("responses", True): _response_event,
    ("embeddings", False): _embeddings,
    ("messages", False): _message,
    ("messages", True): _message_event,
}
