"""Whom the running code belongs to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_llmtrace import ownership
from pytest_llmtrace.ownership import Owner


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
    """Without an active owner, code belongs to nobody."""
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
