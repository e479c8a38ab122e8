"""Read from pytest's options and ini values which reports a run writes, and write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_llmtrace._stdlib import json
from pytest_llmtrace._written import write_text
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.plugin import _ini

__all__ = ["reports_of", "write"]

_TERMINAL: Final = Path("-")
_LACKS: Final = "; tests may be missing in it, since the run was stopped"
_REPORTS: Final = pytest.StashKey[Sequence[tuple[str, Path]]]()


def reports_of(config: pytest.Config) -> Sequence[tuple[str, Path]]:
    """Return the files that are wanted, each with its format; read once.

    Raises:
        UsageError: A format is not known, a value has no format, or two formats have one file.
    """
    if _REPORTS not in config.stash:
        folder, wanted = _ini.base_and_lines(config, "llmtrace_report")
        found = list(dict.fromkeys(_parsed(value, folder) for value in wanted))
        _refuse_one_file(found)
        config.stash[_REPORTS] = found
    return config.stash[_REPORTS]


def _refuse_one_file(reports: Sequence[tuple[str, Path]]) -> None:
    """Refuse several reports in one file, of which only the last would be left."""
    formats: dict[Path, str] = {}
    for name, path in reports:
        if path is not _TERMINAL and (other := formats.setdefault(path, name)) != name:
            raise UsageError(f"--llmtrace-report: {other} and {name} would both be written to {path.name}")


def _parsed(value: str, folder: Path) -> tuple[str, Path]:
    from pytest_llmtrace.report import FORMATS

    name, found, path = (part.strip() for part in value.partition("="))
    if not found or not path:
        raise UsageError(f"--llmtrace-report takes FORMAT=PATH, such as weaver=weaver.json, not {value!r}")
    if name not in FORMATS:
        raise UsageError.unknown("format of --llmtrace-report", name, FORMATS)
    return name, _TERMINAL if path == "-" else folder / path


def write(
    config: pytest.Config, accounts: Mapping[str, Any], *, stopped: bool, failed: Callable[[Path, OSError], str]
) -> Iterator[str]:
    """Write the reports; yield a line for each file, or the text of a report that goes to the terminal.

    Args:
        config: The configuration of the run.
        accounts: The account of what each test has seen, by the test's id.
        stopped: Whether the run has ended before its last test.
        failed: Takes a file that cannot be written and the error, and returns the line for it; other files are written.
    """
    from pytest_llmtrace.report import FORMATS

    in_order = sorted(accounts.items())  # Processes and plugins run tests in any order.
    for name, path in reports_of(config):
        tests = {test: account["reports"][name] for test, account in in_order if name in account["reports"]}
        text = FORMATS[name].of_run(tests)
        if path is _TERMINAL:
            yield from ("", *map(_safe, text.split("\n")))
            continue
        try:
            write_text(path, text)
        except OSError as error:
            yield failed(path, error)
        else:
            yield f"  report       wrote {name} to {path}{_LACKS if stopped else ''}"


def _safe(line: str) -> str:
    """Return a line that cannot move a terminal's cursor: what JSON leaves as it is, it may write as an escape, too."""
    return line if line.isprintable() else "".join(map(_escaped, line))


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]
