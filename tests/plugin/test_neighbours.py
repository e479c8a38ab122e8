"""Other plugins beside ours: outcomes, reruns, test order, subtests, doctests, processes, other instrumentations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.installed import has, only_with

SUITE = """
import pytest
from child import ask, left_open, span

pytestmark = pytest.mark.llmtrace(gateway="openai")

def test_good():
    with span():
        ask()

@pytest.mark.parametrize("instrumented", [True, False])
def test_parameter(instrumented):
    with span(llm=instrumented):
        ask()

@pytest.mark.xfail(strict=True, reason="not instrumented yet")
def test_xfail_on_a_finding():
    with span(llm=False):
        ask()

@pytest.mark.xfail(strict=True)
def test_xfail_and_nothing_found():
    with span():
        ask()

@pytest.mark.xfail(raises=ZeroDivisionError, strict=True)
def test_xfail_raises_what_is_raised():
    1 / 0

@pytest.mark.xfail(raises=ZeroDivisionError, strict=True)
def test_xfail_raises_something_else():
    with span(llm=False):
        ask()

def test_own_failure():
    left_open()
    raise LookupError("mine")

@pytest.mark.llmtrace(verify="warn")
def test_warned():
    with span(llm=False):
        ask()

def test_skipped():
    pytest.skip("so")
"""

OUTCOMES = {
    "test_good": "passed",
    "test_parameter[True]": "passed",
    "test_parameter[False]": "failed",
    "test_xfail_on_a_finding": "xfailed",
    "test_xfail_and_nothing_found": "failed",
    "test_xfail_raises_what_is_raised": "xfailed",
    "test_xfail_raises_something_else": "failed",
    "test_own_failure": "failed",
    "test_warned": "passed",
    "test_skipped": "skipped",
}

WITHOUT_SPAN = (
    "test_parameter[False]",
    "test_xfail_on_a_finding",
    "test_xfail_raises_something_else",
    "test_warned",
)

SUMMARY = [
    "10 tests, 7 exchanges, 3 LLM spans, 5 findings",
    "  replayed     7  scripted openai chat",
    "  captured     3  app",
    "  found        4  structure/exchange-without-span",
    "  found        1  structure/span-never-ended",
]


# A neighbour: the plugins to load and the options that use it.
NEIGHBOURS = {
    "nobody": ([], []),
    "xdist": (["xdist"], ["-n", "2"]),
    "randomly": (["pytest_randomly"], ["--randomly-seed=1"]),
    "randomly, another order": (["pytest_randomly"], ["--randomly-seed=2"]),
    "recording": (["pytest_recording.plugin"], ["--block-network"]),
    "anyio": (["anyio.pytest_plugin"], []),
    "respx": (["respx.plugin"], []),
    "pytest-httpx": (["pytest_httpx"], []),
    "pytest-httpx2": (["pytest_httpx2"], []),
    "cassetter": (["cassetter.pytest_plugin"], []),
    "all in one": (["xdist", "pytest_randomly", "pytest_rerunfailures", "pytest_httpx", "respx.plugin"], ["-n", "2"]),
}


INSTALLED = [name for name, (plugins, _) in NEIGHBOURS.items() if has(*plugins)]


def test_all_neighbours_are_there() -> None:
    """Where the rarest neighbour is installed, all of them are: none is left out unnoticed."""
    assert [*NEIGHBOURS] == INSTALLED or not has("cassetter")
    assert has("pytest_rerunfailures", "opentelemetry.instrumentation.httpx") or not has("cassetter")


@pytest.mark.parametrize("name", INSTALLED)
def test_outcomes_are_the_same_beside_them(run: Callable[..., Any], name: str) -> None:
    """Outcomes, findings in JUnit and the sums are the same, whichever plugins are loaded and in any process."""
    plugins, options = NEIGHBOURS[name]
    result = run(SUITE, plugins=plugins, options=options)
    assert result.outcomes == OUTCOMES, result.out
    assert result.summary()[-len(SUMMARY) :] == SUMMARY
    assert "llmtrace: 1 finding in test_warned (1 exchange, 0 LLM spans, N checks)" in result.summary()
    assert result.text("test_own_failure") == "LookupError: mine"
    assert result.section("test_own_failure").splitlines()[2] == (
        "error  structure/span-never-ended  span 'left open' (app)"
    )
    assert {test: found for test in OUTCOMES if (found := result.junit_properties(test))} == {
        **{test: {"llmtrace_findings": "structure/exchange-without-span"} for test in WITHOUT_SPAN},
        "test_own_failure": {"llmtrace_findings": "structure/span-never-ended"},
    }


RAISES = """
import pytest
from child import ask, span
from pytest_llmtrace import VerificationError

@pytest.mark.llmtrace(gateway="openai")
@pytest.mark.parametrize("error", [
    pytest.param(error, marks=pytest.mark.xfail(raises=error, strict=True))
    for error in (AssertionError, VerificationError, pytest.fail.Exception, (OSError, AssertionError), OSError)
], ids=["assertion", "ours", "pytest's", "either", "other"])
def test_raises(error):
    with span(llm=False):
        ask()

@pytest.fixture
def asks(llmtrace):
    yield
    with pytest.raises(AssertionError):
        ask("http://mocked.test/x")

@pytest.mark.xfail(raises=AssertionError)
def test_after(asks):
    pass
"""


def test_xfail_may_name_what_findings_raise(run: Callable[..., Any]) -> None:
    """A finding is an AssertionError, our error and pytest's failure: `raises=` may name each, and nothing else."""
    result = run(RAISES)
    assert result.outcomes == {
        "test_raises[assertion]": "xfailed",
        "test_raises[ours]": "xfailed",
        "test_raises[pytest's]": "xfailed",
        "test_raises[either]": "xfailed",
        "test_raises[other]": "failed",
        "test_after": "xpassed xfailed",
    }, result.out
    assert result.text("test_raises[other]").startswith(
        "Failed: llmtrace: 1 finding in test_raises[other] (1 exchange, 0 LLM spans, N checks)"
    )


@pytest.mark.parametrize("plugins", [[], ["xdist"]], ids=str)
def test_last_failed_runs_what_had_findings(run: Callable[..., Any], plugins: list[str]) -> None:
    """`--lf` treats a finding as a failure, but neither an expected failure nor a warning."""
    options = ["-n", "2"] if plugins else []
    run(SUITE, plugins=plugins, options=options)
    again = run(SUITE, plugins=plugins, options=[*options, "--lf"])
    assert again.outcomes == {name: "failed" for name, outcome in OUTCOMES.items() if outcome == "failed"}


def test_without_marks_that_expect_failures(run: Callable[..., Any]) -> None:
    """`-p no:skipping` removes `xfail` and its option: no test is expected to fail then."""
    source = """
        import pytest
        from child import ask, span

        @pytest.fixture
        def cleaned():
            yield

        @pytest.mark.llmtrace(gateway="openai")
        @pytest.mark.parametrize("instrumented", [True, False])
        def test_it(cleaned, instrumented):
            with span(llm=instrumented):
                ask()
        """
    result = run(source, options=["-p", "no:skipping"])
    assert result.outcomes == {"test_it[True]": "passed", "test_it[False]": "failed"}, result.out
    assert result.properties("test_it[False]") == {"llmtrace_findings": "structure/exchange-without-span"}


def test_a_skipped_testcase_without_the_mark_for_it(run: Callable[..., Any]) -> None:
    """`-p no:skipping` removes the mark `skip`: `unittest.skip` still skips, and `--strict-markers` ends no run."""
    source = """
        import unittest
        import pytest

        @pytest.mark.llmtrace
        class TestIt(unittest.TestCase):
            @unittest.skip("so")
            def test_it(self):
                raise LookupError
        """
    result = run(source, options=["-p", "no:skipping", "--strict-markers"])
    assert result.outcomes == {"TestIt::test_it": "skipped"}, result.out


RERUN = """
import pytest
from child import ask, span

runs = []

@pytest.fixture
def asked(llmtrace):
    with span():
        ask()

@pytest.mark.llmtrace(gateway="openai")
@pytest.mark.parametrize("good_at", [2, 9])
def test_flaky(good_at, asked, llmtrace):
    runs.append(good_at)
    assert len(llmtrace.exchanges()) == 1, "each run has a trace of its own"
    with span(llm=runs.count(good_at) == good_at):
        ask()

@pytest.mark.llmtrace(gateway="openai")
def test_after(asked, llmtrace):
    assert len(llmtrace.exchanges()) == 1
"""


@only_with("pytest_rerunfailures")
def test_reruns(run: Callable[..., Any]) -> None:
    """A finding makes a test run again, each run is verified by itself, and a test counts once in the sums."""
    result = run(RERUN, plugins=["pytest_rerunfailures"], options=["--reruns", "2"])
    assert result.outcomes == {
        "test_flaky[2]": "rerun passed",
        "test_flaky[9]": "rerun rerun failed",
        "test_after": "passed",
    }, result.out
    assert result.summary()[0] == "3 tests, 5 exchanges, 4 LLM spans, 1 finding"
    assert result.reports["test_flaky[2]"][-1]["properties"] == []
    assert result.reports["test_flaky[9]"][-1]["properties"] == [
        ["llmtrace_findings", "structure/exchange-without-span"]
    ]


@only_with("pytest_rerunfailures")
def test_an_attempt_that_wide_fixtures_have_ended_leaves_no_guard(run: Callable[..., Any]) -> None:
    """The trace, which began before wide fixtures, is closed before the next attempt: later tests may call any host."""
    source = """
    import pytest
    from child import ask

    attempts = []

    @pytest.fixture(scope="class")
    def wide():
        attempts.append("begun")
        assert len(attempts) == 2

    @pytest.mark.llmtrace
    class TestClass:
        def test_it(self, wide):
            pass

    def test_after():
        assert ask() == "live"
    """
    result = run(source, plugins=["pytest_rerunfailures"], options=["--reruns", "1"])
    assert result.outcomes == {"TestClass::test_it": "rerun passed", "test_after": "passed"}, result.out


SUBTESTS = """
import pytest
from child import ask, span

@pytest.mark.llmtrace(gateway="openai")
def test_good(subtests):
    for number in range(3):
        with subtests.test(number=number), span():
            ask()

@pytest.mark.llmtrace(gateway="openai")
def test_finding(subtests):
    for number in range(3):
        with subtests.test(number=number), span(llm=number != 1):
            ask()

@pytest.mark.llmtrace(gateway="openai")
def test_one_fails(subtests):
    with subtests.test("fails"), span():
        ask()
        assert False
    with subtests.test("passes"), span():
        ask()

def test_unanswered(subtests, llmtrace):
    with subtests.test("asks"):
        ask()
"""

# pytest 9 has subtests built in; before, a plugin provides them.
_BUILT_IN = pytest.version_tuple >= (9, 0)


@only_with("pytest" if _BUILT_IN else "pytest_subtests")
def test_subtests(run: Callable[..., Any]) -> None:
    """The trace covers the whole test; its findings fail the test, and a failed subtest is reported by itself."""
    result = run(SUBTESTS, plugins=[] if _BUILT_IN else ["pytest_subtests.plugin"])
    assert {name: outcomes.split()[-1] for name, outcomes in result.outcomes.items()} == {
        "test_good": "passed",
        "test_finding": "failed",
        "test_one_fails": "failed",
        "test_unanswered": "failed",
    }, result.out
    assert result.properties("test_finding") == {"llmtrace_findings": "structure/exchange-without-span"}
    assert "llmtrace: 1 finding in test_finding (3 exchanges, 2 LLM spans, N checks)" in result.text("test_finding")
    assert "nothing answered POST" in result.text("test_unanswered")


DOCTESTS = '''
def chat():
    """Ask a model.

    >>> trace = getfixture("llmtrace")
    >>> _ = trace.gateway("openai").chat(text="hello")
    >>> from child import ask, span
    >>> with span():
    ...     ask()
    'hello'
    >>> len(trace.llm_spans())
    1
    """

def uninstrumented():
    """Ask a model.

    >>> trace = getfixture("llmtrace")
    >>> _ = trace.gateway("openai").chat(text="hello")
    >>> from child import ask, span
    >>> with span(llm=False):
    ...     ask()
    'hello'
    """

def wrong():
    """Ask nobody.

    >>> trace = getfixture("llmtrace")
    >>> 1 + 1
    3
    """
'''


def test_doctests(run: Callable[..., Any]) -> None:
    """`getfixture("llmtrace")` works in a doctest, and its findings fail it."""
    result = run(files={"docs.py": DOCTESTS}, options=["--doctest-modules", "docs.py"])
    assert result.outcomes == {"docs.chat": "passed", "docs.uninstrumented": "failed", "docs.wrong": "failed"}
    assert result.properties("docs.uninstrumented") == {"llmtrace_findings": "structure/exchange-without-span"}


MARKED_DOCTESTS = '''
import pytest
from child import ask, span

pytestmark = pytest.mark.llmtrace(gateway="openai")

@pytest.fixture(scope="module", autouse=True)
def wide():
    with span("wide"):
        ask()

def chat():
    """Ask a model.

    >>> with span():
    ...     reply = ask()
    """

def uninstrumented():
    """Ask a model.

    >>> with span("work", llm=False):
    ...     reply = ask()
    """
'''


def test_doctests_of_a_marked_module(run: Callable[..., Any]) -> None:
    """The marker of a module implies the fixture for its doctests too: none of their requests reaches the network."""
    result = run(MARKED_DOCTESTS, options=["--doctest-modules"])
    assert result.outcomes == {"test_it.chat": "passed", "test_it.uninstrumented": "failed"}, result.out
    assert result.properties("test_it.uninstrumented") == {"llmtrace_findings": "structure/exchange-without-span"}
    assert result.summary()[:2] == [
        "2 tests, 3 exchanges, 2 LLM spans, 1 finding",
        "  replayed     3  scripted openai chat",
    ]


# A plugin's own kind of items, which have no fixtures, and a suite that marks whole folders.
CASES = """
import pytest

class Case(pytest.Item):
    def runtest(self):
        pass

    def reportinfo(self):
        return self.path, None, self.name

class Cases(pytest.File):
    def collect(self):
        return [Case.from_parent(self, name=name) for name in self.path.read_text().split()]

def pytest_collect_file(file_path, parent):
    return Cases.from_parent(parent, path=file_path) if file_path.suffix == ".cases" else None

def pytest_collection_modifyitems(items):
    for item in items:
        if item.name != "unmarked":
            item.add_marker(pytest.mark.llmtrace)
"""


@pytest.mark.parametrize(("plugins", "options"), [([], []), (["xdist"], ["-n", "2"])], ids=["in one process", "xdist"])
@pytest.mark.parametrize(
    ("cases", "first"),
    [("one", "it.cases::one has"), ("one two unmarked three", "it.cases::one and 2 more have")],
    ids=["one", "several"],
)
def test_items_that_no_fixture_can_serve(
    run: Callable[..., Any], cases: str, first: str, plugins: list[str], options: list[str]
) -> None:
    """The marker of items without fixtures has no effect, which is said once, at the end of the run."""
    source = "def test_function(llmtrace): pass"
    result = run(source, files={"conftest.py": CASES, "it.cases": cases}, plugins=plugins, options=[*options, "."])
    assert result.code == 0, result.out
    assert [line for line in result.summary() if line.startswith(("  untraced", "     "))] == [
        f"  untraced     {first} the marker, but no fixtures: nothing answers or verifies their calls",
        "               give the marker to functions and doctests only, or open LLMTrace(...) where the item runs",
    ]


def test_unmarked_items_are_not_spoken_of(run: Callable[..., Any]) -> None:
    """Nothing is said where such items have no marker."""
    files = {"conftest.py": CASES, "it.cases": "unmarked"}
    assert run(files=files, options=["it.cases"]).summary() == []


INSTRUMENTED = """
import httpx
import pytest
from child import BODY, ask, ask_async, run, span
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

@pytest.fixture(autouse=True, scope="{scope}")
def instrumented():
    HTTPXClientInstrumentor().instrument()
    yield
    HTTPXClientInstrumentor().uninstrument()

def posts(llmtrace):
    return [(one.name, one.kind, one.attributes["http.status_code"], one.parent_id == parent.span_id)
            for parent in llmtrace.spans(scope="app") for one in llmtrace.spans(kind="CLIENT")
            if one.scope != "app"]

@pytest.mark.llmtrace(gateway="openai")
def test_sync(llmtrace):
    with span():
        ask(library="httpx")
    assert posts(llmtrace) == [("POST", "CLIENT", 200, True)]

@pytest.mark.llmtrace(gateway="openai")
def test_async(llmtrace):
    with span():
        run(ask_async(library="httpx"))
    assert posts(llmtrace) == [("POST", "CLIENT", 200, True)]

@pytest.mark.llmtrace
def test_unanswered(llmtrace):
    try:
        ask(library="httpx")
    finally:
        (failed,) = llmtrace.spans()
        assert (failed.name, failed.status) == ("POST", "ERROR")

def test_router(llmtrace):
    llmtrace.router.post("http://mocked.test/x").respond(204)
    httpx.post("http://mocked.test/x")
    assert [one.attributes["http.status_code"] for one in llmtrace.spans()] == [204]
"""


@only_with("opentelemetry.instrumentation.httpx")
@pytest.mark.parametrize("scope", ["function", "session"])
def test_the_instrumentation_of_httpx_keeps_its_spans(run: Callable[..., Any], scope: str) -> None:
    """The httpx instrumentation patches a layer above ours, so its spans keep their status, whichever started first."""
    result = run(INSTRUMENTED.format(scope=scope))
    assert result.outcomes == {
        "test_sync": "passed",
        "test_async": "passed",
        "test_unanswered": "failed",
        "test_router": "passed",
    }, result.out
    assert result.text("test_unanswered").startswith("pytest_llmtrace.errors.UnmatchedRequest: nothing answered POST")
