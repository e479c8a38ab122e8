"""The tools that a model was offered, as spans hold them: a name each, a type, and a definition where they are said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_llmtrace.dialects._convert import Unreadable, json_value
from pytest_llmtrace.dialects._messages import numbered
from pytest_llmtrace.dialects._place import Part, Place

__all__ = ["definitions_in", "flattened_tools", "read_tools", "tool_places", "tools_in"]

Tool = dict[str, Any]
"""One tool: its `name` and its `type`, None where it is not said; `description` and `parameters` where they are."""

_SCHEMAS = ("parameters", "input_schema", "inputSchema")
"""What APIs and frameworks call the schema of what a tool takes."""


def tools_in(value: Any) -> list[Tool] | None:
    """Read which tools there are from definitions, as APIs have them; None if there is none, or they are cut."""
    return _offered(read_tools(value))


def definitions_in(value: Any) -> list[Tool] | None:
    """Read what definitions say of tools that have a name; None if that is nothing."""
    return _defined(read_tools(value))


def read_tools(value: Any) -> list[Tool] | None:
    """Read definitions of tools with all that is kept of them; None if there is none, or a limit has cut them."""
    try:
        listed = json_value(value)
    except Unreadable:
        return None
    return list(_tools(listed if isinstance(listed, list | tuple) else ())) or None


def _tools(listed: Iterable[Any]) -> Iterator[Tool]:
    for tool in listed:
        if isinstance(tool, str):  # Each is the JSON of one; of what a limit has cut there was one, too.
            yield from read_tools(f"[{tool}]") or [{"name": None, "type": None}]
        elif isinstance(tool, Mapping):
            inner = [tool[kind] for kind in ("function", "custom") if isinstance(tool.get(kind), Mapping)]
            own = inner[0] if inner else tool
            name, kind = own.get("name"), tool.get("type")
            if isinstance(name, str) or isinstance(kind, str):
                yield {
                    "name": name if isinstance(name, str) else None,
                    "type": kind if isinstance(kind, str) else None,
                    **_definition(own),
                }


def _definition(own: Mapping[str, Any]) -> dict[str, Any]:
    description = own.get("description")
    said: dict[str, Any] = {"description": description} if isinstance(description, str) else {}
    schema = next((found for key in _SCHEMAS if (found := _schema(own.get(key))) is not None), None)
    return said if schema is None else {**said, "parameters": schema}


def _schema(value: Any) -> Mapping[str, Any] | None:
    """Read a schema, or its JSON; MCP's way to call it has it within `json`, as Amazon's API wants it."""
    if isinstance(value, str):
        try:
            value = json_value(value)
        except Unreadable:
            return None
    if not isinstance(value, Mapping):
        return None
    inner = value.get("json")
    return inner if len(value) == 1 and isinstance(inner, Mapping) else value


def _offered(tools: Sequence[Tool] | None) -> list[Tool] | None:
    return None if tools is None else [{"name": tool["name"], "type": tool["type"]} for tool in tools]


def _defined(tools: Sequence[Tool] | None) -> list[Tool] | None:
    said = [{key: tool[key] for key in tool if key != "type"} for tool in tools or () if tool["name"]]
    return [tool for tool in said if len(tool) > 1] or None


def tool_places(key: str, read: Callable[[Any], list[Tool] | None] = read_tools, label: str = "") -> dict[str, Place]:
    """Make the places of what an attribute says of tools.

    Args:
        key: The attribute.
        read: How it is read; by default it holds the JSON of a list of definitions.
        label: How reports name the place, if not as the attribute.
    """
    return {
        "tools": Part(keys=(key,), reader=read, take=_offered, label=label or key),
        "tool_definitions": Part(keys=(key,), reader=read, take=_defined, label=label or key),
    }


def flattened_tools(prefix: str, key: str) -> dict[str, Place]:
    """Make the places of `<prefix><index>.<key>`, which holds the JSON of a tool, or its name beside the rest of it."""

    def read(flat: Mapping[str, Any]) -> list[Tool] | None:
        groups = numbered(flat)
        if key == "name":
            return list(_tools({**group, "type": None} for group in groups)) or None
        return list(_tools(group.get(key) for group in groups)) or None

    label = f"{prefix}*.{key}"
    return {
        "tools": Part(prefix=prefix, reader=read, take=_offered, label=label),
        "tool_definitions": Part(
            prefix=prefix, reader=read, take=_defined, label=f"{prefix}*" if key == "name" else label
        ),
    }
