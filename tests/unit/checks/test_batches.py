"""A batch of embeddings that is sent in several requests has one span, as LlamaIndex and Haystack write it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import verify
from pytest_llmtrace.model import Exchange, Finding, SpanRecord, Worker
from tests.evidence import evidence_of

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]

SENT = {"model": "text-embedding-3-small", "input": ["a", "b"]}


def embedded(count: int) -> bytes:
    """Return the body of a response to this many texts, of two tokens each."""
    data = [{"object": "embedding", "index": n, "embedding": [0.1, 0.2]} for n in range(count)]
    usage = {"prompt_tokens": 2 * count, "total_tokens": 2 * count}
    return json.dumps({"object": "list", "model": SENT["model"], "data": data, "usage": usage}).encode()


def attributes(vectors: int, tokens: int | None) -> dict[str, Any]:
    """Return the attributes that OpenInference writes on a span of embeddings."""
    written: dict[str, Any] = {"openinference.span.kind": "EMBEDDING", "embedding.model_name": SENT["model"]}
    for number in range(vectors):
        written[f"embedding.embeddings.{number}.embedding.vector"] = (0.1, 0.2)
    return written if tokens is None else {**written, "llm.token_count.prompt": tokens}


def judged(exchanges: list[Exchange], spans: list[SpanRecord]) -> list[Finding]:
    """Return the findings of the families `structure/` and `wire/`."""
    seen = evidence_of(exchanges, spans)
    return [one for one in verify(seen, {}).findings if one.check.startswith(("structure/", "wire/"))]


@pytest.fixture
def requests(make_exchange: ExchangeMaker) -> list[Exchange]:
    """Three requests with five texts in all, made inside span 1."""
    return [
        make_exchange(index=n, span=1, path="/v1/embeddings", body=SENT, chunks=(embedded(count),))
        for n, count in enumerate((2, 2, 1))
    ]


@pytest.mark.parametrize(
    ("vectors", "tokens", "found"),
    [
        (5, 10, []),
        (5, 2, ["wire/input-tokens"]),
        (1, 10, ["wire/embedding-count"]),
        (5, None, ["wire/usage-missing"]),
    ],
    ids=["right", "tokens of the last", "vectors of the last", "no tokens"],
)
def test_a_batch_is_added_up(
    make_span: SpanMaker, requests: list[Exchange], vectors: int, tokens: int | None, found: list[str]
) -> None:
    """The one span of a batch has the sum of its requests' counts, and no request lacks a span."""
    spans = [make_span(1, attributes=attributes(vectors, tokens), worker=Worker(1))]
    assert [one.check for one in judged(requests, spans)] == found


def test_the_sum_shows_its_parts(make_span: SpanMaker, requests: list[Exchange]) -> None:
    """The finding on a sum shows the count of each request, and where it stands."""
    [found] = judged(requests, [make_span(1, attributes=attributes(5, 2))])
    sum_ = "usage.prompt_tokens 4 + usage.prompt_tokens 4 + usage.prompt_tokens 2 = 10"
    places = [f"cassettes/chat.yaml, interaction 0, exchange {n}, response body" for n in range(3)]
    assert (found.check, dict(found.details)["wire"]) == ("wire/input-tokens", "\n".join((sum_, *places)))


@pytest.mark.parametrize(("status", "found"), [("ERROR", []), ("OK", ["wire/error-status"])])
def test_a_batch_that_failed(
    make_span: SpanMaker, make_exchange: ExchangeMaker, requests: list[Exchange], status: str, found: list[str]
) -> None:
    """One request that fails is the failure of the whole batch."""
    body = json.dumps({"error": {"message": "no", "type": "invalid_request_error"}}).encode()
    requests[2] = make_exchange(index=2, span=1, path="/v1/embeddings", body=SENT, status=400, chunks=(body,))
    told = make_span(1, attributes=attributes(0, None), status=status, status_description="no")
    assert [one.check for one in judged(requests, [told])] == found


def test_requests_with_spans_of_their_own_are_no_batch(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span around requests that have spans of their own covers them, and describes none."""
    spans = [make_span(1, attributes=attributes(0, None))]
    spans += [make_span(n, parent=1, attributes=attributes(2, 4)) for n in (2, 3)]
    exchanges = [
        make_exchange(index=n, span=n, path="/v1/embeddings", body=SENT, chunks=(embedded(2),)) for n in (2, 3)
    ]
    assert judged(exchanges, spans) == []


def test_chats_inside_of_one_span_are_no_batch(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Two chats inside one LLM span are two calls, of which one lacks a span."""
    span = make_span(1, attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"})
    found = judged([make_exchange(index=n, span=1) for n in range(2)], [span])
    assert [one.check for one in found] == ["structure/exchange-without-span"]
