"""Send the spans in a spool, within a budget of time."""

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
"""Seconds that a request may take at least, even if less of the budget is left."""
_PATIENCE: Final = 2
"""After this many requests in a row that left the fate of their spans unknown, a push stops."""


class Push:
    """Sends spans to one destination.

    Args:
        destination: Where the spans are sent.
        spool: Where the spans are kept.
        budget: Seconds after which the push stops.
        tell: Called with the outcome so far, each time that a batch or a part of it is done with.
        now: Returns the time in seconds, counted from any moment.
        sleep: Waits for some seconds.
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
        """Send the waiting spans, of one run or all. Those not accepted stay, put aside if they may have arrived."""
        for batch in self._spool.claim(run):
            self._claimed = batch
            if self._left() <= 0:
                batch.release()
                self.outcome.problems[f"the budget of {self._budget:g} s was used up"] = None
                break
            answer = self._send(batch)
            if answer.is_final or self._unanswered >= _PATIENCE:
                break
        return self.outcome

    def resolve(self, present: Callable[[list[dict[str, Any]]], set[str] | None]) -> bool:
        """Find out what became of the spans in doubt, and let those that did not arrive wait again.

        Args:
            present: Returns the keys of those spans of a test that the back end has; `None` if it does not tell.

        Returns:
            Whether the back end has told about all of them.
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
        """Return which spans of a file the back end has; `None` if it does not tell, or the budget is spent."""
        arrived: list[Key] = []
        for number, test in enumerate(kept.tests()):
            kept.hold(self._destination.timeout)
            there = present(test) if test and self._left() > 0 else None
            if test and there is None:
                return None
            arrived += [(number, key) for key in there or ()]
        return arrived

    def _send(self, batch: Batch) -> Answer:
        """Send a batch, in parts if it is too large, and put back what was not accepted. Return the last answer."""
        try:
            answer = self._posted(batch.body())
        except MALFORMED as error:  # It is raised before anything was sent.
            answer = Answer(fate=Fate.REFUSED, why=f"they cannot be encoded for it: {error!r}")
        except BaseException:  # After an interruption it is unknown what has arrived.
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
        """Yield the files that can be read, and put the others aside, with which any request would be refused."""
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
        """Send a file that is too large for one request in ever smaller parts; accepted spans are taken out of it."""
        try:
            left, answer = self._parts_sent(kept)
        except BaseException:  # An interruption or a full disk: spans that have arrived may still be in the file.
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
        """Add the answer to a request to the outcome."""
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
        """Post a request, again while the back end wants it later or cannot be reached. Return the last answer."""
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
    """Tell whether the lines of a file still make a request, as they did when they were written."""
    try:
        keys_of(kept.tests())
        request(json.loads(Batch((kept,)).body())["resourceSpans"])
    except MALFORMED:
        return False
    return True


def _halves(keys: list[Key]) -> list[list[Key]]:
    """Return the halves of a list, the second one first, since the caller pops the last; an empty half is left out."""
    middle = (len(keys) + 1) // 2
    return [half for half in (keys[middle:], keys[:middle]) if half]
