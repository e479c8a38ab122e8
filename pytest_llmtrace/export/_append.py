"""Adding to a file that several processes may write."""

from __future__ import annotations

import errno
import os

__all__ = ["append"]


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
