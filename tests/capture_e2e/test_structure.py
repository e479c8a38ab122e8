"""The structure of real traces, right and wrong: threads, pools, tasks and generators."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from pytest_llmtrace import LLMTrace
from pytest_llmtrace.model import Finding

http = import_module("httpx2" if find_spec("httpx2") else "httpx")
tracer = trace.get_tracer("app")

URL = "https://api.openai.com/v1/chat/completions"
ASKED = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
USED = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def ask() -> None:
    http.post(URL, json={"model": "gpt-4o", "messages": []}).raise_for_status()


def chat() -> None:
    with tracer.start_as_current_span("chat", attributes={**ASKED, **USED}):
        ask()


def agent(run: Callable[[], object]) -> None:
    with tracer.start_as_current_span("agent"):
        run()


def found(run: Callable[[], object], calls: int = 1) -> list[tuple[str, str]]:
    """Run some code in a trace; return its findings: the checks, and their subjects with the details of the span."""
    with LLMTrace(verify=False) as seen:
        for _ in range(calls):
            seen.gateway("openai").chat(text="hi", usage=USAGE)
        run()
        return [(finding.check.removeprefix("structure/"), _said(finding)) for finding in seen.findings()]


def _said(finding: Finding) -> str:
    return f"{finding.subject} {dict(finding.details).get('span', '')}"


# --- threads and pools -----------------------------------------------------------------------------------------------


def in_thread(target: Callable[[], object] = chat) -> None:
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()


def in_pool(target: Callable[[], object] = chat) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(target).result()


def in_executor() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, chat)

    asyncio.run(main())


@pytest.mark.parametrize("start", [in_thread, in_pool, in_executor])
def test_a_parent_that_was_lost(start: Callable[[], object]) -> None:
    """A call in a thread or a pool to which the context was not carried is a root by mistake."""
    expected = (
        "span 'chat' (app) is a root span, but its thread, or its work item in a pool, was started inside span "
        "'agent' (app)"
    )
    assert found(lambda: agent(start)) == [("parent-lost", expected)]


def carried() -> None:
    here = contextvars.copy_context()
    in_thread(lambda: here.run(chat))


def in_tasks() -> None:
    async def work() -> None:
        chat()

    async def main() -> None:
        await asyncio.gather(work(), asyncio.to_thread(chat))

    asyncio.run(main())


def linked() -> None:
    link = trace.Link(trace.get_current_span().get_span_context())

    def target() -> None:
        with tracer.start_as_current_span(
            "chat", context=context.Context(), attributes={**ASKED, **USED}, links=[link]
        ):
            ask()

    in_thread(target)


@pytest.mark.parametrize(("start", "calls"), [(carried, 1), (in_tasks, 2), (linked, 1), (chat, 1)])
def test_parents_that_were_kept(start: Callable[[], object], calls: int) -> None:
    """Tasks and `to_thread` copy the context, code may carry it by hand, and a new trace with a link is intended."""
    assert found(lambda: agent(start), calls) == []


@pytest.mark.parametrize("start", [in_thread, in_pool])
@pytest.mark.parametrize("without", [context.Context(), trace.set_span_in_context(trace.INVALID_SPAN)])
def test_a_job_with_a_trace_of_its_own(
    start: Callable[[Callable[[], object]], object], without: context.Context
) -> None:
    """A job that is given a context without a span is meant to be a root, in a thread as anywhere."""

    def job() -> None:
        with tracer.start_as_current_span("job", context=without):
            chat()

    assert found(lambda: agent(lambda: start(job))) == []


def test_a_call_with_a_trace_of_its_own() -> None:
    """An LLM span that is given a context without a span is a warning, in a thread as anywhere."""

    def call() -> None:
        with tracer.start_as_current_span("chat", context=context.Context(), attributes={**ASKED, **USED}):
            ask()

    with LLMTrace(verify=False) as seen:
        seen.gateway("openai").chat(text="hi", usage=USAGE)
        agent(lambda: in_thread(call))
        (finding,) = seen.findings()
    assert (finding.check, finding.severity, _said(finding)) == (
        "structure/parent-lost",
        "warning",
        (
            "span 'chat' (app) is a root span, but its thread, or its work item in a pool, was started inside span "
            "'agent' (app)"
        ),
    )


@pytest.mark.parametrize("start", [in_thread, in_pool, in_executor])
def test_a_root_outside_of_any_span(start: Callable[[], object]) -> None:
    """If no span was current, a root in a thread has lost no parent."""
    assert found(start) == []


def test_a_pool_that_was_started_elsewhere() -> None:
    """A worker's first item ran inside a span; an item that is submitted outside of any span is not a child of it."""

    def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            agent(lambda: pool.submit(int).result())
            pool.submit(chat).result()

    assert found(run) == []


def test_a_worker_that_outlives_its_span() -> None:
    """Work that a background thread does after the end of the span that it was started in is not caused by it."""
    go, threads = threading.Event(), []

    def late() -> None:
        go.wait()
        chat()

    def start() -> None:
        threads.append(threading.Thread(target=late))
        threads[0].start()

    def run() -> None:
        agent(start)
        go.set()
        threads[0].join()

    assert found(run) == []


# --- generators ------------------------------------------------------------------------------------------------------


def yielding() -> Iterator[str]:
    """Yield from inside a span, as many wrappers do: the span is current while the consumer works."""
    with tracer.start_as_current_span("stream", attributes={**ASKED, **USED}):
        ask()
        yield "hi"


def leaking() -> Iterator[str]:
    """Yield with an ended span current, like a callback handler that attaches in one method and ends in another."""
    span = tracer.start_span("stream", attributes={**ASKED, **USED})
    token = context.attach(trace.set_span_in_context(span))
    ask()
    span.end()
    yield "hi"
    context.detach(token)


def test_a_generator_that_leaves_its_span_current() -> None:
    """The next call becomes a child; this is reported once: for the span that is still current, else for the child."""
    expected = "span 'stream' (app) has ended, but is still the current span of the test\nspan 'chat' (app) has become "
    generators = []

    def left() -> None:
        generators.append(leaking())
        next(generators[0])
        chat()

    assert found(left, 2) == [("span-current", f"{expected}its child")]

    def closed() -> None:
        generator = leaking()
        next(generator)
        chat()
        list(generator)

    wrong = "span 'chat' (app) is a child of span 'stream' (app), which had ended before it started and was still "
    assert found(closed, 2) == [("parent-wrong", f"{wrong}current")]


def test_a_generator_that_is_read_to_its_end_before_the_next_call() -> None:
    """The generator's span is over by then, and the next call is not a child of it."""

    def run() -> None:
        assert list(yielding()) == ["hi"]
        chat()

    assert found(run, 2) == []


# --- calls at the same time ------------------------------------------------------------------------------------------


def uncurrent(name: str, number: int, release: Callable[[], object]) -> None:
    """Make a call whose span is not current, as instrumentations of streams do."""
    attributes: dict[str, Any] = {**ASKED, **USED, "call.number": number}
    span = tracer.start_span(name, attributes=attributes)
    release()
    http.post(URL, json={"model": "gpt-4o", "messages": [], "seed": number})
    span.end()


def pairs(run: Callable[[], object], calls: int) -> list[tuple[int, Any]]:
    """Return the number of each request, with the number of its span."""
    with LLMTrace(verify=False) as seen:
        for _ in range(calls):
            seen.gateway("openai").chat(text="hi", usage=USAGE)
        run()
        views = seen.exchanges()
        assert all(len(view.spans) == 1 for view in views)
        return [(view.truth.seed, view.spans[0].attributes["call.number"]) for view in views if view.truth]  # type: ignore[misc]


def by_threads(calls: int) -> None:
    together = threading.Barrier(calls)
    with ThreadPoolExecutor(calls) as pool:
        list(pool.map(lambda number: uncurrent("chat", number, together.wait), range(calls)))


def by_tasks(calls: int) -> None:
    async def one(number: int, everybody: asyncio.Barrier) -> None:
        span = tracer.start_span("chat", attributes={**ASKED, **USED, "call.number": number})
        await everybody.wait()
        async with http.AsyncClient() as client:
            await client.post(URL, json={"model": "gpt-4o", "messages": [], "seed": number})
        span.end()

    async def main() -> None:
        everybody = asyncio.Barrier(calls)
        await asyncio.gather(*(one(number, everybody) for number in range(calls)))

    asyncio.run(main())


def by_generators(calls: int) -> None:
    async def stream(number: int) -> AsyncIterator[int]:
        span = tracer.start_span("chat", attributes={**ASKED, **USED, "call.number": number})
        async with http.AsyncClient() as client:
            await client.post(URL, json={"model": "gpt-4o", "messages": [], "seed": number})
        yield number
        span.end()

    async def main() -> None:
        streams = [stream(number) for number in range(calls)]
        for step in (0, 1):
            for one in streams:
                assert [0 async for _ in one if False] == [] if step else await anext(one) >= 0

    asyncio.run(main())


@pytest.mark.parametrize("at_once", [by_threads, by_tasks, by_generators])
def test_parallel_calls_have_their_own_spans(at_once: Callable[[int], None]) -> None:
    """In threads, tasks and streams, spans that are open at once and not current each match their own call."""
    found_pairs = pairs(lambda: at_once(8), 8)
    assert sorted(found_pairs) == [(number, number) for number in range(8)]


# --- spans whose start failed ----------------------------------------------------------------------------------------


class _Failing(SpanProcessor):
    """A span processor whose store is out of reach, as that of a tracing platform may be."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise ConnectionError("no store")


def test_what_a_span_processor_stops_is_one_finding() -> None:
    """A library that logs the exception and goes on has no span for its call: one cause, one finding for all calls."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(_Failing())
    failing = provider.get_tracer("platform")

    def call() -> None:
        with contextlib.suppress(ConnectionError):
            failing.start_span("Completions")
        ask()

    with LLMTrace(verify=False) as seen:
        for _ in range(3):
            seen.gateway("openai").chat(text="hi", usage=USAGE)
        call()
        agent(call)
        chat()
        [finding] = seen.findings()
    assert (finding.check, finding.subject) == ("structure/span-never-ended", "span 'Completions' (platform)")
    assert finding.details == (
        (
            "span",
            (
                "a span processor raised when it was started: ConnectionError: no store\n"
                "and 1 more span of this name and scope"
            ),
        ),
        (
            "also",
            (
                "POST /v1/chat/completions  (exchange 0) has no span  (structure/exchange-without-span)\n"
                "POST /v1/chat/completions  (exchange 1) has no span  (structure/exchange-without-span)"
            ),
        ),
        ("why", "no code has this span, so it is neither filled nor ended, and never exported"),
        (
            "next",
            (
                "put right what that processor needs, as the tracking store of MLflow, or leave the processor out in "
                "tests; whoever starts the span may have logged the exception, or waive: "
                'LLMTrace(ignore={"structure/span-never-ended": "reason"})'
            ),
        ),
    )


def test_a_call_elsewhere_is_not_explained_by_a_span_whose_start_failed() -> None:
    """Another thread's call has no span for a reason of its own."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(_Failing())

    def run() -> None:
        with contextlib.suppress(ConnectionError):
            provider.get_tracer("platform").start_span("Completions")
        in_thread(ask)

    assert [check for check, _ in found(run)] == ["exchange-without-span", "span-never-ended"]
