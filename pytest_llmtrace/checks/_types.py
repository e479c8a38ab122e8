"""The types that attributes may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["has_type", "type_of"]


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "json": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "int": _is_int,
    # OTLP has no int for where a double is meant: what is whole is written so by many languages.
    "double": lambda value: isinstance(value, float) or _is_int(value),
}


def has_type(value: Any, types: tuple[str, ...]) -> bool:
    """Tell whether a value has one of several types; what is not a type that we know may be anything."""
    return not types or any(_has(value, kind) for kind in types)


def _has(value: Any, kind: str) -> bool:
    single = kind.removesuffix("[]")
    is_right = _TYPES.get(single)
    if is_right is None:
        return True
    if single == kind:
        return is_right(value)
    return isinstance(value, list | tuple) and all(item is None or is_right(item) for item in value)


def type_of(value: Any) -> str:
    """Name the type of a value, as conventions do; `mixed[]` for an array of several."""
    if isinstance(value, list | tuple):
        kinds = {type_of(item) for item in value if item is not None}
        return f"{kinds.pop()}[]" if len(kinds) == 1 else "mixed[]" if kinds else "empty[]"
    if isinstance(value, Mapping):
        return "map"
    for kind in ("boolean", "int", "double", "string"):
        if _TYPES[kind](value):
            return kind
    return type(value).__name__
