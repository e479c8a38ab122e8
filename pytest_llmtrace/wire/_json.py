"""Bytes -> the JSON in them, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from json import JSONDecodeError
from typing import Any, NamedTuple, NoReturn

from pytest_llmtrace._stdlib import json

__all__ = ["Broken", "encoding_of", "parse", "parse_all", "parse_text"]

_LITERALS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_ZERO = (b"", b"\0")
_ESCAPE = 6  # \uXXXX


class Broken(NamedTuple):
    """What is no JSON.

    Attributes:
        note: Why, as a clause.
        cut: Whether it would have been JSON, had it gone on.
        text: The text, where it is one.
    """

    note: str
    cut: bool = False
    text: str = ""


def parse(body: bytes) -> Any:
    """Return the JSON in a body, `Broken` where there is none. Never raises."""
    try:
        # As json.loads does for bytes, and so the SDKs, but strict about what is no text.
        said = body.decode(encoding_of(body))
    except UnicodeDecodeError as error:
        return Broken(f"it is no text (byte {error.start}: {error.reason})", "unexpected end" in error.reason)
    return _parsed(said)


def encoding_of(body: bytes) -> str:
    """Name the encoding of JSON as `json.loads` finds it, without its search where an object begins in UTF-8."""
    return "utf-8" if body[:1] == b"{" and body[1:2] not in _ZERO else json.detect_encoding(body)


def parse_all(texts: Sequence[str]) -> list[Any]:
    """Return the JSON in each of many texts, `Broken` for those that are none. Never raises."""
    # One call for all: most of the cost of parsing a small text is the call.
    try:
        values = json.loads(f"[{','.join(texts)}]")
    except (ValueError, RecursionError):
        values = []
    if len(values) == len(texts):
        return list(values)
    return [_parsed(said) for said in texts]


def parse_text(said: str) -> Any:
    """Return the JSON value that a text states by the letter of RFC 8259, the text itself where it states none."""
    try:
        return _STRICT.decode(said)
    except (ValueError, RecursionError):
        return said


def _parsed(said: str) -> Any:
    if not said or said.isspace():
        return Broken("it is empty", cut=True)
    try:
        return json.loads(said)
    except JSONDecodeError as error:
        return Broken(f"it is no JSON ({error.msg}, character {error.pos})", _is_cut(error), said)
    except ValueError:
        return Broken("it has a number of more digits than can be read", text=said)
    except RecursionError:
        return Broken("it is nested more deeply than can be read", text=said)


def _is_cut(error: JSONDecodeError) -> bool:
    rest = error.doc[error.pos :].rstrip()
    if error.msg.startswith("Unterminated string"):
        return True
    if "escape" in error.msg:
        return len(rest) < _ESCAPE
    return not rest.strip(".eE+-") or any(literal.startswith(rest) for literal in _LITERALS)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_STRICT = json.JSONDecoder(parse_constant=_refuse)
