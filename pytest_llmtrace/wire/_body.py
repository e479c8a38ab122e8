"""Bodies as they travel -> bytes that can be read."""

from __future__ import annotations

import zlib

from pytest_llmtrace.model import Headers

__all__ = ["decoded", "decoded_chunks", "header"]

# wbits for zlib: 32 accepts zlib and gzip wrappings by their own header.
_AUTODETECT = zlib.MAX_WBITS | 32
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})


def header(headers: Headers, name: str) -> str:
    """Return the first value of a header, compared case-insensitively; empty if it is not there."""
    return next((value for key, value in headers if key.lower() == name), "")


def decoded(body: bytes, coding: str) -> bytes:
    """Undo a content encoding, as far as the bytes go: a body that was cut gives what can be read of it.

    Raises:
        ValueError: The coding is none that the standard library can undo (br, zstd), or the bytes are not in it.
    """
    return b"".join(decoded_chunks((body,), coding))


def decoded_chunks(chunks: tuple[bytes, ...], coding: str) -> list[bytes]:
    """Undo a content encoding chunk by chunk: what a client could have read after each of them.

    Raises:
        ValueError: As for `decoded`.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return list(chunks)
    if coding not in _CODINGS:
        raise ValueError(f"content-encoding {coding} cannot be read")
    try:
        return _inflated(chunks, _AUTODETECT)
    except ValueError:
        # RFC 9110, 8.4.1.2: some servers send deflate without the zlib wrapping.
        return _inflated(chunks, -zlib.MAX_WBITS)


def _inflated(chunks: tuple[bytes, ...], wbits: int) -> list[bytes]:
    inflater = zlib.decompressobj(wbits)
    try:
        return [inflater.decompress(chunk) for chunk in chunks]
    except zlib.error as error:
        raise ValueError(str(error)) from error
