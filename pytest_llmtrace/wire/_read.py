"""Read an exchange."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from pytest_llmtrace.model import Exchange, Fact, Reading, Response, State
from pytest_llmtrace.wire._api import identify, request_body
from pytest_llmtrace.wire._body import decoded, decoded_chunks, header
from pytest_llmtrace.wire._gateway import gateway
from pytest_llmtrace.wire._sse import events, says_its_end

__all__ = ["is_llm_call", "is_whole", "last_content_tick", "read"]


def is_llm_call(exchange: Exchange) -> bool:
    """Tell whether an exchange is a call to a model, answered or not."""
    return identify(exchange.request) is not None


def is_whole(response: Response) -> bool:
    """Tell whether a body is all there, by its declared length or its last event, whoever stopped reading it."""
    if header(response.headers, "content-length") == str(len(response.body)):
        return True
    if not _is_stream(response):
        return False
    try:
        return says_its_end(decoded(response.body, header(response.headers, "content-encoding")))
    except ValueError:
        return False


def read(exchange: Exchange) -> Reading | None:
    """Read an exchange, or return None if it is no LLM call that is known."""
    api = identify(exchange.request)
    if api is None:
        return None
    where = f"exchange {exchange.index}, {exchange.origin}"
    return Reading(
        source=api,
        api=api,
        gateway=gateway(exchange.request, exchange.response),
        facts={
            "request_model": _model("request_model", [request_body(exchange.request)], f"model, request of {where}"),
            "response_model": _model("response_model", _documents(exchange.response), f"model, response of {where}"),
            "streaming": Fact(
                name="streaming",
                value=_is_stream(exchange.response),
                place=f"content-type, response of {where}",
                state=State.PRESENT if exchange.response else State.ABSENT,
            ),
        },
    )


def last_content_tick(exchange: Exchange) -> int | None:
    """Return the tick at which the last event of a stream that can say anything was handed to the client.

    None where the response is no event stream, or nothing of it has arrived. What only closes a stream (`[DONE]`,
    `message_stop`, comments, pings) does not count: whoever stops reading at that point has missed nothing.
    """
    response = exchange.response
    if response is None or not _is_stream(response):
        return None
    try:
        chunks = decoded_chunks(response.chunks, header(response.headers, "content-encoding"))
    except ValueError:
        return None
    last = max((event.end for event in events(b"".join(chunks)) if event.has_content), default=0)
    for reached, at in zip(accumulate(map(len, chunks)), exchange.chunk_ticks, strict=False):
        if reached >= last:
            return at if last else None
    return None


def _model(name: str, documents: Iterator[Mapping[str, Any]] | list[Mapping[str, Any]], place: str) -> Fact:
    for document in documents:
        for holder in (document, document.get("message"), document.get("response")):
            model = holder.get("model") if isinstance(holder, Mapping) else None
            if isinstance(model, str) and model:
                return Fact(name=name, value=model, place=place, state=State.PRESENT)
    return Fact(name=name, place=place)


def _is_stream(response: Response | None) -> bool:
    return response is not None and header(response.headers, "content-type").lower().startswith("text/event-stream")


def _documents(response: Response | None) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects of a response: the one body, or the data of each event."""
    if response is None:
        return
    try:
        body = decoded(response.body, header(response.headers, "content-encoding"))
    except ValueError:
        return
    for text in (event.data for event in events(body)) if _is_stream(response) else (body,):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            yield document
