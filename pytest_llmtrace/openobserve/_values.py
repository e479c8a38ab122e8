"""How OpenObserve stores the names and values of attributes: every scalar as text, every name in one alphabet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, Final

__all__ = ["WRITERS", "column", "compact", "flattened", "text", "tokens", "wire_value"]

_WRITTEN_BITS = 10_000


@lru_cache(maxsize=65536)
def column(key: str) -> str:
    """Return the column of an attribute: lower case, and `_` for every character that is no letter, digit or `_`."""
    if key.isascii():
        return "".join(char if char.isalnum() or char == "_" else "_" for char in key.lower())
    return "".join(_of_any_alphabet(char) for char in key)


def _of_any_alphabet(char: str) -> str:
    lower = char.lower()
    return lower if lower.islower() or lower.isnumeric() else "_"


def wire_value(value: Any) -> Any:
    """Return a value as the server holds it on arrival: scalars are text, arrays and maps hold such."""
    return WRITERS.get(type(value), _composed)(value)


def _composed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): wire_value(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _listed(value)
    return text(value)


def _listed(value: Sequence[Any]) -> list[Any]:
    return [each if type(each) is str else wire_value(each) for each in value]


def text(value: Any) -> str:
    """Write a scalar as the server does."""
    if isinstance(value, str):
        return str.__str__(value)  # Without what a type derived from it may make of itself.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return ""
    return _integer(value) if isinstance(value, int) else str(value)


def _integer(value: int) -> str:
    """Write a whole number; one that Python writes in no decimal digits as the export sends it."""
    return str(value) if value.bit_length() <= _WRITTEN_BITS else hex(value)


def _float(value: float) -> str:
    """Write a number as Rust displays it: without an exponent, and without `.0`."""
    digits = repr(value)
    if "e" in digits:
        digits = format(Decimal(digits), "f")
    elif "nan" in digits:
        return "NaN"
    return digits.removesuffix(".0")


WRITERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    str: str,
    int: _integer,
    bool: lambda value: "true" if value else "false",
    float: _float,
    list: _listed,
    tuple: _listed,
}
"""What `wire_value` does, by the type of the value; what derives from these takes the longer way to the same."""


def flattened(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the columns of an attribute with their values: a map has one for each of its keys, an array is JSON."""
    if type(value) is dict:
        for name, each in value.items():
            yield from flattened(f"{key}_{name}", each)
    elif type(value) is list:
        if value:
            yield column(key), compact(value)
    elif value is not None:
        yield column(key), value


def compact(value: Any) -> str:
    """Write JSON as the server does. Arrays of texts, which are most of them, are written here: it takes a third."""
    if type(value) is list:
        try:
            return f"[{','.join(map(encode_basestring, value))}]"
        except TypeError:  # Something else is among them.
            pass
    return _JSON.encode(value)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def tokens(value: Any) -> int | None:
    """Read a count: a whole number above zero, or one in text; None for anything else."""
    if isinstance(value, str):
        digits = value if value.isdecimal() or value[:1] not in ("+", "-") else value[1:]
        value = int(value) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else None  # noqa: PLR2004
    return value if type(value) is int and value > 0 else None
