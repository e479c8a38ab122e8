"""Send what is in a spool, within a budget of time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.export._answers import MALFORMED, Answer, Fate
from pytest_llmtrace.export._destination import Destination
from pytest_llmtrace.export._otlp import as_bytes
from pytest_llmtrace.export._outcome import Outcome
from pytest_llmtrace.export._protobuf import request
from pytest_llmtrace.export._sending import encoded, post
from pytest_llmtrace.export._spool import Batch, Kept, Key, Spool, keys_of, only

__all__ = ["Push"]

_ATTEMPTS: Final = 4
_PAUSE: Final = 0.1
"""Seconds before the second attempt; twice as long before each further one."""
_SHORTEST: Final = 0.05
"""Seconds that a request has at least."""
_PATIENCE: Final = 2
"""How many requests without an answer that says something are enough."""


class Push:
    """Sends spans to one destination.

    Args:
        destination: Where to.
        spool: Where they are.
        budget: Seconds until it stops.
        tell: Called after each request with what was done so far.
        now: The time in seconds, from anywhere on.
        sleep: Waits.
    """

    def __init__(
        self,
        destination: Destination,
        spool: Spool,
        *,
        budget: float,
        tell: Callable[[Outcome], None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._destination = destination
        self._spool = spool
        self._tell = tell
        self._now = now
        self._sleep = sleep
        self._budget = budget
        self._deadline = now() + budget
        self._unanswered = 0
        self._claimed = Batch(())
        self.outcome = Outcome()

    def run(self, run: str = "") -> Outcome:
        """Send what waits, of one run or all. What was not accepted stays, and what may have arrived stays apart."""
        for batch in self._spool.claim(run):
            self._claimed = batch
            if self._left() <= 0:
                batch.release()
                self.outcome.problems[f"the budget of {self._budget:g} s was spent"] = None
                break
            answer = self._send(batch)
            if answer.is_final or self._unanswered >= _PATIENCE:
                break
        return self.outcome

    def resolve(self, present: Callable[[list[dict[str, Any]]], set[str] | None]) -> bool:
        """Find out what became of what was under way, and make what did not arrive wait again.

        Args:
            present: Returns the keys of those spans of a test that the back end has; None if it does not tell.

        Returns:
            Whether the back end has told.
        """
        for kept in self._sound(self._spool.claim_doubtful()):
            arrived = self._arrived(kept, present)
            if arrived is None:
                Batch((kept,)).doubt()
                return False
            left = kept.without(arrived)
            self.outcome.arrived += kept.spans - (left.spans if left else 0)
            if left:
                Batch((left,)).release()
        return True

    def _arrived(self, kept: Kept, present: Callable[[list[dict[str, Any]]], set[str] | None]) -> list[Key] | None:
        """Return which spans of a file the back end has; None if it does not tell."""
        arrived: list[Key] = []
        for number, test in enumerate(kept.tests()):
            kept.hold(self._destination.timeout)
            there = present(test) if test and self._left() > 0 else None
            if test and there is None:
                return None
            arrived += [(number, key) for key in there or ()]
        return arrived

    def _send(self, batch: Batch) -> Answer:
        """Send a batch, in parts if it is too large, and put away what is to be sent again."""
        try:
            answer = self._posted(batch.body())
        except MALFORMED as error:  # Before anything was sent.
            answer = Answer(fate=Fate.REFUSED, why=f"they cannot be written as it wants them: {error!r}")
        except BaseException:  # Whoever interrupts it does not know what has arrived.
            batch.doubt()
            raise
        if answer.is_too_large and batch.spans > 1:
            return self._send_parts(batch)
        if answer.fate is Fate.REFUSED and not answer.is_final:
            sound = tuple(self._sound(batch.files))
            if len(sound) < len(batch.files):
                return self._send(Batch(sound)) if sound else answer
        self._count(batch.spans, answer)
        if answer.fate is Fate.ACCEPTED:
            batch.remove()
            batch = Batch(())
        self._put_away(batch, answer)
        return answer

    def _sound(self, files: Iterable[Kept]) -> Iterator[Kept]:
        """Yield the files that can be read; others would keep these waiting for ever, and are put aside."""
        for kept in files:
            if _is_sound(kept):
                yield kept
            else:
                self.outcome.damaged[str(kept.set_aside())] = None

    def _send_parts(self, batch: Batch) -> Answer:
        if len(batch.files) == 1:
            return self._send_spans(batch.files[0])
        middle = len(batch.files) // 2
        first, second = Batch(batch.files[:middle]), Batch(batch.files[middle:])
        try:
            answer = self._send(first)
        except BaseException:
            second.release()
            raise
        if answer.is_final or self._unanswered >= _PATIENCE:
            second.release()
            return answer
        return self._send(second)

    def _send_spans(self, kept: Kept) -> Answer:
        """Send a file that is too large as a whole in ever smaller parts; what is accepted is taken out of it."""
        try:
            left, answer = self._parts_sent(kept)
        except BaseException:  # Whoever interrupts it, or a full disk: what has arrived may be in it still.
            Batch((kept,)).doubt()
            raise
        self._put_away(Batch((left,) if left else ()), answer)
        return answer

    def _parts_sent(self, kept: Kept) -> tuple[Kept | None, Answer]:
        """Send the parts; return what is left of the file, and the last answer."""
        tests = kept.tests()
        left: Kept | None = kept
        parts = _halves(keys_of(tests))
        while parts:
            part = parts.pop()
            resources = list(itertools.chain.from_iterable(only(tests, set(part))))
            answer = self._posted(as_bytes({"resourceSpans": resources}))
            if answer.is_too_large and len(part) > 1:
                parts += _halves(part)
                continue
            self._count(len(part), answer)
            if answer.fate is Fate.ACCEPTED and left is not None:
                left = left.without(part)
            elif answer.is_final or answer.fate is Fate.UNKNOWN:
                break
        return left, answer

    def _count(self, spans: int, answer: Answer) -> None:
        """Count an answer to a request."""
        found = self.outcome
        if answer.fate is not Fate.ACCEPTED:
            found.problems[answer.why] = None
            return
        rejected = min(answer.rejected, spans)
        found.sent += spans - rejected
        if rejected:
            found.rejected[answer.why] = found.rejected.get(answer.why, 0) + rejected

    def _put_away(self, batch: Batch, answer: Answer) -> None:
        """Let spans wait again, or put them aside if they may have arrived."""
        if answer.fate is Fate.UNKNOWN:
            self._unanswered += 1
            batch.doubt()
        else:
            self._unanswered = 0
            batch.release()
        self._tell(self.outcome)

    def _posted(self, body: bytes) -> Answer:
        """Post a request, again and again while the back end wants it later or cannot be reached."""
        to = self._destination
        content = encoded(to, body)
        for attempt in itertools.count(1):
            timeout = min(to.timeout, max(self._left(), _SHORTEST))
            self._claimed.hold(timeout)
            answer = post(to, content, timeout=timeout)
            if answer.fate is not Fate.LATER:
                return answer
            pause = max(answer.wait or 0, _PAUSE * 2 ** (attempt - 1))
            if pause >= self._left():
                asked = f", and asks to wait {answer.wait:.0f} s" if answer.wait else ""
                return replace(answer, why=f"{answer.why}{asked}", is_final=True)
            if answer.wait is None and attempt == _ATTEMPTS:
                return replace(answer, is_final=True)
            self._claimed.hold(pause)
            self._sleep(pause)
        raise AssertionError("attempts have no end")

    def _left(self) -> float:
        return self._deadline - self._now()


def _is_sound(kept: Kept) -> bool:
    """Tell whether a file is what was written: lines that make a request."""
    try:
        keys_of(kept.tests())
        request(json.loads(Batch((kept,)).body())["resourceSpans"])
    except MALFORMED:
        return False
    return True


def _halves(keys: list[Key]) -> list[list[Key]]:
    """Part a list in two, the second half first, as a stack wants it; there is none of no length."""
    middle = (len(keys) + 1) // 2
    return [half for half in (keys[middle:], keys[:middle]) if half]
