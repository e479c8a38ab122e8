"""Amazon's event streams (`application/vnd.amazon.eventstream`), read as the server-sent events that they stand for.

The framing is that of AWS's "Event stream encoding": a prelude of two lengths and a checksum, headers, a payload, a
checksum. On Bedrock the payload of a `chunk` is JSON whose `bytes` hold an event of the model's own API in base64.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_llmtrace._stdlib import base64, json

__all__ = ["CONTENT_TYPE", "as_events", "cut"]

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = struct.Struct(">III")  # Length, length of the headers, checksum of both.
_LENGTHS = 8
_CHECKSUM = struct.Struct(">I")
_SHORT = struct.Struct(">H")
# Type of a header's value -> its length in bytes. Byte arrays and texts are missing here: each begins with its length.
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_TEXT = 7
_UNTYPED = "completion"


def as_events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield, for each chunk, the server-sent events of the frames that it completes; an incomplete frame gives none.

    Raises:
        ValueError: If the bytes are not frames of an Amazon event stream, or a frame cannot be read.
    """
    data = bytearray()  # So that the rest of a frame is not copied for each of many small chunks.
    for chunk in chunks:
        data += chunk
        at, events = 0, []
        while (end := _end_of(data, at)) is not None:
            events.append(_event_of(bytes(data[at:end])))
            at = end
        del data[:at]
        yield b"".join(events)


def cut(body: bytes) -> list[bytes]:
    """Return the frames of a body; bytes at the end that form no complete frame are one last item."""
    found, at = [], 0
    try:
        while (end := _end_of(body, at)) is not None:
            found.append(body[at:end])
            at = end
    except ValueError:  # What is wrong with the bytes is reported where the body is read, by `as_events`.
        pass
    return [*found, body[at:]] if at < len(body) else found


def _end_of(data: bytes | bytearray, start: int) -> int | None:
    """Return where the frame that begins at `start` ends, or `None` if it is incomplete."""
    if len(data) - start < _PRELUDE.size:
        return None
    length, _, checksum = _PRELUDE.unpack_from(data, start)
    if checksum != zlib.crc32(data[start : start + _LENGTHS]) or length < _PRELUDE.size + _CHECKSUM.size:
        raise ValueError("its bytes are not frames of an Amazon event stream")
    return start + length if length <= len(data) - start else None


def _event_of(frame: bytes) -> bytes:
    length, header_length, _ = _PRELUDE.unpack_from(frame)
    end, payload = length - _CHECKSUM.size, _PRELUDE.size + header_length
    if end < payload or _CHECKSUM.unpack_from(frame, end)[0] != zlib.crc32(frame[:end]):
        raise ValueError("a frame of its event stream is damaged: its checksum does not match")
    try:
        return _said(dict(_texts(frame[_PRELUDE.size : payload])), frame[payload:end])
    except (IndexError, struct.error, ValueError, RecursionError) as error:
        raise ValueError("a frame of its event stream does not have the form that Bedrock gives it") from error


def _texts(headers: bytes) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each header whose value is a text."""
    at = 0
    while at < len(headers):
        kind_at = at + 1 + headers[at]
        name, kind, at = headers[at + 1 : kind_at], headers[kind_at], kind_at + 1
        if kind in _FIXED:
            at += _FIXED[kind]
            continue
        start = at + _SHORT.size
        at = start + _SHORT.unpack_from(headers, at)[0]
        if kind == _TEXT:
            yield name.decode(), headers[start:at].decode()


def _said(headers: dict[str, str], payload: bytes) -> bytes:
    """Return a frame as a server-sent event, an exception as an `error`; empty if it holds no event of the model."""
    said = _object(payload)
    if headers.get(":message-type") != "event":
        kind = headers.get(":exception-type") or headers.get(":error-code") or "error"
        message = said.get("message") or headers.get(":error-message") or ""
        error = {"type": "error", "error": {"type": kind, "message": message}}
        return _event("error", json.dumps(error).encode())
    event = base64.b64decode(str(said.get("bytes", "")))
    name = _type_of(event) if event else None
    return b"" if name is None else _event(name, event)


def _type_of(event: bytes) -> str | None:
    """Return the name that Anthropic's SDK gives an event; None for an object to which it gives none, and skips it."""
    try:
        said = json.loads(event)
    except (ValueError, RecursionError):  # `Events` reports which events cannot be read.
        return _UNTYPED
    if not isinstance(said, dict):
        return _UNTYPED
    name = said.get("type")
    return name if isinstance(name, str) else _UNTYPED if _UNTYPED in said else None


def _event(name: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (b" ".join(name.encode().split()), b" ".join(data.splitlines()))


def _object(payload: bytes) -> dict[str, Any]:
    said = json.loads(payload or b"{}")
    return said if isinstance(said, dict) else {}
