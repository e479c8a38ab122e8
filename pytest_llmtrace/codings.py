"""Content codings (RFC 9110, 8.4) that the standard library can undo: gzip and deflate.

`decoded_chunks` returns what a client could have read of a response (of a body that was cut, the part that is there),
and raises where a client would. `decoded` is for requests, whose headers a recorder may have left when it decoded the
body. `unpacked` is for showing, comparing or searching a body: it decodes a body that is whole, and leaves any other as
it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

__all__ = ["decoded", "decoded_chunks", "is_gzip", "unpacked"]

# wbits for zlib: 32 accepts zlib and gzip wrappings by their own header.
_AUTODETECT = zlib.MAX_WBITS | 32
_GZIP_ONLY = zlib.MAX_WBITS | 16
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_MAGIC = b"\x1f\x8b"
_OF_OTHERS = frozenset({"br", "zstd"})  # codings that a client may undo, by a library of its own
# How JSON objects and event streams begin: a body that begins so is not compressed, whatever a header says.
_PLAIN = (b"{", b"[", b"data:", b"event:", b"id:", b"retry:", b":")
_HEAD = 16
_LONGEST_CODING = 40
# No answer of a model comes near this size, but a few compressed kilobytes may inflate to fill the machine's memory.
_LARGEST = 256 * 1024 * 1024


def is_gzip(body: bytes) -> bool:
    """Tell whether a body is compressed with gzip, by its magic bytes."""
    return body.startswith(_GZIP_MAGIC)


def unpacked(body: bytes, coding: str = "") -> bytes:
    """Return a body without gzip, recognised by its bytes, or deflate, recognised by its header; never raise.

    The same object is returned if the body is in neither coding, or is not whole.
    """
    if body.startswith(_GZIP_MAGIC):
        coding = "gzip"
    elif not coding or coding.strip().lower() != "deflate":
        return body
    try:
        [plain], is_whole = _inflated((body,), coding)
    except ValueError:
        return body
    return plain if is_whole else body


def decoded(body: bytes, coding: str) -> bytes:
    """Undo a content coding, as far as the bytes go: a body that was cut gives what can be read of it.

    A body that plainly is not in the coding that its header names is returned as it is: recorders write bodies
    decoded and leave the header.

    Raises:
        ValueError: If the standard library cannot undo the coding (br, zstd), or the bytes are not in it.
    """
    if not coding or _is_plain(body.lstrip(), coding.strip().lower()):
        return body
    return b"".join(decoded_chunks((body,), coding))


def decoded_chunks(chunks: Sequence[bytes], coding: str) -> list[bytes]:
    """Undo a content coding chunk by chunk: return what a client could have read of each chunk when it came.

    Raises:
        ValueError: If the standard library cannot undo the coding (br, zstd), or the bytes are not in it.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return list(chunks)
    if coding not in _GZIP and coding != "deflate":
        if coding not in _OF_OTHERS and b"".join(chunks).lstrip()[:_HEAD].startswith(_PLAIN):
            return list(chunks)  # Clients pass over a coding that nobody knows, such as `utf-8`.
        raise ValueError(f"content-encoding {coding[:_LONGEST_CODING]} cannot be read")
    return _inflated(chunks, coding)[0]


def _is_plain(body: bytes, coding: str) -> bool:
    if coding in _GZIP:
        return not _GZIP_MAGIC.startswith(body[:2])
    return body.startswith(_PLAIN)


def _inflated(chunks: Sequence[bytes], coding: str) -> tuple[list[bytes], bool]:
    """Inflate chunk by chunk, and tell whether the body is whole.

    Raises:
        ValueError: If the bytes are not in that coding, or inflate to too many.
    """
    try:
        return _inflated_by(zlib.decompressobj(_GZIP_ONLY if coding in _GZIP else _AUTODETECT), chunks)
    except zlib.error as error:
        if coding in _GZIP:
            raise ValueError(f"its bytes are not valid {coding} ({error})") from error
    try:
        # RFC 9110, 8.4.1.2: some servers send deflate without the zlib wrapping.
        return _inflated_by(zlib.decompressobj(-zlib.MAX_WBITS), chunks)
    except zlib.error as error:
        raise ValueError(f"its bytes are not valid {coding} ({error})") from error


def _inflated_by(inflater: zlib._Decompress, chunks: Sequence[bytes]) -> tuple[list[bytes], bool]:
    room, out = _LARGEST, []
    for chunk in chunks:
        out.append(inflater.decompress(chunk, room))
        room -= len(out[-1])
        if room <= 0:
            raise ValueError(f"it inflates to more than {_LARGEST // 1024 // 1024} MiB")
    return out, inflater.eof
