"""The texts that the events of a stream add up to, and where in the body each character of them came from."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from pytest_llmtrace.secrets.json_text import JsonString, Unescaped

__all__ = ["Part", "Stream", "Streams"]

Key = tuple[Any, ...]

# Fields that bring text piece by piece, in the streams of all known APIs.
_NAMES = frozenset(
    {
        "arguments", "content", "data", "delta", "input", "output", "partial_json", "reasoning", "reasoning_content",
        "refusal", "response", "summary", "text", "thinking", "transcript",
    }
)  # fmt: skip
# Steps that differ between the first event of a block and the events that continue it.
_HOLDERS = frozenset({"content_block", "delta"})
_INDEXES = ("output_index", "content_index", "summary_index", "index")


class Part(NamedTuple):
    """A part of an assembled text where it stands in the body, and the number of the event that brought it."""

    start: int
    end: int
    event: int


class Stream:
    """The pieces of one text, such as the content of a choice or the arguments of a tool call.

    Args:
        body: The text that the pieces stand in.
        steps: The keys and positions that lead to the first piece, in its event.
    """

    def __init__(self, body: str, steps: tuple[str | int, ...]) -> None:
        self.steps = steps
        self._body = body
        self._values: list[str] = []
        # Arrays, since a long stream has a million pieces.
        self._starts, self._sizes, self._events = array("q"), array("q"), array("q")
        self._ends: Sequence[int] = ()

    def add(self, string: JsonString, at: int, event: int) -> None:
        """Add a piece.

        Args:
            string: The piece, as it stands in the JSON text of its event.
            at: Where that JSON text starts in the body.
            event: The number of the event.
        """
        self._values.append(string.value)
        self._starts.append(at + string.start)
        self._sizes.append(len(string.raw))
        self._events.append(event)

    @property
    def text(self) -> str:
        """The joined pieces, without escapes; empty if there is only one, which was searched with its event."""
        return "".join(self._values) if len(self._values) > 1 else ""

    def parts(self, start: int, end: int) -> Iterator[Part]:
        """Yield where a part of the text stands in the body, piece by piece."""
        self._ends = self._ends or array("q", accumulate(map(len, self._values)))
        index = bisect_right(self._ends, start)
        while index < len(self._ends) and start < end:
            stop = min(end, self._ends[index])
            if start < stop:
                first = self._ends[index] - len(self._values[index])
                at, size = self._starts[index], self._sizes[index]
                raw = Unescaped(self._body[at : at + size], at)
                yield Part(*raw.span(start - first, stop - first), self._events[index])
            start, index = stop, index + 1


class Streams:
    """All texts that a stream of events brings in pieces.

    Args:
        body: The text of the stream.
    """

    def __init__(self, body: str) -> None:
        self._body = body
        self._streams: dict[Key, Stream] = {}

    def add(self, value: Any, strings: Sequence[JsonString], at: int, event: int) -> None:
        """Add the pieces of an event.

        Args:
            value: The event.
            strings: The strings of the event.
            at: Where the JSON text of the event starts in the body.
            event: The number of the event.
        """
        for string in strings:
            if string.steps and string.steps[-1] in _NAMES and string.raw and not string.is_key:
                key = _key(value, string.steps)
                if key not in self._streams:
                    self._streams[key] = Stream(self._body, string.steps)
                self._streams[key].add(string, at, event)

    def __iter__(self) -> Iterator[Stream]:
        """Yield each text."""
        return iter(self._streams.values())


def _key(event: Any, steps: tuple[str | int, ...]) -> Key:
    """Return what the pieces of one text have in common: the numbers of choice, block and call, and the field names."""
    kind = event.get("type") if isinstance(event, dict) else None
    key: list[Any] = [kind if isinstance(kind, str) and kind.startswith("response.") else None]
    value = event
    for step in steps:
        if isinstance(value, dict):
            key += [f"{name} {value[name]}" for name in _INDEXES if isinstance(value.get(name), int)]
        value = value[step]
        if isinstance(step, int):
            key += [] if isinstance(value, dict) and isinstance(value.get("index"), int) else [step]
        elif step not in _HOLDERS or step == steps[-1]:
            key.append(step)
    return tuple(key)
