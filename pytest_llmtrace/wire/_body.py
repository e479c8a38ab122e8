"""Response bodies in readable form: content encoding undone, Amazon's frames turned into server-sent events."""

from __future__ import annotations

from dataclasses import replace

from pytest_llmtrace.codings import decoded_chunks
from pytest_llmtrace.headers import header, without
from pytest_llmtrace.model import Response
from pytest_llmtrace.wire import _frames

__all__ = ["is_framed", "is_stream", "plain", "readable", "readable_chunks"]


def is_stream(response: Response) -> bool:
    """Tell whether a response is a stream of events, server-sent ones or Amazon's."""
    return header(response.headers, "content-type").lower().startswith(("text/event-stream", _frames.CONTENT_TYPE))


def readable(response: Response) -> bytes:
    """Return a body in readable form: without content encoding, and Amazon's frames as server-sent events.

    Raises:
        ValueError: As for `codings.decoded_chunks`, and if a frame cannot be read.
    """
    coding = header(response.headers, "content-encoding")
    body = b"".join(decoded_chunks((response.body,), coding)) if coding else response.body
    return b"".join(_frames.as_events((body,))) if is_framed(response) else body


def readable_chunks(response: Response) -> list[bytes]:
    """Return, for each chunk, the part of the body that it lets a client read, in the form of `readable`.

    Raises:
        ValueError: As for `readable`.
    """
    chunks = decoded_chunks(response.chunks, header(response.headers, "content-encoding"))
    return list(_frames.as_events(chunks)) if is_framed(response) else chunks


def is_framed(response: Response) -> bool:
    """Tell whether a response is a stream of Amazon's frames."""
    return header(response.headers, "content-type").lower().startswith(_frames.CONTENT_TYPE)


def plain(response: Response) -> Response:
    """Return a response without content encoding and declared length, each of its chunks decoded.

    Raises:
        ValueError: As for `codings.decoded_chunks`.
    """
    chunks = decoded_chunks(response.chunks, header(response.headers, "content-encoding"))
    headers = without(response.headers, "content-encoding", "content-length")
    return replace(response, headers=headers, chunks=tuple(chunks))
