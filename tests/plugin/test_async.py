"""Coroutine tests, whichever plugin runs them: each gets its own requests, spans and context."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

SUITE = """
import asyncio
import pytest
from child import ask_async, left_current, left_open, span

{mark}

@pytest.mark.llmtrace(gateway="openai")
async def test_good(llmtrace):
    with span():
        await ask_async()
    assert [exchange.spans[0].name for exchange in llmtrace.exchanges()] == ["chat"]

@pytest.mark.llmtrace(gateway="openai")
async def test_finding(llmtrace):
    with span(llm=False):
        await ask_async()

async def test_unanswered(llmtrace):
    await ask_async()

async def test_own_failure(llmtrace):
    left_open()
    assert "mine" == "yours"

async def test_left_current(llmtrace):
    left_current()

async def test_next_has_a_clean_context(llmtrace):
    from opentelemetry import trace
    assert not trace.get_current_span().get_span_context().is_valid

@pytest.fixture
{fixture}
async def asked(llmtrace):
    llmtrace.gateway("openai").chat(text="from a fixture")
    with span("in a fixture"):
        yield await ask_async()

@pytest.mark.llmtrace(allow_unused="none", ignore={{"structure/span-never-ended": "the fixture's is open"}})
async def test_async_fixture(asked, llmtrace):
    assert asked == "from a fixture"
    assert len(llmtrace.exchanges()) == 1

@pytest.mark.xfail(strict=True)
@pytest.mark.llmtrace(gateway="openai")
async def test_xfail(llmtrace):
    await ask_async()

class TestIt:
    async def test_method(self, llmtrace):
        llmtrace.gateway("openai").chat(text="a")
        with span():
            assert await ask_async() == "a"
"""

# Without this option, pytest-asyncio warns.
SCOPE = "-oasyncio_default_fixture_loop_scope=function"
RUNNERS: dict[str, tuple[list[str], dict[str, str], list[str], list[str]]] = {
    "anyio": (
        ["anyio.pytest_plugin"],
        {"mark": "pytestmark = pytest.mark.anyio", "fixture": ""},
        [],
        ["[asyncio]", "[trio]"] if importlib.util.find_spec("trio") else ["[asyncio]"],
    ),
    "pytest-asyncio strict": (
        ["pytest_asyncio.plugin"],
        {"mark": "import pytest_asyncio\npytestmark = pytest.mark.asyncio", "fixture": "@pytest_asyncio.fixture"},
        [SCOPE],
        [""],
    ),
    "pytest-asyncio auto": (
        ["pytest_asyncio.plugin"],
        {"mark": "", "fixture": ""},
        [SCOPE, "--asyncio-mode=auto"],
        [""],
    ),
}
INSTALLED = [name for name in RUNNERS if importlib.util.find_spec(RUNNERS[name][0][0].partition(".")[0])]


@pytest.mark.parametrize("runner", INSTALLED)
def test_coroutine_tests(run: Callable[..., Any], runner: str) -> None:
    """Findings fail coroutine tests, a test's own failure stays its report, and a span left current is found."""
    plugins, words, options, parameters = RUNNERS[runner]
    source = SUITE.format(**words)
    if runner != "anyio":
        source = source.replace("@pytest.fixture\n@pytest_asyncio.fixture", "@pytest_asyncio.fixture")
    result = run(source, plugins=plugins, options=options)
    for parameter in parameters:
        assert {name: word for name, word in result.outcomes.items() if name.endswith(parameter)} == {
            f"test_good{parameter}": "passed",
            f"test_finding{parameter}": "failed",
            f"test_unanswered{parameter}": "failed",
            f"test_own_failure{parameter}": "failed",
            f"test_left_current{parameter}": "failed",
            f"test_next_has_a_clean_context{parameter}": "passed",
            f"test_async_fixture{parameter}": "passed",
            f"test_xfail{parameter}": "xfailed",
            f"TestIt::test_method{parameter}": "passed",
        }, result.out
        _texts(result, parameter)


DROPPED = """
import pytest
from opentelemetry import trace
{mark}

async def streamed():
    span = trace.get_tracer("app").start_span("a stream")
    try:
        yield 1
        yield 2
    finally:
        span.end()

async def framed():
    async for item in streamed():
        yield item

async def read(stream):
    async for item in stream:
        raise ValueError(stream)

@pytest.mark.filterwarnings("ignore::ResourceWarning")  # trio's, of every generator that is dropped
async def test_dropped(llmtrace):
    with pytest.raises(ValueError):
        await read(framed())

async def test_never_ended(llmtrace):
    trace.get_tracer("app").start_span("forgotten")
"""


@pytest.mark.parametrize("runner", INSTALLED)
def test_generators_that_were_dropped_may_end_their_spans(run: Callable[..., Any], runner: str) -> None:
    """A running loop closes a generator that was dropped, so a span in it ends; one that nothing ends is found."""
    plugins, words, options, parameters = RUNNERS[runner]
    result = run(DROPPED.format(mark=words["mark"]), plugins=plugins, options=options)
    for parameter in parameters:
        assert result.outcomes[f"test_dropped{parameter}"] == "passed", result.out
        assert result.outcomes[f"test_never_ended{parameter}"] == "failed", result.out
        assert "structure/span-never-ended  span 'forgotten'" in result.text(f"test_never_ended{parameter}")


def _texts(result: Any, parameter: str) -> None:
    test = f"test_left_current{parameter}"
    assert (
        result.text(test)
        == f"""\
Failed: llmtrace: 1 finding in {test} (0 exchanges, 0 LLM spans, N checks)

error  structure/span-current  span 'left current' (app)
       span   has ended, but is still the current span of the test
       why    whatever the caller does next becomes a child of this span, in a trace that is not its own
       next   detach it in the context that attached it; a generator must be closed by whoever iterates it, or waive: \
@pytest.mark.llmtrace(ignore={{"structure/span-current": "reason"}})

left current  INTERNAL  UNSET  1 ms"""
    )
    assert result.text(f"test_unanswered{parameter}").startswith(
        "pytest_llmtrace.errors.UnmatchedRequest: nothing answered POST http://llm.test:1/v1/chat/completions "
        f"in test_unanswered{parameter}, and it was not sent\n"
    )
    assert result.text(f"test_own_failure{parameter}").startswith("AssertionError: assert 'mine' == 'yours'")
    assert "error  structure/span-never-ended  span 'left open' (app)" in result.section(f"test_own_failure{parameter}")


def test_a_plain_test_is_watched_alike(run: Callable[..., Any]) -> None:
    """In a test that is not a coroutine, a span left current is found too, and the next test has a clean context."""
    result = run("""
        from child import left_current
        from opentelemetry import trace

        def test_left_current(llmtrace):
            left_current()

        def test_next(llmtrace):
            assert not trace.get_current_span().get_span_context().is_valid
        """)
    assert result.outcomes == {"test_left_current": "failed", "test_next": "passed"}, result.out
    assert result.properties("test_left_current") == {"llmtrace_findings": "structure/span-current"}
