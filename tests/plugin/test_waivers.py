"""Settings that hide findings beside a test's marker: ini values, the configuration fixture, known faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

WAYS = pytest.mark.parametrize(
    ("plugins", "options"), [([], []), (["xdist"], ["-n", "2"])], ids=["in one process", "xdist"]
)

# In each test, the reason names the place of the closest waiver, which is the one that hides its finding.
PLACES = """
import pytest
from told import chat

@pytest.fixture(scope="session")
def llmtrace_config():
    return {"ignore": {"wire/input-tokens": "of the fixture", "structure/*": "never used"}}

def test_wide(llmtrace):
    chat(llmtrace, 4)
    assert llmtrace.settings.ignore["wire/input-tokens"] == "of the fixture"

@pytest.mark.llmtrace(ignore={"wire/input-tokens": "of the test"})
def test_own(llmtrace):
    chat(llmtrace, 4)
    assert llmtrace.settings.ignore["wire/input-tokens"] == "of the test"

@pytest.mark.llmtrace(ignore={"wire/input-tokens": "of the test"})
def test_own_unused(llmtrace):
    chat(llmtrace)

@pytest.mark.llmtrace(ignore={"wire/cost": "of the class"})
class TestIt:
    def test_good(self, llmtrace):
        chat(llmtrace)

@pytest.mark.llmtrace(ignore={"wire/output-tokens": "of all"})
@pytest.mark.parametrize("tokens", [3, pytest.param(4, marks=pytest.mark.llmtrace(ignore={"wire/*": "of one"}))])
def test_n(llmtrace, tokens):
    chat(llmtrace, tokens)

@pytest.mark.llmtrace(verify=False)
def test_off(llmtrace):
    chat(llmtrace, 4)
"""
INI = """
[pytest]
llmtrace_ignore =
    wire/input-tokens: of the ini: all of them
    replay/unplayed: never used
"""
UNUSED = """\
warning  waiver/unused  ignore={'wire/input-tokens': 'of the test'}
       found  this test has no finding of wire/input-tokens
       why    a waiver that hides nothing will hide the next fault of its kind
       next   remove it
"""
LINES = [
    "  unused       structure/* in llmtrace_config hid nothing in this run; remove it (never used)",
    "  unused       replay/unplayed in llmtrace_ignore hid nothing in this run; remove it (never used)",
    "  unused       wire/cost in the marker of test_it.py::TestIt hid nothing in this run; remove it (of the class)",
    "  unused       wire/output-tokens in the marker of test_it.py::test_n hid nothing in this run; remove it (of all)",
]


@WAYS
def test_waivers_of_all_places(run: Callable[..., Any], plugins: list[str], options: list[str]) -> None:
    """Waivers are united, the closest gives the reason. Unused ones: a test reports its own, the run the wider ones.

    A test that is not judged uses none.
    """
    result = run(PLACES, plugins=plugins, options=options, files={"pytest.ini": INI})
    assert set(result.outcomes.values()) == {"passed"}, result.out
    summary = result.summary()
    assert summary[:2] == [
        "test_it.py::test_own_unused",
        "llmtrace: 1 finding in test_own_unused (1 exchange, 1 LLM span, N checks)",
    ]
    assert summary[2:7] == ["", *UNUSED.splitlines()], result.out
    assert "7 tests, 7 exchanges, 7 LLM spans, 1 finding, 3 waived" in summary
    assert summary[-4:] == LINES


@pytest.mark.parametrize("options", [["-k", "wide"], ["test_it.py"], ["test_it.py::test_wide"]], ids=" ".join)
def test_a_part_of_a_suite_says_nothing_of_wider_waivers(run: Callable[..., Any], options: list[str]) -> None:
    """A wider waiver may be needed by the tests that were left out."""
    result = run(PLACES, options=options, files={"pytest.ini": INI})
    captured = next(index for index, line in enumerate(result.summary()) if line.startswith("  captured"))
    assert result.summary()[captured + 1 :] in ([], ["  found        1  waiver/unused"]), result.out


def test_a_failed_test_says_nothing_of_wider_waivers(run: Callable[..., Any]) -> None:
    """A failed test might have needed a wider waiver, so unused wider waivers are not mentioned."""
    suite = "from told import chat\ndef test_it(llmtrace):\n    chat(llmtrace)\n    assert False\n"
    result = run(suite, files={"pytest.ini": INI})
    assert result.summary() == [
        "1 test, 1 exchange, 1 LLM span, 0 findings",
        "  replayed     1  scripted openai chat",
        "  captured     1  app",
    ]


def test_the_environment_has_waivers_too(run: Callable[..., Any]) -> None:
    """`LLMTRACE_IGNORE` replaces the ini value; its entries are separated by line breaks or `;`."""
    suite = """
        from told import chat

        def test_it(llmtrace):
            chat(llmtrace, 4)
            assert dict(llmtrace.settings.ignore) == {"wire/*": "all", "replay/unplayed": "b"}
        """
    result = run(suite, files={"pytest.ini": INI}, LLMTRACE_IGNORE="wire/*: all;replay/unplayed: b\n")
    assert result.outcomes == {"test_it": "passed"}, result.out


@pytest.mark.parametrize(
    ("ini", "said"),
    [
        ("llmtrace_ignore = wire/cost", "llmtrace_ignore: 'wire/cost' gives no reason; write 'wire/cost: reason'"),
        (
            "llmtrace_ignore = wire/coast: x",
            "llmtrace_ignore: unknown check id in ignore= 'wire/coast': did you mean 'wire/cost'? known: ",
        ),
        (
            "llmtrace_ignore = wires/*: x",
            "llmtrace_ignore: unknown check id in ignore= 'wires/*': did you mean 'wire/*'? known: ",
        ),
        (
            "llmtrace_verify = none",
            "unknown value of llmtrace_verify 'none': known: error, off, warn",
        ),
        ("llmtrace_strict = maybe", "llmtrace_strict: invalid truth value 'maybe': write true or false"),
    ],
)
def test_wrong_ini_values(run: Callable[..., Any], ini: str, said: str) -> None:
    """Wrong values stop the run before any test."""
    result = run("def test_it(): pass", files={"pytest.ini": f"[pytest]\n{ini}\n"})
    assert result.usage_error().startswith(f"ERROR: llmtrace: {said}")


def test_a_misspelt_variable(run: Callable[..., Any]) -> None:
    """A variable that is nearly one of ours stops the run, as it would have no effect; any other is the suite's own."""
    wrong = run("def test_it(): pass", LLMTRACE_VERIFI="warn")
    assert wrong.usage_error() == (
        "ERROR: llmtrace: unknown environment variable LLMTRACE_VERIFI: did you mean LLMTRACE_VERIFY?"
    )
    assert run("def test_it(): pass", LLMTRACE_BUCKET="traces").outcomes == {"test_it": "passed"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--llmtrace-recrod=once"], "unknown option --llmtrace-recrod: did you mean --llmtrace-record?"),
        (["--llm-trace-strict"], "unknown option --llm-trace-strict: did you mean --llmtrace-strict?"),
        (["-o", "llmtrace_verfy=warn"], "unknown ini option llmtrace_verfy: did you mean llmtrace_verify?"),
        (["-o", "llm_trace_record=once"], "unknown ini option llm_trace_record: did you mean llmtrace_record?"),
        (
            ["-o", "llmtrace_budget=3"],
            "unknown ini option llmtrace_budget: budget= is an argument of the marker, and a key of llmtrace_config",
        ),
    ],
)
def test_misspelt_options(run: Callable[..., Any], options: list[str], said: str) -> None:
    """An option or ini name that is nearly one of ours stops the run and names that one."""
    assert run("def test_it(): pass", options=options).usage_error() == f"ERROR: llmtrace: {said}"


def test_a_misspelt_name_in_the_ini_file(run: Callable[..., Any]) -> None:
    """A misspelt ini name stops the run before pytest itself fails on it, which would not say what was meant."""
    files = {"pytest.ini": "[pytest]\nllmtrace_casette_dir = tapes\n"}
    wrong = run("def test_it(): pass", options=["--strict-config"], files=files)
    assert wrong.usage_error() == (
        "ERROR: llmtrace: unknown ini option llmtrace_casette_dir: did you mean llmtrace_cassette_dir?"
    )


def test_names_that_others_have_declared(run: Callable[..., Any]) -> None:
    """Options and ini names that a conftest file declares are its own, however they resemble ours."""
    conftest = """
        def pytest_addoption(parser):
            parser.addoption("--llmtrace-records")
            parser.addini("llmtrace_records", "x")
    """
    done = run(
        "def test_it(): pass",
        options=["--llmtrace-records=1", "-o", "llmtrace_records=1"],
        files={"conftest.py": conftest},
    )
    assert done.outcomes == {"test_it": "passed"}


def test_names_that_resemble_none_of_ours(run: Callable[..., Any]) -> None:
    """Names that resemble none of ours are left to pytest, which refuses an unknown option."""
    assert "unrecognized arguments: --llmtrace-zzz" in run("def test_it(): pass", options=["--llmtrace-zzz"]).out
    assert run("def test_llm(): pass", options=["-k", "llm"]).outcomes == {"test_llm": "passed"}


VERIFY = """
import pytest
from told import chat

def test_it(llmtrace):
    chat(llmtrace, 4)

@pytest.mark.llmtrace(verify="error")
def test_marked(llmtrace):
    chat(llmtrace, 4)
"""


@pytest.mark.parametrize(("value", "outcome", "printed"), [("warn", "passed", 1), ("off", "passed", 0)])
def test_verify_of_a_suite(run: Callable[..., Any], value: str, outcome: str, printed: int) -> None:
    """`llmtrace_verify` and its environment variable hold where no marker says otherwise."""
    done = run(VERIFY, files={"pytest.ini": f"[pytest]\nllmtrace_verify = {value}\n"})
    assert done.outcomes == {"test_it": outcome, "test_marked": "failed"}
    assert len([line for line in done.summary() if line.startswith("llmtrace: 1 finding in test_it ")]) == printed
    assert run(VERIFY, LLMTRACE_VERIFY="error").outcomes == {"test_it": "failed", "test_marked": "failed"}


TOLD = """\
test_it.py::test_it[{test}]
llmtrace: 1 finding in test_it[{test}] (1 exchange, 1 LLM span, N checks)

error  wire/input-tokens  span 'chat' (app)
       span   gen_ai.usage.input_tokens = {told}
       wire   usage.prompt_tokens = 3
              scripted openai chat, exchange 0, response body
       why    dashboards add this count up and costs are computed from it; the count is too high{why}
       next   fix the instrumentation, or waive: @pytest.mark.llmtrace(ignore={{"wire/input-tokens": "reason"}})

chat  CLIENT  UNSET  1 ms
  `- POST /v1/chat/completions  200  (exchange 0)

"""
TOTAL = ": it is the total count"


def test_what_all_tests_of_a_suite_have_in_common(run: Callable[..., Any]) -> None:
    """Findings that read like those of an earlier test are printed once; another number is another finding."""
    done = run(
        """
        import pytest
        from told import chat

        @pytest.mark.parametrize("told", [4, 4, 5], ids="abc")
        def test_it(llmtrace, told):
            chat(llmtrace, told)
        """,
        files={"pytest.ini": "[pytest]\nllmtrace_verify = warn\n"},
    )
    first, other = (TOLD.format(test=test, told=told, why=why) for test, told, why in (("a", 4, ""), ("c", 5, TOTAL)))
    seen = "1 exchange, 1 LLM span, N checks"
    again = f"""\
test_it.py::test_it[b]
llmtrace: 1 finding in test_it[b] ({seen}), the same as in test_it.py::test_it[a]

"""
    assert "\n".join(done.summary()).startswith(f"{first}{again}{other}3 tests, 3 exchanges, 3 LLM spans, 3 findings\n")


# --- known faults ----------------------------------------------------------------------------------------------------

KNOWN = """
import pytest
from pytest_llmtrace import Known
from told import chat

OPENAI = {"scope": "opentelemetry.instrumentation.openai.v1"}

@pytest.fixture(scope="session")
def llmtrace_config():
    return {"known": [
        {
            "check": "wire/input-tokens", "instrumentor": "opentelemetry-instrumentation-openai",
            "versions": "<0.63", "reason": "issue 1234",
        },
        Known(check="wire/input-tokens", instrumentor="my.app_x", reason="issue 7"),
        Known(check="wire/output-tokens", instrumentor="my-app-x", reason="8", versions=">=1"),
        Known(check="wire/output-tokens", instrumentor="my-app-x", reason="issue 9", versions=">=3"),
        Known(check="structure/counted-twice", instrumentor="nobody", reason="issue 10"),
    ]}

def test_in_range(llmtrace):
    chat(llmtrace, 4, version="0.62.4b1", **OPENAI)

def test_all_versions(llmtrace):
    chat(llmtrace, 4, scope="my_app.x", version="2")
"""
BEYOND = """
def test_beyond(llmtrace):
    chat(llmtrace, 4, version="0.64.0", **OPENAI)

def test_no_version(llmtrace):
    chat(llmtrace, 4, version="made up", **OPENAI)

def test_another(llmtrace):
    chat(llmtrace, 4, scope="opentelemetry.instrumentation.openai_v2", version="0.1")
"""


WAIVER = '@pytest.mark.llmtrace(ignore={"wire/input-tokens": "reason"})'


def failure(test: str, scope: str, *known: str) -> str:
    return "\n".join(
        (
            f"Failed: llmtrace: 1 finding in {test} (1 exchange, 1 LLM span, N checks)",
            "",
            f"error  wire/input-tokens  span 'chat' ({scope})",
            "       span   gen_ai.usage.input_tokens = 4",
            "       wire   usage.prompt_tokens = 3",
            "              scripted openai chat, exchange 0, response body",
            *(f"       known  {line}" for line in known),
            "       why    dashboards add this count up and costs are computed from it; the count is too high",
            f"       next   fix the instrumentation, or waive: {WAIVER}",
            "",
            "chat  CLIENT  UNSET  1 ms",
            "  `- POST /v1/chat/completions  200  (exchange 0)",
        )
    )


@WAYS
@pytest.mark.parametrize("strict", [[], ["--llmtrace-strict"]], ids=["", "strict"])
def test_known_faults(run: Callable[..., Any], plugins: list[str], options: list[str], strict: list[str]) -> None:
    """Known faults are hidden; one that does not occur in its range of versions is listed, which fails no run."""
    result = run(KNOWN, plugins=plugins, options=[*options, *strict])
    assert (result.code, result.outcomes) == (0, {"test_in_range": "passed", "test_all_versions": "passed"}), result.out
    assert result.summary() == [
        "2 tests, 2 exchanges, 2 LLM spans, 0 findings, 2 known",
        "  replayed     2  scripted openai chat",
        "  captured     1  my_app.x",
        "  captured     1  opentelemetry.instrumentation.openai.v1",
        "  known        wire/output-tokens of my-app-x >=1 did not occur, though its calls were judged; remove it (8)",
    ]


def test_known_faults_end_with_their_versions(run: Callable[..., Any]) -> None:
    """Outside its range a finding fails and names the range; a fault of another instrumentor is not a known fault."""
    result = run(KNOWN + BEYOND)
    scope = "opentelemetry.instrumentation.openai.v1"
    only = "expected for versions <0.63 only; this is"
    assert result.text("test_beyond") == failure("test_beyond", scope, f"{only} 0.64.0")
    assert result.text("test_no_version") == failure("test_no_version", scope, f"{only} made up")
    another = "opentelemetry.instrumentation.openai_v2"
    assert result.text("test_another") == failure("test_another", another)


# Wrong entries, and the message about each.
WRONG_KNOWN = {
    '{"check": "wire/cost", "instrumentor": "a", "reason": "b", "version": "1"}':
        "unknown key in known= 'version': did you mean 'versions'? known: check, instrumentor, reason, versions",
    '{"check": "wire/cost", "reason": "b"}':
        "known= needs 'check', 'instrumentor', 'reason'; 'instrumentor' is missing in {'check': 'wire/cost'",
    '{"check": "wire/cost", "instrumentor": "a", "reason": " "}':
        "known= of 'wire/cost': 'reason' must be a string that is not blank, not ' '",
    '{"check": "wire/cost", "instrumentor": "a", "reason": "b", "versions": "0.63"}':
        "known= of 'wire/cost': versions='0.63' is not a version range; write '<0.63' or '>=1,<1.4'",
}  # fmt: skip


def test_wrong_known_faults(run: Callable[..., Any]) -> None:
    """Wrong entries are usage errors, in the configuration fixture and in `LLMTrace(known=[...])` alike."""
    result = run(f"""
        import pytest
        from pytest_llmtrace import LLMTrace

        WRONG = [{", ".join(WRONG_KNOWN)}]

        @pytest.fixture
        def llmtrace_config(request):
            return {{"known": [WRONG[request.getfixturevalue("number")]]}}

        @pytest.mark.parametrize("number", range(4))
        def test_fixture(llmtrace, number):
            pass

        @pytest.mark.parametrize("number", range(4))
        def test_block(number):
            LLMTrace(known=[WRONG[number]])
        """)
    for number, said in enumerate(WRONG_KNOWN.values()):
        assert said in result.text(f"test_fixture[{number}]")
        assert said in result.text(f"test_block[{number}]")
