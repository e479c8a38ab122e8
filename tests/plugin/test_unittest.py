"""Test cases of unittest are verified like any other test; the private name of pytest that we read is guarded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.plugin._pytest_internals import failure_of_testcase

SUITE = """
import unittest
import pytest
from child import ask, ask_async, left_open, span

@pytest.mark.llmtrace(gateway="openai")
class TestSync(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _hold(self, llmtrace):
        self.trace = llmtrace

    def test_good(self):
        with span():
            ask()
        self.assertEqual(len(self.trace.exchanges()), 1)

    def test_finding(self):
        with span(llm=False):
            ask()

    def test_own_failure(self):
        left_open()
        self.fail("by itself")

    def test_skipped(self):
        self.skipTest("by itself")

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("as expected")

    @unittest.expectedFailure
    def test_expected_finding(self):
        with span(llm=False):
            ask()

    @unittest.expectedFailure
    def test_unexpected_success(self):
        with span():
            ask()

    def test_subtests(self):
        for number in range(3):
            with self.subTest(number=number), span():
                ask()

@pytest.mark.llmtrace(gateway="openai")
class TestAsync(unittest.IsolatedAsyncioTestCase):
    async def test_good(self):
        with span():
            await ask_async()

    async def test_finding(self):
        with span(llm=False):
            await ask_async()

    async def test_own_failure(self):
        left_open()
        self.fail("by itself")

    @unittest.expectedFailure
    async def test_expected_finding(self):
        with span(llm=False):
            await ask_async()

@pytest.mark.llmtrace
class TestUnanswered(unittest.TestCase):
    def test_sent(self):
        ask()

    def test_swallowed(self):
        with self.assertRaises(Exception):
            ask()

class TestSetUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.refusal = None
        try:
            ask()
        except AssertionError as error:
            cls.refusal = str(error)

    @pytest.mark.llmtrace
    def test_refused(self):
        self.assertIn("in the wider fixtures of test_refused, and it was not sent", self.refusal)
"""

FINDING = """\
Failed: llmtrace: 1 finding in test_finding (1 exchange, 0 LLM spans, N checks)

error  structure/exchange-without-span  POST /v1/chat/completions  (exchange 0)
       span   none describes this exchange; these were captured:
              'chat' (app)
       wire   chat call to model 'gpt-4o', answered 200
              scripted openai chat, exchange 0
       why    the call was made and no LLM span describes it: its cost, latency and errors are invisible
       next   switch on an instrumentor for this SDK, or put a span with gen_ai.request.model around it, or waive: \
@pytest.mark.llmtrace(ignore={"structure/exchange-without-span": "reason"})

chat  INTERNAL  UNSET  1 ms
  `- POST /v1/chat/completions  200  (exchange 0)"""

SECTION = """\
llmtrace: 1 finding in test_own_failure (0 exchanges, 0 LLM spans, N checks)

error  structure/span-never-ended  span 'left open' (app)
       span   was started, but had not ended when the test was over
       why    a span that never ends is never exported
       next   end it on every path: with start_as_current_span(...), or end() in a finally, or waive: \
@pytest.mark.llmtrace(ignore={"structure/span-never-ended": "reason"})

left open  INTERNAL  UNSET  not ended"""


def test_testcases(run: Callable[..., Any]) -> None:
    """Findings fail a test case; its own failure or skip stays its outcome, with the findings beside it."""
    result = run(SUITE)
    assert {name.replace("::", "."): outcome for name, outcome in result.outcomes.items()} == {
        "TestSync.test_good": "passed",
        "TestSync.test_finding": "failed",
        "TestSync.test_own_failure": "failed",
        "TestSync.test_skipped": "skipped",
        "TestSync.test_expected": "xfailed",
        "TestSync.test_expected_finding": "xfailed",
        "TestSync.test_unexpected_success": "failed",
        "TestSync.test_subtests": "passed",
        "TestAsync.test_good": "passed",
        "TestAsync.test_finding": "failed",
        "TestAsync.test_own_failure": "failed",
        "TestAsync.test_expected_finding": "xfailed",
        "TestUnanswered.test_sent": "failed",
        "TestUnanswered.test_swallowed": "failed",
        "TestSetUp.test_refused": "passed",
    }
    for kind in ("Sync", "Async"):
        assert result.text(f"Test{kind}::test_finding") == FINDING
        assert result.text(f"Test{kind}::test_own_failure") == "AssertionError: by itself"
        assert result.section(f"Test{kind}::test_own_failure") == SECTION
    assert result.text("TestSync::test_unexpected_success") == "Failed: Unexpected success"
    assert result.section("TestUnanswered::test_sent") == ""  # The error has the whole text already.
    assert result.text("TestUnanswered::test_swallowed").startswith("Failed: llmtrace: 1 finding in test_swallowed")


def test_pytest_keeps_the_failure_of_a_testcase_where_we_look(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`TestCaseFunction._excinfo` is a list of exception infos, present before `pytest_runtest_call` is over."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    seen: dict[str, BaseException | None] = {}

    class Looking:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_call(self, item: pytest.Item) -> Any:
            yield
            seen[item.name] = failure_of_testcase(item)

    pytester.makepyfile("""
        import unittest
        class TestIt(unittest.TestCase):
            def test_passes(self):
                pass
            def test_fails(self):
                self.fail("so")
            def test_skips(self):
                self.skipTest("so")
        def test_no_testcase():
            pass
        """)
    pytester.inline_run("-p", "no:terminal", plugins=[Looking()])
    assert {name: type(failure).__name__ for name, failure in seen.items()} == {
        "test_passes": "NoneType",
        "test_fails": "AssertionError",
        "test_skips": "Skipped",
        "test_no_testcase": "NoneType",
    }
