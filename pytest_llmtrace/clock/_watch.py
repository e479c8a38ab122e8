"""How long a trace lasts, by the clocks of the code under test."""

from __future__ import annotations

import time
from time import time_ns

from pytest_llmtrace.clock._functions import NAMES, is_clock
from pytest_llmtrace.clock._shift import SHIFT

__all__ = ["Watch"]


class Watch:
    """Measures from its making on.

    Attributes:
        opened_ns: The time of day then, in nanoseconds since the epoch, as the code under test had it.
    """

    def __init__(self) -> None:
        self.opened_ns = time_ns()
        self._opened = SHIFT.passed

    @property
    def seconds(self) -> float:
        """How long it is since, virtual time included; 0 if somebody has put another clock in the place of Python's."""
        if not all(is_clock(getattr(time, name)) for name in (*NAMES, "time", "time_ns")):
            return 0.0
        return SHIFT.passed - self._opened
