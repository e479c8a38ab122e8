"""Spans of OpenInference's instrumentors (openai 0.1.66, anthropic 3.1.0), as measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.model import Reading, State

Reader = Callable[..., Reading]
Values = Callable[[Reading], dict[str, Any]]

LLM = {"openinference.span.kind": "LLM", "llm.system": "openai", "llm.provider": "openai"}
OUT = "llm.output_messages"

PARIS = {"id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}
ROME = {"id": "call_2", "name": "weather", "arguments": {"city": "Rome"}}


def tool_call(prefix: str, call: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a tool call below a prefix."""
    return {
        f"{prefix}.tool_call.id": call["id"],
        f"{prefix}.tool_call.function.name": call["name"],
        f"{prefix}.tool_call.function.arguments": json.dumps(call["arguments"]),
    }


MEASURED = [
    pytest.param(
        {
            "llm.invocation_parameters": '{"model": "gpt-4o", "frequency_penalty": 0.1, "max_tokens": 99, "n": 2, '
            '"presence_penalty": 0.2, "seed": 7, "stop": ["END"], "stream": true, "temperature": 0.5, "top_p": 0.9}',
            "llm.model_name": "gpt-4o-2024-08-06",
            "llm.token_count.total": 150,
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 50,
            "llm.token_count.prompt_details.cache_read": 40,
            "llm.token_count.prompt_details.audio": 3,
            "llm.token_count.completion_details.reasoning": 20,
            "llm.token_count.completion_details.audio": 2,
            f"{OUT}.0.message.role": "assistant",
            f"{OUT}.0.message.content": "one",
            f"{OUT}.1.message.role": "assistant",
            f"{OUT}.1.message.content": "two",
            "llm.finish_reason": "stop",
        },
        {
            "request_model": "gpt-4o",
            "model": "gpt-4o-2024-08-06",
            "streaming": True,
            "max_tokens": 99,
            "temperature": 0.5,
            "top_p": 0.9,
            "frequency_penalty": 0.1,
            "presence_penalty": 0.2,
            "seed": 7,
            "stop": ["END"],
            "choice_count": 2,
            "finish_reason": "stop",
            "output_texts": ["one", "two"],
            "tool_calls": [],
            "input_tokens": 100,
            "output_tokens": 50,
            "total_tokens": 150,
            "cache_read_tokens": 40,
            "reasoning_tokens": 20,
            "input_audio_tokens": 3,
            "output_audio_tokens": 2,
        },
        id="chat",
    ),
    pytest.param(
        {
            "llm.invocation_parameters": '{"model": "gpt-4o", "max_completion_tokens": 77, "stop": "X"}',
            f"{OUT}.0.message.role": "assistant",
            **tool_call(f"{OUT}.0.message.tool_calls.0", PARIS),
            **tool_call(f"{OUT}.0.message.tool_calls.1", ROME),
            "llm.finish_reason": "tool_calls",
        },
        {
            "request_model": "gpt-4o",
            "max_tokens": 77,
            "stop": ["X"],
            "finish_reason": "tool_calls",
            "output_texts": [None],
            "tool_calls": [PARIS, ROME],
        },
        id="tools",
    ),
    pytest.param(  # The instrumentor (0.1.66) writes neither the name nor the arguments of a call to a computer.
        {
            f"{OUT}.0.message.role": "assistant",
            f"{OUT}.0.message.tool_calls.0.message.role": "tool",
            f"{OUT}.0.message.tool_calls.0.message.tool_call_id": "call_9",
        },
        {"output_texts": [None], "tool_calls": []},
        id="a call without a name",
    ),
    pytest.param(
        {
            "llm.request.model_name": "claude-sonnet-4-5",
            "llm.response.model_name": "claude-sonnet-4-5-20250929",
            "llm.model_name": "claude-sonnet-4-5-20250929",
            "llm.invocation_parameters": '{"max_tokens": 1024, "stop_sequences": ["END"], "top_k": 5}',
            f"{OUT}.0.message.role": "assistant",
            f"{OUT}.0.message.contents.0.message_content.type": "reasoning",
            f"{OUT}.0.message.contents.0.message_content.text": "thought",
            f"{OUT}.0.message.contents.1.message_content.type": "text",
            f"{OUT}.0.message.contents.1.message_content.text": "hello",
            "llm.token_count.prompt": 60,
            "llm.token_count.prompt_details.cache_read": 30,
            "llm.token_count.prompt_details.cache_write": 20,
        },
        {
            "request_model": "claude-sonnet-4-5",
            "response_model": "claude-sonnet-4-5-20250929",
            "model": "claude-sonnet-4-5-20250929",
            "max_tokens": 1024,
            "stop": ["END"],
            "top_k": 5,
            "output_texts": ["hello"],
            "reasoning_texts": ["thought"],
            "tool_calls": [],
            "input_tokens": 60,
            "cache_read_tokens": 30,
            "cache_write_tokens": 20,
        },
        id="messages",
    ),
    pytest.param(
        {
            "llm.invocation_parameters": '{"model": "gpt-3.5-turbo-instruct", "max_tokens": 9, "n": 2}',
            "llm.choices.0.completion.text": " one",
            "llm.choices.1.completion.text": " two",
            "llm.finish_reason": "stop",
        },
        {
            "request_model": "gpt-3.5-turbo-instruct",
            "max_tokens": 9,
            "choice_count": 2,
            "finish_reason": "stop",
            "output_texts": [" one", " two"],
        },
        id="completions",
    ),
    pytest.param(
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.invocation_parameters": '{"model": "text-embedding-3-small", "dimensions": 3}',
            "embedding.model_name": "text-embedding-3-small",
            "embedding.embeddings.0.embedding.text": "a",
            "embedding.embeddings.0.embedding.vector": (0.1, 0.2, 0.3),
            "embedding.embeddings.1.embedding.text": "b",
            "embedding.embeddings.1.embedding.vector": (0.4, 0.5, 0.6),
            "llm.token_count.prompt": 9,
        },
        {
            "request_model": "text-embedding-3-small",
            "dimensions": 3,
            "model": "text-embedding-3-small",
            "input_messages": [{"role": None, "text": "a"}, {"role": None, "text": "b"}],
            "embedding_count": 2,
            "embedding_dimensions": 3,
            "input_tokens": 9,
        },
        id="embeddings",
    ),
    pytest.param(
        {"llm.invocation_parameters": '{"model": "gpt-4o"}'},
        {"request_model": "gpt-4o"},
        id="error",
    ),
]


@pytest.mark.parametrize(("attributes", "expected"), MEASURED)
def test_measured(read: Reader, said: Values, attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    """A measured span is read whole, and nothing else is read from it."""
    reading = read({**LLM, **attributes})
    assert (reading.source, said(reading), reading.others, reading.problems) == ("openinference", expected, (), ())


def test_calls_that_stand_twice(read: Reader, said: Values, again: Values) -> None:
    """Tool calls stand beside the contents and inside them; both places are read, so that a wrong one is found."""
    contents = f"{OUT}.0.message.contents"
    attributes = {
        **LLM,
        **tool_call(f"{OUT}.0.message.tool_calls.0", PARIS),
        f"{contents}.0.message_content.type": "tool_use",
        **tool_call(f"{contents}.0", ROME),
    }
    assert said(read(attributes))["tool_calls"] == [PARIS]
    assert again(read(attributes)) == {"llm.output_messages.*.message.contents.*.tool_call": [ROME]}
    inner = {key: value for key, value in attributes.items() if ".message.tool_calls." not in key}
    assert (said(read(inner))["tool_calls"], again(read(inner))) == ([ROME], {})


def test_a_text_that_stands_twice(read: Reader, said: Values, again: Values) -> None:
    """openai-agents' instrumentor (2.6.0) writes a text whole and in parts: it is one text, read in both places."""
    contents = f"{OUT}.0.message.contents"
    attributes = {
        **LLM,
        f"{OUT}.0.message.role": "assistant",
        f"{contents}.0.message_content.type": "text",
        f"{contents}.0.message_content.text": "Sunny",
        f"{contents}.1.message_content.type": "text",
        f"{contents}.1.message_content.text": "in Rome",
        f"{OUT}.0.message.content": "Sunny\nin Paris",
        f"{OUT}.1.message.role": "assistant",
        **tool_call(f"{OUT}.1.message.tool_calls.0", PARIS),
    }
    assert said(read(attributes)) == {"output_texts": ["Sunny\nin Paris", None], "tool_calls": [PARIS]}
    assert again(read(attributes)) == {
        "llm.output_messages.*.message.contents.*.message_content[text]": ["Sunnyin Rome", None]
    }


def test_an_answer_in_audio(read: Reader, said: Values) -> None:
    """The transcript of audio is the text of its message, at a place of its own; without one, no text is stated."""
    audio = f"{OUT}.0.message.contents.0.message_content"
    attributes = {**LLM, f"{OUT}.0.message.role": "assistant", f"{audio}.type": "audio"}
    assert said(read({**attributes, f"{audio}.audio.audio.url": "data:audio/wav;base64,aGk="})) == {"tool_calls": []}
    reading = read({**attributes, f"{audio}.audio.audio.transcript": "Hello"})
    assert said(reading) == {"output_texts": ["Hello"], "tool_calls": []}
    assert reading.fact("output_texts").keys == f"{OUT}.*.message.contents.*.message_content.audio.audio.transcript"


def test_the_older_form_of_a_tool_call(read: Reader, said: Values) -> None:
    """A function call, the API's form before tool calls, has a place of its own and no id."""
    attributes = {
        **LLM,
        **tool_call(f"{OUT}.0.message.tool_calls.0", PARIS),
        f"{OUT}.1.message.function_call_name": "get_weather",
        f"{OUT}.1.message.function_call_arguments_json": '{"city": "Rome"}',
    }
    older = {"id": None, "name": "get_weather", "arguments": {"city": "Rome"}}
    assert said(read(attributes))["tool_calls"] == [PARIS, older]


def test_a_message_of_which_only_the_role_is_there(read: Reader, said: Values) -> None:
    """A message with only its role says that there was no text and no tool call: hidden messages are hidden whole."""
    assert said(read({**LLM, f"{OUT}.0.message.role": "assistant"})) == {"output_texts": [None], "tool_calls": []}


def test_a_result_of_a_tool_is_not_the_answer(read: Reader, said: Values) -> None:
    """A result of a provider's own tool stands in the place of a text, but with a type of its own."""
    contents = f"{OUT}.0.message.contents"
    attributes = {
        **LLM,
        f"{contents}.0.message_content.type": "text_editor_code_execution_tool_result",
        f"{contents}.0.message_content.text": '{"stdout": "100.0"}',
        f"{contents}.1.message_content.type": "text",
        f"{contents}.1.message_content.text": "The sum is 100.",
        f"{contents}.2.message_content.text": " Anything else?",
    }
    assert said(read(attributes))["output_texts"] == ["The sum is 100. Anything else?"]


def test_both_conventions(read: Reader, said: Values, again: Values) -> None:
    """OPENINFERENCE_ENABLE_GENAI_SEMCONV adds gen_ai.* to llm.*: both are read, so that a wrong value is found."""
    attributes = {
        **LLM,
        "llm.invocation_parameters": '{"model": "gpt-4o"}',
        "llm.token_count.prompt": 12,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.input_tokens": 13,
        "gen_ai.response.id": "chatcmpl-1",
    }
    reading = read(attributes)
    assert said(reading) == {"request_model": "gpt-4o", "input_tokens": 12, "response_id": "chatcmpl-1"}
    assert again(reading) == {"gen_ai.request.model": "gpt-4o-2024-08-06", "gen_ai.usage.input_tokens": 13}
    assert [fact.keys for fact in reading.stated("input_tokens")] == [
        "llm.token_count.prompt",
        "gen_ai.usage.input_tokens",
    ]
    assert reading.stated("seed") == ()


def test_no_place_without_the_other_convention(read: Reader) -> None:
    """Facts that only the GenAI conventions have a place for are looked for only if the span has their attributes."""
    assert not read(LLM).has_place_for("response_id")
    assert read({**LLM, "gen_ai.operation.name": "chat"}).has_place_for("response_id")


@pytest.mark.parametrize(
    "attributes",
    [
        {f"{OUT}.0.message.content": "__REDACTED__", f"{OUT}.0.message.role": "assistant"},
        {f"{OUT}.0.message.contents.0.message_content.text": "__REDACTED__"},
        {"embedding.embeddings.0.embedding.vector": "__REDACTED__"},
        {"llm.invocation_parameters": "__REDACTED__", "llm.model_name": "__REDACTED__"},
    ],
)
def test_masked(read: Reader, attributes: dict[str, Any]) -> None:
    """A masked value is not read, and is not reported as a problem."""
    reading = read({**LLM, **attributes})
    known = reading.facts.keys()
    assert known <= {"tool_calls"}
    assert reading.problems == ()


@pytest.mark.parametrize(
    ("vectors", "count", "dimensions"),
    [
        (((0.1,), (0.2, 0.3)), 2, 1),
        (((0.1,), (0.2, 0.3), (0.4,)), 3, 2),
        (("AAAA", "AAAA"), 2, None),
        (((), ()), 2, 0),
    ],
    ids=["of two lengths", "one that is longer", "encoded", "empty"],
)
def test_vectors(read: Reader, vectors: tuple[Any, ...], count: int, dimensions: int | None) -> None:
    """Vectors are counted whatever they are; if their lengths differ, the rarest length is read."""
    keys = [f"embedding.embeddings.{index}.embedding.vector" for index in range(len(vectors))]
    reading = read({"openinference.span.kind": "EMBEDDING", **dict(zip(keys, vectors, strict=True))})
    assert (reading.embedding_count, reading.embedding_dimensions) == (count, dimensions)


def test_broken_parameters(read: Reader) -> None:
    """Parameters that are not JSON make each of their facts unreadable, and are one problem."""
    reading = read({**LLM, "llm.invocation_parameters": '{"model": "gpt-4o"'})
    fact = reading.fact("request_model")
    assert (fact.state, fact.place, fact.note) == (
        State.UNREADABLE,
        "llm.invocation_parameters on span 'chat'",
        '\'{"model": "gpt-4o"\' is not JSON',
    )
    assert reading.problems == ("llm.invocation_parameters on span 'chat': '{\"model\": \"gpt-4o\"' is not JSON",)
