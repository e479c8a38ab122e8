"""Fixtures that make an exchange from bytes and read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import wire
from pytest_llmtrace.model import Ambient, Exchange, Outcome, Reading, Request, Response, State

URLS = {
    "chat": "https://api.example/v1/chat/completions",
    "completions": "https://api.example/v1/completions",
    "embeddings": "https://api.example/v1/embeddings",
    "messages": "https://api.example/v1/messages",
    "responses": "https://api.example/v1/responses",
}
ASKED: dict[str, dict[str, Any]] = {
    "chat": {"model": "asked", "messages": []},
    "completions": {"model": "asked", "prompt": "x"},
    "embeddings": {"model": "asked", "input": "x"},
    "messages": {"model": "asked", "messages": []},
    "responses": {"model": "asked", "input": "x"},
}


def _bytes(body: Any) -> tuple[bytes, str]:
    """Write a body: bytes as they are, an object as JSON, a list as the events of a stream.

    An event is an object, a pair of a name and an object, or a text that is written as it is.
    """
    if isinstance(body, bytes):
        return body, ""
    if isinstance(body, list):
        return "".join(map(_event, body)).encode(), "text/event-stream"
    return json.dumps(body).encode(), "application/json"


def _event(event: Any) -> str:
    if isinstance(event, str):
        return event
    if isinstance(event, dict):
        return f"data: {json.dumps(event)}\n\n"
    name, data = event
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _exchange(
    api: str,
    body: Any,
    *,
    status: int = 200,
    headers: tuple[tuple[str, str], ...] = (),
    asked: dict[str, Any] | None = None,
    url: str = "",
) -> Exchange:
    content, kind = _bytes(body)
    if kind and not any(name.lower() == "content-type" for name, _ in headers):
        headers = (("Content-Type", kind), *headers)
    return Exchange(
        index=3,
        request=Request(method="POST", url=url or URLS[api], body=json.dumps({**ASKED[api], **(asked or {})}).encode()),
        response=Response(status=status, headers=headers, chunks=(content,)),
        outcome=Outcome.ANSWERED,
        origin="chat.yaml",
        ambient=Ambient(),
        started=1,
    )


@pytest.fixture
def make() -> Callable[..., Exchange]:
    """Return a function that makes the exchange that `read` reads."""
    return _exchange


@pytest.fixture
def read() -> Callable[..., Reading]:
    """Return a function that reads a response: `read("chat", body, status=, headers=, asked=, url=)`."""

    def reading_of(api: str, body: Any, **how: Any) -> Reading:
        reading = wire.read(_exchange(api, body, **how))
        assert reading is not None
        return reading

    return reading_of


@pytest.fixture
def said(read: Callable[..., Reading]) -> Callable[..., dict[str, Any]]:
    """Return a function that reads as `read` does, and returns all values present but the request's own."""

    def values_of(api: str, body: Any, **how: Any) -> dict[str, Any]:
        facts = read(api, body, **how).facts
        there = {name: fact.value for name, fact in facts.items() if fact.state is State.PRESENT}
        assert there.pop("request_model") == "asked"
        there.pop("streaming")
        there.pop("input_messages", None)
        return there

    return values_of
