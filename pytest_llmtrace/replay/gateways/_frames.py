"""Frames of Amazon's event streams, as its services write them (AWS, "Event stream encoding")."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

__all__ = ["CONTENT_TYPE", "framed"]

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_TEXT = 7
_AROUND = 16  # Bytes: two lengths and two checksums of four bytes each.


def framed(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return a frame: two lengths and their checksum, headers, payload, and a checksum of everything before."""
    lines = b"".join(_line(name.encode(), value.encode()) for name, value in headers.items())
    lengths = struct.pack(">II", _AROUND + len(lines) + len(payload), len(lines))
    head = lengths + struct.pack(">I", zlib.crc32(lengths)) + lines + payload
    return head + struct.pack(">I", zlib.crc32(head))


def _line(name: bytes, value: bytes) -> bytes:
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", _TEXT, len(value)) + value
