"""The types of attribute values, as conventions name them, and the tests for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeGuard

from pytest_llmtrace._argtypes import is_count

__all__ = ["has_type", "is_number", "type_of"]

_Test = Callable[[Any], bool]


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a number, finite or not; a boolean does not count."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_TYPES: Mapping[str, _Test] = {
    "string": _is_text,
    "json": _is_text,
    "boolean": lambda value: isinstance(value, bool),
    "int": is_count,
    # Many languages write a whole number as an int.
    "double": is_number,
}


def has_type(value: Any, types: tuple[str, ...]) -> bool:
    """Tell whether a value has one of several types; a type that is unknown here fits every value."""
    return _test(types)(value)


@cache
def _test(types: tuple[str, ...]) -> _Test:
    """Return the test for several types; the cache holds as many as conventions have."""
    tests = [_single(kind) for kind in types]
    return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)


def _single(kind: str) -> _Test:
    name = kind.removesuffix("[]")
    is_right = _TYPES.get(name, lambda _value: True)
    if name == kind:
        return is_right
    return lambda value: isinstance(value, list | tuple) and all(item is None or is_right(item) for item in value)


def type_of(value: Any) -> str:
    """Return the type of a value as conventions name it; `mixed[]` if an array mixes types, `empty[]` for `[]`."""
    if not isinstance(value, list | tuple):
        return _plain(value)
    kinds = {_plain(item) for item in value if item is not None}
    return f"{kinds.pop()}[]" if len(kinds) == 1 else "mixed[]" if kinds else "empty[]"


def _plain(value: Any) -> str:
    """Return the type of a single value; OpenTelemetry attributes have no arrays within arrays, however deep."""
    for kind in ("boolean", "int", "double", "string"):
        if _TYPES[kind](value):
            return kind
    return "map" if isinstance(value, Mapping) else type(value).__name__
