"""Spans of Langfuse 5.0 and MLflow 3.17, as measured, and as users write them by hand in those forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import dialects
from pytest_llmtrace.model import Reading, SpanKey, SpanRecord, State

Reader = Callable[..., Reading]
Values = Callable[[Reading], dict[str, Any]]

PARIS = {"id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}
OPENAI_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
CHAT_USAGE = {
    "prompt_tokens": 1040,
    "completion_tokens": 57,
    "total_tokens": 1097,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 32, "audio_tokens": 4},
}
CHAT_COUNTS = {
    "input_tokens": 1040,
    "output_tokens": 57,
    "total_tokens": 1097,
    "cache_read_tokens": 1024,
    "reasoning_tokens": 32,
    "input_audio_tokens": 8,
    "output_audio_tokens": 4,
}
RESPONSES_USAGE = {
    "input_tokens": 1040,
    "output_tokens": 57,
    "total_tokens": 1097,
    "input_tokens_details": {"cached_tokens": 1024},
    "output_tokens_details": {"reasoning_tokens": 32},
}
RESPONSES_COUNTS = {name: count for name, count in CHAT_COUNTS.items() if "audio" not in name}
MESSAGES_USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 30,
    "output_tokens": 5,
}
MESSAGES_COUNTS = {"input_tokens": 60, "output_tokens": 5, "cache_read_tokens": 30, "cache_write_tokens": 20}
OUTPUT_ITEMS: list[dict[str, Any]] = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "content": None},
    {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Let me see."}],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Paris"}'},
    {"type": "web_search_call", "id": "ws_1", "status": "completed"},
]
MESSAGE_PARTS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "Hm.", "signature": "x"},
    {"type": "text", "text": "Let me see."},
    {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
]
SAID = {"output_texts": ["Let me see."], "reasoning_texts": ["Hm."], "tool_calls": [PARIS]}


def langfuse(kind: str = "generation", **attributes: Any) -> dict[str, Any]:
    """Write a Langfuse span: `usage_details={...}` becomes JSON text, `model__name` becomes `model.name`."""
    named = {f"langfuse.observation.{name.replace('__', '.')}": value for name, value in attributes.items()}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in named.items()}
    return {"langfuse.observation.type": kind, **texts}


def mlflow(kind: str = "CHAT_MODEL", **attributes: Any) -> dict[str, Any]:
    """Write an MLflow span, on which every value is JSON text."""
    named = {f"mlflow.{name.replace('__', '.')}": json.dumps(value) for name, value in attributes.items()}
    return {"mlflow.spanType": json.dumps(kind), **named}


MEASURED = [
    pytest.param(  # from langfuse.openai import OpenAI
        langfuse(
            model__name="gpt-4o-mini-2024-07-18",
            model__parameters={"temperature": 1, "max_tokens": "Infinity", "top_p": 0.9, "frequency_penalty": 0},
            input=[{"role": "user", "content": "Weather?"}],
            output={"role": "assistant", "tool_calls": [OPENAI_CALL], "content": None},
            usage_details=CHAT_USAGE,
            cost_details={"total": 0.002},
        ),
        {
            "input_messages": [{"role": "user", "text": "Weather?"}],
            "model": "gpt-4o-mini-2024-07-18",
            "temperature": 1,
            "top_p": 0.9,
            "frequency_penalty": 0,
            "output_texts": [None],
            "tool_calls": [PARIS],
            "cost": 0.002,
            **CHAT_COUNTS,
        },
        id="langfuse, chat",
    ),
    pytest.param(
        langfuse(
            model__name="gpt-4o",
            model__parameters={"max_completion_tokens": 256, "n": 2, "seed": 7},
            output=[{"role": "assistant", "content": "One."}, {"role": "assistant", "content": "Two."}],
        ),
        {
            "model": "gpt-4o",
            "max_tokens": 256,
            "choice_count": 2,
            "seed": 7,
            "output_texts": ["One.", "Two."],
            "tool_calls": [],
        },
        id="langfuse, choices",
    ),
    pytest.param(
        langfuse(
            model__name="gpt-4o", output="A standard.", metadata__finish_reason='"stop"', usage_details=CHAT_USAGE
        ),
        {"model": "gpt-4o", "output_texts": ["A standard."], "finish_reason": "stop", **CHAT_COUNTS},
        id="langfuse, stream",
    ),
    pytest.param(
        langfuse(
            output=OUTPUT_ITEMS, usage_details=RESPONSES_USAGE, metadata__id='"resp_1"', metadata__object='"response"'
        ),
        {
            **SAID,
            **RESPONSES_COUNTS,
        },
        id="langfuse, stream of the responses API",
    ),
    pytest.param(
        langfuse(output=OUTPUT_ITEMS[1]),
        {"output_texts": ["Let me see."], "tool_calls": []},
        id="langfuse, responses API with one item",
    ),
    pytest.param(
        langfuse(
            "embedding",
            output={"dimensions": 8, "count": 2},
            usage_details={"input": 12},
            model__parameters={"dimensions": 8},
        ),
        {"embedding_count": 2, "embedding_dimensions": 8, "input_tokens": 12, "dimensions": 8},
        id="langfuse, embeddings",
    ),
    pytest.param(
        langfuse(model__name="gpt-4o", level="ERROR", cost_details={"input": 0, "output": 0, "total": 0}),
        {"model": "gpt-4o", "cost": 0},
        id="langfuse, error",
    ),
    pytest.param(  # langfuse.langchain.CallbackHandler
        langfuse(
            output={
                "role": "assistant",
                "content": MESSAGE_PARTS[1:3],
                "tool_calls": [{"name": "weather", "args": {"city": "Paris"}, "id": "call_1", "type": "tool_call"}],
            },
            usage_details={
                "input": 10,
                "output": 25,
                "total": 117,
                "input_cache_read": 30,
                "input_cache_creation": 20,
                "output_reasoning": 32,
            },
        ),
        {
            "output_texts": ["Let me see."],
            "tool_calls": [PARIS],
            "input_tokens": 60,
            "output_tokens": 57,
            "total_tokens": 117,
            "cache_read_tokens": 30,
            "cache_write_tokens": 20,
            "reasoning_tokens": 32,
        },
        id="langfuse, langchain",
    ),
    pytest.param(
        langfuse(
            output={
                "role": "assistant",
                "content": [
                    {**MESSAGE_PARTS[2], "input": {}, "partial_json": '{"city": "Paris"}'},
                    {**OUTPUT_ITEMS[2], "call_id": "call_2"},
                ],
            },
        ),
        {"output_texts": [None], "tool_calls": [PARIS, {**PARIS, "id": "call_2"}]},
        id="langfuse, langchain, stream",
    ),
    pytest.param(
        langfuse(
            output=[{"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "run", "input": "ls"}]
        ),
        {"output_texts": [None], "tool_calls": [{"id": "call_1", "name": "run", "arguments": "ls"}]},
        id="langfuse, custom tool",
    ),
    pytest.param(  # LiteLLM's callback `langfuse_otel`: reasoning is a message with a role of its own.
        langfuse(
            output=[
                {"role": "reasoning_summary", "content": "I should look."},
                {"role": "assistant", "content": "It is sunny."},
            ]
        ),
        {"reasoning_texts": ["I should look."], "output_texts": ["It is sunny."], "tool_calls": []},
        id="langfuse, reasoning by its role",
    ),
    pytest.param(
        langfuse(
            output=[
                {"role": "reasoning_summary", "content": "I should look."},
                {"role": "assistant", "content": "Wait."},
                {
                    "type": "function_call",
                    "id": "fc_1",
                    "call_id": "call_1",
                    "name": "sky",
                    "arguments": {"city": "Rome"},
                },
            ]
        ),
        {
            "reasoning_texts": ["I should look."],
            "output_texts": ["Wait."],
            "tool_calls": [{"id": "call_1", "name": "sky", "arguments": {"city": "Rome"}}],
        },
        id="langfuse, reasoning by its role, and an item",
    ),
    pytest.param(
        langfuse(output=[{"role": "reasoning_summary", "content": "I should look."}]),
        {"reasoning_texts": ["I should look."]},
        id="langfuse, nothing but reasoning by its role",
    ),
    pytest.param(  # A conversation is no answer: the question and the tool's result are not the model's.
        langfuse(output=[{"role": "user", "content": "sky?"}, {"type": "function_call", "name": "sky"}]),
        {},
        id="langfuse, a conversation",
    ),
    pytest.param(  # Snowflake's answers have all the fields that they might have.
        langfuse(output={"role": "assistant", "content": "Hi", "function_call": {"name": "", "arguments": ""}}),
        {"output_texts": ["Hi"], "tool_calls": []},
        id="langfuse, a function call that is none",
    ),
    pytest.param(  # Written by hand, around Anthropic's SDK.
        langfuse(output=MESSAGE_PARTS, usage_details=MESSAGES_USAGE, model__parameters={"stop_sequences": ["END"]}),
        {**SAID, **MESSAGES_COUNTS, "stop": ["END"]},
        id="langfuse, parts of a message",
    ),
    pytest.param(
        langfuse(
            output={"type": "message", "role": "assistant", "content": MESSAGE_PARTS, "stop_reason": "tool_use"},
            usage_details={"input": 10, "output": 5, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 20},
            cost_details={"input": 0.25, "output": 0.5, "cache": None},
        ),
        {**SAID, **MESSAGES_COUNTS, "finish_reasons": ["tool_use"], "cost": 0.75},
        id="langfuse, a message",
    ),
    pytest.param(  # mlflow.openai.autolog()
        {
            **mlflow(
                spanInputs={"model": "gpt-4o", "messages": [], "max_tokens": 256, "stream": True, "stop": "END"},
                message__format="openai",
                llm__model="gpt-4o-2024-08-06",
                chat__tokenUsage={
                    "input_tokens": 1040,
                    "output_tokens": 57,
                    "total_tokens": 1097,
                    "cache_read_input_tokens": 1024,
                },
                spanOutputs={
                    "id": "chatcmpl-1",
                    "object": "chat.completion",
                    "model": "gpt-4o-2024-08-06",
                    "choices": [
                        {
                            "finish_reason": "stop",
                            "message": {"role": "assistant", "content": "A.", "tool_calls": None},
                        },
                        {
                            "finish_reason": "tool_calls",
                            "message": {"content": None, "refusal": "No.", "tool_calls": [OPENAI_CALL]},
                        },
                    ],
                    "usage": CHAT_USAGE,
                },
            ),
            "model": '"gpt-4o"',
            "max_tokens": "256",
            "stream": "true",
            "n": "2",
        },
        {
            "request_model": "gpt-4o",
            "max_tokens": 256,
            "streaming": True,
            "stop": ["END"],
            "choice_count": 2,
            "model": "gpt-4o-2024-08-06",
            "response_id": "chatcmpl-1",
            "response_model": "gpt-4o-2024-08-06",
            "finish_reasons": ["stop", "tool_calls"],
            "output_texts": ["A.", None],
            "refusals": ["No."],
            "tool_calls": [PARIS],
            **CHAT_COUNTS,
        },
        id="mlflow, chat",
    ),
    pytest.param(
        mlflow(
            spanInputs={"model": "gpt-4o", "input": "Weather?", "max_output_tokens": 256},
            spanOutputs={
                "id": "resp_1",
                "object": "response",
                "model": "gpt-4o",
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
                "output": OUTPUT_ITEMS,
                "usage": RESPONSES_USAGE,
            },
        ),
        {
            "input_messages": [{"role": "user", "text": "Weather?"}],
            "request_model": "gpt-4o",
            "max_tokens": 256,
            "response_id": "resp_1",
            "response_model": "gpt-4o",
            "finish_reasons": ["max_output_tokens"],
            **SAID,
            **RESPONSES_COUNTS,
        },
        id="mlflow, responses API",
    ),
    pytest.param(
        mlflow(spanOutputs={"output": OUTPUT_ITEMS[1:2], "status": None}),
        {"output_texts": ["Let me see."], "tool_calls": []},
        id="mlflow, responses API, what came of a stream",
    ),
    pytest.param(  # mlflow.anthropic.autolog()
        mlflow(
            spanInputs={"model": "claude-haiku-4-5", "messages": [], "max_tokens": 256, "stop_sequences": ["END"]},
            message__format="anthropic",
            llm__model="claude-haiku-4-5",
            chat__tokenUsage={
                "input_tokens": 60,
                "output_tokens": 5,
                "total_tokens": 65,
                "cache_read_input_tokens": 30,
                "cache_creation_input_tokens": 20,
            },
            spanOutputs={
                "id": "msg_1",
                "type": "message",
                "model": "claude-haiku-4-5-20251001",
                "content": MESSAGE_PARTS,
                "stop_reason": "tool_use",
                "usage": MESSAGES_USAGE,
            },
        ),
        {
            "request_model": "claude-haiku-4-5",
            "max_tokens": 256,
            "stop": ["END"],
            "model": "claude-haiku-4-5",
            "response_id": "msg_1",
            "response_model": "claude-haiku-4-5-20251001",
            "finish_reasons": ["tool_use"],
            "total_tokens": 65,
            **SAID,
            **MESSAGES_COUNTS,
        },
        id="mlflow, messages API",
    ),
    pytest.param(
        mlflow(
            message__format="anthropic",
            llm__model="claude-haiku-4-5",
            spanOutputs="<anthropic.Stream object at 0x7f5c1a6f5510>",
        ),
        {"model": "claude-haiku-4-5"},
        id="mlflow, messages API, stream",
    ),
    pytest.param(
        mlflow(
            "EMBEDDING",
            spanInputs={"model": "small", "input": ["one", "two"], "dimensions": 2},
            llm__model="small",
            llm__cost={"input_cost": 0.5, "total_cost": 0.5},
            spanOutputs={
                "object": "list",
                "model": "small",
                "data": [{"embedding": [0.5, 0.25]}, {"embedding": [0.5, 0.25]}],
                "usage": {"prompt_tokens": 12, "total_tokens": 12},
            },
        ),
        {
            "input_messages": [{"role": "user", "text": "one"}, {"role": "user", "text": "two"}],
            "request_model": "small",
            "dimensions": 2,
            "model": "small",
            "response_model": "small",
            "cost": 0.5,
            "embedding_count": 2,
            "embedding_dimensions": 2,
            "input_tokens": 12,
            "total_tokens": 12,
        },
        id="mlflow, embeddings",
    ),
    pytest.param(
        mlflow("LLM", message__format="openai", spanOutputs="A standard."),
        {"output_texts": ["A standard."]},
        id="mlflow, stream of the completions API",
    ),
    pytest.param(
        mlflow(
            "LLM",
            message__format="openai",
            spanOutputs={"choices": [{"text": "One.", "finish_reason": "length"}, {"text": "Two."}]},
        ),
        {"finish_reasons": ["length", None], "output_texts": ["One.", "Two."], "tool_calls": []},
        id="mlflow, completions API",
    ),
]


def generation(content: Any, **message: Any) -> dict[str, Any]:
    """Write one of LangChain's generations as it is dumped: with the fields of any message, but no `tool_calls`."""
    return {"text": "", "message": {"content": content, "additional_kwargs": {}, "type": "ai", **message}}


BY_OPENAI = {"response_metadata": {"model_provider": "openai"}}
CALLED = [{"id": "c1", "name": "f", "arguments": {"x": 1}}]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(
            generation(
                [
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "id": "rs_1"},
                    {"type": "text", "text": "Hi"},
                    {"type": "function_call", "name": "f", "arguments": '{"x":1}', "call_id": "c1", "id": "fc_1"},
                ],
                **BY_OPENAI,
            ),
            {"output_texts": ["Hi"], "reasoning_texts": ["hm"], "tool_calls": CALLED},
            id="responses API",
        ),
        pytest.param(
            generation(["", {"type": "thinking", "thinking": "hm", "signature": "x"}, "Hi"], **BY_OPENAI),
            {"output_texts": ["Hi"], "reasoning_texts": ["hm"], "tool_calls": []},
            id="messages API, stream",
        ),
        pytest.param(
            generation(
                [
                    {"type": "thinking", "thinking": "hm"},
                    {"type": "tool_use", "id": "c1", "name": "f", "input": {}, "partial_json": '{"x": 1}'},
                    {"type": "server_tool_use", "id": "s1", "name": "search", "input": {}},
                ],
                **BY_OPENAI,
            ),
            {"output_texts": [None], "reasoning_texts": ["hm"], "tool_calls": CALLED},
            id="messages API, stream with a tool call",
        ),
        pytest.param(
            generation(
                [
                    {"type": "reasoning", "reasoning": "hm"},
                    {"type": "text", "text": "Hi"},
                    {"type": "tool_call", "name": "f", "args": {"x": 1}, "id": "c1"},
                    {"type": "server_tool_call", "name": "search", "args": {}, "id": "s1"},
                ],
                **BY_OPENAI,
            ),
            {"output_texts": ["Hi"], "reasoning_texts": ["hm"], "tool_calls": CALLED},
            id="output_version v1",
        ),
        pytest.param(
            generation(
                [
                    {"type": "text", "text": "Hi", "index": 0, "id": "c1", "name": "f", "args": '{"x":1}'},
                    {"type": "tool_call_chunk", "id": "c2", "name": "f", "args": '{"x":1}', "index": 1},
                ],
                **BY_OPENAI,
            ),
            {"output_texts": ["Hi"], "tool_calls": [*CALLED, {**CALLED[0], "id": "c2"}]},
            id="output_version v1, chat stream",
        ),
        pytest.param(
            generation(
                "",
                additional_kwargs={
                    "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": '{"x": 1}'}}],
                    "reasoning_content": "hm",
                    "refusal": "No.",
                },
            ),
            {"output_texts": [None], "reasoning_texts": ["hm"], "refusals": ["No."], "tool_calls": CALLED},
            id="chat API, before version 1",
        ),
        # The message's calls are in a field that is not dumped, so there may be tool calls or not.
        pytest.param(generation("Hi", **BY_OPENAI), {"output_texts": ["Hi"]}, id="a text"),
        pytest.param(generation([{"type": "text", "text": "Hi"}]), {"output_texts": ["Hi"]}, id="a list of old"),
        pytest.param(
            {"text": "Hi", "type": "Generation"}, {"output_texts": ["Hi"], "tool_calls": []}, id="completions"
        ),
    ],
)
def test_generations(read: Reader, said: Values, one: dict[str, Any], expected: dict[str, Any]) -> None:
    """mlflow.langchain.autolog() dumps LangChain's message if MLflow's own form has no place for one of its parts."""
    reading = read(mlflow(spanOutputs={"generations": [[one]], "llm_output": None, "type": "LLMResult"}))
    assert (said(reading), reading.problems) == (expected, ())


def test_a_reasoning_item_among_the_parts_of_a_message(read: Reader, said: Values) -> None:
    """LangChain's message of the Responses API is written in MLflow's own form if that has a place for all parts."""
    parts = [{"type": "reasoning", "summary": [{"text": "h"}, {"text": "m"}]}, {"type": "text", "text": "Hi"}]
    message = {"role": "assistant", "content": parts, "tool_calls": None}
    reading = read(mlflow(spanOutputs={"choices": [{"message": message, "finish_reason": None}]}))
    assert said(reading) == {"output_texts": ["Hi"], "reasoning_texts": ["hm"], "tool_calls": []}


@pytest.mark.parametrize(("attributes", "expected"), MEASURED)
def test_measured(read: Reader, said: Values, attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    """A span is recognised by its kind in any scope, and each fact is read in that platform's own terms."""
    reading = read(attributes)
    assert reading.source == ("mlflow" if "mlflow.spanType" in attributes else "langfuse")
    assert said(reading) == expected
    assert reading.problems == ()


@pytest.mark.parametrize(
    "attributes",
    [
        langfuse("span"),
        langfuse("agent", model__name="gpt-4o"),
        mlflow("CHAIN"),
        mlflow("UNKNOWN", llm__model="gpt-4o"),
        {"mlflow.spanType": 7, "langfuse.observation.type": ("generation",)},
    ],
)
def test_steps_are_no_calls(attributes: dict[str, Any]) -> None:
    """Spans of other kinds are steps of the application, whatever other attributes they have."""
    assert dialects.read(SpanRecord(key=SpanKey(1, 1), name="step", scope="app", attributes=attributes)) is None


@pytest.mark.parametrize(
    ("usage", "input_tokens", "output_tokens"),
    [
        ({"input": 10, "output": 5}, 10, 5),
        ({"input": 10, "input_cached_tokens": 30, "output": 5, "output_reasoning_tokens": 2}, 40, 7),
        ({"INPUT": 10, "cache_read_input_tokens": 30, "input_audio_tokens": None}, 40, None),
        ({"prompt_tokens": 40, "prompt_tokens_details": {"cached_tokens": 30}, "input_x": 9}, 40, None),
        ({"input_tokens": 40, "input_tokens_details": {"cached_tokens": 30}, "cost": 0.1}, 40, None),
        ({"input_tokens": 40, "output_tokens": 5, "total_tokens": 45}, 40, 5),
        ({"input_tokens": 10, "output_tokens": 5, "total_tokens": 45, "cache_read_input_tokens": 30}, 40, 5),
        ({"total": 45}, None, None),
        ({}, None, None),
    ],
)
def test_langfuse_sums_up_each_side(
    read: Reader, usage: dict[str, Any], input_tokens: int | None, output_tokens: int | None
) -> None:
    """Counts whose names contain `input` or `output` are parts of that sum; in OpenAI's forms the first is the sum."""
    reading = read(langfuse(usage_details=usage))
    assert (reading.input_tokens, reading.output_tokens) == (input_tokens, output_tokens)


def test_langfuse_parts_are_all_in_the_place(read: Reader) -> None:
    """The place of a sum names its parts, for whoever reads that the sum is wrong."""
    reading = read(langfuse(usage_details={"input": 1040, "input_cached_tokens": 1024}))
    key = "langfuse.observation.usage_details"
    assert reading.fact("input_tokens").parts == ((f"{key}[input]", 1040), (f"{key}[input_cached_tokens]", 1024))


@pytest.mark.parametrize("usage", [{"input": "ten"}, {"input": 10, "input_cached_tokens": "many"}, '{"input": 10', "7"])
def test_langfuse_counts_that_are_none(read: Reader, usage: Any) -> None:
    """A value that is not a count, or not JSON, is unreadable; a usage that is not an object says nothing."""
    expected = State.ABSENT if usage == "7" else State.UNREADABLE
    assert read(langfuse(usage_details=usage)).fact("input_tokens").state is expected


@pytest.mark.parametrize(
    "attributes",
    [
        langfuse(output={"answer": 42}),
        langfuse(output=["a", "b"]),
        langfuse(output={"count": 3}),
        langfuse(output='{"role": "assistant", "content": "A stan'),
        langfuse(output={"role": "assistant", "content": 7}),
        langfuse(output=""),
        langfuse(output="A TITLE", input={"args": ["a text"], "kwargs": {}}),
        langfuse(metadata__id='"42"', metadata__customer="7"),
        mlflow(spanInputs={"question": "?", "n": 3}, spanOutputs="A TITLE"),
        mlflow(spanInputs={"model": "gpt-4o", "n": 3}, spanOutputs={"id": "42", "model": "gpt-4o", "usage": 3}),
        mlflow(spanInputs=None, spanOutputs=[1.5]),
        mlflow(spanOutputs={"choices": ["red", "blue"]}),
    ],
)
def test_what_a_function_of_ones_own_takes_and_returns(read: Reader, said: Values, attributes: dict[str, Any]) -> None:
    """Inputs and outputs may hold anything: only values in the form of a request or a response are read as one."""
    reading = read(attributes)
    assert said(reading) == {}
    assert reading.problems == ()


@pytest.mark.parametrize("metadata", ['"length"', "length"])
def test_langfuse_metadata_of_each_version(read: Reader, metadata: str) -> None:
    """Version 5 writes metadata as JSON, and earlier versions write the values as they are."""
    assert read(langfuse(metadata__finish_reason=metadata)).finish_reason == "length"


@pytest.mark.parametrize(
    "moment", ['"2026-11-29T04:12:11.750000Z"', "2026-11-29T04:12:11.750000+00:00", "2026-11-29T04:12:11.75"]
)
def test_langfuse_time_to_first_token(moment: str) -> None:
    """The time of day of the first token is read as seconds since the span's start."""
    attributes = langfuse(completion_start_time=moment)
    start = 1_795_925_531_500_000_000  # 2026-11-29T04:12:11.5Z
    span = SpanRecord(key=SpanKey(1, 1), name="call", scope="langfuse-sdk", start_ns=start, attributes=attributes)
    reading = dialects.read(span)
    assert reading is not None
    assert reading.time_to_first_token == 0.25


def test_langfuse_time_that_is_none(read: Reader) -> None:
    """A text that is not an ISO 8601 time is unreadable."""
    fact = read(langfuse(completion_start_time="soon")).fact("time_to_first_token")
    assert (fact.state, fact.note) == (State.UNREADABLE, "'soon' is not an ISO 8601 time")


OMIT = "<openai.Omit object at 0x7f8688654910>"


@pytest.mark.parametrize("left_out", ["NOT_GIVEN", OMIT, OMIT.replace("openai", "anthropic")])
def test_what_nobody_gave_is_left_out(read: Reader, said: Values, left_out: str) -> None:
    """mlflow.trace(client.chat.completions.create) also writes arguments that were not given; these say nothing."""
    names = ("instructions", "max_completion_tokens", "n", "prompt", "seed", "stop", "stream", "system", "top_p")
    asked = {"model": "gpt-4o", "input": "Hi", "max_tokens": 9}
    reading = read(mlflow(spanInputs={**dict.fromkeys(names, left_out), **asked}))
    expected = {"request_model": "gpt-4o", "max_tokens": 9, "input_messages": [{"role": "user", "text": "Hi"}]}
    assert said(reading) == expected
    assert reading.problems == ()


def test_a_text_that_begins_like_what_was_left_out(read: Reader, said: Values) -> None:
    """A text of the user that begins like the mark of an argument that was not given is read as it is."""
    reading = read(mlflow(spanInputs={"model": "gpt-4o", "input": f"{OMIT}?", "stop": "NOT_GIVEN."}))
    texts = [{"role": "user", "text": f"{OMIT}?"}]
    assert said(reading) == {"request_model": "gpt-4o", "stop": ["NOT_GIVEN."], "input_messages": texts}


def test_mlflow_usage_is_looked_at_in_both_places(read: Reader, again: Values) -> None:
    """The response's own usage, in the output, is read beside the usage that MLflow adds up."""
    reply = {"object": "chat.completion", "choices": [], "usage": CHAT_USAGE}
    reading = read(mlflow(chat__tokenUsage={"input_tokens": 1041}, spanOutputs=reply))
    assert reading.fact("input_tokens").place == "mlflow.chat.tokenUsage[input_tokens] on span 'chat'"
    assert again(reading) == {"mlflow.spanOutputs[usage]": 1040}


def test_mlflow_text_that_is_no_json(read: Reader) -> None:
    """A value that is not JSON, and so was not written by MLflow, is one problem."""
    reading = read({"mlflow.spanType": '"LLM"', "mlflow.chat.tokenUsage": "ten", "mlflow.llm.model": "gpt-4o"})
    assert reading.problems == (
        "mlflow.llm.model on span 'chat': 'gpt-4o' is not JSON",
        "mlflow.chat.tokenUsage on span 'chat': 'ten' is not JSON",
    )
