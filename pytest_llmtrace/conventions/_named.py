"""What `conventions=` may say: names of shipped conventions, and files of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pytest_llmtrace.conventions._load import PROFILES, profile
from pytest_llmtrace.conventions._profile import Profile
from pytest_llmtrace.conventions._registry import from_registry
from pytest_llmtrace.errors import UsageError

__all__ = ["absolute", "named", "refuse_conventions"]


def refuse_conventions(said: object) -> None:
    """Refuse a value that names no convention and cannot be a file.

    Raises:
        UsageError: If there is such a value, or if two values name two versions of one convention.
    """
    names = _each(said)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise UsageError(f"conventions= takes names of conventions or registry files, not {said!r}")
    kept: dict[str, str] = {}
    for name in names:
        if _is_file(name):
            continue
        other = kept.setdefault(profile(name).convention, name)
        if other != name:
            raise UsageError(f"conventions= names two versions of one convention: {other} and {name}")


def absolute(said: str | Path | Sequence[str | Path], base: Path) -> tuple[str, ...]:
    """Return names and files one by one, the files with their whole paths.

    Args:
        said: One name or file, or several.
        base: The folder to which the paths of files are relative.
    """
    return tuple(str(base / name) if _is_file(name) else name for name in _each(said))


def named(names: Sequence[str]) -> tuple[Profile, ...]:
    """Return the conventions that names and files stand for.

    Raises:
        UsageError: If a name is not known, or a file cannot be read.
    """
    return tuple(_registry(name) if _is_file(name) else profile(name) for name in names)


@cache
def _registry(path: str) -> Profile:
    return from_registry(Path(path))


def _each(said: object) -> tuple[Any, ...]:
    several = said if isinstance(said, Sequence) and not isinstance(said, str) else (said,)
    return tuple(str(each) if isinstance(each, Path) else each for each in several)


def _is_file(name: str) -> bool:
    """Tell whether a name is written like a file; whether that file exists is found out when it is read."""
    return name not in PROFILES and (name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name)
