"""Amazon's frames, taken apart and put together again: with checksums that fit, whatever is in them."""

from __future__ import annotations

import struct
import zlib

from pytest_llmtrace.wire._frames import cut

__all__ = ["cut", "frame", "header", "is_framed", "relengthed", "unpacked"]

TEXT = 7
_PRELUDE = 12
_CHECKSUM = 4


def is_framed(body: bytes) -> bool:
    """Tell whether a body begins as a frame does: with two lengths and their checksum."""
    return len(body) >= _PRELUDE and body[8:_PRELUDE] == _checksum(body[:8])


def frame(headers: bytes, payload: bytes) -> bytes:
    """Put headers and a payload into a frame."""
    length = _PRELUDE + len(headers) + len(payload) + _CHECKSUM
    return relengthed(b"\0" * _PRELUDE + headers + payload, length, len(headers))


def header(name: bytes, value: bytes, kind: int = TEXT) -> bytes:
    """Write a header of a type whose values say their length."""
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", kind, len(value)) + value


def relengthed(unchecked: bytes, length: int, of_headers: int) -> bytes:
    """Return a frame, which has no checksum at its end, with these lengths and checksums that fit."""
    lengths = struct.pack(">II", length, of_headers)
    head = lengths + _checksum(lengths) + unchecked[_PRELUDE:]
    return head + _checksum(head)


def unpacked(whole: bytes) -> tuple[bytes, bytes]:
    """Return headers and payload of a frame; what is none has neither."""
    if not is_framed(whole):
        return b"", b""
    start = _PRELUDE + struct.unpack_from(">I", whole, 4)[0]
    return whole[_PRELUDE:start], whole[start:-_CHECKSUM]


def _checksum(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))
