"""Streams of the real SDKs that are left early, under an instrumentation that always sets the status OK."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import anthropic
import openai
import pytest
import trio
from opentelemetry import trace as otel

from pytest_llmtrace import LLMTrace
from pytest_llmtrace.exits import Exits
from pytest_llmtrace.model import Exchange, StreamEnd

pytestmark = pytest.mark.usefixtures("few_objects")
Source = Callable[[], AsyncIterator[Any]]
QUESTION: Any = [{"role": "user", "content": "hi"}]
tracer = otel.get_tracer("app")


async def _chat() -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(api_key="x") as client:
        async for chunk in await client.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True):
            yield chunk


async def _messages() -> AsyncIterator[Any]:
    known = "open_telemetry" in inspect.signature(anthropic.AsyncAnthropic).parameters
    quiet: dict[str, Any] = {"open_telemetry": False} if known else {}
    async with anthropic.AsyncAnthropic(api_key="x", **quiet) as client:
        stream = await client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=QUESTION, stream=True)
        async for event in stream:
            yield event


def ok(stream: Source, **attributes: Any) -> Source:
    """Put a stream into a span whose status is OK however it is left."""

    async def traced() -> AsyncIterator[Any]:
        span = tracer.start_span("chat", attributes={"gen_ai.request.model": "m", **attributes})
        try:
            with otel.use_span(span, record_exception=False, set_status_on_exception=False):
                items = aiter(stream())
                first = await anext(items)
            yield first
            async for item in items:
                yield item
        finally:
            span.set_status(otel.StatusCode.OK)
            span.end()

    return traced


STREAMS: dict[str, Source] = {"openai": _chat, "anthropic": _messages}
RUNNERS: dict[str, Callable[..., Any]] = {
    "asyncio": lambda function, source: asyncio.run(function(source)),
    "trio": trio.run,
}


def left(way: str, sdk: str, runner: str, **attributes: Any) -> tuple[Exchange, list[str]]:
    """Leave a stream, and return the exchange and the `stream/` checks that have findings."""
    with LLMTrace(gateway=sdk, verify=False) as trace:
        RUNNERS[runner](Exits(trace, way).arun, ok(STREAMS[sdk], **attributes))
        evidence, verdict = trace.judge()
    [exchange] = evidence.exchanges
    return exchange, [finding.check for finding in verdict.findings if finding.check.startswith("stream/")]


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("sdk", STREAMS)
def test_a_cancelled_call_is_known_as_that(sdk: str, runner: str) -> None:
    """The cancellation reaches the transport: the exchange is marked as cancelled, and OK on its span is a finding."""
    exchange, found = left("cancelled", sdk, runner)
    assert exchange.stream_end is StreamEnd.CANCELLED
    assert exchange.response is not None
    assert 0 < len(exchange.response.chunks) < 9
    assert found == ["stream/cancelled"]


@pytest.mark.parametrize("sdk", STREAMS)
@pytest.mark.parametrize("way", ["break", "close", "dropped", "consumer-raises", "wrapper-closed"])
def test_a_reader_that_stops_is_no_failure_and_no_fault(way: str, sdk: str) -> None:
    """OK is right for a reader that stops because it has seen enough."""
    exchange, found = left(way, sdk, "asyncio")
    assert exchange.stream_end in {StreamEnd.CLOSED, StreamEnd.OPEN}
    assert found == []


@pytest.mark.parametrize("sdk", STREAMS)
def test_a_stream_that_is_closed_when_the_event_loop_ends(sdk: str) -> None:
    """The loop cancels the task in which it closes a dropped generator; nobody was waiting for the stream by then."""

    async def drop(turns: int) -> None:
        wrapped = _again(ok(STREAMS[sdk])())
        await anext(wrapped)
        await wrapped.aclose()
        for _ in range(turns):  # So far the task has come when the loop ends.
            await asyncio.sleep(0)

    for turns in range(9):
        with LLMTrace(gateway=sdk, verify=False) as trace:
            asyncio.run(drop(turns))
            evidence, verdict = trace.judge()
        assert [exchange.stream_end for exchange in evidence.exchanges] == [StreamEnd.CLOSED]
        assert [finding.check for finding in verdict.findings if finding.check.startswith("stream/")] == []


async def _again(items: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    async for item in items:
        yield item


@pytest.mark.parametrize("way", ["break", "cancelled", "truncated", "disconnected"])
def test_a_placeholder_is_found_however_the_stream_was_left(way: str) -> None:
    """Anthropic's first output count, left on the span as if it were the final one, is a finding."""
    counts = {"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 1}
    assert "stream/partial-usage" in left(way, "anthropic", "asyncio", **counts)[1]
    assert "stream/partial-usage" not in left("drained", "anthropic", "asyncio", **counts)[1]
