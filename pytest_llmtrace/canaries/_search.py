"""Find known values in any text, all at once and in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import quote, quote_plus

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.canaries._layers import BASE64, Glance, from_base64, layers
from pytest_llmtrace.secrets.names import MASK
from pytest_llmtrace.secrets.words import WORD, words_of

__all__ = ["Kind", "Search", "Sought", "is_telling", "is_wordy"]

_END = 40
"""Characters. Longer values are found by this much of their beginning and end, since many are cut on their way; of
values that begin alike, the first stands for all."""
Kind = Literal["secret", "id", "content"]

_SHORTEST: Mapping[Kind, int] = {"secret": 8, "id": 8, "content": 16}
_LONG_WORD = 16
_FEW = 8
"""Up to this many words, it is faster to look for each in turn than to split the text into words."""
_RECOGNISABLE = 12
"""How many characters of a value are enough to give it away."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """A value that is looked for.

    Attributes:
        value: The value itself. Never printed.
        what: What it is, in a report's words: `the API key`.
        where: Where it is known from: `request header authorization, exchange 0`.
        kind: Whether it is a secret, which belongs nowhere; or the id of a user or content, which somebody may want.
        home: The one attribute that is documented to hold it; empty if there is none.
    """

    value: str
    what: str
    where: str
    kind: Kind
    home: str = ""


class _Piece(NamedTuple):
    """A part of a value that stands for the whole; it was cut at an open end, where anything may adjoin it."""

    text: str
    open_start: bool
    open_end: bool
    sought: Sought


def is_telling(value: str, kind: Kind) -> bool:
    """Tell whether a value is distinctive: wherever it is found, it certainly comes from its source.

    A secret or an id must have at least 8 characters, content at least 16; a single word must contain a digit or have
    at least 16 characters.
    """
    if len(value) < _SHORTEST[kind]:
        return False
    return len(words_of(value)) > 1 or not is_wordy(value)


def is_wordy(value: str) -> bool:
    """Tell whether a value consists of words alone, as names do: nobody has made it at random."""
    return all(token.isalpha() and len(token) < _LONG_WORD for token in words_of(value))


class Search:
    """A search for some values.

    A value is found where it stands by itself, not inside a longer word: as it is, escaped for JSON or a URL, or in
    base64. The search takes time in proportion to the text, however many values there are.

    Args:
        sought: The values; of equal values the first counts, and values that are not distinctive are left out.
    """

    def __init__(self, sought: Iterable[Sought]) -> None:
        self._sought: dict[str, Sought] = {}
        # Keys: the longest word of a piece; where the word begins and how long the piece is; the text of the piece.
        self._index: dict[str, dict[tuple[int, int], dict[str, _Piece]]] = {}
        self._known: dict[str, tuple[Sought, ...]] = {}
        for one in sought:
            if one.value not in self._sought and is_telling(one.value, one.kind):
                self._sought[one.value] = one
                self._add(one)

    def __len__(self) -> int:
        return len(self._sought)

    def may_be_in(self, seen: Glance) -> bool:
        """Tell cheaply whether any value may be in some texts; False is certain, True is not."""
        if len(self._index) <= _FEW:
            return any(map(seen.text.__contains__, self._index))
        return not self._index.keys().isdisjoint(seen.words)

    def within(self, text: str) -> tuple[Sought, ...]:
        """Return the values that are in a text, each once."""
        if not self._index:
            return ()
        found = self._known.get(text)
        if found is None:
            found = tuple(dict.fromkeys(one for layer in layers(text) for one in self._in_layer(layer)))
            self._known[text] = found
        return found

    def places(self, text: str) -> Iterator[tuple[int, int, Sought]]:
        """Yield where values stand in a text, with start and end, as they are or escaped; not those in base64."""
        for one in self.within(text):
            for form in _forms(one.value):
                at = text.find(form)
                while at >= 0:
                    yield at, at + len(form), one
                    at = text.find(form, at + len(form))

    def masked(self, text: str) -> str:
        """Return a text with the values in it masked, in whatever form, and parts that would give a value away."""
        for value in self._sought:
            for form in (*_forms(value), *_words(value)):
                text = _without(text, form)
        if self.within(text):
            text = BASE64.sub(lambda run: MASK if any(map(self.within, from_base64(run[0]))) else run[0], text)
        return MASK if self.within(text) else text

    def _add(self, one: Sought) -> None:
        whole = _Piece(one.value, open_start=False, open_end=False, sought=one)
        if len(one.value) <= _END:
            self._add_piece(whole)
            return
        start = _Piece(one.value[:_END], open_start=False, open_end=True, sought=one)
        end = _Piece(one.value[-_END:], open_start=True, open_end=False, sought=one)
        if not any([self._add_piece(start), self._add_piece(end)]):
            self._add_piece(whole)  # No piece has a whole word: the value is one long word, as many keys are.

    def _add_piece(self, piece: _Piece) -> bool:
        """Index a piece by the longest of its words that were not cut; tell whether it has such a word."""
        words, text = words_of(piece.text), piece.text
        if piece.open_start and words and text.startswith(words[0]):
            del words[0]
        if piece.open_end and words and text.endswith(words[-1]):
            del words[-1]
        if words:
            anchor = max(words, key=len)
            # Inside a longer word it can only be in the one that was cut, so search from the other end.
            start = text.rfind(anchor) if piece.open_start else text.find(anchor)
            shapes = self._index.setdefault(anchor, {})
            shapes.setdefault((start, len(text)), {}).setdefault(text, piece)
        return bool(words)

    def _in_layer(self, text: str) -> Iterator[Sought]:
        anchors = self._index.keys() & set(words_of(text))
        if not anchors:
            return
        for token in WORD.finditer(text):
            if token[0] in anchors:
                for (before, length), pieces in self._index[token[0]].items():
                    start = token.start() - before
                    piece = pieces.get(text[start : start + length]) if start >= 0 else None
                    if piece is not None and _stands_alone(piece, text, start):
                        yield piece.sought


def _stands_alone(piece: _Piece, text: str, start: int) -> bool:
    end = start + len(piece.text)
    glued_before = start > 0 and _is_letter(text[start - 1]) and _is_letter(text[start])
    glued_after = end < len(text) and _is_letter(text[end]) and _is_letter(text[end - 1])
    return (piece.open_start or not glued_before) and (piece.open_end or not glued_after)


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _forms(value: str) -> tuple[str, ...]:
    """Return the forms that a value has in texts, JSON and URLs, the longest form first."""
    forms = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    forms |= {quote(value, safe=""), quote(value), quote_plus(value), repr(value)[1:-1]}
    return tuple(sorted(forms, key=len, reverse=True))


def _words(value: str) -> list[str]:
    return [word for word in WORD.findall(value) if len(word) >= _RECOGNISABLE]


def _without(text: str, form: str) -> str:
    """Return a text with a form of a value masked, also where only its beginning is left."""
    beginning = form[:_RECOGNISABLE]
    at = text.find(beginning)
    while at >= 0:
        length = next((i for i, (a, b) in enumerate(zip(text[at:], form, strict=False)) if a != b), len(form))
        text = f"{text[:at]}{MASK}{text[at + length :]}"
        at = text.find(beginning, at + len(MASK))
    return text
