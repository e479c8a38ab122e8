"""The other threads and tasks that may be about to ask for something when a reply has just begun: they may go first."""

from __future__ import annotations

import sys
import threading

from pytest_llmtrace.clock._shift import real
from pytest_llmtrace.clock._wakers import AsyncWaker, ThreadWaker

__all__ = ["SLICE", "Others", "is_busy"]

SLICE = 0.001
"""Real seconds between two looks at other threads. Slices are counted: on a busy machine all of them take longer."""
CALM = 4
"""How many looks in a row must find the others idle."""
CALM_OF_WORK = 25
"""The same number while a task waits for a thread, which looks idle until it is scheduled."""
LIMIT = 100
"""How many slices the others are waited for at most."""
TURNS = 5
"""How many turns the other tasks of a loop get at least between two looks."""


class Others:
    """A count of the replies and pauses that have begun, to tell whether all that begin at the same time have."""

    def __init__(self) -> None:
        self._begun = 0
        self._settled = 0

    @property
    def are_settled(self) -> bool:
        """Whether the others have had their time since a reply or a pause last began."""
        return self._settled == self._begun

    def begin(self) -> None:
        """Note that a reply or a pause has begun."""
        self._begun += 1

    def settle(self, waker: ThreadWaker) -> None:
        """Give other threads time, from a thread; return early, unsettled, when the thread's waker is woken."""
        begun, calm = self._begun, 0
        for _ in range(LIMIT):
            others = _other_threads()
            if not others or calm == CALM:
                break
            calm = 0 if any(map(is_busy, others)) else calm + 1
            if waker.wait(SLICE):
                return
        self._settled = begun

    async def settle_async(self, waker: AsyncWaker) -> None:
        """Give other tasks time, and the threads that work for them; return early, unsettled, when a reply begins."""
        begun, calm = self._begun, 0
        for _ in range(LIMIT):
            threads_work = waker.others_await_threads
            if waker.is_alone or calm >= (CALM_OF_WORK if threads_work else CALM):
                break
            calm = 0 if threads_work and any(map(is_busy, _other_threads())) else calm + 1
            await _let_others_for_a_slice(waker)
            if self._begun != begun:
                return
        self._settled = begun


async def _let_others_for_a_slice(waker: AsyncWaker) -> None:
    turns, until = 0, real() + SLICE
    while turns < TURNS or real() < until:
        await waker.let_others()
        turns += 1


def _other_threads() -> list[int]:
    """Return the other threads that may be about to ask for something, except daemon threads, which serve others."""
    running = threading.get_ident()
    return [thread.ident or 0 for thread in threading.enumerate() if not thread.daemon and thread.ident != running]


def is_busy(thread: int) -> bool:
    """Tell whether a thread runs code or wants to; a thread that waits for a lock or a socket is in `_WAITING`."""
    frame = sys._current_frames().get(thread)
    if frame is None:
        return False
    module = str(frame.f_globals.get("__name__"))
    if module == "ssl":  # Outside of connections it reads certificates: each new client does, for 50 ms and more.
        return not frame.f_code.co_qualname.startswith(_CONNECTIONS)
    return not module.startswith(_WAITING)


_WAITING = (
    "asyncio.",
    "concurrent.",
    "multiprocessing.",
    "queue",
    "selectors",
    "socket",
    "subprocess",
    "threading",
)
_CONNECTIONS = ("SSLObject.", "SSLSocket.")
