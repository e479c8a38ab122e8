"""Which cassettes a test run has played, as the run wrote it down."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pytest_llmtrace.errors import UsageError

__all__ = ["played_files"]


def played_files(lists: Iterable[Path], root: Path) -> frozenset[Path]:
    """Return the cassettes in `{"version": 1, "played": [path, ...]}` files; a suite that runs in parts has several.

    Args:
        lists: The files.
        root: The folder that the paths in them are relative to.

    Raises:
        UsageError: If a file cannot be read or is not such a list, or none of the cassettes in it exists below `root`.
    """
    played: set[Path] = set()
    for path in lists:
        names = _names(path)
        found = [(root / name).resolve() for name in names]
        if found and not any(file.exists() for file in found):
            raise UsageError(
                f"{path}: none of the {len(found)} files that it names exists below {root}; run this in pytest's "
                "rootdir, or name that with --rootdir"
            )
        played.update(found)
    return frozenset(played)


def _names(path: Path) -> list[str]:
    wanted = 'expected {"version": 1, "played": ["path", ...]}, as pytest writes it'
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: this is not valid JSON; {wanted}") from None
    names = document.get("played") if isinstance(document, dict) and document.get("version") == 1 else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{path}: this is not a list of played cassettes; {wanted}")
    return names
