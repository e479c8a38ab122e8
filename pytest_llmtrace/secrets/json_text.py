"""The strings of a JSON text, each with its place in the text and its path in the value."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_llmtrace._stdlib import json, re

__all__ = ["JsonString", "Unescaped", "json_strings", "parsed"]

_TOKEN = re.compile(r'"((?:[^"\\]++|\\.)*+)"|([\[{])|([\]}])|(,)|(:)', re.DOTALL)
_ONE = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\."
_JUST_ESCAPES = re.compile(_ONE, re.DOTALL)
_ESCAPE = re.compile(rf"({_ONE})|[^\\]+|\\", re.DOTALL)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}


class Unescaped:
    """A text without the escapes of JSON; invalid escapes stay as they are."""

    __slots__ = ("_marks", "raw", "start", "value")

    def __init__(self, raw: str, start: int = 0) -> None:
        self.raw = raw
        self.start = start
        self._marks: Sequence[int] | None = None
        self.value = _unescaped(raw) if "\\" in raw else raw

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the value stands in the text."""
        if "\\" not in self.raw:
            return self.start + start, self.start + end
        if self._marks is None:
            self._marks = _marks(self.raw)
        return self.start + self._marks[start], self.start + self._marks[end]


def _unescaped(raw: str) -> str:
    try:
        text: str = json.loads(f'"{raw}"', strict=False)
    except ValueError:
        return _as_far_as_possible(raw)
    return text


def _as_far_as_possible(raw: str) -> str:
    return _JUST_ESCAPES.sub(lambda escape: _plain(escape[0]), raw)


def _plain(escape: str) -> str:
    if len(escape) > 2:  # noqa: PLR2004  # \uXXXX, one or a pair
        text: str = json.loads(f'"{escape}"')
        return text
    return _SIMPLE.get(escape[1], escape)


def _marks(raw: str) -> Sequence[int]:
    """Return where each character of the value starts in the raw text, and where the last one ends."""
    marks = array("q")
    for piece in _ESCAPE.finditer(raw):
        if piece[1] and len(_plain(piece[1])) == 1:
            marks.append(piece.start())
        else:
            marks.extend(range(piece.start(), piece.end()))
    marks.append(len(raw))
    return marks


class JsonString(Unescaped):
    """A JSON string: `start` is where its content starts, after the quote; `steps` are the keys and positions to it.

    The steps of a key are those of its object.
    """

    __slots__ = ("is_key", "steps")

    def __init__(self, raw: str, start: int, steps: tuple[str | int, ...], *, is_key: bool = False) -> None:
        super().__init__(raw, start)
        self.steps = steps
        self.is_key = is_key


def parsed(text: str) -> Any:
    """Return the value of a JSON text, `None` if it is not valid JSON, or neither an object, an array nor a string."""
    if text.lstrip()[:1] not in {"{", "[", '"'}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_strings(text: str) -> Iterator[JsonString]:
    """Yield the strings of a valid JSON text, keys too, in order. Works through it once, without recursion."""
    steps: list[Any] = []
    is_key = False
    key_next: list[bool] = []  # One for each open container: whether it is an object.
    for token in _TOKEN.finditer(text):
        raw, opened, closed, comma, _ = token.groups()
        if raw is not None:
            if is_key:
                key = JsonString(raw, token.start(1), tuple(steps[:-1]), is_key=True)
                steps[-1] = key.value
                is_key = False
                yield key
            else:
                yield JsonString(raw, token.start(1), tuple(steps))
        elif opened:
            is_key = opened == "{"
            key_next.append(is_key)
            steps.append(None if is_key else 0)
        elif closed:
            key_next.pop()
            steps.pop()
            is_key = False
        elif comma:
            is_key = key_next[-1]
            if not is_key:
                steps[-1] += 1
