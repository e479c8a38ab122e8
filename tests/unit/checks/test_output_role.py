"""`wire/output-role`: a message of the answer never has the role of somebody whose words the model was given."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_llmtrace.checks import verify
from pytest_llmtrace.model import Exchange, Finding, LogRecord, SpanEvent, SpanKey, SpanRecord
from tests.evidence import evidence_of

Judged = Callable[..., list[Finding]]

NEXT = "give the messages of the answer the role that the response gives them, assistant"
PLACE = "cassettes/chat.yaml, interaction 0, exchange 0"
OPENINFERENCE = {"openinference.span.kind": "LLM"}
TEXT = {"choices": [{"message": {"role": "assistant", "content": "A standard."}}]}
CALL = {"choices": [{"message": {"tool_calls": [{"id": "c", "function": {"name": "look", "arguments": "{}"}}]}}]}


@pytest.fixture
def judged(make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]) -> Judged:
    """Judge what a span says of the answer of a call."""

    def judged(
        said: dict[str, Any], answered: dict[str, Any] | None = None, beside: Sequence[LogRecord] = (), **fields: Any
    ) -> list[Finding]:
        reply = json.dumps(TEXT if answered is None else answered).encode()
        exchange = make_exchange(span=1, body={"model": "m", "messages": []}, chunks=(reply,))
        span = make_span(1, attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", **said}, **fields)
        seen = evidence_of([exchange], [span], beside)
        return [finding for finding in verify(seen, {}).findings if finding.check == "wire/output-role"]

    return judged


def messages(*roles: Any) -> dict[str, Any]:
    """Return the answer in OTel GenAI's form, one message for each role."""
    return {"gen_ai.output.messages": json.dumps([{"role": role, "parts": []} for role in roles])}


def test_an_answer_that_the_user_is_said_to_have_given(judged: Judged) -> None:
    """The finding has the attribute, and the text that the model wrote."""
    [finding] = judged({**OPENINFERENCE, "llm.output_messages.0.message.role": "user"})
    assert (finding.severity, finding.subject) == ("error", "span 'chat' (app)")
    assert finding.details == (
        ("span", "llm.output_messages.0.message.role = 'user'"),
        ("wire", f"choices[0].message.content = 'A standard.'\n{PLACE}, response body"),
        ("why", "the conversation on the span has somebody else say what the model said"),
        ("next", f'{NEXT}, or waive: @pytest.mark.llmtrace(ignore={{"wire/output-role": "reason"}})'),
    )


@pytest.mark.parametrize("role", ["developer", "human", "system", "user"])
@pytest.mark.parametrize(
    ("said", "places"),
    [
        ({"llm.output_messages.0.message.role": "{}"}, ["llm.output_messages.0.message.role"]),
        (
            {"llm.output_messages.0.message.role": "assistant", "llm.output_messages.1.message.role": "{}"},
            ["llm.output_messages.1.message.role"],
        ),
        ({"gen_ai.completion.0.role": "{}"}, ["gen_ai.completion.0.role"]),
        ({"gen_ai.output.messages": '{"role": "{}"}'}, ["gen_ai.output.messages.role"]),
        (messages("assistant", "{}", "{}"), ["gen_ai.output.messages[1].role", "gen_ai.output.messages[2].role"]),
    ],
    ids=["OpenInference", "a later message", "OpenLLMetry", "OTel GenAI, one message", "OTel GenAI"],
)
def test_each_place(judged: Judged, role: str, said: dict[str, str], places: list[str]) -> None:
    """Each convention's place is read, in all messages of the answer; one call has one finding."""
    [finding] = judged({key: value.replace("{}", role) for key, value in said.items()}, CALL)
    assert dict(finding.details)["span"] == "\n".join(f"{place} = {role!r}" for place in places)
    assert dict(finding.details)["wire"].startswith("choices[].message.tool_calls = {'id': 'c',")


@pytest.mark.parametrize(
    "said",
    [
        {"llm.output_messages.0.message.role": "assistant", "llm.input_messages.0.message.role": "user"},
        {"gen_ai.completion.0.role": "model"},
        {"gen_ai.completion.0.role": 7},
        messages("assistant", "tool"),
        messages(["user"], None, "assistant"),
        {"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"content": 'who is "user"?'}]}])},
        {"gen_ai.output.messages": '"user"'},
        {"gen_ai.output.messages": '[{"role": "user"'},
        {"gen_ai.output.messages": ("user",)},
    ],
)
def test_what_is_no_finding(judged: Judged, said: dict[str, Any]) -> None:
    """The model's role under any name, a tool's, what only stands in a text, and what cannot be read."""
    assert judged(said) == []


def test_an_answer_without_content(judged: Judged) -> None:
    """If the response says nothing, there is nothing that somebody else could have said."""
    assert judged(messages("user"), {"choices": []}) == []


STRUCTURED = [{"role": "assistant", "parts": []}, {"role": "user", "parts": []}]


def test_structured_values(judged: Judged) -> None:
    """Messages need not be JSON: newer SDKs take structured values."""
    [finding] = judged({"gen_ai.output.messages": STRUCTURED})
    assert dict(finding.details)["span"] == "gen_ai.output.messages[1].role = 'user'"


DETAILS = "gen_ai.client.inference.operation.details"


@pytest.mark.parametrize(
    ("name", "fields", "place"),
    [
        (DETAILS, {"gen_ai.output.messages": STRUCTURED}, f"event {DETAILS}: gen_ai.output.messages[1].role"),
        (
            DETAILS,
            {"gen_ai.output.messages": json.dumps(STRUCTURED)},
            f"event {DETAILS}: gen_ai.output.messages[1].role",
        ),
        ("gen_ai.choice", {"message": {"role": "user", "content": "A"}}, "event gen_ai.choice[0].message.role"),
        ("gen_ai.choice", {"message": '{"role": "user", "content": "A"}'}, "event gen_ai.choice[0].message.role"),
        ("gen_ai.choice", {"message": {"content": "A"}}, ""),
        ("gen_ai.choice", {"message": '"user"'}, ""),
        ("gen_ai.user.message", {"role": "user", "content": "Hi"}, ""),
        (DETAILS, {"gen_ai.input.messages": STRUCTURED}, ""),
    ],
)
def test_events(judged: Judged, name: str, fields: dict[str, Any], place: str) -> None:
    """The events beside a span are read, and its own events, whose attributes are the fields of the body."""
    is_details = name == DETAILS
    beside = LogRecord(
        scope="app",
        event_name=name,
        attributes=fields if is_details else {},
        body=None if is_details else fields,
        span=SpanKey(1, 1),
    )
    own = SpanEvent(name=name, time_ns=0, attributes=fields)
    for found in (judged({}, beside=[beside]), judged({}, events=(own,))):
        assert [dict(finding.details)["span"] for finding in found] == ([f"{place} = 'user'"] if place else [])
