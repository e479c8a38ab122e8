"""Verify the telemetry of LLM calls in tests: replay recorded traffic, capture the spans, compare the two.

Importing this package imports nothing else; each name is loaded when it is first used (PEP 562), since pytest imports
the package in every run.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmtrace._selection import assert_attributes, assert_attributes_exactly
    from pytest_llmtrace.dialects import Dialect
    from pytest_llmtrace.dialects import register as register_dialect
    from pytest_llmtrace.errors import (
        BlockedConnection,
        CassetteError,
        LLMTraceError,
        QueryError,
        SelectionError,
        UnmatchedRequest,
        UsageError,
        VerificationError,
    )
    from pytest_llmtrace.harness import LLMTrace
    from pytest_llmtrace.model import Fact, Finding, Known, Reading, Severity
    from pytest_llmtrace.tree import SpanTree
    from pytest_llmtrace.views import ExchangeView, SpanView

__all__ = [
    "BlockedConnection",
    "CassetteError",
    "Dialect",
    "ExchangeView",
    "Fact",
    "Finding",
    "Known",
    "LLMTrace",
    "LLMTraceError",
    "QueryError",
    "Reading",
    "SelectionError",
    "Severity",
    "SpanTree",
    "SpanView",
    "UnmatchedRequest",
    "UsageError",
    "VerificationError",
    "__version__",
    "assert_attributes",
    "assert_attributes_exactly",
    "register_dialect",
]

__version__ = "0.1.0"

_HOME = {
    "Dialect": "dialects",
    "ExchangeView": "views",
    "Fact": "model",
    "Finding": "model",
    "Known": "model",
    "LLMTrace": "harness",
    "Reading": "model",
    "Severity": "model",
    "SpanTree": "tree",
    "SpanView": "views",
    "assert_attributes": "_selection",
    "assert_attributes_exactly": "_selection",
    "register_dialect": "dialects",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOME.get(name, 'errors')}")
    return getattr(module, name.removesuffix("_dialect"))


def __dir__() -> list[str]:
    return sorted(__all__)
