"""What OpenObserve shows of the Anannas app, asserted on its spans.

A column is an attribute with its dots as underscores: `llm.model_name` is `llm_model_name`. The span's name is
`operation_name`, its status `span_status`.

`span.openobserve()` is the record that the server stores, with the columns that it computes.
"""

import json
import os

import openai
import pytest
from anannas_app import ask, ask_with_tools, describe, stream

from pytest_llmtrace import assert_attributes

QUESTION = "What is OpenTelemetry?"
ANSWER = "OpenTelemetry is an open source framework for collecting traces, metrics and logs."


@pytest.mark.llmtrace(cassette="builtin:anannas/stream")
def test_stream_without_asserting_spans():
    assert "".join(stream(QUESTION)) == ANSWER


@pytest.mark.llmtrace(cassette="builtin:anannas/tools")
def test_tools_without_asserting_spans():
    assert ask_with_tools("What is the weather in Paris?") == "It is 18 degrees and sunny in Paris."


@pytest.mark.llmtrace(cassette="builtin:anannas/cached")
def test_cached_tokens_without_asserting_spans():
    for _ in range(2):
        assert describe("https://example.com/collector.png")


@pytest.mark.llmtrace(cassette="builtin:anannas/chat")
def test_chat(llmtrace):
    assert ask(QUESTION) == ANSWER

    span = llmtrace.llm_span(name="ChatCompletion")
    assert_attributes(
        span,
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.model_name": "anthropic/claude-haiku-4.5",
            "llm.token_count.prompt": 12,
            "llm.token_count.completion": 19,
            "llm.token_count.total": 31,
        },
    )
    assert json.loads(span.attributes["llm.invocation_parameters"])["model"] == "claude-haiku-4.5"
    assert span.status == "OK"
    assert span.duration > 0
    assert span.resource["service.name"] == "travel-guide"


@pytest.mark.parametrize("release", ["0.70", "0.90", "0.91", "0.92"])
@pytest.mark.llmtrace(cassette="builtin:anannas/chat")
def test_columns(llmtrace, release):
    ask(QUESTION)

    row = llmtrace.llm_span(name="ChatCompletion").openobserve(release)
    assert row["operation_name"] == "ChatCompletion"
    assert row["span_status"] == "OK"
    assert row["duration"] > 0
    assert row["openinference_span_kind"] == "LLM"
    assert row["llm_system"] == "openai"
    assert row["llm_model_name"] == "anthropic/claude-haiku-4.5"
    tokens = [row[f"llm_token_count_{name}"] for name in ("prompt", "completion", "total")]
    assert tokens == ["12", "19", "31"]
    if "0.80" <= release < "0.91":
        assert row["llm_observation_type"] == "GENERATION"
        assert row["llm_request_parameters_model"] == "claude-haiku-4.5"
        assert (row["llm_usage_tokens_input"], row["llm_usage_tokens_output"]) == (12, 19)
    if release >= "0.91":  # The columns that replaced them.
        assert row["gen_ai_operation_name"] == "chat"
        assert (row["gen_ai_usage_input_tokens"], row["gen_ai_usage_output_tokens"]) == (12, 19)
    assert os.environ["ANTHROPIC_API_KEY"] not in repr(dict(row))


@pytest.mark.llmtrace(cassette="builtin:anannas/stream")
def test_stream(llmtrace):
    assert "".join(stream(QUESTION)) == ANSWER

    span = llmtrace.llm_span(name="ChatCompletion")
    assert_attributes(
        span,
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.model_name": "anthropic/claude-haiku-4.5",
            "llm.token_count.prompt": 12,
            "llm.token_count.completion": 19,
            "llm.token_count.total": 31,
        },
    )
    assert [event.name for event in span.events] == ["First Token Stream Event"]
    assert span.status == "OK"


@pytest.mark.llmtrace(cassette="builtin:anannas/tools")
def test_tools(llmtrace):
    assert ask_with_tools("What is the weather in Paris?") == "It is 18 degrees and sunny in Paris."

    whole = llmtrace.span(name="ask_with_tools")
    call, answer = llmtrace.llm_spans(name="ChatCompletion", status="OK")
    assert {call.parent_id, answer.parent_id} == {whole.span_id}
    tool = "llm.output_messages.0.message.tool_calls.0.tool_call"
    assert_attributes(
        call,
        {
            "llm.token_count.total": 616,
            f"{tool}.function.name": "get_weather",
            f"{tool}.function.arguments": '{"city": "Paris"}',
        },
    )
    assert answer.attributes["llm.token_count.total"] == 655


@pytest.mark.llmtrace(cassette="builtin:anannas/cached")
def test_cached_tokens(llmtrace):
    describe("https://example.com/collector.png")
    describe("https://example.com/collector.png")

    first, second = llmtrace.llm_spans(name="ChatCompletion")
    assert first.attributes["llm.token_count.prompt_details.cache_read"] == 0
    assert second.attributes["llm.token_count.prompt_details.cache_read"] == 2816
    assert second.attributes["llm.token_count.completion_details.reasoning"] == 0


@pytest.mark.llmtrace(cassette="builtin:anannas/error")
def test_invalid_key(llmtrace):
    with pytest.raises(openai.AuthenticationError):
        ask(QUESTION)

    span = llmtrace.llm_span(name="ChatCompletion", status="ERROR")
    assert [event.name for event in span.events] == ["exception"]
    # OpenInference names the model only in a reply; a call that failed has it in its parameters.
    assert "llm.model_name" not in span.attributes
    assert json.loads(span.attributes["llm.invocation_parameters"])["model"] == "claude-haiku-4.5"


@pytest.mark.parametrize("key", ["ANTHROPIC_API_KEY", "ANANNAS_API_KEY"])
@pytest.mark.llmtrace(cassette="builtin:anannas/chat")
def test_keys_never_reach_a_span(llmtrace, key):
    ask(QUESTION)

    (exchange,) = llmtrace.exchanges()
    assert os.environ[key] in str(exchange.request.headers)
    for span in llmtrace.spans():
        assert os.environ[key] not in f"{span.name} {span.attributes} {span.events} {span.resource}"
