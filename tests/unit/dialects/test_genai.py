"""Spans of the OpenTelemetry instrumentations (genai-openai and genai-anthropic 1.3b0), and older names."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Reading, State

Reader = Callable[..., Reading]
Values = Callable[[Reading], dict[str, Any]]

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}

PARIS = {"id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}


def message(*parts: dict[str, Any], reason: str = "stop") -> dict[str, Any]:
    """Build a message in the form of the conventions."""
    return {"role": "assistant", "parts": list(parts), "finish_reason": reason, "name": None}


MEASURED = [
    pytest.param(
        {
            "gen_ai.request.model": "gpt-4o",
            "server.address": "api.openai.com",
            "gen_ai.request.stream": True,
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.top_p": 0.9,
            "gen_ai.request.frequency_penalty": 0.1,
            "gen_ai.request.presence_penalty": 0.2,
            "gen_ai.request.max_tokens": 99,
            "gen_ai.request.stop_sequences": ("END",),
            "gen_ai.request.seed": 7,
            "gen_ai.request.choice.count": 2,
            "gen_ai.response.finish_reasons": ("stop", "length"),
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_read.input_tokens": 40,
            "gen_ai.usage.cache_write.input_tokens": 10,
            "gen_ai.usage.reasoning.output_tokens": 20,
            "gen_ai.usage.audio.input_tokens": 3,
            "gen_ai.usage.audio.output_tokens": 2,
        },
        {
            "request_model": "gpt-4o",
            "streaming": True,
            "max_tokens": 99,
            "temperature": 0.5,
            "top_p": 0.9,
            "frequency_penalty": 0.1,
            "presence_penalty": 0.2,
            "seed": 7,
            "stop": ["END"],
            "choice_count": 2,
            "response_id": "chatcmpl-1",
            "response_model": "gpt-4o-2024-08-06",
            "finish_reasons": ["stop", "length"],
            "input_tokens": 100,
            "output_tokens": 50,
            "cache_read_tokens": 40,
            "cache_write_tokens": 10,
            "reasoning_tokens": 20,
            "input_audio_tokens": 3,
            "output_audio_tokens": 2,
        },
        id="chat",
    ),
    pytest.param(
        {"gen_ai.request.model": "gpt-4o", "error.type": "openai.RateLimitError"},
        {"request_model": "gpt-4o", "error_type": "openai.RateLimitError"},
        id="error",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.request.model": "text-embedding-3-small",
            "gen_ai.embeddings.dimension.count": 3,
            "gen_ai.usage.input_tokens": 9,
        },
        {"request_model": "text-embedding-3-small", "embedding_dimensions": 3, "input_tokens": 9},
        id="embeddings",
    ),
    pytest.param(
        {
            "gen_ai.system": "openai",
            "gen_ai.usage.prompt_tokens": 12,
            "gen_ai.usage.completion_tokens": 8,
            "gen_ai.openai.request.seed": 7,
            "gen_ai.usage.cache_creation.input_tokens": 2,
            "gen_ai.usage.cache_read_input_tokens": 3,
        },
        {"seed": 7, "input_tokens": 12, "output_tokens": 8, "cache_read_tokens": 3, "cache_write_tokens": 2},
        id="names of old",
    ),
    # strands-agents 1.62.0
    pytest.param(
        {"gen_ai.usage.cache_read_input_tokens": 3, "gen_ai.usage.cache_write_input_tokens": 2},
        {"cache_read_tokens": 3, "cache_write_tokens": 2},
        id="strands",
    ),
]


@pytest.mark.parametrize(("attributes", "expected"), MEASURED)
def test_measured(read: Reader, said: Values, attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    """A measured span is read whole, and nothing else is read from it."""
    reading = read({**CHAT, **attributes})
    assert (reading.source, said(reading), reading.others, reading.problems) == ("otel-genai", expected, (), ())


MESSAGES = [
    pytest.param(
        [message({"type": "text", "content": "one"}), message({"type": "text", "content": "two"}, reason="length")],
        {"finish_reasons": ["stop", "length"], "output_texts": ["one", "two"], "tool_calls": []},
        id="choices",
    ),
    pytest.param(
        [
            message(
                {"type": "reasoning", "content": "thought"},
                {"type": "tool_call", **PARIS},
                {"type": "text", "content": "a"},
                {"type": "text", "content": "b"},
                reason="tool_call",
            )
        ],
        {
            "finish_reasons": ["tool_call"],
            "output_texts": ["ab"],
            "reasoning_texts": ["thought"],
            "tool_calls": [PARIS],
        },
        id="parts",
    ),
    pytest.param(
        [message({"type": "blob", "modality": "audio", "content": "aGk=", "transcript": "Hello"})],
        {"finish_reasons": ["stop"], "output_texts": ["Hello"], "tool_calls": []},
        id="audio with its transcript",
    ),
    pytest.param(  # The text is not shown in words, which does not mean that there was none.
        [message({"type": "uri", "modality": "audio", "uri": "https://example.org/a.wav"})],
        {"finish_reasons": ["stop"], "tool_calls": []},
        id="audio without a transcript",
    ),
    pytest.param(
        [{"role": "assistant", "content": None, "audio": {"id": "audio_1", "transcript": "Hello"}}],
        {"output_texts": ["Hello"], "tool_calls": []},
        id="audio as the chat API has it",
    ),
    pytest.param(
        [message({"type": "tool_call", **PARIS, "arguments": '{"city": "Paris"}'}), message(reason="")],
        {"finish_reasons": ["stop", None], "output_texts": [None, None], "tool_calls": [PARIS]},
        id="arguments as text",
    ),
    pytest.param(
        [message({"type": "tool_call", "name": "weather", "arguments": '{"city": '})],
        {
            "finish_reasons": ["stop"],
            "output_texts": [None],
            "tool_calls": [{"id": None, "name": "weather", "arguments": '{"city": '}],
        },
        id="arguments that are no JSON",
    ),
    pytest.param(
        [message({"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}, {"type": "text", "text": "."}, 5]})],
        {"finish_reasons": ["stop"], "output_texts": [None], "reasoning_texts": ["Hm."], "tool_calls": []},
        id="thinking as Mistral's API writes it",
    ),
    pytest.param(
        [message({"type": "refusal", "content": "no"})],
        {"finish_reasons": ["stop"], "output_texts": [None], "refusals": ["no"], "tool_calls": []},
        id="refusal",
    ),
    pytest.param(
        [message({"type": "server_tool_call", "name": "web_search"}, {"type": "a new one"})],
        {"finish_reasons": ["stop"], "output_texts": [None], "tool_calls": []},
        id="parts of no interest",
    ),
    pytest.param(
        [{"role": "assistant", "content": "hi", "tool_calls": [{"id": "call_1", "function": {"name": "weather"}}]}],
        {"output_texts": ["hi"], "tool_calls": [{"id": "call_1", "name": "weather", "arguments": None}]},
        id="as the chat API writes them",
    ),
    pytest.param(
        [{"content": "", "refusal": "no"}],
        {"output_texts": [None], "refusals": ["no"], "tool_calls": []},
        id="a refusal as the chat API writes it",
    ),
    pytest.param(  # lmnr 0.8.2
        [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said, "tool_calls": None}}
            for said in ("one", "two")
        ],
        {"finish_reasons": ["stop", "stop"], "output_texts": ["one", "two"], "tool_calls": []},
        id="choices of the chat API",
    ),
    pytest.param(
        [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "weather",
                "arguments": '{"city": "Paris"}',
            },
        ],
        {"output_texts": ["a"], "tool_calls": [PARIS]},
        id="items of the responses API",
    ),
    pytest.param(
        [
            {
                "role": "assistant",
                "stop_reason": "tool_use",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
                ],
            }
        ],
        {"finish_reasons": ["tool_use"], "output_texts": ["a"], "tool_calls": [PARIS]},
        id="a message of the messages API",
    ),
    pytest.param([{"type": "a new one"}], {}, id="items that nobody knows"),
    pytest.param([], {}, id="no message"),
    pytest.param([message(reason="")], {"output_texts": [None], "tool_calls": []}, id="a message without parts"),
    pytest.param([{"role": "assistant"}], {}, id="a message that says nothing"),
]


@pytest.mark.parametrize("dump", [json.dumps, lambda messages: messages], ids=["text", "structured"])
@pytest.mark.parametrize(("messages", "expected"), MESSAGES)
def test_messages(
    read: Reader, said: Values, dump: Callable[[Any], Any], messages: list[Any], expected: dict[str, Any]
) -> None:
    """Messages are read from JSON text and from structured values alike; the type of a part tells what it is."""
    assert said(read({**CHAT, "gen_ai.output.messages": dump(messages)})) == expected


@pytest.mark.parametrize(
    ("messages", "note"),
    [
        ("[", "'[' is not JSON"),
        ("3", "the value is not a list"),
        (b"[]", "b'[]' is not JSON"),
        ([3], "message 0 is not an object"),
        ([{"parts": 3}], "the content of a message is not a list"),
        ([{"parts": [3]}], "a part of a message is not an object"),
        ([message({"type": "text", "content": 3})], "3 is not a string"),
        ([message({"type": "tool_call", "name": 3})], "the id or name of a tool call is not a string"),
        ([{"finish_reason": 3}], "a finish reason is not a string"),
        ("[" * 250 + "]" * 250, "it is nested more than 200 levels deep"),
    ],
)
def test_messages_that_cannot_be_read(read: Reader, messages: Any, note: str) -> None:
    """A value that is not messages is unreadable, and is one problem with its place and the reason."""
    reading = read({**CHAT, "gen_ai.output.messages": messages})
    fact = reading.fact("tool_calls")
    assert (fact.state, fact.keys, fact.note) == (State.UNREADABLE, "gen_ai.output.messages", note)
    assert reading.problems == (f"gen_ai.output.messages on span 'chat': {note}",)


def test_scrubbed(read: Reader, said: Values) -> None:
    """A value that logfire has scrubbed is not read, and is not reported as a problem."""
    reading = read({**CHAT, "gen_ai.output.messages": "[Scrubbed due to 'session']"})
    assert (said(reading), reading.problems) == ({}, ())


def test_both_places_of_a_fact(read: Reader, said: Values, again: Values) -> None:
    """Old and new names on one span, and finish reasons in messages and in their own attribute, are all read."""
    reading = read(
        {
            **CHAT,
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.prompt_tokens": 10,
            "gen_ai.response.finish_reasons": ("tool_calls",),
            "gen_ai.output.messages": json.dumps([message(reason="stop")]),
        }
    )
    assert said(reading) == {
        "input_tokens": 12,
        "finish_reasons": ["tool_calls"],
        "output_texts": [None],
        "tool_calls": [],
    }
    assert again(reading) == {"gen_ai.usage.prompt_tokens": 10, "gen_ai.output.messages[*].finish_reason": ["stop"]}


@pytest.mark.parametrize("answer", ["[]", '[{"role": "assistant", "finish_reason": "stop"}]'])
def test_no_answer_where_the_prompt_is_shown(read: Reader, answer: str) -> None:
    """If the span shows the prompt, content is captured, so an answer without content had none."""
    shown = {"gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}])}
    asked = {"gen_ai.operation.name": "chat", "gen_ai.output.messages": answer}
    reading = read({**asked, **shown})
    assert (reading.output_texts, reading.tool_calls) == ([None], [])
    assert (read(asked).output_texts, read(asked).tool_calls) == (None, None)


def test_a_text_beside_a_transcript(read: Reader, said: Values, again: Values) -> None:
    """A text and a transcript in one message are two statements of the answer: both are read."""
    audio = {"type": "blob", "modality": "audio", "content": "aGk=", "transcript": "Helo"}
    value = [message({"type": "text", "content": "Hello"}, audio), message({"type": "text", "content": "Bye"})]
    reading = read({**CHAT, "gen_ai.output.messages": json.dumps(value)})
    assert said(reading)["output_texts"] == ["Hello", "Bye"]
    assert again(reading) == {"gen_ai.output.messages[*].parts[audio].transcript": ["Helo", "Bye"]}
