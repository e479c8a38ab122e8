"""Markers that a test is given when its trace is open, by a fixture or by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SUITE = """
import pytest
from child import ask, span

@pytest.fixture(autouse=True)
def found(llmtrace):
    llmtrace.gateway("openai").chat()
    with span() as opened:
        ask()
        opened.set_attribute("gen_ai.usage.output_tokens", 99)

@pytest.fixture
def waived(request):
    request.applymarker(pytest.mark.llmtrace(ignore={"wire/output-tokens": "known"}))

def test_waived(waived):
    pass

@pytest.mark.llmtrace(verify="error")
def test_waived_and_marked(waived):
    pass

def test_warned(request):
    request.node.add_marker(pytest.mark.llmtrace(verify="warn"))

def test_limited(request):
    request.node.add_marker(pytest.mark.llmtrace(budget={"calls": 0}, ignore={"wire/*": "known"}))

def test_unused(request):
    request.node.add_marker(pytest.mark.llmtrace(ignore={"wire/*": "known", "replay/unplayed": "never"}))

def test_misspelt(request):
    request.node.add_marker(pytest.mark.llmtrace(ingore={"wire/output-tokens": "known"}))

def test_misspelt_and_failed(request):
    request.node.add_marker(pytest.mark.llmtrace(verify="warning"))
    raise LookupError

@pytest.mark.parametrize("argument", ["gateway", "cassette", "timing"])
def test_late(request, argument):
    value = {"gateway": "openai", "cassette": "chat", "timing": "real"}[argument]
    request.node.add_marker(pytest.mark.llmtrace(**{argument: value}))
"""


def test_what_is_still_possible_is_honoured(run: Callable[..., Any]) -> None:
    """Arguments of the judgement have an effect; others, and wrong ones, fail the test and say why."""
    done = run(SUITE, LLMTRACE_STRICT="1")
    late = {f"test_late[{argument}]": "failed" for argument in ("gateway", "cassette", "timing")}
    failed = dict.fromkeys(("test_limited", "test_misspelt", "test_misspelt_and_failed"), "failed")
    passed = dict.fromkeys(("test_waived", "test_waived_and_marked", "test_warned", "test_unused"), "passed")
    assert done.outcomes == {**passed, **failed, **late}, done.out
    assert done.text("test_limited").startswith(
        "Failed: llmtrace: 1 finding, 1 waived in test_limited (1 exchange, 1 LLM span, N checks)\n\nerror  agent/"
    )
    wrong = "llmtrace: marker added at run time: "
    assert done.text("test_misspelt").startswith(
        f"Failed: {wrong}unknown argument 'ingore': did you mean 'ignore'? known: allow_hosts, allow_unused, "
    )
    assert done.section("test_misspelt").startswith("llmtrace: 1 finding in test_misspelt (")
    assert done.text("test_misspelt_and_failed") == "LookupError"
    assert done.section("test_misspelt_and_failed").startswith(
        f"{wrong}unknown value of verify= 'warning': did you mean 'warn'? known: False, error, warn\n"
        "llmtrace: 1 finding in test_misspelt_and_failed ("
    )
    for argument, instead in (
        ("gateway", ", or call llmtrace.gateway(...) in the test"),
        ("cassette", ', or call llmtrace.replay("...") in the test'),
        ("timing", ""),
    ):
        assert done.text(f"test_late[{argument}]") == (
            f"Failed: {wrong}{argument}= came too late: it has an effect from the beginning of a test only\n"
            f"next: give it to the test's own marker{instead}"
        )
    assert "llmtrace: 1 finding in test_warned (1 exchange, 1 LLM span, N checks)" in done.summary()
    assert any("4 waived" in line for line in done.summary()), done.summary()


def test_an_unused_waiver_is_one_of_the_run(run: Callable[..., Any]) -> None:
    """A fixture may give a waiver to many tests; it is reported if it has hidden nothing in any of them."""
    done = run(SUITE, options=["-k=waived or unused", "."])
    assert set(done.outcomes.values()) == {"passed"}, done.out
    assert [line for line in done.summary() if "remove it" in line] == [], done.out


BEFORE = """
import pytest

@pytest.fixture(scope="class", autouse=True)
def marked(request):
    request.node.add_marker(pytest.mark.llmtrace({}))

class TestIt:
    def test_it(self, llmtrace):
        raise LookupError
"""


def test_a_wrong_marker_before_the_trace_is_open(run: Callable[..., Any]) -> None:
    """A marker that a wider fixture adds is checked when the trace is opened."""
    done = run(BEFORE.format('gatewy="openai"'))
    assert done.outcomes == {"TestIt::test_it": "error"}
    assert (
        done.text("TestIt::test_it")
        .partition(" known: ")[0]
        .endswith("llmtrace: marker added at run time: unknown argument 'gatewy': did you mean 'gateway'?")
    )


def test_a_test_that_marks_itself_is_told_that_it_ran_untraced(run: Callable[..., Any]) -> None:
    """A test without a trace that adds the marker while it runs would seem to be traced."""
    done = run("""
        import pytest

        def test_it(request):
            request.node.add_marker(pytest.mark.llmtrace)
        """)
    assert done.outcomes == {"test_it": "failed"}
    assert done.text("test_it") == (
        "Failed: llmtrace: this test got its marker too late for the fixture: it would run untraced, and reach the "
        "network\nnext: mark it in pytest_collection_modifyitems, or let it request the fixture llmtrace"
    )
