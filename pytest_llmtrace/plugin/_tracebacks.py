"""Tracebacks that end in the application, and failures that are only a text at the place of their test.

An error that this package raises on purpose is raised deep below the application's call that caused it, and its text
says what to do: the frames between the two, of HTTP libraries, SDKs and instrumentations, are some eighty lines that do
not help.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

import pytest

from pytest_llmtrace.errors import LLMTraceError
from pytest_llmtrace.plugin._outcomes import Failed

__all__ = ["leaves", "locate", "shortened"]

_BETWEEN = frozenset(
    [
        *(
            "aiohttp",
            "anthropic",
            "asyncio",
            "httpcore",
            "httpcore2",
            "httpx",
            "httpx2",
            "openai",
            "requests",
            "urllib3",
        ),
        *("contextlib", "openinference", "opentelemetry", "pytest_llmtrace", "wrapt"),
    ]
)
"""The packages whose frames stand between the application's call and the code that refuses it."""
_PACKAGE: Final = str(Path(__file__).parents[1])


@contextmanager
def shortened(excinfo: pytest.ExceptionInfo[BaseException], config: pytest.Config) -> Iterator[None]:
    """Let the tracebacks of errors of this package end with the application's last frame; `--full-trace` shows all.

    An error in a group, or behind another error, is short within the block only: pytest offers no other way. So outside
    of it every exception has its own traceback, and a debugger stops where the error was raised.
    """
    if config.getoption("fulltrace", default=False):  # Absent under -p no:terminal.
        yield
        return
    if _is_of_call(excinfo.value):
        shown = _shown(excinfo.tb)
        if shown is not None:  # An exception that was never raised has no traceback.
            excinfo.traceback = type(excinfo.traceback)(shown)  # pytest takes the entries that it shows from this.
    inner = [(error, error.__traceback__) for error in _behind(excinfo.value) if _is_of_call(error)]
    for error, traceback in inner:
        error.__traceback__ = _shown(traceback)
    try:
        yield
    finally:
        for error, traceback in inner:
            error.__traceback__ = traceback


def locate(report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException], item: pytest.Item) -> None:
    """Let a failure of this package that is only a text be at its test, as pytest's own failures are.

    The first line of its message is all that pytest shows of it in its summary: it names the checks.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    if not _is_text(excinfo.value) or crash is None or not str(crash.path).startswith(_PACKAGE):
        return
    path, line, _ = item.reportinfo()
    crash.path, crash.lineno = str(path), (line or 0) + 1
    if isinstance(excinfo.value, Failed):
        crash.message = f"{excinfo.value.line}\n\n{crash.message.removeprefix('Failed: ')}"


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, or those in it if it is a group."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def _is_of_call(error: BaseException) -> bool:
    return isinstance(error, LLMTraceError) and not _is_text(error)


def _is_text(error: BaseException) -> bool:
    return isinstance(error, pytest.fail.Exception) and not error.pytrace


def _behind(error: BaseException) -> list[BaseException]:
    """Return the errors that pytest shows with an error: those in a group, causes, and what was being handled."""
    found: list[BaseException] = []
    left = [error]
    while left:
        current = left.pop()
        of_group = current.exceptions if isinstance(current, BaseExceptionGroup) else ()
        new = [*of_group, *filter(None, (current.__cause__, current.__context__))]
        new = [one for one in new if one is not error and not any(one is known for known in found)]
        found += new
        left += new
    return found


def _shown(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without its last steps, as far as these are between the application and the refusal."""
    steps = list(_steps(traceback))
    while len(steps) > 1 and _is_between(steps[-1]):
        steps.pop()
    shown: TracebackType | None = None
    for step in reversed(steps):
        shown = TracebackType(shown, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return shown


def _steps(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _is_between(step: TracebackType) -> bool:
    return str(step.tb_frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN
