"""Write a text file in one step, so that nobody sees half of it, and with small differences from what it was."""

from __future__ import annotations

import os
import stat
from errno import EACCES, EBUSY, EPERM
from pathlib import Path
from typing import Final

__all__ = ["replace", "write_text"]

_ONLY_IN_PLACE: Final = (EACCES, EBUSY, EPERM)
"""Errors of a file that can be written but not replaced: its folder is not ours, or it is mounted by itself."""


def write_text(path: Path, text: str) -> None:
    r"""Replace the content of a file by a text, which gets a line break at its end; missing folders are made.

    Lines end with `\n` on every system: files that are committed do not differ from one system to the next. Lone
    surrogates, which a text may have in Python, are written as JSON writes them: `\ud83d`. A link stays a link, and a
    file keeps its permissions. What is no file, such as a pipe, is written to as it is.

    Raises:
        OSError: If the file cannot be written; it then stays as it was.
    """
    content = f"{text}\n".encode(errors="backslashreplace")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = Path(os.path.realpath(path))
    is_there = path.is_file()
    if is_there and not os.access(path, os.W_OK):
        raise PermissionError(EACCES, os.strerror(EACCES), str(path))
    try:
        replace(path, content)
    except OSError as error:
        if not is_there or error.errno not in _ONLY_IN_PLACE:
            raise
        path.write_bytes(content)


def replace(path: Path, content: bytes) -> None:
    """Replace the content of a file, which keeps its permissions, as a whole or not at all.

    Raises:
        OSError: If the file cannot be written; it then stays as it was.
    """
    # Not named by the process: containers that share a folder may have processes of one number.
    unfinished = path.with_name(f".{os.urandom(6).hex()}.llmtrace")
    mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else None
    try:
        # Never readable for more than the file is.
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            unfinished.chmod(mode)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
