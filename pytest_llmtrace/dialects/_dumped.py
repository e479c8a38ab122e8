"""Replies as SDKs return them, dumped into an attribute as JSON: the whole reply, or only the model's messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmtrace.dialects._convert import Unreadable, count
from pytest_llmtrace.dialects._messages import Message, add_text, call, mapping, message_of, part_of, sequence
from pytest_llmtrace.dialects._place import Place, inside

__all__ = ["messages_in", "usage_places"]

# --- what was said ---------------------------------------------------------------------------------------------------

# The types of items in the Responses API, and of parts of a message in Anthropic's API, that belong to the answer.
_PARTS = frozenset(
    {"custom_tool_call", "function_call", "message", "output_text", "reasoning", "refusal", "text"}
    | {"redacted_thinking", "server_tool_use", "thinking", "tool_use"}
)
_SAID = frozenset({"content", "function_call", "refusal", "tool_calls"})
_NO_CALLS = (None, {"name": "", "arguments": ""})
"""No call: Snowflake's answers have all the fields that they might have, empty ones too."""
_UNFINISHED = ("in_progress", "queued")


def messages_in(value: Any) -> list[Message] | None:
    """Return the messages in a dumped reply, one for each choice; `None` if it is not a reply of a known form.

    Args:
        value: The body of a reply of the chat, completions, responses or messages API; a message of the chat or the
            messages API, or several; an item of the responses API or a part of a message, or several; LangChain's
            `LLMResult`.

    Raises:
        Unreadable: If it is such a reply, but something in it has a wrong form.
    """
    if isinstance(value, list):
        return _listed(value)
    if not isinstance(value, Mapping):
        return None
    if isinstance(value.get("choices"), list):
        return [_choice(mapping(choice, "a choice")) for choice in value["choices"]]
    if isinstance(value.get("generations"), list):
        prompts = [sequence(of_one, "the generations of a prompt") for of_one in value["generations"]]
        return [_generation(mapping(one, "a generation")) for of_one in prompts for one in of_one]
    if isinstance(value.get("output"), list):
        message = _of_items(value["output"])
        message.finish_reason = _ending(value)
        return [message]
    return _listed([value])


def _listed(values: Sequence[Any]) -> list[Message] | None:
    if not values or not all(isinstance(value, Mapping) for value in values):
        return None
    kinds = [value.get("type") for value in values]
    typed = [kind for kind in kinds if isinstance(kind, str)]
    if not _PARTS.isdisjoint(typed) and (len(typed) == len(kinds) or all(map(_is_item, values))):
        return [_of_items(values)]
    if all("role" in value and not _SAID.isdisjoint(value) for value in values):
        return _turns(values)
    return None


def _is_item(value: Mapping[str, Any]) -> bool:
    """Tell whether a value may be an item of an answer: it has a type, or is a message of the model's own."""
    is_own = value.get("role") == "assistant" or _is_thought(value)
    return isinstance(value.get("type"), str) or (is_own and "content" in value)


def _is_thought(value: Mapping[str, Any]) -> bool:
    """Tell whether a message is reasoning by its role, as LiteLLM writes it for Langfuse."""
    return value.get("role") in ("reasoning", "reasoning_summary", "thinking")


def _turns(values: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Read messages of the chat API; reasoning that is a message of its own belongs to the one that follows it."""
    messages: list[Message] = []
    thoughts: list[str] = []
    for value in values:
        message = _chat_message(value)
        if _is_thought(value):
            thoughts += message.texts
            continue
        message.reasoning[:0] = thoughts
        thoughts = []
        messages.append(message)
    return [*messages, Message(reasoning=thoughts)] if thoughts else messages


def _choice(choice: Mapping[str, Any]) -> Message:
    if "message" in choice:
        message = _chat_message(mapping(choice["message"], "the message of a choice"))
    else:
        message = Message()
        add_text(message, message.texts, choice.get("text"))
    message.finish_reason = _text(choice.get("finish_reason"), "a finish reason")
    return message


def _chat_message(value: Mapping[str, Any]) -> Message:
    """Read a message of the chat API; some state their tool calls a second time, among the parts of their content."""
    message = message_of({key: part for key, part in value.items() if key not in ("function_call", "tool_calls")})
    message.spoken = True
    _add_outer_calls(message, value)
    thought = value.get("reasoning_content") or value.get("reasoning")
    if isinstance(thought, str) and not message.reasoning:
        add_text(message, message.reasoning, thought)
    content = value.get("content")
    for part in content if isinstance(content, list) and not message.reasoning else ():
        if part.get("type") == "reasoning":  # LangChain puts items of the Responses API among the parts.
            _add(message, part)
    return message


def _add_outer_calls(message: Message, value: Mapping[str, Any]) -> None:
    """Add the tool calls that stand beside the content of a message; calls inside it then count as repeated."""
    asked = value.get("tool_calls")
    outer = [_called(mapping(one, "a tool call")) for one in (() if asked is None else sequence(asked, "tool_calls"))]
    if value.get("function_call") not in _NO_CALLS:  # The API's predecessor of `tool_calls`.
        outer.append(_called({"function": value["function_call"]}))
    if outer:
        message.calls, message.repeated = outer, message.calls


def _generation(value: Mapping[str, Any]) -> Message:
    """Read one of LangChain's generations; its message is dumped with only the fields that every message has."""
    if value.get("message") is None:
        message = Message()
        add_text(message, message.texts, value.get("text"))
        return message
    said = mapping(value["message"], "the message of a generation")
    content, more = (
        said.get("content"),
        mapping(said.get("additional_kwargs") or {}, "the additional_kwargs of a message"),
    )
    parts = [content] if isinstance(content, str) else sequence(content or (), "the content of a message")
    message = _of_items(list(_lang_parts(parts)))
    _add_outer_calls(message, said if said.get("tool_calls") else more)
    add_text(message, message.refusals, more.get("refusal"))
    if not message.reasoning:
        add_text(message, message.reasoning, more.get("reasoning_content"))
    # From LangChain 1 on, which names the provider, a list as content holds the whole answer. Before, tool calls were
    # in a field of their own, which is not dumped.
    about = said.get("response_metadata")
    whole = isinstance(content, list) and isinstance(about, Mapping) and "model_provider" in about
    message.partial = not whole
    return message


def _lang_parts(content: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """Yield LangChain's parts in the form of the APIs: a part may be a plain text, and a tool call has `args`."""
    for part in content:
        if isinstance(part, str):
            yield {"type": "text", "text": part}
            continue
        found = mapping(part, "a part of a message")
        kind = found.get("type")
        if kind == "reasoning" and "reasoning" in found:
            yield {"type": "thinking", "thinking": found["reasoning"]}
        elif kind not in _LANG_CALLS:
            yield found
        if kind in _LANG_CALLS or (kind == "text" and "args" in found):
            # From a stream, LangChain merges the parts with the same index: the text and the first call.
            yield {**found, "type": "tool_call", "arguments": found.get("args")}


_LANG_CALLS = frozenset({"invalid_tool_call", "tool_call", "tool_call_chunk"})


def _called(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a tool call, of OpenAI's form or of LangChain's, which has `args`."""
    function = mapping(asked.get("function") or asked, "the function of a tool call")
    arguments = function.get("arguments", function.get("args"))
    return call(asked.get("id"), function.get("name"), arguments)


def _of_items(items: Sequence[Any]) -> Message:
    message = Message(spoken=True)
    for item in items:
        _add(message, mapping(item, "an item of the output"))
    return message


def _add(message: Message, item: Mapping[str, Any]) -> None:
    kind = item.get("type", "message" if "role" in item else None)
    if _is_thought(item):
        message.reasoning += message_of(item).texts
    elif kind == "message":
        content = item.get("content")
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in () if parts is None else sequence(parts, "the content of a message"):
            _add(message, mapping(part, "a part of a message"))
        message.finish_reason = _text(item.get("stop_reason"), "a stop reason")
    elif kind == "reasoning":
        for part in _thoughts(item):
            add_text(message, message.reasoning, mapping(part, "a part of the reasoning").get("text"))
    elif kind == "custom_tool_call":
        message.calls.append(call(item.get("call_id"), item.get("name"), item.get("input")))
    else:
        part_of(message, item)


def _thoughts(item: Mapping[str, Any]) -> Sequence[Any]:
    """Return the parts of an item of reasoning: the reasoning itself, or else its summary."""
    return sequence(item.get("content") or item.get("summary") or (), "reasoning")


def _ending(body: Mapping[str, Any]) -> str | None:
    """Return the reason why a reply of the Responses API ended, or its status; `None` if it has not ended."""
    details = body.get("incomplete_details")
    if body.get("status") == "incomplete" and isinstance(details, Mapping) and details.get("reason") is not None:
        return _text(details["reason"], "the reason for an incomplete response")
    status = _text(body.get("status"), "a status")
    return None if status in _UNFINISHED else status


def _text(value: Any, what: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Unreadable(f"{what} is not a string")
    return value


# --- what it cost ----------------------------------------------------------------------------------------------------

_COUNTS = {
    "output_tokens": ("completion_tokens", "output_tokens"),
    "total_tokens": ("total_tokens",),
    "cache_read_tokens": (
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "cache_read_input_tokens",
        "prompt_cache_hit_tokens",  # DeepSeek
        "num_cached_tokens",  # Mistral
    ),
    "cache_write_tokens": (
        "prompt_tokens_details.cache_write_tokens",
        "input_tokens_details.cache_write_tokens",
        "cache_creation_input_tokens",
    ),
    "reasoning_tokens": (
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "output_tokens_details.thinking_tokens",
    ),
    "input_audio_tokens": ("prompt_tokens_details.audio_tokens",),
    "output_audio_tokens": ("completion_tokens_details.audio_tokens",),
    "cost": ("cost.total_cost", "cost"),  # Perplexity's is an object.
}


def usage_places(key: str, path: str = "") -> dict[str, Place]:
    """Make the places of the counts and the cost in a usage object in the provider's own form.

    Args:
        key: The name of the attribute.
        path: The field of its JSON that is the usage object; without it, the whole value is the usage object.
    """
    before = f"{path}." if path else ""
    return {
        "input_tokens": inside(key, *filter(None, (path,)), convert=_input_tokens),
        **{fact: inside(key, *(before + name for name in names)) for fact, names in _COUNTS.items()},
    }


def _input_tokens(usage: Any) -> int | None:
    """Return all input tokens of a usage object; Anthropic's counts cached tokens apart."""
    stated = mapping(usage, "the usage")
    names = ("prompt_tokens", "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    counts = [count(stated[name]) for name in names if stated.get(name) is not None]
    if stated.get("prompt_tokens") is not None:
        return counts[0]
    return sum(counts) if stated.get("input_tokens") is not None else None
