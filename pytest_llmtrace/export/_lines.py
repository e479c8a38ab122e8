"""Spans in a file: one line for each test, an OTLP request in its JSON form (OpenTelemetry's file format)."""

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
        """Check that the file can be written, and leave it as it was: if there was no file, none is created.

        Raises:
            OSError: If the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not (self.path.exists() or self.path.is_symlink())
        append(str(self.path), b"", os.O_CREAT)
        if is_new:
            self.path.unlink()

    def start(self) -> None:
        """Empty the file, or create it.

        Raises:
            OSError: If the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")

    def put(self, run: str, request: bytes) -> None:  # noqa: ARG002  # As the spool's.
        """Add the spans of a test, as `Encoder` writes them, in one write: lines of several processes are not mixed.

        Raises:
            OSError: If the file cannot be written.
        """
        append(str(self.path), request + b"\n", os.O_CREAT)


def append(path: str, line: bytes, flag: int = 0) -> None:
    """Add a line to a file in one write, or nothing of it if the disk is full.

    The file is not kept open: another process may send it, and some tests close file descriptors that are not theirs.

    Args:
        path: The file.
        line: The line, with its line break.
        flag: Further flags for `os.open`.

    Raises:
        OSError: If the line is not written.
    """
    file = os.open(path, os.O_WRONLY | os.O_APPEND | flag | getattr(os, "O_BINARY", 0), 0o666)
    try:
        written = os.write(file, line)
        if written < len(line):
            os.ftruncate(file, os.fstat(file).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)
