"""Building blocks of the cases that prove comparisons of a span with the wire."""

from __future__ import annotations

from typing import Any

from pytest_llmtrace.model import Fact, State, StreamEnd

ABSENT, NULL, UNREADABLE = State.ABSENT, State.NULL, State.UNREADABLE
FAILED = {"error": {"status": 429, "type": "rate_limit_error", "code": None, "message": "Slow down"}}
STREAMING = {"streaming": True}
CLOSED: dict[str, Any] = {"exchange": {"stream_end": StreamEnd.CLOSED, "chunks": (b"data: {}\n\n",)}}
ONE_BLOCK: dict[str, Any] = {"exchange": {"stream_end": StreamEnd.CLOSED, "chunks": (b"data: {}\n\ndata: [DONE]\n\n",)}}


def seen(value: Any, *parts: tuple[str, Any]) -> Fact:
    """Make a fact that was put together from parts, which are pairs of a key and a raw value."""
    return Fact(name="", value=value, state=State.PRESENT, parts=parts)


def call(name: str = "get_weather", id: str | None = "call_1", **arguments: Any) -> dict[str, Any]:  # noqa: A002
    """Make a tool call."""
    return {"id": id, "name": name, "arguments": arguments}
