"""Recorded time in a run of pytest: only the code under test sees it, it ends with the test, and neighbours work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.installed import has, only_with

MARKED = """
import asyncio
import time
import pytest
from child import run
from timed import DURATION, play, play_async

"""

# Replays a recorded stream of ten hours, with chunks at half of the time and at its end.
TIMED = """
import time
from time import perf_counter
from child import library_named
from pytest_llmtrace.model import Cassette, Recording, Request, Response

DURATION = 36000.0
URL = "http://llm.test/stream"
CASSETTE = Cassette(
    label="timed",
    recordings=(
        Recording(
            index=0,
            request=Request(method="GET", url=URL),
            response=Response(status=200, chunks=(b"one", b"two"), offsets=(DURATION / 2, DURATION)),
        ),
    ),
)

def play(llmtrace):
    began = perf_counter(), time.time(), time.monotonic()
    with llmtrace.replay(CASSETTE), library_named().Client(timeout=None) as client:
        assert client.get(URL).content == b"onetwo"
    return passed(began)

async def play_async(llmtrace):
    began = perf_counter(), time.time(), time.monotonic()
    with llmtrace.replay(CASSETTE):
        async with library_named().AsyncClient(timeout=None) as client:
            assert (await client.get(URL)).content == b"onetwo"
    return passed(began)

def passed(began):
    return [round(now - then, -2) for now, then in zip((perf_counter(), time.time(), time.monotonic()), began)]
"""

PASSED = "[DURATION] * 3"

SUITE = f"""{MARKED}
pytestmark = pytest.mark.llmtrace(timing="recorded")

def test_passes(llmtrace):
    assert play(llmtrace) == {PASSED}

def test_fails(llmtrace):
    assert play(llmtrace) == 0

def test_is_failed(llmtrace):
    play(llmtrace)
    pytest.fail("so")

def test_skips(llmtrace):
    play(llmtrace)
    pytest.skip("so")

@pytest.mark.xfail(strict=True)
def test_xfails(llmtrace):
    assert play(llmtrace) == 0

def test_asks_for_it_while_it_runs(request):
    assert play(request.getfixturevalue("llmtrace")) == {PASSED}

def test_coroutine(llmtrace):
    assert run(play_async(llmtrace)) == {PASSED}

@pytest.mark.llmtrace(timing="instant")
def test_instant(llmtrace):
    assert play(llmtrace) == [0.0] * 3

@pytest.fixture
def before(llmtrace):
    real = time.time(), time.perf_counter(), time.perf_counter
    assert play(llmtrace) == [0.0] * 3, "before the test nothing takes time"
    yield
    assert time.time() - real[0] < 60 and time.perf_counter() - real[1] < 60 and time.perf_counter is real[2]

def test_fixtures_are_in_real_time(before, llmtrace):
    assert play(llmtrace) == {PASSED}
"""

OUTCOMES = {
    "test_passes": "passed",
    "test_fails": "failed",
    "test_is_failed": "failed",
    "test_skips": "skipped",
    "test_xfails": "xfailed",
    "test_asks_for_it_while_it_runs": "passed",
    "test_coroutine": "passed",
    "test_instant": "passed",
    "test_fixtures_are_in_real_time": "passed",
}


NEIGHBOURS = ("freezegun", "pytest_timeout", "uvloop")


def test_neighbours_in_time_are_there() -> None:
    """Where the rarest neighbour of all is installed, so are these: none is left out unnoticed."""
    assert all(map(has, NEIGHBOURS)) or not has("cassetter")


def test_pytest_s_own_time_is_real(run: Callable[..., Any]) -> None:
    """However a test ends, its ten hours count in no duration, and the next test begins in real time."""
    result = run(SUITE, files={"timed.py": TIMED})
    assert result.outcomes == OUTCOMES, result.out
    durations = {case.attrib["name"]: float(case.attrib["time"]) for case in result.junit.iter("testcase")}
    assert durations.keys() == OUTCOMES.keys()
    assert max(durations.values()) < 60
    assert float(result.junit.find("testsuite").attrib["time"]) < 60


def test_an_interrupt_ends_it(run: Callable[..., Any]) -> None:
    """After Ctrl-C in a test, everything that runs sees real time."""
    source = f"""{MARKED}
began = time.time()

@pytest.mark.llmtrace(timing="recorded")
def test_it(llmtrace):
    play(llmtrace)
    raise KeyboardInterrupt
"""
    conftest = """
import time
def pytest_keyboard_interrupt(excinfo):
    import test_it
    print("HOURS", (time.time() - test_it.began) // 3600, type(time.perf_counter).__name__)
"""
    result = run(source, files={"timed.py": TIMED, "conftest.py": conftest})
    assert "HOURS 0.0 builtin_function_or_method" in result.out


@pytest.mark.parametrize("way", ["marker", "configuration", "ini", "environment"])
def test_ways_to_say_it(run: Callable[..., Any], way: str) -> None:
    """The closest setting wins: marker, then fixture, then environment, then ini."""
    source = f"""{MARKED}
{'@pytest.mark.llmtrace(timing="recorded")' if way == "marker" else ""}
def test_it(llmtrace):
    assert play(llmtrace) == {PASSED}
"""
    said = "import pytest\n@pytest.fixture(scope='session')\ndef llmtrace_config(): return {'timing': %r}\n"
    conftest = said % "recorded" if way == "configuration" else said % "instant" if way == "marker" else ""
    ini = "[pytest]\nllmtrace_timing = " + {"ini": "recorded", "environment": "instant"}.get(way, "real")
    env = {"LLMTRACE_TIMING": "recorded"} if way == "environment" else {}
    result = run(source, files={"timed.py": TIMED, "conftest.py": conftest, "pytest.ini": ini}, **env)
    assert result.outcomes == {"test_it": "passed"}, result.out


def test_a_wrong_word_stops_the_run(run: Callable[..., Any]) -> None:
    """An unknown timing is a usage error that names the nearest known one."""
    result = run("def test_it(): pass", LLMTRACE_TIMING="record")
    text = "unknown value of timing= 'record': did you mean 'recorded'? known: instant, real, recorded"
    assert result.usage_error() == f"ERROR: llmtrace: LLMTRACE_TIMING: {text}"


# --- neighbours ------------------------------------------------------------------------------------------------------


@only_with("pytest_timeout")
def test_a_timeout_of_the_test_is_real(run: Callable[..., Any]) -> None:
    """pytest-timeout counts real seconds, and when it ends a test, real time comes back too."""
    source = f"""{MARKED}
@pytest.mark.timeout(30)
@pytest.mark.llmtrace(timing="recorded")
def test_in_time(llmtrace):
    assert play(llmtrace) == {PASSED}

@pytest.mark.timeout(1)
@pytest.mark.llmtrace(timing="recorded")
def test_too_long(llmtrace):
    play(llmtrace)
    time.sleep(30)

def test_after():
    assert time.time() < {time.time() + 3600} and type(time.perf_counter).__name__ == "builtin_function_or_method"
"""
    result = run(source, plugins=["pytest_timeout"], files={"timed.py": TIMED})
    assert result.outcomes == {"test_in_time": "passed", "test_too_long": "failed", "test_after": "passed"}, result.out
    assert "Timeout" in result.text("test_too_long")


@only_with("uvloop")
def test_uvloop(run: Callable[..., Any]) -> None:
    """Timeouts of another event loop are in real time too."""
    source = f"""{MARKED}
import uvloop

@pytest.mark.llmtrace(timing="recorded")
def test_it(llmtrace):
    async def main():
        return await asyncio.wait_for(play_async(llmtrace), 30)
    assert uvloop.run(main()) == {PASSED}
"""
    result = run(source, files={"timed.py": TIMED})
    assert result.outcomes == {"test_it": "passed"}, result.out


RUNNERS = {"anyio": "anyio.pytest_plugin", "asyncio": "pytest_asyncio.plugin"}


@pytest.mark.parametrize("runner", [name for name, plugin in RUNNERS.items() if has(plugin)])
def test_coroutine_tests(run: Callable[..., Any], runner: str) -> None:
    """Whichever plugin runs the test, concurrent calls take as long as one, and no real time."""
    source = f"""{MARKED}
import anyio

@pytest.mark.{runner}
@pytest.mark.llmtrace(timing="recorded", allow_unused="it is played by name")
async def test_it(llmtrace):
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(play_async, llmtrace)
    assert DURATION < llmtrace.clock.elapsed < DURATION + 60
"""
    ini = "[pytest]\nasyncio_default_fixture_loop_scope = function\n" if runner == "asyncio" else ""
    result = run(source, plugins=[RUNNERS[runner]], files={"timed.py": TIMED, "pytest.ini": ini})
    assert set(result.outcomes.values()) == {"passed"}, result.out


def test_trio_with_a_clock_of_its_own(run: Callable[..., Any]) -> None:
    """A fake clock of the loop, which jumps when all tasks sleep, neither moves ours nor is moved by it."""
    source = f"""{MARKED}
import trio
import trio.testing

@pytest.mark.llmtrace(timing="recorded")
def test_it(llmtrace):
    async def main():
        with trio.fail_after(3600):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, 1800)
                assert await play_async(llmtrace) == {PASSED}
        return trio.current_time()
    clock = trio.testing.MockClock(autojump_threshold=0)
    assert 1800 <= trio.run(main, clock=clock) < 3600
"""
    result = run(source, files={"timed.py": TIMED})
    assert result.outcomes == {"test_it": "passed"}, result.out


def test_a_loop_with_a_clock_that_stands_still(run: Callable[..., Any]) -> None:
    """Waiting does not depend on a timer of the loop."""
    source = f"""{MARKED}
class Loop(asyncio.SelectorEventLoop):
    def time(self):
        return 7.0

@pytest.mark.llmtrace(timing="recorded")
def test_it(llmtrace):
    async def main():
        other = asyncio.create_task(asyncio.Event().wait())
        try:
            return await play_async(llmtrace)
        finally:
            other.cancel()
    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(main()) == {PASSED}
"""
    result = run(source, files={"timed.py": TIMED})
    assert result.outcomes == {"test_it": "passed"}, result.out


def test_time_machine_in_the_test(run: Callable[..., Any]) -> None:
    """Travel in the test decides the time of day; the other clocks go on, and both end as they should."""
    source = f"""{MARKED}
import time_machine

@time_machine.travel(0.0, tick=False)
@pytest.mark.llmtrace(timing="recorded")
def test_decorated(llmtrace):
    assert play(llmtrace) == [DURATION, 0.0, DURATION]

@pytest.mark.llmtrace(timing="recorded")
def test_fixture(llmtrace, time_machine):
    time_machine.move_to(0.0, tick=True)
    assert play(llmtrace) == [DURATION, 0.0, DURATION]

@pytest.fixture
def travelling():
    with time_machine.travel(0.0, tick=False):
        yield

@pytest.mark.llmtrace(timing="recorded")
def test_around(travelling, llmtrace):
    assert play(llmtrace) == {PASSED}
    assert round(time.time(), -2) == DURATION

def test_after():
    assert time.time() > 1e9 and not time_machine.traveller_stack
"""
    result = run(source, plugins=["time_machine"], files={"timed.py": TIMED})
    names = ("test_decorated", "test_fixture", "test_around", "test_after")
    assert result.outcomes == dict.fromkeys(names, "passed"), result.out


@only_with("freezegun")
def test_freezegun_in_the_test(run: Callable[..., Any]) -> None:
    """A block of frozen time stands still until it ends; virtual time goes on meanwhile, and both are undone."""
    source = f"""{MARKED}
import freezegun

@pytest.mark.llmtrace(timing="recorded", allow_unused="it is played twice")
def test_block(llmtrace):
    with freezegun.freeze_time("2020-01-01"):
        play(llmtrace)
        assert time.gmtime().tm_year == 2020
    assert llmtrace.clock.elapsed >= DURATION
    assert play(llmtrace)[:2] == [DURATION] * 2

@freezegun.freeze_time("2020-01-01")
@pytest.mark.llmtrace(timing="recorded")
def test_decorated(llmtrace):
    play(llmtrace)
    assert llmtrace.clock.elapsed >= DURATION

def test_after():
    assert time.gmtime().tm_year > 2020 and type(time.perf_counter).__name__ == "builtin_function_or_method"
"""
    result = run(source, files={"timed.py": TIMED})
    assert result.outcomes == dict.fromkeys(("test_block", "test_decorated", "test_after"), "passed"), result.out


UNTIMED = """
interactions:
- request: {method: GET, uri: 'http://llm.test/one', body: null, headers: {}}
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: onetwo}, llmtrace: {chunks: [3, 3]}}
- request: {method: GET, uri: 'http://llm.test/two', body: null, headers: {}}
  response:
    status: {code: 200, message: OK}
    headers: {}
    body: {string: onetwo}
    llmtrace: {chunks: [3, 3], offsets: [36000, 1]}
- request: {method: GET, uri: 'http://llm.test/three', body: null, headers: {}}
  response:
    status: {code: 200, message: OK}
    headers: {}
    body: {string: onetwo}
    llmtrace: {chunks: [3, 3], offsets: [1, 36000, 72000]}
version: 1
"""


@pytest.mark.parametrize("timing", ["recorded", "real", "instant"])
def test_recordings_without_times(run: Callable[..., Any], timing: str) -> None:
    """Absent, decreasing or surplus offsets are reported once per cassette if times are wanted; replies are instant."""
    source = f"""
import pytest
from child import library_named

@pytest.mark.llmtrace(cassette="untimed", timing="{timing}")
def test_it(llmtrace):
    for name in ("one", "two", "three"):
        assert library_named().get(f"http://llm.test/{{name}}").content == b"onetwo"
"""
    result = run(source, files={"cassettes/untimed.yaml": UNTIMED})
    assert result.outcomes == {"test_it": "passed"}, result.out
    said = "\n".join(result.summary())
    expected = """\
warning  replay/timing  cassettes/untimed.yaml
       found  interaction 0: the times of its chunks were not recorded, or its body was edited since
              interaction 1: its offsets go backwards
              interaction 2: it has 3 offsets for 2 chunks
       why    it was replayed at once, so durations and times to first token are not those of the recording
       next   record it again (`--llmtrace-record=all` keeps the times of chunks), or say timing="instant", or waive: \
@pytest.mark.llmtrace(ignore={"replay/timing": "reason"})
"""
    assert (expected in said) == (timing != "instant"), said


@only_with("freezegun")
def test_freezegun_before_the_test(run: Callable[..., Any]) -> None:
    """Time frozen before the test cannot be moved: replies come at once, and one finding says what to do."""
    source = f"""{MARKED}
import freezegun

@pytest.fixture
def frozen():
    with freezegun.freeze_time("2020-01-01"):
        yield

@pytest.mark.llmtrace(timing="recorded")
def test_it(frozen, llmtrace):
    assert play(llmtrace) == [0.0] * 3
    with pytest.raises(TypeError, match="which is off: freezegun froze the time before this test began"):
        llmtrace.clock.advance(1)

@pytest.mark.llmtrace(timing="recorded")
def test_after(llmtrace):
    assert play(llmtrace) == {PASSED}
"""
    result = run(source, files={"timed.py": TIMED})
    assert result.outcomes == {"test_it": "passed", "test_after": "passed"}, result.out
    said = "\n".join(result.summary())
    expected = """\
warning  replay/timing  this test
       found  freezegun froze the time before this test began, and frozen time cannot be moved
       why    it was replayed at once, so durations and times to first token are not those of the recording
       next   freeze the time inside the test, or use time-machine there: neither disturbs virtual time, or \
waive: @pytest.mark.llmtrace(ignore={"replay/timing": "reason"})
"""
    assert expected in said, said


def test_a_script_without_times_is_no_complaint(run: Callable[..., Any]) -> None:
    """A scripted reply takes the time that the test has given it, which may be none."""
    source = """
import pytest
from child import ask, span

@pytest.mark.llmtrace(gateway="openai", timing="recorded")
def test_it(llmtrace):
    with span():
        ask()
"""
    result = run(source)
    assert result.outcomes == {"test_it": "passed"}, result.out
    assert "replay/timing" not in result.out
