"""What a model was given to read, as spans hold it: the texts of the messages, each with who says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.dialects._convert import Unreadable, is_encoded, json_value
from pytest_llmtrace.dialects._messages import numbered
from pytest_llmtrace.dialects._place import Part

__all__ = [
    "Said",
    "encoded_parts",
    "flattened_prompts",
    "from_messages",
    "from_parts",
    "of_message",
    "of_request",
    "prompt_place",
    "texts_in",
]

Said = dict[str, Any]
"""One text: its `role`, None where nobody is named, and its `text`."""


def prompt_place(
    key: str, reader: Callable[[Any], Iterable[Said]], label: str = "", *, flattened: bool = False
) -> Part:
    """Make the place of what a model was given.

    Args:
        key: The attribute, or the prefix of the flattened list.
        reader: Reads it into texts.
        label: How reports name the place, if not by the key.
        flattened: Whether the key is a prefix.
    """
    return Part(
        keys=() if flattened else (key,),
        prefix=key if flattened else None,
        reader=lambda raw: list(reader(raw)),
        take=_unless_none,
        label=label or key,
    )


def _unless_none(said: list[Said]) -> list[Said] | None:
    return said or None


# --- JSON ------------------------------------------------------------------------------------------------------------


def from_messages(raw: Any) -> Iterator[Said]:
    """Read messages from JSON: a list of them, or one; a text that is no JSON stands for itself."""
    said = _parsed(raw)
    return texts_in(None, said) if isinstance(said, str) else _of_messages(said)


def from_parts(raw: Any) -> Iterator[Said]:
    """Read the parts of the instructions, which have no message around them."""
    return texts_in("system", _parsed(raw))


def of_request(value: Any) -> Iterator[Said]:
    """Read the arguments of an SDK's method, by the names that the APIs have for them, or messages alone."""
    if not isinstance(value, Mapping) or _ARGUMENTS.isdisjoint(value):
        yield from _of_messages(value)
        return
    for key in ("system", "instructions"):
        yield from texts_in("system", value.get(key))
    yield from _of_messages(value.get("messages"))
    for key in ("input", "prompt"):
        asked = value.get(key)
        are_items = isinstance(asked, list) and all(isinstance(item, Mapping) for item in asked)
        yield from _of_messages(asked) if are_items else texts_in("user", asked)


_ARGUMENTS = frozenset({"input", "messages", "prompt"})


def _parsed(raw: Any) -> Any:
    """Parse JSON; None if it is JSON that a limit has cut."""
    try:
        value = json_value(raw)
    except Unreadable:
        return raw if isinstance(raw, str) and not raw.lstrip().startswith(("[", "{")) else None
    if is_encoded(value):
        raise Unreadable("it is JSON in JSON, and no list")
    return value


def _of_messages(value: Any) -> Iterator[Said]:
    for message in [value] if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        if isinstance(message, Mapping):
            yield from of_message(message)


def of_message(message: Mapping[str, Any]) -> Iterator[Said]:
    """Read one message."""
    role = message.get("role")
    if role is None and _is_result(_kind(message)):  # An item of the Responses API.
        yield from _of_part(role, message)
    else:
        yield from texts_in(role if isinstance(role, str) else None, message.get("parts", message.get("content")))


def _is_result(kind: str) -> bool:
    """Tell whether a type is that of a tool's result; the Responses API has one for each kind of tool."""
    return kind in _RESULTS or kind.endswith("_call_output")


_RESULTS = frozenset({"tool_call_response", "tool_result"})
_TEXTS = frozenset({"input_text", "output_text", "text"})


def texts_in(role: str | None, value: Any) -> Iterator[Said]:
    """Read some content: a text, or parts, of which some are texts."""
    if isinstance(value, str):
        if value:
            yield {"role": role, "text": value}
        return
    for part in [value] if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        if isinstance(part, str):
            yield from texts_in(role, part)
        elif isinstance(part, Mapping):
            yield from _of_part(role, part)


def _kind(part: Mapping[str, Any]) -> str:
    kind = part.get("type", "text")
    return kind if isinstance(kind, str) else ""


def _of_part(role: str | None, part: Mapping[str, Any]) -> Iterator[Said]:
    kind = _kind(part)
    if _is_result(kind):
        yield from next((_result(key, part[key]) for key in _ANSWERS if part.get(key) is not None), ())
    elif kind in _TEXTS:
        texts = (part.get("content"), part.get("text"))
        yield from texts_in(role, next((text for text in texts if isinstance(text, str)), None))


_ANSWERS = ("content", "output", "response", "result")


def _result(key: str, value: Any) -> Iterator[Said]:
    """Read the result of a tool: a text, parts, or whatever JSON the tool has returned, as that is written.

    Pydantic AI has what the tool returned as `result`, which may look like parts.
    """
    if isinstance(value, str) or (key != "result" and _are_parts(value)):
        return texts_in("tool", value)
    try:
        return texts_in("tool", json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError):  # The body of an event may hold what JSON has no form for.
        return iter(())


def _are_parts(value: Any) -> bool:
    listed = [value] if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return bool(listed) and all(isinstance(part, Mapping) and isinstance(part.get("type"), str) for part in listed)


def encoded_parts(said: Mapping[str, Any]) -> list[Said] | None:
    """Read the texts of the parts that a text is the JSON of; None if it is no such JSON."""
    try:
        parts = json_value(said["text"])
    except Unreadable:
        return None
    return list(texts_in(said["role"], parts)) if _are_parts(parts) else None


# --- flattened lists -------------------------------------------------------------------------------------------------


def flattened_prompts(flat: Mapping[str, Any]) -> Iterator[Said]:
    """Read `<prefix><index>.role` and `.content`, which is a text, or the JSON of parts and then read as a text, too.

    Whether a text was written from parts, or is JSON in the user's own words, only what was sent can tell.
    """
    for group in numbered(flat):
        role = group.get("role")
        yield from texts_in(role if isinstance(role, str) else None, group.get("content"))
