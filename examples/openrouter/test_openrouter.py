"""What OpenObserve shows of the OpenRouter app, asserted on its spans.

A column is an attribute with its dots as underscores: `llm.model_name` is `llm_model_name`. The span's name is
`operation_name`, its status `span_status`.

`span.openobserve()` is the record that the server stores, with the columns that it computes.
"""

import json

import openai
import pytest
from openrouter_app import FREE_MODELS, PAID_MODEL, ask, ask_with_tools, compare, describe, stream

from pytest_llmtrace import assert_attributes

QUESTION = "What is OpenTelemetry?"
ANSWER = "OpenTelemetry is an open source framework for collecting traces, metrics and logs."
SERVED_MODEL = "anthropic/claude-4.6-sonnet-20260217"  # what OpenRouter makes of PAID_MODEL


@pytest.mark.llmtrace(cassette="builtin:openrouter/stream")
def test_stream_without_asserting_spans():
    assert "".join(stream(QUESTION)) == ANSWER


@pytest.mark.llmtrace(cassette="builtin:openrouter/tools")
def test_tools_without_asserting_spans():
    assert ask_with_tools("What is the weather in Paris?") == "It is 18 degrees and sunny in Paris."


@pytest.mark.llmtrace(cassette="builtin:openrouter/cached")
def test_cached_tokens_without_asserting_spans():
    for _ in range(2):
        assert describe("https://example.com/collector.png")


@pytest.mark.llmtrace(cassette="builtin:openrouter/chat")
def test_chat(llmtrace):
    assert ask(QUESTION) == ANSWER

    span = llmtrace.llm_span(name="ChatCompletion")
    assert_attributes(
        span,
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.model_name": "openai/gpt-oss-20b:free",
            "llm.token_count.prompt": 71,
            "llm.token_count.completion": 34,
            "llm.token_count.total": 105,
            "llm.token_count.completion_details.reasoning": 12,
        },
    )
    assert span.status == "OK"
    assert span.duration > 0
    assert span.resource["service.name"] == "model-comparison"


@pytest.mark.parametrize("release", ["0.70", "0.90", "0.91", "0.92"])
@pytest.mark.llmtrace(cassette="builtin:openrouter/chat")
def test_columns(llmtrace, release):
    ask(QUESTION)

    row = llmtrace.llm_span(name="ChatCompletion").openobserve(release)
    assert row["operation_name"] == "ChatCompletion"
    assert row["span_status"] == "OK"
    assert row["duration"] > 0
    assert row["openinference_span_kind"] == "LLM"
    assert row["llm_system"] == "openai"
    assert row["llm_model_name"] == "openai/gpt-oss-20b:free"
    # Attributes from a client are text in OpenObserve: SUM() needs CAST(... AS INT).
    tokens = [row[f"llm_token_count_{name}"] for name in ("prompt", "completion", "total")]
    assert tokens == ["71", "34", "105"]
    if release >= "0.80":
        assert row["gen_ai_response_model"] == "openai/gpt-oss-20b:free"
    if "0.80" <= release < "0.91":  # Other releases only have llm_invocation_parameters.
        assert row["llm_request_parameters_model"] == "openai/gpt-oss-20b:free"


@pytest.mark.llmtrace(cassette="three_models")
def test_each_model_has_its_own_span(llmtrace):
    assert list(compare(QUESTION)) == FREE_MODELS

    spans = llmtrace.llm_spans()
    assert [span.attributes["llm.model_name"] for span in spans] == FREE_MODELS
    assert [span.attributes["llm.token_count.total"] for span in spans] == [105, 20, 21]
    assert len({span.trace_id for span in spans}) == 3


@pytest.mark.llmtrace(cassette="builtin:openrouter/stream")
def test_stream(llmtrace):
    assert "".join(stream(QUESTION)) == ANSWER

    span = llmtrace.llm_span(name="ChatCompletion")
    assert_attributes(
        span,
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.model_name": SERVED_MODEL,
            "llm.token_count.prompt": 13,
            "llm.token_count.completion": 19,
            "llm.token_count.total": 32,
        },
    )
    assert json.loads(span.attributes["llm.invocation_parameters"])["model"] == PAID_MODEL
    assert [event.name for event in span.events] == ["First Token Stream Event"]
    assert span.status == "OK"


@pytest.mark.llmtrace(cassette="builtin:openrouter/tools")
def test_tools(llmtrace):
    assert ask_with_tools("What is the weather in Paris?") == "It is 18 degrees and sunny in Paris."

    whole = llmtrace.span(name="ask_with_tools")
    call, answer = llmtrace.llm_spans(name="ChatCompletion", status="OK")
    assert {call.parent_id, answer.parent_id} == {whole.span_id}
    tool = "llm.output_messages.0.message.tool_calls.0.tool_call"
    assert_attributes(
        call,
        {
            "llm.model_name": SERVED_MODEL,
            "llm.token_count.total": 616,
            f"{tool}.function.name": "get_weather",
            f"{tool}.function.arguments": '{"city": "Paris"}',
        },
    )
    assert_attributes(answer, {"llm.model_name": SERVED_MODEL, "llm.token_count.total": 655})


@pytest.mark.llmtrace(cassette="builtin:openrouter/cached")
def test_cached_tokens(llmtrace):
    describe("https://example.com/collector.png")
    describe("https://example.com/collector.png")

    first, second = llmtrace.llm_spans(name="ChatCompletion")
    assert first.attributes["llm.token_count.prompt_details.cache_read"] == 0
    assert second.attributes["llm.token_count.prompt_details.cache_read"] == 2816
    assert second.attributes["llm.token_count.prompt"] == 2846


@pytest.mark.llmtrace(cassette="builtin:openrouter/error")
def test_rate_limited_model(llmtrace):
    with pytest.raises(openai.RateLimitError):
        ask(QUESTION)

    span = llmtrace.llm_span(name="ChatCompletion", status="ERROR")
    assert [event.name for event in span.events] == ["exception"]
    # OpenInference names the model only in a reply; a call that failed has it in its parameters.
    assert "llm.model_name" not in span.attributes
    assert json.loads(span.attributes["llm.invocation_parameters"]) == {"model": "openai/gpt-oss-20b:free"}


@pytest.mark.llmtrace(cassette="one_model_limited")
def test_a_limited_model_does_not_stop_the_comparison(llmtrace):
    assert compare(QUESTION)["google/gemma-4-31b-it:free"] == "(rate limited)"

    assert [span.status for span in llmtrace.llm_spans()] == ["OK", "ERROR", "OK"]
