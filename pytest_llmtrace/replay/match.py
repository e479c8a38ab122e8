"""Find the recordings of a request in constant time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from pytest_llmtrace.model import Recording, Request
from pytest_llmtrace.replay import scrub
from pytest_llmtrace.replay.canonical import Compared
from pytest_llmtrace.replay.hook_request import HookRequest
from pytest_llmtrace.replay.hooks import filtered, prepared
from pytest_llmtrace.replay.settings import ReplaySettings

__all__ = ["Entry", "Index", "index_of"]

_ANY_BODY = object()
_BODIES = frozenset({"body", "raw_body"})
KEPT = 32


class Entry:
    """A recording as it is compared."""

    __slots__ = ("compared", "recording")

    def __init__(self, recording: Recording, settings: ReplaySettings, *, scrubbed: bool = False) -> None:
        self.recording = recording
        self.compared = Compared(recording.request, settings, scrubbed=scrubbed)

    @property
    def is_playable(self) -> bool:
        """Whether there is something to answer with."""
        return self.recording.response is not None or self.recording.failure is not None


class Index:
    """The recordings of a cassette by the parts that `match_on` names. It never changes, so players share it.

    What `before_record_request` and its like drop is not in it, on either side. A recording whose body the file has
    dropped is found by its other parts, after those that match in full.
    """

    def __init__(self, recordings: tuple[Recording, ...], settings: ReplaySettings) -> None:
        self.recordings = recordings
        self.settings = settings
        self.parts = tuple(part for part in settings.match_on if isinstance(part, str))
        self.matchers = tuple(part for part in settings.match_on if not isinstance(part, str))
        kept = [one for recording in recordings if (one := prepared(recording, settings)) is not None]
        self._scrubbed = any(scrub.is_scrubbed(recording.request) for recording in kept)
        self.entries = tuple(Entry(recording, settings, scrubbed=self._scrubbed) for recording in kept)
        self._buckets: dict[Hashable, list[Entry]] = {}
        for entry in self.entries:
            self._buckets.setdefault(self.key(entry.compared, any_body=entry.recording.any_body), []).append(entry)
        # Most requests equal a recorded one byte for byte, so their JSON need not be read.
        with_body = [entry.compared for entry in self.entries if not entry.recording.any_body]
        self._body_keys = {one.request.body: one.body_key for one in with_body if "body" in self.parts}
        some_dropped = any(entry.recording.any_body for entry in self.entries) and not _BODIES.isdisjoint(self.parts)
        self._any_body = (False, True) if some_dropped else (False,)

    def compared(self, request: Request) -> Compared | None:
        """Return a request as it is compared, None if a hook of the user's drops it."""
        kept = filtered(request, self.settings)
        if kept is None:
            return None
        compared = Compared(kept, self.settings, scrubbed=self._scrubbed)
        if kept.body in self._body_keys:
            compared.body_key = self._body_keys[kept.body]
        return compared

    def key(self, compared: Compared, *, any_body: bool = False) -> Hashable:
        """Return the key of the bucket that a request belongs to."""
        return tuple(_ANY_BODY if any_body and part in _BODIES else compared.part(part) for part in self.parts)

    def buckets(self, sent: Compared) -> Iterator[tuple[Hashable, list[Entry]]]:
        """Yield the recordings that a request may be answered with, the best first, each list in recorded order."""
        for any_body in self._any_body:
            key = self.key(sent, any_body=any_body)
            if key in self._buckets:
                yield key, self._buckets[key]

    def accepts(self, sent: Compared, entry: Entry) -> bool:
        """Ask the user's matcher functions about a recording of the right bucket."""
        shown = HookRequest(sent.request), HookRequest(entry.recording.request)
        return all(verdict(matcher, *shown)[0] for matcher in self.matchers)


def verdict(matcher: Callable[[Any, Any], Any], sent: HookRequest, recorded: HookRequest) -> tuple[bool, str]:
    """Call a matcher as vcrpy does: None is agreement, an assertion that fails is none. Return its text too."""
    try:
        result = matcher(sent, recorded)
    except AssertionError as error:
        return False, str(error)
    return result is None or bool(result), ""


_kept: OrderedDict[tuple[int, ReplaySettings], Index] = OrderedDict()
_lock = threading.Lock()


def index_of(recordings: tuple[Recording, ...], settings: ReplaySettings) -> Index:
    """Return the index of some recordings, the same one for the same recordings and settings.

    It is made anew where functions of the user's rewrite requests, since these may have a state.
    """
    try:
        key = id(recordings), settings
        hash(key)
    except TypeError:
        return Index(recordings, settings)
    if settings.rewrites:
        return Index(recordings, settings)
    with _lock:
        # The index holds on to its recordings, so their id stays theirs while it is kept.
        index = _kept.get(key)
        if index is None:
            index = _kept[key] = Index(recordings, settings)
            if len(_kept) > KEPT:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
    return index
