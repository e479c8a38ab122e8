"""When the chunks of an answer are due, and when their client has waited too long for one."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from pytest_llmtrace import clock
from pytest_llmtrace.intercept._passage import Passage
from pytest_llmtrace.model import Answer

__all__ = ["Timetable", "timetable"]


class Timetable:
    """The moments at which the chunks of one answer are due.

    Args:
        passage: The request. Offsets count from it, and it says for how long its client waits for a chunk.
        offsets: Seconds from the request, one a chunk, ascending.
        pace: How to wait.
        timed_out: What its client raises when it has waited too long.
    """

    def __init__(
        self, passage: Passage, offsets: Sequence[float], pace: clock.Pace, timed_out: type[Exception]
    ) -> None:
        self._passage = passage
        self._offsets = offsets
        self._pace = pace
        self._timed_out = timed_out
        self._reached = passage.began
        pace.begin()

    def wait(self, chunk: int) -> None:
        """Wait until a chunk is due.

        Raises:
            Exception: The library's `ReadTimeout`: it is due later than its client waits.
        """
        due, error = self._next(chunk)
        self._pace.wait(due)
        if error is not None:
            raise error

    async def wait_async(self, chunk: int) -> None:
        """Do the same in a task."""
        due, error = self._next(chunk)
        await self._pace.wait_async(due)
        if error is not None:
            raise error

    def leave(self) -> None:
        """Say that no further chunk will be asked for."""
        self._pace.leave()

    def _next(self, chunk: int) -> tuple[float, Exception | None]:
        due = self._passage.began + self._offsets[chunk]
        # Where nothing takes time, a chunk is asked for at the moment at which the one before it was due.
        asked = clock.now() if self._pace.takes_time else self._reached
        self._reached = due
        patience = self._passage.patience
        if patience is None or due - asked <= patience:
            return due, None
        text = f"no bytes for {patience:g} s, where the next ones come after {self._offsets[chunk]:g} s"
        return asked + patience, self._timed_out(text)


def timetable(library: ModuleType, passage: Passage, answer: Answer) -> Timetable | None:
    """Return the timetable of an answer; None if its chunks are handed out at once."""
    offsets, pace = answer.response.offsets, passage.ledger.pace
    if not offsets or not (pace.takes_time or answer.stalls):
        return None
    if clock.flaw(offsets, len(answer.response.chunks)) is not None:
        return None  # replay/timing says so.
    passage.timed = pace.takes_time
    return Timetable(passage, offsets, pace, library.ReadTimeout)
