"""The timing that a test asks for, and the clock that it holds."""

from __future__ import annotations

import datetime as dt
import time
from typing import Literal, get_args

from pytest_llmtrace._argtypes import is_finite_number
from pytest_llmtrace.clock._agenda import AGENDA
from pytest_llmtrace.clock._shift import SHIFT, time_machine
from pytest_llmtrace.errors import UsageError

__all__ = ["Clock", "Timing", "refuse_timing"]

Timing = Literal["instant", "recorded", "real"]
_LAST = dt.datetime.max.replace(tzinfo=dt.UTC).timestamp() - 86_400  # In every time zone.
_TIMINGS: tuple[Timing, ...] = get_args(Timing)


def refuse_timing(timing: object) -> None:
    """Refuse a timing that is not known, or that needs a package that is not installed.

    Raises:
        UsageError: If the timing is one of these.
    """
    if timing not in _TIMINGS:
        raise UsageError.unknown("value of timing=", timing, _TIMINGS)
    if timing == "recorded":
        time_machine()


class Clock:
    """The clock of a test. With `timing="recorded"` it is virtual: replies move it, and so does `advance`.

    Args:
        timing: The timing that the test asks for: `instant`, `recorded` or `real`.

    Attributes:
        obstacle: Why virtual time could not begin, in words; None if it could, or was not asked to.

    Raises:
        UsageError: If the timing is not known, or needs a package that is not installed.
    """

    def __init__(self, timing: Timing) -> None:
        refuse_timing(timing)
        self._timing = timing
        self._runs = False
        self.obstacle: str | None = None

    def __repr__(self) -> str:
        return f"Clock({self._timing!r})"

    @property
    def elapsed(self) -> float:
        """Seconds of virtual time since the test began.

        Raises:
            UsageError: If there is no virtual time.
        """
        self._refuse_unless_virtual("elapsed")
        return SHIFT.now() - (SHIFT.began or 0.0)

    def now(self) -> dt.datetime:
        """Return the time of day as the code under test sees it, in UTC."""
        return dt.datetime.now(dt.UTC)

    def time(self) -> float:
        """Return the time of day as the code under test sees it, in seconds since the epoch."""
        return time.time()

    def perf_counter(self) -> float:
        """Return the reading of `time.perf_counter` that the code under test sees."""
        return SHIFT.now()

    def advance(self, seconds: float) -> None:
        """Let virtual time pass.

        Raises:
            UsageError: If there is no virtual time, or `seconds` is negative, not finite, or too large for a date.
        """
        self._refuse_unless_virtual("advance()")
        if not is_finite_number(seconds) or seconds < 0:
            raise UsageError(f"clock.advance() takes a number of seconds, 0 or more, got {seconds!r}")
        if self.time() + seconds > _LAST:
            raise UsageError(f"clock.advance({seconds!r}) leads beyond the year 9999, where Python's dates end")
        SHIFT.forward(float(seconds))
        AGENDA.moved()

    def start(self) -> None:
        """Begin virtual time, if the test asks for it. Called by the code that runs the test, not by the test."""
        if self._timing == "recorded" and not self._runs:
            self.obstacle = SHIFT.begin()
            self._runs = self.obstacle is None

    def stop(self) -> None:
        """End virtual time: real time is back, and no wait goes on."""
        if self._runs:
            self._runs = False
            if SHIFT.end():
                AGENDA.moved()

    def _refuse_unless_virtual(self, what: str) -> None:
        if self._timing != "recorded":
            raise UsageError(
                f'clock.{what} needs virtual time, which timing="recorded" switches on; here timing is {self._timing!r}'
            )
        if not self._runs:
            why = self.obstacle or "it is on only while the test itself, or the block, runs, and not in fixtures"
            raise UsageError(f"clock.{what} needs virtual time, which is off: {why}")
