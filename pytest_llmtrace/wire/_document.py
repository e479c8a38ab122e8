"""The body of a response: as received, or put together from a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pytest_llmtrace.wire._facts import MISSING, Spot, placed

__all__ = ["Document", "where_of"]


@dataclass(kw_only=True, slots=True)
class Document:
    """The body of a response, in the form of the API's JSON replies.

    Attributes:
        body: The fields of the body.
        where: The place that it was read from: `response body`, `events 0 to 12 of the response`.
        fields: Of a stream: field -> the prefix of its name on the wire, and the number of the event in which it stood.
            The key `usage.x` is for a field of the usage object, whose fields may stand in different events.
        truncated: Whether the body ended before it said that it was complete.
        broken: Why a part of the body could not be read; empty if all of it could.
        error: The object or text that states an error in mid-stream, and the number of the event in which it stood.
        plain: The body, if it is plain text for people instead of JSON.
        streamed: Whether the body was put together from events.
    """

    body: dict[str, Any]
    where: str
    fields: dict[str, tuple[str, int]] = field(default_factory=dict)
    truncated: bool = False
    broken: str = ""
    error: tuple[Any, int] | None = None
    plain: str = ""
    streamed: bool = False

    def spot(self, key: str) -> Spot:
        """Look up a field of the body."""
        value = self.body.get(key, MISSING)
        if key not in self.fields:
            return placed((value, key, self.where))
        prefix, number = self.fields[key]
        return Spot(value, prefix + key, where_of(number))


def where_of(*numbers: int) -> str:
    """Return the place of one or several events, in words."""
    first, *others = sorted(set(numbers))
    if not others:
        return f"event {first} of the response"
    return f"events {', '.join(map(str, [first, *others[:-1]]))} and {others[-1]} of the response"
