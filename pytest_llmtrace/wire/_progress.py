"""In which chunk of a stream something was said: when a client could know it."""

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
    """The chunks with which a client had its first event, its first piece of what the model wrote, and all of it."""

    first: int
    piece: int | None
    last: int


def progress(exchange: Exchange) -> Progress | None:
    """Return how a stream went on, in numbers of its chunks, which count from 0.

    None where the response is no event stream, or nothing of it has arrived that says anything. What only closes a
    stream (`[DONE]`, `message_stop`, comments, pings) does not count, nor does what comes behind an error.
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
    """Return the tick at which the last event of a stream that can say anything was handed to the client.

    None where there is none. Whoever stops reading at that point has missed nothing: with an error a call is over,
    though OpenAI's responses give a snapshot behind it.
    """
    chunks = _chunks(exchange)
    last = max((event.end for event in _telling(b"".join(chunks))), default=0)
    for reached, at in zip(accumulate(map(len, chunks)), exchange.chunk_ticks, strict=False):
        if reached >= last:
            return at if last else None
    return None


def _telling(body: bytes) -> Iterator[Event]:
    """Yield the events that can say anything about the call, to the first that states an error."""
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
    """Return the chunk that closes an event: clients wait for the blank line behind it."""
    closing = _CLOSING.match(body, event.end)
    end = closing.end() if closing else event.end
    return next((index for index, reached in enumerate(ends) if reached >= end), len(ends) - 1)


def _is_piece(event: Event) -> bool:
    """Tell whether an event has a piece of what the model wrote, in any API's form."""
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
