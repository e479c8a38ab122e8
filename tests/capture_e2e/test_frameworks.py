"""Calls of a framework whose callbacks start and end spans in the threads of a pool, like LangChain's."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from opentelemetry import trace

from pytest_llmtrace import LLMTrace

http = import_module("httpx2" if find_spec("httpx2") else "httpx")
framework, sdk = trace.get_tracer("framework"), trace.get_tracer("sdk")

URL = "https://api.openai.com/v1/chat/completions"
MODEL = "gpt-4o"
CALLS = 4


async def callback(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function like langchain-core: in the loop's pool, in a copy of the context, from a task of its own."""

    async def handed() -> Any:
        run = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(None, partial(run, function, *arguments))

    [result] = await asyncio.gather(handed())
    return result


def start(number: int) -> trace.Span:
    attributes = {"openinference.span.kind": "LLM", "llm.system": "openai", "llm.model_name": MODEL}
    asked = f'{{"model": "{MODEL}", "temperature": {number / 10}}}'
    return framework.start_span("ChatOpenAI", attributes={**attributes, "llm.invocation_parameters": asked})


def end(span: trace.Span, answer: dict[str, Any], factor: int) -> None:
    used, message = answer["usage"], answer["choices"][0]["message"]
    span.set_attribute("llm.output_messages.0.message.role", "assistant")
    span.set_attribute("llm.output_messages.0.message.content", message["content"])
    span.set_attribute("llm.token_count.prompt", used["prompt_tokens"] * factor)
    span.set_attribute("llm.token_count.completion", used["completion_tokens"])
    span.end()


async def chat(number: int, answered: list[asyncio.Event], *, beside: bool, wrong: int | None) -> None:
    """Make one of the calls; they end in reverse order of their answers."""
    span = await callback(start, number)
    asked = {"model": MODEL, "messages": [], "temperature": number / 10}
    with sdk.start_as_current_span("chat", attributes={"gen_ai.request.model": MODEL}) if beside else nullcontext():
        async with http.AsyncClient() as client:
            answer = (await client.post(URL, json=asked)).json()
    answered[number].set()
    if number + 1 < CALLS:
        await answered[number + 1].wait()
    await callback(end, span, answer, 2 if number == wrong else 1)


async def chats(**fields: Any) -> None:
    answered = [asyncio.Event() for _ in range(CALLS)]
    await asyncio.gather(*(chat(number, answered, **fields) for number in range(CALLS)))


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "an SDK's instrumentor beside it"])
@pytest.mark.parametrize("wrong", [None, 0, 2])
def test_calls_at_the_same_time(beside: bool, wrong: int | None) -> None:
    """Each call is checked against its own span, which was never current: only the wrong one has a finding."""
    with LLMTrace(verify=False) as seen:
        for number in range(CALLS):
            usage = {"prompt_tokens": 10 + number, "completion_tokens": 5, "total_tokens": 15 + number}
            seen.gateway("openai").chat(text=f"answer {number}", usage=usage)
        asyncio.run(chats(beside=beside, wrong=wrong))
        found = [(one.check, dict(one.details)["span"]) for one in seen.findings() if one.severity != "info"]
        assert [len(exchange.spans) for exchange in seen.exchanges()] == [2 if beside else 1] * CALLS
    expected = [] if wrong is None else [("wire/input-tokens", "llm.token_count.prompt = ")]
    assert [(check, said.rstrip("0123456789")) for check, said in found] == expected
