"""Server-sent events, by the WHATWG's rules ("Server-sent events", section "Interpreting an event stream")."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_llmtrace._stdlib import re

__all__ = ["Event", "events", "is_closed", "says_its_end", "split"]

_LINE_END = re.compile(rb"\r\n|\r|\n")
_ID = re.compile(r"^id(:|$)", re.MULTILINE)
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
    """Yield the events of a stream in order, including a last one whose closing blank line is missing."""
    data: list[bytes] = []
    name, end, start = b"", 0, len(BOM_UTF8) if body.startswith(BOM_UTF8) else 0
    for line, stop in _lines(body, start):
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


def split(body: str, *, raises_without_data: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the name and the data of each event of a stream, as `events` does, but in a fraction of its time.

    Args:
        body: The stream.
        raises_without_data: Whether the client also dispatches a block without a `data` line, as an event with empty
            data, and raises there. OpenAI's SDK does so if the block has a name or a time to retry, or if an id came
            before it; by the WHATWG's rules such a block is not an event.
    """
    if "\r" in body:
        body = body.replace("\r\n", "\n").replace("\r", "\n")
    datas = body.split("\n\ndata: ")
    if datas[0].startswith("data: ") and body.count("\n") == 2 * len(datas) and datas[-1].endswith("\n\n"):
        # The usual form: one line of data in each event, and nothing else.
        datas[0] = datas[0][6:]
        datas[-1] = datas[-1][:-2]
        yield from (("", data) for data in datas)
        return
    body = body.removeprefix("\ufeff")
    if raises_without_data and _ID.search(body):
        yield from _dispatched(body)
        return
    *closed, rest = body.split("\n\n")
    for block in closed:
        if block.startswith("data: ") and "\n" not in block:
            yield "", block[6:]
            continue
        name, data, is_timed = _fields(block.split("\n"))
        if data is not None or (raises_without_data and (name or is_timed)):
            yield name, data or ""
    name, data, _ = _fields(rest.split("\n"))
    if data is not None:
        yield name, data


def is_closed(body: str) -> bool:
    """Tell whether a blank line closes the last event of a stream; lines after it that form no event do not matter."""
    if body.endswith(("\n\n", "\r\n\r\n")):
        return True
    lines = body.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").rpartition("\n\n")[2].split("\n")
    return all(line.partition(":")[0] != "data" for line in lines)


def _fields(lines: Iterable[str]) -> tuple[str, str | None, bool]:
    """Return the name and the data in the lines of one block, and whether the block has a time to retry."""
    name, datas, is_timed = "", [], False
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            datas.append(value)
        elif field == "event":
            name = value
        elif field == "retry":
            is_timed = is_timed or value.isdecimal()
    return name, "\n".join(datas) if datas else None, is_timed


def _dispatched(body: str) -> Iterator[tuple[str, str]]:
    """Yield the events of a stream with ids, if clients need no data: after an id, each blank line ends an event."""
    *closed, rest = body.split("\n")
    lines: list[str] = []
    has_id = False
    for line in closed:
        if line:
            lines.append(line)
            if _ID.match(line) and "\0" not in line:
                has_id = bool(line[3:].removeprefix(" "))
            continue
        name, data, is_timed = _fields(lines)
        if data is not None or name or is_timed or has_id:
            yield name, data or ""
        lines = []
    name, data, _ = _fields([*lines, rest])
    if data is not None:
        yield name, data


def says_its_end(body: bytes) -> bool:
    """Tell whether the last event of a stream is the end or an error, after which SDKs read no further."""
    found = deque(events(body), maxlen=1)
    if not found:
        return False
    [last] = found
    return last.name in _LAST_NAMES or last.data == b"[DONE]" or last.data.lstrip().startswith(b'{"error"')


def _lines(body: bytes, start: int) -> Iterator[tuple[bytes, int]]:
    for mark in _LINE_END.finditer(body, start):
        yield body[start : mark.start()], mark.end()
        start = mark.end()
    if start < len(body):
        yield body[start:], len(body)
