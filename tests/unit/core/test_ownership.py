"""Running code belongs to the test that started it, in threads, tasks and pools, and knows its blocks and spans."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from pytest_llmtrace import ownership
from pytest_llmtrace.model import SpanKey, Worker
from pytest_llmtrace.ownership import Causes, Owner


@pytest.fixture(autouse=True)
def _carried() -> None:
    ownership.carry_over_threads()
    ownership.carry_over_threads()


@pytest.fixture
def owner() -> Iterator[Owner]:
    owner = Owner("test_one")
    with ownership.active(owner), ownership.belonging_to(owner):
        yield owner


def in_thread() -> Owner | None:
    found: list[Owner | None] = []
    thread = threading.Thread(target=lambda: found.append(ownership.current()))
    thread.start()
    thread.join()
    return found[0]


def test_nobody() -> None:
    """Without an active owner, code has no owner."""
    assert ownership.current() is None
    assert in_thread() is None


def test_threads_and_tasks_belong_to_who_started_them(owner: Owner) -> None:
    """Threads, their threads, tasks and pool workers inherit the owner."""

    async def task() -> Owner | None:
        return await asyncio.create_task(asyncio.to_thread(ownership.current))

    assert in_thread() is owner
    assert asyncio.run(task()) is owner
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(in_thread).result() is owner


def test_a_pool_that_is_shared_serves_whoever_submits() -> None:
    """A worker that one test started works for the test that submits."""
    with ThreadPoolExecutor(1) as pool:
        for label in ("first", "second"):
            owner = Owner(label)
            with ownership.belonging_to(owner):
                assert pool.submit(ownership.current).result() is owner


def test_work_that_was_left_to_a_pool_is_known(owner: Owner) -> None:
    """Work that a test has submitted to a pool is known as its own until it is done; other tests' work is not."""
    may_end = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int)
    assert owner.at_work == set()
    with ThreadPoolExecutor(2) as pool:
        left = pool.submit(may_end.wait)
        with ownership.belonging_to(Owner("another")):
            pool.submit(may_end.wait)
        assert owner.at_work == {left}
        may_end.set()
    assert owner.at_work == set()


def test_a_late_thread_stays_with_its_test(owner: Owner) -> None:
    """A thread that outlives its test does not move to the next one."""
    go = threading.Event()
    found: list[Owner | None] = []

    def late() -> None:
        go.wait()
        found.append(ownership.current())

    thread = threading.Thread(target=late)
    thread.start()
    other = Owner("test_two")
    with ownership.active(other), ownership.belonging_to(other):
        go.set()
        thread.join()
    assert found == [owner]


def test_what_belongs_to_nobody_goes_to_the_active_owner() -> None:
    """A worker from before all tests belongs to the test that is active when it works."""
    go = threading.Event()
    found: list[Owner | None] = []

    def late() -> None:
        go.wait()
        found.append(ownership.current())

    thread = threading.Thread(target=late)
    thread.start()
    owner = Owner("test_one")
    with ownership.active(owner):
        go.set()
        thread.join()
    assert found == [owner]


# --- what was current where a worker was started ---------------------------------------------------------------------

SPANS = Causes(SpanKey(1, 1), own=SpanKey(2, 1))


@pytest.fixture
def current_spans() -> Iterator[list[Causes]]:
    """The current spans, in a list of one item that the test sets."""
    now = [Causes()]
    before = ownership._current_spans
    ownership.note_causes(lambda: now[0])
    yield now
    ownership.note_causes(before or Causes)


def causes_in_thread() -> Causes:
    found: list[Causes] = []
    thread = threading.Thread(target=lambda: found.append(ownership.causes()))
    thread.start()
    thread.join()
    return found[0]


def test_causes_travel_with_the_owner(owner: Owner, current_spans: list[Causes]) -> None:
    """A thread, the tasks in it, and a work item of a pool know which spans were current where they were started."""

    async def task() -> Causes:
        return await asyncio.create_task(asyncio.to_thread(ownership.causes))

    assert ownership.current() is owner
    assert ownership.causes() == Causes()
    current_spans[0] = SPANS
    assert ownership.causes() == Causes()
    assert causes_in_thread() == SPANS
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ownership.causes).result() == SPANS
        assert pool.submit(asyncio.run, task()).result() == SPANS
        current_spans[0] = Causes()
        assert pool.submit(ownership.causes).result() == Causes()  # Although the first item started the pool's thread.
        # The callbacks of frameworks do this, by loop.run_in_executor(None, copy_context().run, ...).
        assert pool.submit(copy_context().run, ownership.causes).result() == Causes()


def test_what_belongs_to_nobody_has_no_cause(current_spans: list[Causes]) -> None:
    """Outside of a test no current spans are noted."""
    current_spans[0] = SPANS
    assert causes_in_thread() == Causes()


def _blocks() -> list[ownership.Block]:
    return list(ownership.blocks())


def test_code_is_in_the_blocks_of_whoever_started_it(owner: Owner) -> None:
    """Tasks copy the blocks with their context; threads and work items have those of the code that started them."""

    async def task() -> list[ownership.Block]:
        return await asyncio.create_task(inside())

    async def inside() -> list[ownership.Block]:
        return _blocks()

    with ThreadPoolExecutor(1) as pool, ownership.within(outer := ownership.Block()):
        with ownership.within(inner := ownership.Block()):
            assert _blocks() == asyncio.run(task()) == pool.submit(_blocks).result() == [inner, outer]
            thread = threading.Thread(target=lambda: seen.append(_blocks()))
            seen: list[list[ownership.Block]] = []
            thread.start()
            thread.join()
            assert seen == [[inner, outer]]
        assert _blocks() == pool.submit(_blocks).result() == [outer]
    assert _blocks() == []


def test_blocks_that_end_in_any_order_leave_nothing_behind() -> None:
    """A block that has ended no longer applies, even to code that began in it and still runs."""
    first, late = ownership.within(ownership.Block()), copy_context()
    with first:
        second = ownership.within(inner := ownership.Block())
        second.__enter__()
        left = copy_context()
    assert _blocks() == [inner]
    second.__exit__(None, None, None)
    assert _blocks() == late.run(_blocks) == left.run(_blocks) == []
    assert ownership.Block().outer is None


def test_a_worker_is_a_thread_and_a_task() -> None:
    """Code in one thread and task has one worker; in other tasks and threads it has other workers."""

    async def twice() -> tuple[Worker, Worker]:
        return ownership.worker(), ownership.worker()

    async def tasks() -> list[tuple[Worker, Worker]]:
        return list(await asyncio.gather(twice(), twice()))

    assert ownership.worker() == ownership.worker() == Worker(threading.get_ident())
    one, other = asyncio.run(tasks())
    assert one[0] == one[1] != other[0]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ownership.worker).result() != ownership.worker()
