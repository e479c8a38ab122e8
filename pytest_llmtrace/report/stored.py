"""What OpenObserve would store of a run, as a file for `pytest-llmtrace dashboard`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmtrace.checks import Evidence, Verdict
from pytest_llmtrace.openobserve import kept

__all__ = ["of_run", "of_test"]


def of_test(evidence: Evidence, _verdict: Verdict) -> Any:
    """Return the records of one trace, its secrets masked."""
    return kept.as_plain(evidence.stored.values(), evidence.secrets.masked)


def of_run(tests: Mapping[str, Any]) -> str:
    """Write the records of a run."""
    return kept.as_file(tests)
