"""The answer in events is compared with the wire, like the answer on the span itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Exchange, Finding, LogRecord, SpanKey, SpanRecord
from pytest_llmtrace.pairing import match

CHOICE = {"index": 0, "message": {"role": "assistant", "content": "It is cold."}, "finish_reason": "stop"}
REPLY = {"id": "r1", "model": "gpt-4o", "choices": [CHOICE], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}
LLM = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
COUNTED = {**LLM, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
DETAILS = "gen_ai.client.inference.operation.details"


@pytest.fixture
def judged(
    make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]
) -> Callable[..., list[Finding]]:
    """Judge a call whose span has one event."""

    def judged(name: str, span: int = 1, on_span: dict[str, Any] = COUNTED, **said: Any) -> list[Finding]:
        reply, asked = {**REPLY, **said.pop("reply", {})}, {**ASKED, **said.pop("asked", {})}
        spans = (make_span(1, attributes=on_span),)
        exchanges = (make_exchange(span=1, body=asked, chunks=(json.dumps(reply).encode(),)),)
        logs = (LogRecord(scope="app", event_name=name, span=SpanKey(1, span), **said),)
        paired = match(exchanges, spans, logs)
        seen = Evidence(exchanges=exchanges, spans=spans, calls=paired.calls, strays=paired.strays, logs=logs)
        return [found for found in verify(seen, {}).findings if found.severity != "info"]

    return judged


def event(text: str) -> dict[str, Any]:
    """Return the body of a choice's event."""
    return {"body": {**CHOICE, "message": {"role": "assistant", "content": text}}}


def test_an_event_that_tells_the_truth(judged: Callable[..., list[Finding]]) -> None:
    """A true event has no finding, and neither has an event whose span is of no call."""
    assert judged("gen_ai.choice", **event("It is cold.")) == []
    assert judged("gen_ai.choice", span=7, **event("It is")) == []


def test_an_event_that_lost_a_chunk(judged: Callable[..., list[Finding]]) -> None:
    """The finding is about the span, and names the event."""
    messages = [{"role": "assistant", "parts": [{"type": "text", "content": "It is"}], "finish_reason": "stop"}]
    for name, said, key in (
        ("gen_ai.choice", event("It is"), "event gen_ai.choice[*].message.content"),
        (
            DETAILS,
            {"attributes": {"gen_ai.output.messages": json.dumps(messages)}},
            f"event {DETAILS}: gen_ai.output.messages[*].parts[text]",
        ),
    ):
        [found] = judged(name, **said)
        assert (found.check, found.subject) == ("wire/output-text", "span 'chat' (app)")
        assert dict(found.details)["span"] == f"{key}: 'It is'"


def test_a_count_on_an_event_is_on_no_span(judged: Callable[..., list[Finding]]) -> None:
    """A count that is only on an event is missing from any sum over spans, so the span is reported as lacking it."""
    usage = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.output.messages": "[]"}
    assert [found.check for found in judged(DETAILS, on_span=LLM, attributes=usage)] == ["wire/usage-missing"]


def test_tools_and_reasoning_in_an_event(judged: Callable[..., list[Finding]]) -> None:
    """The event that has the whole call is compared as a whole: its reasoning and its tools, too."""
    parts = [{"type": "reasoning", "content": "Made up."}, {"type": "text", "content": "It is cold."}]
    messages = [{"role": "assistant", "parts": parts, "finish_reason": "stop"}]
    thinking = {"choices": [{**CHOICE, "message": {**CHOICE["message"], "reasoning_content": "Hm."}}]}
    [found] = judged(DETAILS, reply=thinking, attributes={"gen_ai.output.messages": messages})
    assert (found.check, dict(found.details)["span"]) == (
        "wire/reasoning-text",
        f"event {DETAILS}: gen_ai.output.messages[*].parts[reasoning]: 'Made up.'",
    )
    tool = {"type": "function", "name": "listen", "description": "Listens."}
    offered = {"tools": [{"type": "function", "function": {"name": "look", "description": "Looks."}}]}
    [found] = judged(DETAILS, asked=offered, attributes={"gen_ai.tool.definitions": [tool]})
    assert (found.check, dict(found.details)["span"]) == (
        "wire/request-tools",
        f"event {DETAILS}: gen_ai.tool.definitions: 'listen'",
    )


def test_an_event_that_cannot_be_read(judged: Callable[..., list[Finding]]) -> None:
    """The finding names the field of the event, and not the event as if that were an attribute."""
    twice = json.dumps(json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "It is cold."}]}]))
    [found] = judged(DETAILS, attributes={"gen_ai.output.messages": twice})
    assert found.check == "wire/unreadable"
    assert dict(found.details)["span"] == (
        f"event {DETAILS}: gen_ai.output.messages = {twice[:80]!r}... ({len(twice)} characters)\n"
        "it was written as JSON twice, so it is a string and not a list"
    )
