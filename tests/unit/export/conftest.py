"""A receiver, and what leads to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.export import Destination, Spool, destination, resource_spans
from pytest_llmtrace.model import SpanKey, SpanRecord
from tests.receiver import Receiver

# OpenTelemetry's own encoder comes with its exporters.
collect_ignore = [] if find_spec("grpc") else ["test_grpc.py", "test_protobuf.py"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def to(receiver: Receiver) -> Destination:
    return destination("openobserve", receiver.environ)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def spans_of(make_span: Callable[..., SpanRecord]) -> Callable[..., list[dict[str, Any]]]:
    """Return elements of `resourceSpans` that started just now: `spans_of(0, 1, test="a")`."""
    now = time.time_ns()

    def spans_of(*numbers: int, test: str = "test", run: str = "run") -> list[dict[str, Any]]:
        spans = [make_span(key=SpanKey(7, 100 + number), start_ns=now, end_ns=now + 1) for number in numbers]
        return resource_spans(spans, resource={"llmtrace.run.id": run}, attributes={"test.case.name": test})

    return spans_of
