"""Fixtures that lead to a receiver: a destination, a spool and requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_llmtrace.export import Destination, Encoder, Spool, destination
from pytest_llmtrace.model import SpanKey, SpanRecord
from tests.receiver import Receiver

# These tests need OpenTelemetry's own encoder, which comes with its exporters.
collect_ignore = [] if find_spec("grpc") else ["test_grpc.py", "test_protobuf.py"]


@pytest.fixture
def to(receiver: Receiver) -> Destination:
    return destination("openobserve", receiver.environ)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def request_of(make_span: Callable[..., SpanRecord]) -> Callable[..., bytes]:
    """Return a function that makes a request with spans that started just now: `request_of(0, 1, test="a")`."""
    now = time.time_ns()

    def request_of(*numbers: int, test: str = "test", run: str = "run") -> bytes:
        spans = [make_span(key=SpanKey(7, 100 + number), start_ns=now, end_ns=now + 1) for number in numbers]
        return Encoder({"llmtrace.run.id": run}).request(spans, {"test.case.name": test})

    return request_of
