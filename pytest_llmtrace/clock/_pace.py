"""How what was recorded takes its time: not at all, on the virtual clock, or for real."""

from __future__ import annotations

from time import sleep
from typing import Protocol

from pytest_llmtrace.clock._agenda import AGENDA
from pytest_llmtrace.clock._shift import SHIFT
from pytest_llmtrace.clock._timing import Timing

__all__ = ["Pace", "pace"]


class Pace(Protocol):
    """How to wait, in a thread or in a task. Moments are readings of `clock.now`."""

    @property
    def takes_time(self) -> bool:
        """Whether waiting takes any time, real or virtual."""

    def begin(self) -> None:
        """Say that the running code begins with something that it will wait for."""

    def leave(self) -> None:
        """Say that it is done with it."""

    def wait(self, due: float) -> None:
        """Wait until a moment."""

    async def wait_async(self, due: float) -> None:
        """Wait until a moment; may be cancelled."""


class _Instant:
    """Nothing is waited for."""

    takes_time = False

    def begin(self) -> None: ...

    def leave(self) -> None: ...

    def wait(self, due: float) -> None: ...

    async def wait_async(self, due: float) -> None:  # noqa: ARG002
        from anyio.lowlevel import checkpoint  # Whoever has an async client has anyio.

        await checkpoint()


class _Recorded:
    """Virtual time is waited for, while there is any."""

    @property
    def takes_time(self) -> bool:
        return SHIFT.is_on

    def begin(self) -> None:
        if SHIFT.is_on:
            AGENDA.begin()

    def leave(self) -> None:
        if SHIFT.is_on:
            AGENDA.leave()

    def wait(self, due: float) -> None:
        if SHIFT.is_on:
            AGENDA.wait(due)

    async def wait_async(self, due: float) -> None:
        if SHIFT.is_on:
            await AGENDA.wait_async(due)


class _Real:
    """Real time is waited for."""

    takes_time = True

    def begin(self) -> None: ...

    def leave(self) -> None: ...

    def wait(self, due: float) -> None:
        sleep(max(0.0, due - SHIFT.now()))

    async def wait_async(self, due: float) -> None:
        from anyio import sleep

        await sleep(max(0.0, due - SHIFT.now()))


_PACES: dict[Timing, Pace] = {"instant": _Instant(), "recorded": _Recorded(), "real": _Real()}


def pace(timing: Timing) -> Pace:
    """Return how that timing waits."""
    return _PACES[timing]
