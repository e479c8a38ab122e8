"""A part of a URL or a form without its percent-encoding, and where each character stood in the encoded text."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from pytest_llmtrace._stdlib import re

__all__ = ["Unquoted"]

_PIECE = re.compile(r"((?:%[0-9A-Fa-f]{2})+)|(\+)|[^%+]+|%")
_ESCAPED = 3
"""The length of `%40`."""


class Unquoted:
    """A text without percent-encoding.

    Args:
        raw: The text as it travels.
        start: Where it starts in the whole URL or form.
        plus: Whether `+` is a space, as in forms and queries.
    """

    __slots__ = ("_marks", "_plus", "raw", "start", "value")

    def __init__(self, raw: str, start: int, *, plus: bool) -> None:
        self.raw = raw
        self.start = start
        self._plus = plus
        self._marks: Sequence[int] | None = None
        self.value = raw
        if "%" in raw or (plus and "+" in raw):
            self._decode()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the value stands in the whole."""
        if self._marks is None:
            return self.start + start, self.start + end
        return self.start + self._marks[start], self.start + self._marks[end]

    def _decode(self) -> None:
        marks, parts = array("q"), []
        for piece in _PIECE.finditer(self.raw):
            at = piece.start()
            if piece[1]:
                text, sizes = _characters(bytes.fromhex(piece[1].replace("%", "")))
                parts.append(text)
                for size in sizes:
                    marks.append(at)
                    at += _ESCAPED * size
            else:
                parts.append(" " if piece[2] and self._plus else piece[0])
                marks.extend(range(at, piece.end()))
        marks.append(len(self.raw))
        self.value, self._marks = "".join(parts), marks


def _characters(content: bytes) -> tuple[str, list[int]]:
    """Return bytes as characters, and how many bytes each has; bytes that are not UTF-8 are one character each."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1"), [1] * len(content)
    return text, [len(character.encode("utf-8")) for character in text]
