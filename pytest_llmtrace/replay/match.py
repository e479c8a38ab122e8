"""Find the recordings of a request in constant time."""

from __future__ import annotations

import functools
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
    """A recording that may answer."""

    __slots__ = ("recording",)

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def is_of(self, request: Request) -> bool:
        """Tell whether the recorded request equals a request byte for byte, headers aside."""
        own = self.recording.request
        return own.body == request.body and own.url == request.url and own.method == request.method

    @property
    def is_playable(self) -> bool:
        """Whether the recording has a response or a failure to answer with."""
        return self.recording.response is not None or self.recording.failure is not None


class Index:
    """The recordings of a cassette by the request parts that `match_on` names. It never changes, so players share it.

    Recordings that `before_record_request` and the like drop are not in the index, and requests that these drop find
    none. A recording whose body the file has dropped is found by its other parts, after recordings that match in full.

    Most requests equal a recorded one byte for byte, so that their parts need not be computed; if there is only one
    recording, its own parts need not be computed either.
    """

    def __init__(self, recordings: tuple[Recording, ...], settings: ReplaySettings) -> None:
        self.recordings = recordings
        self.settings = settings
        self.parts = tuple(part for part in settings.match_on if isinstance(part, str))
        self.matchers = tuple(part for part in settings.match_on if not isinstance(part, str))
        kept = (prepared(recording, settings) for recording in recordings)
        self.entries = tuple([Entry(one) for one in kept if one is not None])

    @functools.cached_property
    def _scrubbed(self) -> bool:
        return any(scrub.is_scrubbed(entry.recording.request) for entry in self.entries)

    @functools.cached_property
    def _keys(self) -> dict[Entry, Hashable]:
        ones = ((entry, entry.recording) for entry in self.entries)
        return {entry: self._key(self.recorded(one), any_body=one.any_body) for entry, one in ones}

    @functools.cached_property
    def _buckets(self) -> dict[Hashable, list[Entry]]:
        buckets: dict[Hashable, list[Entry]] = {}
        for entry, key in self._keys.items():
            buckets.setdefault(key, []).append(entry)
        return buckets

    @functools.cached_property
    def _by_bytes(self) -> dict[bytes, Entry]:
        with_body = (entry for entry in self.entries if not entry.recording.any_body)
        return {} if "headers" in self.parts else {one.recording.request.body: one for one in with_body}

    @functools.cached_property
    def _any_body(self) -> tuple[bool, ...]:
        some_dropped = any(entry.recording.any_body for entry in self.entries) and not _BODIES.isdisjoint(self.parts)
        return (False, True) if some_dropped else (False,)

    def compared(self, request: Request) -> Compared | None:
        """Return a request in the form that is compared; None if the user's configuration drops it."""
        kept = filtered(request, self.settings)
        return None if kept is None else Compared(kept, self.settings, scrubbed=self._scrubbed)

    def recorded(self, recording: Recording) -> Compared:
        """Return a recording of this index in the form that is compared; not kept, since it is seldom needed."""
        return Compared(recording.request, self.settings, scrubbed=self._scrubbed)

    def buckets(self, sent: Compared) -> Iterator[list[Entry]]:
        """Yield lists of recordings that may answer a request, the best list first, each in recorded order."""
        if len(self.entries) == 1 and "headers" not in self.parts and self.entries[0].is_of(sent.request):
            yield [*self.entries]
            return
        for any_body in self._any_body:
            bucket = self._buckets.get(self._key(sent, any_body=True) if any_body else self._key_of_sent(sent))
            if bucket is not None:
                yield bucket

    def _key_of_sent(self, sent: Compared) -> Hashable:
        same = self._by_bytes.get(sent.request.body)
        return self._keys[same] if same is not None and same.is_of(sent.request) else self._key(sent)

    def _key(self, compared: Compared, *, any_body: bool = False) -> Hashable:
        return tuple(_ANY_BODY if any_body and part in _BODIES else compared.part(part) for part in self.parts)

    def accepts(self, sent: Compared, entry: Entry) -> bool:
        """Tell whether the user's matcher functions accept a recording from a bucket of the request."""
        shown = HookRequest(sent.request), HookRequest(entry.recording.request)
        return all(verdict(matcher, *shown)[0] for matcher in self.matchers)


def verdict(matcher: Callable[[Any, Any], Any], sent: HookRequest, recorded: HookRequest) -> tuple[bool, str]:
    """Call a matcher as vcrpy does: None means a match, a failed assertion a mismatch; its text is returned too."""
    try:
        result = matcher(sent, recorded)
    except AssertionError as error:
        return False, str(error)
    return result is None or bool(result), ""


_kept: OrderedDict[tuple[int, ReplaySettings], Index] = OrderedDict()
_lock = threading.Lock()


def index_of(recordings: tuple[Recording, ...], settings: ReplaySettings) -> Index:
    """Return the index of some recordings: the same object for the same recordings and settings.

    A new index is made if functions of the user rewrite recordings, since these functions may have state; and for a
    single recording, since that takes no longer than to look an index up.
    """
    if len(recordings) == 1:
        return Index(recordings, settings)
    try:
        key = id(recordings), settings
        hash(key)
    except TypeError:
        return Index(recordings, settings)
    if settings.rewrites:
        return Index(recordings, settings)
    with _lock:
        # An index refers to its recordings, so no other object gets their `id` while the index is kept.
        index = _kept.get(key)
        if index is not None:
            _kept.move_to_end(key)
            return index
        index = _kept[key] = Index(recordings, settings)
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    return index
