"""The prompt of a call, as spans hold it: the texts of the messages, each with its role, and the tool calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.dialects._blocks import are_blocks, as_parts
from pytest_llmtrace.dialects._convert import Unreadable, is_encoded, is_left_out, json_value
from pytest_llmtrace.dialects._messages import call, numbered
from pytest_llmtrace.dialects._place import Part, Place

__all__ = [
    "Piece",
    "Said",
    "answering",
    "asked_for",
    "called",
    "encoded_parts",
    "flattened_prompts",
    "from_messages",
    "from_parts",
    "of_message",
    "of_request",
    "pieces_in",
    "prompt_places",
    "several",
]

Said = dict[str, Any]
"""One text: its `role`, `None` if not stated; its `text`; and, for a tool's result, the id of the call it `answers`."""

Piece = dict[str, Any]
"""A text, or a tool call as `_messages.call` builds it."""


def prompt_places(
    key: str, reader: Callable[[Any], Iterable[Piece]], label: str = "", calls: str = "", *, flattened: bool = False
) -> dict[str, Part]:
    """Make the places of a prompt: those of its texts and of its tool calls.

    Args:
        key: The attribute, or the prefix of the flattened list.
        reader: Reads its value into texts and tool calls.
        label: The name of the texts' place in reports, if it is not the key.
        calls: The name of the tool calls' place in reports, if it is not `<key>[tool_calls]`.
        flattened: Whether the key is a prefix.
    """

    def read(raw: Any) -> list[Piece]:
        return list(reader(raw))

    return {
        name: Part(
            keys=() if flattened else (key,), prefix=key if flattened else None, reader=read, take=take, label=said
        )
        for name, take, said in (
            ("input_messages", _texts, label or key),
            ("input_tool_calls", _calls, calls or f"{key}[tool_calls]"),
        )
    }


def several(*prompts: Mapping[str, Place]) -> dict[str, tuple[Place, ...]]:
    """Return the places of several prompts, by fact: a span may have a part of its prompt in each of them."""
    return {name: tuple(places[name] for places in prompts) for name in prompts[0]}


def _texts(pieces: Iterable[Piece]) -> list[Said] | None:
    return [piece for piece in pieces if "text" in piece] or None


def _calls(pieces: Iterable[Piece]) -> list[Piece] | None:
    """Return the tool calls; an empty list if there is none, although there are results that name their calls."""
    calls, has_result = [], False
    for piece in pieces:
        if "name" in piece:
            calls.append(piece)
        elif "answers" in piece:
            has_result = True
    return calls if calls or has_result else None


# --- JSON ------------------------------------------------------------------------------------------------------------


def from_messages(raw: Any) -> Iterator[Piece]:
    """Read messages from JSON: a list of them, or one; a text that is not JSON is itself the text of a message."""
    said = _parsed(raw)
    return pieces_in(None, said) if isinstance(said, str) else _of_messages(said)


def from_parts(raw: Any) -> Iterator[Piece]:
    """Read the parts of the system instructions, which have no message around them."""
    return pieces_in("system", _parsed(raw))


def of_request(value: Any) -> Iterator[Piece]:
    """Read the prompt in the arguments of an SDK's method, under the APIs' names for them, or in messages alone."""
    if not isinstance(value, Mapping) or _ARGUMENTS.isdisjoint(value):
        yield from _of_messages(value)
        return
    value = {key: given for key, given in value.items() if not is_left_out(given)}
    for key in ("system", "instructions"):
        yield from pieces_in("system", value.get(key))
    yield from _of_messages(value.get("messages"))
    for key in ("input", "prompt"):
        asked = value.get(key)
        are_items = isinstance(asked, list) and all(isinstance(item, Mapping) for item in asked)
        yield from _of_messages(asked) if are_items else pieces_in("user", asked)


_ARGUMENTS = frozenset({"input", "messages", "prompt"})


def _parsed(raw: Any) -> Any:
    """Parse JSON; return `None` for JSON that a length limit has cut, and other text as it is."""
    try:
        value = json_value(raw)
    except Unreadable:
        return raw if isinstance(raw, str) and not raw.lstrip().startswith(("[", "{")) else None
    if is_encoded(value):
        raise Unreadable("it was written as JSON twice, so it is a string and not a list")
    return value


def _of_messages(value: Any) -> Iterator[Piece]:
    for message in [value] if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        if isinstance(message, Mapping):
            yield from of_message(message)


def of_message(message: Mapping[str, Any]) -> Iterator[Piece]:
    """Read one message."""
    role, kind = message.get("role"), _kind(message)
    if role is None and (kind in _CALLS or _is_result(kind)):  # An item of the Responses API.
        yield from _of_part(role, message)
    else:
        pieces = pieces_in(role if isinstance(role, str) else None, message.get("parts", message.get("content")))
        # In the events of OpenTelemetry's conventions, the `id` of such a message is the id of the call.
        yield from answering(next(_given(message, "tool_call_id", "id"), None), pieces) if role == "tool" else pieces
        yield from called(message.get("tool_calls"))
        if "function_call" in message:  # The chat API's predecessor of `tool_calls`.
            yield from called([message["function_call"]])


def called(listed: Any) -> Iterator[Piece]:
    """Read the tool calls that a message lists beside its content, under the chat API's names or LangChain's."""
    for asked in listed if isinstance(listed, list | tuple) else ():
        if isinstance(asked, Mapping):
            made = next((made for made in map(asked.get, ("function", "custom")) if isinstance(made, Mapping)), asked)
            arguments = next(_given(made, "arguments", "input", "args"), None)
            yield from asked_for(asked.get("id"), made.get("name"), arguments)


def asked_for(identity: Any, name: Any, arguments: Any) -> Iterator[Piece]:
    """Read one tool call; without a name it does not count as one."""
    with suppress(Unreadable):
        if isinstance(name, str):
            yield dict(call(identity, name, arguments))


def answering(identity: Any, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Add to the texts of a tool's result the id of the call that they answer, unless they state it themselves."""
    if not isinstance(identity, str) or not identity:
        yield from pieces
        return
    for piece in pieces:
        yield {"answers": identity, **piece} if "text" in piece else piece


def _given(made: Mapping[str, Any], *names: str) -> Iterator[Any]:
    return (made[name] for name in names if made.get(name) is not None)


def _is_result(kind: str) -> bool:
    """Tell whether a type is that of a tool's result; the Responses API has one for each kind of tool."""
    return kind in _RESULTS or kind.endswith("_call_output")


_CALLS = frozenset({"custom_tool_call", "function_call", "tool_call", "tool_use"})
_RESULTS = frozenset({"tool_call_response", "tool_result"})
_TEXTS = frozenset({"input_text", "output_text", "text"})


def pieces_in(role: str | None, value: Any) -> Iterator[Piece]:
    """Read the texts and tool calls in a content, which is a text, or one or several parts."""
    if isinstance(value, str):
        if value:
            yield {"role": role, "text": value}
        return
    for part in [value] if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        if isinstance(part, str):
            yield from pieces_in(role, part)
        elif isinstance(part, Mapping):
            yield from _of_part(role, part)


def _kind(part: Mapping[str, Any]) -> str:
    kind = part.get("type", "text")
    return kind if isinstance(kind, str) else ""


def _of_part(role: str | None, part: Mapping[str, Any]) -> Iterator[Piece]:
    kind = _kind(part)
    if _is_result(kind):
        said = next((_result(key, part[key]) for key in _ANSWERS if part.get(key) is not None), ())
        yield from answering(next(_given(part, "call_id", "tool_use_id", "tool_call_id", "id"), None), said)
    elif kind in _CALLS:
        identity, arguments = part.get("call_id") or part.get("id"), next(_given(part, "arguments", "input"), None)
        yield from asked_for(identity, part.get("name"), arguments)
    elif kind in _TEXTS:
        texts = (part.get("content"), part.get("text"))
        yield from pieces_in(role, next((text for text in texts if isinstance(text, str)), None))


_ANSWERS = ("content", "output", "response", "result")


def _result(key: str, value: Any) -> Iterator[Piece]:
    """Read the result of a tool: a text, parts, or any other value that the tool returned, in the form of its JSON.

    Pydantic AI writes the returned value as `result`; it may look like parts, but is read as JSON.
    """
    if isinstance(value, str) or (key != "result" and _are_parts(value)):
        return pieces_in("tool", value)
    try:
        return pieces_in("tool", json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError):  # The body of an event may hold values that JSON cannot express.
        return iter(())


def _are_parts(value: Any) -> bool:
    listed = [value] if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return bool(listed) and all(isinstance(part, Mapping) and isinstance(part.get("type"), str) for part in listed)


def encoded_parts(said: Mapping[str, Any]) -> list[Said] | None:
    """Return the texts in a text that is itself the JSON of parts, or `None` if it is anything else."""
    try:
        parts = json_value(said["text"])
    except Unreadable:
        return None
    role = said["role"]
    if are_blocks(parts):
        # A message may have the role of the tools whose results it holds, but the texts beside them are the user's.
        role = None if any("toolResult" in block for block in parts) else role
        parts = as_parts(parts)
    elif not _are_parts(parts):
        return None
    return _texts(answering(said.get("answers"), pieces_in(role, parts))) or []


# --- flattened lists -------------------------------------------------------------------------------------------------


def flattened_prompts(flat: Mapping[str, Any]) -> Iterator[Piece]:
    """Read `<prefix><index>.role` and `.content`; a content that is the JSON of parts is read as a text, too.

    Only the request can tell whether such a text was written from parts, or is JSON that the user sent.
    """
    for group in numbered(flat):
        role = group.get("role")
        pieces = pieces_in(role if isinstance(role, str) else None, group.get("content"))
        yield from answering(group["tool_call_id"], pieces) if "tool_call_id" in group else pieces
        for asked in numbered(group, "tool_calls."):
            yield from asked_for(asked.get("id"), asked.get("name"), asked.get("arguments"))
