"""Short texts under keys, together in one file: to find, open and check a file for each takes longer than they save."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["Shelf"]

LARGEST = 16 * 1024 * 1024
"""A file that has grown to this is begun anew: most of what is in it is of cassettes that have changed since."""
_LINE_END = b"\x1e"
"""Stands for a line end in an entry; JSON, which the entries are, never holds it."""


class Shelf:
    """Texts by key, a line each; of several with one key the last counts. Whoever adds one does so in one write.

    A file that cannot be read or written holds nothing. What is read is not checked.

    Args:
        path: The file, in a directory that exists when something is added.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[bytes, bytes] | None = None

    def take(self, key: str) -> bytes | None:
        """Return the text of a key, once: who has it keeps it."""
        if self._entries is None:
            self._entries = self._read()
        found = self._entries.pop(key.encode("ascii"), None)
        return None if found is None else found.replace(_LINE_END, b"\n")

    def add(self, key: str, content: bytes) -> None:
        """Put a text into the file.

        Raises:
            OSError: It cannot be written.
        """
        line = b"\n%s %s\n" % (key.encode("ascii"), content.replace(b"\n", _LINE_END))
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)

    def _read(self) -> dict[bytes, bytes]:
        with contextlib.suppress(OSError):
            if self._path.stat().st_size < LARGEST:
                lines = (line.partition(b" ") for line in self._path.read_bytes().split(b"\n"))
                return {key: content for key, _, content in lines if content}
            self._path.unlink()
        return {}
