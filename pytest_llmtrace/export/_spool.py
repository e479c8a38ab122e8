"""Spans on disk until a back end has accepted them.

A folder for each destination has files for each process, about as large as a request. A line of one is what a test has
kept: an OTLP request in its JSON form, ready to be sent, whose end says that it is whole. A file is gone only when it
was accepted. While it is under way its name ends in `.sending`: whoever renames a file first sends it, and who writes
to it begins another. It ends in `.doubt` when nobody learned whether it has arrived, and in `.asked` while somebody
finds out. The time of a file that somebody has says until when they do. What a disk or an editor has spoilt ends in
`.damaged` when somebody has tried to send it, and is left to people. Nothing here knows a token.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.export._lines import append
from pytest_llmtrace.export._otlp import as_bytes

__all__ = ["Batch", "Kept", "Key", "Spool", "key_of", "keys_of", "only", "spans_of"]

Key: TypeAlias = tuple[int, str]
"""Which test of a file, and which of its spans: some suites give the spans of each test the same ids."""
Resources: TypeAlias = list[dict[str, Any]]
"""Elements of `resourceSpans`."""

MOST_SPANS: Final = 1_000
"""Of a file, and of a request, unless a single test has more."""
MOST_BYTES: Final = 4 << 20
"""Likewise, before compression."""
_START: Final = b'{"resourceSpans":['
_END: Final = b"]}\n"
_SPAN: Final = b'"startTimeUnixNano":'
"""Once in each span; in texts quotes have a backslash."""
_READY: Final = ".json"
_SENDING: Final = ".json.sending"
_DOUBT: Final = ".json.doubt"
_ASKED: Final = ".json.asked"
_DAMAGED: Final = ".json.damaged"
_LONGEST: Final = 60
"""Seconds after which a file that somebody has, and has not held for longer, was left by somebody who is gone."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the spool that is being sent.

    Attributes:
        path: Where it is now.
        spans: How many spans it has.
        size: Its size in bytes, without a last line that is not whole.
    """

    path: Path
    spans: int
    size: int

    def lines(self) -> list[bytes]:
        """Return what each test has kept."""
        return self.path.read_bytes()[: self.size].splitlines(keepends=True)

    def tests(self) -> list[Resources]:
        """Return the same, read."""
        return [json.loads(line)["resourceSpans"] for line in self.lines()]

    def without(self, gone: Collection[Key]) -> Kept | None:
        """Take spans out; at once, so that none is ever lost or there twice. None if none is left."""
        tests = self.tests()
        left = set(keys_of(tests)) - set(gone)
        if not left:
            self.remove()
            return None
        content = b"".join(map(_request, only(tests, left)))  # What has nothing left stays, so that keys do.
        _rewrite(self.path, content)
        return Kept(self.path, content.count(_SPAN), len(content))

    def hold(self, seconds: float) -> None:
        """Keep others from taking it for left behind: for that long, and a minute more."""
        until = time.time() + seconds
        with contextlib.suppress(FileNotFoundError, PermissionError):  # It is done with, or somebody else's.
            os.utime(self.path, (until, until))

    def set_aside(self) -> Path:
        """Put it where nobody tries to send it, and return that."""
        return self.become(_DAMAGED).path

    def remove(self) -> None:
        """Forget it, but not what somebody may have written to it who had it open when it was claimed."""
        late = self.path.read_bytes()[self.size :] if self.path.stat().st_size > self.size else b""
        if late.endswith(_END):
            _rewrite(self.path, late)
            self.become(_READY)
        else:
            self.path.unlink()

    def become(self, state: str) -> Kept:
        """Rename it; FileNotFoundError if somebody else was first."""
        name = self.path.name.partition(_READY)[0]
        return replace(self, path=self.path.rename(self.path.with_name(f"{name}{state}")))


@dataclass(frozen=True, slots=True)
class Batch:
    """Some files that are sent as one request."""

    files: tuple[Kept, ...]

    @property
    def spans(self) -> int:
        """How many spans it has."""
        return sum(kept.spans for kept in self.files)

    def body(self) -> bytes:
        """Return the request."""
        parts = (line[len(_START) : -len(_END)] for kept in self.files for line in kept.lines())
        return _START + b",".join(filter(None, parts)) + _END

    def hold(self, seconds: float) -> None:
        """Keep others from taking its files for left behind."""
        for kept in self.files:
            kept.hold(seconds)

    def remove(self) -> None:
        """Forget what was accepted."""
        for kept in self.files:
            kept.remove()

    def release(self) -> None:
        """Put back what certainly did not arrive."""
        for kept in self.files:
            kept.become(_READY)

    def doubt(self) -> None:
        """Put aside what may have arrived."""
        for kept in self.files:
            kept.become(_DOUBT)


class Spool:
    """The spans that wait for one destination.

    Args:
        path: A folder, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._numbers = itertools.count()
        self._run = self._file = ""
        self._spans = self._size = 0

    def put(self, run: str, request: bytes) -> None:
        """Keep the spans of a test.

        Args:
            run: What tells the files of this process from those of all others.
            request: The spans, as `Encoder` writes them.

        Raises:
            OSError: The disk does not take them.
        """
        line = request + b"\n"
        self._spans += line.count(_SPAN)
        self._size += len(line)
        is_full = self._spans > MOST_SPANS or self._size > MOST_BYTES
        if is_full or run != self._run:
            self._begin(run, line)
            return
        try:
            append(self._file, line)
        except FileNotFoundError:  # Somebody sends it.
            self._begin(run, line)
        except OSError:  # Its end may be half a line. Another file may be let grow, if this was as large as may be.
            self._begin(run, line)

    def _begin(self, run: str, line: bytes) -> None:
        self._run, self._spans, self._size = run, line.count(_SPAN), len(line)
        self._file = f"{self.path}/{run}-{next(self._numbers):06d}{_READY}"
        try:
            self._hide()
            _create(self._file, line)
        except OSError:
            self._run = ""
            raise

    def _hide(self) -> None:
        """Make the folder, if there is none yet, whose content belongs into no repository.

        Looked at for each file: whoever has made the folder may have been stopped, or kept by a full disk, before that.
        """
        ignoring = f"{self.path}/.gitignore"
        with contextlib.suppress(FileNotFoundError):
            if os.stat(ignoring).st_size:  # noqa: PTH116
                return
        self.path.mkdir(parents=True, exist_ok=True)
        _create(ignoring, b"*\n")

    def waiting(self, run: str = "") -> int:
        """Count the spans that are to be sent, of one run or all."""
        return sum(kept.spans for kept in self._files(run, _READY))

    def in_doubt(self, run: str = "") -> int:
        """Count the spans that are or were under way, and of which nobody has learned yet what became of them."""
        return sum(kept.spans for kept in self._files(run, _DOUBT, _SENDING, _ASKED))

    def claim(self, run: str = "") -> Iterator[Batch]:
        """Yield what is to be sent, oldest first, in batches; each is the caller's from then on.

        Args:
            run: How the names of the files begin.
        """
        claimed: list[Kept] = []
        spans = size = 0
        for path in self._paths(run, _READY):
            with contextlib.suppress(FileNotFoundError):  # Somebody else has it.
                more = _kept(path)
                if claimed and (spans + more.spans > MOST_SPANS or size + more.size > MOST_BYTES):
                    yield Batch(tuple(claimed))
                    claimed, spans, size = [], 0, 0
                claimed += _claimed(path)
                spans, size = spans + more.spans, size + more.size
        if claimed:
            yield Batch(tuple(claimed))

    def doubtful(self) -> Iterator[Kept]:
        """Yield the files that may have arrived, without those that somebody is sending."""
        yield from self._files("", _DOUBT)
        for kept in self._files("", _SENDING, _ASKED):
            with contextlib.suppress(FileNotFoundError):
                _hold_by_this_clock(kept)
                if _age(kept.path) > _LONGEST:
                    yield kept

    def claim_doubtful(self) -> Iterator[Kept]:
        """Yield the same, each the caller's from then on: of two who ask what became of a file, both would send it."""
        for kept in self.doubtful():
            with contextlib.suppress(FileNotFoundError):  # Somebody else has it.
                doubt = kept.become(_DOUBT)
                doubt.hold(0)
                yield doubt.become(_ASKED)

    def abandon(self, run: str) -> None:
        """Put aside what was under way when whoever sent the spans of a run was stopped."""
        Batch(tuple(self._files(run, _SENDING))).doubt()

    def _files(self, run: str, *states: str) -> Iterator[Kept]:
        for path in self._paths(run, *states):
            with contextlib.suppress(FileNotFoundError):
                yield _kept(path)

    def _paths(self, run: str, *states: str) -> Iterator[Path]:
        try:
            names = sorted(os.listdir(self.path))  # noqa: PTH208  # Names are all that is wanted.
        except (FileNotFoundError, NotADirectoryError):
            return
        yield from (self.path / name for name in names if name.startswith(run) and name.endswith(states))


def spans_of(resources: Resources) -> Iterator[dict[str, Any]]:
    """Yield the spans of some `resourceSpans`."""
    for resource in resources:
        for scope in resource["scopeSpans"]:
            yield from scope["spans"]


def key_of(span: Mapping[str, Any]) -> str:
    """Return what tells a span from all others of its test."""
    return f"{span['traceId']}{span['spanId']}"


def keys_of(tests: Iterable[Resources]) -> list[Key]:
    """Return what tells the spans of several tests from each other, each once."""
    keys = ((number, key_of(span)) for number, test in enumerate(tests) for span in spans_of(test))
    return list(dict.fromkeys(keys))


def only(tests: Iterable[Resources], keys: Collection[Key]) -> list[Resources]:
    """Return those of the spans whose keys are given; as many tests, some of them perhaps empty."""
    return [_only(test, {key for of, key in keys if of == number}) for number, test in enumerate(tests)]


def _only(resources: Resources, keys: Collection[str]) -> Resources:
    found = []
    for resource in resources:
        scopes = []
        for scope in resource["scopeSpans"]:
            spans = [span for span in scope["spans"] if key_of(span) in keys]
            scopes += [{**scope, "spans": spans}] if spans else []
        found += [{**resource, "scopeSpans": scopes}] if scopes else []
    return found


def _request(resources: Resources) -> bytes:
    return as_bytes({"resourceSpans": resources}) + b"\n"


def _create(path: str, line: bytes) -> None:
    """Begin a file with a line; none is left behind that has nothing in it."""
    try:
        append(path, line, os.O_CREAT)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
        raise


def _kept(path: Path) -> Kept:
    """Look at a file; FileNotFoundError if somebody else has it."""
    content = path.read_bytes()
    size = content.rfind(_END) + len(_END) if _END in content else 0
    return Kept(path, content.count(_SPAN, 0, size), size)


def _claimed(path: Path) -> list[Kept]:
    """Take a file; none if it has no whole line, and then remove it if nobody can be writing one any more.

    Raises:
        FileNotFoundError: Somebody else has it.
    """
    age, found = _age(path), Kept(path, 0, 0)
    found.hold(0)  # Before it is under way: else it would look as if it had been for as long as it has waited.
    kept = _kept(found.become(_SENDING).path)
    if kept.size:
        return [kept]
    if age > _LONGEST:
        kept.path.unlink()
    else:
        kept.become(_READY)
    return []


def _hold_by_this_clock(kept: Kept) -> None:
    """Let a file that was held before the clock was set back be held as long again, and no longer.

    Whoever holds it may still be at it, so that it cannot be taken at once. The system notes when a file's time was
    set (`st_ctime`), which nobody can set: if that is yet to come, it was said by another clock until when.
    """
    found = kept.path.stat()
    said_for = found.st_mtime - found.st_ctime
    if found.st_ctime > time.time() + _LONGEST and said_for > -1:  # Else the clock of a server of files is ahead.
        kept.hold(max(said_for, 0))


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _rewrite(path: Path, content: bytes) -> None:
    """Replace a file at once, so that either content is there."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_bytes(content)
    except OSError:  # A full disk.
        beside.unlink(missing_ok=True)
        raise
    beside.replace(path)
