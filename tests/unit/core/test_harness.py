"""What the harness does not do unless it is asked for."""

from __future__ import annotations

import pytest

from pytest_llmtrace import LLMTrace
from pytest_llmtrace.capture import Book


def test_where_nothing_was_called_no_cause_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look for one goes through all objects and all installed packages, which costs more than the rest of a test."""
    monkeypatch.setattr(Book, "absence", lambda *_: pytest.fail("it was looked for"))
    with LLMTrace() as trace:
        assert trace.findings() == ()
