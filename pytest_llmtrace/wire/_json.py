"""Parse JSON in bytes and texts, or say why it cannot be read."""

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
    """A body or a text that is not JSON.

    Attributes:
        note: The reason, as a clause.
        cut: Whether it looks like JSON that was cut off.
        text: The text; empty if the bytes are not text.
    """

    note: str
    cut: bool = False
    text: str = ""


def parse(body: bytes) -> Any:
    """Return the JSON value in a body, or a `Broken` if it is not JSON. Never raises."""
    try:
        # json.loads, and so the SDKs, decode bytes in this way; unlike them, refuse bytes that are not text.
        said = body.decode(encoding_of(body))
    except UnicodeDecodeError as error:
        return Broken(f"it is not text (byte {error.start}: {error.reason})", "unexpected end" in error.reason)
    return _parsed(said)


def encoding_of(body: bytes) -> str:
    """Return the encoding that `json.loads` would detect; if an object begins in UTF-8, do so without its search."""
    return "utf-8" if body[:1] == b"{" and body[1:2] not in _ZERO else json.detect_encoding(body)


def parse_all(texts: Sequence[str]) -> list[Any]:
    """Return the JSON value in each of many texts, a `Broken` for each that is not JSON. Never raises."""
    # Parse all in one call: most of the cost of parsing a small text is the call.
    try:
        values = json.loads(f"[{','.join(texts)}]")
    except (ValueError, RecursionError):
        values = []
    if len(values) == len(texts):
        return list(values)
    return [_parsed(said) for said in texts]


def parse_text(said: str) -> Any:
    """Return the JSON value of a text that follows RFC 8259 strictly (no `NaN` or `Infinity`), else the text itself."""
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
        return Broken(f"it is not JSON ({error.msg}, character {error.pos})", _is_cut(error), said)
    except ValueError:
        return Broken("it has a number with too many digits to read", text=said)
    except RecursionError:
        return Broken("it is nested too deeply to read", text=said)


def _is_cut(error: JSONDecodeError) -> bool:
    rest = error.doc[error.pos :].rstrip()
    if error.msg.startswith("Unterminated string"):
        return True
    if "escape" in error.msg:
        return len(rest) < _ESCAPE
    return not rest.strip(".eE+-") or any(literal.startswith(rest) for literal in _LITERALS)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_refuse)
