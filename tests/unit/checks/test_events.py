"""The answer in events is compared with the wire, like the answer on the span itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import verify
from pytest_llmtrace.model import Exchange, Finding, LogRecord, SpanEvent, SpanKey, SpanRecord
from tests.evidence import evidence_of

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
        fields = {
            "events": said.pop("own", ()),
            "text_limit": said.pop("limit", None),
            "status": said.pop("status", "UNSET"),
        }
        spans = (make_span(1, attributes=on_span, **fields),)
        exchanges = (make_exchange(span=1, body=asked, chunks=(json.dumps(reply).encode(),)),)
        logs = (LogRecord(scope="app", event_name=name, span=SpanKey(1, span), **said),)
        seen = evidence_of(exchanges, spans, logs)
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
            {"attributes": {"gen_ai.output.messages": messages}},
            f"event {DETAILS}: gen_ai.output.messages[*].parts[text]",
        ),
    ):
        [found] = judged(name, **said)
        assert (found.check, found.subject) == ("wire/output-text", "span 'chat' (app)")
        assert dict(found.details)["span"] == f"{key}: 'It is'"


def test_a_count_on_an_event_is_on_no_span(judged: Callable[..., list[Finding]]) -> None:
    """A count that is only on an event is missing from any sum over spans, so the span is reported as lacking it."""
    usage = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.output.messages": []}
    assert [found.check for found in judged(DETAILS, on_span=LLM, attributes=usage)] == ["wire/usage-missing"]


def test_an_event_that_names_an_error(judged: Callable[..., list[Finding]]) -> None:
    """What is wrong on the span of a call that succeeded is wrong in its event too, on the span or beside it."""
    failed = {"gen_ai.output.messages": [], "error.type": "RateLimitError"}
    own = (SpanEvent(name=DETAILS, time_ns=0, attributes=failed),)
    for found in (judged(DETAILS, attributes=failed), judged("app.other", own=own)):
        assert [(one.check, one.severity, one.subject) for one in found] == [
            ("convention/status", "warning", "span 'chat' (app)")
        ]
        assert dict(found[0].details)["span"] == f"status UNSET, event {DETAILS}: error.type = 'RateLimitError'"
    assert judged(DETAILS, attributes={"gen_ai.output.messages": []}) == []


def test_an_event_and_its_span_that_name_the_same_error(judged: Callable[..., list[Finding]]) -> None:
    """An application may fail with an answer that is right by itself: then span and event agree."""
    failed = {"gen_ai.output.messages": [], "error.type": "app.NotFound"}
    assert judged(DETAILS, attributes=failed, status="ERROR", on_span={**COUNTED, "error.type": "app.NotFound"}) == []


def test_tools_and_reasoning_in_an_event(judged: Callable[..., list[Finding]]) -> None:
    """The event that has the whole call is compared as a whole: its reasoning and its tools, too."""
    parts = [{"type": "reasoning", "content": "Made up."}, {"type": "text", "content": "It is cold."}]
    messages = [{"role": "assistant", "parts": parts, "finish_reason": "stop"}]
    thinking = {"choices": [{**CHOICE, "message": {"content": "It is cold.", "reasoning_content": "Hm."}}]}
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
    assert (found.check, found.also) == ("wire/unreadable", ("convention/content", "convention/event-content"))
    assert dict(found.details)["span"] == (
        f"event {DETAILS}: gen_ai.output.messages = {twice[:80]!r}... ({len(twice)} characters)\n"
        "it was written as JSON twice, so it is a string and not a list"
    )


SOURCE = "genai-2026-10, open-telemetry/semantic-conventions-genai at 4f85037e"
TOLD = [{"role": "assistant", "parts": [{"type": "text", "content": "It is cold."}], "finish_reason": "stop"}]


def test_an_event_with_json(judged: Callable[..., list[Finding]]) -> None:
    """By the convention, the content of an event is structured, and only that of a span may be JSON."""
    [found] = judged(DETAILS, attributes={"gen_ai.output.messages": json.dumps(TOLD)})
    assert (found.check, found.severity, found.subject) == ("convention/event-content", "warning", "span 'chat' (app)")
    assert found.details[:3] == (
        ("span", f"event {DETAILS}: gen_ai.output.messages is a string"),
        ("rule", f"gen_ai.output.messages: structured values, when it is recorded on events\n{SOURCE}"),
        ("why", "whoever reads the event by its convention finds a string where the messages should be"),
    )
    masked = {"gen_ai.output.messages": TOLD, "gen_ai.input.messages": "__REDACTED__"}
    assert judged(DETAILS, attributes=masked) == []


def test_the_structure_of_content_in_an_event(judged: Callable[..., list[Finding]]) -> None:
    """The messages of an event are judged as those of a span; the finding names the place in the event."""
    place = f"event {DETAILS}: gen_ai.output.messages"
    for part, check, flaw in (
        ({"type": "text", "text": "It is cold."}, "convention/content-parts", "parts[0] (text) has no content"),
        ({"content": "It is cold."}, "convention/content", "parts[0] has no type"),
    ):
        [found] = judged(DETAILS, attributes={"gen_ai.output.messages": [{**TOLD[0], "parts": [part]}]})
        assert (found.check, found.details[0]) == (check, ("span", f"{place}[0].{flaw}"))
        assert found.details[1][1].startswith(f"{place}: a list of messages, each with role and parts; ")


def test_json_in_an_event_of_the_span(judged: Callable[..., list[Finding]]) -> None:
    """Most SDKs take no structured values in the events of a span, so JSON is right there; its structure is judged."""

    def own(messages: Any) -> dict[str, Any]:
        said = {"gen_ai.output.messages": json.dumps(messages)}
        return {"own": (SpanEvent(name=DETAILS, time_ns=0, attributes=said),)}

    assert judged("", **own(TOLD)) == []
    [found] = judged("", **own([{**TOLD[0], "role": 7}]))
    assert (found.check, found.details[0][1]) == (
        "convention/content",
        f"event {DETAILS}: gen_ai.output.messages[0].role is a number, not a string",
    )


def test_json_in_an_event_that_a_limit_has_cut(judged: Callable[..., list[Finding]]) -> None:
    """A text that is as long as the span's limit is not judged by its end."""
    attributes = {"gen_ai.output.messages": json.dumps(TOLD)[:30]}
    found = judged(DETAILS, limit=30, attributes=attributes)
    assert [one.check for one in found] == ["convention/event-content"]
    assert [one.check for one in judged(DETAILS, limit=31, attributes=attributes)] == ["wire/unreadable"]


@pytest.mark.parametrize(
    ("key", "wrong", "right", "check"),
    [
        ("gen_ai.usage.input_tokens", 11, 10, "wire/input-tokens"),
        ("gen_ai.usage.output_tokens", 50, 5, "wire/output-tokens"),
        ("gen_ai.response.id", "r2", "r1", "wire/response-id"),
        ("gen_ai.response.model", "gpt-5", "gpt-4o", "wire/response-model"),
        ("gen_ai.request.model", "gpt-5", "gpt-4o", "wire/request-model"),
        ("gen_ai.response.finish_reasons", ("length",), ("stop",), "wire/finish-reasons"),
        ("gen_ai.request.temperature", 0.5, None, "wire/request-temperature"),
    ],
)
def test_what_an_event_repeats_of_the_span(
    judged: Callable[..., list[Finding]], key: str, wrong: Any, right: Any, check: str
) -> None:
    """The event with the whole call repeats the attributes of its span; each is compared, and named with the event."""
    [found] = judged(DETAILS, attributes={**LLM, key: wrong})
    assert (found.check, found.subject) == (check, "span 'chat' (app)")
    assert dict(found.details)["span"].startswith(f"event {DETAILS}: {key} = ")
    own = (SpanEvent(name=DETAILS, time_ns=1, attributes={key: wrong}),)
    assert [one.check for one in judged("other", own=own)] == [check]
    if right is not None:
        assert judged(DETAILS, attributes={**LLM, key: right}) == []


def test_what_several_events_repeat_may_be_of_several_calls(
    judged: Callable[..., list[Finding]],
) -> None:
    """If two events state attributes, it cannot be seen whether both are of the call that is paired with the span."""
    own = tuple(SpanEvent(name=DETAILS, time_ns=1, attributes={"gen_ai.usage.input_tokens": n}) for n in (10, 11))
    assert judged("other", own=own) == []
