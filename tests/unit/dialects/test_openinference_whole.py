"""OpenInference's `input.value` and `output.value`: read where they are a request and its reply, and not otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import dialects
from pytest_llmtrace.model import Reading, SpanKey, SpanRecord

Reader = Callable[..., Reading]
Values = Callable[[Reading], dict[str, Any]]

LLM = {"openinference.span.kind": "LLM"}
SAID = {"role": "user", "text": "hi"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
LOOK = {"id": "c", "name": "look", "arguments": {"at": "it"}}


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
def test_a_request(read: Reader, said: Values, asked: dict[str, Any], facts: dict[str, Any]) -> None:
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
def test_a_reply(read: Reader, said: Values, reply: dict[str, Any], facts: dict[str, Any]) -> None:
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
def test_anything_else(read: Reader, said: Values, value: Any) -> None:
    """A span's input and output may have any form; what is neither a request nor a reply is not read, and no fault."""
    for attributes in (given(value), returned(value)):
        reading = read(attributes)
        assert said(reading) == {}
        assert reading.problems == ()


def test_nothing_has_to_be_there(read: Reader) -> None:
    """What OpenInference has no attribute for is not missing if there is no reply to read it from."""
    for attributes in (LLM, returned("hi")):
        assert not read(attributes).has_place_for("response_id")
        assert not read(attributes).has_place_for("refusals")
    assert read(returned({"id": "r", "choices": []})).has_place_for("response_id")


def test_a_step_that_returns_a_reply_counts_no_tokens() -> None:
    """The span of an agent may return the model's reply as it is: its tokens are those of the call inside."""
    reply = {"model": "m", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    attributes = {**returned(reply), "openinference.span.kind": "AGENT"}
    span = SpanRecord(key=SpanKey(1, 1), name="agent", scope="app", attributes=attributes)
    reading = dialects.counted(span)
    assert reading is None or reading.input_tokens is None
