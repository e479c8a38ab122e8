"""Decode a text as JSON, as a part of a URL and as base64, layer by layer: a value may travel in any of these forms."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator, Sequence

from pytest_llmtrace._quick import lazy
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.secrets.json_text import Unescaped
from pytest_llmtrace.secrets.shapes import may_hold_shape
from pytest_llmtrace.secrets.words import runs_of, words_of

__all__ = ["BASE64", "Glance", "from_base64", "layers"]

_DEEPEST = 4
"""How many nested encodings are undone: JSON in JSON in JSON, and base64 in that."""

BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}+")
_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]{8,}")


class Glance:
    """Some texts, prepared for a first, cheap look.

    Attributes:
        text: All the texts, and what they say once their encodings are undone.
        runs: The long runs of characters in `text`, one per line.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        text = "\n".join(texts)
        runs = runs_of(text)
        coded = list(_in_base64(runs))
        if _is_escaped(text):
            coded += filter(_is_escaped, texts)
        if coded:
            text = "\n".join((text, *(layer for each in coded for layer in layers(each, roughly=True))))
            runs = runs_of(text)
        self.text = text
        self.runs = "\n".join(runs)

    @lazy
    def may_hold_shape(self) -> bool:
        """Whether anything in the texts may look like a secret."""
        return may_hold_shape(self.text, self.runs)

    @lazy
    def words(self) -> list[str]:
        """The words of the text, in order; a list, since to make a set of them takes longer than to look each up."""
        return words_of(self.text)


def _is_escaped(text: str) -> bool:
    """Tell cheaply whether a text may have escapes of JSON or of a URL."""
    return "\\" in text or "%" in text or "+" in text


def layers(text: str, deepest: int = _DEEPEST, *, roughly: bool = False) -> Iterator[str]:
    """Yield a text, and each text that remains when an encoding of it is undone, layer by layer.

    Args:
        text: The text.
        deepest: How many nested encodings are undone at most.
        roughly: Whether escapes of JSON may become mere breaks between words, which is several times as fast.
    """
    yield text
    if deepest:
        for inner in _decoded(text, roughly=roughly):
            yield from layers(inner, deepest - 1, roughly=roughly)


def _decoded(text: str, *, roughly: bool) -> Iterator[str]:
    if "\\" in text and (plain := _unescaped(text, roughly=roughly)) != text:
        yield plain
    if "%" in text and (plain := _unquoted(text)) != text:
        yield plain
    if "+" in text and " " not in text and "=" in text.rstrip("="):  # In a query or a form, `+` is a space.
        yield _unquoted(text.replace("+", " "))
    if said := "\n".join(_in_base64(runs_of(text))):
        yield said


def _unquoted(text: str) -> str:
    """Return a text without the escapes of a URL; `unquote` takes up to ten times as long in Python 3.11."""
    return _QUOTED.sub(lambda run: bytes.fromhex(run[0].replace("%", "")).decode("utf-8", "replace"), text)


_QUOTED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


def _unescaped(text: str, *, roughly: bool) -> str:
    """Return a text without the escapes of JSON.

    All escapes but two stand for characters that are not part of a word. Where a backslash is not an escape, the word
    right behind it loses its first letter here, but is whole in the text itself, which is searched too.
    """
    is_simple = "\\u" not in text and "\\/" not in text  # The two: any letter, and a character of base64.
    return _ESCAPES.sub("\n", text) if roughly and is_simple else Unescaped(text).value


_ESCAPES = re.compile(r"\\+[^\\]?")


def _in_base64(runs: Iterable[str]) -> Iterator[str]:
    """Yield the texts in base64 in the long runs of a text; runs in one case only (words, hexadecimal) are skipped."""
    for run in runs:
        for part in BASE64.findall(run) if "." in run else (run,):
            if part.upper() != part != part.lower():
                yield from from_base64(part)


def from_base64(run: str) -> Iterator[str]:
    """Yield the texts in a run of base64, wherever in it the encoding begins."""
    standard = run.replace("-", "+").replace("_", "/")
    for start in range(4):
        part = standard[start : len(run) - ((len(run) - start) % 4 == 1)]
        content = binascii.a2b_base64(f"{part}==")  # Padding that is not needed is ignored.
        said = content.decode("utf-8", "ignore")
        if said.encode() == content:  # Nearly no content is UTF-8, and strict decoding, which raises, takes longer.
            yield said
            continue
        for text in _PRINTABLE.findall(content):  # An image, or a text with something before or after it.
            yield text.decode("ascii")
