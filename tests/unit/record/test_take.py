"""What is recorded of an exchange, whole or broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace.model import Exchange, Failure, Outcome, StreamEnd
from pytest_llmtrace.record._take import taken

SSE = (("content-type", "text/event-stream"),)


@pytest.mark.parametrize(
    ("failure", "recorded"),
    [
        ("ConnectError: refused", Failure.CONNECT_ERROR),
        ("ConnectTimeout: ", Failure.CONNECT_TIMEOUT),
        ("ReadTimeout: timed out", Failure.READ_TIMEOUT),
        ("RemoteProtocolError: illegal status line", Failure.DISCONNECT),
        ("PoolTimeout: ", Failure.POOL_TIMEOUT),
        ("ProxyError: 502", Failure.PROXY_ERROR),
        ("ReadError: ", Failure.READ_ERROR),
        ("WriteError: ", Failure.WRITE_ERROR),
        ("WriteTimeout: ", Failure.WRITE_TIMEOUT),
        ("CancelledError: ", Failure.CANCELLED),
        ("Cancelled: Cancelled", Failure.CANCELLED),
    ],
)
def test_an_exception_is_recorded_by_its_kind(made: Callable[..., Exchange], failure: str, recorded: Failure) -> None:
    """An exception is recorded by its kind: before any response, and midway, with the chunks that came before it."""
    broken = made(stream_end=StreamEnd.FAILED, failure=failure)
    before = taken(replace(broken, response=None, outcome=Outcome.FAILED))
    assert before is not None
    assert (before.response, before.failure) == (None, recorded)
    midway = taken(made(b"{}", b"data: 1\n\n", answer=SSE, stream_end=StreamEnd.FAILED, failure=failure))
    assert midway is not None
    assert midway.response is not None
    assert (midway.response.body, midway.failure) == (b"data: 1\n\n", recorded)


@pytest.mark.parametrize("end", [StreamEnd.CLOSED, StreamEnd.OPEN, StreamEnd.CANCELLED])
@pytest.mark.parametrize(
    ("chunks", "headers", "failure"),
    [
        ((b"data: 1\n\n",), SSE, Failure.ABORTED),
        ((b"data: 1\n\n", b"data: [DONE]\n\n"), SSE, None),
        ((b'event: message_stop\ndata: {"type":"message_stop"}\n\n',), SSE, None),
        ((b'data: {"error": {"message": "x"}}\n\n',), SSE, None),
        ((b"event: error\ndata: {}\n\n",), SSE, None),
        ((b"event: response.completed\ndata: {}\n\n",), SSE, None),
        ((b"{}",), (("content-length", "2"),), None),
        ((b"{",), (("content-length", "2"),), Failure.ABORTED),
    ],
)
def test_a_stream_that_the_client_left(
    made: Callable[..., Exchange], chunks: Any, headers: Any, failure: Failure | None, end: StreamEnd
) -> None:
    """A stream counts as aborted, or cancelled, unless it was complete: SDKs stop reading after the last event."""
    recording = taken(made(b"{}", *chunks, answer=headers, stream_end=end))
    assert recording is not None
    assert recording.failure is (Failure.CANCELLED if failure and end is StreamEnd.CANCELLED else failure)


def test_only_what_went_to_the_network_is_recorded(made: Callable[..., Exchange]) -> None:
    """The reply of a mock, or of a host that is let through anyway, is not recorded."""
    assert taken(made(live=False)) is None
