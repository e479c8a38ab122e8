"""The file that says which findings a suite already has, so that only new ones fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_llmtrace._argtypes import parsed_json
from pytest_llmtrace._stdlib import json
from pytest_llmtrace._written import write_text
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.secrets.shapes import masked

__all__ = ["Baseline", "Entries", "by_name", "gone", "missing", "name_of", "opened", "renewed", "write"]

Entries = Mapping[str, Mapping[str, int]]
"""By the name of a test (see `name_of`): its findings, as `waivers.key_of` names them, and how often each occurs."""

_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """A baseline as it was when the run began.

    Attributes:
        path: The file.
        label: The file as the user has named it.
        command: The command that rewrites the file.
        writing: Whether this run rewrites it.
        entries: The findings that it lists; empty if this run creates the file.
    """

    path: Path
    label: str
    command: str
    writing: bool = False
    entries: Entries = field(default_factory=dict)


def opened(path: Path, *, label: str, command: str, writing: bool) -> Baseline:
    """Return the baseline that a file holds.

    Raises:
        UsageError: If the file is missing and this run does not create it (or has no folder to do so), or if it cannot
            be read; the text says what to do.
    """
    baseline = Baseline(path=path, label=label, command=command, writing=writing)
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if writing and path.parent.is_dir():
            return baseline
        step = f"create it with {command}" if path.parent.is_dir() else f"create the folder {path.parent.name}"
        raise UsageError(f"there is no baseline {label}: {step}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(label, str(getattr(error, "strerror", None) or "it is not UTF-8"), command) from None
    entries = _entries(content, label, command)
    return Baseline(path=path, label=label, command=command, writing=writing, entries=entries)


def name_of(test: str) -> str:
    """Return the name of a test in a baseline: its node id without secrets, which its parameters may be."""
    return masked(test)


def by_name(found: Iterable[tuple[str, Mapping[str, int]]]) -> dict[str, Counter[str]]:
    """Return the findings of tests by their names; tests with the same name may each have as many as any of them."""
    entries: dict[str, Counter[str]] = {}
    for test, of_test in found:
        name = name_of(test)
        entries[name] = entries.get(name, Counter()) | Counter(of_test)
    return entries


def write(path: Path, entries: Entries) -> None:
    """Replace the file in one step. It is sorted and has one finding per line, so that diffs are small.

    Raises:
        OSError: If the file cannot be written; it then stays as it was.
    """
    ordered = {test: dict(sorted(found.items())) for test, found in sorted(entries.items())}
    content = json.dumps({"version": _VERSION, "findings": ordered}, indent=2)
    write_text(path, content)


def renewed(old: Entries, ran: Entries, without: AbstractSet[str]) -> Entries:
    """Return the entries of a baseline after a run.

    Args:
        old: The entries so far; tests that did not run to their end keep theirs.
        ran: The findings of the tests that ran to their end.
        without: Tests that no longer exist.
    """
    return {test: found for test, found in {**old, **ran}.items() if found and test not in without}


def gone(old: Entries, reported: AbstractSet[str], *, root: Path, whole: bool) -> frozenset[str]:
    """Return the tests of a baseline that no longer exist.

    Args:
        old: The entries of the baseline.
        reported: The tests that this run has reported, skipped ones too.
        root: The folder to which the paths in test ids are relative.
        whole: Whether the run left out no test of the files that it ran, so that a test of theirs that was not reported
            does not exist.
    """
    files = {_file(test) for test in reported}
    return frozenset(
        test
        for test in old
        if test not in reported and ((whole and _file(test) in files) or not (root / _file(test)).exists())
    )


def missing(old: Entries, ran: Entries, without: AbstractSet[str]) -> Iterator[tuple[str, str, int]]:
    """Yield the findings that no longer occur: test, finding, and how many fewer of it there are."""
    for test in sorted(old):
        if test in ran or test in without:
            less = Counter(old[test])
            less.subtract(ran.get(test, {}))
            yield from ((test, found, number) for found, number in sorted(less.items()) if number > 0)


def _file(test: str) -> str:
    return test.partition("::")[0]


def _entries(content: str, label: str, command: str) -> Entries:
    try:
        found = parsed_json(content)
    except json.JSONDecodeError as error:
        raise _broken(label, f"line {error.lineno}: {error.msg}", command) from None
    except RecursionError:
        raise _broken(label, "it is nested too deeply", command) from None
    except ValueError as error:
        raise _broken(label, str(error), command) from None
    if isinstance(found, dict) and found.get("version", _VERSION) != _VERSION:
        raise UsageError(
            f"the baseline {label} has version {found['version']!r}, not {_VERSION}: update pytest-llmtrace"
        )
    entries = found.get("findings") if isinstance(found, dict) else None
    if not isinstance(entries, dict) or not all(map(_is_counted, entries.values())):
        raise _broken(label, "expected {'version': 1, 'findings': {test: {finding: count}}}", command)
    return entries


def _is_counted(found: Any) -> bool:
    return isinstance(found, dict) and all(type(number) is int and number > 0 for number in found.values())


def _broken(label: str, reason: str, command: str) -> UsageError:
    return UsageError(f"the baseline {label} cannot be read: {reason}; restore it, or delete it and run {command}")
