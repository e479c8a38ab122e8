"""The structure that messages, parts and tools must have as JSON, and how a value deviates from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_llmtrace.conventions import type_of

__all__ = ["FORMS", "Flaw", "flaws"]

Flaw = tuple[str, str, bool]
"""Where something is wrong, what is wrong, and whether it is fatal: no reader of the convention can use the value."""

_Walk = Callable[[Any, str], Iterator[Flaw]]
"""Yields the flaws of a value, given the value and where it stands."""


def flaws(name: str, value: Any) -> Iterator[Flaw]:
    """Yield the flaws of the JSON value of an attribute that `FORMS` has, in the order of the value."""
    yield from FORMS[name](value, name)


# --- walking ---------------------------------------------------------------------------------------------------------


def _list_of(walk: _Walk) -> _Walk:
    def walk_all(value: Any, where: str) -> Iterator[Flaw]:
        if not _is_list(value):
            yield where, f"is {_article(value)}, not a list", True
            return
        for index, item in enumerate(value):
            yield from walk(item, f"{where}[{index}]")

    return walk_all


def _object(needed: Mapping[str, str], optional: Mapping[str, str], *, fatal: bool = True) -> _Walk:
    """Make a walk over an object by the types of its fields; `fatal`: whether a flaw in a needed field is fatal."""

    def walk(value: Any, where: str) -> Iterator[Flaw]:
        if not _is_object(value):
            yield where, f"is {_article(value)}, not an object", True
            return
        for key, kind in needed.items():
            if key not in value:
                yield where, f"has no {key}", fatal
            elif not _is(value[key], kind):
                yield f"{where}.{key}", f"is {_article(value[key])}, not {_article_of(kind)}", fatal
        for key, kind in optional.items():
            if value.get(key) is not None and not _is(value[key], kind):
                yield f"{where}.{key}", f"is {_article(value[key])}, not {_article_of(kind)}", False

    return walk


def _is(value: Any, kind: str) -> bool:
    return kind in {"value", _kind(value)}


def _kind(value: Any) -> str:
    """Name the type of a JSON value."""
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    if _is_list(value):
        return "list"
    if _is_object(value):
        return "object"
    kind = type_of(value)
    return "number" if kind in {"int", "double"} else kind


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict | Mapping)  # `dict` is quick to test, and JSON is parsed into it.


def _article(value: Any) -> str:
    return _article_of(_kind(value))


def _article_of(kind: str) -> str:
    return kind if kind == "null" else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


# --- parts -----------------------------------------------------------------------------------------------------------

# The fields that a part of each type needs, and those that it may have. The convention allows parts of any other type
# with any fields, so its JSON schemas accept `{"type": "text"}` without a text; readers that go by the type do not.
_ID = {"id": "string"}
_MEDIA = {"mime_type": "string"}
_PARTS: Mapping[str, _Walk] = {
    "text": _object({"content": "string"}, {}, fatal=False),
    "reasoning": _object({"content": "string"}, {}, fatal=False),
    "tool_call": _object({"name": "string"}, _ID, fatal=False),
    "tool_call_response": _object({"response": "value"}, _ID, fatal=False),
    "blob": _object({"modality": "string", "content": "string"}, _MEDIA, fatal=False),
    "uri": _object({"modality": "string", "uri": "string"}, _MEDIA, fatal=False),
    "file": _object({"modality": "string", "file_id": "string"}, _MEDIA, fatal=False),
    "server_tool_call": _object({"name": "string", "server_tool_call": "object"}, _ID, fatal=False),
    "server_tool_call_response": _object({"server_tool_call_response": "object"}, _ID, fatal=False),
    "compaction": _object({}, {**_ID, "content": "string"}, fatal=False),
}
_ANY_PART = _object({"type": "string"}, {})


def _part(value: Any, where: str) -> Iterator[Flaw]:
    wrong = list(_ANY_PART(value, where))
    yield from wrong
    if not wrong and value["type"] in _PARTS:
        yield from _PARTS[value["type"]](value, f"{where} ({value['type']})")


_parts = _list_of(_part)
_MESSAGE = _object({"role": "string", "parts": "list"}, {"name": "string", "finish_reason": "string"})


def _message(value: Any, where: str) -> Iterator[Flaw]:
    wrong = list(_MESSAGE(value, where))
    yield from wrong
    if _is_object(value) and _is_list(value.get("parts")):
        yield from _parts(value["parts"], f"{where}.parts")


# --- attributes ------------------------------------------------------------------------------------------------------


def _whatever(_value: Any, _where: str) -> Iterator[Flaw]:
    """Accept any value: what a tool takes or returns is mostly an object, but may be a text or a list."""
    yield from ()


FORMS: Mapping[str, _Walk] = {
    "gen_ai.input.messages": _list_of(_message),
    "gen_ai.output.messages": _list_of(_message),
    "gen_ai.system_instructions": _parts,
    "gen_ai.tool.definitions": _list_of(_object({"type": "string", "name": "string"}, {"description": "string"})),
    "gen_ai.retrieval.documents": _list_of(_object({}, {"id": "string", "score": "number"})),
    "gen_ai.memory.records": _list_of(_object({"content": "value"}, {"id": "string", "score": "number"})),
    "gen_ai.tool.call.arguments": _whatever,
    "gen_ai.tool.call.result": _whatever,
}
"""The walk over the value of each attribute that has a structure, by the attribute's name."""
