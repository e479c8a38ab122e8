"""Spans as they were measured, written small, and what a reading of one says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace import dialects
from pytest_llmtrace.model import Reading, SpanKey, SpanRecord, State

Reader = Callable[..., Reading]


@pytest.fixture
def read() -> Reader:
    """Read a span that is one in some dialect: `read({"gen_ai.operation.name": "chat"}, scope="app")`."""

    def reader(attributes: Mapping[str, Any], *, scope: str = "app") -> Reading:
        span = SpanRecord(key=SpanKey(1, 1), name="chat", scope=scope, attributes=attributes)
        reading = dialects.read(span)
        assert reading is not None
        assert dialects.is_llm(span)
        return reading

    return reader


@pytest.fixture
def said() -> Callable[[Reading], dict[str, Any]]:
    """Return what a reading says: its values by name, of the facts that are present."""
    return lambda reading: {name: fact.value for name, fact in reading.facts.items() if fact.state is State.PRESENT}


@pytest.fixture
def again() -> Callable[[Reading], dict[str, Any]]:
    """Return what a reading says a second time: values by the places that state them."""
    return lambda reading: {fact.keys: fact.value for fact in reading.others}
