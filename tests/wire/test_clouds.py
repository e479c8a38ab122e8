"""Anthropic's messages from a cloud: the model is in the path, and Bedrock wraps events into Amazon's frames."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmtrace import wire
from pytest_llmtrace.model import Ambient, Exchange, Outcome, Reading, Request, Response, State
from pytest_llmtrace.wire._frames import as_events

BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model"
VERTEX = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models"
ASKED = {"anthropic_version": "bedrock-2023-05-31", "messages": [], "max_tokens": 16}
FRAMED = (("content-type", "application/vnd.amazon.eventstream"),)
SPENT = {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}
EVENTS = [
    {"type": "message_start", "message": {"id": "msg_1", "model": "claude-haiku-4-5", "usage": SPENT}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 5, "outputTokenCount": 9}},
]


def _text(name: str, value: str) -> bytes:
    return struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()


def frame(payload: bytes, *more: bytes, **headers: str) -> bytes:
    """Write a frame by AWS's "Event stream encoding"; `more` are headers as bytes, written before the others."""
    written = b"".join([*more, *(_text(f":{name.replace('_', '-')}", value) for name, value in headers.items())])
    lengths = struct.pack(">II", 16 + len(written) + len(payload), len(written))
    head = lengths + struct.pack(">I", zlib.crc32(lengths)) + written + payload
    return head + struct.pack(">I", zlib.crc32(head))


def chunk(event: Any, *more: bytes) -> bytes:
    """Write an event of the model as Bedrock does, with its padding."""
    payload = {"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abcdefgh"}
    return frame(json.dumps(payload).encode(), *more, event_type="chunk", message_type="event")


def exchange(url: str, *chunks: bytes, headers: Any = FRAMED, body: Any = ASKED) -> Exchange:
    return Exchange(
        index=3,
        request=Request(method="POST", url=url, body=json.dumps(body).encode()),
        response=Response(status=200, headers=headers, chunks=chunks),
        outcome=Outcome.ANSWERED,
        origin="chat.yaml",
        ambient=Ambient(),
        started=1,
        chunk_ticks=tuple(range(2, 2 + len(chunks))),
    )


def read(*chunks: bytes, url: str = f"{BEDROCK}/m/invoke-with-response-stream", **how: Any) -> Reading:
    reading = wire.read(exchange(url, *chunks, **how))
    assert reading is not None
    return reading


def values(reading: Reading) -> dict[str, Any]:
    return {name: fact.value for name, fact in reading.facts.items() if fact.state is State.PRESENT}


WHOLE = {
    "request_model": "m",
    "streaming": True,
    "max_tokens": 16,
    "truncated": False,
    "response_id": "msg_1",
    "response_model": "claude-haiku-4-5",
    "finish_reasons": ["end_turn"],
    "output_texts": ["Hello."],
    "input_tokens": 12,
    "cache_read_tokens": 7,
    "output_tokens": 9,
}


@pytest.mark.parametrize(
    ("url", "model", "streamed"),
    [
        (f"{BEDROCK}/us.anthropic.claude-haiku-4-5-v1%3A0/invoke", "us.anthropic.claude-haiku-4-5-v1:0", False),
        (f"{BEDROCK}/anthropic.claude-v1:0/invoke-with-response-stream", "anthropic.claude-v1:0", True),
        (f"{VERTEX}/claude-haiku-4-5@20251001:rawPredict", "claude-haiku-4-5@20251001", None),
        (f"{VERTEX}/claude-haiku-4-5@20251001:streamRawPredict", "claude-haiku-4-5@20251001", None),
    ],
)
def test_the_path_names_the_model(url: str, model: str, streamed: bool | None) -> None:
    """The model is in the path, quoted or not; Bedrock's path also says whether the reply is a stream."""
    asked = wire.asked(url)
    assert asked is not None
    assert (asked.model, asked.streamed) == (model, streamed)
    reading = read(url=url)
    fact = reading.fact("request_model")
    assert (reading.api, fact.value, fact.where) == ("messages", model, "chat.yaml, exchange 3, request URL")
    assert reading.fact("streaming").value is bool(streamed)


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (f"{BEDROCK}/amazon.nova-lite-v1:0/invoke", {"messages": [], "inferenceConfig": {}}),
        (f"{BEDROCK}/anthropic.claude-v2/invoke", {"anthropic_version": "x", "prompt": "Human:"}),
        (f"{BEDROCK}/anthropic.claude/converse", ASKED),
        (f"{VERTEX}/count-tokens:rawPredict", {"model": "m", **ASKED}),
        (f"{VERTEX.replace('anthropic', 'mistralai')}/mistral-large:rawPredict", ASKED),
    ],
)
def test_what_is_not_anthropics_messages(url: str, body: Any) -> None:
    """Other makers' models, older APIs and requests that count tokens are not read, although the paths are alike."""
    assert wire.read(exchange(url, b"{}", headers=(), body=body)) is None


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_frames_are_read_however_they_are_cut(size: int) -> None:
    """Frames are read as the events in them, however their bytes are cut into chunks."""
    body = b"".join(map(chunk, EVENTS))
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    assert values(read(*pieces)) == WHOLE
    assert b"".join(as_events(pieces)) == b"".join(as_events([body]))


def test_headers_of_every_type_are_passed_over() -> None:
    """Headers whose values are not text have the lengths that the encoding defines, and are skipped."""
    lengths = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    others = [b"\x01h" + bytes([kind]) + bytes(length) for kind, length in lengths.items()]
    of_bytes = b"\x01h\x06\x00\x03abc"
    assert values(read(*(chunk(event, of_bytes, *others) for event in EVENTS))) == WHOLE


def test_a_cut_stream_is_truncated() -> None:
    """A frame that is not whole says nothing, and the stream has not said that it is complete."""
    body = b"".join(map(chunk, EVENTS[:-1]))[:-1]
    lacking = {key: value for key, value in WHOLE.items() if key != "finish_reasons"}
    assert values(read(body)) == lacking | {"truncated": True, "output_tokens": SPENT["output_tokens"]}


def test_an_exception_is_an_error_in_mid_stream() -> None:
    """An exception that Bedrock sends in place of an event is the stream's error, with its type and message."""
    said = json.dumps({"message": "Too many tokens"}).encode()
    refused = frame(said, exception_type="throttlingException", message_type="exception")
    reading = read(*map(chunk, EVENTS[:3]), refused)
    fact = reading.fact("error")
    assert fact.value == {"status": None, "type": "throttlingException", "code": None, "message": "Too many tokens"}
    assert fact.where == "chat.yaml, exchange 3, event 3 of the response"


def test_an_error_without_a_payload_is_one_too() -> None:
    """A frame of the type `error` has its code and message in headers."""
    broken = frame(b"", message_type="error", error_code="InternalFailure", error_message="It broke")
    error = read(chunk(EVENTS[0]), broken).fact("error").value
    assert error == {"status": None, "type": "InternalFailure", "code": None, "message": "It broke"}


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (b'{"message": "no frames at all"}', "its bytes are not frames of an Amazon event stream"),
        (struct.pack(">III", 0, 0, zlib.crc32(bytes(8))), "its bytes are not frames of an Amazon event stream"),
        (chunk(EVENTS[0])[:-1] + b"!", "a frame of its event stream is damaged: its checksum does not match"),
        (
            frame(b"no JSON", event_type="chunk", message_type="event"),
            "a frame of its event stream does not have the form that Bedrock gives it",
        ),
        (
            frame(b"{}", b"\x09:event-type"),
            "a frame of its event stream does not have the form that Bedrock gives it",
        ),
    ],
)
def test_what_are_no_frames_is_said(body: bytes, note: str) -> None:
    """Bytes that are not frames are reported, and no fact is read from them."""
    reading = read(body)
    assert reading.problems == (f"chat.yaml, exchange 3, response body: {note}",)
    assert values(reading) == {"request_model": "m", "streaming": True, "max_tokens": 16, "truncated": False}


def test_one_event_that_cannot_be_read_is_named() -> None:
    """An event that is not JSON is reported, and the others are read as in Anthropic's own streams."""
    odd = frame(b'{"bytes": "bm8gSlNPTg=="}', event_type="chunk", message_type="event")
    reading = read(*map(chunk, EVENTS[:3]), odd, *map(chunk, EVENTS[3:]))
    assert [problem.partition(":")[0] for problem in reading.problems] == [
        "chat.yaml, exchange 3, events 0 to 5 of the response"
    ]
    assert "event 3 cannot be read" in reading.problems[0]
    sent = [f"data: {json.dumps(event)}\n\n".encode() for event in EVENTS]
    own = read(
        *sent[:3], b"event: completion\ndata: no JSON\n\n", *sent[3:], headers=(("content-type", "text/event-stream"),)
    )
    assert values(reading) == values(own)
    assert reading.response_id == "msg_1"
    assert reading.problems == own.problems


@pytest.mark.parametrize("said", [{}, {"type": 1}, {"delta": {"text": "no"}}])
def test_an_object_without_a_name_is_passed_over(said: dict[str, Any]) -> None:
    """Anthropic's SDK skips an event of Bedrock's that has neither a type nor the field of its old completions."""
    assert read(*map(chunk, EVENTS[:3]), chunk(said), *map(chunk, EVENTS[3:])) == read(*map(chunk, EVENTS))


def test_progress_is_told_by_frames() -> None:
    """A client gets an event with the chunk that completes its frame."""
    chunks = tuple(map(chunk, EVENTS))
    seen = exchange(f"{BEDROCK}/m/invoke-with-response-stream", *chunks)
    assert wire.progress(seen) == (0, 2, 3)
    assert wire.last_content_tick(seen) == 5


@pytest.mark.parametrize(("count", "whole"), [(5, True), (4, False)])
def test_a_stream_says_its_end(count: int, whole: bool) -> None:
    """A stream is whole after `message_stop`, even if the client reads no further."""
    seen = exchange(f"{BEDROCK}/m/invoke-with-response-stream", *map(chunk, EVENTS[:count]))
    assert seen.response is not None
    assert wire.is_whole(seen.response) is whole


@settings(max_examples=60)
@given(at=st.floats(0, 1), junk=st.binary(max_size=4), cut=st.booleans())
def test_any_damage_is_read(at: float, junk: bytes, cut: bool) -> None:
    """Frames with bytes inserted anywhere, or cut there, make nothing raise."""
    body = b"".join(map(chunk, EVENTS))
    middle = int(at * len(body))
    read(body[:middle] + junk + (b"" if cut else body[middle:]))


@settings(max_examples=60)
@given(length=st.integers(0, 40), headers=st.integers(0, 40), rest=st.binary(max_size=40))
def test_any_lengths_are_read(length: int, headers: int, rest: bytes) -> None:
    """Any lengths, even with a right checksum, make nothing raise or run for ever."""
    lengths = struct.pack(">II", length, headers)
    read(lengths + struct.pack(">I", zlib.crc32(lengths)) + rest)


def test_a_body_is_cut_into_its_frames() -> None:
    """Bytes that are not a whole frame, cut or broken, stay together at the end, and nothing is lost."""
    frames = [chunk(event) for event in EVENTS[:3]]
    for rest in (b"", frames[0][:-1], frames[0][:5], b"no frame at all"):
        cut = wire.frames(b"".join(frames) + rest)
        assert cut == [*frames, *([rest] if rest else [])]


def test_the_replies_of_vertex_are_those_of_anthropic() -> None:
    """Vertex AI streams Anthropic's events without frames."""
    events = [f"data: {json.dumps(event)}\n\n".encode() for event in EVENTS]
    body = {**ASKED, "stream": True}
    sse = (("content-type", "text/event-stream"),)
    assert values(read(*events, url=f"{VERTEX}/m:streamRawPredict", headers=sse, body=body)) == WHOLE


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("https://a.azure.com/openai/deployments/team-gpt/chat/completions", {"team-gpt", "team-gpt/chat"}),
        ("https://h.co/models/meta-llama/Llama-3/v1/chat/completions", {"meta-llama", "meta-llama/Llama-3"}),
        ("https://g.com/publishers/anthropic/models/claude@1:rawPredict", {"claude@1:rawPredict", "claude@1"}),
        (
            "https://b.com/model/anthropic.claude-v1%3A0/invoke",
            {"anthropic.claude-v1:0", "anthropic.claude-v1", "anthropic.claude-v1:0/invoke"},
        ),
        ("https://ai.azure.com/models/chat/completions", set()),
        ("https://api.openai.com/v1/chat/completions", set()),
        ("https://api.openai.com/v1/models", set()),
        ("http://[", set()),
    ],
)
def test_the_names_of_models_in_a_path(url: str, names: set[str]) -> None:
    """Only a segment after one that announces a model or a deployment names one, perhaps with the next or a verb."""
    assert wire.named(url) == names
