"""Amazon's event stream frames: taken apart, and built with checksums that fit any content."""

from __future__ import annotations

import struct
import zlib

from pytest_llmtrace.wire._frames import cut

__all__ = ["cut", "frame", "header", "is_framed", "relengthed", "unpacked"]

TEXT = 7
_PRELUDE = 12
_CHECKSUM = 4


def is_framed(body: bytes) -> bool:
    """Tell whether a body begins like a frame: with two lengths and their checksum."""
    return len(body) >= _PRELUDE and body[8:_PRELUDE] == _checksum(body[:8])


def frame(headers: bytes, payload: bytes) -> bytes:
    """Build a frame of headers and a payload."""
    length = _PRELUDE + len(headers) + len(payload) + _CHECKSUM
    return relengthed(b"\0" * _PRELUDE + headers + payload, length, len(headers))


def header(name: bytes, value: bytes, kind: int = TEXT) -> bytes:
    """Write a header whose type has values with a length before them."""
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", kind, len(value)) + value


def relengthed(unchecked: bytes, length: int, of_headers: int) -> bytes:
    """Return a frame that has no checksum at its end yet, with the given lengths and with checksums that fit."""
    lengths = struct.pack(">II", length, of_headers)
    head = lengths + _checksum(lengths) + unchecked[_PRELUDE:]
    return head + _checksum(head)


def unpacked(whole: bytes) -> tuple[bytes, bytes]:
    """Return the headers and the payload of a frame; both are empty if it is not a frame."""
    if not is_framed(whole):
        return b"", b""
    start = _PRELUDE + struct.unpack_from(">I", whole, 4)[0]
    return whole[_PRELUDE:start], whole[start:-_CHECKSUM]


def _checksum(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))
