"""Advice where something is missing that may have happened in another process."""

from __future__ import annotations

from typing import Final

from pytest_llmtrace.checks._check import Evidence

__all__ = ["elsewhere"]

_FORKED: Final = (
    "the test forked, and the requests of a child process are answered there and recorded nowhere: make these calls in "
    "this process, in a thread if need be"
)
_STARTED: Final = (
    "a process was started and has ended, and the requests of another process are neither answered nor recorded: if it "
    "was meant to make these calls, make them in this process"
)


def elsewhere(evidence: Evidence) -> str:
    """Say what to do about a call that is missing, if another process may have made it; empty if none may have.

    A process that was started, not forked, may have served another purpose (an SDK starts one to ask what machine it is
    on). So it counts only if this process has made no request.
    """
    if evidence.children == "forked":
        return _FORKED
    return _STARTED if evidence.children == "started" and not evidence.exchanges else ""
