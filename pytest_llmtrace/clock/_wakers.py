"""How a thread, an asyncio task and a trio task wait to be woken, and let others go first, without a loop's timers."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any, Protocol

from pytest_llmtrace.telemetry import Worker

__all__ = ["AsyncWaker", "ThreadWaker", "Waker", "async_waker", "running_worker", "thread_waker"]


class Waker(Protocol):
    """A thread or task that can be woken, from any thread."""

    worker: Worker

    def arm(self) -> None:
        """Forget that it was woken."""

    def wake(self) -> None:
        """Wake the thread or task."""


class AsyncWaker(Waker, Protocol):
    """A task that can be woken, from any thread."""

    @property
    def is_alone(self) -> bool:
        """Whether its loop has no other task."""

    @property
    def others_await_threads(self) -> bool:
        """Whether another task of its loop waits for a function that runs in a thread."""

    async def wait(self) -> None:
        """Wait to be woken."""

    async def let_others(self) -> None:
        """Give a turn to every task that can run."""


class ThreadWaker:
    """A thread that can be woken."""

    def __init__(self) -> None:
        self.worker = Worker(threading.get_ident())
        self._event = threading.Event()

    def arm(self) -> None:
        self._event.clear()

    def wake(self) -> None:
        self._event.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait to be woken, for some seconds at most; tell whether it was woken."""
        return self._event.wait(seconds)


class _Asyncio:
    def __init__(self) -> None:
        self.worker = running_worker()
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    @property
    def is_alone(self) -> bool:
        return len(asyncio.all_tasks(self._loop)) == 1

    @property
    def others_await_threads(self) -> bool:
        return any(_awaits_thread(task.get_coro()) for task in asyncio.all_tasks(self._loop))

    def arm(self) -> None:
        self._event.clear()

    def wake(self) -> None:
        if threading.get_ident() == self.worker.thread:
            self._event.set()
            return
        with contextlib.suppress(RuntimeError):  # Its loop is closed.
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()

    async def let_others(self) -> None:
        await asyncio.sleep(0)


class _Trio:
    # The initial task, the main task, and the task that runs what other threads send.
    _ALWAYS = 3

    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._event = trio.Event()
        self.worker = running_worker()

    @property
    def is_alone(self) -> bool:
        return bool(self._trio.lowlevel.current_statistics().tasks_living <= self._ALWAYS)

    @property
    def others_await_threads(self) -> bool:
        return any(_awaits_thread(task.coro) for task in self._tasks(self._trio.lowlevel.current_root_task()))

    def _tasks(self, task: Any) -> Iterator[Any]:
        yield task
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from self._tasks(child)

    def arm(self) -> None:
        self._event = self._trio.Event()

    def wake(self) -> None:
        if threading.get_ident() == self.worker.thread:
            self._event.set()
            return
        with contextlib.suppress(self._trio.RunFinishedError):
            self._token.run_sync_soon(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()

    async def let_others(self) -> None:
        await self._trio.lowlevel.checkpoint()


_of_thread = threading.local()


def thread_waker() -> ThreadWaker:
    """Return the waker of the running thread; it needs only one, since it waits for one thing at a time."""
    waker: ThreadWaker | None = getattr(_of_thread, "waker", None)
    if waker is None:
        waker = _of_thread.waker = ThreadWaker()
    return waker


def async_waker() -> AsyncWaker:
    """Return a new waker for the running task."""
    trio = _running_trio()
    return _Asyncio() if trio is None else _Trio(trio)


def running_worker() -> Worker:
    """Return the running thread, with its task if there is one."""
    trio = _running_trio()
    try:
        task = asyncio.current_task() if trio is None else trio.lowlevel.current_task()
    except RuntimeError:  # No loop runs in this thread.
        task = None
    return Worker(threading.get_ident(), None if task is None else id(task))


_TO_THREAD = ("to_thread", "to_thread_run_sync", "run_sync_in_worker_thread")  # asyncio's, trio's and anyio's.


def _awaits_thread(coroutine: Any) -> bool:
    while coroutine is not None:
        code = getattr(coroutine, "cr_code", None)
        if code is not None and code.co_name in _TO_THREAD:
            return True
        coroutine = getattr(coroutine, "cr_await", None)
    return False


def _running_trio() -> Any:
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_run() else None
