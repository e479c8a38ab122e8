"""Requests of fixtures: a test's own belong to it, wider ones are refused unless a class or module is marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.plugin.recorded import CASSETTE


def test_requests_of_function_fixtures_belong_to_the_test(run: Callable[..., Any]) -> None:
    """`llmtrace` is set up before every other function fixture, even autouse fixtures and those named before it."""
    result = run("""
        import pytest
        from child import ask, span

        pytestmark = pytest.mark.llmtrace(gateway="openai", allow_unused="for all")

        @pytest.fixture(autouse=True)
        def by_itself():
            with span("by itself"):
                ask()

        @pytest.fixture
        def named():
            with span("named"):
                ask()

        def seen(trace):
            return [exchange.spans[0].name for exchange in trace.exchanges()]

        def test_first(named, llmtrace):
            assert seen(llmtrace) == ["by itself", "named"]

        class TestClass:
            @pytest.fixture(autouse=True)
            def of_class(self, named):
                pass

            def test_it(self, request):
                assert seen(request.getfixturevalue("llmtrace")) == ["by itself", "named"]

            @pytest.mark.parametrize("n", [1, 2])
            def test_parameters(self, n, llmtrace):
                assert seen(llmtrace) == ["by itself", "named"]
        """)
    assert set(result.outcomes.values()) == {"passed"}, result.out
    assert len(result.outcomes) == 4


def test_the_marker_alone_comes_first_too(run: Callable[..., Any]) -> None:
    """A function's own marker implies the fixture, before the fixtures that the function names."""
    result = run("""
        import pytest
        from child import ask, span

        @pytest.fixture
        def asking():
            with span(llm=False):
                ask()

        @pytest.mark.llmtrace(gateway="openai")
        def test_it(asking):
            pass
        """)
    assert result.outcomes == {"test_it": "failed"}
    assert result.properties("test_it") == {"llmtrace_findings": "structure/exchange-without-span"}


@pytest.mark.parametrize("hook", ["", "@pytest.hookimpl(trylast=True)"], ids=["hook", "last hook"])
def test_a_marker_that_the_suite_adds(run: Callable[..., Any], hook: str) -> None:
    """Tests that `pytest_collection_modifyitems` marks are traced too, and a wrong marker there stops the run too."""
    conftest = f"""
        import pytest

        {hook}
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.llmtrace({{said}}))
        """
    source = """
        from child import ask, span

        def test_it():
            with span(llm=False):
                ask()
        """
    result = run(source, files={"conftest.py": conftest.format(said='gateway="openai"')})
    assert result.properties("test_it") == {"llmtrace_findings": "structure/exchange-without-span"}
    wrong = run(source, files={"conftest.py": conftest.format(said='gatewy="openai"')})
    assert wrong.usage_error().startswith(
        "ERROR: test_it.py::test_it: llmtrace marker: unknown argument 'gatewy': did you mean 'gateway'?"
    )


UNKNOWN = ["-Wignore::pytest.PytestUnknownMarkWarning"]


@pytest.mark.parametrize(
    ("marker", "hint"),
    [
        ('llmtrase(gateway="openai")', "did you mean llmtrace?"),
        ("llm_trace", "did you mean llmtrace?"),
        ('llmtrace_waiv({"wire/cost": "known"})', "ignore= is an argument of the marker llmtrace"),
        ('llmtrace_cassete("chat")', "cassette= is an argument of the marker llmtrace"),
    ],
)
@pytest.mark.parametrize("place", ["@pytest.mark.{}\n", "pytestmark = pytest.mark.{}\n"], ids=["test", "module"])
def test_a_marker_that_is_misspelt(run: Callable[..., Any], place: str, marker: str, hint: str) -> None:
    """A marker that is nearly ours stops the run: the test would pass, and nothing would be verified."""
    result = run(f"import pytest\n{place.format(marker)}def test_it():\n    pass\n", options=UNKNOWN)
    assert result.usage_error() == (
        "ERROR: test_it.py::test_it: llmtrace: unknown marker "
        f"{marker.partition('(')[0]} (declare it in the ini option markers if it is yours): {hint}"
    )


@pytest.mark.parametrize("name", ["llm", "llmtrace_smoke", "trace", "llm_eval", "backtrace"])
def test_a_marker_that_is_another(run: Callable[..., Any], name: str) -> None:
    """A name that is not nearly ours is the suite's own, declared or not."""
    result = run(f"import pytest\n@pytest.mark.{name}\ndef test_it():\n    pass\n", options=UNKNOWN)
    assert result.outcomes == {"test_it": "passed"}


def test_a_marker_that_is_declared(run: Callable[..., Any]) -> None:
    """A marker that the suite has declared is meant, however alike it looks."""
    files = {"pytest.ini": "[pytest]\nmarkers =\n  llmtraces(n): several\n"}
    result = run("import pytest\n@pytest.mark.llmtraces(2)\ndef test_it():\n    pass\n", files=files)
    assert result.outcomes == {"test_it": "passed"}


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ('llmtrace.gatway("openai")', "LLMTrace has no gatway: did you mean gateway?"),
        ('llmtrace.gateway("openai").chatt(text="hi")', "Gateway has no chatt: did you mean chat?"),
    ],
)
def test_a_method_that_is_misspelt(run: Callable[..., Any], code: str, hint: str) -> None:
    """Python names a similar attribute only where an error ends it; a test's failure names it beside the error."""
    result = run(f"def test_it(llmtrace):\n    {code}\n")
    assert result.outcomes == {"test_it": "failed"}
    assert result.section("test_it") == hint


def test_a_marker_that_comes_too_late(run: Callable[..., Any]) -> None:
    """A test that is marked after its fixtures are known fails before it runs, unless it asks for `llmtrace` itself."""
    conftest = """
        import pytest

        def pytest_runtest_setup(item):
            item.add_marker(pytest.mark.llmtrace(gateway="openai"))
        """
    source = """
        from child import ask, span

        def test_it():
            raise RuntimeError("it ran")

        def test_asking(llmtrace):
            with span():
                ask()
        """
    result = run(source, files={"conftest.py": conftest})
    assert result.outcomes == {"test_it": "failed", "test_asking": "passed"}
    assert result.text("test_it") == (
        "Failed: llmtrace: this test got its marker too late for the fixture: it would run untraced, "
        "and reach the network\n"
        "next: mark it in pytest_collection_modifyitems, or let it request the fixture llmtrace"
    )


@pytest.mark.parametrize("argument", ['gatewy="openai"', 'openobserve="0.99"'])
def test_a_wrong_marker_under_xdist(run: Callable[..., Any], argument: str) -> None:
    """A worker cannot stop the run, so each test with the wrong marker reports it, and other tests run."""
    source = """
        import pytest

        def test_other(llmtrace):
            pass

        @pytest.mark.llmtrace({})
        def test_it(llmtrace):
            pass
        """
    done = run(source.format(argument), plugins=["xdist"], options=["-n", "2"])
    assert done.code == 1
    assert "1 passed, 1 error" in done.out
    assert "test_it.py::test_it: llmtrace marker: unknown" in done.out
    assert "INTERNALERROR" not in done.out


def test_the_marker_alone_brings_the_parameters_of_its_configuration(run: Callable[..., Any]) -> None:
    """A marked test is parametrised like one that names the fixture: by fixtures that it needs, and by marks."""
    result = run("""
        import pytest

        @pytest.fixture(scope="session", params=["openai", "azure"])
        def vendor(request):
            return request.param

        @pytest.fixture(scope="module")
        def llmtrace_config(vendor):
            return {"gateway": vendor}

        def gateway(request):
            return request.getfixturevalue("llmtrace").settings.gateway

        def test_named(request, llmtrace):
            assert gateway(request) == request.node.callspec.params["vendor"]

        @pytest.mark.llmtrace
        def test_marked(request):
            assert gateway(request) == request.node.callspec.params["vendor"]

        @pytest.mark.llmtrace
        class TestClass:
            @pytest.mark.parametrize("n", [1, 2])
            def test_it(self, request, n):
                assert gateway(request) == request.node.callspec.params["vendor"]

        @pytest.mark.llmtrace
        @pytest.mark.parametrize("llmtrace_config", [{"gateway": "bedrock"}])
        def test_direct(request):
            assert gateway(request) == "bedrock"

        def test_without():
            pass
        """)
    both = ("openai", "azure")
    expected = [f"test_named[{vendor}]" for vendor in both] + [f"test_marked[{vendor}]" for vendor in both]
    expected += [f"TestClass::test_it[{vendor}-{n}]" for vendor in both for n in (1, 2)]
    assert result.outcomes == dict.fromkeys([*expected, "test_direct[llmtrace_config0]", "test_without"], "passed")


CONFIGURED = """
    import pytest
    from child import ask, span

    @pytest.fixture
    def waived():
        return {{"ignore": {{"structure/*": "so"}}, "gateway": "openai"}}

    @pytest.fixture
    def asked():
        with span(llm=False):
            ask()

    {config}

    @pytest.mark.llmtrace
    def test_marked(asked):
        pass

    def test_named({first}asked, llmtrace):
        pass
    """


@pytest.mark.parametrize(
    ("first", "config"),
    [
        ("", "@pytest.fixture(autouse=True)\n    def llmtrace_config(waived): return waived"),
        ("", "@pytest.fixture(autouse=True)\n    def llmtrace_config(llmtrace_config, waived): return waived"),
        ("llmtrace_config, ", "@pytest.fixture\n    def llmtrace_config(waived): return waived"),
        pytest.param(
            "waived, ",
            "@pytest.fixture\n    def llmtrace_config(waived): return waived",
            marks=pytest.mark.skipif(pytest.version_tuple < (8, 1), reason="a failed look-up is not forgotten there"),
        ),
    ],
    ids=["autouse", "autouse over another", "named first", "what it takes named first"],
)
def test_a_configuration_that_is_set_up_before_the_trace(run: Callable[..., Any], first: str, config: str) -> None:
    """The configuration holds even if it, or a fixture that it takes, is set up first; later fixtures are answered."""
    result = run(CONFIGURED.format(first=first, config=config))
    assert result.outcomes == {"test_marked": "passed", "test_named": "passed"}, result.out
    assert result.summary()[0] == "2 tests, 2 exchanges, 0 LLM spans, 0 findings, 2 waived"


HIDDEN = "the fixture llmtrace of {} hides this plugin's: rename it, or let it take llmtrace as its argument"


@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_fixture_that_hides_ours_is_named(run: Callable[..., Any], scope: str) -> None:
    """If a suite has a fixture named `llmtrace` itself, requests of its tests are refused with a line that says so."""
    conftest = f"""
        import pytest

        @pytest.fixture(scope="{scope}")
        def llmtrace():
            return "ours"
        """
    source = """
        from child import ask

        def test_it(llmtrace):
            assert llmtrace == "ours"
            ask()
        """
    result = run(source, files={"conftest.py": conftest})
    assert result.outcomes == {"test_it": "failed"}
    assert result.text("test_it").startswith(
        "pytest_llmtrace.errors.UnmatchedRequest: nothing answered POST http://llm.test:1/v1/chat/completions "
        "in test_it, and it was not sent\n"
        f"hidden    {HIDDEN.format('conftest')}\n"
    )
    marked = run("import pytest\n\n@pytest.mark.llmtrace\ndef test_it():\n    pass\n", files={"conftest.py": conftest})
    assert marked.usage_error() == f"ERROR: test_it.py::test_it: llmtrace marker: {HIDDEN.format('conftest')}"


@pytest.mark.parametrize("takes", ["llmtrace", "request"])
def test_a_fixture_that_builds_on_ours_hides_nothing(run: Callable[..., Any], takes: str) -> None:
    """A fixture of the same name is fine if it takes ours as an argument, or asks for it by `getfixturevalue`."""
    result = run(f"""
        import pytest
        from child import ask, span

        @pytest.fixture
        def llmtrace({takes}):
            trace = {"llmtrace" if takes == "llmtrace" else "request.getfixturevalue('llmtrace')"}
            trace.gateway("openai").chat(text="scripted")
            return trace

        @pytest.mark.llmtrace
        def test_marked():
            with span():
                assert ask() == "scripted"

        def test_named(llmtrace):
            with span():
                assert ask() == "scripted"
        """)
    assert result.outcomes == {"test_marked": "passed", "test_named": "passed"}, result.out


def test_the_marker_lists_its_fixture(run: Callable[..., Any]) -> None:
    """`--fixtures-per-test` lists the fixture that the marker implies, for marked tests only."""
    source = """
        import pytest

        @pytest.mark.llmtrace
        def test_marked():
            pass

        def test_other():
            pass
        """
    listed = run(source, options=["--fixtures-per-test"]).out
    assert "fixtures used by test_other" not in listed
    assert (
        "Replay, capture and verify the LLM calls of this test" in listed.partition("fixtures used by test_marked")[2]
    )


def test_listing_fixtures_passes_marked_doctests(run: Callable[..., Any]) -> None:
    """The listing skips doctests, but breaks on those that have fixtures, so the marker adds none there."""
    source = '''
        import pytest

        pytestmark = pytest.mark.llmtrace

        def one():
            """
            >>> 1
            1
            """
        '''
    done = run(source, options=["--doctest-modules", "--fixtures-per-test"])
    assert done.code == pytest.ExitCode.OK, done.out


def test_the_marker_of_one_variant_is_its_own(run: Callable[..., Any]) -> None:
    """A marker on one parameter implies the fixture for that parameter alone."""
    result = run("""
        import pytest

        @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.llmtrace), 2])
        def test_it(n, request):
            assert ("llmtrace" in request.fixturenames) == (n == 1)
        """)
    assert result.outcomes == {"test_it[1]": "passed", "test_it[2]": "passed"}


WIDE = """
    import pytest
    from child import ask, span

    {module}

    @pytest.fixture(scope="{scope}")
    def wide():
        with span(llm=False):
            ask()
        yield

    {marker}
    class TestIt:
        def test_first(self, wide, llmtrace):
            assert len(llmtrace.exchanges()) == 1

        def test_second(self, wide, llmtrace):
            assert llmtrace.exchanges() == ()
    """


def test_wider_fixtures_are_refused_when_nothing_answers(run: Callable[..., Any]) -> None:
    """Requests of wider fixtures belong to no test, and the error says that they came from wider fixtures."""
    for scope in ("class", "module", "session"):
        result = run(WIDE.format(scope=scope, module="", marker=""))
        assert result.outcomes == {"TestIt::test_first": "error", "TestIt::test_second": "error"}
        assert result.text("TestIt::test_first") == (
            "pytest_llmtrace.errors.UnmatchedRequest: nothing answered POST http://llm.test:1/v1/chat/completions "
            "in the wider fixtures of test_first, and it was not sent\n"
            "nothing   requests of wider fixtures are answered only while these are set up, and only if the class "
            "or module is marked\n"
            'next: name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), '
            'or let the host through with allow_hosts=("llm.test:1",)'
        )


def test_a_class_or_module_marker_answers_wider_fixtures(run: Callable[..., Any]) -> None:
    """The trace of the test that sets up wider fixtures begins before them: it owns and verifies their requests."""
    marker = '@pytest.mark.llmtrace(gateway="openai", allow_unused="only one asks")'
    for scope, places in {
        "class": {"module": "", "marker": marker},
        "module": {"module": f"pytestmark = {marker[1:]}", "marker": ""},
    }.items():
        result = run(WIDE.format(scope=scope, **places))
        assert result.outcomes == {"TestIt::test_first": "failed", "TestIt::test_second": "passed"}, result.out
        assert result.properties("TestIt::test_first") == {"llmtrace_findings": "structure/exchange-without-span"}


@pytest.mark.parametrize(("scope", "times"), [("function", 2), ("session", 1)])
def test_the_configuration_holds_for_wider_fixtures(run: Callable[..., Any], scope: str, times: int) -> None:
    """The configuration's fixtures precede the wider ones of a marked class, once for each test, even if narrower."""
    result = run(f"""
        import pytest
        from child import ask, span

        asked = []

        @pytest.fixture(scope="{scope}")
        def needed():
            asked.append("needed")
            yield

        @pytest.fixture(scope="{scope}")
        def llmtrace_config(needed):
            asked.append("config")
            return {{"gateway": "openai", "ignore": {{"structure/exchange-without-span": "configured"}}}}

        @pytest.fixture(scope="session", autouse=True)
        def wide(request):
            asked.append("wide")
            with span(llm=False):
                ask()

        @pytest.mark.llmtrace(allow_unused="only one asks")
        class TestIt:
            def test_first(self, llmtrace):
                assert len(llmtrace.exchanges()) == 1
                assert asked == ["needed", "config", "wide"]

            def test_second(self):
                assert len(asked) == 1 + 2 * {times}
        """)
    assert result.outcomes == {"TestIt::test_first": "passed", "TestIt::test_second": "passed"}, result.out
    assert result.properties("TestIt::test_first") == {}


def test_what_wider_fixtures_start_belongs_to_no_one_test(run: Callable[..., Any]) -> None:
    """A pool or thread that outlives the test whose trace answered it works for whichever test is running."""
    result = run("""
        import queue
        import threading

        import pytest
        from child import ask

        pytestmark = pytest.mark.llmtrace(gateway="openai", verify=False)

        @pytest.fixture(scope="module")
        def served():
            jobs, done = queue.Queue(), queue.Queue()

            def serve():
                while jobs.get():
                    done.put(ask())

            thread = threading.Thread(target=serve)
            thread.start()
            yield lambda: (jobs.put(True), done.get(timeout=20))
            jobs.put(False)
            thread.join()

        @pytest.mark.parametrize("n", [1, 2])
        def test_it(served, llmtrace, n):
            served()
            assert len(llmtrace.exchanges()) == 1
        """)
    assert result.outcomes == {"test_it[1]": "passed", "test_it[2]": "passed"}, result.out


@pytest.mark.parametrize(("happens", "outcome"), [("raise OSError", "error"), ("pytest.skip()", "skipped")])
def test_a_trace_whose_fixture_is_never_set_up_ends_with_its_test(
    run: Callable[..., Any], happens: str, outcome: str
) -> None:
    """The trace began before a wider fixture, which failed or skipped; it ends, and later tests are not guarded."""
    result = run(f"""
        import pytest
        from child import ask

        @pytest.fixture(scope="class")
        def wide():
            {happens}

        @pytest.mark.llmtrace(gateway="openai")
        class TestIt:
            def test_it(self, wide): pass

        def test_plain():
            assert ask() == "live"
        """)
    assert result.outcomes == {"TestIt::test_it": outcome, "test_plain": "passed"}, result.out


def test_a_skipped_test_has_no_trace(run: Callable[..., Any]) -> None:
    """Tests without a cassette yet may be skipped by marks or a suite's hooks, however they ask for the trace."""
    result = run(
        """
        import unittest

        import pytest

        @pytest.mark.llmtrace(cassette="later")
        class TestIt:
            @pytest.mark.skip(reason="not recorded yet")
            def test_marked(self): pass

            def test_hooked(self): pass

        @pytest.mark.llmtrace(cassette="later")
        @unittest.skip("not recorded yet")
        class TestOfUnittest(unittest.TestCase):
            def test_class(self): pass

        class TestMethod(unittest.TestCase):
            @pytest.mark.llmtrace(cassette="later")
            @unittest.skip("not recorded yet")
            def test_method(self): pass

        @pytest.mark.llmtrace(cassette="later")
        @unittest.skip("not recorded yet")
        def test_function(): pass

        @pytest.mark.llmtrace(cassette="later")
        @unittest.skip("not recorded yet")
        class TestPlain:
            def test_plain(self): pass
        """,
        files={
            "conftest.py": """
            import pytest

            def pytest_runtest_setup(item):
                if item.name == "test_hooked":
                    pytest.skip("not recorded yet")
            """
        },
    )
    assert len(result.outcomes) == 6
    assert set(result.outcomes.values()) == {"skipped"}, result.out


def test_wider_fixtures_reach_the_hosts_that_a_marker_lets_through(run: Callable[..., Any]) -> None:
    """The fixture that starts a suite's own server may reach it to wait until it is up, and to stop it."""
    source = """
        import pytest
        from child import ask

        {module}

        @pytest.fixture(scope="session")
        def server():
            assert ask() == "live"
            yield
            assert ask() == "live"

        {marker}
        def test_it(server, llmtrace): pass
        """
    allowed = 'pytest.mark.llmtrace(allow_hosts=["llm.test"], verify=False)'
    for places in ({"module": f"pytestmark = {allowed}", "marker": ""}, {"module": "", "marker": f"@{allowed}"}):
        result = run(source.format(**places))
        assert result.outcomes == {"test_it": "passed"}, result.out


def test_an_untraced_test_is_left_alone(run: Callable[..., Any]) -> None:
    """Beside traced tests, one that does not use `llmtrace` reaches the network as before."""
    result = run("""
        from child import ask

        def test_traced(llmtrace):
            pass

        def test_plain():
            assert ask() == "live"

        def test_traced_again(llmtrace):
            pass

        def test_plain_again():
            assert ask() == "live"
        """)
    assert set(result.outcomes.values()) == {"passed"}, result.out


def test_a_request_after_the_test_fails_its_teardown(run: Callable[..., Any]) -> None:
    """An unanswered request that a fixture makes at its teardown is reported although the test is over."""
    result = run("""
        import contextlib
        import pytest
        from child import ask

        @pytest.fixture
        def late():
            yield
            with contextlib.suppress(Exception):
                ask()

        def test_it(llmtrace, late):
            pass

        def test_before_and_after(llmtrace, late):
            with contextlib.suppress(Exception):
                ask()
        """)
    assert result.outcomes == {"test_it": "passed error", "test_before_and_after": "failed error"}
    assert result.junit_properties("test_it") == {"llmtrace_findings": "replay/unmatched"}
    assert result.junit_properties("test_before_and_after") == {
        "llmtrace_findings": "replay/unmatched, replay/unmatched"
    }
    assert (
        result.text("test_it")
        == """\
Failed: llmtrace: 1 finding in test_it, after the test (1 exchange, 0 LLM spans, N checks)

error  replay/unmatched  POST /v1/chat/completions  (exchange 0)
       found  nothing answered POST http://llm.test:1/v1/chat/completions in test_it, and it was not sent
              nothing   no cassette, gateway or router is active here
              default   there is no cassettes/test_it/test_it.yaml; --llmtrace-record=once records it
       why    nothing answered this request, so the test did not run what production runs; it never left the machine
       next   name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), \
or let the host through with allow_hosts=("llm.test:1",), or waive: \
@pytest.mark.llmtrace(ignore={"replay/unmatched": "reason"})

POST /v1/chat/completions  refused  (exchange 0)"""
    )


def test_what_is_answered_after_the_test_is_no_finding(run: Callable[..., Any]) -> None:
    """A fixture's request at its teardown is not a finding if an answer is ready for it."""
    result = run("""
        import pytest
        from child import ask, span

        @pytest.fixture
        def late(llmtrace):
            llmtrace.gateway("openai").chat(text="bye")
            yield
            with span():
                assert ask() == "bye"

        @pytest.mark.llmtrace(allow_unused="asked for on the way out")
        def test_it(late):
            pass
        """)
    assert result.outcomes == {"test_it": "passed"}, result.out


CALLS_AFTER = """
    import pytest
    from child import ask, span

    pytestmark = pytest.mark.llmtrace(gateway="openai")

    def wrong():
        with span() as opened:
            ask()
            opened.set_attribute("gen_ai.usage.input_tokens", 99)

    @pytest.fixture
    def right():
        yield
        with span():
            ask()

    @pytest.fixture
    def yields():
        yield
        wrong()

    @pytest.fixture
    def finalizes(request):
        request.addfinalizer(wrong)

    @pytest.fixture
    def running():
        yield
        span().__enter__()
        ask()

    def test_right(right): pass
    def test_yields(yields): pass
    def test_finalizes(finalizes): pass
    def test_running(running): pass

    def test_failed(yields):
        raise LookupError("mine")

    @pytest.mark.llmtrace(ignore={"wire/input-tokens": "theirs"})
    def test_waived(yields):
        wrong()

    @pytest.mark.llmtrace(verify="warn")
    def test_warned(yields): pass

    @pytest.mark.llmtrace(verify=False)
    def test_off(yields): pass

    class TestIt:
        def teardown_method(self):
            wrong()

        def test_method(self): pass
    """


def test_calls_of_fixtures_after_the_test_are_judged(run: Callable[..., Any]) -> None:
    """Spans of calls at teardown are checked against the wire, except a span that is still open and may yet change."""
    result = run(CALLS_AFTER)
    assert result.outcomes == {
        "test_right": "passed",
        "test_yields": "passed error",
        "test_finalizes": "passed error",
        "test_running": "passed",
        "test_failed": "failed error",
        "test_waived": "passed",
        "test_warned": "passed",
        "test_off": "passed",
        "TestIt::test_method": "passed error",
    }, result.out
    assert result.properties("test_yields") == {"llmtrace_findings": "wire/input-tokens"}
    assert result.text("test_yields").splitlines()[:4] == [
        "Failed: llmtrace: 1 finding in test_yields, after the test (1 exchange, 1 LLM span, N checks)",
        "",
        "error  wire/input-tokens  span 'chat' (app)",
        "       span   gen_ai.usage.input_tokens = 99",
    ]
    assert "llmtrace: 1 finding in test_warned, after the test (1 exchange, 1 LLM span, N checks)" in result.summary()
    assert result.summary()[-4:-1] == [
        "9 tests, 9 exchanges, 8 LLM spans, 5 findings, 2 waived",
        "  replayed     9  scripted openai chat",
        "  captured     8  app",
    ]


def test_a_waiver_may_hide_what_comes_after_the_test(run: Callable[..., Any]) -> None:
    """Where fixtures may make calls at teardown, unused waivers are reported only after them, and only once."""
    source = """
        import pytest
        from child import ask

        @pytest.fixture
        def asks(llmtrace):
            yield
            with pytest.raises(AssertionError):
                ask()

        @pytest.mark.llmtrace(ignore={"replay/unmatched": "theirs"})
        def test_used(asks): pass

        @pytest.mark.llmtrace(ignore={"replay/unmatched": "theirs", "wire/cost": "nobody's"})
        def test_unused(idle): pass

        @pytest.fixture
        def idle():
            yield
        """
    result = run(source, options=["--llmtrace-strict"])
    assert result.outcomes == {"test_used": "passed", "test_unused": "passed error"}, result.out
    assert result.properties("test_used") == {}
    assert result.properties("test_unused") == {"llmtrace_findings": "waiver/unused, waiver/unused"}


def test_what_fixtures_hold_open_under_a_wide_marker(run: Callable[..., Any]) -> None:
    """Spans of the test's own fixtures must end with it; those of a class may outlive it, in any order of set-up."""
    result = run("""
        import pytest
        from child import left_open

        @pytest.fixture(scope="class")
        def wide():
            left_open()

        @pytest.fixture
        def own():
            left_open()
            yield

        @pytest.mark.llmtrace
        class TestIt:
            def test_wide(self, wide): pass
            def test_own(self, wide, own): pass
        """)
    assert result.outcomes == {"TestIt::test_wide": "passed", "TestIt::test_own": "passed error"}, result.out
    assert result.properties("TestIt::test_own") == {"llmtrace_findings": "structure/span-never-ended"}


def test_markers_merge(run: Callable[..., Any]) -> None:
    """Of module, class and function markers the closest wins for each argument; waivers are united."""
    result = run("""
        import pytest
        from child import ask, span

        pytestmark = pytest.mark.llmtrace(
            gateway="anthropic", verify=False, ignore={"structure/exchange-without-span": "of the module"}
        )

        @pytest.mark.llmtrace(gateway="openai", ignore={"structure/span-current": "of the class"})
        class TestIt:
            @pytest.mark.llmtrace(verify="error", ignore={"structure/span-never-ended": "of the function"})
            def test_it(self, llmtrace):
                with span(llm=False):
                    ask()
                settings = llmtrace.settings
                assert (settings.gateway, settings.verify) == ("openai", "error")
                assert dict(settings.ignore) == {
                    "structure/exchange-without-span": "of the module",
                    "structure/span-current": "of the class",
                    "structure/span-never-ended": "of the function",
                }
        """)
    assert result.outcomes == {"TestIt::test_it": "passed"}, result.out
    assert result.properties("TestIt::test_it") == {"llmtrace_findings": "waiver/unused"}


def test_llmtrace_asked_for_at_run_time(run: Callable[..., Any]) -> None:
    """`getfixturevalue` opens the trace where it is called, and it is verified like any other."""
    result = run("""
        from child import ask, span

        def test_it(request):
            trace = request.getfixturevalue("llmtrace")
            trace.gateway("openai").chat(text="x")
            with span(llm=False):
                ask()
        """)
    assert result.outcomes == {"test_it": "failed"}
    assert result.properties("test_it") == {"llmtrace_findings": "structure/exchange-without-span"}


def test_what_a_test_has_seen_is_forgotten_with_it(run: Callable[..., Any]) -> None:
    """A trace is released with its test, however it was asked for, although test items live as long as the run."""
    result = run("""
        import gc
        import weakref

        seen = []

        def test_named(llmtrace):
            seen.append(weakref.ref(llmtrace))

        def test_asked_for(request):
            seen.append(weakref.ref(request.getfixturevalue("llmtrace")))

        def test_forgotten():
            gc.collect()
            assert [trace() for trace in seen] == [None, None]
        """)
    assert set(result.outcomes.values()) == {"passed"}, result.out


HELD = """
    import pytest
    from opentelemetry import trace

    {module}

    @pytest.fixture(scope="{scope}")
    def holding():
        span = trace.get_tracer("app").start_span("held")
        yield span
        {after}

    def test_it(llmtrace, holding):
        assert holding.is_recording()
    """


@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_span_that_a_fixture_holds_open_is_no_finding(run: Callable[..., Any], scope: str) -> None:
    """A span that a fixture holds open ends with its fixture, after the test was verified, so it is not a finding."""
    module = "pytestmark = pytest.mark.llmtrace" if scope == "module" else ""
    result = run(HELD.format(scope=scope, module=module, after="span.end()"))
    assert result.outcomes == {"test_it": "passed"}, result.out


def test_a_fixture_that_never_ends_its_span_is_found(run: Callable[..., Any]) -> None:
    """The test has already passed by then, so the finding fails its teardown."""
    result = run(HELD.format(scope="function", module="", after="pass"))
    assert result.outcomes == {"test_it": "passed error"}, result.out
    assert result.text("test_it") == (
        "Failed: llmtrace: 1 finding in test_it, after the test (0 exchanges, 0 LLM spans, N checks)\n"
        "\n"
        "error  structure/span-never-ended  span 'held' (app)\n"
        "       span   was started, but had not ended when the test was over\n"
        "       why    a span that never ends is never exported\n"
        "       next   end it on every path: with start_as_current_span(...), or end() in a finally, or waive: "
        '@pytest.mark.llmtrace(ignore={"structure/span-never-ended": "reason"})\n'
        "\n"
        "held  INTERNAL  UNSET  not ended"
    )


CLEANED = """
import pytest
from child import MOCKED, ask, library_named, span

pytestmark = pytest.mark.llmtrace(cassette="file")

def call():
    with span():
        ask(MOCKED)

def clean():
    with library_named("").Client() as client:
        assert client.delete("http://mocked.test/v1/files/1").status_code == 200

@pytest.fixture
def yields():
    yield
    clean()

@pytest.fixture
def finalizes(request):
    request.addfinalizer(clean)

@pytest.fixture
def idle():
    yield

@pytest.mark.parametrize("fixture", ["yields", "finalizes"])
def test_cleaned(fixture, request):
    request.getfixturevalue(fixture)
    call()

def test_not_cleaned(idle):
    call()

def test_not_asked(idle):
    clean()

def test_nothing_to_tear_down(monkeypatch, tmp_path):
    call()

@pytest.mark.xfail(strict=True)
def test_expected(idle):
    call()

@pytest.mark.llmtrace(ignore={"replay/unplayed": "for now"})
def test_waived(idle):
    call()

@pytest.mark.llmtrace(verify="warn")
def test_warned(idle):
    call()

class TestMethods:
    def setup_method(self):
        self.calls = 1

    def teardown_method(self):
        clean()

    def test_cleaned(self):
        call()
"""

CLEANUP = """\
- request:
    method: DELETE
    uri: http://mocked.test/v1/files/1
    body: null
    headers: {}
  response:
    status: {code: 200, message: OK}
    headers: {content-type: [application/json]}
    body: {string: '{"id": "1", "object": "file", "deleted": true}'}
"""

LATE = """\
Failed: llmtrace: 1 finding in test_not_cleaned, after the test (0 exchanges, 0 LLM spans, N checks)

error  replay/unplayed  cassettes/file.yaml
       wire   1 of 2 never requested
              DELETE /v1/files/1  (interaction 1)
       why    the application no longer makes a call that was recorded, or makes it elsewhere
       next   remove it, or say why it may stay: @pytest.mark.llmtrace(allow_unused="reason"), or waive: \
@pytest.mark.llmtrace(ignore={"replay/unplayed": "reason"})

no span and no exchange was seen"""


def test_fixtures_may_clean_up_after_the_test(run: Callable[..., Any]) -> None:
    """If a fixture of the suite has a teardown, an unplayed request to no model is only reported after that."""
    result = run(CLEANED, files={"cassettes/file.yaml": CASSETTE + CLEANUP})
    assert result.outcomes == {
        "test_cleaned[yields]": "passed",
        "test_cleaned[finalizes]": "passed",
        "test_not_cleaned": "passed error",
        "test_not_asked": "failed",
        "test_nothing_to_tear_down": "failed",
        "test_expected": "xfailed",
        "test_waived": "passed",
        "test_warned": "passed",
        "TestMethods::test_cleaned": "passed",
    }, result.out
    assert result.text("test_not_cleaned") == LATE
    assert "llmtrace: 1 finding in test_warned, after the test (0 exchanges, 0 LLM spans, N checks)" in result.summary()
