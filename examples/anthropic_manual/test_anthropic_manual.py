"""The spans of a wrapper that is written by hand, checked with ordinary asserts.

The attributes are the names that a back end is queried by: a Jaeger tag, a TraceQL condition, an OpenObserve column
(dots become underscores there; columns that OpenObserve computes come with its view, `span.openobserve()`).
"""

import asyncio

import anthropic
import pytest
from manual_app import ask, ask_about, astream, provider, run_agent, stream

QUESTION = "What is OpenTelemetry?"
ANSWER = "OpenTelemetry is an open source framework for collecting traces, metrics and logs."


def read(prompt):
    return "".join(stream(prompt))


async def aread(prompt):
    return "".join([text async for text in astream(prompt)])


both = pytest.mark.parametrize("answer", [read, lambda prompt: asyncio.run(aread(prompt))], ids=["sync", "async"])


@both
@pytest.mark.llmtrace(cassette="builtin:anthropic/stream")
def test_stream_without_asserting_spans(answer):
    assert answer(QUESTION) == ANSWER


@pytest.mark.llmtrace(cassette="builtin:anthropic/stream")
@pytest.mark.parametrize("streamed", [stream, astream], ids=["sync", "async"])
def test_stream_is_left_in_every_way(llmtrace_exits, streamed):
    llmtrace_exits.run(lambda: streamed(QUESTION))


@pytest.mark.llmtrace(cassette="builtin:anthropic/stream")
@pytest.mark.parametrize("llmtrace_exits", ["cancelled"], indirect=True)
def test_stream_is_cancelled(llmtrace_exits):
    llmtrace_exits.run(lambda: astream(QUESTION))


@pytest.mark.llmtrace(cassette="builtin:anthropic/tools")
def test_tools_without_asserting_spans():
    assert run_agent("Where is order A-1001?") == "Order A-1001 was shipped on Monday."


@pytest.mark.llmtrace(cassette="builtin:anthropic/cached")
def test_cached_tokens_without_asserting_spans():
    for _ in range(2):
        assert ask_about("https://example.com/handbook.pdf", "How do customers return a parcel?")


@pytest.mark.llmtrace(cassette="builtin:anthropic/messages")
def test_message(llmtrace):
    assert ask(QUESTION) == ANSWER

    span = llmtrace.llm_span(scope="chat-api.llm")
    assert span.name == "anthropic.messages.create"
    assert span.kind == "CLIENT"
    assert span.attributes["gen_ai.system"] == "anthropic"
    assert span.attributes["gen_ai.request.model"] == "claude-haiku-4-5"
    assert span.attributes["gen_ai.request.max_tokens"] == 1024
    assert span.attributes["gen_ai.response.model"] == "claude-haiku-4-5-20251001"
    assert span.attributes["gen_ai.response.stop_reason"] == "end_turn"
    assert span.attributes["gen_ai.usage.input_tokens"] == 12
    assert span.attributes["gen_ai.usage.output_tokens"] == 19
    assert span.attributes["gen_ai.latency_ms"] > 0
    assert span.duration > 0
    assert span.status == "OK"
    assert span.resource["service.name"] == "chat-api"


@both
@pytest.mark.llmtrace(cassette="builtin:anthropic/stream")
def test_stream(llmtrace, answer):
    assert answer(QUESTION) == ANSWER

    span = llmtrace.llm_span(scope="chat-api.llm")
    assert span.name == "anthropic.messages.stream"
    assert span.attributes["gen_ai.response.model"] == "claude-haiku-4-5-20251001"
    assert span.attributes["gen_ai.response.stop_reason"] == "end_turn"
    assert span.attributes["gen_ai.usage.input_tokens"] == 12
    assert span.attributes["gen_ai.usage.output_tokens"] == 19  # not the 1 that the stream began with
    assert 0 < span.attributes["gen_ai.time_to_first_token_ms"] <= span.attributes["gen_ai.latency_ms"]
    assert span.status == "OK"


@pytest.mark.llmtrace(cassette="builtin:anthropic/tools")
def test_tools(llmtrace):
    assert run_agent("Where is order A-1001?") == "Order A-1001 was shipped on Monday."

    call, answer = llmtrace.llm_spans(name="anthropic.messages.create")
    assert call.attributes["gen_ai.response.stop_reason"] == "tool_use"
    assert call.attributes["gen_ai.response.tool_calls.count"] == 1
    assert call.attributes["gen_ai.response.tool_calls.names"] == ("find_order",)
    assert answer.attributes["gen_ai.response.stop_reason"] == "end_turn"

    agent = llmtrace.span(name="agent.run")
    assert {call.parent_id, answer.parent_id} == {agent.span_id}
    for span in llmtrace.spans():
        assert "A-1001" not in str(span.attributes)  # a tool's input may hold customers' data


@pytest.mark.llmtrace(
    cassette="tool_returns_nothing",
    ignore={"agent/repeated-tool-call": "this test is about an agent that does so"},
)
def test_agent_that_keeps_calling_the_same_tool(llmtrace):
    run_agent("Where is order B-2002?")

    names = [span.attributes.get("gen_ai.response.tool_calls.names", ()) for span in llmtrace.llm_spans()]
    assert names == [("find_order",)] * 4 + [()]


@pytest.mark.llmtrace(cassette="builtin:anthropic/cached")
def test_cached_tokens(llmtrace):
    for _ in range(2):
        ask_about("https://example.com/handbook.pdf", "How do customers return a parcel?")

    first, second = llmtrace.llm_spans(name="anthropic.messages.create")
    assert first.attributes["gen_ai.usage.cache_write.input_tokens"] == 4212
    assert second.attributes["gen_ai.usage.cache_read.input_tokens"] == 4212
    assert second.attributes["gen_ai.usage.input_tokens"] == 4227  # 15 new ones and what the cache gave


@pytest.mark.llmtrace(cassette="builtin:anthropic/messages")
def test_no_call_is_slow_without_being_huge(llmtrace):
    ask(QUESTION)

    def slow_for_its_size(span):
        small = span.attributes["gen_ai.usage.input_tokens"] < 2000
        return small and span.duration > 5 and span.attributes["gen_ai.response.stop_reason"] == "end_turn"

    assert not [span for span in llmtrace.llm_spans() if slow_for_its_size(span)]


@pytest.mark.llmtrace(cassette="builtin:anthropic/error")
def test_overloaded(llmtrace):
    with pytest.raises(anthropic.APIStatusError):
        ask(QUESTION)

    assert len(llmtrace.exchanges()) == 2  # the SDK tried twice, which is one call and one span
    span = llmtrace.llm_span(scope="chat-api.llm", status="ERROR")
    assert [event.name for event in span.events] == ["exception"]
    assert "overloaded_error" in span.events[0].attributes["exception.message"]
    assert "gen_ai.usage.input_tokens" not in span.attributes


@pytest.mark.llmtrace(cassette="builtin:anthropic/messages")
def test_spans_are_seen_after_the_provider_was_shut_down(llmtrace):
    provider.shutdown()
    ask(QUESTION)

    assert llmtrace.llm_span(scope="chat-api.llm").status == "OK"


# Calls that were slow without being large. `duration` is in microseconds; counts are text before they are cast.
SLOW_BUT_NOT_HUGE = """
SELECT operation_name, duration / 1000000 AS seconds, gen_ai_response_stop_reason AS stop_reason
FROM "default"
WHERE duration > 5000000 AND CAST(gen_ai_usage_input_tokens AS INT) < 2000
"""


@pytest.mark.llmtrace(timing="recorded")
def test_slow_but_not_huge(llmtrace):
    gateway = llmtrace.gateway("anthropic")
    gateway.messages(text="Soon.", usage={"input_tokens": 12, "output_tokens": 2})
    gateway.messages(text="Late.", usage={"input_tokens": 12, "output_tokens": 2}, first_token=6)
    gateway.messages(text="Long.", usage={"input_tokens": 90_000, "output_tokens": 2}, first_token=8)
    assert [ask(QUESTION) for _ in range(3)] == ["Soon.", "Late.", "Long."]

    assert llmtrace.openobserve().sql(SLOW_BUT_NOT_HUGE) == [
        {"operation_name": "anthropic.messages.create", "seconds": 6, "stop_reason": "end_turn"}
    ]
