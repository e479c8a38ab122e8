"""Requests and responses are recognised and read, down to the event and the chunk."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace import wire
from pytest_llmtrace.model import Ambient, Exchange, Outcome, Request, Response

CHAT = {"model": "gpt-4o", "messages": []}
SSE = (("content-type", "text/event-stream"),)


def exchange(
    url: str = "https://x/v1/chat/completions",
    body: Any = CHAT,
    *,
    chunks: tuple[bytes, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
    method: str = "POST",
) -> Exchange:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(
        index=0,
        request=Request(method=method, url=url, body=sent),
        response=Response(status=200, headers=headers, chunks=chunks),
        outcome=Outcome.ANSWERED,
        origin="a.yaml, interaction 0",
        ambient=Ambient(),
        started=1,
        chunk_ticks=tuple(range(2, 2 + len(chunks))),
    )


@pytest.mark.parametrize(
    ("url", "body", "api"),
    [
        ("https://api.openai.com/v1/chat/completions", CHAT, "chat"),
        ("https://openrouter.ai/api/v1/chat/completions?x=1", CHAT, "chat"),
        ("http://localhost:4000/chat/completions", CHAT, "chat"),
        ("https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", {"messages": []}, "chat"),
        ("https://api.openai.com/v1/completions", {"model": "m", "prompt": "x"}, "completions"),
        ("https://api.openai.com/v1/responses", {"model": "m", "input": "x"}, "responses"),
        ("https://api.openai.com/v1/responses", {"prompt": {"id": "p"}}, "responses"),
        ("https://api.openai.com/v1/responses", {"model": "m", "previous_response_id": "r"}, "responses"),
        ("https://api.openai.com/v1/responses", {"model": "m", "conversation": "c"}, "responses"),
        ("https://api.openai.com/v1/responses/compact", {"model": "m", "input": "x"}, "responses"),
        ("https://api.openai.com/v1/responses/input_tokens", {"model": "m", "input": "x"}, None),
        ("https://api.openai.com/v1/embeddings", {"model": "m", "input": ["x"]}, "embeddings"),
        ("https://api.anthropic.com/v1/messages?beta=true", {"model": "m", "messages": []}, "messages"),
        ("https://api.anthropic.com/v1/messages/count_tokens", {"model": "m", "messages": []}, None),
        ("https://chat.example.com/v1/messages", {"text": "hello"}, None),
        ("https://chat.example.com/v1/messages", [1], None),
        ("https://api.openai.com/v1/responses", {}, None),
        ("https://api.openai.com/v1/images/generations", {"model": "m", "prompt": "x"}, None),
        ("https://api.openai.com/v1/chat/completions", b"\xff not JSON", None),
    ],
)
def test_the_api_is_told_by_path_and_body(url: str, body: Any, api: str | None) -> None:
    """A request is an LLM call only if it has both the path, under any prefix, and the body of one."""
    assert wire.identify(exchange(url, body).request) == api


def test_getting_a_response_is_no_call() -> None:
    """Fetching a stored response asks no model."""
    assert wire.identify(exchange("https://api.openai.com/v1/responses", CHAT, method="GET").request) is None


def test_going_on_with_a_stream_is_no_call() -> None:
    """A GET may resume the stream of a response; the call is the request that made the response."""
    url = "https://api.openai.com/v1/responses/resp_1?stream=true&starting_after=4"
    assert wire.read(exchange(url, b"", method="GET", headers=SSE, chunks=(b"data: {}\n\n",))) is None


def test_what_is_no_url() -> None:
    """A request whose URL is not valid is not a call."""
    assert wire.identify(exchange("http://[x/v1/chat/completions").request) is None


@pytest.mark.parametrize(
    ("chunks", "tick"),
    [
        ((b"data: {}\n\n", b"data: 1\n\n", b"data: [DONE]\n\n"), 3),
        ((b"data: {}\n\n", b": OPENROUTER PROCESSING\n\n", b"data: 1", b"\n\n"), 4),
        ((b"data: {}\n\nevent: message_stop\ndata: {}\n\n", b"event: ping\ndata: {}\n\n"), 2),
        ((b"data: [DONE]\n\n",), None),
        ((), None),
        # After an error a client waits for nothing more.
        ((b"data: {}\n\n", b"event: error\ndata: died\n\n", b"data: 1\n\n"), 3),
        ((b"data: {}\n\n", b'data: {"error": {"code": 502}}\n\n', b'data: {"usage": {}}\n\n'), 3),
        ((b"data: {}\n\n", b'data: {"type": "error", "code": "x"}\n\n', b'data: {"response": {}}\n\n'), 3),
        ((b"data: {}\n\n", b'data: {"error": null}\n\n', b'data: {"response": {"error": 1}}\n\n', b"data: 1\n\n"), 5),
    ],
)
def test_the_last_content_of_a_stream(chunks: tuple[bytes, ...], tick: int | None) -> None:
    """An event that only closes a stream or keeps it alive is not content; the chunk that ends the last data counts."""
    assert wire.last_content_tick(exchange(headers=SSE, chunks=chunks)) == tick


def test_the_last_content_of_a_compressed_stream() -> None:
    """A compressed stream is unpacked chunk by chunk, as far as each chunk goes."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH) for text in (b"data: 1\n\n", b"data: [DONE]\n\n")]
    packed = exchange(headers=(*SSE, ("content-encoding", "gzip")), chunks=tuple(parts))
    assert wire.last_content_tick(packed) == 2


ROLE = b'data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}\n\n'
WORD = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n'
END = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("chunks", "found"),
    [
        ((ROLE, WORD, WORD, END), (0, 1, 2)),
        ((ROLE + WORD, WORD + END), (0, 0, 1)),
        ((ROLE[:9], ROLE[9:-1], ROLE[-1:], WORD[:-2], WORD[-2:]), (2, 4, 3)),
        ((b": OPENROUTER PROCESSING\n\n", ROLE, END), (1, None, 1)),
        ((b"event: message_start\ndata: {}\n\n", b'data: {"type": "content_block_delta"}\n\n'), (0, 1, 1)),
        ((b"data: {}\r\n\r\n", b'data: {"type": "response.output_text.delta"}\r\n\r\n'), (0, 1, 1)),
        ((b"data: {}", b"\n\n", b"data: no JSON\n\n"), (1, None, 2)),
        ((b'data: {"choices": [{"text": "Hi"}]}\n\n',), (0, 0, 0)),
        ((b'data: {"choices": [7, {"delta": 7}]}\n\n', b"data: [1]\n\n"), (0, None, 1)),
        ((ROLE, WORD, b'data: {"error": "died"}\n\n', WORD), (0, 1, 2)),
    ],
)
def test_how_a_stream_went_on(chunks: tuple[bytes, ...], found: tuple[int, int | None, int]) -> None:
    """The first event, the first piece of an answer and the last content count at the chunk that completes them."""
    assert wire.progress(exchange(headers=SSE, chunks=chunks)) == found


@pytest.mark.parametrize(("chunks", "headers"), [((END,), SSE), ((), SSE), ((WORD,), ())])
def test_what_does_not_go_on(chunks: tuple[bytes, ...], headers: Any) -> None:
    """A stream without content, or a response that is not a stream, has no progress."""
    assert wire.progress(exchange(headers=headers, chunks=chunks)) is None


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ("{}", "event 0 of the response"),
        ('{"id', "event 3 of the response"),
        ('{"i', None),
        ("", "event 2 of the response"),
        ("[DONE]", None),
    ],
)
def test_the_event_that_a_client_could_not_parse(data: str, place: str | None) -> None:
    """The event is found by its exact data; if several have it, the last one is meant."""
    chunks = (b"data: {}\n\n", b'data: {"id\n\ndata:\n\n', b'event: x\ndata: {"id\n\n', END)
    assert wire.place_of_event(exchange(headers=SSE, chunks=chunks), data) == place


@pytest.mark.parametrize(
    ("path", "body", "problems"),
    [
        ("chat/completions", CHAT, ("events 0 to 1 of the response: event 0 cannot be read: it is empty",)),
        ("messages", CHAT, ()),
    ],
)
def test_a_blank_event_is_read_as_the_sdks_do(path: str, body: Any, problems: tuple[str, ...]) -> None:
    """OpenAI's SDK raises at an event with empty data, and Anthropic's passes over it."""
    reading = wire.read(exchange(f"https://x/v1/{path}", body, headers=SSE, chunks=(b"data:\n\ndata: {}\n\n",)))
    assert reading is not None
    assert tuple(problem.partition("exchange 0, ")[2] for problem in reading.problems) == problems


@pytest.mark.parametrize("said", [b"event: x\n\n", b"retry: 5\n\n", b"id: 1\n\n", b"data\n\n"])
def test_an_event_without_data(said: bytes) -> None:
    """OpenAI's SDK parses an event without data as well, and raises; Anthropic's SDK and WHATWG ignore it."""
    for path, place in (("responses", "event 1 of the response"), ("messages", None)):
        chunks = (b"event: y\ndata: {}\n\n", said, WORD)
        seen = exchange(f"https://x/v1/{path}", CHAT | {"input": "x"}, headers=SSE, chunks=chunks)
        reading = wire.read(seen)
        assert reading is not None
        assert (wire.place_of_event(seen, ""), bool(reading.problems)) == (place, place is not None)


def test_a_byte_order_mark_is_no_part_of_a_stream() -> None:
    """A byte order mark before the first event is skipped, also when the progress of a stream is read."""
    assert wire.progress(exchange(headers=SSE, chunks=(b"\xef\xbb\xbf" + WORD, WORD, END))) == (0, 0, 1)


def test_a_blank_event_that_a_client_passes_over() -> None:
    """Anthropic's SDK does not parse blank events, so a blank text that was not parsed is the application's own."""
    url = "https://api.anthropic.com/v1/messages"
    assert wire.place_of_event(exchange(url, headers=SSE, chunks=(b"event: x\ndata:\n\n",)), "") is None


def test_an_event_that_cannot_be_unpacked_has_no_place() -> None:
    """A body that is not in the coding that its header names has no events."""
    packed = exchange(headers=(*SSE, ("content-encoding", "gzip")), chunks=(b"\x1f\x8b no", WORD))
    assert wire.place_of_event(packed, "{}") is None
    assert wire.place_of_event(replace(packed, response=None), "{}") is None
