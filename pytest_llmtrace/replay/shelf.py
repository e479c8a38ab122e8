"""Short texts by key, all in one file: to find, open and check a file for each would take longer than they save."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Shelf"]

LARGEST = 16 * 1024 * 1024
"""A file that reaches this many bytes is started over: most of its texts are of cassettes that have changed since."""
_LINE_END = b"\x1e"
"""Replaces a line end within a text. Texts are JSON, which never contains this byte."""
WAITING = 64
"""Texts are written in groups of this size, so that no load waits for its own write; the rest when the process ends."""

Text = Iterable[bytes]
"""The pieces of a text, which are made only when the text is written."""


class Shelf:
    """A file of texts by key, one line for each; if several texts have one key, the last counts.

    A file that cannot be read counts as empty; texts that cannot be written are lost. No text is checked when read.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[bytes, bytes] | None = None
        self._waiting: list[tuple[str, Text]] = []
        weakref.finalize(self, _write, path, self._waiting)

    def take(self, key: str) -> bytes | None:
        """Return the text of a key, only once, since the caller keeps it; None if there is none."""
        if self._entries is None:
            self._entries = self._read()
        found = self._entries.pop(key.encode("ascii"), None)
        return None if found is None else found.replace(_LINE_END, b"\n")

    def add(self, key: str, text: Text) -> None:
        """Add a text, which is written together with others."""
        self._waiting.append((key, text))
        if len(self._waiting) >= WAITING:
            _write(self._path, self._waiting)

    def _read(self) -> dict[bytes, bytes]:
        with contextlib.suppress(OSError):
            with self._path.open("rb", buffering=0) as file:
                content = file.read()
            if len(content) < LARGEST:
                lines = (line.partition(b" ") for line in content.split(b"\n"))
                return {key: text for key, _, text in lines if text}
            self._path.unlink()
        return {}


def _write(path: Path, waiting: list[tuple[str, Text]]) -> None:
    """Append texts to the file in one write, since other processes append to it too."""
    lines = b"".join(_line(key, text) for key, text in waiting)
    waiting.clear()
    if not lines:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            os.write(handle, lines)
        finally:
            os.close(handle)


def _line(key: str, text: Text) -> bytes:
    """Return the line of a text; empty if it cannot be made, since a cassette's `origin` may hold more than JSON."""
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        return b"\n%s %s\n" % (key.encode("ascii"), b"".join(text).replace(b"\n", _LINE_END))
    return b""
