"""Those who are about to ask for something themselves, when a reply has just begun: they may go first."""

from __future__ import annotations

import sys
import threading

from pytest_llmtrace.clock._shift import real
from pytest_llmtrace.clock._wakers import AsyncWaker, ThreadWaker

__all__ = ["SLICE", "Others", "is_busy"]

SLICE = 0.001
"""Real seconds between two looks at other threads. Slices are counted: on a busy machine all of them take longer."""
CALM = 4
"""How many looks in a row must find them idle."""
LIMIT = 100
"""For how many slices they are waited for at most."""
TURNS = 20
"""How many turns the other tasks of a loop have at least."""
TURNS_FOR = 0.002
"""And for how many real seconds."""


class Others:
    """Whether all who begin at the same time have begun."""

    def __init__(self) -> None:
        self._begun = 0
        self._settled = 0

    @property
    def are_settled(self) -> bool:
        """Whether they had their time since the last one has begun."""
        return self._settled == self._begun

    def begin(self) -> None:
        """Say that somebody has begun."""
        self._begun += 1

    def settle(self, waker: ThreadWaker) -> None:
        """Give other threads time, in a thread; it ends early when somebody has begun."""
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
        """Give other tasks time, in a task; it ends early when somebody has begun."""
        begun, until, turns = self._begun, real() + TURNS_FOR, 0
        while not waker.is_alone and (turns < TURNS or real() < until):
            await waker.let_others()
            turns += 1
            if self._begun != begun:
                return
        self._settled = begun


def _other_threads() -> list[int]:
    """Return the threads that may be about to ask for something: daemons serve."""
    running = threading.get_ident()
    return [thread.ident or 0 for thread in threading.enumerate() if not thread.daemon and thread.ident != running]


def is_busy(thread: int) -> bool:
    """Tell whether a thread runs code, or wants to; one that waits for a lock or a socket is in these modules."""
    frame = sys._current_frames().get(thread)
    return frame is not None and not str(frame.f_globals.get("__name__")).startswith(_WAITING)


_WAITING = (
    "asyncio.",
    "concurrent.",
    "multiprocessing.",
    "queue",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "threading",
)
