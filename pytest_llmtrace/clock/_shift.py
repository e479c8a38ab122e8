"""The shift: time-machine moves wall time, functions of our own move the monotonic clocks. One for the process."""

from __future__ import annotations

import importlib
import threading
import time
from typing import Any

from pytest_llmtrace.clock._functions import REAL, Functions
from pytest_llmtrace.errors import UsageError

__all__ = ["SHIFT", "Shift", "now", "real", "time_machine"]

_FROZEN = "freezegun froze the time before this test began, and frozen time cannot be moved"


class Shift:
    """How far virtual time is ahead of real time; it begins at zero and only grows.

    Attributes:
        began: When virtual time began, by the real `perf_counter`; None while there is none.
    """

    def __init__(self) -> None:
        self._functions = Functions()
        self._real = REAL["perf_counter"]
        self._lock = threading.RLock()
        self._users = 0
        self._travel: Any = None
        self._traveller: Any = None
        self._moved = 0.0
        self.began: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether there is virtual time."""
        return self.began is not None

    @property
    def seconds(self) -> float:
        """Seconds by which virtual time is ahead."""
        return self._functions.shift

    def now(self) -> float:
        """Return the virtual reading of `perf_counter`: the real one while there is no virtual time."""
        return self._real() + self._functions.shift  # type: ignore[no-any-return]

    @property
    def passed(self) -> float:
        """Seconds since an arbitrary moment, real and virtual ones added; unlike virtual time it never goes back."""
        return self._real() + self._moved  # type: ignore[no-any-return]

    def begin(self) -> str | None:
        """Begin virtual time; it ends when everybody who has begun it has ended it.

        Returns:
            Why virtual time cannot begin, in words; None if it has begun.
        """
        with self._lock:
            if not self._users and (obstacle := self._depart()):
                return obstacle
            self._users += 1
        return None

    def end(self) -> bool:
        """End virtual time for one who has begun it, and tell whether it is over for all: real time is back."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._return()
            return not self._users

    def forward(self, seconds: float) -> None:
        """Move virtual time forward."""
        with self._lock:
            if self.is_on and seconds > 0:
                self._traveller.shift(seconds)
                self._functions.move(self._functions.shift + seconds)
                self._functions.keep()
                self._moved += seconds

    def _depart(self) -> str | None:
        machine = time_machine()
        self._travel = machine.travel(time.time(), tick=True)
        try:
            self._traveller = self._travel.start()
        except RuntimeError:  # time-machine cannot start when freezegun is active.
            return _FROZEN
        self._traveller.time_ns()  # The travel begins with the first look at its time.
        self._functions.replace()
        self.began = self.now()
        return None

    def _return(self) -> None:
        self.began = None
        self._functions.move(0.0)
        self._functions.restore()
        travellers = time_machine().traveller_stack
        if travellers[-1] is self._traveller:
            self._travel.stop()
        else:  # The test's own travel began after ours and is still on; `stop` ends the travel that began last.
            travellers.remove(self._traveller)
        self._travel = self._traveller = None


def real() -> float:
    """Return the real reading of `perf_counter`."""
    return float(REAL["perf_counter"]())


_EPOCH = time.time() - real()
"""The time of day when `perf_counter` was 0; taken as the plugin begins, before a test freezes anything."""


def wall_ns() -> int:
    """Return the real time in nanoseconds since the epoch, even if somebody has frozen the clocks."""
    return int((_EPOCH + real()) * 1e9)


def time_machine() -> Any:
    """Import time-machine and return it.

    Raises:
        UsageError: If it is not installed.
    """
    try:
        return importlib.import_module("time_machine")  # An extra.
    except ImportError:
        raise UsageError('timing="recorded" needs time-machine: pip install "pytest-llmtrace[timing]"') from None


SHIFT = Shift()
"""The shift of this process: there is only one, as there is one wall clock."""


now = SHIFT.now  # Bound directly, since it is called twice for each chunk.
