"""The telemetry contract of a run (names, kinds and types, no values), and the changes between two contracts."""

from pytest_llmtrace.contract._changes import Impact, changes
from pytest_llmtrace.contract._contract import as_contract, scopes_of
from pytest_llmtrace.contract._coverage import Coverage, coverages, seen_of
from pytest_llmtrace.contract._file import as_json, load
from pytest_llmtrace.contract._names import Names
from pytest_llmtrace.contract._pages import FORMATS
from pytest_llmtrace.contract._renames import Renames
from pytest_llmtrace.contract._tables import to_json, to_markdown
from pytest_llmtrace.contract._tally import add_all

__all__ = [
    "FORMATS",
    "Coverage",
    "Impact",
    "Names",
    "Renames",
    "add_all",
    "as_contract",
    "as_json",
    "changes",
    "coverages",
    "load",
    "scopes_of",
    "seen_of",
    "to_json",
    "to_markdown",
]
