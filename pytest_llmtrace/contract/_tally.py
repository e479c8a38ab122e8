"""Counts of attributes by name, as plain data that can be written, read and added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pytest_llmtrace.checks import type_of
from pytest_llmtrace.contract._names import Names

__all__ = ["Table", "add_all", "count", "merge"]

_SCALARS: Final[Mapping[type, str]] = {str: "string", bool: "boolean", int: "int", float: "double"}
"""The types of nearly all values: for these `type_of` need not be called."""

Table = dict[str, Any]
"""Names to plain data; lists are sorted sets, numbers are counts."""


def count(table: Table, attributes: Mapping[str, Any], names: Names) -> None:
    """Count the attributes of one span, event, log record or metric point: an indexed name once, with all its types."""
    seen: dict[str, set[str]] = {}
    for name, value in attributes.items():
        seen.setdefault(names.attribute(name), set()).add(_SCALARS.get(type(value)) or type_of(value))
    for name, types in seen.items():
        known = table.setdefault(name, {"seen": 0, "types": []})
        known["seen"] += 1
        if not types.issubset(known["types"]):
            known["types"] = sorted(types.union(known["types"]))


def merge(into: Table, other: Mapping[str, Any]) -> None:
    """Add a table to another: counts are added, lists united, tables merged, words kept."""
    for name, value in other.items():
        mine = into.get(name)
        if mine is None:
            into[name] = _copy(value)
        elif isinstance(value, Mapping):
            merge(mine, value)
        elif isinstance(value, list):
            if not set(value) <= set(mine):
                into[name] = sorted({*mine, *value})
        elif isinstance(value, int):
            into[name] = mine + value


def add_all(tables: Iterable[Mapping[str, Any]]) -> Table:
    """Add tables up; the order makes no difference."""
    whole: Table = {}
    for table in tables:
        merge(whole, table)
    return whole


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copy(inner) for name, inner in value.items()}
    return list(value) if isinstance(value, list) else value
