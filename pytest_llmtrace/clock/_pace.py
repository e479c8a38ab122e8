"""How replies and pauses take the time that was recorded: not at all, on the virtual clock, or for real."""

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
        """Note that the running code begins something that it will wait for."""

    def leave(self) -> None:
        """Note that the running code is done with what it has begun."""

    def wait(self, due: float) -> None:
        """Wait until a moment."""

    async def wait_async(self, due: float) -> None:
        """Wait until a moment, in a task; the wait may be cancelled."""


class _Instant:
    """The pace of "instant": nothing is waited for."""

    takes_time = False

    def begin(self) -> None: ...

    def leave(self) -> None: ...

    def wait(self, due: float) -> None: ...

    async def wait_async(self, due: float) -> None:  # noqa: ARG002
        from anyio.lowlevel import checkpoint  # Every async client of the SDKs brings anyio.

        await checkpoint()


class _Recorded:
    """The pace of "recorded": virtual time is waited for; nothing is waited for while virtual time is off."""

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
    """The pace of "real": real time is waited for."""

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
    """Return the pace of a timing."""
    return _PACES[timing]
