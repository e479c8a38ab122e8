"""A convention, and a fixture that makes contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.contract import Names, scopes_of
from pytest_llmtrace.conventions import Attribute, Profile, Rename
from pytest_llmtrace.model import LogRecord, MetricPoint

PROFILE = Profile(
    name="house",
    convention="house",
    source="this test",
    attributes={"house.label": Attribute(name="house.label.", types=("string",), is_family=True)},
    renames={
        "gen_ai.system": Rename(new="gen_ai.vendor"),
        "gen_ai.vendor": Rename(new="gen_ai.provider.name"),
        "llm.usage.total_tokens": Rename(new=None, hint="the sum of both"),
    },
)

Reduce = Callable[..., dict[str, Any]]


@pytest.fixture
def profile() -> Profile:
    """A convention with a family of names, and names that were renamed once or twice."""
    return PROFILE


@pytest.fixture
def reduce() -> Reduce:
    """Reduce spans, log records and metric points to the scopes of a contract."""

    def reduce(*spans: Any, logs: tuple[LogRecord, ...] = (), metrics: tuple[MetricPoint, ...] = ()) -> dict[str, Any]:
        return scopes_of(spans, logs, metrics, Names([PROFILE]))

    return reduce
