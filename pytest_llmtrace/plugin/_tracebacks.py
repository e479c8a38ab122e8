"""Tracebacks that end in the application.

An error that this package raises on purpose is raised deep below the application's call that caused it, and its text
says what to do: the frames between the two, of HTTP libraries, SDKs and instrumentations, are some eighty lines that do
not help.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

import pytest

from pytest_llmtrace.errors import LLMTraceError

__all__ = ["shorten"]

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


def shorten(excinfo: pytest.ExceptionInfo[BaseException], config: pytest.Config) -> None:
    """Let the traceback of an error of this package end with the application's last frame; `--full-trace` shows all.

    The exception keeps its own traceback, so that a debugger stops where it was raised.
    """
    if not isinstance(excinfo.value, LLMTraceError) or config.getoption("fulltrace"):
        return
    steps = list(_steps(excinfo.tb))
    while len(steps) > 1 and _is_between(steps[-1]):
        steps.pop()
    shown: TracebackType | None = None
    for step in reversed(steps):
        shown = TracebackType(shown, step.tb_frame, step.tb_lasti, step.tb_lineno)
    if shown is not None:  # An exception that was never raised has no traceback.
        excinfo.traceback = type(excinfo.traceback)(shown)  # pytest takes the entries that it shows from this.


def _steps(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _is_between(step: TracebackType) -> bool:
    return str(step.tb_frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN
