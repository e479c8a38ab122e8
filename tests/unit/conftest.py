"""Factories of records that fill in what a test does not state, virtual time, and cheap garbage collection."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_llmtrace import clock
from pytest_llmtrace.model import Ambient, Exchange, Outcome, Request, Response, SpanKey, SpanRecord, StreamEnd

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]


@pytest.fixture(scope="module")
def few_objects() -> Iterator[None]:
    """Make garbage collections fast: with the SDKs' modules and thousands of tests, each takes half a second.

    Frozen objects are hidden from `gc.get_referrers` too. The plugin takes that into account, but other code does not,
    so the freeze ends with the module.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def make_span() -> SpanMaker:
    """Make a span that has ended, by number: `make_span(2, parent=1, name="chat")`."""

    def make(number: int = 1, *, parent: int | None = None, **fields: Any) -> SpanRecord:
        defaults: dict[str, Any] = {
            "key": SpanKey(1, number),
            "parent": None if parent is None else SpanKey(1, parent),
            "name": "chat",
            "scope": "app",
            "started": number,
            "ended": 1000 + number,
            "start_ns": number * 1_000_000,
            "end_ns": number * 1_000_000 + 412_000_000,
        }
        return SpanRecord(**{**defaults, **fields})

    return make


@pytest.fixture
def make_exchange() -> ExchangeMaker:
    """Make an answered chat completion: `make_exchange(index=1, span=2, status=429)`."""

    def make(
        *,
        index: int = 0,
        span: int | None = None,
        path: str = "/v1/chat/completions",
        body: dict[str, Any] | None = None,
        status: int = 200,
        chunks: tuple[bytes, ...] = (b"{}",),
        content_type: str = "application/json",
        headers: tuple[tuple[str, str], ...] = (),
        **fields: Any,
    ) -> Exchange:
        sent = {"model": "gpt-4o", "messages": []} if body is None else body
        defaults: dict[str, Any] = {
            "index": index,
            "request": Request(
                method="POST",
                url=f"https://api.openai.com{path}",
                headers=headers,
                body=json.dumps(sent).encode(),
            ),
            "response": Response(status=status, headers=(("Content-Type", content_type),), chunks=chunks),
            "outcome": Outcome.ANSWERED,
            "origin": "cassettes/chat.yaml, interaction 0",
            "ambient": Ambient(span=None if span is None else SpanKey(1, span), recording=span is not None),
            "started": 100 + 10 * index,
            "started_ns": (100 + 10 * index) * 1_000_000,
            "chunk_ticks": tuple(range(101 + 10 * index, 101 + 10 * index + len(chunks))),
            "ended": 108 + 10 * index,
            "stream_end": StreamEnd.EXHAUSTED,
        }
        return Exchange(**{**defaults, **fields})

    return make


@pytest.fixture
def virtual() -> Iterator[clock.Clock]:
    """Virtual time for the length of the test."""
    found = clock.Clock("recorded")
    found.start()
    yield found
    found.stop()
