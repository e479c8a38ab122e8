"""A finding fails the test itself, so everything in pytest that handles outcomes handles findings too."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import checks

PASSED, FAILED, ERROR, SKIPPED = "passed", "failure", "error", "skipped"


def test_a_finding_is_a_failure_with_its_report(run: Callable[..., Any]) -> None:
    """A test without an assertion fails on what it did; JUnit has the checks' ids, and the summary has the sums."""
    done = run("""
def test_chat(llmtrace):
    llmtrace.gateway("openai").chat(text="hi")
    from opentelemetry import trace
    with trace.get_tracer("app").start_as_current_span("step"):
        call()
""")
    assert done.status == pytest.ExitCode.TESTS_FAILED
    assert done.outcomes == {"test_chat": FAILED}
    assert done.properties["test_chat"] == {"llmtrace_findings": "structure/exchange-without-span"}
    assert done.section("test_chat") == (
        "llmtrace: 1 finding in test_chat (1 exchange, 0 LLM spans, 10 checks)\n"
        "\n"
        "error  structure/exchange-without-span  POST /v1/chat/completions  (exchange 0)\n"
        "       span   none describes this exchange; these were captured:\n"
        "              'step' (app)\n"
        "       wire   chat call to model 'm', answered 200\n"
        "              scripted openai chat, exchange 0\n"
        "       why    the call was made and no LLM span describes it: its cost, latency and errors are invisible\n"
        "       next   switch on an instrumentor for this SDK, or put a span with gen_ai.request.model around it, or "
        'waive: @pytest.mark.llmtrace(ignore={"structure/exchange-without-span": "reason"})\n'
        "\n"
        "step  INTERNAL  UNSET  <duration>\n"
        "  `- POST /v1/chat/completions  200  (exchange 0)\n"
    )
    summary = done.text.partition(" llmtrace ===")[2].partition("\n")[2]
    assert summary.startswith(
        "1 test, 1 exchange, 0 LLM spans, 1 finding\n"
        "  replayed     1  scripted openai chat\n"
        "  found        1  structure/exchange-without-span\n"
    )


def test_a_swallowed_refusal_fails_the_test_once(run: Callable[..., Any]) -> None:
    """A refusal that the app swallows is reported at the end; one that reaches the test is not reported twice."""
    done = run("""
def test_swallowed(llmtrace):
    try:
        call()
    except AssertionError:
        pass

def test_raised(llmtrace):
    call()
""")
    assert done.outcomes == {"test_swallowed": FAILED, "test_raised": FAILED}
    assert done.section("test_swallowed") == (
        "llmtrace: 1 finding in test_swallowed (1 exchange, 0 LLM spans, 1 check)\n"
        "\n"
        "error  replay/unmatched  POST /v1/chat/completions  (exchange 0)\n"
        "       found  nothing answered POST https://api.openai.com/v1/chat/completions in test_swallowed, "
        "and it was not sent\n"
        "              nothing   no cassette, gateway or router is active here\n"
        "              default   there is no cassettes/test_suite/test_swallowed.yaml; "
        "--llmtrace-record=once records it\n"
        "       why    nothing answered this request, so the test did not run what production runs; "
        "it never left the machine\n"
        '       next   name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), or let '
        'the host through with allow_hosts=("api.openai.com",), or waive: '
        '@pytest.mark.llmtrace(ignore={"replay/unmatched": "reason"})\n'
        "\n"
        "POST /v1/chat/completions  refused  (exchange 0)\n"
    )
    assert done.text.count("replay/unmatched  POST") == 1


def test_a_failure_of_the_test_stands(run: Callable[..., Any]) -> None:
    """The test's own exception stays its failure; the findings are a section beside it."""
    done = run("""
def test_own(llmtrace):
    llmtrace.gateway("openai").chat()
    from opentelemetry import trace
    trace.get_tracer("app").start_span("open")
    call()
    assert 1 == 2
""")
    assert "assert 1 == 2" in done.section("test_own")
    assert "structure/span-never-ended" in done.section("Captured llmtrace call")


OUTCOMES = '''
@pytest.mark.xfail(strict=True)
def test_xfail(llmtrace):
    llmtrace.gateway("openai").chat()
    call()

@pytest.mark.xfail(strict=True)
def test_xpass(llmtrace):
    llmtrace.gateway("openai").chat()
    spanned()

@pytest.mark.xfail(raises=ZeroDivisionError, strict=True)
def test_xfail_raises(llmtrace):
    llmtrace.gateway("openai").chat()
    call()
    1 / 0

def test_skip(llmtrace):
    llmtrace.gateway("openai").chat()
    pytest.skip("later")

@pytest.mark.llmtrace(verify="warn", gateway="openai")
def test_warn():
    call()

@pytest.mark.llmtrace(verify=False, gateway="openai")
def test_unverified():
    call()

@pytest.mark.llmtrace(ignore={"capture/nothing": "about the client"}, gateway="openai")
def test_waived():
    call()

@pytest.mark.llmtrace(ignore={"replay/unplayed": "an old one"})
def test_unused_waiver():
    pass

@pytest.mark.llmtrace(gateway="openai")
@pytest.mark.parametrize("n", [1, 2])
def test_parameters(n):
    assert spanned() == 200

def test_plain():
    pass

def doc():
    """
    >>> trace = getfixture("llmtrace")
    >>> _ = trace.gateway("openai").chat()
    >>> spanned()
    200
    """

def bad_doc():
    """
    >>> trace = getfixture("llmtrace")
    >>> _ = trace.gateway("openai").chat()
    >>> call()
    200
    """
'''
EXPECTED = {
    "test_xfail": SKIPPED,
    "test_xpass": FAILED,
    "test_xfail_raises": SKIPPED,
    "test_skip": SKIPPED,
    "test_warn": PASSED,
    "test_unverified": PASSED,
    "test_waived": PASSED,
    "test_unused_waiver": PASSED,
    "test_parameters[1]": PASSED,
    "test_parameters[2]": PASSED,
    "test_plain": PASSED,
    "test_suite.doc": PASSED,
    "test_suite.bad_doc": FAILED,
}


@pytest.mark.parametrize(
    ("options", "plugins"),
    [((), ()), (("-n", "2"), ("xdist",)), (("-p", "no:cacheprovider"), ())],
    ids=["plain", "xdist", "nocache"],
)
def test_outcomes(run: Callable[..., Any], options: tuple[str, ...], plugins: tuple[str, ...]) -> None:
    """xfail, skip, doctests, warn, waivers and parameters work, also under xdist; findings of passes are printed."""
    done = run(OUTCOMES, "--doctest-modules", "test_suite.py", *options, plugins=plugins)
    assert done.outcomes == EXPECTED
    summary = done.text.partition(" llmtrace ===")[2]
    assert "error  capture/nothing  1 LLM call, no span: no instrumentor is switched on" in summary
    assert "warning  waiver/unused  ignore={'replay/unplayed': 'an old one'}" in summary
    assert "\n12 tests, 10 exchanges, 4 LLM spans, " in summary


def test_strict_fails_on_warnings(run: Callable[..., Any]) -> None:
    """With `--llmtrace-strict`, or its ini value or environment variable, a warning fails the test."""
    suite = '@pytest.mark.llmtrace(ignore={"replay/unplayed": "old"})\ndef test_it(): pass\n'
    ini = {"pytest.ini": "[pytest]\nllmtrace_strict = true\n"}
    assert run(suite).outcomes == {"test_it": PASSED}
    assert run(suite, "--llmtrace-strict").outcomes == {"test_it": FAILED}
    assert run(suite, LLMTRACE_STRICT="1").outcomes == {"test_it": FAILED}
    assert run(suite, files=ini).outcomes == {"test_it": FAILED}
    assert run(suite, files=ini, LLMTRACE_STRICT="0").outcomes == {"test_it": PASSED}


def test_last_failed_finds_findings(run: Callable[..., Any]) -> None:
    """`--lf` runs exactly the tests again that failed on findings."""
    suite = 'def test_good(llmtrace): pass\n@pytest.mark.llmtrace(gateway="openai")\ndef test_bad(): call()\n'
    assert run(suite).outcomes == {"test_good": PASSED, "test_bad": FAILED}
    assert run(suite, "--lf").outcomes == {"test_bad": FAILED}


@pytest.mark.parametrize(
    ("marker", "text"),
    [
        ('casette="x"', "unknown argument 'casette': did you mean 'cassette'? known: "),
        ('"chat"', "takes keyword arguments only, got 'chat'; did you mean cassette='chat'?"),
        ('verify="warning"', "unknown value of verify= 'warning': did you mean 'warn'? known: False, error, warn"),
        (
            'ignore={"replay/unplaid": "x"}',
            "unknown check id in ignore= 'replay/unplaid': did you mean 'replay/unplayed'? ",
        ),
        ('ignore={"replay/unplayed": ""}', "ignore={'replay/unplayed': ...} wants a reason in words"),
        ('ignore=["replay/unplayed"]', "ignore= takes {check id: reason}, not ['replay/unplayed']"),
        ("allow_unused=True", "allow_unused= takes a reason in words, not True"),
        ('conventions="x"', "unknown convention 'x': known: core-1.36, "),
        ('gateway="openay"', "unknown gateway 'openay': did you mean 'openai'? known: "),
        ("cassette=3", "the name of a cassette must be a string such as 'openrouter/chat', not 3"),
        ('record="once"', "unknown argument 'record': to record, run pytest with --llmtrace-record=once, "),
        ('timing="fast"', "unknown value of timing= 'fast': known: instant, real, recorded"),
    ],
)
def test_wrong_markers_stop_the_run(run: Callable[..., Any], marker: str, text: str) -> None:
    """A marker argument without meaning is a usage error, with the nearest known name if there is one."""
    done = run(f"@pytest.mark.llmtrace({marker})\ndef test_it(): pass\n")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: test_suite.py::test_it: llmtrace marker: {text}" in done.text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("LLMTRACE_STRICT", "perhaps", "LLMTRACE_STRICT is 'perhaps': write true or false"),
        (
            "LLMTRACE_APP_EXPORTERS",
            "mute",
            "unknown value of LLMTRACE_APP_EXPORTERS 'mute': did you mean 'muted'? known: live, muted",
        ),
        ("LLMTRACE_INSTRUMENT", "a nobody", "LLMTRACE_INSTRUMENT: there is no instrumentor 'a'; "),
    ],
)
def test_wrong_options_stop_the_run(run: Callable[..., Any], name: str, value: str, text: str) -> None:
    """An option value without meaning is a usage error."""
    done = run("def test_it(): pass\n", **{name: value})
    assert (done.status, f"ERROR: llmtrace: {text}" in done.text) == (pytest.ExitCode.USAGE_ERROR, True)


def test_a_wrong_instrumentor_is_named_where_it_is_set(run: Callable[..., Any]) -> None:
    """An instrumentor that is not installed is reported under the name of the ini value, if it was named there."""
    done = run("def test_it(): pass\n", files={"pytest.ini": "[pytest]\nllmtrace_instrument = nobody\n"})
    text = "ERROR: llmtrace: llmtrace_instrument: there is no instrumentor 'nobody'; "
    assert (done.status, text in done.text) == (pytest.ExitCode.USAGE_ERROR, True)


def test_a_wrong_set_up_is_one_clear_error(run: Callable[..., Any]) -> None:
    """A missing or broken cassette, an unknown gateway or setting: one sentence, no traceback."""
    done = run(
        """
@pytest.mark.llmtrace(cassette="chta")
def test_missing(): pass

@pytest.mark.llmtrace(cassette="broken")
def test_broken(): pass

class TestGateway:
    @pytest.fixture
    def llmtrace_config(self):
        return {"gateway": "openrooter"}

    def test_gateway(self, llmtrace): pass

@pytest.mark.llmtrace
class TestConfig:
    @pytest.fixture
    def llmtrace_config(self):
        return {"match_onn": ["uri"]}

    def test_config(self): pass

def test_next(llmtrace): pass
""",
        files={"cassettes/chat.yaml": "interactions: []\nversion: 1\n", "cassettes/broken.yaml": "interactions: [\n"},
    )
    names = ["test_missing", "test_broken", "test_gateway", "test_config"]
    assert done.outcomes == {**dict.fromkeys(names, ERROR), "test_next": PASSED}
    assert "llmtrace: chta: there is no such cassette in " in done.section("ERROR at setup of test_missing")
    assert "the nearest: chat; to record it: pytest --llmtrace-record=once\n" in done.section(
        "ERROR at setup of test_missing"
    )
    assert "broken.yaml:2: " in done.section("ERROR at setup of test_broken")
    assert "did you mean 'openrouter'?" in done.section("ERROR at setup of TestGateway.test_gateway")
    assert "match_onn" in done.section("ERROR at setup of TestConfig.test_config")
    assert "Traceback" not in done.text


def test_check_ids_are_those_of_the_registry() -> None:
    """The ids that these tests name exist in the registry of checks."""
    assert {"capture/nothing", "replay/unplayed", "structure/exchange-without-span"} <= checks.known_ids()


NEIGHBOURS = [name for name in ("rerunfailures", "randomly") if importlib.util.find_spec(f"pytest_{name}")]


@pytest.mark.parametrize("name", [*NEIGHBOURS, "xdist"])
def test_plugins_that_run_tests_again_or_in_another_order(run: Callable[..., Any], name: str) -> None:
    """Each rerun has a trace of its own, and the order of tests does not matter."""
    suite = """
ran = []

@pytest.mark.llmtrace(gateway="openai")
def test_flaky():
    ran.append(1)
    spanned() if len(ran) > 1 else call()

@pytest.mark.llmtrace(gateway="openai")
@pytest.mark.parametrize("n", range(5))
def test_other(llmtrace, n):
    spanned()
    assert len(llmtrace.exchanges()) == len(llmtrace.llm_spans()) == 1
"""
    options = {"rerunfailures": ["--reruns", "2"], "randomly": ["-p", "no:cacheprovider"], "xdist": ["-n", "1"]}[name]
    done = run(suite, *options, plugins=("xdist" if name == "xdist" else f"pytest_{name}",))
    flaky = PASSED if name == "rerunfailures" else FAILED
    assert done.outcomes == {"test_flaky": flaky, **{f"test_other[{n}]": PASSED for n in range(5)}}
