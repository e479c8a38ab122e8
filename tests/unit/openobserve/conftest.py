"""A fixture that returns spans as the records that OpenObserve makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.model import SpanKey, SpanRecord
from pytest_llmtrace.openobserve import NEWEST, Record, record


@pytest.fixture
def store() -> Callable[..., Record]:
    """Return a function that makes a span with some attributes and returns its record."""

    def make(attributes: Mapping[str, Any] | None = None, profile: str = NEWEST, **more: Any) -> Record:
        fields: dict[str, Any] = {
            "key": SpanKey(0xABC, 0xDEF),
            "name": "ChatCompletion",
            "scope": "openinference.instrumentation.openai",
            "status": "OK",
            "resource": {"service.name": "chat-api"},
            "start_ns": 1_700_000_000_123_456_789,
            "end_ns": 1_700_000_002_123_457_789,
        }
        return record(SpanRecord(**{**fields, **more, "attributes": attributes or {}}), profile=profile)

    return make
