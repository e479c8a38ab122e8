"""Answer requests from a cassette, each recording once, and say why none fits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pytest_llmtrace import clock
from pytest_llmtrace._lines import counted
from pytest_llmtrace.model import Answer, Cassette, Recording, Request, Response
from pytest_llmtrace.replay import scrub
from pytest_llmtrace.replay.canonical import Compared
from pytest_llmtrace.replay.cassette import default_label
from pytest_llmtrace.replay.differ import count_of, differences
from pytest_llmtrace.replay.hook_request import HookRequest
from pytest_llmtrace.replay.match import Entry, Index, index_of, verdict
from pytest_llmtrace.replay.settings import AS_VCRPY, ReplaySettings

__all__ = ["Player", "Silence"]

COMPARED = 200
"""How many recordings are compared in full to find the nearest."""
_NO_RESPONSE = Response(status=0)


class Player:
    """Answers from a cassette: identical requests in recorded order, each recording once.

    Args:
        cassette: What to play.
        config: What `read_config` has read.
        test: Who plays it, as recordings name tests; empty outside pytest.
        is_gone: Tells whether a test of such a name is no more; None outside pytest.
    """

    def __init__(
        self,
        cassette: Cassette,
        *,
        config: ReplaySettings = AS_VCRPY,
        test: str = "",
        is_gone: Callable[[str], bool] | None = None,
    ) -> None:
        self.cassette = cassette
        self._test = test
        self._is_gone = is_gone
        self._settings = config
        self._index = index_of(cassette.recordings, config)
        self._lock = threading.RLock()
        self._plays: Counter[int] = Counter()
        self._next: dict[int, int] = {}  # by the first recording of a bucket

    @property
    def origin(self) -> str:
        """The cassette, as reports name it."""
        return self.cassette.label

    @property
    def total(self) -> int:
        """The number of recordings that can answer, and that the test is to play."""
        return sum(entry.is_playable for entry in self._due())

    def answer(self, request: Request) -> Answer | None:
        """Return the next recording of a request and count it as played, None if there is none."""
        sent = self._index.compared(request)
        if sent is None:
            return None
        with self._lock:
            entry = self._choose(sent)
            if entry is None:
                return None
            self._plays[entry.recording.index] += 1
        return Answer(
            response=entry.recording.response or _NO_RESPONSE,
            origin=f"{self.cassette.label}, interaction {entry.recording.index}",
            failure=entry.recording.failure,
        )

    @property
    def has_played(self) -> bool:
        """Whether it has answered anything."""
        return bool(self._plays)

    def unplayed(self) -> tuple[Recording, ...]:
        """Return the recordings that the test was to play and did not, in recorded order."""
        with self._lock:
            return tuple(entry.recording for entry in self._due() if self._is_waiting(entry))

    def _due(self) -> Sequence[Entry]:
        """Return what the test is to play: what it has recorded, and all of a file that does not say who has.

        One that the file does not name asks the same as others, or nothing. Or it has another name now: if the file was
        one test's that is no more, it is this one's.
        """
        entries = self._index.entries
        tests = {entry.recording.test for entry in entries}
        if self._test in tests:
            return [entry for entry in entries if entry.recording.test == self._test]
        if tests == {""} or (len(tests) == 1 and self._plays and self._is_heir_of(*tests)):
            return entries
        unnamed = [entry for entry in entries if not entry.recording.test]
        return () if all(map(self._is_waiting, unnamed)) else unnamed

    def _is_heir_of(self, test: str) -> bool:
        return self._is_gone is None or self._is_gone(test)

    def gone(self) -> Iterator[tuple[str, int]]:
        """Name the tests that have recorded a part of it and are no more, each with the number of its recordings."""
        if self._is_gone is not None and self._plays:
            tests = Counter(entry.recording.test for entry in self._index.entries if entry.recording.test)
            yield from ((test, number) for test, number in tests.items() if test != self._test and self._is_gone(test))

    def untimed(self) -> tuple[str, ...]:
        """Say of the recordings that were played and do not tell when their chunks came why not, in recorded order."""
        with self._lock:
            played = [entry.recording for entry in self._index.entries if self._plays[entry.recording.index]]
        flaws = [
            (one.index, clock.flaw(one.response.offsets, len(one.response.chunks))) for one in played if one.response
        ]
        return tuple(f"interaction {index}: {flaw}" for index, flaw in flaws if flaw)

    def compares(self, request: Request) -> bool:
        """Tell whether the configuration lets a request be compared; what it drops is not recorded either."""
        return self._index.compared(request) is not None

    def explain(self, request: Request) -> str:
        """Name the nearest recording, those not yet played first, and each part that differs."""
        sent = self._index.compared(request)
        if sent is None:
            return "hook      the configuration (before_record_request, ignore_hosts) drops this request"
        with self._lock:
            return "\n".join([self._headline(), *_Explanation(self._index, self._plays, sent).lines()])

    def _choose(self, sent: Compared) -> Entry | None:
        for bucket in self._index.buckets(sent):
            if self._index.matchers:
                waiting = self._first(sent, filter(self._is_waiting, bucket))
            else:
                waiting = self._next_of(bucket)
            if waiting is not None:
                return waiting
        return self._last(sent) if self._settings.allow_repeats else None

    def _first(self, sent: Compared, entries: Iterable[Entry]) -> Entry | None:
        return next((entry for entry in entries if self._index.accepts(sent, entry)), None)

    def _last(self, sent: Compared) -> Entry | None:
        """Return the recording that is served again."""
        buckets = self._index.buckets(sent)
        found = (self._first(sent, (entry for entry in reversed(bucket) if entry.is_playable)) for bucket in buckets)
        return next((entry for entry in found if entry is not None), None)

    def _next_of(self, bucket: list[Entry]) -> Entry | None:
        first = bucket[0].recording.index
        for position in range(self._next.get(first, 0), len(bucket)):
            self._next[first] = position + 1
            if bucket[position].is_playable:
                return bucket[position]
        return None

    def _is_waiting(self, entry: Entry) -> bool:
        return entry.is_playable and not self._plays[entry.recording.index]

    def _headline(self) -> str:
        entries = self._index.entries
        waiting = sum(map(self._is_waiting, entries))
        return f"cassette  {self.cassette.label}: {counted(len(entries), 'interaction')}, {waiting} not yet played"


class _Explanation:
    """The nearest recordings to one request."""

    def __init__(self, index: Index, plays: Counter[int], sent: Compared) -> None:
        self.index = index
        self.plays = plays
        self.sent = sent

    def lines(self) -> list[str]:
        """Return the twin that was played or has no reply, then the nearest that still waits, then the nearest."""
        twin = self.twin()
        others = [entry for entry in self.index.entries if self.waits(entry)]
        if twin is not None:
            nearest = self.nearest(others)
            unplayed = [] if nearest is None else [f"unplayed  {self.named(nearest)}", *self.differing(nearest)]
            return [f"nearest   {self.named(twin)}{self.state(twin)}", *unplayed]
        nearest = self.nearest(others) or self.nearest(list(self.index.entries))
        if nearest is None:
            return []
        return [f"nearest   {self.named(nearest)}{self.state(nearest)}", *self.differing(nearest)]

    def waits(self, entry: Entry) -> bool:
        return entry.is_playable and not self.plays[entry.recording.index]

    def twin(self) -> Entry | None:
        """Return the last recording of this very request."""
        for bucket in self.index.buckets(self.sent):
            fitting = [entry for entry in bucket if self.index.accepts(self.sent, entry)]
            if fitting:
                return fitting[-1]
        return None

    def nearest(self, entries: list[Entry]) -> Entry | None:
        """Return the recording with the most equal parts of the address, and among those the most equal body."""
        scores = [self.score(entry) for entry in entries]
        top = max(scores, default=0)
        best = [entry for entry, score in zip(entries, scores, strict=True) if score == top][:COMPARED]
        return min(best, key=self.count, default=None)

    def score(self, entry: Entry) -> int:
        weights = {"path": 8, "host": 4, "method": 2, "query": 1}
        recorded = self.index.recorded(entry.recording)
        return sum(weight for part, weight in weights.items() if recorded.part(part) == self.sent.part(part))

    def count(self, entry: Entry) -> int:
        recorded = self.index.recorded(entry.recording)
        return count_of(self.index.parts, recorded, self.sent, any_body=entry.recording.any_body)

    def differing(self, entry: Entry) -> list[str]:
        recorded = self.index.recorded(entry.recording)
        found = differences(self.index.parts, recorded, self.sent, any_body=entry.recording.any_body)
        if not found:
            shown = HookRequest(self.sent.request), HookRequest(entry.recording.request)
            for matcher in self.index.matchers:
                agrees, text = verdict(matcher, *shown)
                if not agrees:
                    name = getattr(matcher, "__name__", repr(matcher))
                    found.append(f"matcher {name}: {scrub.mask_text(text) or 'returned False'}")
        return [f"differs   {line}" for line in found]

    def named(self, entry: Entry) -> str:
        request = entry.recording.request
        url = scrub.mask_url(request.url, self.index.settings.filter_query)
        return f"{request.method} {url}  (interaction {entry.recording.index})"

    def state(self, entry: Entry) -> str:
        if not entry.is_playable:
            return ", recorded without a reply"
        if not self.plays[entry.recording.index]:
            return ""
        recorded = self.index.recorded(entry.recording)
        same = [other for bucket in self.index.buckets(recorded) for other in bucket if other.is_playable]
        played = sum(1 for other in same if self.plays[other.recording.index])
        return f", already played {played} of {len(same)}"


class Silence:
    """Answers nothing.

    Args:
        why: Why there is nobody who could.
        default: The default cassette that would have been used if it existed.
    """

    def __init__(
        self,
        why: str = "nothing   no cassette, gateway or router is active here",
        *,
        default: Path | str | None = None,
    ) -> None:
        self._why = why
        self._default = default

    def answer(self, request: Request) -> Answer | None:
        """Return None."""

    def explain(self, request: Request) -> str:  # noqa: ARG002
        """Say that nothing is set up to answer."""
        if self._default is None:
            return self._why
        label = default_label(self._default)
        return f"{self._why}\ndefault   there is no {label}; --llmtrace-record=once records it"
