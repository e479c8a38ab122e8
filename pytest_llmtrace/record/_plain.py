"""Decode a response so that people can read it in a file, still cut into its chunks."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_llmtrace.codings import decoded_chunks, unpacked
from pytest_llmtrace.headers import header, without
from pytest_llmtrace.model import Request, Response

__all__ = ["codings_of", "plain", "plain_request"]


def plain(response: Response, *, ended: bool = True) -> Response:
    """Return a response with its content coding undone chunk by chunk; as it is, if the coding cannot be undone.

    Args:
        response: A response.
        ended: Whether the body is complete. Clients raise at the end of one that zstandard or brotli says is not.
    """
    chunks = list(response.chunks)
    codings = codings_of(response)
    if not codings or not any(chunks):  # The reply to HEAD has the coding of a body that does not come.
        return response
    try:
        for coding in reversed(codings):  # The coding that was applied last is undone first.
            chunks = _undone(chunks, coding, ended=ended)
    except Exception:  # noqa: BLE001 - each library has errors of its own; the body is not what it says it is
        return response
    headers = without(response.headers, "content-encoding")
    return replace(response, headers=headers, **_without_empty(chunks, response.offsets))


def codings_of(response: Response) -> list[str]:
    """Return the content codings that the headers of a response name."""
    said = (each.strip() for each in header(response.headers, "content-encoding").lower().split(","))
    return [coding for coding in said if coding not in {"", "identity"}]


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


def _undone(chunks: list[bytes], coding: str, *, ended: bool) -> list[bytes]:
    """Undo one coding; a client that accepts brotli or zstandard has a library that decodes it.

    Raises:
        ImportError: If no such library is installed.
        ValueError: As for `decoded_chunks`, and if a body that has ended is not complete; the libraries have errors of
            their own.
    """
    match coding:
        case "br":
            decode, is_complete = _brotli()
        case "zstd":
            decode, is_complete = _zstd()
        case _:
            return decoded_chunks(chunks, coding)
    undone = [decode(chunk) if chunk else chunk for chunk in chunks]
    if ended and any(chunks) and not is_complete():
        raise ValueError(f"its {coding} ends too early")
    return undone


def _brotli() -> tuple[Callable[[bytes], bytes], Callable[[], bool]]:
    stream = _first_of("brotli", "brotlicffi").Decompressor()
    decode: Callable[[bytes], bytes] = getattr(stream, "process", None) or stream.decompress
    # With the other of the two libraries, a client takes what there is, and raises nothing.
    return decode, stream.is_finished if hasattr(stream, "finish") else lambda: True


def _zstd() -> tuple[Callable[[bytes], bytes], Callable[[], bool]]:
    """Return a decoder: httpx uses `zstandard`; httpx2 uses Python's own from 3.14 on, and its backport before."""
    stream = _first_of("compression.zstd", "backports.zstd", "zstandard").ZstdDecompressor()
    stream = stream.decompressobj() if hasattr(stream, "decompressobj") else stream
    return stream.decompress, lambda: stream.eof


def _first_of(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError(f"none of {', '.join(names)}")
