"""SDKs sleep between two attempts: on the virtual clock, not at all, or as the test itself says."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import time
import unittest.mock
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import anyio
import openai
import pytest
import trio

from pytest_llmtrace import LLMTrace
from pytest_llmtrace.clock._shift import real
from pytest_llmtrace.intercept._sdk_internals import SLEEPING_MODULES, SLEEPS

MESSAGES: Any = [{"role": "user", "content": "hi"}]
SDKS = ("openai", "anthropic")
LEAST = 2 + 0.75 * (1 + 2 + 4 + 8) - 1
"""The minimum of seconds waited after a rate limit and four overloads, less one second of tolerance.

The limit says two. The SDKs' own waits are 0.5, 1, 2, 4 and 8 less up to a quarter; the limit replaces the first.
"""


def ask(sdk: str) -> Any:
    if sdk == "openai":
        return openai.OpenAI(api_key="k", max_retries=8).chat.completions.create(model="m", messages=MESSAGES)
    return anthropic.Anthropic(api_key="k", max_retries=8).messages.create(model="m", max_tokens=9, messages=MESSAGES)


async def ask_async(sdk: str) -> Any:
    if sdk == "openai":
        client = openai.AsyncOpenAI(api_key="k", max_retries=8)
        return await client.chat.completions.create(model="m", messages=MESSAGES)
    other = anthropic.AsyncAnthropic(api_key="k", max_retries=8)
    return await other.messages.create(model="m", max_tokens=9, messages=MESSAGES)


def fail_often(trace: LLMTrace, sdk: str, times: int = 1) -> None:
    """Queue a rate limit of two seconds, `times` overloads, and a reply."""
    gateway = trace.gateway(sdk).error(429, retry_after=2)
    for _ in range(times):
        gateway.error(500)
    gateway.chat() if sdk == "openai" else gateway.messages()


@pytest.fixture(params=["sync", "asyncio", "trio"])
def call(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Return a function that makes a call: synchronously, or in a task of asyncio or trio."""
    if request.param == "sync":
        return ask
    if request.param == "asyncio":
        return lambda sdk: asyncio.run(ask_async(sdk))
    return lambda sdk: trio.run(ask_async, sdk)


@pytest.mark.parametrize("sdk", SDKS)
def test_it_is_virtual(sdk: str, call: Callable[[str], Any]) -> None:
    """A rate limit of two seconds and a growing back-off take that long for the code under test, and no real time."""
    began = real()
    with LLMTrace(timing="recorded", verify=False) as trace:
        fail_often(trace, sdk, times=4)
        before = time.perf_counter()
        call(sdk)
        assert LEAST < time.perf_counter() - before < 2 * LEAST
        assert len(trace.exchanges()) == 6
    assert real() - began < LEAST


@pytest.mark.parametrize("sdk", SDKS)
def test_it_is_skipped(sdk: str, call: Callable[[str], Any]) -> None:
    """If replies take no time, neither does waiting for the next attempt."""
    with LLMTrace(verify=False) as trace:
        fail_often(trace, sdk, times=4)
        before = time.perf_counter()
        call(sdk)
        assert time.perf_counter() - before < LEAST
        assert len(trace.exchanges()) == 6


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("timing", ["instant", "recorded"])
@pytest.mark.parametrize("how", ["the library's", "the module's"])
@pytest.mark.parametrize("tool", ["monkeypatch", "mock"])
def test_a_sleep_of_the_test_s_own_is_called(sdk: str, timing: Any, how: str, tool: str) -> None:
    """A suite that counts or skips the sleeps by itself goes on doing so, and what it has replaced is put back."""
    module, slept, original = f"{sdk}._base_client", [], time.sleep
    target = f"{module}.time.sleep" if how == "the module's" else "time.sleep"
    with LLMTrace(timing=timing, verify=False) as trace:
        fail_often(trace, sdk)
        if tool == "mock":
            with unittest.mock.patch(target) as sleep:
                ask(sdk)
            slept = [call.args[0] for call in sleep.call_args_list]
        else:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(target, slept.append)
                ask(sdk)
        assert slept == [2.0, pytest.approx(0.9, abs=0.15)]
        assert time.sleep is original
        fail_often(trace, sdk)
        ask(sdk)
    assert len(slept) == 2


@pytest.mark.parametrize("sdk", SDKS)
def test_an_async_sleep_of_the_test_s_own_is_called(sdk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An async sleep that the test has replaced is called in a task, too."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(anyio, "sleep", sleep)
    with LLMTrace(verify=False) as trace:
        fail_often(trace, sdk)
        asyncio.run(ask_async(sdk))
    assert slept == [2.0, pytest.approx(0.9, abs=0.15)]


@pytest.mark.parametrize("sdk", SDKS)
def test_waits_at_the_same_time_are_one(sdk: str) -> None:
    """Three calls that are limited at the same time wait at the same time."""
    with LLMTrace(timing="recorded", verify=False) as trace:
        gateway = trace.gateway(sdk)
        for _ in range(3):
            gateway.error(429, retry_after=20)
        for _ in range(3):
            gateway.chat() if sdk == "openai" else gateway.messages()

        async def main() -> None:
            await asyncio.gather(*(ask_async(sdk) for _ in range(3)))

        asyncio.run(main())
        assert 20 <= trace.clock.elapsed < 40


@pytest.mark.parametrize("timing", ["instant", "recorded"])
def test_a_sleep_can_be_cancelled(timing: Any) -> None:
    """However short its sleep is, a task that is cancelled makes no further attempt."""

    async def main() -> None:
        task = asyncio.create_task(ask_async("openai"))
        while not trace.exchanges():  # noqa: ASYNC110 - nothing else tells when it sleeps
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with LLMTrace(timing=timing, verify=False) as trace:
        trace.gateway("openai").error(429, retry_after=2).chat()
        asyncio.run(main())
        assert len(trace.exchanges()) == 1


@pytest.mark.parametrize("sleep", [time.sleep, anyio.sleep])
def test_without_a_trace_it_is_real(sleep: Callable[[float], Awaitable[None] | None]) -> None:
    """Without a trace the stand-in module sleeps as the library does; otherwise it is the library itself."""
    with LLMTrace(verify=False):
        pass
    module = importlib.import_module("openai._base_client")
    began = real()
    if sleep is time.sleep:
        module.time.sleep(0.02)
        assert module.time.gmtime is time.gmtime
    else:
        anyio.run(module.anyio.sleep, 0.02)
        assert module.anyio.Event is anyio.Event
    assert real() - began >= 0.02


@pytest.mark.parametrize("name", SLEEPING_MODULES)
def test_the_sdks_sleep_by_these_globals(name: str) -> None:
    """Guard: each SDK sleeps by `time.sleep` and `anyio.sleep`, looked up in its globals, and by nothing else."""
    tree = ast.parse(inspect.getsource(importlib.import_module(name)))
    found = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "sleep" and isinstance(node.value, ast.Name)
    }
    assert found == {*SLEEPS}
    imported = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert {*SLEEPS} <= imported
