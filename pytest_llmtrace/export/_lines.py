"""Spans in a file: a line for each test, each an OTLP request in its JSON form (OpenTelemetry's file format)."""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["Lines", "append"]


class Lines:
    """A file of spans, written by one process or several.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def try_out(self) -> None:
        """See to it that it can be written, and leave what is there: no file, if there was none.

        Raises:
            OSError: It cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not (self.path.exists() or self.path.is_symlink())
        append(str(self.path), b"", os.O_CREAT)
        if is_new:
            self.path.unlink()

    def start(self) -> None:
        """Begin it anew.

        Raises:
            OSError: It cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")

    def put(self, run: str, request: bytes) -> None:  # noqa: ARG002  # As the spool's.
        """Add the spans of a test, as `Encoder` writes them, in one go: lines of several processes are not mixed.

        Raises:
            OSError: It cannot be written.
        """
        append(str(self.path), request + b"\n", os.O_CREAT)


def append(path: str, line: bytes, flag: int = 0) -> None:
    """Write a line, in one go, and none of it if the disk is full.

    The file is not held open: somebody may send it, and tests close what they have not opened.

    Args:
        path: The file.
        line: What is added to it.
        flag: More flags of `os.open`.

    Raises:
        OSError: It is not written.
    """
    file = os.open(path, os.O_WRONLY | os.O_APPEND | flag | getattr(os, "O_BINARY", 0), 0o666)
    try:
        written = os.write(file, line)
        if written < len(line):
            os.ftruncate(file, os.fstat(file).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)
