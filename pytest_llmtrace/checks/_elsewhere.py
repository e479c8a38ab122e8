"""Advice where something is missing that may have happened in another process."""

from __future__ import annotations

from typing import Final

from pytest_llmtrace.checks._check import Evidence

__all__ = ["elsewhere"]

_FORKED: Final = (
    "the test has forked, and what a child process asks is answered there and seen by nobody: make these calls in this "
    "process, in a thread if need be"
)
_STARTED: Final = (
    "a process that was started meanwhile has ended, and what another process asks is neither answered nor seen: make "
    "these calls in this one, if that was to make them"
)


def elsewhere(evidence: Evidence) -> str:
    """Say what to do about a call that is missing, if another process may have made it; empty if none may have.

    A process that was started, not forked, may have served another purpose (an SDK starts one to ask what machine it is
    on). So it counts only if this process has made no request.
    """
    if evidence.children == "forked":
        return _FORKED
    return _STARTED if evidence.children == "started" and not evidence.exchanges else ""
