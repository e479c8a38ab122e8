"""Events of one message each say the same as log records and as events of the span, and are compared in the same way.

The fields of a log record's body are the attributes of a span's event; its lists and objects are JSON there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Exchange, LogRecord, SpanEvent, SpanKey, SpanRecord
from pytest_llmtrace.pairing import match

Judged = Callable[..., list[str]]

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
SENT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Is it cold?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "-3"},
]
ANSWER = {"index": 0, "message": {"role": "assistant", "content": "It is cold."}, "finish_reason": "stop"}
REPLY = {"model": "gpt-4o", "choices": [ANSWER], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}
SPAN = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
}
TRUE: Mapping[str, dict[str, Any]] = {
    "gen_ai.system.message": {"content": "Be brief."},
    "gen_ai.user.message": {"content": "Is it cold?"},
    "gen_ai.assistant.message": {"tool_calls": [CALL]},
    "gen_ai.tool.message": {"id": "c1", "content": "-3"},
    "gen_ai.choice": {"index": 0, "finish_reason": "stop", "message": {"content": "It is cold."}},
}


def in_a_log(said: Mapping[str, dict[str, Any]]) -> tuple[tuple[SpanEvent, ...], tuple[LogRecord, ...]]:
    """Write events as log records."""
    return (), tuple(
        LogRecord(scope="team.instrumentation", event_name=name, body=body, span=SpanKey(1, 1))
        for name, body in said.items()
    )


def on_the_span(said: Mapping[str, dict[str, Any]]) -> tuple[tuple[SpanEvent, ...], tuple[LogRecord, ...]]:
    """Write events as those of the span, with one attribute for each field."""
    flat = (
        (name, {key: json.dumps(value) if isinstance(value, list | dict) else value for key, value in body.items()})
        for name, body in said.items()
    )
    return tuple(SpanEvent(name=name, time_ns=0, attributes=fields) for name, fields in flat), ()


def in_one_attribute(said: Mapping[str, dict[str, Any]]) -> tuple[tuple[SpanEvent, ...], tuple[LogRecord, ...]]:
    """Write events as those of the span, with the whole body in one attribute, as Azure's SDKs do."""
    written = ((name, {"gen_ai.event.content": json.dumps(body)}) for name, body in said.items())
    return tuple(SpanEvent(name=name, time_ns=0, attributes=fields) for name, fields in written), ()


@pytest.fixture(params=[in_a_log, on_the_span, in_one_attribute])
def judged(
    request: pytest.FixtureRequest, make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]
) -> Judged:
    """Judge a call whose events differ from the true ones; an event is left out if it is None."""

    def judged(other: Mapping[str, dict[str, Any] | None]) -> list[str]:
        events, logs = request.param({name: body for name, body in {**TRUE, **other}.items() if body is not None})
        span = make_span(1, name="chat gpt-4o", scope="team.instrumentation", attributes=SPAN, events=events)
        body = {"model": "gpt-4o", "messages": SENT}
        exchange = make_exchange(span=1, body=body, chunks=(json.dumps(REPLY).encode(),))
        calls = match([exchange], [span], logs).calls
        findings = verify(Evidence(exchanges=(exchange,), spans=(span,), calls=calls, logs=logs), {}).findings
        return [found.check for found in findings if found.check.startswith("wire/") and found.severity == "error"]

    return judged


def asked_for(**other: Any) -> dict[str, Any]:
    """Make the event of the answer with the tool call, which differs from the true one."""
    function = {
        "name": "look",
        "arguments": '{"at": 1}',
        **{key: other.pop(key) for key in ("name", "arguments") if key in other},
    }
    return {"gen_ai.assistant.message": {"tool_calls": [{**CALL, "function": function, **other}]}}


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"gen_ai.user.message": {"role": "user", "content": "Is it cold?"}},
        {"gen_ai.user.message": {"content": [{"type": "text", "text": "Is it cold?"}]}},
        {"gen_ai.tool.message": {"id": "c1", "content": [{"type": "text", "text": "-3"}]}},
        {"gen_ai.tool.message": {"tool_call_id": "c1", "content": "-3"}},
        {"gen_ai.assistant.message": {"content": None, "tool_calls": [CALL]}},
        asked_for(arguments={"at": 1}),
        {"gen_ai.choice": {"index": 0, "message": {"role": "assistant", "content": "It is cold."}}},
        {"gen_ai.choice": None},
        dict.fromkeys(TRUE),
    ],
)
def test_events_that_tell_the_truth(judged: Judged, other: Mapping[str, Any]) -> None:
    """The same call in other forms of the events, or in none of them, has no finding."""
    assert judged(other) == []


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({"gen_ai.system.message": {"content": "Be long."}}, "wire/input-messages"),
        ({"gen_ai.system.message": None}, "wire/input-messages"),
        ({"gen_ai.user.message": {"content": "Is it warm?"}}, "wire/input-messages"),
        ({"gen_ai.user.message": {"content": [{"type": "text", "text": "Is it warm?"}]}}, "wire/input-messages"),
        ({"gen_ai.user.message": {"role": "assistant", "content": "Is it cold?"}}, "wire/input-messages"),
        ({"gen_ai.user.message": None}, "wire/input-messages"),
        (asked_for(name="hear"), "wire/input-tool-calls"),
        (asked_for(arguments='{"at": 2}'), "wire/input-tool-calls"),
        (asked_for(id="c2"), "wire/input-tool-calls"),
        ({"gen_ai.assistant.message": None}, "wire/input-tool-calls"),
        ({"gen_ai.tool.message": {"id": "c1", "content": "+3"}}, "wire/input-messages"),
        ({"gen_ai.tool.message": {"id": "c2", "content": "-3"}}, "wire/input-messages"),
        ({"gen_ai.tool.message": None}, "wire/input-messages"),
        ({"gen_ai.choice": {**TRUE["gen_ai.choice"], "finish_reason": "length"}}, "wire/finish-reasons"),
        ({"gen_ai.choice": {**TRUE["gen_ai.choice"], "message": {"content": "It is warm."}}}, "wire/output-text"),
        ({"gen_ai.choice": {**TRUE["gen_ai.choice"], "tool_calls": [CALL]}}, "wire/tool-calls"),
        (
            {"gen_ai.choice": {**TRUE["gen_ai.choice"], "message": {"content": "It is cold.", "tool_calls": [CALL]}}},
            "wire/tool-calls",
        ),
        (
            {"gen_ai.choice": {**TRUE["gen_ai.choice"], "message": {"role": "user", "content": "It is cold."}}},
            "wire/output-role",
        ),
        (
            {"gen_ai.choice": {**TRUE["gen_ai.choice"], "message": {"content": "It is cold.", "refusal": "No."}}},
            "wire/refusal",
        ),
    ],
)
def test_one_event_that_does_not(judged: Judged, other: Mapping[str, Any], found: str) -> None:
    """Each field of an event is compared with the wire, wherever the event stands."""
    assert judged(other) == [found]
