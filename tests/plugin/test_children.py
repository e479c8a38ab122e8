"""Processes that a test starts: nothing that they do is observed, and they repeat nothing that the run does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.exporting import WAYS, made, said
from tests.plugin.recorded import CASSETTE
from tests.receiver import Receiver

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")

MAKERS = """
import multiprocessing, os, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
import pytest
from child import MOCKED, ask, span

def fork(do):
    pid = os.fork()
    if not pid:
        try:
            do()
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

def context(do):
    process = multiprocessing.get_context("fork").Process(target=do)
    process.start()
    process.join()
    assert process.exitcode == 0

def pool(do):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        pool.submit(do).result()

def other(do):
    subprocess.run([sys.executable, "-c", ""], check=True)

def nothing(do):
    pass

def call():
    with span():
        assert ask(MOCKED) == "mocked"
"""
PLAYED = (
    MAKERS
    + """
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("make", [fork, context, pool, other, nothing], ids=lambda make: make.__name__)
@pytest.mark.llmtrace(cassette="chat")
def test_it(llmtrace, make):
    make(call)

@pytest.mark.llmtrace(cassette="chat")
def test_after(llmtrace):
    call()
"""
)
UNPLAYED = """\
llmtrace: 1 finding in test_it (0 exchanges, 0 LLM spans, N checks)

error  replay/unplayed  cassettes/chat.yaml
       wire   1 of 1 never requested
              POST /v1/chat/completions  (interaction 0)
       why    the application no longer makes a call that was recorded, or makes it elsewhere
       next   {}say why it may stay: @pytest.mark.llmtrace(allow_unused="reason"), or waive: \
@pytest.mark.llmtrace(ignore={{"replay/unplayed": "reason"}})

no span and no exchange was seen"""
FORKED = (
    "the test forked, and the requests of a child process are answered there and recorded nowhere: make these calls in "
    "this process, in a thread if need be; or "
)
STARTED = (
    "a process was started and has ended, and the requests of another process are neither answered nor recorded: if it "
    "was meant to make these calls, make them in this process; or "
)
NEXT = {"fork": FORKED, "context": FORKED, "pool": FORKED, "other": STARTED, "nothing": "remove it, or "}


@WAYS
def test_what_a_child_plays_is_not_told_as_never_asked_for(
    run: Callable[..., Any], plugins: list[str], options: list[str]
) -> None:
    """If a test has started other processes, the finding says that they are not seen; a later test is unaffected."""
    done = run(PLAYED, plugins=plugins, options=options, files={"cassettes/chat.yaml": CASSETTE})
    for make, text in NEXT.items():
        found = done.text(f"test_it[{make}]").removeprefix("Failed: ").replace(f"test_it[{make}]", "test_it")
        assert found == UNPLAYED.format(text)
    assert done.outcomes["test_after"] == "passed"


ESCAPED = """
import os, pytest
from child import ask, span

def test_before(llmtrace):
    with span("before", llm=False):
        pass

@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork(llmtrace):
    child = not (pid := os.fork())
    with span("child" if child else "parent", llm=False):
        pass
    if not child:
        os.waitpid(pid, 0)

def test_after(llmtrace):
    with span("after", llm=False):
        pass
"""


def test_a_child_that_returns_into_pytest_exports_nothing(
    run: Callable[..., Any], receiver: Receiver, tmp_path: Path
) -> None:
    """The child runs all tests that are left and ends the run; only its parent keeps and sends spans and reports."""
    wanted = [
        "--llmtrace-export=openobserve",
        "--llmtrace-export=file=spans.jsonl",
        "--llmtrace-report=contract=c.json",
    ]
    done = run(ESCAPED, options=wanted, **receiver.environ)
    assert done.code == 0, done.out
    assert sorted(made(tmp_path).values()) == [1, 1, 1]
    assert receiver.counts() == made(tmp_path)
    assert said(done, receiver.url, tmp_path) == [
        "  exported     to DIR/spans.jsonl",
        "  exported     3 spans to OpenObserve at URL, organization default, stream default",
    ]
    assert done.out.count("report       wrote contract") == 1


RECORDED = """
import os, pytest
from child import LIVE, ask, span

def call():
    with span():
        assert ask() == "live"

@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.llmtrace(verify=False)
def test_fork(llmtrace):
    call()
    child = not (pid := os.fork())
    if not child:
        os.waitpid(pid, 0)
    else:
        call()

@pytest.mark.llmtrace(verify=False)
def test_after(llmtrace):
    call()
"""


def test_a_child_that_returns_into_pytest_records_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    """Each file has the parent's calls only, and the summary says that the child's calls are not recorded."""
    done = run(RECORDED, options=["--llmtrace-record=all"])
    assert done.code == 0, done.out
    folder = tmp_path / "cassettes" / "test_it"
    assert [path.read_text(encoding="utf-8").count("- request:") for path in sorted(folder.iterdir())] == [1, 1]
    lines = [line.partition(":")[0] for line in done.summary() if line.startswith("  recorded ")]
    assert lines == [
        "  recorded     not recorded",
        "  recorded     wrote cassettes/test_it/test_fork.yaml",
        "  recorded     wrote cassettes/test_it/test_after.yaml",
    ]
    assert done.out.count("wrote cassettes") == 2


ONE_BY_ONE = """
import json, os, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    from _pytest.runner import runtestprotocol
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        reports = runtestprotocol(item, log=False)
        to_json = item.config.hook.pytest_report_to_serializable
        data = [to_json(config=item.config, report=report) for report in reports]
        with open(writing, "w") as file:
            json.dump(data, file)
        os._exit(0)
    os.close(writing)
    with open(reading) as file:
        data = json.load(file)
    os.waitpid(pid, 0)
    for each in data:
        report = item.config.hook.pytest_report_from_serializable(config=item.config, data=each)
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
APART = """
import pytest
from child import ask, span

@pytest.mark.parametrize("number", range(3))
def test_chat(llmtrace, number):
    with span():
        assert ask() == "live"
"""


def test_a_child_in_which_a_plugin_runs_a_test_keeps_and_records(
    run: Callable[..., Any], receiver: Receiver, tmp_path: Path
) -> None:
    """If a plugin runs each test in a process (pytest-forked), that process keeps and records; the parent sends."""
    wanted = ["--llmtrace-export=openobserve", "--llmtrace-export=file=spans.jsonl", "--llmtrace-record=all"]
    done = run(APART, options=wanted, files={"conftest.py": ONE_BY_ONE}, **receiver.environ)
    assert done.code == 0, done.out
    assert sorted(made(tmp_path).values()) == [1, 1, 1]
    assert receiver.counts() == made(tmp_path)
    assert len([*(tmp_path / "cassettes" / "test_it").iterdir()]) == 3
