"""What comes in the place of what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.secrets.body_text import Hit, hits_in_body
from pytest_llmtrace.secrets.names import MASK, PERSON

__all__ = ["Edit", "applied", "edits", "edits_of"]

_ROUNDS = 3


class Edit(NamedTuple):
    """A part of a text that is not for a file, and what stands there instead."""

    start: int
    end: int
    text: str


def edits(text: str, keep: tuple[re.Pattern[str], ...] = ()) -> tuple[Edit, ...]:
    """Return what must not be written of a body: keys, secret fields, and what tells of a person or an account.

    They are in order and do not overlap, and a text that they were applied to has none. Only parts of strings are
    replaced, so that JSON, events, forms and the layout of each stay as they are.

    Args:
        text: The body.
        keep: Values that stay, each matched as a whole, without the escapes that it has in the text.
    """
    found = edits_of(_without(hits_in_body(text), keep))
    # What was hidden by the end of something else is seen when that is gone.
    for _ in range(_ROUNDS if found else 0):
        more = edits_of(_without(hits_in_body(applied(text, found)), keep))
        if not more:
            break
        found = _together(found, more)
    return found


def _without(hits: Iterator[Hit], keep: tuple[re.Pattern[str], ...]) -> Iterable[Hit]:
    return (hit for hit in hits if not any(kept.fullmatch(hit.value) for kept in keep)) if keep else hits


def edits_of(hits: Iterable[Hit]) -> tuple[Edit, ...]:
    """Return what replaces some hits, in order; those that overlap are replaced together."""
    kept: list[Edit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        new = "" if hit.continues else {"personal": PERSON, "user": ""}.get(hit.by, MASK)
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
    """Return as edits of the first text what are edits of it, and edits of the text after these."""
    kept: list[Edit] = []
    index = shift = 0
    for start, end, text in more:
        # Those before it stay; those that it touches become part of it.
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
