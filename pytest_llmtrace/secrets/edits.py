"""The edits that replace what was found in a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.secrets.body_text import Hit, hits_in_body
from pytest_llmtrace.secrets.names import MASK, PERSON
from pytest_llmtrace.secrets.wide import widened

__all__ = ["Edit", "applied", "edits", "edits_of"]

_ROUNDS = 3


class Edit(NamedTuple):
    """A part of a text that must not be written, and the text that replaces it."""

    start: int
    end: int
    text: str


def edits(text: str, keep: tuple[re.Pattern[str], ...] = ()) -> tuple[Edit, ...]:
    """Return the edits that take out of a body what must not be written: keys, secret fields, and personal data.

    The edits are in order and do not overlap, and applying them leaves no further edits to make. Only parts of
    strings are replaced, so that JSON, events, forms and the layout of each stay as they are.

    Args:
        text: The body.
        keep: Patterns of values that stay. Each must match a value as a whole, without its escapes in the text.
    """
    found = edits_of(_without(hits_in_body(text), keep))
    # A value that the end of another one has hidden is found once that one is gone.
    for _ in range(_ROUNDS if found else 0):
        more = edits_of(_without(hits_in_body(applied(text, found)), keep))
        if not more:
            break
        found = _together(found, more)
    return found


def _without(hits: Iterator[Hit], keep: tuple[re.Pattern[str], ...]) -> Iterable[Hit]:
    return (hit for hit in hits if not any(kept.fullmatch(hit.value) for kept in keep)) if keep else hits


def edits_of(hits: Iterable[Hit]) -> tuple[Edit, ...]:
    """Return the edits that replace hits, in order; hits that overlap are replaced together."""
    kept: list[Edit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        new = "" if hit.continues else {"personal": PERSON, "user": ""}.get(hit.by, MASK)
        new = widened(new, hit.wide)
        if kept and hit.start < kept[-1].end:
            last = kept[-1]
            text = MASK if MASK in {last.text, new} else last.text or new
            kept[-1] = Edit(last.start, max(last.end, hit.end), text)
        else:
            kept.append(Edit(hit.start, hit.end, new))
    return tuple(kept)


def applied(text: str, changes: tuple[Edit, ...]) -> str:
    """Return a text with its edits made."""
    parts, at = [], 0
    for edit in changes:
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]]) if changes else text


def _together(first: tuple[Edit, ...], more: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """Return edits of a text that do the same as its first edits and then more edits of the result."""
    kept: list[Edit] = []
    index = shift = 0
    for start, end, text in more:
        # First edits that end before it stay as they are; those that it touches become part of it.
        while index < len(first) and first[index].end + shift + _growth(first[index]) <= start:
            shift += _growth(first[index])
            kept.append(first[index])
            index += 1
        begin = start - shift
        if index < len(first) and first[index].start + shift < start:
            begin = first[index].start
        while index < len(first) and first[index].start + shift < end:
            shift += _growth(first[index])
            index += 1
        stop = end - shift
        if index and first[index - 1].end > begin:
            stop = max(stop, first[index - 1].end)
        kept.append(Edit(begin, stop, text))
    return (*kept, *first[index:])


def _growth(edit: Edit) -> int:
    return len(edit.text) - (edit.end - edit.start)
