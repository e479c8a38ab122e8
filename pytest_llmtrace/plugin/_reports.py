"""pytest's options, ini values -> the files that a run writes about itself, and writing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.plugin import _ini

__all__ = ["reports_of", "write"]

_TERMINAL: Final = Path("-")
_REPORTS: Final = pytest.StashKey[Sequence[tuple[str, Path]]]()


def reports_of(config: pytest.Config) -> Sequence[tuple[str, Path]]:
    """Return the files that are wanted, each with its format; read once.

    Raises:
        UsageError: A format is not known, or a value has no format.
    """
    if _REPORTS not in config.stash:
        asked = config.getoption("--llmtrace-report")
        # What is typed is relative to where one is, as --junitxml; what is configured, to the configuration.
        folder = config.invocation_params.dir if asked else config.rootpath
        wanted = asked or _ini.lines(config, "llmtrace_report")
        config.stash[_REPORTS] = list(dict.fromkeys(_parsed(value, folder) for value in wanted))
    return config.stash[_REPORTS]


def _parsed(value: str, folder: Path) -> tuple[str, Path]:
    from pytest_llmtrace.report import FORMATS

    name, found, path = (part.strip() for part in value.partition("="))
    if not found or not path:
        raise UsageError(f"--llmtrace-report takes FORMAT=PATH, as weaver=weaver.json, not {value!r}")
    if name not in FORMATS:
        raise UsageError.unknown("format of --llmtrace-report", name, FORMATS)
    return name, _TERMINAL if path == "-" else folder / path


def write(
    config: pytest.Config, accounts: Mapping[str, Any], *, failed: Callable[[Path, OSError], str]
) -> Iterator[str]:
    """Write the files, and say so, a line each, or what the terminal is to show instead of a file.

    Args:
        config: The run's.
        accounts: What each test has seen, by its id.
        failed: Is told of a file that cannot be written, and returns what is to be said; the others are written.
    """
    from pytest_llmtrace.report import FORMATS

    for name, path in reports_of(config):
        tests = {test: account["reports"][name] for test, account in accounts.items() if name in account["reports"]}
        text = FORMATS[name].of_run(tests)
        if path is _TERMINAL:
            yield from ("", *text.splitlines())
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Halves of characters, which texts may have in Python, are written as JSON writes them: `\\ud83d`.
            path.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            yield failed(path, error)
        else:
            yield f"  report       wrote {name} to {path}"
