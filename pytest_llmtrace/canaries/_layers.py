"""What a text says when it is taken for JSON, for a part of a URL or for base64: a value may travel in any of them."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import unquote, unquote_plus

from pytest_llmtrace._quick import lazy
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.secrets.json_text import Unescaped
from pytest_llmtrace.secrets.shapes import may_hold_shape
from pytest_llmtrace.secrets.words import runs_of, words_of

__all__ = ["BASE64", "Glance", "from_base64", "layers"]

_DEEPEST = 4
"""JSON in JSON in JSON, and base64 in that."""

BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}+")
_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]{8,}")


class Glance:
    """Some texts, as a first look sees them.

    Attributes:
        text: All of them, and what they say without an encoding that they may have.
        runs: The long runs of it, one below the other.
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
        """The words of the text, in order: to put them into a set takes longer than to look each up."""
        return words_of(self.text)


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
    if said := "\n".join(_in_base64(runs_of(text))):
        yield said


def _unescaped(text: str, *, roughly: bool) -> str:
    """Return a text without the escapes of JSON.

    All but two of them stand for what is no part of a word. Where backslashes are no escapes, words begin right behind
    them, as they do in the text itself.
    """
    is_simple = "\\u" not in text and "\\/" not in text  # Any letter; a character of base64.
    return _ESCAPES.sub("\n", text) if roughly and is_simple else Unescaped(text).value


_ESCAPES = re.compile(r"\\+[^\\]?")


def _in_base64(runs: Iterable[str]) -> Iterator[str]:
    """Yield what stands in base64 in the long runs of a text; words and hexadecimal digits are none."""
    for run in runs:
        for part in BASE64.findall(run) if "." in run else (run,):
            if part.upper() != part != part.lower():
                yield from from_base64(part)


def from_base64(run: str) -> Iterator[str]:
    """Yield the texts in a run of base64, wherever in it the encoding begins."""
    standard = run.replace("-", "+").replace("_", "/")
    for start in range(4):
        part = standard[start : len(run) - ((len(run) - start) % 4 == 1)]
        content = binascii.a2b_base64(f"{part}==")  # Padding that is not needed is passed over.
        said = content.decode("utf-8", "ignore")
        if said.encode() == content:  # Nearly none is, and to raise takes longer.
            yield said
            continue
        for text in _PRINTABLE.findall(content):  # An image, or a text with something before or after it.
            yield text.decode("ascii")
