"""The chunks of a stream in which its content arrived, and so the time at which a client could know it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.model import Exchange
from pytest_llmtrace.wire._body import is_stream, readable_chunks
from pytest_llmtrace.wire._json import parse
from pytest_llmtrace.wire._sse import Event, events

__all__ = ["last_content_tick", "progress"]

_CLOSING = re.compile(rb"(?:\r\n|\r|\n){0,2}")


class Progress(NamedTuple):
    """The numbers of the chunks that brought the first event, the first piece of the model's output, the last event."""

    first: int
    piece: int | None
    last: int


def progress(exchange: Exchange) -> Progress | None:
    """Return which chunks of a stream brought its content; chunks are numbered from 0.

    `None` if the response is not an event stream, or if no event with content arrived. Events that only close a stream
    or keep it alive (`[DONE]`, `message_stop`, comments, pings) do not count, nor does anything after an error.
    """
    chunks = _chunks(exchange)
    body = b"".join(chunks)
    found = list(_telling(body))
    if not found:
        return None
    ends = list(accumulate(map(len, chunks)))
    piece = next((event for event in found if _is_piece(event)), None)
    return Progress(
        first=_chunk_of(found[0], body, ends),
        piece=None if piece is None else _chunk_of(piece, body, ends),
        last=next(index for index, reached in enumerate(ends) if reached >= found[-1].end),
    )


def last_content_tick(exchange: Exchange) -> int | None:
    """Return the tick at which the client was handed the last event of a stream that has content.

    `None` if there is no such event. A client that stops reading at that point has missed nothing: an error ends the
    call, although OpenAI's Responses API sends a snapshot after it.
    """
    chunks = _chunks(exchange)
    last = max((event.end for event in _telling(b"".join(chunks))), default=0)
    for reached, at in zip(accumulate(map(len, chunks)), exchange.chunk_ticks, strict=False):
        if reached >= last:
            return at if last else None
    return None


def _telling(body: bytes) -> Iterator[Event]:
    """Yield the events that can say anything about the call, up to and including the first error."""
    for event in events(body):
        if event.has_content:
            yield event
            if _is_error(event):
                return


def _is_error(event: Event) -> bool:
    if event.name == b"error":
        return True
    said = parse(event.data) if b'"error"' in event.data else None
    return isinstance(said, dict) and (said.get("type") == "error" or bool(said.get("error")))


def _chunks(exchange: Exchange) -> tuple[bytes, ...]:
    response = exchange.response
    if response is None or not is_stream(response):
        return ()
    try:
        return tuple(readable_chunks(response))
    except ValueError:
        return ()


def _chunk_of(event: Event, body: bytes, ends: list[int]) -> int:
    """Return the number of the chunk that closes an event: clients wait for the blank line after it."""
    closing = _CLOSING.match(body, event.end)
    end = closing.end() if closing else event.end
    return next((index for index, reached in enumerate(ends) if reached >= end), len(ends) - 1)


def _is_piece(event: Event) -> bool:
    """Tell whether an event has a piece of the model's output, in the form of any API."""
    said = parse(event.data)
    if not isinstance(said, dict):
        return False
    kind = said.get("type")
    if isinstance(kind, str) and (kind == "content_block_delta" or kind.endswith(".delta")):
        return True
    return any(_has_text(choice) for choice in _listed(said.get("choices")))


def _has_text(choice: Any) -> bool:
    delta = choice.get("delta", choice) if isinstance(choice, dict) else None
    return isinstance(delta, dict) and any(delta.get(name) for name in _WRITTEN)


def _listed(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else ()


_WRITTEN = ("content", "text", "refusal", "reasoning", "reasoning_content", "tool_calls")
