"""The structure of messages, parts and tools as JSON, walked by what each says that it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_llmtrace.conventions import type_of

__all__ = ["FORMS", "Flaw", "flaws"]

Flaw = tuple[str, str, bool]
"""Where, what is wrong there, and whether no reader of the convention can get along with it."""

_Walk = Callable[[Any, str], Iterator[Flaw]]


def flaws(name: str, value: Any) -> Iterator[Flaw]:
    """Yield what is wrong with the JSON value of an attribute of `FORMS`, in its order."""
    yield from FORMS[name](value, name)


# --- walking ---------------------------------------------------------------------------------------------------------


def _list_of(walk: _Walk) -> _Walk:
    def walk_all(value: Any, where: str) -> Iterator[Flaw]:
        if not _is_list(value):
            yield where, f"is {_article(value)}, and no list", True
            return
        for index, item in enumerate(value):
            yield from walk(item, f"{where}[{index}]")

    return walk_all


def _object(needed: Mapping[str, str], optional: Mapping[str, str], *, fatal: bool = True) -> _Walk:
    """Make a walk over an object by the types of its fields; `fatal` is whether nothing else would be the same form."""

    def walk(value: Any, where: str) -> Iterator[Flaw]:
        if not _is_object(value):
            yield where, f"is {_article(value)}, and no object", True
            return
        for key, kind in needed.items():
            if key not in value:
                yield where, f"has no {key}", fatal
            elif not _is(value[key], kind):
                yield f"{where}.{key}", f"is {_article(value[key])}, and no {kind}", fatal
        for key, kind in optional.items():
            if value.get(key) is not None and not _is(value[key], kind):
                yield f"{where}.{key}", f"is {_article(value[key])}, and no {kind}", False

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
    return isinstance(value, dict | Mapping)  # The first is quick to tell, and what JSON is read into.


def _article(value: Any) -> str:
    kind = _kind(value)
    return kind if kind == "null" else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


# --- parts -----------------------------------------------------------------------------------------------------------

# What a part of each type needs, and what it may have. The convention lets a part have any other type and fields, and
# its JSON schemas thereby accept `{"type": "text"}` without a text: who reads parts by their type does not.
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
    """Walk over what a tool takes or returns: objects for the most part, and a text or a list as well."""
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
"""What each attribute holds that has a structure, by its name."""
