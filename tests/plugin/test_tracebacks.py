"""Errors of this package are shown at the line where the application made the call, findings at their test."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SUITE = """
import asyncio
import unittest

import openai
import pytest

URL = "http://llm.test/v1"
ASKED = {"model": "gpt-4o", "messages": []}

def ask():
    openai.OpenAI(api_key="k", base_url=URL, max_retries=0).chat.completions.create(**ASKED)  # here

async def ask_async():
    client = openai.AsyncOpenAI(api_key="k", base_url=URL, max_retries=0)
    await client.chat.completions.create(**ASKED)  # here

def test_refused(llmtrace):
    ask()

def test_refused_async(llmtrace):
    asyncio.run(ask_async())

@pytest.mark.llmtrace
class TestCase(unittest.TestCase):
    def test_refused_testcase(self):
        ask()

@pytest.fixture(scope="module")
def asked():
    ask()

def test_refused_wide(llmtrace, asked):
    pass

def test_untraced(asked):
    pass

@pytest.fixture
def asking():
    yield
    ask()

def test_refused_late(llmtrace, asking):
    pass

def test_misused(llmtrace):
    llmtrace.gateway("opnai")  # here

def test_of_an_sdk(llmtrace):
    openai.OpenAI(api_key="k", base_url=URL).chat.completions.create()
"""


@pytest.mark.parametrize("options", [[], ["--full-trace"]], ids=["short", "full"])
def test_it_ends_in_the_application(run: Callable[..., Any], options: list[str]) -> None:
    """The message stands below the line that made the call; frames in between are shown with `--full-trace` only."""
    out = run(SUITE, options=options).out
    for name in (
        "test_refused",
        "test_refused_async",
        "TestCase.test_refused_testcase",
        "ERROR at setup of test_refused_wide",
        "ERROR at setup of test_untraced",
        "ERROR at teardown of test_refused_late",
        "test_misused",
    ):
        told = shown(out, name)
        last = [line for line in told.splitlines() if line.startswith(">")][-1]
        assert (last.endswith("# here"), "pytest_llmtrace/" in told) == (not options, bool(options)), told
    # An error that an SDK raises is its own, and its traceback ends where it was raised.
    assert "openai/_utils/_utils.py" in shown(out, "test_of_an_sdk")


INNER = """
import asyncio
import openai

def ask():
    openai.OpenAI(api_key="k", base_url="http://llm.test/v1", max_retries=0).chat.completions.create(
        model="gpt-4o", messages=[]
    )

def test_grouped(llmtrace):
    async def asking():
        ask()

    async def all_of_them():
        async with asyncio.TaskGroup() as group:
            group.create_task(asking())
            group.create_task(asking())

    asyncio.run(all_of_them())

def test_wrapped(llmtrace):
    try:
        ask()
    except AssertionError as error:
        raise LookupError("no answer") from error
"""


@pytest.mark.parametrize("options", [[], ["--full-trace"]], ids=["short", "full"])
def test_errors_in_a_group_and_causes_are_short_too(run: Callable[..., Any], options: list[str]) -> None:
    """What pytest shows of a group, and of what caused an error, ends in the application; a debugger sees the whole."""
    conftest = """
        from traceback import extract_tb

        def pytest_exception_interact(call):
            error = call.excinfo.value
            inner = error.__cause__ or error.exceptions[0]
            print("deepest", extract_tb(inner.__traceback__)[-1].filename.rpartition("/")[2])
        """
    out = run(INNER, options=[*options, "-s"], files={"conftest.py": conftest}).out
    assert out.count("deepest test_it.py") == 0
    assert out.count("deepest ") == 2
    for name, times in (("test_grouped", 2), ("test_wrapped", 1)):
        told = shown(out, name)
        assert told.count("UnmatchedRequest: nothing answered POST http://llm.test/v1/chat/completions") == times, told
        assert ("openai/" in told, "Captured llmtrace call" in told) == (bool(options), name == "test_wrapped"), told


AT = """
import contextlib
import pytest
from child import ask, span

def test_found(llmtrace):
    llmtrace.gateway("openai").chat()
    with span(llm=False):
        ask()

@pytest.mark.llmtrace(cassette="chat")
def test_missing():
    pass

@pytest.fixture
def late():
    yield
    with contextlib.suppress(AssertionError):
        ask()

def test_late(llmtrace, late):
    pass

class TestIt:
    def test_marked_late(self, request):
        request.node.add_marker(pytest.mark.llmtrace)

def test_own():
    pytest.fail("so", pytrace=False)

def doc():
    '''
    >>> getfixture("llmtrace").gateway("openai").chat() and None
    >>> with span(llm=False): _ = ask()
    '''
"""


@pytest.mark.parametrize(("plugins", "options"), [([], []), (["xdist"], ["-n", "2"])], ids=["in one process", "xdist"])
def test_a_finding_is_at_its_test(run: Callable[..., Any], plugins: list[str], options: list[str]) -> None:
    """A failure of ours that is only a text has the place of its test, and its first line names the checks."""
    conftest = """
        from linecache import getline

        def pytest_runtest_logreport(report):
            if report.failed:
                crash = report.longrepr.reprcrash
                print(f"\\n{report.when}: {getline(crash.path, crash.lineno)}  {crash.message.splitlines()[0][:45]}")
        """
    done = run(AT, plugins=plugins, options=["--doctest-modules", "-s", *options], files={"conftest.py": conftest})
    assert sorted(re.findall(r"^(?:setup|call|teardown): .*\n  .*", done.out, re.MULTILINE)) == [
        "call:     '''\n  llmtrace: structure/exchange-without-span",
        "call:     def test_marked_late(self, request):\n  Failed: llmtrace: this test got its marker to",
        'call:     pytest.fail("so", pytrace=False)\n  Failed: so',
        "call: def test_found(llmtrace):\n  llmtrace: structure/exchange-without-span",
        'setup: @pytest.mark.llmtrace(cassette="chat")\n  Failed: llmtrace: chat: there is no such cass',
        "teardown: def test_late(llmtrace, late):\n  llmtrace: replay/unmatched",
    ], done.out


WITHOUT = (
    *("cacheprovider", "capture", "debugging", "doctest", "faulthandler", "junitxml", "legacypath", "logging"),
    *("nose", "pastebin", "setuponly", "setupplan", "skipping", "stepwise", "subtests", "terminal", "threadexception"),
    *("tmpdir", "unittest", "unraisableexception", "warnings"),
)
"""The plugins of pytest that a run may do without."""


def test_without_plugins_of_pytest(tmp_path: Path, beside_server: Callable[..., dict[str, str]]) -> None:
    """Findings and refusals fail their tests in a run without any plugin of pytest that it can do without."""
    (tmp_path / "conftest.py").write_text(
        "def pytest_runtest_logreport(report):\n"
        "    open('said', 'a').write(f'{report.nodeid} {report.when} {report.outcome}\\n{report.longreprtext}\\n')\n",
        encoding="utf-8",
    )
    (tmp_path / "test_it.py").write_text(
        "from child import ask, span\n"
        "def test_found(llmtrace):\n"
        "    llmtrace.gateway('openai').chat()\n"
        "    with span(llm=False): ask()\n"
        "def test_refused(llmtrace):\n"
        "    ask()\n"
        "def test_good(llmtrace):\n"
        "    pass\n",
        encoding="utf-8",
    )
    without = [word for name in WITHOUT for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-p", "pytest_llmtrace.plugin", *without]
    done = subprocess.run(
        command, cwd=tmp_path, env=beside_server(tmp_path),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (pytest.ExitCode.TESTS_FAILED, "")
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert re.findall(r"^test_it.py::(\w+) (call|teardown) (\w+)", said, re.MULTILINE) == [
        ("test_found", "call", "failed"),
        ("test_found", "teardown", "passed"),
        ("test_refused", "call", "failed"),
        ("test_refused", "teardown", "passed"),
        ("test_good", "call", "passed"),
        ("test_good", "teardown", "passed"),
    ]
    assert "error  structure/exchange-without-span  POST" in said
    assert "UnmatchedRequest: nothing answered POST http://llm.test" in said
    assert "pytest_llmtrace/" not in said


def shown(out: str, name: str) -> str:
    """Return the part of the terminal output about the failure of a test."""
    found = re.search(rf"^_+ {name} _+\n(.*?)^[_=]{{3,}} ", out, re.DOTALL | re.MULTILINE)
    assert found is not None, out
    return found[1]
