"""Events that were emitted in a span are read for the prompt and the answer of its call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace import dialects
from pytest_llmtrace.model import LogRecord, Reading, SpanEvent, SpanKey, SpanRecord

SPAN = SpanRecord(key=SpanKey(1, 1), name="chat", scope="app", attributes={"gen_ai.operation.name": "chat"})
ASKED = {"id": "c1", "name": "look", "arguments": {"at": 1}}
TOOL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
ANSWER = [{"role": "assistant", "parts": [{"type": "text", "content": "Yes."}], "finish_reason": "stop"}]
CALLED = {"finish_reasons": ["tool_calls"], "output_texts": [None], "tool_calls": [ASKED]}
SAID = {"finish_reasons": ["stop"], "output_texts": ["Yes."], "tool_calls": []}


def choice(index: Any = 0, reason: Any = "stop", **fields: Any) -> LogRecord:
    """Make the event of one choice."""
    return LogRecord(scope="app", event_name="gen_ai.choice", body={"index": index, "finish_reason": reason, **fields})


def details(messages: Any) -> LogRecord:
    """Make the event with all output messages."""
    name = "gen_ai.client.inference.operation.details"
    return LogRecord(scope="app", event_name=name, attributes={"gen_ai.output.messages": messages})


def given() -> LogRecord:
    """Make the event with the input messages only."""
    asked = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}])
    return replace(details(ANSWER), attributes={"gen_ai.input.messages": asked})


def tools(description: str = "Looks.") -> LogRecord:
    """Make the event with the tools only."""
    tool = {"type": "function", "name": "look", "description": description}
    return replace(details(ANSWER), attributes={"gen_ai.tool.definitions": [tool]})


def result(identity: str | None) -> LogRecord:
    """Make the event of a tool's result."""
    return LogRecord(scope="app", event_name="gen_ai.tool.message", body={"id": identity, "content": "Cold."})


COLD = {"role": "tool", "text": "Cold."}
OFFERED = {
    "tools": [{"name": "look", "type": "function"}],
    "tool_definitions": [{"name": "look", "description": "Looks."}],
}


def said(*events: LogRecord) -> Mapping[str, Any] | None:
    """Return the values that are read from events, by the names of their facts."""
    reading: Reading | None = dialects.read_events(SPAN, events)
    return None if reading is None else {name: fact.value for name, fact in reading.facts.items()}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([details(json.dumps(ANSWER))], SAID),
        ([details(ANSWER)], SAID),
        ([given(), details(ANSWER)], {**SAID, "input_messages": [{"role": "user", "text": "Hi"}]}),
        ([choice(message={"role": "assistant", "content": "Yes."})], SAID),
        (
            [choice(1, "length", message={"content": "No"}), choice(0, message={"content": "Yes."})],
            {"finish_reasons": ["stop", "length"], "output_texts": ["Yes.", "No"], "tool_calls": []},
        ),
        *(
            ([choice(reason="tool_calls", **one)], CALLED)
            for one in ({"message": {"tool_calls": [TOOL]}}, {"message": {"role": "assistant"}, "tool_calls": [TOOL]})
        ),
        (
            [details([{"parts": [{"type": "reasoning", "content": "Hm."}, {"type": "refusal", "content": "No."}]}])],
            {"output_texts": [None], "reasoning_texts": ["Hm."], "refusals": ["No."], "tool_calls": []},
        ),
        (
            [choice(message={"content": None, "refusal": "No."})],
            {"finish_reasons": ["stop"], "output_texts": [None], "refusals": ["No."], "tool_calls": []},
        ),
        # The tools may be in an event of their own, and in each of several events.
        ([tools(), details(ANSWER)], {**OFFERED, **SAID}),
        ([tools(), tools()], OFFERED),
        # A result that names its call shows that the call is missing; one that names none does not.
        ([result("c1")], {"input_messages": [{**COLD, "answers": "c1"}], "input_tool_calls": []}),
        ([result(None)], {"input_messages": [COLD]}),
        # Content is not captured; content has a form of its own; nothing is stated of the choice.
        ([choice(message={"role": "assistant"})], {"finish_reasons": ["stop"]}),
        ([choice(message={"content": [{"kind": "text", "text": "Yes."}]})], {"finish_reasons": ["stop"]}),
        ([choice(reason=None)], {}),
    ],
)  # fmt: skip
def test_what_events_say(events: list[LogRecord], expected: dict[str, Any]) -> None:
    """One event has all messages, or each choice has an event, with tool calls in the place of either version."""
    assert said(*events) == expected


@pytest.mark.parametrize(
    "events",
    [
        [],
        [LogRecord(scope="app", event_name="gen_ai.user.message", body="Hi")],
        [LogRecord(scope="app", event_name="gen_ai.choice", body="Yes.")],
        [LogRecord(scope="app", event_name="gen_ai.client.inference.operation.details")],
        [choice(0, message={"content": "Yes."}), choice(0, message={"content": "No."})],
        [choice("first", message={"content": "Yes."})],
        [details(ANSWER), details(ANSWER)],
        [details(ANSWER), details(ANSWER), given()],
        [tools(), tools("Listens.")],
    ],
)
def test_events_that_say_nothing_of_one_answer(events: list[LogRecord]) -> None:
    """Events with the prompt only, without messages, or of several calls in one span say nothing of an answer."""
    assert said(*events) is None


def test_where_events_are() -> None:
    """A fact's place names the event, and says that it stands beside the span."""
    reading = dialects.read_events(SPAN, [choice(message={"content": "Yes."})])
    assert reading is not None
    fact = reading.fact("output_texts")
    assert (fact.keys, fact.where) == ("event gen_ai.choice[*].message.content", "events of span 'chat'")


def test_an_event_that_cannot_be_read() -> None:
    """An event that cannot be read makes its facts unreadable, and is one problem."""
    reading = dialects.read_events(SPAN, [details("[{")])
    assert reading is not None
    assert {fact.state for fact in reading.facts.values()} == {"unreadable"}
    assert len(reading.problems) == 1


LOOP: dict[str, Any] = {"type": "tool_result"}
LOOP["content"] = [LOOP]


@pytest.mark.parametrize("result", [{"x": b"1"}, {(1,): 2}, LOOP, [LOOP]])
def test_the_body_of_an_event_may_hold_anything(result: Any) -> None:
    """A value that JSON has no form for, or that contains itself, is not text, and nothing raises."""
    body = {"content": [{"type": "tool_result", "content": result}]}
    event = LogRecord(scope="app", event_name="gen_ai.tool.message", body=body)
    assert not (said(event) or {}).get("input_messages")


# --- events of the span itself ---------------------------------------------------------------------------------------


def of_span(*events: tuple[str, dict[str, Any]]) -> Mapping[str, Any] | None:
    """Return the values that are read from a span's own events, by the names of their facts."""
    written = tuple(SpanEvent(name=name, time_ns=0, attributes=attributes) for name, attributes in events)
    reading = dialects.read_own_events(replace(SPAN, events=written))
    return None if reading is None else {name: fact.value for name, fact in reading.facts.items()}


HI = {"role": "user", "text": "Hi"}
USE = {"toolUse": {"toolUseId": "c1", "name": "look", "input": {"at": 1}}}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Hm."}}}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (  # Strands, in the form of semconv 1.36.
            [("gen_ai.choice", {"finish_reason": "end_turn", "message": json.dumps([THOUGHT, {"text": "Yes."}])})],
            {**SAID, "finish_reasons": ["end_turn"], "reasoning_texts": ["Hm."]},
        ),
        (
            [("gen_ai.choice", {"finish_reason": "tool_use", "message": json.dumps([USE, {"cachePoint": {}}])})],
            {**CALLED, "finish_reasons": ["tool_use"]},
        ),
        (  # Strands, in the form of semconv 1.37.
            [
                ("gen_ai.client.inference.operation.details", details(json.dumps(ANSWER)).attributes),
                ("gen_ai.client.inference.operation.details", given().attributes),
            ],
            {**SAID, "input_messages": [HI]},
        ),
        (  # Azure's SDKs write the body as JSON text.
            [
                ("gen_ai.user.message", {"gen_ai.event.content": '{"role": "user", "content": "Hi"}'}),
                ("gen_ai.choice", {"gen_ai.event.content": json.dumps(choice(message={"content": "Yes."}).body)}),
            ],
            {**SAID, "input_messages": [HI]},
        ),
        ([("gen_ai.choice", {"finish_reason": "stop", "message": "Yes."})], SAID),
        ([("gen_ai.choice", {"finish_reason": "stop", "message": '"Yes."'})], {**SAID, "output_texts": ['"Yes."']}),
        ([("gen_ai.choice", {"finish_reason": "stop", "message": "[7]"})], {"finish_reasons": ["stop"]}),
        (
            [("gen_ai.choice", {"finish_reason": "tool_calls", "message": "{}", "tool_calls": json.dumps([TOOL])})],
            CALLED,
        ),
        (
            [("gen_ai.assistant.message", {"content": "Hi", "tool_calls": json.dumps([TOOL])})],
            {"input_messages": [{"role": "assistant", "text": "Hi"}], "input_tool_calls": [ASKED]},
        ),
        (  # Strands has the tool calls of the history in the content, with other parts.
            [("gen_ai.assistant.message", {"content": json.dumps([{"text": "Hi"}, USE])})],
            {"input_messages": [{"role": "assistant", "text": "Hi"}], "input_tool_calls": [ASKED]},
        ),
        (
            [("gen_ai.assistant.message", {"content": '[{"sky": "clear"}]'})],
            {"input_messages": [{"role": "assistant", "text": '[{"sky": "clear"}]'}]},
        ),
        (
            [("gen_ai.assistant.message", {"content": "Hi", "tool_calls": "[{"})],
            {"input_messages": [{"role": "assistant", "text": "Hi"}]},
        ),
        ([("gen_ai.choice", {"gen_ai.event.content": "Yes."})], {}),
        ([("gen_ai.choice", {"gen_ai.event.content": "[7]"})], {}),
        ([("exception", {"exception.message": "No."})], None),
    ],
)  # fmt: skip
def test_what_events_of_the_span_say(events: list[tuple[str, dict[str, Any]]], expected: dict[str, Any] | None) -> None:
    """The fields of a body are attributes, which hold text, JSON, or the JSON of Bedrock's parts."""
    assert of_span(*events) == expected
