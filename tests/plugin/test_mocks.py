"""A test may mock functions that this package uses, until its end, and is verified nevertheless."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.plugin.recorded import CASSETTE

NAMES = (
    "base64.b64decode",
    "builtins.__import__",
    "builtins.open",
    "datetime.datetime",
    "hashlib.blake2b",
    "json.dumps",
    "json.loads",
    "opentelemetry.trace.get_current_span",
    "os.getcwd",
    "os.getpid",
    "os.path.isfile",
    "pathlib.Path.exists",
    "pathlib.Path.is_file",
    "random.random",
    "re.compile",
    "re.search",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "time.time",
    "time.time_ns",
    "urllib.parse.urlsplit",
    "uuid.uuid4",
)
NEEDED_BY_PYTEST = {"builtins.__import__", "os.getcwd", "pathlib.Path.exists"}
"""Functions that pytest needs to report any failure."""
SUITE = """
    import unittest
    from unittest import mock

    import pytest
    from child import ask, span

    NAMES = {names}

    def boom(*args, **kwargs):
        raise RuntimeError("mocked")

    def answered(llmtrace):
        llmtrace.gateway("openai").chat(text="hi", usage={{"prompt_tokens": 3, "completion_tokens": 2}})
        with span() as opened:
            ask()
            opened.set_attribute("gen_ai.usage.output_tokens", {output_tokens})

    @pytest.mark.parametrize("name", NAMES)
    def test_undone_before_ours(llmtrace, monkeypatch, name):
        answered(llmtrace)
        monkeypatch.setattr(name, boom)

    @pytest.fixture(scope="class")
    def patched():
        with pytest.MonkeyPatch.context() as patch:
            yield patch

    def test_in_a_class(self, patched, llmtrace):
        answered(llmtrace)
        patched.setattr(self.name, boom)

    for name in NAMES:
        class_name = "TestUndoneAfterOurs" + name.title().replace(".", "")
        globals()[class_name] = type(class_name, (), {{"name": name, "test_it": test_in_a_class}})
    del test_in_a_class

    class TestCase(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def traced(self, llmtrace):
            self.llmtrace = llmtrace

        def start(self, name):
            answered(self.llmtrace)
            patch = mock.patch(name, boom)
            patch.start()
            self.addCleanup(patch.stop)

    for name in NAMES:
        setattr(TestCase, f"test_{{name}}", lambda self, name=name: self.start(name))
    """
FOUND = """\
Failed: llmtrace: 1 finding in a test (1 exchange, 1 LLM span, N checks)

error  wire/output-tokens  span 'chat' (app)
       span   gen_ai.usage.output_tokens = 7
       wire   usage.completion_tokens = 2
              scripted openai chat, exchange 0, response body
       why    dashboards add this count up and costs are computed from it; the count is too high
       next   fix the instrumentation, or waive: @pytest.mark.llmtrace(ignore={"wire/output-tokens": "reason"})

chat  CLIENT  UNSET  1 ms
  `- POST /v1/chat/completions  200  (exchange 0)"""


def test_mocks_until_the_end(run: Callable[..., Any]) -> None:
    """Whatever undoes the mock, and whenever that happens, the test passes, whether it is the first or the last."""
    result = run(SUITE.format(names=NAMES, output_tokens=2))
    assert len(result.outcomes) == 3 * len(NAMES)
    assert set(result.outcomes.values()) == {"passed"}, result.out
    number = 3 * len(NAMES)
    assert result.summary()[0] == f"{number} tests, {number} exchanges, {number} LLM spans, 0 findings"


def test_mocks_until_the_end_hide_nothing(run: Callable[..., Any]) -> None:
    """Wrong values are found, and reported as without mocks."""
    names = tuple(name for name in NAMES if name not in NEEDED_BY_PYTEST)
    result = run(SUITE.format(names=names, output_tokens=7))
    assert set(result.outcomes.values()) == {"failed"}, result.out
    texts = {result.text(name).replace(name.rpartition("::")[2], "a test") for name in result.reports}
    assert texts == {FOUND}


def test_mocks_that_count(run: Callable[..., Any]) -> None:
    """This package never calls the mocks of a test, so `assert_called_once` counts the application's calls only."""
    result = run("""
        import sys
        from functools import partial

        import pytest
        from child import ask, span

        NAMES = ("base64.b64decode", "builtins.open", "hashlib.blake2b", "json.dumps", "json.loads", "os.getcwd",
                 "os.getpid", "re.compile", "re.search", "time.sleep", "time.time", "time.time_ns")
        CALLED = []

        @pytest.fixture(scope="module", autouse=True)
        def counted():
            def count(name, real, *args, **kwargs):
                caller = sys._getframe(1).f_globals["__name__"]
                if caller.startswith("pytest_llmtrace"):
                    CALLED.append((name, caller))
                return real(*args, **kwargs)

            with pytest.MonkeyPatch.context() as patch:
                for name in NAMES:
                    module, _, attribute = name.partition(".")
                    real = getattr(sys.modules[module], attribute)
                    patch.setattr(name, partial(count, name, real))
                yield

        @pytest.mark.llmtrace(cassette="chat")
        def test_it(llmtrace):
            with span():
                ask("http://mocked.test/v1/chat/completions")
            with llmtrace.replay("chat"), span():
                ask("http://mocked.test/v1/chat/completions")
            llmtrace.gateway("openai").chat(text="hi", usage={"prompt_tokens": 3, "completion_tokens": 2})
            with span():
                ask()

        def test_what_was_called():
            assert CALLED == []
        """, files={"cassettes/chat.yaml": CASSETTE})  # fmt: skip
    assert result.outcomes == {"test_it": "passed", "test_what_was_called": "passed"}, result.out


def test_what_cannot_be_done_without(run: Callable[..., Any]) -> None:
    """Where a mock makes it impossible to verify a test, the failure is one sentence that names the mock."""
    result = run("""
        import pytest
        from child import ask, span

        def boom(*args, **kwargs):
            raise RuntimeError("mocked")

        @pytest.mark.parametrize("fails", [False, True])
        def test_it(llmtrace, monkeypatch, fails):
            llmtrace.gateway("openai").chat(text="hi", usage={"prompt_tokens": 3, "completion_tokens": 2})
            with span():
                ask()
            monkeypatch.setattr("builtins.sorted", boom)
            monkeypatch.setattr("os._exit", boom)  # As logfire does for good; nothing is missing because of it.
            assert not fails

        def test_after(llmtrace):
            llmtrace.gateway("openai").chat(text="hi", usage={"prompt_tokens": 3, "completion_tokens": 2})
            with span():
                ask()
        """)
    assert result.outcomes == {"test_it[False]": "failed", "test_it[True]": "failed", "test_after": "passed"}
    sentence = (
        "llmtrace: RuntimeError: mocked, at the end of this test: it has replaced builtins.sorted, which is needed to "
        "judge it; undo that within the test, for example by unittest.mock.patch in a with block"
    )
    assert result.text("test_it[False]") == f"Failed: {sentence}"
    assert result.section("test_it[False]") == ""
    assert result.text("test_it[True]") == "assert not True"
    assert result.section("test_it[True]") == sentence


def test_an_environment_that_is_emptied(run: Callable[..., Any]) -> None:
    """Our variables are read when the run begins, and their values then hold for all of its tests."""
    result = run(
        """
        import os
        from unittest import mock

        import pytest
        from child import ask, span

        @pytest.fixture(scope="session", autouse=True)
        def emptied():
            with mock.patch.dict(os.environ, clear=True):
                yield

        def test_it(llmtrace):
            llmtrace.gateway("openai").chat(text="hi", usage={"prompt_tokens": 3, "completion_tokens": 2})
            with span() as opened:
                ask()
                opened.set_attribute("gen_ai.usage.output_tokens", 7)
        """,
        LLMTRACE_VERIFY="warn",
    )
    assert result.outcomes == {"test_it": "passed"}, result.text("test_it")
