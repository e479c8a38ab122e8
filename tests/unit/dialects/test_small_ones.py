"""Spans of OpenLLMetry 0.62, logfire 5, the Anthropic SDK 2 and hand-written wrappers, as measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import dialects
from pytest_llmtrace.model import Reading, SpanEvent, SpanKey, SpanRecord

Reader = Callable[..., Reading]
Values = Callable[[Reading], dict[str, Any]]

PARIS = {"id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}

ANTHROPIC_USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 30,
    "output_tokens": 5,
}

PARIS_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
# openai-agents writes 0 for what was not counted.
AGENTS_USAGE = (
    '{"requests":1,"input_tokens":100,"output_tokens":20,"total_tokens":120,'
    '"input_tokens_details":{"cache_write_tokens":0,"cached_tokens":64},"output_tokens_details":{"reasoning_tokens":0}}'
)
# The prompt, and then the answer; reasoning has no event of its own kind.
ANSWERED = [
    {"event.name": "gen_ai.system.message", "role": "system", "content": "Be kind"},
    {"event.name": "gen_ai.assistant.message", "role": "assistant", "content": "Good morning"},
    {"event.name": "gen_ai.user.message", "role": "user", "content": "Is it warm in Paris?"},
    {"event.name": "gen_ai.unknown", "role": "assistant", "content": "reasoning\n\nSee JSON for details", "data": {}},
    {"event.name": "gen_ai.assistant.message", "role": "assistant", "content": "hm"},
    {"event.name": "gen_ai.assistant.message", "role": "assistant", "tool_calls": [PARIS_CALL]},
]

MEASURED = [
    pytest.param(
        "opentelemetry.instrumentation.openai.v1",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.is_streaming": False,
            "gen_ai.response.finish_reasons": ("tool_call",),
            "gen_ai.usage.total_tokens": 150,
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 40,
            "gen_ai.usage.reasoning_tokens": 20,
        },
        "openllmetry",
        {
            "request_model": "gpt-4o",
            "streaming": False,
            "finish_reasons": ["tool_call"],
            "input_tokens": 100,
            "total_tokens": 150,
            "cache_read_tokens": 40,
            "reasoning_tokens": 20,
        },
        id="openllmetry",
    ),
    pytest.param(
        "opentelemetry.instrumentation.groq",
        {
            "llm.request.type": "chat",
            "llm.is_streaming": True,
            "gen_ai.request.model": "llama",
            "llm.usage.total_tokens": 20,
            "gen_ai.usage.prompt_tokens": 12,
            "gen_ai.usage.completion_tokens": 8,
            "gen_ai.usage.cache_creation_input_tokens": 2,
            "gen_ai.usage.cache_read_input_tokens": 3,
            "llm.chat.stop_sequences": ("END",),
            "llm.headers": "None",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "hm",
            "gen_ai.completion.0.finish_reason": "stop",
            "gen_ai.completion.1.finish_reason": "tool_calls",
            "gen_ai.completion.1.tool_calls.0.id": "call_1",
            "gen_ai.completion.1.tool_calls.0.name": "weather",
            "gen_ai.completion.1.tool_calls.0.arguments": '{"city": "Paris"}',
        },
        "openllmetry",
        {
            "request_model": "llama",
            "streaming": True,
            "stop": ["END"],
            "finish_reasons": ["stop", "tool_calls"],
            "output_texts": ["hm", None],
            "tool_calls": [PARIS],
            "input_tokens": 12,
            "output_tokens": 8,
            "total_tokens": 20,
            "cache_read_tokens": 3,
            "cache_write_tokens": 2,
        },
        id="openllmetry of old",
    ),
    pytest.param(  # litellm 1.110, callback `otel`
        "litellm",
        {
            "llm.request.type": "acompletion",
            "gen_ai.operation.name": "acompletion",
            "litellm.call_id": "38120b57",
            "gen_ai.request.model": "claude-haiku-4-5",
            "gen_ai.cost.total_cost": 5.2e-05,
            "llm.is_streaming": True,
            "gen_ai.response.finish_reasons": '["tool_calls"]',
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.total_tokens": 20,
            "gen_ai.completion.0.function_call.name": "weather",
            "gen_ai.completion.0.function_call.arguments": '{"city": "Paris"}',
        },
        "litellm",
        {
            "request_model": "claude-haiku-4-5",
            "cost": 5.2e-05,
            "streaming": True,
            "finish_reasons": ["tool_calls"],
            "input_tokens": 12,
            "total_tokens": 20,
            "tool_calls": [{**PARIS, "id": None}],
        },
        id="litellm",
    ),
    pytest.param(  # pydantic-ai 2.68
        "pydantic-ai",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.finish_reasons": ("tool_call",),
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.details.cache_read_tokens": 4,
            "gen_ai.usage.details.cache_write_tokens": 3,
            "gen_ai.usage.details.reasoning_tokens": 30,
            "gen_ai.usage.details.input_audio_tokens": 2,
            "gen_ai.usage.details.output_audio_tokens": 1,
            "gen_ai.client.operation.time_to_first_chunk": 0.8,
        },
        "pydantic-ai",
        {
            "request_model": "gpt-4o",
            "finish_reasons": ["tool_call"],
            "input_tokens": 12,
            "cache_read_tokens": 4,
            "cache_write_tokens": 3,
            "reasoning_tokens": 30,
            "input_audio_tokens": 2,
            "output_audio_tokens": 1,
            "time_to_first_token": 0.8,
        },
        id="pydantic-ai",
    ),
    pytest.param(  # LiteLLM writes on the current span, if there is one.
        "my-app",
        {"llm.request.type": "completion", "litellm.call_id": "1", "gen_ai.operation.name": "chat", "llm.top_k": 5},
        "litellm",
        {"top_k": 5},
        id="litellm on a span of the application",
    ),
    pytest.param(
        "com.anthropic.sdk.python.bedrock",
        {"gen_ai.operation.name": "chat", "anthropic.message.stop_reason": "end_turn"},
        "anthropic-native",
        {"finish_reason": "end_turn"},
        id="anthropic on a cloud",
    ),
    pytest.param(
        "com.anthropic.sdk.python",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.input_tokens": 60,
            "anthropic.request.id": "req_1",
            "anthropic.message.stop_reason": "end_turn",
            "gen_ai.usage.cache_write.input_tokens": 20,
        },
        "anthropic-native",
        {
            "finish_reason": "end_turn",
            "request_id": "req_1",
            "request_model": "claude-sonnet-4-5",
            "input_tokens": 60,
            "cache_write_tokens": 20,
        },
        id="anthropic",
    ),
    pytest.param(
        "chat-api.llm",
        {
            "gen_ai.system": "anthropic",
            "gen_ai.request.model": "claude-haiku-4-5",
            "gen_ai.request.max_tokens": 1024,
            "gen_ai.response.stop_reason": "tool_use",
            "gen_ai.response.tool_calls.count": 2,
            "gen_ai.response.tool_calls.names": ("weather", "weather"),
            "gen_ai.usage.input_tokens": 60,
            "gen_ai.latency_ms": 412.0,
        },
        "hand-written",
        {
            "finish_reason": "tool_use",
            "tool_call_count": 2,
            "tool_call_names": ["weather", "weather"],
            "latency": 0.412,
            "request_model": "claude-haiku-4-5",
            "max_tokens": 1024,
            "input_tokens": 60,
        },
        id="hand-written",
    ),
    pytest.param(
        "logfire.openai",
        {
            "request_data": '{"model":"gpt-4o","stream":false}',
            "gen_ai.operation.name": "chat",
            "gen_ai.request.stop_sequences": '["END"]',
            "gen_ai.response.finish_reasons": '["stop"]',
            "gen_ai.usage.raw": '{"completion_tokens":50,"prompt_tokens":100,"total_tokens":150,'
            '"completion_tokens_details":{"reasoning_tokens":20},"prompt_tokens_details":{"cached_tokens":40}}',
        },
        "logfire",
        {
            "request_model": "gpt-4o",
            "streaming": False,
            "stop": ["END"],
            "finish_reasons": ["stop"],
            "input_tokens": 100,
            "output_tokens": 50,
            "total_tokens": 150,
            "cache_read_tokens": 40,
            "reasoning_tokens": 20,
        },
        id="logfire, openai",
    ),
    pytest.param(
        "logfire.anthropic",
        {
            "request_data": '{"max_tokens":1024,"model":"claude-sonnet-4-5","top_k":5}',
            "gen_ai.operation.name": "chat",
            "response_data": json.dumps(
                {
                    "message": {
                        "role": "assistant",
                        "content": "hm",
                        "tool_calls": [
                            {"id": "call_1", "function": {"name": "weather", "arguments": '{"input":{"city":"Paris"}}'}}
                        ],
                    },
                    "usage": ANTHROPIC_USAGE,
                }
            ),
        },
        "logfire",
        {
            "request_model": "claude-sonnet-4-5",
            "max_tokens": 1024,
            "top_k": 5,
            "output_texts": ["hm"],
            "tool_calls": [PARIS],
            "input_tokens": 60,
            "output_tokens": 5,
            "cache_read_tokens": 30,
            "cache_write_tokens": 20,
        },
        id="logfire, anthropic",
    ),
    pytest.param(
        "logfire.openai_agents",
        {
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "output": json.dumps([{"role": "assistant", "content": "hm", "refusal": None, "tool_calls": [PARIS_CALL]}]),
            "usage": AGENTS_USAGE,
        },
        "logfire",
        {
            "request_model": "gpt-4o",
            "output_texts": ["hm"],
            "tool_calls": [PARIS],
            "input_tokens": 100,
            "output_tokens": 20,
            "cache_read_tokens": 64,
        },
        id="logfire, openai-agents, chat",
    ),
    pytest.param(
        "semantic_kernel.utils.telemetry.model_diagnostics.decorators",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.finish_reason": "FinishReason.TOOL_CALLS",
        },
        "otel-genai",
        {"request_model": "gpt-4o", "finish_reason": "FinishReason.TOOL_CALLS"},
        id="Semantic Kernel",
    ),
    pytest.param(
        "logfire.openai_agents",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.finish_reasons": '["tool_calls"]',
            "events": json.dumps(ANSWERED),
        },
        "logfire",
        {
            "request_model": "gpt-4o",
            "input_messages": [
                {"role": "system", "text": "Be kind"},
                {"role": "assistant", "text": "Good morning"},
                {"role": "user", "text": "Is it warm in Paris?"},
            ],
            "finish_reasons": ["tool_calls"],
            "output_texts": ["hm", None],
            "tool_calls": [PARIS],
        },
        id="logfire, openai-agents, responses",
    ),
]


@pytest.mark.parametrize(("scope", "attributes", "source", "expected"), MEASURED)
def test_measured(
    read: Reader, said: Values, scope: str, attributes: dict[str, Any], source: str, expected: dict[str, Any]
) -> None:
    """A measured span is read whole, and nothing else is read from it."""
    reading = read(attributes, scope=scope)
    assert (reading.source, said(reading), reading.others, reading.problems) == (source, expected, (), ())


def test_every_count_of_one_span(read: Reader, said: Values, again: Values) -> None:
    """Logfire's copies of counts are read beside the usage itself, in which Anthropic's input counts are added up."""
    reading = read(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.raw": json.dumps(ANTHROPIC_USAGE),
            "response_data": json.dumps({"usage": ANTHROPIC_USAGE}),
        },
        scope="logfire.anthropic",
    )
    assert said(reading)["input_tokens"] == 10
    assert [(fact.keys, fact.value) for fact in reading.others if fact.name == "input_tokens"] == [
        ("gen_ai.usage.raw", 60),
        ("response_data[usage]", 60),
    ]
    assert again(reading)["response_data[usage.cache_read_input_tokens]"] == 30


@pytest.mark.parametrize("cost", [0.015, {"input_tokens_cost": 0.005, "total_cost": 0.015}])
def test_cost_in_a_usage_of_logfire(read: Reader, cost: Any) -> None:
    """The attribute has the provider's usage as it came: a cost is a number, or Perplexity's parts and their total."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.usage.raw": json.dumps({"prompt_tokens": 1, "cost": cost})}
    assert read(attributes, scope="logfire.openai").cost == 0.015


def test_a_completion_that_cannot_be_read(read: Reader) -> None:
    """A flattened list with a wrong value is one problem, which names the list."""
    reading = read({"llm.request.type": "chat", "gen_ai.completion.0.finish_reason": 3})
    assert reading.fact("finish_reasons").keys == "gen_ai.completion.*.finish_reason"
    assert reading.problems == ("gen_ai.completion on span 'chat': a finish reason is not a string",)


@pytest.mark.parametrize(
    ("attributes", "scope"),
    [
        ({"gen_ai.operation.name": "chat", "gen_ai.response.time_to_first_chunk": 0.8}, "app"),
        ({"gen_ai.operation.name": "chat", "gen_ai.response.time_to_first_chunk": 0.8}, "com.anthropic.sdk.python"),
        ({"gen_ai.request.model": "m", "gen_ai.time_to_first_token_ms": 800}, "app"),
    ],
)
def test_time_to_first_token(read: Reader, attributes: dict[str, Any], scope: str) -> None:
    """The time is read in seconds, whatever its unit on the span."""
    assert read(attributes, scope=scope).time_to_first_token == 0.8


def test_time_of_an_event() -> None:
    """OpenInference marks the first token by an event; the first such event counts, from the start of the span."""
    span = SpanRecord(
        key=SpanKey(1, 1),
        name="ChatCompletion",
        attributes={"openinference.span.kind": "LLM"},
        events=tuple(SpanEvent(name=name, time_ns=time) for name, time in EVENTS),
        start_ns=1_000_000_000,
    )
    reading = dialects.read(span)
    assert reading is not None
    assert reading.time_to_first_token == 0.8
    assert reading.fact("time_to_first_token").place == "event 'First Token Stream Event' on span 'ChatCompletion'"


EVENTS = (("other", 5), ("First Token Stream Event", 1_800_000_000), ("First Token Stream Event", 2_000_000_000))


ASKED = {"llm.request.type": "chat", "gen_ai.request.model": "gpt-4o"}
BARE = {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.finish_reason": "tool_calls"}
BARE_JSON = {"gen_ai.output.messages": '[{"role": "assistant", "content": null, "finish_reason": "tool_calls"}]'}
SHOWN = {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Weather in Paris?"}
SHOWN_JSON = {
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]}]'
}


@pytest.mark.parametrize("answer", [BARE, BARE_JSON])
@pytest.mark.parametrize("shown", [SHOWN, SHOWN_JSON])
def test_bare_message_beside_question(read: Reader, answer: dict[str, Any], shown: dict[str, Any]) -> None:
    """If the span shows the prompt, content is captured, so an empty message asks for no tool."""
    assert read({**ASKED, **shown, **answer}).tool_calls == []


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"gen_ai.prompt.0.role": "user"},
        {"gen_ai.prompt.0.content": "__REDACTED__"},
        {"gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text"}]}]'},
        {"gen_ai.input.messages": '[{"role"'},
        {**SHOWN, "gen_ai.completion.0.function_call.name": "weather"},
    ],
    ids=["nothing", "role", "masked", "no content", "broken", "a form that is not known"],
)
def test_bare_message_alone(read: Reader, beside: dict[str, Any]) -> None:
    """If content may not be captured, an empty message says nothing of tools."""
    assert read({**ASKED, **BARE, **beside}).tool_calls is None


def test_no_message_beside_question(read: Reader) -> None:
    """An answer that is not on the span says nothing, whatever else is: many instrumentations leave it out."""
    assert read({**ASKED, **SHOWN, "gen_ai.response.finish_reasons": ("tool_calls",)}).tool_calls is None


def test_flattened_messages_of_others(read: Reader, said: Values) -> None:
    """AgentOps 0.4 writes messages like OpenLLMetry, but none of OpenLLMetry's distinctive attributes."""
    reading = read(
        {
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.streaming": True,
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "Hi",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.finish_reason": "stop",
            "gen_ai.completion.0.content": "Yes.",
        },
        scope="openai",
    )
    assert said(reading) == {
        "request_model": "gpt-4o",
        "streaming": True,
        "input_messages": [{"role": "user", "text": "Hi"}],
        "finish_reasons": ["stop"],
        "output_texts": ["Yes."],
        "tool_calls": [],
    }
