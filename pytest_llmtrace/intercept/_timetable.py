"""When the chunks of an answer are due, and when their client has waited too long for one."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from pytest_llmtrace import clock
from pytest_llmtrace.intercept._passage import Passage
from pytest_llmtrace.model import Answer, Failure

__all__ = ["Timetable", "timetable"]


class Timetable:
    """The moments at which the chunks of one answer are due.

    Args:
        passage: The request. Offsets count from it, and it says for how long its client waits for a chunk.
        offsets: Seconds from the request for each chunk, ascending.
        pace: How to wait.
        timed_out: The exception that its client raises when it has waited too long.
        end: The exception that its client raises after the last chunk, when it waits for one that never comes; None if
            the body ends with its last chunk.
    """

    def __init__(
        self,
        passage: Passage,
        offsets: Sequence[float],
        pace: clock.Pace,
        timed_out: type[Exception],
        end: Exception | None,
    ) -> None:
        self._passage = passage
        self._offsets = offsets
        self._pace = pace
        self._timed_out = timed_out
        self._end = end
        self._reached = passage.began
        pace.begin()

    @property
    def breaks_off(self) -> bool:
        """Whether the client waits, after the last chunk, for a chunk that never comes."""
        return self._end is not None

    def wait(self, chunk: int) -> None:
        """Wait until a chunk is due; the number after the last chunk means the one that never comes.

        Raises:
            Exception: The library's `ReadTimeout`, if the chunk is due later than its client waits or never comes. The
                passage notes whatever ends a wait.
        """
        due, timed_out = self._next(chunk)
        try:
            self._pace.wait(due)
            if timed_out is not None:
                raise timed_out
        except BaseException as error:
            self._break_off(error)
            raise

    async def wait_async(self, chunk: int) -> None:
        """Do what `wait` does, in a task."""
        due, timed_out = self._next(chunk)
        try:
            await self._pace.wait_async(due)
            if timed_out is not None:
                raise timed_out
        except BaseException as error:
            self._break_off(error)
            raise

    def _break_off(self, error: BaseException) -> None:
        self.leave()
        self._passage.break_off(error)

    def leave(self) -> None:
        """Tell the pace that no more chunks will be asked for."""
        self._pace.leave()

    def _next(self, chunk: int) -> tuple[float, Exception | None]:
        if chunk == len(self._offsets):  # Without a read timeout it fails at once: the recorded wait is not known.
            return clock.now() + (self._passage.patience or 0.0), self._end
        due = self._passage.began + self._offsets[chunk]
        # If waiting takes no time, the client counts as asking for a chunk when the previous one was due.
        asked = clock.now() if self._pace.takes_time else self._reached
        self._reached = due
        patience = self._passage.patience
        if patience is None or due - asked <= patience:
            return due, None
        text = f"no bytes for {patience:g} s; the next ones come after {self._offsets[chunk]:g} s"
        return asked + patience, self._timed_out(text)


def timetable(library: ModuleType, passage: Passage, answer: Answer, failure: Exception | None) -> Timetable | None:
    """Return the timetable of an answer; None if its chunks, and its failure if it has any, come at once."""
    pace = passage.ledger.pace
    if not (pace.takes_time or answer.stalls):
        return None
    offsets, chunks = answer.response.offsets, len(answer.response.chunks)
    end = failure if answer.failure is Failure.READ_TIMEOUT and pace.takes_time else None
    if offsets and clock.flaw(offsets, chunks) is None:
        passage.timed = pace.takes_time
    elif end is not None:
        offsets = (0.0,) * chunks  # The chunks come at once, and the check replay/timing reports it.
    else:
        return None
    return Timetable(passage, offsets, pace, library.ReadTimeout, end)
