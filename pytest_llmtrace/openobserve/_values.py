"""How OpenObserve stores the names and values of attributes: every scalar as text, every name in one alphabet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from math import inf, isinf
from typing import Any, Final
from unicodedata import category

from pytest_llmtrace._stdlib import json, re

__all__ = [
    "WRITERS",
    "column",
    "compact",
    "flattened",
    "number",
    "parsed",
    "text",
    "tokens",
    "whole_number",
    "wire_value",
    "written",
]

_WRITTEN_BITS = 10_000
_HIGHEST = 2**63 - 1  # The highest count.
_DIGITS = 100  # A longer text cannot hold a number of 64 bits.
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SMALLEST = 1e-5  # The smallest number that is written without an exponent.
_NUMERIC = ("Nd", "Nl", "No")


@lru_cache(maxsize=65536)
def column(key: str) -> str:
    """Return the column of an attribute: lower case, and `_` for every character that is not a letter, digit or `_`."""
    if key.isascii():
        return "".join(char if char.isalnum() or char == "_" else "_" for char in key.lower())
    return "".join(_of_any_alphabet(char) for char in key)


def _of_any_alphabet(char: str) -> str:
    """Keep a character that Rust calls lower case or numeric; Python goes further, and calls `一` numeric, too."""
    if char.isupper():
        return char.lower()
    return char if char.islower() or category(char) in _NUMERIC else "_"


def wire_value(value: Any) -> Any:
    """Return a value as the server holds it on arrival: scalars except `None` are text, also in arrays and maps."""
    return WRITERS.get(type(value), _composed)(value)


def _composed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): wire_value(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _listed(value)
    return None if value is None else text(value)


def _listed(value: Sequence[Any]) -> list[Any]:
    return [each if type(each) is str else wire_value(each) for each in value]


def text(value: Any) -> str:
    """Write a scalar as the server does."""
    if isinstance(value, str):
        return str.__str__(value)  # A subclass may have a text of its own.
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
    """Write an integer; one that is too long for Python's decimal digits is written as the export sends it."""
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
"""What `wire_value` does for values of exactly these types; for a subclass it gets the same by a longer way."""


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
    """Write JSON as the server does. Arrays of texts, the most frequent, are written here, in a third of the time."""
    if type(value) is list:
        try:
            return f"[{','.join(map(encode_basestring, value))}]"
        except TypeError:  # Not all elements are texts.
            pass
    return _JSON.encode(value)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def parsed(said: Any) -> Any:
    """Return the value of a JSON text; `None` if the server would refuse the text: Rust reads no `NaN`, for example."""
    try:
        return json.loads(said, parse_constant=_refuse, parse_float=_finite) if isinstance(said, str) else None
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> None:
    raise ValueError(name)


def _finite(digits: str) -> float:
    found = float(digits)
    if isinf(found):
        raise ValueError(digits)
    return found


def written(value: Any) -> str:
    """Write a value that was read from JSON, as Rust does: its exponents differ from Python's."""
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is float:
        return _shortest(value)
    if kind is list:
        return f"[{','.join(map(written, value))}]"
    if kind is dict:
        return f"{{{','.join(f'{encode_basestring(key)}:{written(each)}' for key, each in value.items())}}}"
    return json.dumps(value)


def _shortest(value: float) -> str:
    """Write a number of JSON: with an exponent from 1e16 on and below 1e-5, without a plus or a leading zero in it."""
    digits = repr(value)
    if "e" not in digits:
        return digits
    if _SMALLEST <= abs(value) < 1:
        return format(Decimal(digits), "f")
    digits, exponent = digits.split("e")
    return f"{digits}e{int(exponent)}"


def whole_number(text: str) -> int | None:
    """Return the integer in a text, if the server reads one; Python also reads `1_000` and other alphabets' digits."""
    value = int(text) if len(text) <= _DIGITS and _WHOLE.fullmatch(text) else None
    return value if value is not None and -_HIGHEST - 1 <= value <= _HIGHEST else None


def number(text: str) -> float | None:
    """Return the number in a text, if the server reads one; no column holds infinity."""
    found = float(text) if _NUMBER.fullmatch(text) else inf
    return None if isinf(found) else found


def tokens(value: Any) -> int | None:
    """Return a count: an integer above zero, also one in text; `None` for anything else."""
    if isinstance(value, str):
        value = whole_number(value)
    return value if type(value) is int and 0 < value <= _HIGHEST else None
