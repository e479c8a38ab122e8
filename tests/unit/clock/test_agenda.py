"""Every wait for a moment ends, in order, whatever others do or fail to do; nothing hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import clock
from pytest_llmtrace.clock import _agenda
from pytest_llmtrace.clock._agenda import Agenda
from pytest_llmtrace.clock._others import is_busy
from pytest_llmtrace.clock._shift import real

pytestmark = pytest.mark.usefixtures("virtual")


@pytest.fixture
def base() -> float:
    return clock.now()


def close_to(base: float, *offsets: float) -> Any:
    """Return the moments with a tolerance for a busy machine, since real time goes on within virtual time."""
    return pytest.approx([base + offset for offset in offsets], abs=4)


def test_one_alone(runner: Any, base: float, real_seconds: Callable[[], float]) -> None:
    """A single waiter reaches each of its moments at once."""
    [seen] = runner.run(runner.wait_until(base + 10, base + 20, base + 30))
    assert seen == close_to(base, 10, 20, 30)
    assert real_seconds() < 20


def test_together_it_takes_as_long_as_the_longest(runner: Any, base: float) -> None:
    """Three concurrent waits of some seconds end at their own moments, not one after the other."""
    seen = runner.run(*(runner.wait_until(base + due) for due in (30, 10, 20)))
    assert [moment for [moment] in seen] == close_to(base, 30, 10, 20)


def test_many_steps_keep_their_order(runner: Any, base: float) -> None:
    """The waits of several are one sequence: none sees its moment after a later moment of another one."""
    steps = [[base + 40 * step + 10 * lane for step in range(25)] for lane in range(4)]
    seen = runner.run(*(runner.wait_until(*lane) for lane in steps))
    assert seen == [pytest.approx(lane, abs=4) for lane in steps]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_is_started_meanwhile_runs(base: float, backend: str) -> None:
    """A waiting task lets others run, as if it waited for the network: they may request and get a reply."""
    import anyio

    pace, seen = clock.pace("recorded"), []

    async def later() -> None:
        pace.begin()
        await pace.wait_async(base + 20)
        seen.append(clock.now())
        pace.leave()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            pace.begin()
            await pace.wait_async(base + 10)
            group.start_soon(later)
            await pace.wait_async(base + 30)
            seen.append(clock.now())
            pace.leave()

    anyio.run(main, backend=backend)
    assert seen == close_to(base, 20, 30)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_a_thread_works_for_comes_in_time(backend: str) -> None:
    """SDKs ask a thread for the platform before their first request: such a task is waited for though it looks idle."""
    import anyio

    pace, gate, seen = clock.pace("recorded"), threading.Event(), []

    async def ask(begin: Callable[[], object] | None) -> None:
        if begin is not None:
            await anyio.to_thread.run_sync(begin)
        pace.begin()
        await pace.wait_async(clock.now() + 10)
        seen.append(clock.now())
        pace.leave()

    async def open_the_gate() -> None:
        until = real() + 0.005
        while real() < until:
            await anyio.lowlevel.checkpoint()
        gate.set()

    async def main() -> float:
        began = clock.now()
        async with anyio.create_task_group() as group:
            group.start_soon(ask, None)
            group.start_soon(ask, gate.wait)
            group.start_soon(open_the_gate)
        return began

    assert close_to(anyio.run(main, backend=backend), 10, 10) == seen


IN_SSL = """
def create_default_context(block):
    block()

class SSLSocket:
    def read(self, block):
        block()
"""


@pytest.mark.parametrize(("call", "busy"), [("create_default_context", True), ("SSLSocket().read", False)])
def test_who_reads_certificates_is_busy(call: str, busy: bool) -> None:
    """A client that is made in a thread will make a request soon; one that waits for its server may wait for long."""
    ssl: dict[str, Any] = {"__name__": "ssl"}
    exec(IN_SSL, ssl)  # noqa: S102
    gate = threading.Lock()
    with gate:
        thread = threading.Thread(target=eval(call, ssl), args=(gate.acquire,))  # noqa: S307
        thread.start()
        assert _comes(lambda: is_busy(thread.ident or 0) is busy)
    thread.join(60)


def _comes(true: Callable[[], bool]) -> bool:
    """Tell whether a condition becomes true within 10 s and stays true for ten looks."""
    seen, until = 0, real() + 10
    while seen < 10 and real() < until:
        seen = seen + 1 if true() else 0
        threading.Event().wait(0.001)
    return seen == 10


def test_a_moment_that_has_passed_is_no_wait(runner: Any, base: float) -> None:
    """A wait for a moment in the past ends at once, and time never goes back."""
    [[first, second]] = runner.run(runner.wait_until(base + 10, base + 5))
    assert second >= first >= base + 10


def test_whoever_does_nothing_is_not_waited_for(
    runner: Any, base: float, real_seconds: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that was begun and abandoned delays the others by one grace period, not by one for each chunk."""
    monkeypatch.setattr(_agenda, "SLICE", 0.02)  # With this slice, 400 grace periods would be 80 s.
    forgotten = threading.Thread(target=lambda: (runner.pace.begin(), runner.pace.wait(base)))
    forgotten.start()
    forgotten.join()
    [seen] = runner.run(runner.wait_until(*(base + step for step in range(1, 401))))
    assert base + 400 <= seen[-1] < base + 440
    assert real_seconds() < 40


def test_many_at_once_look_no_more_each(tasks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of a thousand waiters checks whose turn it is about as often as each of a hundred."""
    looks, step = [0], Agenda._step

    def counted(agenda: Agenda, wait: Any) -> Any:
        looks[0] += 1
        return step(agenda, wait)

    monkeypatch.setattr(Agenda, "_step", counted)

    def looks_of_each(number: int) -> float:
        looks[0], start = 0, clock.now()
        tasks.run(*(tasks.wait_until(start + 10, start + 20) for _ in range(number)))
        return looks[0] / number

    assert looks_of_each(1000) < 2 * looks_of_each(100)


def test_a_blocked_loop_keeps_nobody_waiting(base: float, real_seconds: Callable[[], float]) -> None:
    """A task that is next in turn, but whose loop is blocked by a later waiter, is passed over."""
    pace, done = clock.pace("recorded"), threading.Event()

    async def first() -> float:
        pace.begin()
        await pace.wait_async(base + 10)
        return clock.now()

    def second() -> None:
        pace.begin()
        pace.wait(base + 20)
        done.set()

    async def main() -> float:
        task = asyncio.create_task(first())
        await asyncio.sleep(0)
        threading.Thread(target=second).start()
        assert done.wait(30)  # The loop stands still.
        return await task

    assert asyncio.run(main()) >= base + 20
    assert real_seconds() < 20


def test_a_cancelled_wait_is_off_the_agenda(base: float, real_seconds: Callable[[], float]) -> None:
    """A cancelled wait holds up no one, and time does not stop at its moment."""
    pace = clock.pace("recorded")

    async def wait(due: float) -> float:
        pace.begin()
        await pace.wait_async(due)
        return clock.now()

    async def main() -> float:
        held = asyncio.create_task(wait(base + 10))
        other = asyncio.create_task(wait(base + 20))
        await asyncio.sleep(0)
        held.cancel()
        return await other

    assert [asyncio.run(main())] == close_to(base, 20)
    assert real_seconds() < 20


def test_the_end_of_virtual_time_wakes_everybody(runner: Any, virtual: clock.Clock) -> None:
    """A thread that outlives its test does not wait for ever."""
    runner.run(runner.wait_until(clock.now() + 1))
    pace, begun = clock.pace("recorded"), threading.Event()

    def wait() -> None:
        begun.set()
        pace.wait(clock.now() + 1e9)

    # A thread that has begun and then does nothing delays the wait by one grace period.
    threads = [threading.Thread(target=wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    begun.wait()
    virtual.stop()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_a_user_may_move_time_past_the_moment(runner: Any, virtual: clock.Clock, base: float) -> None:
    """A wait for a moment that the user's `advance` has passed ends at once."""
    virtual.advance(15)
    [seen] = runner.run(runner.wait_until(base + 10))
    assert seen == close_to(base, 15)
