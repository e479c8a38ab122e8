"""Spans as OpenObserve will show them: judged only if the team names its profile, or the columns that it uses."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pytest_llmtrace.checks import _backend_calls, _backend_columns
from pytest_llmtrace.checks._check import Check
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.openobserve import server

__all__ = ["CHECKS", "refuse_backend"]

CHECKS: tuple[Check, ...] = (*_backend_calls.CHECKS, *_backend_columns.CHECKS)


def refuse_backend(openobserve: Any = None, openobserve_columns: Any = ()) -> None:
    """Refuse an unknown profile of OpenObserve, and columns that are not a list of names.

    Raises:
        UsageError: If the profile is unknown, or the columns are not a list of names.
    """
    if openobserve is not None:
        server(openobserve)
    several = isinstance(openobserve_columns, Collection) and not isinstance(openobserve_columns, str)
    if not several or not all(isinstance(name, str) and name for name in openobserve_columns):
        raise UsageError(f"openobserve_columns= takes a list of names of columns, not {openobserve_columns!r}")
