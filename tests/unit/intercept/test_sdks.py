"""The SDKs let a refusal through at once, unretried and unwrapped."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from pytest_llmtrace.errors import UnmatchedRequest
from pytest_llmtrace.intercept import _refusal
from pytest_llmtrace.model import Answer, Failure, Outcome, Response

MESSAGES: Any = [{"role": "user", "content": "hi"}]
CHUNK = b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
EVENTS = (CHUNK, CHUNK, b"data: [DONE]\n\n")


def _openai(base_url: str, **options: Any) -> Any:
    client = openai.OpenAI(api_key="k", base_url=base_url, **options)
    return client, lambda **more: client.chat.completions.create(model="m", messages=MESSAGES, **more)


def _async_openai(base_url: str, **options: Any) -> Any:
    client = openai.AsyncOpenAI(api_key="k", base_url=base_url, **options)
    return client, lambda **more: client.chat.completions.create(model="m", messages=MESSAGES, **more)


def _anthropic(base_url: str, **options: Any) -> Any:
    client = anthropic.Anthropic(api_key="k", base_url=base_url, **options)
    return client, lambda **more: client.messages.create(model="m", max_tokens=9, messages=MESSAGES, **more)


def _async_anthropic(base_url: str, **options: Any) -> Any:
    client = anthropic.AsyncAnthropic(api_key="k", base_url=base_url, **options)
    return client, lambda **more: client.messages.create(model="m", max_tokens=9, messages=MESSAGES, **more)


SDKS = [_openai, _async_openai, _anthropic, _async_anthropic]


def _call(make: Callable[..., Any], base_url: str, **options: Any) -> None:
    client, create = make(base_url, **options)
    if not make.__name__.startswith("_async"):
        with client:
            create()
        return

    async def call() -> None:
        async with client:
            await create()

    asyncio.run(call())


@pytest.mark.parametrize("make", SDKS)
def test_a_refusal_surfaces_at_once(ledger: Any, server: Any, make: Callable[..., Any]) -> None:
    """One request is sent, so nothing waits, and our error surfaces: of the SDK's own kind, and an AssertionError."""
    with pytest.raises(UnmatchedRequest, match=r"^nothing answered POST http://llm\.test") as refused:
        _call(make, server.url)
    assert isinstance(refused.value, (openai.OpenAIError, anthropic.AnthropicError))
    assert isinstance(refused.value, AssertionError)
    assert type(refused.value).__qualname__ == "UnmatchedRequest"
    assert [exchange.outcome for exchange in ledger.exchanges()] == [Outcome.REFUSED]
    assert server.connections == 0


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/messages"])
def test_over_aiohttp(trace: Any, script: Any, server: Any, path: str) -> None:
    """The SDKs' aiohttp transports bypass the pool: their requests are answered and refused at the client."""
    make = _async_openai if path == "/chat/completions" else _async_anthropic
    sdk: Any = openai if make is _async_openai else anthropic
    body = b'{"id":"1","type":"message","role":"assistant","content":[],"model":"m","choices":[]}'
    json = (("content-type", "application/json"),)
    ledger = trace()
    for answers, outcome in (({}, Outcome.REFUSED), ({path: body}, Outcome.ANSWERED)):
        script.answers |= {
            path: Answer(response=Response(status=200, headers=json, chunks=(chunk,)), origin="the script")
            for path, chunk in answers.items()
        }

        async def call(outcome: Outcome = outcome) -> None:
            kind = sdk.DefaultAioHttpClient if importlib.util.find_spec("aiohttp") else sdk.DefaultAsyncHttpxClient
            client, create = make(server.url, http_client=kind())
            async with client:
                if outcome is Outcome.ANSWERED:
                    assert (await create()).id == "1"
                else:
                    with pytest.raises(UnmatchedRequest):
                        await create()

        asyncio.run(call())
        assert [exchange.outcome for exchange in ledger.exchanges()][-1] is outcome
    assert (len(ledger.exchanges()), server.connections, ledger.blocked()) == (2, 0, ())


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_stream_arrives_in_its_chunks(trace: Any, script: Any, is_async: bool) -> None:
    """The SDK iterates over events, then drains and closes: each chunk is noted once, to the end."""
    headers = (("content-type", "text/event-stream"),)
    script.answers["/chat/completions"] = Answer(
        response=Response(status=200, headers=headers, chunks=EVENTS), origin="the script"
    )
    ledger = trace()
    client, create = (_async_openai if is_async else _openai)("http://llm.test")

    async def read() -> int:
        async with client:
            return len([chunk async for chunk in await create(stream=True)])

    if is_async:
        assert asyncio.run(read()) == 2
    else:
        with client:
            assert len(list(create(stream=True))) == 2
    [exchange] = ledger.exchanges()
    assert (exchange.response.chunks, exchange.stream_end.value) == (EVENTS, "exhausted")


@pytest.mark.parametrize("make", SDKS)
def test_recorded_failures_are_retried_like_real_ones(
    trace: Any, script: Any, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Any]
) -> None:
    """The SDK cannot tell recorded failures from the network's: it wraps them in its own connection error."""
    answer = Answer(response=Response(status=200), origin="the script", failure=Failure.CONNECT_ERROR)
    script.answers |= dict.fromkeys(("/chat/completions", "/v1/messages"), answer)
    trace()
    with pytest.raises((openai.APIConnectionError, anthropic.APIConnectionError)):
        _call(make, "http://llm.test", max_retries=0)


def test_openai_1_gets_a_reply(driver: Any, ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only openai 1 gets a reply, which says not to retry, since that SDK retries and wraps every exception."""
    monkeypatch.setattr(openai, "__version__", "1.109.1")
    response = driver.post("http://llm.test/x", headers={"X-Stainless-Package-Version": "1.109.1"})
    assert (response.status_code, response.headers["x-should-retry"]) == (418, "false")
    [exchange] = ledger.exchanges()
    assert (exchange.outcome, exchange.response, exchange.failure) == (Outcome.REFUSED, None, response.text)
    with pytest.raises(UnmatchedRequest):
        driver.post("http://llm.test/x", headers={"x-stainless-package-version": "0.125.0"})
    assert not _refusal.wants_reply(())
