"""Server-sent events, by the WHATWG's rules ("Server-sent events", section "Interpreting an event stream")."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Event", "events", "says_its_end", "split"]

_LINE_END = re.compile(rb"\r\n|\r|\n")
# Events that close or keep alive a stream and say nothing about the call.
_SILENT_NAMES = frozenset({b"ping", b"message_stop", b"done"})
_SILENT_DATA = frozenset({b"", b"[DONE]"})
_LAST_NAMES = frozenset(
    {b"done", b"error", b"message_stop", b"response.completed", b"response.failed", b"response.incomplete"}
)


class Event(NamedTuple):
    """One event: its name, its data, and the offset just behind its last data line in the body."""

    name: bytes
    data: bytes
    end: int

    @property
    def has_content(self) -> bool:
        """Whether the event can say anything about the call."""
        return self.name not in _SILENT_NAMES and self.data not in _SILENT_DATA


def events(body: bytes) -> Iterator[Event]:
    """Yield the events of a stream in order, the last one also where its closing blank line is missing."""
    data: list[bytes] = []
    name, end, start = b"", 0, 0
    for line, stop in _lines(body):
        if not line:
            if data:
                yield Event(name, b"\n".join(data), end)
            name, data = b"", []
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
            end = start + len(line)
        elif field == b"event":
            name = value
        start = stop
    if data:
        yield Event(name, b"\n".join(data), end)


def split(body: str) -> Iterator[tuple[str, str]]:
    """Yield name and data of each event of a stream, as `events` does, in a fraction of its time."""
    if "\r" in body:
        body = body.replace("\r\n", "\n").replace("\r", "\n")
    datas = body.split("\n\ndata: ")
    if datas[0].startswith("data: ") and body.count("\n") == 2 * len(datas) and datas[-1].endswith("\n\n"):
        # The usual form: one line of data in each event, and nothing else.
        datas[0] = datas[0][6:]
        datas[-1] = datas[-1][:-2]
        yield from (("", data) for data in datas)
        return
    for block in body.removeprefix("\ufeff").split("\n\n"):
        if block.startswith("data: ") and "\n" not in block:
            yield "", block[6:]
            continue
        name, data = "", []
        for line in block.split("\n"):
            field, _, value = line.partition(":")
            if field == "data":
                data.append(value.removeprefix(" "))
            elif field == "event":
                name = value.removeprefix(" ")
        if data:
            yield name, "\n".join(data)


def says_its_end(body: bytes) -> bool:
    """Tell whether the last event of a stream is one after which SDKs read no further: its end, or an error."""
    found = deque(events(body), maxlen=1)
    if not found:
        return False
    [last] = found
    return last.name in _LAST_NAMES or last.data == b"[DONE]" or last.data.lstrip().startswith(b'{"error"')


def _lines(body: bytes) -> Iterator[tuple[bytes, int]]:
    start = 0
    for mark in _LINE_END.finditer(body):
        yield body[start : mark.start()], mark.end()
        start = mark.end()
    if start < len(body):
        yield body[start:], len(body)
