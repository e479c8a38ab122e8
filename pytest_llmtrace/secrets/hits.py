"""What was found in a text, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, Protocol

__all__ = ["Hit", "alarming", "moved"]


class Hit(NamedTuple):
    """A part of a text that should not be in a file.

    `by` says how it was told: by the name of its `field`, by its looks (`shape`), as `personal` data, or as the `user`
    in front of a URL's host.
    """

    start: int
    end: int
    place: str
    by: Literal["field", "shape", "personal", "user"]
    what: str
    value: str
    """What was found, without the escapes that it has in the text. Never printed."""
    stands_in: bool = False
    """Whether it only stands in for a secret or a person, as `"api_key": "none"` and `jane@example.com` do: taken out
    of what is written, since the place is one for secrets, and not worth an alarm."""
    continues: bool = False
    """Whether this is a further piece of what an earlier event of a stream began: it goes, and nothing comes in its
    place. All pieces have the whole as their value."""


class _Decoded(Protocol):
    value: str

    def span(self, start: int, end: int) -> tuple[int, int]: ...


def alarming(hits: Iterable[Hit]) -> Iterator[Hit]:
    """Leave out what only stands in for a secret or a person."""
    return (hit for hit in hits if not hit.stands_in)


def moved(part: _Decoded, hits: Iterator[Hit]) -> Iterator[Hit]:
    """Return the hits in a decoded part where they stand in the whole."""
    for hit in hits:
        start, end = part.span(hit.start, hit.end)
        yield hit._replace(start=start, end=end)
