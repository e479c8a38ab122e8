"""No bytes make the reader raise, and every reading that it returns keeps the rules of a reading."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmtrace.model import Reading, State
from pytest_llmtrace.reading import VOCABULARY
from pytest_llmtrace.wire._sse import events, split

APIS = ["chat", "completions", "embeddings", "messages", "responses"]
SSE = (("content-type", "text/event-stream"),)
# The APIs' own words, so that random data resembles their bodies as often as possible.
WORDS = [
    "id",
    "model",
    "usage",
    "choices",
    "index",
    "delta",
    "message",
    "content",
    "text",
    "finish_reason",
    "tool_calls",
    "function",
    "function_call",
    "custom",
    "name",
    "arguments",
    "input",
    "error",
    "code",
    "type",
    "prompt_tokens",
    "prompt_tokens_details",
    "cached_tokens",
    "x_groq",
    "provider",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "refusal",
    "output",
    "status",
    "incomplete_details",
    "reason",
    "summary",
    "response",
    "item",
    "output_index",
    "content_index",
    "summary_index",
    "content_block",
    "stop_reason",
    "partial_json",
    "thinking",
    "input_tokens",
    "cache_read_input_tokens",
    "data",
    "embedding",
    "cost",
    "pydantic_ai_gateway",
    "detail",
]
TYPES = [
    "message_start",
    "message_delta",
    "message_stop",
    "content_block_start",
    "content_block_delta",
    "text_delta",
    "input_json_delta",
    "thinking_delta",
    "tool_use",
    "text",
    "thinking",
    "error",
    "response.created",
    "response.completed",
    "response.failed",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.output_text.done",
    "response.function_call_arguments.delta",
    "output_text",
    "function_call",
    "reasoning",
    "summary_text",
    "incomplete",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(TYPES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6)
QUICK = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def keeps_the_rules(reading: Reading) -> None:
    assert reading.places.keys() <= VOCABULARY.keys()
    assert all(where.startswith("chat.yaml, exchange 3, ") for where in reading.places.values())
    for name, fact in reading.facts.items():
        assert name == fact.name in VOCABULARY
        assert (fact.value is not None) is (fact.state is State.PRESENT)
        assert bool(fact.note) is (fact.state is State.UNREADABLE)
        assert fact.where.startswith("chat.yaml, exchange 3, ")
        assert all(isinstance(key, str) for key, _ in fact.parts)


@pytest.mark.parametrize("api", APIS)
@QUICK
@given(body=OBJECTS, status=st.sampled_from([200, 500]))
def test_any_object_is_read(read: Callable[..., Reading], api: str, body: dict[str, Any], status: int) -> None:
    """Any object, even with the APIs' words in wrong places and types, gives a reading that keeps the rules."""
    keeps_the_rules(read(api, body, status=status))


@pytest.mark.parametrize("api", APIS)
@QUICK
@given(events=st.lists(OBJECTS | st.tuples(st.sampled_from(TYPES), OBJECTS), max_size=6))
def test_any_stream_is_read(read: Callable[..., Reading], api: str, events: list[Any]) -> None:
    """Any events in any order give a reading that keeps the rules."""
    keeps_the_rules(read(api, events))


@pytest.mark.parametrize("api", APIS)
@QUICK
@given(events=st.lists(OBJECTS, max_size=4), at=st.floats(0, 1), cut=st.booleans(), junk=st.binary(max_size=4))
def test_any_broken_stream_is_read(
    read: Callable[..., Reading],
    api: str,
    events: list[Any],
    at: float,
    cut: bool,
    junk: bytes,
) -> None:
    """A stream with bytes inserted anywhere, or cut there, gives a reading that keeps the rules."""
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    middle = int(at * len(body))
    keeps_the_rules(read(api, body[:middle] + junk + (b"" if cut else body[middle:]), headers=SSE))


@pytest.mark.parametrize("api", APIS)
@QUICK
@given(
    body=st.binary(max_size=60),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                ["content-type", "content-encoding", "retry-after", "retry-after-ms", "date", "x-litellm-response-cost"]
            ),
            st.sampled_from(
                [
                    "text/event-stream",
                    "application/vnd.amazon.eventstream",
                    "gzip",
                    "deflate",
                    "",
                    "nan",
                    "1e999",
                    "Wed, 99 Foo",
                    "\x00",
                ]
            )
            | st.text(max_size=9),
        ),
        max_size=4,
    ),
)
def test_any_bytes_are_read(
    read: Callable[..., Reading], api: str, body: bytes, headers: list[tuple[str, str]]
) -> None:
    """Any bytes under any headers give a reading that keeps the rules."""
    keeps_the_rules(read(api, body, headers=tuple(headers)))


@pytest.mark.parametrize("api", APIS)
@QUICK
@given(asked=OBJECTS)
def test_any_request_is_read(read: Callable[..., Reading], api: str, asked: dict[str, Any]) -> None:
    """Any parameters of a request give a reading that keeps the rules."""
    keep = {key: value for key, value in asked.items() if key not in {"messages", "input", "prompt"}}
    keeps_the_rules(read(api, {}, asked=keep))


LINES = [
    "data: x",
    "data:y",
    "data",
    "event: n",
    ": c",
    "id: 1",
    "data: [DONE]",
    "\n",
    "\n\n",
    "\n\ndata: z\n\n",
    "\r\n",
    "\r",
]


@QUICK
@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_both_ways_to_split_a_stream_agree(lines: list[str]) -> None:
    """The function that reads events and the one that finds a stream's last content split a stream alike."""
    body = "".join(lines)
    assert list(split(body)) == [(event.name.decode(), event.data.decode()) for event in events(body.encode())]
