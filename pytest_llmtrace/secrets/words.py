"""The words of a text: what is known is found by one of them, and a key is told by its first."""

from __future__ import annotations

import re

__all__ = ["WORD", "words_of"]

WORD = re.compile(r"[A-Za-z0-9]+|[^\x00-\x7f]")
"""A run of letters and digits, or one character of a script that has more of them."""

_BREAKS = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))


def words_of(text: str) -> list[str]:
    """Return the words of a text, in order."""
    return text.translate(_BREAKS).split() if text.isascii() else WORD.findall(text)
