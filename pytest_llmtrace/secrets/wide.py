"""Bodies in UTF-16: two bytes for each character, which hide every word from a search in the bytes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

__all__ = ["Order", "Wide", "order_of", "text_of", "widened"]

Order = Literal["", "le", "be"]
"""Which byte of a character comes first in a text in UTF-16; empty for any other text."""

_LE, _BE = "\udcff\udcfe", "\udcfe\udcff"
_SURE = 8


def order_of(text: str) -> Order:
    """Return the order of the bytes of a text in UTF-16 that `as_text` has read: by its mark, or by its zero bytes."""
    head = text[:_SURE]
    if head.startswith((_LE, _BE)):
        return "le" if head.startswith(_LE) else "be"
    if len(head) == _SURE and "\0" in head:
        zeros = [character == "\0" for character in head]
        return "le" if zeros == [False, True] * 4 else "be" if zeros == [True, False] * 4 else ""
    return ""


def text_of(body: bytes) -> str:
    """Return the text of a body in UTF-16 or UTF-8; what is no text in it is replaced."""
    text = body[: 4 * _SURE].decode("utf-8", "surrogateescape")
    order = order_of(text)
    return body.decode(f"utf-16-{order}" if order else "utf-8", "replace")


def widened(text: str, order: Order) -> str:
    """Return a text in ASCII as the characters that its bytes in UTF-16 are."""
    if not order:
        return text
    return "".join(f"{one}\0" if order == "le" else f"\0{one}" for one in text)


class Wide:
    """A text in UTF-16.

    Args:
        text: What `as_text` has made of its bytes.
        order: The order of its bytes.

    Attributes:
        value: The text itself, without the mark of its order.
    """

    def __init__(self, text: str, order: Order) -> None:
        content = text.encode("utf-8", "surrogateescape")
        self._skipped = 2 if text.startswith((_LE, _BE)) else 0
        self._text = text
        self.value = content[self._skipped :].decode(f"utf-16-{order}", "replace")
        self._units: Sequence[int] | None = None
        self._bytes: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the value stands in the text."""
        if self._units is None:
            self._units = [0, *accumulate(2 if one > "\uffff" else 1 for one in self.value)]
        return self._at(self._units[start]), self._at(self._units[end])

    def _at(self, unit: int) -> int:
        """Return the character of the text at which a unit of two bytes begins."""
        if self._bytes is None:
            self._bytes = [0, *accumulate(_size(one) for one in self._text)]
        return bisect_left(self._bytes, self._skipped + 2 * unit)


def _size(character: str) -> int:
    return len(character.encode("utf-8", "surrogateescape"))
