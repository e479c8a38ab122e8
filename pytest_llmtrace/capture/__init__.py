"""Record spans, log records and metric points, each in the book of the test that caused it.

When a trace ends, `harness` takes the spans from the book, and `pairing` matches them with the HTTP exchanges.
Importing this package imports the OpenTelemetry SDK.
"""

from __future__ import annotations

from pytest_llmtrace.capture._install import install
from pytest_llmtrace.capture.absence import find_for_calls, hint_for
from pytest_llmtrace.capture.book import Book, open_book
from pytest_llmtrace.capture.context import ambient, context_kept, current_span
from pytest_llmtrace.capture.finished import FinishedSpans
from pytest_llmtrace.capture.instrumentors import Instrumentor, Switch, loaded, named, silent, switch_on

__all__ = [
    "Book",
    "FinishedSpans",
    "Instrumentor",
    "Switch",
    "ambient",
    "context_kept",
    "current_span",
    "find_for_calls",
    "hint_for",
    "install",
    "loaded",
    "named",
    "open_book",
    "silent",
    "switch_on",
]
