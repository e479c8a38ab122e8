"""Split a text into its words, by which known values are found, and its long runs, where keys and base64 stand."""

from __future__ import annotations

from pytest_llmtrace._stdlib import re

__all__ = ["WORD", "runs_of", "words_of"]

WORD = re.compile(r"[A-Za-z0-9]+|[^\x00-\x7f]")
"""A run of ASCII letters and digits, or one character beyond ASCII."""

_BREAKS = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))


def words_of(text: str) -> list[str]:
    """Return the words of a text, in order."""
    return text.translate(_BREAKS).split() if text.isascii() else WORD.findall(text)


_RUN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/._-")
# Runs are searched for in a translated text: two to nine times as fast as by a pattern (measured). A character beyond
# ASCII becomes `?`, which is a break.
_LETTERS = bytes(ord("x") if code in _RUN else ord(" ") for code in range(256))
_LONG = b"x" * 16


def runs_of(text: str) -> list[str]:
    """Return the long runs of a text, in order.

    A run has no break in it; a long one has at least 16 characters, more than most words: a key, base64, a path.
    """
    found = []
    letters = text.encode("ascii", "replace").translate(_LETTERS) + b" "
    start = letters.find(_LONG)
    while start >= 0:
        end = letters.find(b" ", start)
        found.append(text[start:end])
        start = letters.find(_LONG, end)
    return found
