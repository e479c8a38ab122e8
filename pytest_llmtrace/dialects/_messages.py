"""The messages that a model answered with, as spans hold them: read into one form, from which the facts are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_llmtrace.dialects._convert import Unreadable, brief, is_hidden, json_value
from pytest_llmtrace.dialects._place import Part

__all__ = ["Message", "call", "from_json", "mapping", "message_places", "numbered", "part_of", "sequence"]

_LONGEST_INDEX = 9
_TEXT = (str, type(None))


@dataclass(kw_only=True, slots=True)
class Message:
    """One message of an answer.

    Attributes:
        texts: Its text; likewise `reasoning` and `refusals`.
        repeated_texts: The same text where the message states it a second time.
        calls: The tool calls that it asks for.
        repeated: The same calls where the message states them a second time.
        finish_reason: As it stands there.
        hidden: Whether a text was masked.
        spoken: Whether it says anything of its content, so that what it does not say is not there.
    """

    texts: list[str] = field(default_factory=list)
    repeated_texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    calls: list[Mapping[str, Any]] = field(default_factory=list)
    repeated: list[Mapping[str, Any]] = field(default_factory=list)
    finish_reason: str | None = None
    hidden: bool = False
    spoken: bool = False


Messages = Sequence[Message]


def add_text(message: Message, into: list[str], value: Any) -> None:
    """Add a text to a message, as far as there is one."""
    if value is None:
        return
    if not isinstance(value, str):
        raise Unreadable(f"{brief(value)} is no text")
    message.spoken = True
    if is_hidden(value):
        message.hidden = True
    elif value:
        into.append(value)


def call(identity: Any, name: Any, arguments: Any) -> Mapping[str, Any]:
    """Build a tool call; arguments that are a text are parsed, and stay a text if they are no JSON."""
    if not isinstance(identity, _TEXT) or not isinstance(name, _TEXT):
        raise Unreadable("a tool call has an id or a name that is no text")
    return {"id": identity, "name": name, "arguments": _arguments(arguments)}


def _arguments(value: Any) -> Any:
    try:
        return value if value is None else json_value(value)
    except Unreadable:
        return value


# --- what the facts are taken from ---


def _texts(messages: Messages) -> list[str | None] | None:
    if any(message.hidden for message in messages) or not any(message.spoken for message in messages):
        return None
    return ["".join(message.texts) or None for message in messages]


def _repeated_texts(messages: Messages) -> list[str | None] | None:
    if not any(message.repeated_texts for message in messages):
        return None
    return ["".join(message.repeated_texts or message.texts) or None for message in messages]


def _reasoning(messages: Messages) -> list[str | None] | None:
    listed = ["".join(message.reasoning) or None for message in messages]
    return listed if any(listed) else None


def _refusals(messages: Messages) -> list[str] | None:
    return [refusal for message in messages for refusal in message.refusals] or None


def _calls(messages: Messages) -> list[Mapping[str, Any]] | None:
    # Messages that are there and ask for no tool say that there was none.
    if not any(message.spoken for message in messages):
        return None
    return [asked for message in messages for asked in message.calls]


def _repeated(messages: Messages) -> list[Mapping[str, Any]] | None:
    return [asked for message in messages for asked in message.repeated] or None


def _finish_reasons(messages: Messages) -> list[str | None] | None:
    listed = [message.finish_reason or None for message in messages]
    return listed if any(listed) else None


def message_places(
    key: str,
    reader: Callable[[Any], Messages],
    labels: Mapping[str, str],
    *,
    flattened: bool = False,
) -> dict[str, Part]:
    """Make the places of what messages say.

    Args:
        key: The attribute, or the prefix of the flattened list.
        reader: Reads it into messages.
        labels: How reports name what is taken, by fact: `output_texts` is at `...parts[text]`; `repeated` is what
            states tool calls a second time, `repeated_texts` what states texts.
        flattened: Whether the key is a prefix.
    """
    return {
        name: Part(
            keys=() if flattened else (key,),
            prefix=key if flattened else None,
            reader=reader,
            take=_TAKEN[name],
            label=label,
        )
        for name, label in labels.items()
    }


_TAKEN: Mapping[str, Callable[[Messages], Any]] = {
    "output_texts": _texts,
    "repeated_texts": _repeated_texts,
    "reasoning_texts": _reasoning,
    "refusals": _refusals,
    "tool_calls": _calls,
    "repeated": _repeated,
    "finish_reasons": _finish_reasons,
}


# --- JSON: messages with parts, or as the chat API writes them ---


def sequence(value: Any, what: str) -> Sequence[Any]:
    """Return a list, refuse anything else."""
    if not isinstance(value, list | tuple):
        raise Unreadable(f"{what} is no list")
    return value


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a mapping, refuse anything else."""
    if type(value) is not dict and not isinstance(value, Mapping):
        raise Unreadable(f"{what} is no object")
    return value


def from_json(raw: Any) -> list[Message]:
    """Read messages from JSON: a list of them, or one."""
    value = json_value(raw)
    listed = [value] if isinstance(value, dict) else sequence(value, "what stands there")
    return [_message(mapping(item, f"message {index}")) for index, item in enumerate(listed)]


def _message(value: Mapping[str, Any]) -> Message:
    message = Message()
    reason = value.get("finish_reason")
    if not isinstance(reason, _TEXT):
        raise Unreadable("a finish reason is no text")
    message.finish_reason = reason
    message.spoken = isinstance(value.get("parts"), list)  # No parts is all that such a message says.
    for part in _parts(value):
        part_of(message, mapping(part, "a part of a message"))
    return message


def _parts(value: Mapping[str, Any]) -> Iterator[Any]:
    parts = value.get("parts", value.get("content"))
    if isinstance(parts, str):
        yield {"type": "text", "content": parts}
    elif parts is not None:
        yield from sequence(parts, "the content of a message")
    if "parts" not in value:
        yield from _chat_extras(value)


def _chat_extras(value: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what the chat API writes beside the content of a message."""
    if value.get("refusal") is not None:
        yield {"type": "refusal", "content": value["refusal"]}
    calls = value.get("tool_calls")
    for asked in () if calls is None else sequence(calls, "tool_calls"):
        function = mapping(asked, "a tool call").get("function", {})
        yield {**mapping(function, "the function of a tool call"), "type": "tool_call", "id": asked.get("id")}


def part_of(message: Message, part: Mapping[str, Any]) -> None:
    """Add a part to a message. Its type says what it is; types of no interest are passed over."""
    message.spoken = True
    kind = part.get("type")
    if kind in _CALLS:
        asked = part.get("arguments", part.get("input"))
        message.calls.append(call(part.get("id"), part.get("name"), asked))
    elif isinstance(kind, str) and kind in _SAID:
        into, (name, other) = _SAID[kind]
        value = part.get(name)
        add_text(message, getattr(message, into), part.get(other) if value is None else value)


_CALLS = ("tool_call", "tool_use", "function_call")
_SAID: Mapping[str, tuple[str, tuple[str, str]]] = {
    "text": ("texts", ("content", "text")),
    "output_text": ("texts", ("text", "content")),
    "reasoning": ("reasoning", ("content", "text")),
    "thinking": ("reasoning", ("thinking", "content")),
    "refusal": ("refusals", ("content", "refusal")),
}


# --- flattened lists ---


def numbered(flat: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """Group `<prefix><index>.<rest>` by index, in the order of the indexes; gaps do not matter, however wide."""
    groups: dict[int, dict[str, Any]] = {}
    for key, value in flat.items():
        if not key.startswith(prefix):
            continue
        index, dot, rest = key[len(prefix) :].partition(".")
        if dot and index.isdecimal() and index.isascii() and len(index) <= _LONGEST_INDEX:
            groups.setdefault(int(index), {})[rest] = value
    return [groups[index] for index in sorted(groups)]
