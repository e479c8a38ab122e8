"""The suite that the soak test runs in a child process: 2,000 tests that mix threads, pools, tasks and leftovers.

Every span and every request carries the number of the test that made it. A record is checked some tests after its own
test, so that late spans are in it, and is then dropped.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from opentelemetry import trace

TESTS = int(os.environ["SOAK_TESTS"])
LATE = 8

tracer = trace.get_tracer("soak")
client = openai.OpenAI(api_key="soak", max_retries=0)
asynchronous = openai.AsyncOpenAI(api_key="soak", max_retries=0)
pool = ThreadPoolExecutor(4)  # Shared: its workers outlive the tests that started them.
started: Counter[int] = Counter()
seen: Counter[int] = Counter()
strangers: list[str] = []
records: deque[tuple[int, Any]] = deque()
streams: deque[Any] = deque()
gates: deque[tuple[threading.Event, threading.Thread]] = deque()


def attributes(number: int) -> dict[str, Any]:
    started[number] += 1
    return {
        "test": number,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
    }


def body(number: int) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": str(number)}]}


def used(completion: Any) -> dict[str, int]:
    usage = completion.usage
    return {"gen_ai.usage.input_tokens": usage.prompt_tokens, "gen_ai.usage.output_tokens": usage.completion_tokens}


def call(number: int) -> None:
    with tracer.start_as_current_span("call", attributes=attributes(number)) as span:
        span.set_attributes(used(client.chat.completions.create(**body(number))))


async def acall(number: int) -> None:
    with tracer.start_as_current_span("call", attributes=attributes(number)) as span:
        await asyncio.sleep(0)
        span.set_attributes(used(await asynchronous.chat.completions.create(**body(number))))


async def several(number: int) -> None:
    await asyncio.gather(*(acall(number) for _ in range(3)))


def stream(number: int) -> Any:
    """Leave a span open until the generator is garbage collected."""
    with tracer.start_span("stream", attributes=attributes(number)):
        yield from client.chat.completions.create(**body(number), stream=True)


def late(number: int, gate: threading.Event) -> None:
    gate.wait()
    with tracer.start_as_current_span("late", attributes=attributes(number)):
        tracer.start_span("child", attributes=attributes(number)).end()


def in_thread(number: int) -> None:
    thread = threading.Thread(target=call, args=(number,))
    thread.start()
    thread.join()


def judge(number: int, record: Any) -> None:
    spans = record.tree()
    for _, span in spans.walk():
        if span.attributes["test"] != number or not span.ended:
            strangers.append(f"{span!r} in the record of {number}")
    asked = [(exchange, json.loads(exchange.request.body)["messages"][0]["content"]) for exchange in record.exchanges()]
    strangers.extend(f"{exchange!r} in the record of {number}" for exchange, text in asked if text != str(number))
    seen[number] = len(spans)


def settle(keep: int) -> None:
    """End the oldest leftovers until `keep` remain, and check the records that are complete by then."""
    while len(streams) > keep:
        streams.popleft()
    while len(gates) > keep:
        gate, thread = gates.popleft()
        gate.set()
        thread.join()
    while len(records) > keep * 15:
        judge(*records.popleft())


def summary() -> dict[str, Any]:
    """End everything, and return the totals of what was started and what was in the records."""
    settle(0)
    pool.shutdown()
    return {
        "strangers": strangers,
        "started": sum(started.values()),
        "seen": sum(seen.values()),
        "different": [number for number in started if started[number] != seen[number]],
    }


@pytest.mark.parametrize("number", range(TESTS))
def test_soak(llmtrace: Any, number: int) -> None:
    script = llmtrace.gateway("openai")
    records.append((number, llmtrace))
    kind = number % 5
    if kind == 0:
        script.chat(text="x")
        in_thread(number)
    elif kind == 1:
        script.chat(text="x").chat(text="y")
        for done in [pool.submit(call, number), pool.submit(in_thread, number)]:
            done.result()
    elif kind == 2:
        script.chat(text="x").chat(text="y").chat(text="z")
        asyncio.run(several(number))
    elif kind == 3:
        script.chat(text="x")
        streams.append(stream(number))
        assert next(streams[-1]).choices
    else:
        gates.append((threading.Event(), threading.Thread()))
        gate = gates[-1][0]
        thread = threading.Thread(target=late, args=(number, gate))
        gates[-1] = (gate, thread)
        thread.start()
    settle(LATE)
