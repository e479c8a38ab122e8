"""The cassette of a test: pytest-recording's default name, the one that it names, or none if it is marked `vcr`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from tests.plugin.recorded import CASSETTE

COUNTS = """
import pytest
from child import CHAT, MOCKED, ask, span

def test_plain(llmtrace):
    with span():
        assert ask(MOCKED) == "mocked"

@pytest.mark.parametrize("model", ["a/b", "x:y"])
def test_parameters(llmtrace, model):
    with span():
        assert ask(MOCKED) == "mocked"

class TestClass:
    def test_method(self, llmtrace):
        with span():
            assert ask(MOCKED) == "mocked"

@pytest.mark.llmtrace(cassette="shared")
def test_named():
    with span():
        assert ask(MOCKED) == "mocked"

@pytest.mark.default_cassette("shared.yaml")
def test_default_marker(llmtrace):
    with span():
        assert ask(MOCKED) == "mocked"
"""


def test_default_names_are_those_of_pytest_recording(run: Callable[..., Any]) -> None:
    """Cassettes are found by their default names for functions, parameters and classes, and by `default_cassette`."""
    names = ("test_plain", "test_parameters[a-b]", "test_parameters[x-y]", "TestClass.test_method", "shared")
    files = {f"cassettes/test_it/{name}.yaml": CASSETTE for name in names}
    marker = "[pytest]\nmarkers =\n    default_cassette: of pytest-recording\n"
    result = run(COUNTS, files={**files, "cassettes/shared.yaml": CASSETTE, "pytest.ini": marker})
    assert set(result.outcomes.values()) == {"passed"}, result.out
    assert [line.split() for line in result.summary() if "replayed" in line] == [
        ["replayed", "1", "cassettes/shared.yaml"],
        ["replayed", "1", "cassettes/test_it/TestClass.test_method.yaml"],
        ["replayed", "1", "cassettes/test_it/shared.yaml"],
        ["replayed", "1", "cassettes/test_it/test_parameters[a-b].yaml"],
        ["replayed", "1", "cassettes/test_it/test_parameters[x-y].yaml"],
        ["replayed", "1", "cassettes/test_it/test_plain.yaml"],
    ]


def _only_with_pytest_recording(test: Callable[..., None]) -> Callable[..., None] | None:
    return test if importlib.util.find_spec("pytest_recording") else None


@_only_with_pytest_recording
def test_pytest_recording_finds_the_same_files(run: Callable[..., Any]) -> None:
    """The names are pytest-recording's: it plays the same files, and a test marked `vcr` gets no cassette of ours."""
    names = ("test_plain", "test_parameters[a-b]", "test_parameters[x-y]", "TestClass.test_method", "shared")
    files = {f"cassettes/test_it/{name}.yaml": CASSETTE for name in names}
    source = COUNTS.replace("import pytest\n", "import pytest\npytestmark = pytest.mark.vcr\n", 1)
    source = source.replace('@pytest.mark.llmtrace(cassette="shared")\ndef test_named():', "def test_shared(llmtrace):")
    files["cassettes/test_it/test_shared.yaml"] = CASSETTE
    result = run(source, files=files, plugins=["pytest_recording.plugin"])
    assert set(result.outcomes.values()) == {"passed"}, result.out
    assert [line.split() for line in result.summary() if "replayed" in line] == [["replayed", "6", "another", "mock"]]


def test_a_test_marked_vcr_never_gets_ours(run: Callable[..., Any]) -> None:
    """The cassette of a test marked `vcr` is left to the plugin that owns the mark, even if that is not installed."""
    result = run(
        """
        import pytest
        from child import MOCKED, ask

        @pytest.mark.vcr
        def test_it(llmtrace):
            ask(MOCKED)
        """,
        files={
            "cassettes/test_it/test_it.yaml": CASSETTE,
            "pytest.ini": "[pytest]\nmarkers =\n    vcr: of pytest-recording\n",
        },
    )
    assert result.outcomes == {"test_it": "failed"}
    assert result.text("test_it").splitlines()[1] == "nothing   no cassette, gateway or router is active here"


def test_a_recording_that_is_not_played_is_a_finding(run: Callable[..., Any]) -> None:
    """An unplayed recording is a finding too if the cassette was found by its default name."""
    result = run(
        "def test_it(llmtrace): pass",
        files={"cassettes/test_it/test_it.yaml": CASSETTE},
    )
    assert (
        result.text("test_it")
        == """\
Failed: llmtrace: 1 finding in test_it (0 exchanges, 0 LLM spans, N checks)

error  replay/unplayed  cassettes/test_it/test_it.yaml
       wire   1 of 1 never requested
              POST /v1/chat/completions  (interaction 0)
       why    the application no longer makes a call that was recorded, or makes it elsewhere
       next   remove it, or say why it may stay: @pytest.mark.llmtrace(allow_unused="reason"), or waive: \
@pytest.mark.llmtrace(ignore={"replay/unplayed": "reason"})

no span and no exchange was seen"""
    )


def test_a_request_that_a_cassette_lacks_is_told_with_how_to_record_it(run: Callable[..., Any]) -> None:
    """The error names the nearest recording and the modes to record; cassettes that ship with us have no such line."""
    result = run(
        """
        import pytest
        from child import CHAT, ask

        def test_file(llmtrace):
            ask("http://mocked.test/v2/chat/completions")

        @pytest.mark.llmtrace(cassette="builtin:openrouter/chat")
        def test_shipped():
            ask("http://mocked.test/v2/chat/completions")
        """,
        files={"cassettes/test_it/test_file.yaml": CASSETTE},
    )
    assert (
        result.text("test_file")
        == """\
pytest_llmtrace.errors.UnmatchedRequest: nothing answered POST http://mocked.test/v2/chat/completions in test_file, \
and it was not sent
cassette  cassettes/test_it/test_file.yaml: 1 interaction, 1 not yet played
nearest   POST http://mocked.test/v1/chat/completions  (interaction 0)
differs   path: recorded /v1/chat/completions, sent /v2/chat/completions
record    --llmtrace-record=new adds what the cassette lacks, all writes it anew
next: name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), \
or let the host through with allow_hosts=("mocked.test",)"""
    )
    assert "\nrecord " not in result.text("test_shipped")


def test_a_request_that_the_configuration_drops_is_not_told_to_be_recorded(run: Callable[..., Any]) -> None:
    """The error suggests no record mode, since none would record such a request."""
    result = run(
        """
        import pytest
        from child import ask

        @pytest.fixture
        def vcr_config():
            return {"ignore_hosts": ["ignored.test"]}

        def test_it(llmtrace):
            ask("http://ignored.test/v1/chat/completions")
        """,
        files={"cassettes/test_it/test_it.yaml": CASSETTE},
    )
    assert (
        result.text("test_it")
        == """\
pytest_llmtrace.errors.UnmatchedRequest: nothing answered POST http://ignored.test/v1/chat/completions in test_it, \
and it was not sent
hook      the configuration (before_record_request, ignore_hosts) drops this request
next: name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), \
or let the host through with allow_hosts=("ignored.test",)"""
    )


def test_a_cassette_that_is_named_and_missing_is_an_error(run: Callable[..., Any]) -> None:
    """The error is one clear sentence at set-up, with the nearest name; the test never passes silently."""
    result = run(
        """
        import pytest

        @pytest.mark.llmtrace(cassette="openrouter/chet")
        def test_it(): pass
        """,
        files={"cassettes/openrouter/chat.yaml": CASSETTE},
    )
    assert result.outcomes == {"test_it": "error"}
    folder = result.out.partition("rootdir: ")[2].splitlines()[0]
    assert result.text("test_it").replace(folder, "ROOT") == (
        "Failed: llmtrace: openrouter/chet: there is no such cassette in ROOT/cassettes; the nearest: openrouter/chat; "
        "to record it: pytest --llmtrace-record=once"
    )


def test_a_cache_directory_that_cannot_be_written_costs_nothing_but_time(run: Callable[..., Any]) -> None:
    """Where the cache cannot be written, cassettes are parsed again in each run, and tests pass."""
    result = run(
        """
        import pytest
        from child import MOCKED, ask

        @pytest.mark.llmtrace(cassette="chat", ignore={"capture/nothing": "no instrumentation"})
        def test_it():
            assert ask(MOCKED) == "mocked"
        """,
        files={"cassettes/chat.yaml": CASSETTE, "no_folder": "a file"},
        options=["-o", "cache_dir=no_folder/cache", "-W", "ignore::pytest.PytestCacheWarning"],
    )
    assert result.outcomes == {"test_it": "passed"}, result.out


HEADERS = """\
    headers: {content-type: [application/json]}
"""

CONFIGURED = """
import pytest
from child import BODY, MOCKED, ask, library_named, said, span

{fixtures}

@pytest.mark.llmtrace(cassette="one")
def test_it():
    with span(), library_named().Client() as client:
        client.post(MOCKED, json={{**BODY, "temperature": 1}})
"""


@pytest.mark.parametrize(
    ("fixtures", "outcome"),
    [
        ("", "failed"),
        ("@pytest.fixture\ndef vcr_config(): return {'match_on': ['method', 'uri']}", "passed"),
        ("@pytest.fixture(scope='module')\ndef vcr_config(): return {'match_on': ['method', 'uri']}", "passed"),
        ("@pytest.fixture\ndef llmtrace_config(): return {'match_on': ['method', 'uri']}", "passed"),
        ("@pytest.fixture(scope='module')\ndef llmtrace_config(): return {'match_on': ['method', 'uri']}", "passed"),
        (
            (
                "@pytest.fixture\ndef vcr_config(): return {'match_on': ['method', 'uri']}\n"
                "@pytest.fixture\ndef llmtrace_config(): return {'match_on': ['method', 'uri', 'body']}"
            ),
            "failed",
        ),
    ],
    ids=["default", "vcr_config", "vcr_config of a module", "llmtrace_config", "of a module", "llmtrace_config wins"],
)
def test_configuration_fixtures_are_honoured(run: Callable[..., Any], fixtures: str, outcome: str) -> None:
    """The suite's configuration of matching holds; `vcr_config` is used where `llmtrace_config` says nothing."""
    result = run(CONFIGURED.format(fixtures=fixtures), files={"cassettes/one.yaml": CASSETTE})
    assert result.outcomes == {"test_it": outcome}, result.out


SENT = ["accept", "accept-encoding", "connection", "content-length", "host", "user-agent", "x-key"]


@pytest.mark.parametrize(("filtered", "outcome"), [(SENT, "passed"), (SENT[:-1], "failed")], ids=["all", "all but one"])
def test_filtered_headers_are_not_matched(run: Callable[..., Any], filtered: list[str], outcome: str) -> None:
    """A header that `filter_headers` removes from recordings may differ from run to run, and is not compared."""
    result = run(
        f"""
        import pytest
        from child import BODY, MOCKED, library_named, span

        @pytest.fixture
        def vcr_config():
            return {{"match_on": ["method", "uri", "headers"], "filter_headers": {filtered}}}

        @pytest.mark.llmtrace(cassette="one")
        def test_it():
            with span(), library_named().Client() as client:
                client.post(MOCKED, json=BODY, headers={{"x-key": "secret"}})
        """,
        files={"cassettes/one.yaml": CASSETTE.replace("    headers: {}\n", HEADERS)},
    )
    assert result.outcomes == {"test_it": outcome}, result.text("test_it")


def test_llmtrace_config_takes_the_markers_arguments(run: Callable[..., Any]) -> None:
    """Arguments common to a suite are given once; the marker wins over them, and waivers of both are united."""
    result = run("""
        import pytest
        from child import ask, span

        @pytest.fixture
        def llmtrace_config():
            return {"gateway": "openai", "ignore": {"structure/exchange-without-span": "not instrumented yet"}}

        def test_it(llmtrace):
            with span(llm=False):
                ask()

        @pytest.mark.llmtrace(gateway="anthropic", ignore={"replay/unmatched": "known"})
        def test_other(llmtrace):
            assert llmtrace.settings.gateway == "anthropic"
            assert sorted(llmtrace.settings.ignore) == ["replay/unmatched", "structure/exchange-without-span"]
        """)
    assert result.outcomes == {"test_it": "passed", "test_other": "passed"}, result.out


RECORDS = "to record, run pytest with --llmtrace-record=once, or use llmtrace.record(name, 'once') in a test"


@pytest.mark.parametrize(
    ("fixture", "returned", "said"),
    [
        (
            "llmtrace_config",
            "None",
            "the fixture llmtrace_config must return a mapping, such as {'gateway': 'openai'}, not None",
        ),
        (
            "llmtrace_config",
            "{'gatewy': 'openai'}",
            "unknown key of llmtrace_config 'gatewy': did you mean 'gateway'? known: ",
        ),
        ("llmtrace_config", "{'record': 'once'}", f"unknown key of llmtrace_config 'record': {RECORDS}"),
        (
            "vcr_config",
            "['uri']",
            "the fixture vcr_config must return a mapping, such as {'match_on': ['method', 'uri']}, not a list",
        ),
    ],
)
def test_a_configuration_without_meaning(run: Callable[..., Any], fixture: str, returned: str, said: str) -> None:
    """A mistake in the fixture is reported like one in the marker: with the value found and the nearest valid name."""
    result = run(f"""
        import pytest

        @pytest.fixture
        def {fixture}():
            return {returned}

        def test_it(llmtrace): pass
        """)
    assert result.outcomes == {"test_it": "error"}
    assert result.text("test_it").startswith(f"Failed: llmtrace: {said}")
