"""A call that was tried again with success is no failure, whatever happened before."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Exchange, Finding, Outcome, SpanEvent, SpanRecord, StreamEnd
from pytest_llmtrace.pairing import match

Judged = Callable[..., list[Finding]]

LLM = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
BROKEN = {
    "response": None,
    "outcome": Outcome.FAILED,
    "failure": "ConnectError: no route",
    "stream_end": StreamEnd.FAILED,
}
WHERE = "cassettes/chat.yaml, interaction 0, exchange 1"


def raised(kind: str) -> SpanEvent:
    """Make the event that `record_exception` makes."""
    return SpanEvent(name="exception", time_ns=1, attributes={"exception.type": kind})


@pytest.fixture
def judged(make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]) -> Judged:
    """Judge the span of two attempts; `attributes` and `events` are the span's, other fields the first attempt's."""

    def judged(
        *, status: str = "ERROR", last: int = 200, before: tuple[Exchange, ...] = (), **fields: Any
    ) -> list[Finding]:
        said = {"attributes": {**LLM, **fields.pop("attributes", {})}, "events": fields.pop("events", ())}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
        body = json.dumps({"id": "r", "object": "chat.completion", "model": "gpt-4o", "choices": [choice]}).encode()
        exchanges = (
            make_exchange(index=0, span=1, **{"status": 429, **fields}),
            make_exchange(index=1, span=1, status=last, chunks=(body if last == 200 else b"{}",)),
            *before,
        )
        spans = (make_span(1, status=status, **said),)
        seen = Evidence(exchanges=exchanges, spans=spans, calls=match(exchanges, spans).calls)
        return [finding for finding in verify(seen, {}).findings if finding.check == "wire/error-retried"]

    return judged


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"attributes": {"error.type": "RateLimitError"}}, "error.type = 'RateLimitError'"),
        ({"attributes": {"error.type": "429"}}, "error.type = '429'"),
        ({"events": (raised("openai.RateLimitError"),)}, "exception.type = 'openai.RateLimitError'"),
        ({"attributes": {"error.type": "APIConnectionError"}, **BROKEN}, "error.type = 'APIConnectionError'"),
    ],
)
def test_the_error_of_an_earlier_attempt(judged: Judged, fields: dict[str, Any], reason: str) -> None:
    """The span must not keep the status that an attempt before the last has set."""
    [found] = judged(**fields)
    assert (found.severity, found.subject) == ("error", "span 'chat' (app)")
    assert dict(found.details) == {
        "span": f"status ERROR, {reason}",
        "wire": f"that is the error of exchange 0; the last attempt was answered 200\n{WHERE}",
        "why": "error rates and alerts count this call as a failure, although its user got an answer",
        "next": "set the status and error.type when the last attempt is over, and note earlier ones as events; "
        "set_status(OK) takes back an ERROR, or waive: "
        '@pytest.mark.llmtrace(ignore={"wire/error-retried": "reason"})',
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "OK", "attributes": {"error.type": "RateLimitError"}},
        {"last": 500, "attributes": {"error.type": "RateLimitError"}},
        {"attributes": {"error.type": "ValueError"}},
        {"attributes": {"error.type": "500"}},
        {"events": (raised("openai.RateLimitError"), raised("ValueError"))},
        {},
    ],
)
def test_errors_that_may_be_right(judged: Judged, fields: dict[str, Any]) -> None:
    """A failed call is a failure, and an application may raise after a success whatever it likes."""
    assert judged(**fields) == []


def test_the_error_of_another_call_inside_the_span(judged: Judged, make_exchange: Callable[..., Exchange]) -> None:
    """If another call failed while the span was open, the error may be that call's."""
    other = make_exchange(index=2, status=429, path="/v1/embeddings", body={"model": "m", "input": "a"})
    assert judged(attributes={"error.type": "RateLimitError"}, before=(other,)) == []
