"""`llmtrace_exits`: one streaming function under every way to leave its stream, each a test of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_llmtrace.exits import ASYNC_WAYS, WAYS

APP = """
import openai
import pytest
from opentelemetry import trace

tracer = trace.get_tracer("app")
ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is OpenTelemetry?"}], "stream": True}
NAMES = {"gen_ai.request.model": "gpt-4o-mini"}


def note_end(span, finished):
    if not finished:
        span.set_status(trace.StatusCode.ERROR, "the stream was cut")


def stream():
    with openai.OpenAI(api_key="x") as client, tracer.start_as_current_span("chat", attributes=NAMES) as span:
        finished = False
        for chunk in client.chat.completions.create(**ASKED):
            finished = finished or any(choice.finish_reason for choice in chunk.choices)
            yield chunk
        note_end(span, finished)


async def astream():
    span = tracer.start_span("chat", attributes=NAMES)
    try:
        async with openai.AsyncOpenAI(api_key="x") as client:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                chunks = await client.chat.completions.create(**ASKED)
            finished = False
            async for chunk in chunks:
                finished = finished or any(choice.finish_reason for choice in chunk.choices)
                yield chunk
        note_end(span, finished)
    except Exception as error:
        span.record_exception(error)
        span.set_status(trace.StatusCode.ERROR, str(error))
        raise
    finally:
        span.end()
"""


def test_a_function_is_run_under_every_way(run: Callable[..., Any]) -> None:
    """There is a test for each way, sync and async, with scripts; a function that handles them all has no finding."""
    result = run(
        """
        from app import *

        @pytest.mark.llmtrace(gateway="openai")
        def test_sync(llmtrace_exits):
            assert llmtrace_exits.run(stream)

        @pytest.mark.anyio
        @pytest.mark.llmtrace(gateway="openai")
        async def test_async(llmtrace_exits):
            assert await llmtrace_exits.arun(astream)

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
        """,
        files={"app.py": APP},
        plugins=["anyio.pytest_plugin"],
        options=["--llmtrace-strict"],
    )
    expected = [f"test_sync[{way}]" for way in WAYS] + [f"test_async[{way}]" for way in ASYNC_WAYS]
    assert result.outcomes == dict.fromkeys(expected, "passed"), result.out


def test_a_leak_is_found_by_the_ways_that_show_it(run: Callable[..., Any]) -> None:
    """A span that only ends with the stream is found in each way that leaves earlier, and the report names the way."""
    result = run(
        """
        from app import *

        class Leaking:
            def __init__(self):
                self.span = tracer.start_span("chat", attributes=NAMES)
                with trace.use_span(self.span):
                    self.chunks = openai.OpenAI(api_key="x").chat.completions.create(**ASKED)

            def __iter__(self):
                for chunk in self.chunks:
                    yield chunk
                self.span.end()

            def close(self):
                self.chunks.close()

        @pytest.mark.llmtrace(gateway="openai")
        def test_leak(llmtrace_exits):
            llmtrace_exits.run(Leaking)
        """,
        files={"app.py": APP},
        options=["-W", "ignore::ResourceWarning"],
    )
    assert result.outcomes == {
        f"test_leak[{way}]": "passed" if way in {"drained", "truncated"} else "failed" for way in WAYS
    }, result.out
    assert (
        result.text("test_leak[break]")
        == """\
Failed: llmtrace: 1 finding in test_leak[break] (1 exchange, 1 LLM span, N checks)

error  structure/span-never-ended  span 'chat' (app)
       span   was started, but had not ended when the test was over
       why    a span that never ends is never exported
       next   end it on every path: with start_as_current_span(...), or end() in a finally, or waive: \
@pytest.mark.llmtrace(ignore={"structure/span-never-ended": "reason"})

chat  INTERNAL  UNSET  not ended
  `- POST /v1/chat/completions  200  (exchange 0)"""
    )


def test_a_test_may_name_its_ways(run: Callable[..., Any]) -> None:
    """Ways are named by pytest's own mark, beside other parameters; a sync test may run an asynchronous stream."""
    result = run(
        """
        from app import *

        @pytest.mark.parametrize("llmtrace_exits", ["drained", "cancelled"], indirect=True)
        @pytest.mark.parametrize("gateway", ["openai", "openrouter"])
        def test_named(llmtrace_exits, llmtrace, gateway):
            llmtrace.gateway(gateway).chat()
            assert llmtrace_exits.run(astream)

        @pytest.mark.llmtrace(cassette="builtin:openai/stream")
        @pytest.mark.parametrize(("llmtrace_exits", "n"), [("break", 1)], indirect=["llmtrace_exits"])
        def test_recorded(llmtrace_exits, n):
            assert llmtrace_exits.run(recorded)

        @pytest.mark.parametrize("llmtrace_exits", ["brake"], indirect=True)
        def test_unknown(llmtrace_exits):
            pass
        """,
        files={
            "app.py": APP
            + """
def recorded():
    ASKED.update(stream_options={"include_usage": True})
    return stream()
"""
        },
    )
    assert result.outcomes == {
        "test_named[openai-drained]": "passed",
        "test_named[openai-cancelled]": "passed",
        "test_named[openrouter-drained]": "passed",
        "test_named[openrouter-cancelled]": "passed",
        "test_recorded[break-1]": "passed",
        "test_unknown[brake]": "error",
    }, result.out
    assert result.text("test_unknown[brake]").startswith(
        "Failed: llmtrace: unknown way to leave a stream 'brake': did you mean 'break'?"
    )


def test_a_test_that_leaves_no_stream_is_told(run: Callable[..., Any]) -> None:
    """A test that leaves no stream fails, since it proves nothing; so does one whose coroutine is never awaited."""
    result = run(
        """
        import pytest

        def test_forgotten(llmtrace_exits):
            pass

        def test_not_awaited(llmtrace_exits):
            llmtrace_exits.arun(iter).close()

        def test_failed(llmtrace_exits):
            assert 1 == 2

        def test_skipped(llmtrace_exits):
            pytest.skip("not today")
        """,
        options=["-k=break"],
    )
    assert result.outcomes == {
        "test_forgotten[break]": "passed error",
        "test_not_awaited[break]": "passed error",
        "test_failed[break]": "failed",
        "test_skipped[break]": "skipped",
    }, result.out
    assert result.text("test_forgotten[break]") == (
        "Failed: llmtrace: this test requests llmtrace_exits but has run nothing with it, so it shows nothing: call "
        "llmtrace_exits.run(stream_chat), or await llmtrace_exits.arun(stream_chat)"
    )
