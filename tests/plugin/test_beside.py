"""What a test has found is shown once and counted once, however the test or its teardown ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

ENDS = """
import asyncio
import contextlib
import sys
import unittest

import pytest
from child import ask, span

@pytest.fixture
def found(llmtrace):
    llmtrace.gateway("openai").chat()
    with span() as opened:
        ask()
        opened.set_attribute("gen_ai.usage.output_tokens", 99)

@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError, GeneratorExit, LookupError])
def test_ends(found, error):
    raise error

def test_skips(found):
    pytest.skip("later")

def test_expects(found):
    pytest.xfail("later")

@pytest.mark.xfail(raises=LookupError)
def test_expected(found):
    raise LookupError

@pytest.fixture
def broken(found):
    raise LookupError

def test_not_set_up(broken):
    pass

@pytest.fixture
def skipping(found):
    pytest.skip("later")

def test_skipped_by_a_fixture(skipping):
    pass

@pytest.mark.llmtrace
class TestCase(unittest.TestCase):
    def test_skips(self):
        with span(llm=False), contextlib.suppress(AssertionError):
            ask()
        self.skipTest("later")

def test_selects(found, llmtrace):
    llmtrace.llm_span(name="another")

def test_verifies(found, llmtrace):
    llmtrace.verify()
"""
FOUND = "wire/output-tokens"
OUTCOMES = {
    **{f"test_ends[{name}]": "failed" for name in ("SystemExit", "CancelledError", "GeneratorExit", "LookupError")},
    "test_skips": "skipped",
    "test_expects": "xfailed",
    "test_expected": "xfailed",
    "test_not_set_up": "error",
    "test_skipped_by_a_fixture": "skipped",
    "TestCase::test_skips": "skipped",
    "test_selects": "failed",
    "test_verifies": "failed",
}


@pytest.mark.parametrize(("plugins", "options"), [([], []), (["xdist"], ["-n", "2"])], ids=["in one process", "xdist"])
def test_what_is_counted_is_shown(run: Callable[..., Any], plugins: list[str], options: list[str]) -> None:
    """Findings stand beside a failure of any kind; of a skip or an expected failure they are in the run's summary."""
    done = run(ENDS, plugins=plugins, options=options)
    assert done.outcomes == OUTCOMES, done.out
    shown = {
        name: (
            done.out.count(f"llmtrace: 1 finding in {name.rpartition('::')[2]} ("),
            any(f"::{name}" in line for line in done.summary()),
        )
        for name in OUTCOMES
    }
    unseen = {"skipped", "xfailed"}
    assert shown == {
        **{name: (1, outcome in unseen) for name, outcome in OUTCOMES.items()},
        "test_skips": (2, True),  # Two tests have this name.
        "TestCase::test_skips": (2, True),
    }, done.out
    ids = {name: done.properties(name).get("llmtrace_findings") for name in OUTCOMES}
    assert ids == {**dict.fromkeys(OUTCOMES, FOUND), "TestCase::test_skips": "replay/unmatched"}
    assert done.summary()[-1] == f"  found       11  {FOUND}"


LATE = """
import contextlib

import pytest
from child import ask, left_open, span

@pytest.fixture
def asking(llmtrace):
    yield
    ask()

def test_asks(asking):
    pass

@pytest.fixture
def swallowing(llmtrace):
    yield
    with contextlib.suppress(AssertionError):
        ask()

@pytest.fixture
def broken():
    yield
    raise LookupError("of the fixture")

def test_breaks(broken, swallowing):
    pass

def test_asks_and_swallows(asking, swallowing):
    pass

class TestIt:
    def teardown_method(self):
        ask()

    def test_method(self, llmtrace):
        pass
"""


def test_a_teardown_fails_once(run: Callable[..., Any]) -> None:
    """A refusal that fails a teardown is not reported again; what else was found stands beside the failure."""
    done = run(LATE, LLMTRACE_STRICT="1")
    assert done.outcomes == dict.fromkeys(
        ("test_asks", "test_breaks", "test_asks_and_swallows", "TestIt::test_method"), "passed error"
    ), done.out
    assert "ExceptionGroup" not in done.out
    for name in ("test_asks", "TestIt::test_method"):
        label = name.rpartition("::")[2]
        assert done.text(name).partition("\n")[0] == (
            "pytest_llmtrace.errors.UnmatchedRequest: nothing answered POST http://llm.test:1/v1/chat/completions in "
            f"{label}, and it was not sent"
        )
        assert done.section(name) == ""
        assert done.junit_properties(label) == {"llmtrace_findings": "replay/unmatched"}
    assert done.text("test_breaks") == "LookupError: of the fixture"
    assert (
        done.section("test_breaks")
        == """\
llmtrace: 1 finding in test_breaks, after the test (1 exchange, 0 LLM spans, N checks)

error  replay/unmatched  POST /v1/chat/completions  (exchange 0)
       found  nothing answered POST http://llm.test:1/v1/chat/completions in test_breaks, and it was not sent
              nothing   no cassette, gateway or router is active here
              default   there is no cassettes/test_it/test_breaks.yaml; --llmtrace-record=once records it
       why    nothing answered this request, so the test did not run what production runs; it never left the machine
       next   name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), \
or let the host through with allow_hosts=("llm.test:1",), or waive: \
@pytest.mark.llmtrace(ignore={"replay/unmatched": "reason"})

POST /v1/chat/completions  refused  (exchange 0)"""
    )


TOLD = """
import contextlib

from child import ask, span

def test_refused(llmtrace):
    ask()

def test_grouped(llmtrace):
    try:
        ask()
    except AssertionError as error:
        raise ExceptionGroup("several", [error, LookupError()])

def test_with_another(llmtrace):
    llmtrace.gateway("openai").chat(usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
    with span("told") as opened:
        ask()
        opened.set_attribute("gen_ai.usage.output_tokens", 99)
    ask()
"""


def test_what_a_refusal_says_is_not_said_again(run: Callable[..., Any]) -> None:
    """Beside a refused request, alone or in a group, stands only what else was found."""
    done = run(TOLD)
    assert done.outcomes == dict.fromkeys(("test_refused", "test_grouped", "test_with_another"), "failed"), done.out
    assert (done.section("test_refused"), done.section("test_grouped")) == ("", "")
    assert (
        done.section("test_with_another")
        == """\
llmtrace: 1 finding in test_with_another (2 exchanges, 1 LLM span, N checks)

error  wire/output-tokens  span 'told' (app)
       span   gen_ai.usage.output_tokens = 99
       wire   usage.completion_tokens = 2
              scripted openai chat, exchange 0, response body
       why    dashboards add this count up and costs are computed from it; the count is too high
       next   fix the instrumentation, or waive: @pytest.mark.llmtrace(ignore={"wire/output-tokens": "reason"})

told  CLIENT  UNSET  1 ms
  `- POST /v1/chat/completions  200  (exchange 0)
POST /v1/chat/completions  refused  (exchange 1)"""
    )
