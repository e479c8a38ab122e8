"""What a request lets the model call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_llmtrace.wire._facts import Facts, Misfit, shown

__all__ = ["definitions", "state_tools"]

_WHERE = "request body"
_APIS = frozenset({"chat", "messages", "responses"})
_KEYS = ("tools", "functions")
_FUNCTIONS = frozenset({None, "custom", "function"})
"""How the Messages API calls a tool that the client runs, by a schema of its own."""


class _Tool(NamedTuple):
    """One tool, and the field that it stands in.

    Attributes:
        name: None where it has none.
        kind: `function`, or what the API calls it.
        key: The field of the tool.
        own: The field in which its name stands, which is the same or in it.
        said: What the definition says, by the names of the vocabulary.
        schema: What the API calls the parameters.
    """

    name: str | None
    kind: str
    key: str
    own: str
    said: Mapping[str, Any]
    schema: str


def state_tools(facts: Facts, body: Mapping[str, Any], api: str) -> None:
    """State the tools that a request offers, and how it defines them."""
    if api not in _APIS:
        return
    tools = [tool for key in _KEYS if key in body for tool in _listed(body[key], key, api)]
    if not tools:
        facts.absent("tools", _WHERE)
        facts.absent("tool_definitions", _WHERE)
        return
    said = [{"name": tool.name, "type": tool.kind} for tool in tools]
    facts.put("tools", said, tuple([(tool.key, tool.name or tool.kind) for tool in tools]), _WHERE)
    defined = _defined(tools)
    if defined:
        facts.put("tool_definitions", defined, tuple(_parts(tools)), _WHERE)
    else:
        facts.absent("tool_definitions", _WHERE)


def definitions(value: Any) -> list[dict[str, Any]]:
    """Take the definitions of the tools that a response says it was made with."""
    if not isinstance(value, list):
        raise Misfit(f"{shown(value)} is no list", value)
    return _defined(list(_listed(value, "tools", "responses")))


def _listed(value: Any, key: str, api: str) -> Iterator[_Tool]:
    for number, tool in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(tool, Mapping):
            continue
        place, kind = f"{key}[{number}]", tool.get("type")
        wrapper = "function" if kind is None else kind  # Mistral's API takes a function without its type.
        inner = tool.get(wrapper) if isinstance(wrapper, str) else None
        own, path = (inner, f"{place}.{wrapper}") if isinstance(inner, Mapping) else (tool, place)
        name = own.get("name")
        is_function = kind in _FUNCTIONS if api == "messages" else kind in (None, "function")
        if isinstance(kind, str | None):
            schema = "input_schema" if api == "messages" else "parameters"
            yield _Tool(
                name=name if isinstance(name, str) else None,
                kind="function" if is_function else str(kind),
                key=place,
                own=path,
                said=_said(own, schema),
                schema=schema,
            )
        yield from _listed(tool.get("tools"), f"{place}.tools", api)  # Of a namespace.


def _said(own: Mapping[str, Any], schema: str) -> dict[str, Any]:
    description, parameters = own.get("description"), own.get(schema)
    said: dict[str, Any] = {"description": description} if isinstance(description, str) else {}
    if isinstance(parameters, Mapping):
        said["parameters"] = parameters
    return said


def _defined(tools: Sequence[_Tool]) -> list[dict[str, Any]]:
    return [{"name": tool.name, **tool.said} for tool in tools if tool.name and tool.said]


def _parts(tools: Sequence[_Tool]) -> Iterator[tuple[str, Any]]:
    """Yield what stands in each field of the definitions, in their order."""
    for tool in tools:
        for name, value in tool.said.items() if tool.name else ():
            yield f"{tool.own}.{tool.schema if name == 'parameters' else name}", value
