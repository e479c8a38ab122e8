"""What can go wrong, as one tree.

::

    LLMTraceError
    ├── UsageError            wrong use: an unknown name, option, marker or argument (also a TypeError)
    ├── CassetteError         a cassette that cannot be read: file, line, reason
    ├── UnmatchedRequest      nothing answered a request (also an AssertionError)
    ├── BlockedConnection     a socket tried to leave the machine (also an OSError)
    ├── QueryError            SQL on spans that cannot be answered here (also an AssertionError)
    ├── SelectionError        `span(...)` found none, or several (also an AssertionError)
    └── VerificationError     findings at the end of a trace (also an AssertionError)

Assertion errors are test failures. Everything else is a mistake in the set-up, which pytest shows as an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Self

__all__ = [
    "BlockedConnection",
    "CassetteError",
    "LLMTraceError",
    "QueryError",
    "SelectionError",
    "UnmatchedRequest",
    "UsageError",
    "VerificationError",
]

_MANY = 20
"""How many names of a folder an error lists at most, since a folder may hold thousands."""


class LLMTraceError(Exception):
    """Base of everything that this package raises on purpose."""


class UsageError(LLMTraceError, TypeError):
    """The package was used in a way that has no meaning; the text names the nearest valid name or use."""

    @classmethod
    def unknown(cls, kind: str, name: object, known: Iterable[str], *, meant: str = "") -> Self:
        """Make the error for a name that is not known, with the nearest name that is.

        Args:
            kind: What the name should be, in words: `marker argument`, `gateway`.
            name: What was given.
            known: All names that would have been right.
            meant: The one of them that is certainly meant; by default, the most similar one.
        """
        import difflib  # Imported here: most runs make no mistake.

        names = sorted(known)
        near = [meant] if meant else difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return cls(f"unknown {kind} {name!r}: {hint}known: {', '.join(names)}")

    @classmethod
    def no_path(cls, path: Path) -> Self:
        """Make the error for a file or folder that is not there, or is a link to nowhere."""
        if path.is_symlink():
            return cls(f"{path} is a link to {path.readlink()}, which does not exist")
        entries = path.parent.iterdir() if path.parent.is_dir() else ()
        beside = [entry.name for entry in entries if not entry.name.startswith(".") or path.name.startswith(".")]
        if len(beside) <= _MANY:
            return cls.unknown("file or folder", path.name, beside) if beside else cls(f"no such file: {path}")
        import difflib

        near = difflib.get_close_matches(path.name, sorted(beside), n=3)
        hint = f"; the nearest: {', '.join(near)}" if near else ""
        return cls(f"no such file: {path}; {len(beside)} others are there{hint}")


class CassetteError(LLMTraceError):
    """A cassette cannot be read.

    Args:
        path: The file.
        reason: One sentence: what is wrong and what to do.
        line: The first line that shows what is wrong, counted from 1; None if no line can be named.
    """

    def __init__(self, path: Path | str, reason: str, *, line: int | None = None) -> None:
        self.path = path
        self.reason = reason
        self.line = line
        where = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{where}: {reason}")

    @property
    def in_file(self) -> str:
        """The reason, with the line but without the file, for those who name the file themselves."""
        return self.reason if self.line is None else f"line {self.line}: {self.reason}"


class UnmatchedRequest(LLMTraceError, AssertionError):
    """Nothing answered a request, and it was not let through to the network."""


class BlockedConnection(LLMTraceError, OSError):
    """A socket tried to reach a host that the running test does not allow."""


class QueryError(LLMTraceError, AssertionError):
    """A query that OpenObserve would refuse, or that asks for something that only a server knows."""


class SelectionError(LLMTraceError, AssertionError):
    """A selection that must find exactly one thing found none or several."""


class VerificationError(LLMTraceError, AssertionError):
    """A trace was verified and has findings of severity error; the text is the report."""
