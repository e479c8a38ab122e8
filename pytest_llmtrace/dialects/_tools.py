"""The tools that a model was offered, as spans hold them: the name, type and definition of each, where stated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_llmtrace.dialects._convert import Unreadable, json_value
from pytest_llmtrace.dialects._messages import numbered
from pytest_llmtrace.dialects._place import Part, Place

__all__ = ["definitions_in", "flattened_tools", "read_tools", "tool_places", "tools_in"]

Tool = dict[str, Any]
"""One tool: its `name` and its `type`, `None` if not stated; `description` and `parameters` only if stated."""

_SCHEMAS = ("parameters", "input_schema", "inputSchema")
"""The names that APIs and frameworks give to the schema of a tool's parameters."""


def tools_in(value: Any) -> list[Tool] | None:
    """Return the name and type of each tool in an API's definitions; `None` if there is none, or they are cut."""
    return _offered(read_tools(value))


def definitions_in(value: Any) -> list[Tool] | None:
    """Return the definitions of the tools that have a name; `None` if none says more than its name."""
    return _defined(read_tools(value))


def read_tools(value: Any) -> list[Tool] | None:
    """Return the name, type and definition of each tool; `None` if there is none, or a length limit has cut them."""
    try:
        listed = json_value(value)
    except Unreadable:
        return None
    return list(_tools(listed if isinstance(listed, list | tuple) else ())) or None


def _tools(listed: Iterable[Any]) -> Iterator[Tool]:
    for tool in listed:
        if isinstance(tool, str):  # The JSON of one tool; if a length limit has cut it, there was still a tool.
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
            if isinstance(tool.get("tools"), list):  # A namespace of the Responses API, which holds tools of its own.
                yield from _tools(tool["tools"])


def _definition(own: Mapping[str, Any]) -> dict[str, Any]:
    description = own.get("description")
    said: dict[str, Any] = {"description": description} if isinstance(description, str) else {}
    schema = next((found for key in _SCHEMAS if (found := _schema(own.get(key))) is not None), None)
    return said if schema is None else {**said, "parameters": schema}


def _schema(value: Any) -> Mapping[str, Any] | None:
    """Return a schema, also from its JSON; MCP's `inputSchema` may hold it inside `json`, as Amazon's API wants it."""
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
    """Make the places of the tools and their definitions in an attribute.

    Args:
        key: The name of the attribute.
        read: Reads its value into tools; by default it holds the JSON of a list of definitions.
        label: The name of the place in reports, if it is not the attribute's.
    """
    return {
        "tools": Part(keys=(key,), reader=read, take=_offered, label=label or key),
        "tool_definitions": Part(keys=(key,), reader=read, take=_defined, label=label or key),
    }


def flattened_tools(prefix: str, key: str) -> dict[str, Place]:
    """Make the places of a flattened list of tools.

    `<prefix><index>.<key>` holds the JSON of a tool, or, if the key is `name`, its name beside its other fields.
    """

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
