"""The parsed events of a stream, which are then folded into the body that the stream stands for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.wire._document import Document, where_of
from pytest_llmtrace.wire._json import Broken, parse_all
from pytest_llmtrace.wire._sse import is_closed, split

__all__ = ["Batch", "Events", "kind_of"]

Batch = list[tuple[int, str, dict[str, Any]]]
"""Events in order, each with its number, name and JSON object; numbers count all events of the stream from 0."""

_DONE = "[DONE]"
# Types of events that only say that a stream is over.
_LAST_WORDS = frozenset({"error", "message_stop"})
# Names of events that Anthropic's SDK does not parse.
_UNPARSED = frozenset({"", "ping"})
_NAMED = 5
_NO_TEXT = re.compile("[\udc80-\udcff]")
# Parsing many events at once saves calls; dropping them before the next batch saves the garbage collector from
# looking at all of them.
_BATCH = 64


class Events:
    """The events of a stream.

    Args:
        body: The stream.
        skips_some: Whether its clients skip events without a name, pings, and events whose data is empty. Anthropic's
            SDK does; OpenAI's parses the data of every event, even of one without a `data` line, and raises at data
            that it cannot parse.

    Attributes:
        total: The number of events before `[DONE]`; SDKs read nothing after it.
        done: Whether `[DONE]` came.
        cut: Whether the last event is incomplete or not closed; known when the batches have been read.
    """

    def __init__(self, body: bytes, *, skips_some: bool = False) -> None:
        self._skips_some = skips_some
        try:
            said, self._is_text = body.decode(), True
        except UnicodeDecodeError:
            said, self._is_text = body.decode(errors="surrogateescape"), False
        pairs = list(split(said, raises_without_data=not skips_some))
        self._pairs = list(takewhile(_is_not_done, pairs))
        self._broken: dict[int, str] = {}
        self._error: tuple[str, int] | None = None
        self.total = len(self._pairs)
        self.done = len(pairs) > self.total
        self._is_closed = is_closed(said)
        self.cut = False

    def batches(self) -> Iterator[Batch]:
        """Yield the events that are JSON objects, in batches, and note which other events cannot be read.

        Stop after an `error` event that is not a JSON object, since SDKs raise there.
        """
        for start in range(0, self.total, _BATCH):
            pairs = self._pairs[start : start + _BATCH]
            values = parse_all([data for _, data in pairs])
            batch = []
            for number, ((name, data), value) in enumerate(zip(pairs, values, strict=True), start):
                if type(value) is dict and (self._is_text or not _NO_TEXT.search(data)):
                    if self._is_heard(number, name, value):
                        batch.append((number, name, value))
                elif name == "error" and not (self._is_open(number) and isinstance(value, Broken) and value.cut):
                    self._error = (data, number)
                    yield batch
                    return
                else:
                    self._note(number, data, value)
            yield batch

    def _is_heard(self, number: int, name: str, value: dict[str, Any]) -> bool:
        """Tell whether clients receive an event: they do not if no blank line closes it, and then the stream is cut.

        An unclosed error still counts, and so does the unclosed end of a stream, since nothing is lost with it.
        """
        if not self._is_open(number):
            return True
        heard = kind_of(value, name) in _LAST_WORDS or bool(value.get("error"))
        self.cut = self.cut or not heard
        return heard

    def _is_open(self, number: int) -> bool:
        """Tell whether an event is the last one, and no blank line closes it."""
        return number == self.total - 1 and not self._is_closed and not self.done

    def _note(self, number: int, data: str, value: Any) -> None:
        if self._is_open(number):
            self.cut = not data.startswith(_DONE[0])  # After a cut `[DONE]` nothing more was to come.
        elif not self._is_text and _NO_TEXT.search(data):
            self._broken[number] = "it is not text"
        elif not self._is_skipped(number):
            self._broken[number] = value.note if isinstance(value, Broken) else "it is not a JSON object"

    def _is_skipped(self, number: int) -> bool:
        name, data = self._pairs[number]
        return self._skips_some and (not data or name in _UNPARSED)

    def last_with(self, data: str) -> int | None:
        """Return the number of the last event with exactly this data that clients do not skip, or `None`."""
        found = (number for number in reversed(range(self.total)) if self._pairs[number][1] == data)
        return next((number for number in found if not self._is_skipped(number)), None)

    def refuse(self, number: int, note: str) -> None:
        """Note that an event cannot be read although it is JSON; `note` says why, as a clause."""
        self._broken[number] = note

    def document(self) -> Document:
        """Return the empty document of the stream, to be filled."""
        where = f"events 0 to {self.total - 1} of the response" if self.total > 1 else where_of(0)
        return Document(body={}, where=where, streamed=True)

    def settle(self, document: Document, *, ended: bool) -> Document:
        """Add to a filled document how the stream ended and what could not be read of it, and return the document.

        Args:
            document: The document, filled from all batches.
            ended: Whether the stream has said that it is complete, other than by an error.
        """
        document.error = document.error or self._error
        document.broken = _said_broken(self._broken)
        document.truncated = document.error is None and not ended
        return document


def _is_not_done(pair: tuple[str, str]) -> bool:
    """Tell whether an event is not `[DONE]`, after which the SDKs read no further."""
    return not pair[1].startswith(_DONE)


def kind_of(event: dict[str, Any], name: str) -> str:
    """Return the `type` that an event states, else its name: OpenRouter's events have no name."""
    kind = event.get("type")
    return kind if isinstance(kind, str) else name


def _said_broken(broken: dict[int, str]) -> str:
    """Return a clause that says which events could not be read, and why the first of them could not."""
    if not broken:
        return ""
    first = min(broken)
    numbers = list(map(str, sorted(broken)))
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    noun = "event" if len(numbers) == 1 else "events"
    return f"{noun} {', '.join(numbers[:_NAMED])}{more} cannot be read: {broken[first]}"
