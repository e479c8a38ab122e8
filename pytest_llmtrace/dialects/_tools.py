"""The tools that a model was offered, as spans hold them: a name each, and a type where it is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_llmtrace.dialects._convert import Unreadable, json_value
from pytest_llmtrace.dialects._messages import numbered
from pytest_llmtrace.dialects._place import Part

__all__ = ["flattened_tools", "tools_in"]

Tool = dict[str, Any]
"""One tool: its `name` and its `type`, None where it is not said."""


def tools_in(value: Any) -> list[Tool] | None:
    """Read definitions of tools, as APIs have them; None if there is none, or a limit has cut them."""
    try:
        listed = json_value(value)
    except Unreadable:
        return None
    return list(_tools(listed if isinstance(listed, list | tuple) else ())) or None


def _tools(listed: Iterable[Any]) -> Iterator[Tool]:
    for tool in listed:
        if isinstance(tool, str):  # Each is the JSON of one; of what a limit has cut there was one, too.
            yield from tools_in(f"[{tool}]") or [{"name": None, "type": None}]
        elif isinstance(tool, Mapping):
            own = [tool[kind] for kind in ("function", "custom") if isinstance(tool.get(kind), Mapping)]
            name, kind = (own[0] if own else tool).get("name"), tool.get("type")
            if isinstance(name, str) or isinstance(kind, str):
                yield {"name": name if isinstance(name, str) else None, "type": kind if isinstance(kind, str) else None}


def flattened_tools(prefix: str, key: str) -> Part:
    """Make the place of `<prefix><index>.<key>`, which holds the JSON of a tool, or its name."""

    def read(flat: Mapping[str, Any]) -> list[Tool] | None:
        said = [group.get(key) for group in numbered(flat)]
        are_names = key == "name"
        return list(_tools({"name": one} if are_names else one for one in said)) or None

    return Part(prefix=prefix, reader=read, take=lambda tools: tools, label=f"{prefix}*.{key}")
