"""Fixtures that read small copies of measured spans, and return what a reading says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace import dialects
from pytest_llmtrace.model import Reading, SpanKey, SpanRecord, State

Reader = Callable[..., Reading]


@pytest.fixture
def read() -> Reader:
    """Read a span of an LLM call in some dialect: `read({"gen_ai.operation.name": "chat"}, scope="app")`."""

    def reader(attributes: Mapping[str, Any], *, scope: str = "app") -> Reading:
        span = SpanRecord(key=SpanKey(1, 1), name="chat", scope=scope, attributes=attributes)
        reading = dialects.read(span)
        assert reading is not None
        assert dialects.is_llm(span)
        return reading

    return reader


@pytest.fixture
def said() -> Callable[[Reading], dict[str, Any]]:
    """Return the values of the facts that are present in a reading, by their names."""
    return lambda reading: {name: fact.value for name, fact in reading.facts.items() if fact.state is State.PRESENT}


@pytest.fixture
def again() -> Callable[[Reading], dict[str, Any]]:
    """Return the values that a reading states beside its facts, by their places."""
    return lambda reading: {fact.keys: fact.value for fact in reading.others}
