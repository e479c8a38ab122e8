"""Decode a response so that people can read it in a file, still cut into its chunks."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_llmtrace.codings import decoded_chunks, unpacked
from pytest_llmtrace.headers import header, without
from pytest_llmtrace.model import Request, Response

__all__ = ["plain", "plain_request"]


def plain(response: Response) -> Response:
    """Return a response with its content coding undone chunk by chunk; as it is, if the coding cannot be undone."""
    said = (each.strip() for each in header(response.headers, "content-encoding").lower().split(","))
    codings = [coding for coding in said if coding not in {"", "identity"}]
    if not codings:
        return response
    chunks = list(response.chunks)
    try:
        for coding in reversed(codings):  # The coding that was applied last is undone first.
            chunks = _undone(chunks, coding)
    except Exception:  # noqa: BLE001 - each library has errors of its own; the body is not what it says it is
        return response
    headers = without(response.headers, "content-encoding")
    return replace(response, headers=headers, **_without_empty(chunks, response.offsets))


def plain_request(request: Request) -> Request:
    """Return a request with its gzip or deflate coding undone, as the comparison of requests does too."""
    coding = header(request.headers, "content-encoding")
    body = unpacked(request.body, coding) if coding else request.body
    if body is request.body:
        return request
    return replace(request, headers=without(request.headers, "content-encoding"), body=body)


def _without_empty(chunks: list[bytes], offsets: tuple[float, ...] | None) -> dict[str, Any]:
    """Return the chunks, with their offsets, without those from which nothing could be decoded."""
    kept = [index for index, chunk in enumerate(chunks) if chunk]
    return {
        "chunks": tuple(chunks[index] for index in kept),
        "offsets": None if offsets is None else tuple(offsets[index] for index in kept),
    }


def _undone(chunks: list[bytes], coding: str) -> list[bytes]:
    """Undo one coding; a client that accepts brotli or zstandard has a library that decodes it.

    Raises:
        ImportError: If no such library is installed.
        ValueError: As for `decoded_chunks`; the libraries have errors of their own.
    """
    match coding:
        case "br":
            decode = _brotli()
        case "zstd":
            decode = _zstd()
        case _:
            return decoded_chunks(chunks, coding)
    return [decode(chunk) if chunk else chunk for chunk in chunks]


def _brotli() -> Callable[[bytes], bytes]:
    stream = _first_of("brotli", "brotlicffi").Decompressor()
    decode: Callable[[bytes], bytes] = getattr(stream, "process", None) or stream.decompress
    return decode


def _zstd() -> Callable[[bytes], bytes]:
    """Return a decoder: httpx uses `zstandard`; httpx2 uses Python's own from 3.14 on, and its backport before."""
    stream = _first_of("compression.zstd", "backports.zstd", "zstandard").ZstdDecompressor()
    decode: Callable[[bytes], bytes] = (
        stream.decompressobj() if hasattr(stream, "decompressobj") else stream
    ).decompress
    return decode


def _first_of(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError(f"none of {', '.join(names)}")
