"""Short texts under keys, together in one file: to find, open and check a file for each takes longer than they save."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Shelf"]

LARGEST = 16 * 1024 * 1024
"""A file that has grown to this is begun anew: most of what is in it is of cassettes that have changed since."""
_LINE_END = b"\x1e"
"""Stands for a line end in an entry; JSON, which the entries are, never holds it."""
WAITING = 64
"""How many texts wait to be written together, the rest when the process ends: no single load takes the time for it."""

Text = Iterable[bytes]
"""In pieces, which are made when they are written."""


class Shelf:
    """Texts by key, a line each; of several with one key the last counts.

    A file that cannot be read or written holds nothing. What is read is not checked.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[bytes, bytes] | None = None
        self._waiting: list[tuple[str, Text]] = []
        weakref.finalize(self, _write, path, self._waiting)

    def take(self, key: str) -> bytes | None:
        """Return the text of a key, once: who has it keeps it."""
        if self._entries is None:
            self._entries = self._read()
        found = self._entries.pop(key.encode("ascii"), None)
        return None if found is None else found.replace(_LINE_END, b"\n")

    def add(self, key: str, text: Text) -> None:
        """Have a text written, with others."""
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
    """Put texts into the file in one write, since other processes add to it too."""
    lines = b"".join(_line(key, text) for key, text in waiting)
    waiting.clear()
    if not lines:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, lines)
        finally:
            os.close(handle)


def _line(key: str, text: Text) -> bytes:
    """Make the line of a text, nothing of one that cannot be made: what a file says of itself may be no JSON."""
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        return b"\n%s %s\n" % (key.encode("ascii"), b"".join(text).replace(b"\n", _LINE_END))
    return b""
