"""How long a trace lasts, by the clocks of the code under test."""

from __future__ import annotations

import time
from time import time_ns

from pytest_llmtrace.clock._functions import NAMES, is_clock
from pytest_llmtrace.clock._shift import SHIFT

__all__ = ["Watch"]


class Watch:
    """A stopwatch that runs from the moment at which it is made.

    Attributes:
        opened_ns: The time of day at that moment, in nanoseconds since the epoch, as the code under test saw it.
        opened_at: The reading of `time.perf_counter` at that moment, as the code under test saw it.
    """

    def __init__(self) -> None:
        self.opened_ns = time_ns()
        self.opened_at = SHIFT.now()
        self._opened = SHIFT.passed

    @property
    def seconds(self) -> float:
        """Seconds since it was made, virtual time included; 0 while somebody has replaced one of Python's clocks."""
        if not all(is_clock(getattr(time, name)) for name in (*NAMES, "time", "time_ns")):
            return 0.0
        return SHIFT.passed - self._opened
