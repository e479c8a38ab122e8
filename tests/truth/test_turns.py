"""A turn that Anthropic pauses, continued by a loop of the application around the real SDK, inside one span."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import pytest
from opentelemetry import metrics, trace

from pytest_llmtrace import LLMTrace

MODEL = "claude-haiku-4-5"
QUESTION = {"role": "user", "content": "Will it rain?"}
TEXTS = ("Let me look.", "It will.")
tracer = trace.get_tracer("app")
meter = metrics.get_meter("app")

Ask = Callable[[Any, list[Any]], Any]


def plain(client: Any, messages: list[Any]) -> Any:
    """Ask for a whole reply."""
    return client.messages.create(model=MODEL, max_tokens=99, messages=messages)


def streamed(client: Any, messages: list[Any]) -> Any:
    """Ask for a stream, and read it to its end."""
    stream = client.messages.stream(model=MODEL, max_tokens=99, messages=messages)
    if not hasattr(stream, "__aenter__"):
        with stream as events:
            return events.get_final_message()

    async def read() -> Any:
        async with stream as events:
            return await events.get_final_message()

    return read()


async def turn(client: Any, ask: Ask, told: list[Any]) -> None:
    """Make a turn of as many requests as it takes, and keep the replies."""
    messages: list[Any] = [QUESTION]
    while not told or told[-1].stop_reason == "pause_turn":
        reply = ask(client, messages)
        told.append(await reply if inspect.isawaitable(reply) else reply)
        messages = [*messages, {"role": "assistant", "content": told[-1].content}]


def write(span: trace.Span, told: list[Any], counted: list[Any]) -> None:
    """Write a turn on its span; the tokens are those of some of its replies."""
    span.set_attributes(
        {
            "gen_ai.response.id": told[-1].id,
            "gen_ai.response.finish_reasons": [told[-1].stop_reason],
            "gen_ai.completion": "".join(block.text for reply in told for block in reply.content),
            "gen_ai.usage.input_tokens": sum(reply.usage.input_tokens for reply in counted),
            "gen_ai.usage.output_tokens": sum(reply.usage.output_tokens for reply in counted),
        }
    )


def findings(run: Callable[[], Awaitable[None]], *waits: float, timing: Any = "instant") -> list[str]:
    """Return the checks that have findings on a turn of two requests; the seconds are those to their first tokens."""
    with LLMTrace(verify=False, timing=timing) as seen:
        for text, stop, wait in zip(TEXTS, ("pause_turn", "end_turn"), waits or (None, None), strict=True):
            seen.gateway("anthropic").messages(text=text, stop_reason=stop, stream_chunks=2, first_token=wait)
        asyncio.run(run())  # type: ignore[arg-type]
        assert len(seen.exchanges()) == len(TEXTS)
        return [finding.check for finding in seen.findings() if not finding.check.startswith("convention/")]


@pytest.fixture(params=[anthropic.Anthropic, anthropic.AsyncAnthropic], ids=["sync", "async"])
def client(request: pytest.FixtureRequest) -> Any:
    """Make a client of the SDK, without the spans that newer releases make themselves."""
    known = "open_telemetry" in inspect.signature(request.param).parameters
    return request.param(api_key="replayed", **({"open_telemetry": False} if known else {}))


@pytest.mark.parametrize("ask", [plain, streamed])
@pytest.mark.parametrize(
    ("last", "found"), [(False, []), (True, ["wire/input-tokens", "wire/output-tokens"])], ids=["all", "last"]
)
def test_a_turn_in_one_span(client: Any, ask: Ask, last: bool, found: list[str]) -> None:
    """The span of a turn is right if it counts all of its requests, and wrong if it counts only one of them."""

    async def run() -> None:
        told: list[Any] = []
        with tracer.start_as_current_span("turn", attributes={"gen_ai.operation.name": "chat"}) as span:
            await turn(client, ask, told)
            write(span, told, told[-1:] if last else told)

    assert findings(run) == found


@pytest.mark.parametrize("ask", [plain, streamed])
def test_a_span_for_each_request(client: Any, ask: Ask) -> None:
    """Where each request of a turn has a span, each states what its own reply says."""

    def ask_in_a_span(client: Any, messages: list[Any]) -> Any:
        async def asked() -> Any:
            with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}) as span:
                reply = ask(client, messages)
                reply = await reply if inspect.isawaitable(reply) else reply
                write(span, [reply], [reply])
                return reply

        return asked()

    async def run() -> None:
        await turn(client, ask_in_a_span, [])

    assert findings(run) == []


@pytest.mark.parametrize(("seconds", "found"), [(1.5, []), (0.2, ["stream/time-to-first-token"])])
def test_the_first_token_of_a_turn(client: Any, seconds: float, found: list[str]) -> None:
    """The first token of a turn comes with its first reply, even if the last one takes longer to begin."""

    async def run() -> None:
        told: list[Any] = []
        with tracer.start_as_current_span("turn", attributes={"gen_ai.operation.name": "chat"}) as span:
            await turn(client, streamed, told)
            write(span, told, told)
            span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)

    assert findings(run, 1.0, 3.0, timing="recorded") == found


@pytest.mark.parametrize(
    ("measured", "found"),
    [((24,), []), ((12, 12), []), ((12,), ["metric/token-usage"])],
    ids=["once", "for each request", "the last request"],
)
def test_the_metrics_of_a_turn(client: Any, measured: tuple[int, ...], found: list[str]) -> None:
    """A turn may be measured once or for each of its requests, but no request may be left out."""

    async def run() -> None:
        told: list[Any] = []
        with tracer.start_as_current_span("turn", attributes={"gen_ai.operation.name": "chat"}) as span:
            await turn(client, plain, told)
            write(span, told, told)
        usage = meter.create_histogram("gen_ai.client.token.usage", unit="{token}")
        for count in measured:
            usage.record(count, {"gen_ai.token.type": "input", "gen_ai.operation.name": "chat"})

    assert findings(run) == found
