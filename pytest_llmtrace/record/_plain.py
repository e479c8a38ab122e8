"""A response as it is written: decoded, so that it can be read, with its chunks where they were."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from pytest_llmtrace.model import Request, Response
from pytest_llmtrace.replay.payload import decoded, header

__all__ = ["plain", "plain_request"]

Decode = Callable[[bytes], bytes]


def plain(response: Response) -> Response:
    """Return a response without its content encoding, chunk by chunk; as it is where the encoding is not known."""
    said = (header(response.headers, "content-encoding") or "").lower().split(",")
    encodings = [encoding for each in said if (encoding := each.strip()) not in {"", "identity"}]
    # The last one that was put on is the first to be undone.
    decoders = [decoder for encoding in reversed(encodings) if (decoder := _decoder(encoding)) is not None]
    if not encodings or len(decoders) < len(encodings):
        return response
    try:
        chunks = [_decoded(chunk, decoders) for chunk in response.chunks]
    except Exception:  # noqa: BLE001 - each library has errors of its own; the body is not what it says it is
        return response
    headers = tuple(line for line in response.headers if line[0].lower() != "content-encoding")
    return replace(response, headers=headers, **_without_empty(chunks, response.offsets))


def _decoded(chunk: bytes, decoders: Iterable[Decode]) -> bytes:
    for decoder in decoders:
        chunk = decoder(chunk) if chunk else chunk
    return chunk


def plain_request(request: Request) -> Request:
    """Return a request without its gzip or deflate encoding; a comparison undoes it as well."""
    encoding = header(request.headers, "content-encoding")
    body = decoded(request.body, encoding) if encoding else request.body
    if body == request.body:
        return request
    headers = tuple(line for line in request.headers if line[0].lower() != "content-encoding")
    return replace(request, headers=headers, body=body)


def _without_empty(chunks: list[bytes], offsets: tuple[float, ...] | None) -> dict[str, Any]:
    """Leave out chunks that were not enough to decode anything."""
    kept = [index for index, chunk in enumerate(chunks) if chunk]
    return {
        "chunks": tuple(chunks[index] for index in kept),
        "offsets": None if offsets is None else tuple(offsets[index] for index in kept),
    }


def _decoder(encoding: str) -> Decode | None:
    """Return a decoder of an encoding, None if it is not known.

    A client that accepts brotli or zstandard has a library that decodes it.
    """
    match encoding:
        case "gzip" | "x-gzip":
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress
        case "deflate":
            return _Deflate().decompress
        case "br":
            return _brotli()
        case "zstd":
            return _zstd()
        case _:
            return None


class _Deflate:
    """Deflate travels with and without zlib's header; the first byte tells."""

    def __init__(self) -> None:
        self._stream: Any = None

    def decompress(self, chunk: bytes) -> bytes:
        if self._stream is None and chunk:
            has_header = chunk[0] & 0x0F == 8  # noqa: PLR2004 - RFC 1950: compression method 8
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        found: bytes = self._stream.decompress(chunk) if chunk else b""
        return found


def _brotli() -> Decode | None:
    module = _imported("brotli") or _imported("brotlicffi")
    if module is None:
        return None
    stream = module.Decompressor()
    decode: Decode = getattr(stream, "process", None) or stream.decompress
    return decode


def _zstd() -> Decode | None:
    """Return a decoder: httpx takes `zstandard`, httpx2 Python itself from 3.14 on, else the backport of that."""
    module = _imported("compression.zstd") or _imported("backports.zstd")
    if module is not None:
        decode: Decode = module.ZstdDecompressor().decompress
        return decode
    module = _imported("zstandard")
    return None if module is None else module.ZstdDecompressor().decompressobj().decompress


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
