"""Make the body of a recorded response agree with its headers: encoding, length, chunks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.codings import is_gzip, unpacked
from pytest_llmtrace.headers import header, without
from pytest_llmtrace.model import Headers

__all__ = ["Shared", "belies_coding", "in_chunks", "pieces", "settled", "with_length"]

_AFTER_EVENT = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2,}")
_AFTER_PLAIN_EVENT = re.compile(rb"\n\n+")
"""The same pattern for a body without \\r; it is several times faster."""
_ZSTD = b"\x28\xb5\x2f\xfd"
_SYNC_FLUSH = b"\x00\x00\xff\xff"


class Shared:
    """A store that makes equal texts and headers of one cassette the same objects: most interactions repeat them."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def text(self, text: str) -> str:
        """Return the stored text that is equal to this one, which is stored if there is none."""
        known: str = self._known.setdefault(text, text)
        return known

    def headers(self, pairs: Iterable[Iterable[str]]) -> Headers:
        """Return the stored headers that are equal to these, which are stored if there are none."""
        share = self._known.setdefault
        lines = tuple([share(line, line) for name, value in pairs if (line := (self.text(name), value))])
        known: Headers = share(lines, lines)
        return known


def settled(headers: Headers, body: bytes, *, bodiless: bool = False, as_sent: bool = False) -> Headers:
    """Return the headers, corrected where the body contradicts them.

    Some recorders decode a body but leave `content-encoding`, or reformat it but leave `content-length`.

    Args:
        headers: The headers as recorded.
        body: The body as recorded.
        bodiless: Whether the reply has no body, whatever its headers say (HEAD, 204, 304).
        as_sent: Whether the server itself sent a body that is not in the encoding which its headers name.
    """
    if bodiless:
        return headers
    if not as_sent and belies_coding(headers, body):
        headers = without(headers, "content-encoding")
    if header(headers, "content-length") in {"", str(len(body))}:
        return headers
    return with_length(headers, len(body))


def belies_coding(headers: Headers, body: bytes) -> bool:
    """Tell whether a body is plainly not in the encoding that its headers name: a recorder may have decoded it."""
    return not _is_encoded(body, header(headers, "content-encoding").rpartition(",")[2].strip().lower())


def with_length(headers: Headers, length: int) -> Headers:
    """Return headers with this length as their `content-length`, if they have one."""
    return tuple((name, str(length) if name.lower() == "content-length" else value) for name, value in headers)


def _is_encoded(body: bytes, encoding: str) -> bool:
    """Tell whether a body has that encoding: by its magic bytes or, if the encoding has none, by not being text."""
    match encoding:
        case "gzip" | "x-gzip":
            return is_gzip(body)
        case "zstd":
            return body.startswith(_ZSTD)
        case "deflate":
            return unpacked(body, encoding) is not body
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


def in_chunks(body: bytes, headers: Headers) -> tuple[bytes, ...]:
    """Split a body whose chunks were not recorded: an event stream after each event, any other body not at all.

    An event stream in gzip is split where the server flushed it, which is after each event too. No byte is changed.
    """
    if not body:
        return ()
    if "text/event-stream" not in header(headers, "content-type").lower():
        return (body,)
    if is_gzip(body):
        ends = [found.end() for found in re.finditer(re.escape(_SYNC_FLUSH), body)]
    else:
        pattern = _AFTER_EVENT if b"\r" in body else _AFTER_PLAIN_EVENT
        ends = [found.end() for found in pattern.finditer(body)]
    return _cut(body, ends)


def _cut(body: bytes, ends: Sequence[int]) -> tuple[bytes, ...]:
    bounds = [0, *ends] if ends and ends[-1] == len(body) else [0, *ends, len(body)]
    return tuple(body[start:end] for start, end in itertools.pairwise(bounds))


def pieces(body: bytes, lengths: Sequence[int]) -> tuple[bytes, ...] | None:
    """Split a body by recorded lengths; None if they do not add up to it, since then somebody edited the body."""
    ends = list(itertools.accumulate(lengths))
    if (ends[-1] if ends else 0) != len(body):
        return None
    return _cut(body, ends) if ends else ()
