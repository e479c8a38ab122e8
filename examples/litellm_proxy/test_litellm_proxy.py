"""What OpenObserve shows of the LiteLLM Proxy app, asserted on its spans.

A column is an attribute with its dots as underscores: `llm.model_name` is `llm_model_name`. The span's name is
`operation_name`, its status `span_status`.

`span.openobserve()` is the record that the server stores, with the columns that it computes.
"""

import json

import openai
import pytest
from litellm_proxy_app import ask, ask_with_tools, describe, stream

from pytest_llmtrace import assert_attributes

QUESTION = "What is OpenTelemetry?"
ANSWER = "OpenTelemetry is an open source framework for collecting traces, metrics and logs."


@pytest.mark.llmtrace(cassette="builtin:litellm/stream")
def test_stream_without_asserting_spans():
    assert "".join(stream(QUESTION)) == ANSWER


@pytest.mark.llmtrace(cassette="builtin:litellm/tools")
def test_tools_without_asserting_spans():
    assert ask_with_tools("What is the weather in Paris?") == "It is 18 degrees and sunny in Paris."


@pytest.mark.llmtrace(cassette="builtin:litellm/cached")
def test_cached_tokens_without_asserting_spans():
    for _ in range(2):
        assert describe("https://example.com/collector.png")


@pytest.mark.llmtrace(cassette="builtin:litellm/chat")
def test_chat(llmtrace):
    assert ask(QUESTION) == ANSWER

    span = llmtrace.llm_span(name="ChatCompletion")
    assert_attributes(
        span,
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.model_name": "gpt-4o-mini",
            "llm.token_count.prompt": 12,
            "llm.token_count.completion": 15,
            "llm.token_count.total": 27,
            "llm.token_count.prompt_details.cache_read": 0,
            "llm.token_count.completion_details.reasoning": 0,
            "input.mime_type": "application/json",
            "output.mime_type": "application/json",
        },
    )
    assert json.loads(span.attributes["llm.invocation_parameters"]) == {"model": "gpt-4o-mini", "max_tokens": 200}
    assert span.status == "OK"
    assert span.duration > 0  # includes the proxy's own time
    assert span.resource["service.name"] == "support-bot"

    headers = dict(llmtrace.exchanges()[0].response.headers)
    assert headers["x-litellm-model-name"] == "openai/gpt-4o-mini"  # the body and the span name the proxy's alias
    assert float(headers["x-litellm-response-cost"]) == pytest.approx(12 * 0.15e-6 + 15 * 0.60e-6)
    assert headers["x-litellm-attempted-retries"] == "0"


@pytest.mark.parametrize("release", ["0.70", "0.90", "0.91", "0.92"])
@pytest.mark.llmtrace(cassette="builtin:litellm/chat")
def test_columns(llmtrace, release):
    ask(QUESTION)

    row = llmtrace.llm_span(name="ChatCompletion").openobserve(release)
    assert row["operation_name"] == "ChatCompletion"
    assert row["span_status"] == "OK"
    assert row["duration"] > 0  # includes the proxy's own time
    assert row["openinference_span_kind"] == "LLM"
    assert row["llm_system"] == "openai"
    assert row["llm_model_name"] == "gpt-4o-mini"
    tokens = [row[f"llm_token_count_{name}"] for name in ("prompt", "completion", "total")]
    assert tokens == ["12", "15", "27"]
    assert row["llm_token_count_prompt_details_cache_read"] == "0"
    assert row["llm_token_count_completion_details_reasoning"] == "0"
    assert json.loads(row["llm_invocation_parameters"]) == {"model": "gpt-4o-mini", "max_tokens": 200}
    assert row["input_mime_type"] == row["output_mime_type"] == "application/json"
    if release >= "0.80":
        assert row["gen_ai_response_model"] == "gpt-4o-mini"
    if "0.80" <= release < "0.91":
        assert row["llm_observation_type"] == "GENERATION"
        assert row["llm_request_parameters_model"] == "gpt-4o-mini"


@pytest.mark.llmtrace(cassette="builtin:litellm/stream")
def test_stream(llmtrace):
    assert "".join(stream(QUESTION)) == ANSWER

    span = llmtrace.llm_span(name="ChatCompletion")
    assert_attributes(
        span,
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.model_name": "gpt-4o-mini",
            "llm.token_count.prompt": 12,
            "llm.token_count.completion": 15,
            "llm.token_count.total": 27,
            "llm.token_count.prompt_details.cache_read": 0,
            "llm.token_count.completion_details.reasoning": 0,
            "input.mime_type": "application/json",
            "output.mime_type": "application/json",
        },
    )
    assert [event.name for event in span.events] == ["First Token Stream Event"]
    assert span.status == "OK"


@pytest.mark.llmtrace(cassette="builtin:litellm/tools")
def test_tools(llmtrace):
    assert ask_with_tools("What is the weather in Paris?") == "It is 18 degrees and sunny in Paris."

    whole = llmtrace.span(name="ask_with_tools")
    call, answer = llmtrace.llm_spans(name="ChatCompletion", status="OK")
    assert {call.parent_id, answer.parent_id} == {whole.span_id}
    tool = "llm.output_messages.0.message.tool_calls.0.tool_call"
    assert_attributes(
        call,
        {
            "llm.token_count.total": 64,
            f"{tool}.function.name": "get_weather",
            f"{tool}.function.arguments": '{"city":"Paris"}',
        },
    )
    assert answer.attributes["llm.token_count.total"] == 91


@pytest.mark.llmtrace(cassette="builtin:litellm/cached")
def test_cached_tokens(llmtrace):
    describe("https://example.com/collector.png")
    describe("https://example.com/collector.png")

    first, second = llmtrace.llm_spans(name="ChatCompletion")
    assert first.attributes["llm.token_count.prompt_details.cache_read"] == 0
    assert second.attributes["llm.token_count.prompt_details.cache_read"] == 2816
    assert second.attributes["llm.token_count.prompt"] == 2846


@pytest.mark.llmtrace(cassette="builtin:litellm/error")
def test_unknown_model(llmtrace):
    with pytest.raises(openai.BadRequestError):
        ask(QUESTION, model="gpt-4o-mni")

    span = llmtrace.llm_span(name="ChatCompletion", status="ERROR")
    assert [event.name for event in span.events] == ["exception"]
    # OpenInference names the model only in a reply; a call that failed has it in its parameters.
    assert "llm.model_name" not in span.attributes
    assert json.loads(span.attributes["llm.invocation_parameters"])["model"] == "gpt-4o-mni"


@pytest.mark.llmtrace(cassette="builtin:litellm/died")
def test_upstream_dies_in_the_middle_of_a_stream(llmtrace):
    with pytest.raises(openai.APIError, match="Connection error"):
        list(stream(QUESTION))

    span = llmtrace.llm_span(name="ChatCompletion", status="ERROR")  # although the HTTP status was 200
    assert [event.name for event in span.events] == ["First Token Stream Event", "exception"]
    assert "llm.token_count.total" not in span.attributes
