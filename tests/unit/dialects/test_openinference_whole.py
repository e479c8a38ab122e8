"""OpenInference's `input.value` and `output.value`: read only where they are a request and its reply."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import dialects
from pytest_llmtrace.model import Reading, SpanKey, SpanRecord

Values = Callable[[Reading], dict[str, Any]]

LLM = {"openinference.span.kind": "LLM"}
SAID = {"role": "user", "text": "hi"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
LOOK = {"id": "c", "name": "look", "arguments": {"at": "it"}}


def read(attributes: dict[str, Any]) -> Reading:
    """Read what stands whole on a span."""
    reading = dialects.read_whole(SpanRecord(key=SpanKey(1, 1), name="chat", scope="app", attributes=attributes))
    assert reading is not None
    return reading


def given(value: Any) -> dict[str, Any]:
    """Return the attributes of a span with this input."""
    return {**LLM, "input.value": value if isinstance(value, str) else json.dumps(value)}


def returned(value: Any) -> dict[str, Any]:
    """Return the attributes of a span with this output."""
    return {**LLM, "output.value": value if isinstance(value, str) else json.dumps(value)}


@pytest.mark.parametrize(
    ("asked", "facts"),
    [
        (
            {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [TOOL], "stop": ["END"], "n": 2},
            {
                "request_model": "m",
                "stop": ["END"],
                "choice_count": 2,
                "tools": [{"type": "function", "name": "look"}],
                "tool_definitions": [{"name": "look", "parameters": {"type": "object"}}],
                "input_messages": [SAID],
            },
        ),
        (
            {"model": "m", "input": "hi", "max_output_tokens": 9, "temperature": 0.5, "stream": True},
            {"request_model": "m", "max_tokens": 9, "temperature": 0.5, "streaming": True, "input_messages": [SAID]},
        ),
        (
            {"model": "m", "input": ["hi"], "dimensions": 8},
            {"request_model": "m", "dimensions": 8, "input_messages": [SAID]},
        ),
    ],
    ids=["chat", "responses", "embeddings"],
)
def test_a_request(said: Values, asked: dict[str, Any], facts: dict[str, Any]) -> None:
    """Everything that a request says is read from it, with the place."""
    reading = read(given(asked))
    assert said(reading) == facts
    assert reading.fact("request_model").place == "input.value[model] on span 'chat'"


@pytest.mark.parametrize(
    ("reply", "facts"),
    [
        (
            {
                "id": "r",
                "model": "m",
                "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
                "usage": {
                    "prompt_tokens": 5,
                    "completion_tokens": 2,
                    "total_tokens": 7,
                    "prompt_tokens_details": {"cached_tokens": 3},
                },
            },
            {
                "response_id": "r",
                "response_model": "m",
                "output_texts": ["hi"],
                "tool_calls": [],
                "finish_reasons": ["stop"],
                "input_tokens": 5,
                "output_tokens": 2,
                "total_tokens": 7,
                "cache_read_tokens": 3,
            },
        ),
        (
            {
                "id": "r",
                "model": "m",
                "type": "message",
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c", "name": "look", "input": {"at": "it"}}],
                "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 2},
            },
            {
                "response_id": "r",
                "response_model": "m",
                "output_texts": [None],
                "tool_calls": [LOOK],
                "input_tokens": 8,
                "output_tokens": 2,
                "cache_read_tokens": 3,
            },
        ),
        (
            {
                "id": "r",
                "model": "m",
                "object": "response",
                "status": "completed",
                "output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}],
            },
            {
                "response_id": "r",
                "response_model": "m",
                "output_texts": ["hi"],
                "tool_calls": [],
                "finish_reasons": ["completed"],
            },
        ),
        (
            {"model": "m", "object": "list", "data": [{"embedding": [1.0, 2.0]}, {"embedding": [3.0, 4.0]}]},
            {"response_model": "m", "embedding_count": 2, "embedding_dimensions": 2},
        ),
        ({"generations": [[{"text": "hi"}]]}, {"output_texts": ["hi"], "tool_calls": []}),
    ],
    ids=["chat", "messages", "responses", "embeddings", "LangChain's"],
)
def test_a_reply(said: Values, reply: dict[str, Any], facts: dict[str, Any]) -> None:
    """Everything that a reply says is read from it."""
    assert said(read(returned(reply))) == facts


@pytest.mark.parametrize(
    "value",
    [
        "hi",
        "",
        "__REDACTED__",
        '{"model": "m", "messages": [{"role"',
        ["one", "two"],
        {"messages": [["anything"]]},
        {"model": {"name": "m"}, "messages": []},
        {"query": "hi", "model": "m"},
        {"id": 7, "result": "hi"},
        {"content": "hi", "usage": {"prompt_tokens": 5}},
        '{"choices": 7, "model": "m"}',
    ],
)
def test_anything_else(said: Values, value: Any) -> None:
    """A span's input and output may have any form; anything but a request or a reply is not read, and not a fault."""
    for attributes in (given(value), returned(value)):
        reading = read(attributes)
        assert said(reading) == {}
        assert reading.problems == ()


def test_other_spans() -> None:
    """A reply on a step that is not a call is not read; and `read` itself, unlike `read_whole`, never reads one."""
    reply = {"model": "m", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    agent = {**returned(reply), "openinference.span.kind": "AGENT"}
    span = SpanRecord(key=SpanKey(1, 1), name="agent", scope="app", attributes=agent)
    assert dialects.read_whole(span) is None
    call = SpanRecord(key=SpanKey(1, 2), name="call", scope="app", attributes=returned(reply))
    own = dialects.read(call)
    assert own is not None
    assert own.facts == {}
    assert not own.has_place_for("response_id")
