"""Who waits for which moment of virtual time. Time moves to the earliest moment, once nothing earlier can come up.

Streams that are read at the same time together take the time of the longest, not the sum. So a waiter lets the others
act first, and time moves to absolute moments, never by differences. The others are the threads and tasks that have
acted on a stream and do not wait now: what they do next may be due earlier. If they do nothing for a while, a grace,
they are not waited for any longer until they act again; so an abandoned stream costs one grace, and nothing here waits
for long. While one of their threads is busy they have more graces, since a busy machine may have kept it from running.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from enum import Enum, auto

from pytest_llmtrace.clock._others import SLICE, Others, is_busy
from pytest_llmtrace.clock._shift import SHIFT, real
from pytest_llmtrace.clock._wakers import AsyncWaker, ThreadWaker, Waker, async_waker, running_worker, thread_waker
from pytest_llmtrace.telemetry import Worker

__all__ = ["AGENDA", "Agenda"]

GRACE = 10
"""How many slices of real time the others have to act before they are not waited for any longer."""
GRACES = 25
"""How many graces the others have while one of their threads is busy: the machine may be busy, too."""
TURNS = 2
"""Turns that other tasks get before each moment: in trio a task just started may come after the waiter once."""
TURNS_OF_GRACE = 20
"""Turns that other tasks get at least within a grace."""
PATIENCE = 0.25
"""Real seconds after which the first waiter, if it does not act, is passed over: its loop is blocked or not running."""


class _Step(Enum):
    """What a waiter does next."""

    GO = auto()
    SLEEP = auto()  # another waiter is earlier
    YIELD = auto()  # others may still come before it
    SETTLE = auto()  # a reply has just begun: other replies, asked for at the same time, may follow


class _Wait:
    """A thread or task that waits for a moment.

    Attributes:
        due: The moment.
        waker: How to wake the waiter.
        is_listed: Whether the waiter is on the agenda; it is not while it is passed over.
        looks: How often the waiter has looked whether it may go on.
    """

    def __init__(self, due: float, waker: Waker) -> None:
        self.due = due
        self.waker = waker
        self.is_listed = False
        self.looks = 0


class Agenda:
    """The moments that are waited for. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waits: list[tuple[float, int, _Wait]] = []
        self._numbers = itertools.count()
        self._acting: set[Worker] = set()
        self._others = Others()
        self._watched = False

    # --- what happens ---

    def begin(self) -> None:
        """Note that the running code has begun something that it will wait for."""
        with self._lock:
            self._others.begin()
            self._acting.add(running_worker())

    def leave(self) -> None:
        """Note that the running code is done with what it has begun."""
        with self._lock:
            self._acting.discard(running_worker())
            self._wake_first()

    def moved(self) -> None:
        """Note that virtual time was moved, or is over."""
        with self._lock:
            if not SHIFT.is_on:
                self._acting.clear()
            self._wake_first()

    def wait(self, due: float) -> None:
        """Wait in a thread until a moment of virtual time, or the end of virtual time."""
        waker = thread_waker()
        wait = self._enter(due, waker)
        try:
            while (step := self._step(wait)) is not _Step.GO:
                if step is _Step.SLEEP:
                    waker.wait()
                elif step is _Step.SETTLE:
                    self._others.settle(waker)
                else:
                    self._yield(waker)
        finally:
            self._exit(wait)

    async def wait_async(self, due: float) -> None:
        """Do what `wait` does, in a task."""
        waker = async_waker()
        wait = self._enter(due, waker)
        try:
            for _ in range(TURNS):  # As in real life, where the loop runs other tasks while a chunk is on its way.
                await waker.let_others()
            while (step := self._step(wait)) is not _Step.GO:
                if step is _Step.SLEEP:
                    await waker.wait()
                elif step is _Step.SETTLE:
                    await self._others.settle_async(waker)
                else:
                    await self._yield_async(wait, waker)
        finally:
            self._exit(wait)

    # --- whose turn it is ---

    def _enter(self, due: float, waker: Waker) -> _Wait:
        wait = _Wait(due, waker)
        with self._lock:
            self._acting.discard(waker.worker)
            self._list(wait)
            self._wake_first()
        return wait

    def _list(self, wait: _Wait) -> None:
        wait.is_listed = True
        heapq.heappush(self._waits, (wait.due, next(self._numbers), wait))

    def _step(self, wait: _Wait) -> _Step:
        with self._lock:
            wait.waker.arm()
            wait.looks += 1
            if not wait.is_listed:
                self._list(wait)
            step = self._next(wait)
            if step is _Step.GO and SHIFT.is_on:
                self._acting.add(wait.waker.worker)
            return step

    def _next(self, wait: _Wait) -> _Step:
        if SHIFT.now() >= wait.due or not SHIFT.is_on:
            return _Step.GO
        if self._first() is not wait:
            self._watch()
            return _Step.SLEEP
        if self._others_act(wait.waker.worker):
            return _Step.YIELD
        if not self._others.are_settled:
            return _Step.SETTLE
        SHIFT.forward(wait.due - SHIFT.now())
        return _Step.GO

    def _exit(self, wait: _Wait) -> None:
        """Take a waiter off the agenda: it goes on, or was cancelled."""
        with self._lock:
            wait.is_listed = False
            self._wake_first()

    def _first(self) -> _Wait | None:
        while self._waits and not self._waits[0][2].is_listed:
            heapq.heappop(self._waits)
        return self._waits[0][2] if self._waits else None

    def _wake_first(self) -> None:
        first = self._first()
        if first is not None:
            first.waker.wake()

    # --- the others, who may come before a waiter ---

    def _others_act(self, worker: Worker) -> bool:
        if worker.task is None:  # Tasks of this thread cannot act while the thread itself waits.
            return any(other.thread != worker.thread for other in self._acting)
        return bool(self._acting)

    def _give_up(self) -> None:
        with self._lock:
            self._acting.clear()

    def _others_are_busy(self) -> bool:
        with self._lock:
            threads = {worker.thread for worker in self._acting}
        return any(map(is_busy, threads - {threading.get_ident()}))

    def _yield(self, waker: ThreadWaker) -> None:
        for number in range(1, GRACE * GRACES + 1):
            if waker.wait(SLICE):
                return
            if number % GRACE == 0 and not self._others_are_busy():
                break
        self._give_up()

    async def _yield_async(self, wait: _Wait, waker: AsyncWaker) -> None:
        graces, turns, until = 0, 0, real() + GRACE * SLICE
        while self._step(wait) is _Step.YIELD:
            turns += 1
            if real() > until and turns > TURNS_OF_GRACE:
                graces, turns, until = graces + 1, 0, real() + GRACE * SLICE
                if graces == GRACES or not self._others_are_busy():
                    self._give_up()
            await waker.let_others()

    def _watch(self) -> None:
        """Start the thread that passes over a first waiter that cannot act, so that it never holds up the others."""
        if not self._watched:
            self._watched = True
            threading.Thread(target=self._pass_over, name="llmtrace agenda", daemon=True).start()

    def _pass_over(self) -> None:
        before: tuple[_Wait | None, int] = None, 0
        pause = threading.Event()
        while self._look_at_first(*before):
            with self._lock:
                first = self._first()
                before = first, first.looks if first else 0
            pause.wait(PATIENCE)

    def _look_at_first(self, before: _Wait | None, looks: int) -> bool:
        """Pass over the first waiter if it has not looked since the last look at it; tell whether anybody waits."""
        with self._lock:
            first = self._first()
            if first is not None and first is before and first.looks == looks:
                first.is_listed = False
                self._wake_first()
            self._watched = bool(self._waits) and SHIFT.is_on
            return self._watched


AGENDA = Agenda()
"""The agenda of this process: there is only one, as there is one shift."""
