"""A body in the pieces that faults count: chunks as they travel, or the whole events of a stream."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, NamedTuple

from pytest_llmtrace import wire
from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.model import Response

__all__ = ["Piece", "as_sent", "data_of", "in_pieces", "in_tune", "is_event", "with_pieces"]

_BETWEEN = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)")
_DATA = re.compile(rb"^data: ?(.*?)\r?$", re.MULTILINE)
_OF_STREAM = ("id", "model", "created", "created_at", "provider", "system_fingerprint")


class Piece(NamedTuple):
    """Bytes, and the seconds from the request to them."""

    chunk: bytes
    offset: float = 0.0


def as_sent(response: Response) -> list[Piece]:
    """Return the chunks of a response as they travel."""
    chunks = response.chunks
    offsets = response.offsets if response.offsets and len(response.offsets) == len(chunks) else (0.0,) * len(chunks)
    return [Piece(chunk, offset) for chunk, offset in zip(chunks, offsets, strict=True)]


def in_pieces(response: Response) -> list[Piece]:
    """Return the pieces of a response that has no content encoding: its chunks, or the events of a stream.

    Streams are often recorded as one block, or with events that the end of a packet cuts in two: their chunks are
    joined and split into events.
    """
    sent, chunks = as_sent(response), response.chunks
    if not wire.is_stream(response) or (len(chunks) > 1 and all(map(_ends_an_event, chunks))):
        return sent
    is_framed = wire.is_framed(response)
    events = wire.frames(response.body) if is_framed else [event for event in _BETWEEN.split(response.body) if event]
    ends = list(accumulate(map(len, chunks)))
    return [
        Piece(event, sent[bisect_left(ends, end)].offset)
        for event, end in zip(events, accumulate(map(len, events)), strict=True)
    ]


def _ends_an_event(chunk: bytes) -> bool:
    return chunk.endswith((b"\n\n", b"\r\n\r\n"))


def with_pieces(response: Response, pieces: Sequence[Piece], *, timed: bool = False) -> Response:
    """Return a response with these pieces as its chunks; with their offsets if it has offsets, or if `timed`."""
    offsets = tuple(piece.offset for piece in pieces) if timed or response.offsets else None
    return replace(response, chunks=tuple(piece.chunk for piece in pieces), offsets=offsets)


def data_of(chunk: bytes) -> dict[str, Any] | None:
    """Return the JSON object of an event, None if it has none."""
    found = _DATA.search(chunk)
    try:
        data = json.loads(found[1]) if found else None
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def is_event(chunk: bytes) -> bool:
    """Tell whether a piece of a stream is a JSON event, or a frame, which begins with its length in four bytes."""
    return chunk.startswith(b"\0") or data_of(chunk) is not None


def in_tune(event: bytes, pieces: Sequence[Piece]) -> bytes:
    """Return an event that is to be added to a stream, with the id, model and time of the stream's first event."""
    first = next((data for piece in pieces if (data := data_of(piece.chunk)) is not None), None)
    mine = data_of(event)
    if first is None or mine is None or not _copy(first, mine):
        return event
    return _DATA.sub(lambda _: b"data: " + json.dumps(mine, separators=(",", ":")).encode(), event, count=1)


def _copy(first: dict[str, Any], mine: dict[str, Any]) -> bool:
    """Copy the fields that all events of a stream share, also within `response`; tell whether any was changed."""
    shared = [key for key in _OF_STREAM if key in first and key in mine and first[key] != mine[key]]
    mine.update((key, first[key]) for key in shared)
    inner = first.get("response"), mine.get("response")
    if isinstance(inner[0], dict) and isinstance(inner[1], dict):
        return _copy(inner[0], inner[1]) or bool(shared)
    return bool(shared)
