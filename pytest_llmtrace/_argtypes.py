"""Types of the arguments of commands, for argparse: times that end, and paths that can be read to an end."""

from __future__ import annotations

import argparse
import math
import stat
from pathlib import Path

from pytest_llmtrace.errors import UsageError

__all__ = ["finite", "seconds", "source"]

_ENDLESS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def seconds(text: str) -> float:
    """Read a time that somebody may have to wait.

    Raises:
        argparse.ArgumentTypeError: It is no number above 0, or has no end.
    """
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return found


def source(text: str) -> Path:
    """Read the path of a file or folder that is to be read, whether it is there or not.

    Raises:
        argparse.ArgumentTypeError: Reading it may never end.
    """
    try:
        return finite(Path(text))
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def finite(path: Path) -> Path:
    """Return a path that is a file, a folder, or not there.

    Raises:
        UsageError: Reading it may never end: nobody may ever write to a pipe, and some devices have no end.
    """
    try:
        what = _ENDLESS.get(stat.S_IFMT(path.stat().st_mode))
    except OSError:  # Whoever opens it says so.
        return path
    if what is not None:
        raise UsageError(f"{path} is {what}, which may never end; name a file")
    return path
