"""Bodies as they travel -> bytes that can be read."""

from __future__ import annotations

import zlib
from dataclasses import replace

from pytest_llmtrace.model import Headers, Response
from pytest_llmtrace.wire import _frames

__all__ = [
    "by_name",
    "decoded",
    "header",
    "is_event_stream",
    "is_framed",
    "is_stream",
    "plain",
    "readable",
    "readable_chunks",
]

# wbits for zlib: 32 accepts zlib and gzip wrappings by their own header.
_AUTODETECT = zlib.MAX_WBITS | 32
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_MAGIC = b"\x1f\x8b"
# How JSON objects and event streams begin: what begins so is not compressed, whatever a header says.
_PLAIN = (b"{", b"[", b"data:", b"event:", b"id:", b"retry:", b":")
_HEAD = 512
_LONGEST_CODING = 40
# No answer of a model comes near; a few kilobytes that would fill the memory of the machine do.
_LARGEST = 256 * 1024 * 1024


def header(headers: Headers, name: str) -> str:
    """Return the first value of a header, compared case-insensitively; empty if it is not there."""
    for key, value in headers:
        if len(key) == len(name) and key.lower() == name:
            return value
    return ""


def by_name(headers: Headers) -> dict[str, str]:
    """Return the first value of each header, by its name in lower case."""
    found: dict[str, str] = {}
    for key, value in headers:
        found.setdefault(key.lower(), value)
    return found


def decoded(body: bytes, coding: str) -> bytes:
    """Undo a content encoding, as far as the bytes go: a body that was cut gives what can be read of it.

    A body that plainly is not in the coding that its header names is returned as it is: recorders write bodies
    decoded and leave the header.

    Raises:
        ValueError: The coding is none that the standard library can undo (br, zstd), or the bytes are not in it.
    """
    return b"".join(decoded_chunks((body,), coding)) if coding else body


def decoded_chunks(chunks: tuple[bytes, ...], coding: str) -> list[bytes]:
    """Undo a content encoding chunk by chunk: what a client could have read after each of them.

    Raises:
        ValueError: As for `decoded`.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"} or _is_plain(chunks, coding):
        return list(chunks)
    if coding not in _GZIP and coding != "deflate":
        raise ValueError(f"content-encoding {coding[:_LONGEST_CODING]} cannot be read")
    try:
        return _inflated(chunks, _AUTODETECT)
    except zlib.error as error:
        if coding in _GZIP:
            raise ValueError(f"its bytes are no {coding} ({error})") from error
    try:
        # RFC 9110, 8.4.1.2: some servers send deflate without the zlib wrapping.
        return _inflated(chunks, -zlib.MAX_WBITS)
    except zlib.error as error:
        raise ValueError(f"its bytes are no {coding} ({error})") from error


def is_event_stream(response: Response) -> bool:
    """Tell whether a response is a stream of server-sent events."""
    return header(response.headers, "content-type").lower().startswith("text/event-stream")


def is_stream(response: Response) -> bool:
    """Tell whether a response is a stream of events, server-sent ones or Amazon's."""
    return header(response.headers, "content-type").lower().startswith(("text/event-stream", _frames.CONTENT_TYPE))


def readable(response: Response) -> bytes:
    """Return a body as it can be read: without content encoding, Amazon's frames as server-sent events.

    Raises:
        ValueError: As for `decoded`, or a frame cannot be read.
    """
    body = decoded(response.body, header(response.headers, "content-encoding"))
    return b"".join(_frames.as_events((body,))) if is_framed(response) else body


def readable_chunks(response: Response) -> list[bytes]:
    """Return what a client could have read after each chunk, as `readable` does.

    Raises:
        ValueError: As for `readable`.
    """
    chunks = decoded_chunks(response.chunks, header(response.headers, "content-encoding"))
    return list(_frames.as_events(chunks)) if is_framed(response) else chunks


def is_framed(response: Response) -> bool:
    """Tell whether a response is a stream of Amazon's frames."""
    return header(response.headers, "content-type").lower().startswith(_frames.CONTENT_TYPE)


def plain(response: Response) -> Response:
    """Return a response without content encoding and declared length, chunk by chunk the same.

    Raises:
        ValueError: As for `decoded`.
    """
    chunks = decoded_chunks(response.chunks, header(response.headers, "content-encoding"))
    dropped = {"content-encoding", "content-length"}
    headers = tuple(line for line in response.headers if line[0].lower() not in dropped)
    return replace(response, headers=headers, chunks=tuple(chunks))


def _is_plain(chunks: tuple[bytes, ...], coding: str) -> bool:
    head = b""
    for chunk in chunks:
        head = (head + chunk).lstrip()[:_HEAD]  # OpenRouter keeps a connection alive by white space.
        if len(head) >= _HEAD:
            break
    if coding in _GZIP:
        return not _GZIP_MAGIC.startswith(head[:2])
    return head.startswith(_PLAIN)


def _inflated(chunks: tuple[bytes, ...], wbits: int) -> list[bytes]:
    inflater = zlib.decompressobj(wbits)
    room, out = _LARGEST, []
    for chunk in chunks:
        out.append(inflater.decompress(chunk, room))
        room -= len(out[-1])
        if room <= 0:
            raise ValueError(f"it inflates to more than {_LARGEST // 1024 // 1024} MiB")
    return out
