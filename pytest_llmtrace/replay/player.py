"""Answer requests from a cassette, playing each recording once, and say why no recording fits a request."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pytest_llmtrace import clock
from pytest_llmtrace._lines import counted
from pytest_llmtrace.model import LEFT, Answer, Cassette, Recording, Request, Response
from pytest_llmtrace.replay import scrub
from pytest_llmtrace.replay.canonical import Compared
from pytest_llmtrace.replay.cassette import default_label
from pytest_llmtrace.replay.differ import count_of, differences
from pytest_llmtrace.replay.hook_request import HookRequest
from pytest_llmtrace.replay.hooks import filtered
from pytest_llmtrace.replay.match import Entry, Index, index_of, verdict
from pytest_llmtrace.replay.settings import AS_VCRPY, ReplaySettings

__all__ = ["Player", "Silence"]

COMPARED = 200
"""At most this many recordings, all with the most similar address, are compared in full to find the nearest one."""
_NO_RESPONSE = Response(status=0)


class Player:
    """The player of one cassette: it answers identical requests in recorded order, with each recording once.

    Args:
        cassette: The cassette to play.
        config: The settings that `read_config` returned.
        test: The test that plays the cassette, named as in `Recording.test`; empty outside pytest.
        is_gone: Tells whether the test of a given name no longer exists; None outside pytest.
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
        self._next: dict[int, int] = {}  # The position to go on from, by the index of a bucket's first recording.

    @property
    def origin(self) -> str:
        """The name of the cassette in reports."""
        return self.cassette.label

    @property
    def total(self) -> int:
        """The number of recordings that this test has to play, without those that have neither reply nor failure."""
        return sum(entry.is_playable for entry in self._due())

    def answer(self, request: Request) -> Answer | None:
        """Return the next recorded answer to a request and count it as played; None if no recording fits."""
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
        """Whether this player has answered any request."""
        return bool(self._plays)

    def unplayed(self) -> tuple[Recording, ...]:
        """Return the recordings that the test had to play and did not, in recorded order.

        A request that was cancelled before any reply may be cancelled before it is made: replay changes the times.
        """
        with self._lock:
            waiting = [entry.recording for entry in self._due() if self._is_waiting(entry)]
        return tuple(one for one in waiting if one.response is not None or one.failure not in LEFT)

    def _due(self) -> Sequence[Entry]:
        """Return the entries that this test has to play: its own, or all of them if the file names no tests.

        A file may name other tests, but not this one. Then this test sends the same requests as one of them, or none:
        only entries without a test's name are due, and only if one of them was played. Or this test was renamed: if all
        entries belong to one test that no longer exists, they are due once one of them was played.
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
        """Yield the tests that recorded parts of the cassette and no longer exist, with their numbers of recordings."""
        if self._is_gone is not None and self._plays:
            tests = Counter(entry.recording.test for entry in self._index.entries if entry.recording.test)
            yield from ((test, number) for test, number in tests.items() if test != self._test and self._is_gone(test))

    def untimed(self) -> tuple[str, ...]:
        """Say, for each played recording without usable chunk times, what is wrong with these, in recorded order."""
        with self._lock:
            played = [entry.recording for entry in self._index.entries if self._plays[entry.recording.index]]
        flaws = [
            (one.index, clock.flaw(one.response.offsets, len(one.response.chunks))) for one in played if one.response
        ]
        return tuple(f"interaction {index}: {flaw}" for index, flaw in flaws if flaw)

    def compares(self, request: Request) -> bool:
        """Tell whether the configuration keeps a request; one that it drops is neither answered nor recorded."""
        return self._index.compared(request) is not None

    def explain(self, request: Request) -> str:
        """Return lines that name the nearest recording, preferably one not yet played, and each part that differs."""
        sent = self._index.compared(request)
        if sent is None:
            return _DROPPED
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
        """Return the last recording of a request, which is served again (`allow_repeats`)."""
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
    """The lines of an error text about the recordings that are nearest to one request."""

    def __init__(self, index: Index, plays: Counter[int], sent: Compared) -> None:
        self.index = index
        self.plays = plays
        self.sent = sent

    def lines(self) -> list[str]:
        """Return the lines for the request's twin and the nearest unplayed recording, or for the nearest recording.

        A twin is a recording of this very request; it did not answer since it was played already, or has no reply. If
        there is none, the nearest unplayed recording is named, or the nearest of all if none is left unplayed.
        """
        twin = self.twin()
        others = [entry for entry in self.index.entries if self.waits(entry)]
        if twin is not None:
            nearest = self.nearest(others)
            unplayed = [] if nearest is None else [f"unplayed  {self.named(nearest)}", *self.differing(nearest)]
            again = ["repeat    allow_playback_repeats in vcr_config plays it again"] if twin.is_playable else []
            return [f"nearest   {self.named(twin)}{self.state(twin)}", *again, *unplayed]
        nearest = self.nearest(others) or self.nearest(list(self.index.entries))
        if nearest is None:
            return []
        return [f"nearest   {self.named(nearest)}{self.state(nearest)}", *self.differing(nearest)]

    def waits(self, entry: Entry) -> bool:
        return entry.is_playable and not self.plays[entry.recording.index]

    def twin(self) -> Entry | None:
        """Return the last recording of this very request; None if there is none."""
        for bucket in self.index.buckets(self.sent):
            fitting = [entry for entry in bucket if self.index.accepts(self.sent, entry)]
            if fitting:
                return fitting[-1]
        return None

    def nearest(self, entries: list[Entry]) -> Entry | None:
        """Return the recording whose address is most similar and, among equals, the one with the fewest differences."""
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


_DROPPED = "hook      the configuration (before_record_request, ignore_hosts) drops this request"


class Silence:
    """The answerer where nothing is set up to answer: it refuses every request and says why.

    Args:
        why: The line of the error text that says why nothing can answer.
        default: The default cassette that would have been used if it existed.
        settings: The configuration, which may drop requests: they would not be recorded either.
    """

    def __init__(
        self,
        why: str = "nothing   no cassette, gateway or router is active here",
        *,
        default: Path | str | None = None,
        settings: ReplaySettings = AS_VCRPY,
    ) -> None:
        self._why = why
        self._default = default
        self._settings = settings

    def answer(self, request: Request) -> Answer | None:
        """Return None."""

    def explain(self, request: Request) -> str:
        """Return `why`, and the default cassette that does not exist yet, if there is one."""
        if self._default is None:
            return self._why
        if filtered(request, self._settings) is None:
            return f"{self._why}\n{_DROPPED}"
        label = default_label(self._default)
        return f"{self._why}\ndefault   there is no {label}; --llmtrace-record=once records it"
