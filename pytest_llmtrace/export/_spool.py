"""Spans on disk until a back end has accepted them.

Each destination has a folder, in which each process has files of its own, about as large as a request. A line of a file
holds the spans of one test: an OTLP request in its JSON form, ready to be sent, whose last characters show that the
line is complete. A file is deleted only when it was accepted, or when a user drops it. The end of its name says what
state it is in:

- `.json`: It waits to be sent.
- `.sending`: A process is sending it. Whichever process renames a file first sends it, and a process that was still
  writing to it begins another file.
- `.doubt`: It is unknown whether it has arrived.
- `.asked`: A process is finding out whether it has arrived.
- `.damaged`: A disk or an editor has damaged it, as an attempt to send it has shown; it is left for people to look at.

The modification time of a file that a process has renamed to send it, or to ask about it, says until when that process
holds it. Nothing here knows a token.
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
"""The number of a test in its file, and the ids of a span: some suites give the spans of each test the same ids."""
Resources: TypeAlias = list[dict[str, Any]]
"""Elements of `resourceSpans`."""

MOST_SPANS: Final = 1_000
"""Most spans in a file, and in a request, unless a single test has more."""
MOST_BYTES: Final = 4 << 20
"""Most bytes in a file or a request, in the same way, before compression."""
_START: Final = b'{"resourceSpans":['
_END: Final = b"]}\n"
_SPAN: Final = b'"startTimeUnixNano":'
"""A string that occurs once in each span: within a text, its quotes would be escaped by backslashes."""
_READY: Final = ".json"
_SENDING: Final = ".json.sending"
_DOUBT: Final = ".json.doubt"
_ASKED: Final = ".json.asked"
_DAMAGED: Final = ".json.damaged"
_LONGEST: Final = 60
"""Seconds after the end of its hold after which a file is taken as left behind by a process that is gone."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the spool.

    Attributes:
        path: Where the file is now.
        spans: How many spans it holds.
        size: Its size in bytes, without an incomplete last line.
    """

    path: Path
    spans: int
    size: int

    def lines(self) -> list[bytes]:
        """Return the lines of the file: a request for each test."""
        return self.path.read_bytes()[: self.size].splitlines(keepends=True)

    def tests(self) -> list[Resources]:
        """Return the spans of each test, as `resourceSpans`."""
        return [json.loads(line)["resourceSpans"] for line in self.lines()]

    def without(self, gone: Collection[Key]) -> Kept | None:
        """Take spans out, in one step, so that none is lost or doubled; return the file, `None` if none is left."""
        tests = self.tests()
        left = set(keys_of(tests)) - set(gone)
        if not left:
            self.remove()
            return None
        content = b"".join(map(_request, only(tests, left)))  # An empty test keeps its line: keys count lines.
        _rewrite(self.path, content)
        return Kept(self.path, content.count(_SPAN), len(content))

    def hold(self, seconds: float) -> None:
        """Hold the file: for that long and a minute more, no other process takes it as left behind."""
        until = time.time() + seconds
        with contextlib.suppress(FileNotFoundError, PermissionError):  # The file is gone, or belongs to another user.
            os.utime(self.path, (until, until))

    def set_aside(self) -> Path:
        """Mark the file as damaged, so that no process tries to send it, and return its new path."""
        return self.become(_DAMAGED).path

    def remove(self) -> None:
        """Delete the file, but keep lines added since the claim by a process that had the file open already."""
        late = self.path.read_bytes()[self.size :] if self.path.stat().st_size > self.size else b""
        if late.endswith(_END):
            _rewrite(self.path, late)
            self.become(_READY)
        else:
            self.path.unlink()

    def become(self, state: str) -> Kept:
        """Rename the file to give it a state, and return it; `FileNotFoundError` if another process was first."""
        name = self.path.name.partition(_READY)[0]
        return replace(self, path=self.path.rename(self.path.with_name(f"{name}{state}")))


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that are sent as one request."""

    files: tuple[Kept, ...]

    @property
    def spans(self) -> int:
        """How many spans its files hold."""
        return sum(kept.spans for kept in self.files)

    def body(self) -> bytes:
        """Return the request: the spans of all files, in OTLP's JSON form."""
        parts = (line[len(_START) : -len(_END)] for kept in self.files for line in kept.lines())
        return _START + b",".join(filter(None, parts)) + _END

    def hold(self, seconds: float) -> None:
        """Hold the files, as `Kept.hold` does."""
        for kept in self.files:
            kept.hold(seconds)

    def remove(self) -> None:
        """Delete the files, which were accepted or are to be dropped."""
        for kept in self.files:
            kept.remove()

    def release(self) -> None:
        """Let the files, which certainly did not arrive, wait again."""
        for kept in self.files:
            kept.become(_READY)

    def doubt(self) -> None:
        """Put the files aside, as they may have arrived."""
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
            run: How the names of the files begin; no other process uses it.
            request: The spans, as `Encoder` writes them.

        Raises:
            OSError: If the disk does not take them.
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
        except FileNotFoundError:  # A process has claimed it.
            self._begin(run, line)
        except OSError:  # It may end in half a line. If it met a limit of file size, a new file may grow.
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
        """Make the folder and its `.gitignore`, if they are missing: the spool belongs in no repository.

        This is checked for each new file: the process that made the folder may have been stopped, or met a full disk,
        before it wrote the `.gitignore`.
        """
        ignoring = f"{self.path}/.gitignore"
        with contextlib.suppress(FileNotFoundError):
            if os.stat(ignoring).st_size:  # noqa: PTH116
                return
        self.path.mkdir(parents=True, exist_ok=True)
        _create(ignoring, b"*\n")

    def waiting(self, run: str = "") -> int:
        """Return how many spans wait to be sent, of one run or all."""
        return sum(kept.spans for kept in self._files(run, _READY))

    def in_doubt(self, run: str = "") -> int:
        """Return how many spans are or were being sent and may or may not have arrived."""
        return sum(kept.spans for kept in self._files(run, _DOUBT, _SENDING, _ASKED))

    def claim(self, run: str = "") -> Iterator[Batch]:
        """Yield the waiting files, oldest first, in batches; from then on a batch belongs to the caller.

        Args:
            run: How the names of the files begin; empty for all files.
        """
        claimed: list[Kept] = []
        spans = size = 0
        for path in self._paths(run, _READY):
            with contextlib.suppress(FileNotFoundError):  # Another process has it.
                more = _kept(path)
                if claimed and (spans + more.spans > MOST_SPANS or size + more.size > MOST_BYTES):
                    yield Batch(tuple(claimed))
                    claimed, spans, size = [], 0, 0
                claimed += _claimed(path)
                spans, size = spans + more.spans, size + more.size
        if claimed:
            yield Batch(tuple(claimed))

    def doubtful(self) -> Iterator[Kept]:
        """Yield the files that may have arrived, without those that a process is still sending or asking about."""
        yield from self._files("", _DOUBT)
        for kept in self._files("", _SENDING, _ASKED):
            with contextlib.suppress(FileNotFoundError):
                _hold_by_this_clock(kept)
                if _age(kept.path) > _LONGEST:
                    yield kept

    def claim_doubtful(self) -> Iterator[Kept]:
        """Yield the same files, each claimed for the caller: if two processes asked about one, both would send it."""
        for kept in self.doubtful():
            with contextlib.suppress(FileNotFoundError):  # Another process has it.
                doubt = kept.become(_DOUBT)
                doubt.hold(0)
                yield doubt.become(_ASKED)

    def abandon(self, run: str) -> None:
        """Put aside the files of a run that were being sent when the sending process was stopped."""
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
    """Return a key that no other span of the same test has: its two ids."""
    return f"{span['traceId']}{span['spanId']}"


def keys_of(tests: Iterable[Resources]) -> list[Key]:
    """Return the keys of the spans of several tests, each once."""
    keys = ((number, key_of(span)) for number, test in enumerate(tests) for span in spans_of(test))
    return list(dict.fromkeys(keys))


def only(tests: Iterable[Resources], keys: Collection[Key]) -> list[Resources]:
    """Return the tests with only those spans whose keys are given; a test that has none of them stays, empty."""
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
    """Create a file with one line; if that fails, leave no empty file behind."""
    try:
        append(path, line, os.O_CREAT)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
        raise


def _kept(path: Path) -> Kept:
    """Return a file with its counts; `FileNotFoundError` if another process has it."""
    content = path.read_bytes()
    size = content.rfind(_END) + len(_END) if _END in content else 0
    return Kept(path, content.count(_SPAN, 0, size), size)


def _claimed(path: Path) -> list[Kept]:
    """Claim a file and return it; if it has no complete line, return none, and delete it if it is too old to get one.

    Raises:
        FileNotFoundError: If another process has it.
    """
    age, found = _age(path), Kept(path, 0, 0)
    found.hold(0)  # Before it is renamed: else the time that it has waited would look like time of sending.
    kept = _kept(found.become(_SENDING).path)
    if kept.size:
        return [kept]
    if age > _LONGEST:
        kept.path.unlink()
    else:
        kept.become(_READY)
    return []


def _hold_by_this_clock(kept: Kept) -> None:
    """Renew the hold on a file that was held before the clock was set back: for the same time, counted from now.

    Its process may still be sending it, so it cannot be taken at once. The system notes when the time of a file was
    set (`st_ctime`), which cannot be changed: if that lies in the future, the end of the hold is by another clock.
    """
    found = kept.path.stat()
    said_for = found.st_mtime - found.st_ctime
    if found.st_ctime > time.time() + _LONGEST and said_for > -1:  # Else the clock of a file server is ahead.
        kept.hold(max(said_for, 0))


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _rewrite(path: Path, content: bytes) -> None:
    """Replace the content of a file in one step, so that the old or the new content is there at any time."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_bytes(content)
    except OSError:  # A full disk.
        beside.unlink(missing_ok=True)
        raise
    beside.replace(path)
