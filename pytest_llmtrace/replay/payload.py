"""The body of a recorded response, made to travel as its headers say: encoding, length, chunks."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from pytest_llmtrace.model import Headers

__all__ = ["Shared", "decoded", "header", "in_chunks", "pieces", "settled", "with_length"]

_AFTER_EVENT = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2,}")
_AFTER_PLAIN_EVENT = re.compile(rb"\n\n+")
"""The same for a body without \\r, several times faster."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SYNC_FLUSH = b"\x00\x00\xff\xff"
LARGEST_DECODED = 256 * 1024 * 1024


class Shared:
    """Makes equal texts and headers of one cassette the same objects: most interactions have the same ones."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def text(self, text: str) -> str:
        """Return the text that is equal to this one."""
        known: str = self._known.setdefault(text, text)
        return known

    def headers(self, pairs: Iterable[Iterable[str]]) -> Headers:
        """Return the headers that are equal to these."""
        share = self._known.setdefault
        lines = tuple([share(line, line) for name, value in pairs if (line := (self.text(name), value))])
        known: Headers = share(lines, lines)
        return known


def header(headers: Headers, name: str) -> str | None:
    """Return the first value of a header, its name in lower case."""
    return next((value for key, value in headers if key.lower() == name), None)


def settled(headers: Headers, body: bytes, *, bodiless: bool = False) -> Headers:
    """Return the headers without those that the body belies.

    Recorders decode a body and leave `content-encoding`, or print it prettily and leave `content-length`.

    Args:
        headers: As recorded.
        body: As recorded.
        bodiless: The reply has no body whatever its headers say (HEAD, 204, 304).
    """
    if bodiless:
        return headers
    encoding = header(headers, "content-encoding")
    if encoding is not None and not _is_encoded(body, encoding.rpartition(",")[2].strip().lower()):
        headers = tuple(pair for pair in headers if pair[0].lower() != "content-encoding")
    length = header(headers, "content-length")
    if length is None or length == str(len(body)):
        return headers
    return with_length(headers, len(body))


def with_length(headers: Headers, length: int) -> Headers:
    """Return headers that tell the length of a body as it is now, if they tell one."""
    return tuple((name, str(length) if name.lower() == "content-length" else value) for name, value in headers)


def _is_encoded(body: bytes, encoding: str) -> bool:
    """Judge whether a body is in that encoding, by its magic bytes, or where it has none, by not being text."""
    match encoding:
        case "gzip" | "x-gzip":
            return body.startswith(_GZIP)
        case "zstd":
            return body.startswith(_ZSTD)
        case "deflate":
            return _inflated(body) is not None
        case "identity" | "":
            return True
        case _:
            return not _is_text(body)


def _is_text(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def decoded(body: bytes, encoding: str) -> bytes:
    """Return a body without its gzip or deflate encoding; as it is where that is not possible."""
    if encoding.strip().lower() == "deflate":
        return _inflated(body) or body
    return _inflated(body, zlib.MAX_WBITS | 16) or body if body.startswith(_GZIP) else body


def _inflated(body: bytes, *window: int) -> bytes | None:
    """Decompress, None if it cannot be done; `deflate` travels with and without zlib's header."""
    for bits in window or (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        stream = zlib.decompressobj(bits)
        try:
            plain = stream.decompress(body, LARGEST_DECODED)
        except zlib.error:
            continue
        if stream.eof:
            return plain
    return None


def in_chunks(body: bytes, headers: Headers) -> tuple[bytes, ...]:
    """Split a body whose chunks nobody recorded: an event stream after each event, any other not at all.

    A gzip stream is split where the server flushed it, which is after each event too. The bytes stay as they are.
    """
    if not body:
        return ()
    if "text/event-stream" not in (header(headers, "content-type") or "").lower():
        return (body,)
    if body.startswith(_GZIP):
        ends = [found.end() for found in re.finditer(re.escape(_SYNC_FLUSH), body)]
    else:
        pattern = _AFTER_EVENT if b"\r" in body else _AFTER_PLAIN_EVENT
        ends = [found.end() for found in pattern.finditer(body)]
    return _cut(body, ends)


def _cut(body: bytes, ends: Sequence[int]) -> tuple[bytes, ...]:
    bounds = [0, *ends] if ends and ends[-1] == len(body) else [0, *ends, len(body)]
    return tuple(body[start:end] for start, end in itertools.pairwise(bounds))


def pieces(body: bytes, lengths: Sequence[int]) -> tuple[bytes, ...] | None:
    """Split a body by recorded lengths; None if they do not add up, since then somebody edited the body."""
    ends = list(itertools.accumulate(lengths))
    if (ends[-1] if ends else 0) != len(body):
        return None
    return _cut(body, ends) if ends else ()
