"""Spans on disk until a back end has accepted them.

A folder for each destination has a file for each test, ready to be sent: an OTLP request in its JSON form, on one line,
whose end says that the file is whole. A file is gone only when it was accepted. While
it is under way its name ends in `.sending`: whoever renames a file first sends it. It ends in `.doubt` when nobody
learned whether it has arrived. Nothing here knows a token.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_llmtrace.export._otlp import as_bytes

__all__ = ["Batch", "Kept", "Spool", "key_of", "only", "spans_of"]

_START: Final = b'{"resourceSpans":['
_END: Final = b"]}\n"
_READY: Final = ".json"
_SENDING: Final = ".json.sending"
_DOUBT: Final = ".json.doubt"
_LONGEST: Final = 60
"""Seconds after which what is still under way was left by somebody who is gone: no request takes as long."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the spool that is being sent.

    Attributes:
        path: Where it is now.
        spans: How many spans it has.
    """

    path: Path
    spans: int

    def read(self) -> list[dict[str, Any]]:
        """Return its `resourceSpans`."""
        found: list[dict[str, Any]] = json.loads(self.path.read_bytes())["resourceSpans"]
        return found

    def without(self, keys: Collection[str]) -> Kept | None:
        """Take spans out, by their keys; at once, so that none is ever lost or there twice. None if none is left."""
        resources = self.read()
        there = {key_of(span) for span in spans_of(resources)}
        if not there - set(keys):
            self.path.unlink()
            return None
        left = there - set(keys)
        _rewrite(self.path, _request(only(resources, left)))
        before, state = self._parts()
        return Kept(self.path.rename(self.path.with_name(f"{before}.{len(left)}{state}")), len(left))

    def become(self, state: str) -> Kept:
        """Rename it; FileNotFoundError if somebody else was first."""
        before, _ = self._parts()
        return Kept(self.path.rename(self.path.with_name(f"{before}.{self.spans}{state}")), self.spans)

    def _parts(self) -> tuple[str, str]:
        """Return what its name says before and after its number of spans."""
        before, _, state = self.path.name.partition(f".{self.spans}{_READY}")
        return before, f"{_READY}{state}"


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
        parts = (kept.path.read_bytes()[len(_START) : -len(_END)] for kept in self.files)
        return _START + b",".join(parts) + _END

    def remove(self) -> None:
        """Forget what was accepted."""
        for kept in self.files:
            kept.path.unlink()

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

    def put(self, run: str, resources: list[dict[str, Any]]) -> None:
        """Keep the spans of a test.

        Args:
            run: What tells the files of this process from those of all others.
            resources: Elements of `resourceSpans`.

        Raises:
            OSError: The disk does not take them.
        """
        body = _request(resources)
        name = f"{run}-{next(self._numbers):06d}.{sum(1 for _ in spans_of(resources))}{_READY}"
        try:
            _write(f"{self.path}/{name}", body)
        except FileNotFoundError:
            self.path.mkdir(parents=True, exist_ok=True)
            # They may have content that belongs into no repository.
            (self.path / ".gitignore").write_text("*\n", encoding="utf-8")
            _write(f"{self.path}/{name}", body)

    def waiting(self, run: str = "") -> int:
        """Count the spans that are to be sent, of one run or all."""
        return sum(kept.spans for kept in self._files(run, _READY))

    def in_doubt(self, run: str = "") -> int:
        """Count the spans that are or were under way, and of which nobody has learned yet what became of them."""
        return sum(kept.spans for kept in self._files(run, _DOUBT, _SENDING))

    def claim(self, run: str = "", *, most_spans: int, most_bytes: int) -> Iterator[Batch]:
        """Yield what is to be sent, oldest first, in batches; each is the caller's from then on.

        Args:
            run: How the names of the files begin.
            most_spans: In one batch, if it has several files.
            most_bytes: Likewise.
        """
        claimed: list[Kept] = []
        spans = size = 0
        for kept in self._files(run, _READY):
            with contextlib.suppress(FileNotFoundError):  # Somebody else has it.
                more = _size(kept.path)
                if not more:
                    continue
                if claimed and (spans + kept.spans > most_spans or size + more > most_bytes):
                    yield Batch(tuple(claimed))
                    claimed, spans, size = [], 0, 0
                claimed.append(kept.become(_SENDING))
                os.utime(claimed[-1].path)
                spans, size = spans + kept.spans, size + more
        if claimed:
            yield Batch(tuple(claimed))

    def doubtful(self, run: str = "") -> Iterator[Kept]:
        """Yield the files that may have arrived, without those that somebody is sending."""
        yield from self._files(run, _DOUBT)
        for kept in self._files(run, _SENDING):
            if time.time() - kept.path.stat().st_mtime > _LONGEST:
                yield kept

    def abandon(self, run: str) -> None:
        """Put aside what was under way when whoever sent the spans of a run was stopped."""
        Batch(tuple(self._files(run, _SENDING))).doubt()

    def _files(self, run: str, *states: str) -> Iterator[Kept]:
        try:
            names = sorted(os.listdir(self.path))  # noqa: PTH208  # There may be tens of thousands.
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            state = next((state for state in states if name.endswith(state)), None)
            number = name.removesuffix(state).rpartition(".")[2] if state else ""
            if name.startswith(run) and number.isdigit():
                yield Kept(self.path / name, int(number))


def spans_of(resources: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the spans of some `resourceSpans`."""
    for resource in resources:
        for scope in resource["scopeSpans"]:
            yield from scope["spans"]


def key_of(span: Mapping[str, Any]) -> str:
    """Return what tells a span from all others of its test: some suites give each test the same ids."""
    return f"{span['traceId']}{span['spanId']}"


def only(resources: list[dict[str, Any]], keys: Collection[str]) -> list[dict[str, Any]]:
    """Return those of the spans of some `resourceSpans` whose keys are given."""
    found = []
    for resource in resources:
        scopes = []
        for scope in resource["scopeSpans"]:
            spans = [span for span in scope["spans"] if key_of(span) in keys]
            scopes += [{**scope, "spans": spans}] if spans else []
        found += [{**resource, "scopeSpans": scopes}] if scopes else []
    return found


def _request(resources: list[dict[str, Any]]) -> bytes:
    return as_bytes({"resourceSpans": resources}) + b"\n"


def _size(path: Path) -> int:
    """Return the size of a file if it is whole, else 0; half a file that nobody writes any more is removed.

    Raises:
        FileNotFoundError: Somebody else has it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 1))
        if file.read(1) == b"\n":
            return size
    if time.time() - path.stat().st_mtime > _LONGEST:
        path.unlink()
    return 0


def _write(path: str, content: bytes) -> None:
    """Write a new file, in one go. To rename it would take several times as long, and each test waits for this."""
    with open(path, "xb") as file:  # noqa: PTH123
        try:
            file.write(content)
            file.flush()
        except OSError:
            os.unlink(path)  # noqa: PTH108
            raise


def _rewrite(path: Path, content: bytes) -> None:
    """Replace a file at once, so that either content is there."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)
