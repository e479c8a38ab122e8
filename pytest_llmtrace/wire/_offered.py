"""The tools that a request offers to the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_llmtrace.model import Request
from pytest_llmtrace.wire._api import request_body
from pytest_llmtrace.wire._facts import Facts, Misfit, shown

__all__ = ["added_tools", "definitions", "state_tools"]

_WHERE = "request body"
_APIS = frozenset({"chat", "messages", "responses"})
_KEYS = ("tools", "functions")
_FUNCTIONS = frozenset({None, "custom", "function"})
"""The types by which the Messages API marks a tool that the client runs and defines by a schema of its own."""
# The type of a tool that is a whole MCP server -> the field with its name: of the Responses API, of the Messages API.
_SERVERS = {"mcp": "server_label", "mcp_toolset": "mcp_server_name"}


class _Tool(NamedTuple):
    """One tool, and the field in which it stands.

    Attributes:
        name: The name of the tool or of its MCP server, or `None` if it has none.
        kind: `function`, or the API's name for its type.
        key: The field in which the tool stands.
        said: The parts of its definition, each as its name in the vocabulary, its field and its value.
    """

    name: str | None
    kind: str
    key: str
    said: Sequence[tuple[str, str, Any]]


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
        parts = [(key, value) for tool in tools if tool.name for _, key, value in tool.said]
        facts.put("tool_definitions", defined, tuple(parts), _WHERE)
    else:
        facts.absent("tool_definitions", _WHERE)


def definitions(value: Any) -> list[dict[str, Any]]:
    """Return the definitions in the list of tools that a response says it was made with."""
    if not isinstance(value, list):
        raise Misfit(f"{shown(value)} is not a list", value)
    return _defined(list(_listed(value, "tools", "responses")))


def added_tools(request: Request) -> frozenset[str]:
    """Return the names of the tools that the conversation itself adds to those that a request offers.

    In the Responses API, such tools are in items of the input (`additional_tools`, `tool_search_output`,
    `mcp_list_tools`); in the Messages API, in parts of a message (`tool_addition`).
    """
    body = request_body(request)
    lists = [item.get("tools") for item in _dicts(body.get("input"))]
    parts = [part for message in _dicts(body.get("messages")) for part in _dicts(message.get("content"))]
    added = _dicts([part.get("tool") for part in parts if part.get("type") == "tool_addition"])
    lists.append([tool.get("definition", tool) for tool in added])
    return frozenset(tool.name for one in lists for tool in _listed(one, "", "responses") if tool.name)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _listed(value: Any, key: str, api: str) -> Iterator[_Tool]:
    for number, tool in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(tool, dict):
            continue
        place, kind = f"{key}[{number}]", tool.get("type")
        wrapper = "function" if kind is None else kind  # Mistral's API accepts a function without a type.
        inner = tool.get(wrapper) if isinstance(wrapper, str) else None
        own, path = (inner, f"{place}.{wrapper}") if isinstance(inner, dict) else (tool, place)
        name = own.get(_SERVERS.get(kind, "name") if isinstance(kind, str) else "name")
        if isinstance(kind, str | None):
            is_function = kind in (_FUNCTIONS if api == "messages" else (None, "function"))
            said = list(_said(own, path, "input_schema" if api == "messages" else "parameters"))
            what = "function" if is_function else str(kind)
            yield _Tool(name if isinstance(name, str) else None, what, place, said)
        if "tools" in tool:  # A namespace, which holds tools of its own.
            yield from _listed(tool["tools"], f"{place}.tools", api)


def _said(own: Mapping[str, Any], path: str, schema: str) -> Iterator[tuple[str, str, Any]]:
    description, parameters = own.get("description"), own.get(schema)
    if isinstance(description, str):
        yield "description", f"{path}.description", description
    if isinstance(parameters, dict):
        yield "parameters", f"{path}.{schema}", parameters


def _defined(tools: Sequence[_Tool]) -> list[dict[str, Any]]:
    known = ((name, said) for name, _, _, said in tools if name and said)
    return [{"name": name, **{part: value for part, _, value in said}} for name, said in known]
