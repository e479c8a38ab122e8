"""Content codings (RFC 9110, 8.4): gzip and deflate; brotli and zstandard, if a library for them is installed.

A client that accepts brotli or zstandard has such a library, so where a body was readable for it, it is so here.

`decoded_chunks` returns what a client could have read of a response (of a body that was cut, the part that is there),
and raises where a client would. `decoded` is for requests, whose headers a recorder may have left when it decoded the
body. `unpacked` is for showing, comparing or searching a body: it decodes a body that is whole, and leaves any other as
it is.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["decoded", "decoded_chunks", "is_gzip", "listed", "unpacked"]

# wbits for zlib: 32 accepts zlib and gzip wrappings by their own header.
_AUTODETECT = zlib.MAX_WBITS | 32
_GZIP_ONLY = zlib.MAX_WBITS | 16
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_MAGIC = b"\x1f\x8b"
# The libraries by which httpx and httpx2 undo the other codings, in the order in which they look for them.
_LIBRARIES = {"br": ("brotli", "brotlicffi"), "zstd": ("compression.zstd", "backports.zstd", "zstandard")}
_CODINGS = _GZIP | {"deflate"} | _LIBRARIES.keys()
# A few bytes in these codings may stand for megabytes, and not every library can be told how much to return.
_BITE = 64
# How JSON objects and event streams begin: a body that begins so is not compressed, whatever a header says.
_PLAIN = (b"{", b"[", b"data:", b"event:", b"id:", b"retry:", b":")
_HEAD = 16
_LONGEST_CODING = 40
# No answer of a model comes near this size, but a few compressed kilobytes may inflate to fill the machine's memory.
_LARGEST = 256 * 1024 * 1024


def is_gzip(body: bytes) -> bool:
    """Tell whether a body is compressed with gzip, by its magic bytes."""
    return body.startswith(_GZIP_MAGIC)


def listed(coding: str) -> list[str]:
    """Return the content codings that a header names, in lower case and in the order in which they were applied."""
    said = (each.strip() for each in coding.lower().split(","))
    return [each for each in said if each not in {"", "identity"}]


def unpacked(body: bytes, coding: str = "") -> bytes:
    """Return a body without gzip, recognised by its bytes, or another coding, named by its header; never raise.

    The same object is returned if the body is in no such coding, or is not whole.
    """
    coding = "gzip" if body.startswith(_GZIP_MAGIC) else coding.strip().lower()
    if not body or coding not in _CODINGS:
        return body
    try:
        [plain], is_whole = _undone((body,), coding)
    except ValueError:
        return body
    return plain if is_whole else body


def decoded(body: bytes, coding: str) -> bytes:
    """Undo content codings, as far as the bytes go: a body that was cut gives what can be read of it.

    A body that plainly is not in the coding that its header names is returned as it is: recorders write bodies
    decoded and leave the header.

    Raises:
        ValueError: As for `decoded_chunks`.
    """
    if not coding or _is_plain(body.lstrip(), coding.rpartition(",")[2].strip().lower()):
        return body
    return b"".join(decoded_chunks((body,), coding))


def decoded_chunks(chunks: Sequence[bytes], coding: str, *, ended: bool = False) -> list[bytes]:
    """Undo content codings chunk by chunk: return what a client could have read of each chunk when it came.

    Args:
        chunks: A body.
        coding: The value of its `content-encoding`.
        ended: Whether the body is said to be complete, so that a client raises if its coding says that it is not.

    Raises:
        ValueError: If there is no such coding, if no library for it is installed (br, zstd), or if the bytes are not in
            it.
    """
    for each in reversed(listed(coding)):  # The coding that was applied last is undone first.
        chunks = _without(chunks, each, ended=ended)
    return list(chunks)


def _without(chunks: Sequence[bytes], coding: str, *, ended: bool) -> Sequence[bytes]:
    if coding in _CODINGS:
        return _undone(chunks, coding, ended=ended)[0]
    if b"".join(chunks).lstrip()[:_HEAD].startswith(_PLAIN):
        return chunks  # Clients pass over a coding that nobody knows, such as `utf-8`.
    raise ValueError(f"content-encoding {coding[:_LONGEST_CODING]} cannot be read")


def _is_plain(body: bytes, coding: str) -> bool:
    if coding in _GZIP:
        return not _GZIP_MAGIC.startswith(body[:2])
    return body.startswith(_PLAIN)


class _Stream(Protocol):
    """A body in one coding, in zlib's form: it gives at most so many bytes at once, and knows when it has ended."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, content: bytes, room: int, /) -> bytes: ...


def _undone(chunks: Sequence[bytes], coding: str, *, ended: bool = False) -> tuple[list[bytes], bool]:
    """Undo one coding chunk by chunk, and tell whether the body is whole.

    Raises:
        ValueError: As for `decoded_chunks`, and if the bytes stand for too many.
    """
    if coding in _LIBRARIES:
        stream = _OfLibrary(coding)
        plain, is_whole = _undone_by(stream, chunks)
        if ended and not is_whole and stream.has_end and any(chunks):
            raise ValueError(f"its {coding} ends too early")
        return plain, is_whole
    try:
        return _undone_by(zlib.decompressobj(_GZIP_ONLY if coding in _GZIP else _AUTODETECT), chunks)
    except zlib.error as error:
        if coding != "deflate":
            raise ValueError(f"its bytes are not valid {coding} ({error})") from error
    try:
        # RFC 9110, 8.4.1.2: some servers send deflate without the zlib wrapping.
        return _undone_by(zlib.decompressobj(-zlib.MAX_WBITS), chunks)
    except zlib.error as error:
        raise ValueError(f"its bytes are not valid {coding} ({error})") from error


def _undone_by(stream: _Stream, chunks: Sequence[bytes]) -> tuple[list[bytes], bool]:
    room, out = _LARGEST, []
    for chunk in chunks:
        out.append(stream.decompress(chunk, room))
        room -= len(out[-1])
        if room <= 0:
            raise ValueError(f"it inflates to more than {_LARGEST // 1024 // 1024} MiB")
    return out, stream.eof


class _OfLibrary:
    """A body in a coding that a library undoes; zstandard may put several frames one after the other (RFC 8878, 3)."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._library = _library(coding)
        self._frame = self._opened()

    @property
    def eof(self) -> bool:
        """Whether the body is whole."""
        return bool(self._frame.eof if self._coding == "zstd" else self._frame.is_finished())

    @property
    def has_end(self) -> bool:
        """Whether a client raises if the body is not whole. With `brotli`, unlike `brotlicffi`, it does not."""
        return self._coding == "zstd" or hasattr(self._frame, "finish")

    def decompress(self, content: bytes, room: int, /) -> bytes:
        """Return what can be read of some more bytes.

        Raises:
            ValueError: If they are not in that coding.
        """
        out = []
        for start in range(0, len(content), _BITE):
            out.append(self._taken(content[start : start + _BITE]))
            room -= len(out[-1])
            if room <= 0:
                break
        return b"".join(out)

    def _taken(self, content: bytes) -> bytes:
        plain = b""
        try:
            while content:
                if getattr(self._frame, "eof", False):
                    self._frame = self._opened()
                decode = getattr(self._frame, "process", None) or self._frame.decompress
                plain += decode(content)
                content = getattr(self._frame, "unused_data", b"")
        except Exception as error:  # Each library has errors of its own.
            raise ValueError(f"its bytes are not valid {self._coding} ({error})") from error
        return plain

    def _opened(self) -> Any:
        if self._coding == "br":
            return self._library.Decompressor()
        frame = self._library.ZstdDecompressor()
        return frame.decompressobj() if hasattr(frame, "decompressobj") else frame


def _library(coding: str) -> Any:
    """Import the library that undoes a coding.

    Raises:
        ValueError: If none is installed.
    """
    names = _LIBRARIES[coding]
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ValueError(f"content-encoding {coding} cannot be read: neither {' nor '.join(names[-2:])} is installed")
