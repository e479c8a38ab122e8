"""What a text says when it is taken for JSON, for a part of a URL or for base64: a value may travel in any of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote, unquote_plus

from pytest_llmtrace.secrets.json_text import Unescaped
from pytest_llmtrace.secrets.words import words_of

__all__ = ["BASE64", "Glance", "from_base64", "layers"]

_DEEPEST = 4
"""JSON in JSON in JSON, and base64 in that."""

BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}+")
_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]{8,}")
_STANDARD = str.maketrans("-_", "+/")


class Glance:
    """Some texts, as a first look sees them.

    Attributes:
        text: All of them.
        words: Theirs, and those of what they say without an encoding that they may have.
    """

    __slots__ = ("text", "words")

    def __init__(self, texts: Sequence[str]) -> None:
        self.text = "\n".join(texts)
        self.words = set(words_of(self.text))
        for said in _in_base64(self.text):
            self._add(said)
        if _is_escaped(self.text):
            for text in filter(_is_escaped, texts):
                self._add(text)

    def _add(self, text: str) -> None:
        for layer in layers(text, roughly=True):
            self.words.update(words_of(layer))


def _is_escaped(text: str) -> bool:
    """Tell cheaply whether a text may have escapes of JSON or of a URL."""
    return "\\" in text or "%" in text or "+" in text


def layers(text: str, deepest: int = _DEEPEST, *, roughly: bool = False) -> Iterator[str]:
    """Yield a text, and what it says without an encoding that it may have, over and over.

    Args:
        text: The text.
        deepest: How many encodings may lie upon one another.
        roughly: Whether breaks between words will do for the escapes of JSON: several times as fast.
    """
    yield text
    if deepest:
        for inner in _decoded(text, roughly=roughly):
            yield from layers(inner, deepest - 1, roughly=roughly)


def _decoded(text: str, *, roughly: bool) -> Iterator[str]:
    if "\\" in text and (plain := _unescaped(text, roughly=roughly)) != text:
        yield plain
    if "%" in text and (plain := unquote(text)) != text:
        yield plain
    if "+" in text and " " not in text and "=" in text.rstrip("="):  # A space, in a query and in a form.
        yield unquote_plus(text)
    if said := "\n".join(_in_base64(text)):
        yield said


def _unescaped(text: str, *, roughly: bool) -> str:
    """Return a text without the escapes of JSON.

    All but two of them stand for what is no part of a word. Where backslashes are no escapes, words begin right behind
    them, as they do in the text itself.
    """
    is_simple = "\\u" not in text and "\\/" not in text  # Any letter; a character of base64.
    return _ESCAPES.sub("\n", text) if roughly and is_simple else Unescaped(text).value


_ESCAPES = re.compile(r"\\+[^\\]?")


def _in_base64(text: str) -> Iterator[str]:
    """Yield what stands in the runs of base64 of a text; words and hexadecimal digits are none."""
    for run in BASE64.findall(text):
        if run.upper() != run != run.lower():
            yield from from_base64(run)


def from_base64(run: str) -> Iterator[str]:
    """Yield the texts in a run of base64, wherever in it the encoding begins."""
    standard = run.translate(_STANDARD)
    for start in range(4):
        part = standard[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        content = base64.b64decode(part + "=" * (-len(part) % 4))
        try:
            yield content.decode("utf-8")
        except UnicodeDecodeError:  # An image, or a text with something before or after it.
            yield from (text.decode("ascii") for text in _PRINTABLE.findall(content))
