"""The body that a response is, or that its stream stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pytest_llmtrace.wire._facts import MISSING, Spot, placed

__all__ = ["Document", "where_of"]


@dataclass(kw_only=True, slots=True)
class Document:
    """The body of a response, in the form of the API's JSON replies.

    Attributes:
        body: Its fields.
        where: What it is: `response body`, `events 0 to 12 of the response`.
        fields: Of a stream: field -> the prefix of its name on the wire, and the number of the event in which it stood.
            `usage.x` for a field of the usage object that stood in another event than the object's others.
        truncated: Whether it ended before it said that it was complete.
        broken: Why some of it could not be read, empty if all of it could.
        error: What states an error in mid-stream (an object or a text), and the number of the event in which it stood.
        plain: The body, where it is no JSON but a text for people.
        streamed: Whether it was put together from events.
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
    """Name one or several events."""
    first, *others = sorted(set(numbers))
    if not others:
        return f"event {first} of the response"
    return f"events {', '.join(map(str, [first, *others[:-1]]))} and {others[-1]} of the response"
