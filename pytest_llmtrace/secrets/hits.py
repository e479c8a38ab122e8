"""The records of what was found in a text, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, Protocol

from pytest_llmtrace.secrets.wide import Order

__all__ = ["Hit", "alarming", "moved"]


class Hit(NamedTuple):
    """A part of a text that should not be in a file.

    `by` says how it was recognised: by the name of its `field`, by its looks (`shape`), as `personal` data, or as the
    `user` in front of a URL's host.
    """

    start: int
    end: int
    place: str
    by: Literal["field", "shape", "personal", "user"]
    what: str
    value: str
    """What was found, without the escapes that it has in the text. Never printed."""
    stands_in: bool = False
    """Whether the value only stands in for a secret or a person, as `"api_key": "none"` and `jane@example.com` do. It
    is taken out of files, since its place is one for secrets, but it raises no alarm."""
    continues: bool = False
    """Whether this is a further piece of a value that began in an earlier event of a stream: it is taken out, and
    nothing replaces it. All pieces have the whole value as their `value`."""
    wide: Order = ""
    """The order of its bytes, if the text around it is in UTF-16: what replaces it has to be too."""


class _Decoded(Protocol):
    value: str

    def span(self, start: int, end: int) -> tuple[int, int]: ...


def alarming(hits: Iterable[Hit]) -> Iterator[Hit]:
    """Return the hits without those that only stand in for a secret or a person."""
    return (hit for hit in hits if not hit.stands_in)


def moved(part: _Decoded, hits: Iterator[Hit]) -> Iterator[Hit]:
    """Yield the hits in a decoded part with their positions in the whole text."""
    for hit in hits:
        start, end = part.span(hit.start, hit.end)
        yield hit._replace(start=start, end=end)
