"""Decode a response so that people can read it in a file, still cut into its chunks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_llmtrace.codings import decoded_chunks, listed, unpacked
from pytest_llmtrace.headers import header, without
from pytest_llmtrace.model import Request, Response

__all__ = ["codings_of", "plain", "plain_request"]


def plain(response: Response, *, ended: bool = True) -> Response:
    """Return a response with its content coding undone chunk by chunk; as it is, if the coding cannot be undone.

    Args:
        response: A response.
        ended: Whether the body is complete. Clients raise at the end of one that zstandard or brotli says is not.
    """
    if not codings_of(response) or not any(
        response.chunks
    ):  # HEAD's reply has the coding of a body that does not come.
        return response
    try:
        chunks = decoded_chunks(response.chunks, header(response.headers, "content-encoding"), ended=ended)
    except ValueError:  # The body is not what it says it is.
        return response
    headers = without(response.headers, "content-encoding")
    return replace(response, headers=headers, **_without_empty(chunks, response.offsets))


def codings_of(response: Response) -> list[str]:
    """Return the content codings that the headers of a response name."""
    return listed(header(response.headers, "content-encoding"))


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
