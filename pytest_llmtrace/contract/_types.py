"""The types of attribute values, in the words of the conventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["EMPTY", "type_of"]

EMPTY = "empty[]"
"""The type of an array without elements, which may be one of any type."""


def type_of(value: Any) -> str:
    """Name the type of a value: `string`, `int`, `double`, `boolean`, these with `[]`, `bytes`, `map` or `null`."""
    if value is None:
        return "null"
    for kind, name in ((str, "string"), (bool, "boolean"), (int, "int"), (float, "double"), (bytes, "bytes")):
        if isinstance(value, kind):
            return name
    if isinstance(value, Mapping):
        return "map"
    if isinstance(value, Sequence):
        inner = {type_of(item) for item in value if item is not None}
        return f"{inner.pop()}[]" if len(inner) == 1 else "mixed[]" if inner else EMPTY
    return type(value).__name__
