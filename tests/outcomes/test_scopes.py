"""Which test do fixtures, classes, coroutines and wider fixtures belong to?"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

PASSED, FAILED, ERROR = "passed", "failure", "error"

INSTRUMENTED_HTTPX = "opentelemetry-instrumentation-httpx" in {
    distribution.metadata["Name"] for distribution in importlib.metadata.distributions()
}


def test_fixtures_of_a_test_belong_to_it(run: Callable[..., Any]) -> None:
    """The trace is set up before other function fixtures, autouse ones too, and closed after them."""
    done = run("""
@pytest.fixture(autouse=True)
def first(request):
    if "llmtrace" in request.fixturenames:
        assert spanned() == 200

@pytest.fixture
def answer():
    return spanned()

@pytest.mark.llmtrace(gateway="openai")
def test_marked(answer, llmtrace):
    assert answer == 200
    assert len(llmtrace.exchanges()) == 2

@pytest.mark.llmtrace(gateway="openai")
def test_requested_last(answer, llmtrace):
    assert len(llmtrace.exchanges()) == 2

def test_plain():
    pass
""")
    assert done.outcomes == {"test_marked": PASSED, "test_requested_last": PASSED, "test_plain": PASSED}


def test_a_request_after_the_test_fails_its_teardown(run: Callable[..., Any]) -> None:
    """What a fixture asks for after the test, and nobody answers, fails the teardown, also if it is swallowed."""
    done = run("""
@pytest.fixture
def after():
    yield
    try:
        call()
    except AssertionError:
        pass

def test_it(llmtrace, after):
    pass
""")
    assert done.outcomes == {"test_it": ERROR}
    text = done.section("ERROR at teardown of test_it")
    assert text.startswith("llmtrace: 1 finding in test_it, after the test (1 exchange, 0 LLM spans, 1 check)\n")
    assert "error  replay/unmatched  POST /v1/chat/completions  (exchange 0)" in text


def test_wider_fixtures_are_refused_unless_asked_for(run: Callable[..., Any]) -> None:
    """A wider fixture's request is refused; a class or module marker lets the trace begin before the fixture."""
    done = run("""
@pytest.fixture(scope="module")
def wide():
    return call()

@pytest.mark.llmtrace(gateway="openai")
def test_refused(wide):
    pass

@pytest.mark.llmtrace(gateway="openai", ignore={"capture/nothing": "no spans in fixtures"})
class TestAsked:
    @pytest.fixture(scope="class")
    @classmethod
    def once(cls):
        return call()

    def test_one(self, once, llmtrace):
        assert len(llmtrace.exchanges()) == 1

    @pytest.mark.llmtrace(ignore={"waiver/unused": "the fixture ran once"}, gateway="anthropic")
    def test_two(self, once, llmtrace):
        assert llmtrace.exchanges() == ()
        assert llmtrace.settings.gateway == "anthropic"
        assert set(llmtrace.settings.ignore) == {"capture/nothing", "waiver/unused"}
""")
    assert done.outcomes == {"test_refused": ERROR, "test_one": PASSED, "test_two": PASSED}
    assert "nothing answered POST https://api.openai.com/v1/chat/completions in the wider fixtures of test_refused" in (
        done.section("ERROR at setup of test_refused")
    )


def test_unittest(run: Callable[..., Any]) -> None:
    """A TestCase is traced through the marker; its own failures and skips stand (guards `_pytest_internals`)."""
    done = run("""
import unittest

@pytest.mark.llmtrace(gateway="openai")
class TestPlain(unittest.TestCase):
    def test_good(self): assert spanned() == 200
    def test_found(self): call()
    def test_own(self):
        call()
        self.fail("its own")
    def test_skipped(self): self.skipTest("later")

@pytest.mark.llmtrace(gateway="openai")
class TestAsync(unittest.IsolatedAsyncioTestCase):
    async def test_agood(self): assert spanned() == 200
    async def test_afound(self): await acall()
""")
    assert done.outcomes == {
        "test_good": PASSED,
        "test_found": FAILED,
        "test_own": FAILED,
        "test_skipped": "skipped",
        "test_agood": PASSED,
        "test_afound": FAILED,
    }
    assert "AssertionError: its own" in done.section("TestPlain.test_own")
    assert "capture/nothing" in done.section("TestPlain.test_found")


ASYNC = """
from opentelemetry import trace
import asyncio, anyio
kept = []

async def acall_spanned():
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    with trace.get_tracer("app").start_as_current_span("call", attributes=attributes):
        return await acall()

MARK
@pytest.mark.llmtrace(gateway="openai")
async def test_good(llmtrace):
    async with anyio.create_task_group() as group:
        group.start_soon(acall_spanned)
        group.start_soon(acall_spanned)
    assert [len(exchange.spans) for exchange in llmtrace.exchanges()] == [1, 1]

MARK
@pytest.mark.llmtrace(gateway="openai")
async def test_found():
    await acall()

MARK
async def test_leak(llmtrace):
    manager = trace.get_tracer("app").start_as_current_span("leaky")
    kept.append(manager)
    manager.__enter__().end()

MARK
async def test_after_leak(llmtrace):
    assert not trace.get_current_span().get_span_context().is_valid

@pytest.fixture(scope="session", autouse=True)
def _forget():
    yield
    for manager in kept:
        manager.gen.gi_frame  # keeps the leaky managers until the end
"""
ANYIO = (
    '@pytest.fixture(scope="module", params=["asyncio", "trio"])\ndef anyio_backend(request): return request.param\n'
)


@pytest.mark.parametrize("plugin", [n for n in ("anyio", "pytest_asyncio") if importlib.util.find_spec(n)])
def test_coroutines(run: Callable[..., Any], plugin: str) -> None:
    """Coroutine tests and their tasks belong to their test; a span left current in the test's own task is found."""
    mark = "@pytest.mark.anyio" if plugin == "anyio" else "@pytest.mark.asyncio"
    module = "anyio.pytest_plugin" if plugin == "anyio" else "pytest_asyncio.plugin"
    suite = (ANYIO if plugin == "anyio" else "") + ASYNC.replace("MARK", mark)
    options = [] if plugin == "anyio" else ["-o", "asyncio_default_fixture_loop_scope=function"]
    done = run(suite, *options, plugins=(module,))
    endings = ["[asyncio]", "[trio]"] if plugin == "anyio" else [""]
    expected = {"test_good": PASSED, "test_found": FAILED, "test_leak": FAILED, "test_after_leak": PASSED}
    assert done.outcomes == {f"{name}{end}": outcome for end in endings for name, outcome in expected.items()}
    assert "error  structure/span-current  span 'leaky' (app)" in done.section(f"test_leak{endings[0]}")


BUILT_IN_SUBTESTS = importlib.util.find_spec("_pytest.subtests") is not None

if BUILT_IN_SUBTESTS or importlib.util.find_spec("pytest_subtests"):

    def test_subtests(run: Callable[..., Any]) -> None:
        """The findings of a test with subtests are the test's."""
        done = run(
            """
def test_it(llmtrace, subtests):
    llmtrace.gateway("openai").chat().chat()
    for number in range(2):
        with subtests.test(number=number):
            call()
""",
            plugins=() if BUILT_IN_SUBTESTS else ("pytest_subtests.plugin",),
        )
        assert "llmtrace: 1 finding in test_it (2 exchanges, 0 LLM spans" in done.text
        assert done.status == pytest.ExitCode.TESTS_FAILED


CASSETTE = """interactions:
- request: {method: POST, uri: 'https://api.openai.com/v1/chat/completions', headers: {}, body: '{"model": "m", "messages": []}'}
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: '{}'}}
version: 1
"""  # noqa: E501


def test_default_cassettes_are_those_of_pytest_recording(run: Callable[..., Any]) -> None:
    """A bare `llmtrace` finds the file that pytest-recording would use, for functions, classes and parameters."""
    folder = "cassettes/test_suite/"
    names = ["test_one", "TestIt.test_two", "test_three[a-b]", "given"]
    done = run(
        """
def test_one(llmtrace): assert spanned() == 200

class TestIt:
    def test_two(self, llmtrace): assert spanned() == 200

@pytest.mark.parametrize("text", ["a/b"])
def test_three(llmtrace, text): assert spanned() == 200

@pytest.mark.default_cassette("given")
def test_given(llmtrace): assert spanned() == 200

@pytest.mark.vcr
def test_vcr(llmtrace): call()
""",
        files={
            "pytest.ini": "[pytest]\nmarkers =\n  default_cassette: pytest-recording's\n  vcr: pytest-recording's\n",
            **{f"{folder}{name}.yaml": CASSETTE for name in [*names, "test_vcr"]},
        },
    )
    passed = ["test_one", "test_two", "test_three[a/b]", "test_given"]
    assert done.outcomes == {**dict.fromkeys(passed, PASSED), "test_vcr": FAILED}


def test_the_configuration_of_vcr_is_honoured(run: Callable[..., Any]) -> None:
    """`vcr_config` is read where `llmtrace_config` is silent."""
    other = CASSETTE.replace('"messages": []', '"messages": [1]').replace("/v1/chat", "/v1/chat")
    done = run(
        """
@pytest.fixture
def vcr_config(): return {"match_on": ["method", "uri"], "record_mode": "none"}

@pytest.mark.llmtrace(cassette="other")
def test_by_uri(): assert spanned() == 200

class TestOwn:
    @pytest.fixture
    def llmtrace_config(self): return {"match_on": ["method", "uri", "body"], "allow_unused": "refused"}

    @pytest.mark.llmtrace(cassette="other")
    def test_by_body(self): spanned()
""",
        files={"cassettes/other.yaml": other},
    )
    assert done.outcomes == {"test_by_uri": PASSED, "test_by_body": FAILED}
    assert "differs   body $.messages" in done.section("TestOwn.test_by_body")


if INSTRUMENTED_HTTPX:

    def test_http_instrumentation_keeps_its_spans(run: Callable[..., Any]) -> None:
        """opentelemetry-instrumentation-httpx still makes its spans, below the span of the call."""
        done = run("""
import httpx
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
HTTPXClientInstrumentor().instrument()

@pytest.mark.llmtrace(gateway="openai")
def test_it(llmtrace):
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    with trace.get_tracer("app").start_as_current_span("call", attributes=attributes):
        assert httpx.post(URL, json=BODY).status_code == 200
    assert str(llmtrace.tree()) == "call  INTERNAL  UNSET\\n  POST  CLIENT  UNSET"
""")
        assert done.outcomes == {"test_it": PASSED}
