"""Converters for command-line arguments, environment variables and scripts: finite numbers, readable paths."""

from __future__ import annotations

import argparse
import math
import stat
from collections import Counter
from pathlib import Path
from typing import Any, TypeGuard

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.errors import UsageError

__all__ = [
    "checked_seconds",
    "days",
    "finite",
    "is_count",
    "is_finite",
    "is_finite_number",
    "parsed_json",
    "read_json",
    "seconds",
    "source",
]

_ENDLESS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def seconds(text: str) -> float:
    """Read a number of seconds that somebody may have to wait.

    Raises:
        argparse.ArgumentTypeError: If the text is not a number above 0, or is infinite.
    """
    found = _seconds(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return found


def days(text: str) -> int:
    """Read a number of days.

    Raises:
        argparse.ArgumentTypeError: If the text is not a whole number, 0 or more.
    """
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of days, 0 or more")
    return int(text)


def checked_seconds(name: str, text: str, default: float) -> float:
    """Read a number of seconds from a variable or an ini value; an empty text means the default.

    Raises:
        UsageError: If it is not a number above 0, or is infinite.
    """
    found = _seconds(text) if text else default
    if found is None:
        raise UsageError(f"{name} is {text!r}: it must be a number of seconds above 0")
    return found


def _seconds(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 < found < math.inf else None


def is_count(value: object) -> TypeGuard[int]:
    """Tell whether a value is a whole number; a bool is not, though Python counts with it."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_finite_number(value: object) -> bool:
    """Tell whether a value is a finite number that a float can hold; a bool is not."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def source(text: str) -> Path:
    """Read the path of a file or folder that is to be read, whether it exists or not.

    Raises:
        argparse.ArgumentTypeError: If reading the path may never end; or if the text is empty, as that of an unset
            shell variable is, since it would mean the current folder.
    """
    if not text:
        raise argparse.ArgumentTypeError("the path is empty; write '.' for the current folder")
    try:
        return finite(Path(text))
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def finite(path: Path) -> Path:
    """Return a path that is a file, a folder, or missing.

    Raises:
        UsageError: If reading it may never end: a pipe may have no writer, and some devices have no end.
    """
    if (what := _endless(path)) is not None:
        raise UsageError(f"{path} is {what}, which may never end; name a file")
    return path


def is_finite(path: Path) -> bool:
    """Tell whether a path is a file, a folder, or missing; anything else below a folder is not one of its files."""
    return _endless(path) is None


def _endless(path: Path) -> str | None:
    try:
        return _ENDLESS.get(stat.S_IFMT(path.stat().st_mode))
    except OSError:  # Opening the path will raise the same.
        return None


def parsed_json(text: str) -> Any:
    """Return the value of a JSON text. A name may not stand twice in an object, where the last would silently win.

    Raises:
        ValueError: If it is not JSON, or a name stands twice, as it may after a merge.
        RecursionError: If it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{twice!r:.80} stands twice in one object; a merge may have kept both sides")
    return found


def read_json(path: Path) -> Any:
    """Return the JSON value that a file holds.

    Raises:
        UsageError: If the file cannot be read, or is not JSON.
    """
    try:
        return parsed_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError.no_path(path) from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except RecursionError:
        raise UsageError(f"{path}: its JSON is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"{path} is not valid JSON: {error}") from None
