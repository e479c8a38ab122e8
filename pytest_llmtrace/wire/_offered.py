"""What a request lets the model call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_llmtrace.wire._facts import Facts

__all__ = ["state_tools"]

_WHERE = "request body"
_APIS = frozenset({"chat", "messages", "responses"})
_KEYS = ("tools", "functions")
_FUNCTIONS = frozenset({None, "custom", "function"})
"""How the Messages API calls a tool that the client runs, by a schema of its own."""


class _Tool(NamedTuple):
    """One tool, and the field that it stands in."""

    name: str | None
    kind: str
    key: str


def state_tools(facts: Facts, body: Mapping[str, Any], api: str) -> None:
    """State the tools that a request offers."""
    if api not in _APIS:
        return
    tools = [tool for key in _KEYS if key in body for tool in _listed(body[key], key, api)]
    if not tools:
        facts.absent("tools", _WHERE)
        return
    said = [{"name": name, "type": kind} for name, kind, _ in tools]
    facts.put("tools", said, tuple([(key, name or kind) for name, kind, key in tools]), _WHERE)


def _listed(value: Any, key: str, api: str) -> Iterator[_Tool]:
    for number, tool in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(tool, Mapping):
            continue
        place, kind = f"{key}[{number}]", tool.get("type")
        own = tool.get(kind) if isinstance(kind, str) else None
        name = (own if isinstance(own, Mapping) else tool).get("name")
        is_function = kind in _FUNCTIONS if api == "messages" else kind in (None, "function")
        if isinstance(kind, str | None):
            yield _Tool(name if isinstance(name, str) else None, "function" if is_function else str(kind), place)
        yield from _listed(tool.get("tools"), f"{place}.tools", api)  # Of a namespace.
