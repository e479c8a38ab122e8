"""Spans of executed tools against the tool calls on the wire: ids, names, arguments and results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Exchange, Finding, Maker, Severity, SpanKey, SpanRecord
from pytest_llmtrace.pairing import match

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]
Judge = Callable[..., list[Finding]]

PARIS, ROME = "call_aaaaaaaa", "call_bbbbbbbb"
CALLS = ((PARIS, "weather", '{"city": "Paris", "days": 3}'), (ROME, "rain", '{"city": "Rome"}'))
RESULTS = {PARIS: '{"city": "Paris", "sky": "clear"}', ROME: "no rain in Rome"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 3}}}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("weather", "rain")]
LLM = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
GENAI = {
    "id": "gen_ai.tool.call.id",
    "name": "gen_ai.tool.name",
    "arguments": "gen_ai.tool.call.arguments",
    "result": "gen_ai.tool.call.result",
}
ANSWER = "scripted openai chat, exchange 0, response body"
SECOND = "scripted openai chat, exchange 1, request body"
RIGHT = {"id": PARIS, "name": "weather", "arguments": CALLS[0][2], "result": RESULTS[PARIS]}


def calls_of(tools: tuple[tuple[str, str, str], ...]) -> dict[str, Any]:
    """Return the assistant's message that asks for tools."""
    asked = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in tools]
    return {"role": "assistant", "content": None, "tool_calls": asked}


def body_of(message: Mapping[str, Any], reason: str) -> tuple[bytes, ...]:
    """Return the body of a chat completion."""
    choice = {"index": 0, "finish_reason": reason, "message": message}
    return (json.dumps({"id": "r", "object": "chat.completion", "model": "gpt-4o", "choices": [choice]}).encode(),)


@pytest.fixture
def judge(make_span: SpanMaker, make_exchange: ExchangeMaker) -> Judge:
    """Judge a run of two calls, with the span of one executed tool between them."""

    def judge(
        said: Mapping[str, Any],
        *,
        keys: Mapping[str, str] = GENAI,
        opening: Mapping[str, Any] | None = None,
        results: Mapping[str, Any] = RESULTS,
        tools: tuple[tuple[str, str, str], ...] = CALLS,
        again: tuple[tuple[str, str, str], ...] = CALLS,
        more: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> list[Finding]:
        asked = {"role": "user", "content": "How is the weather?"}
        sent = [{"role": "tool", "tool_call_id": i, "content": said} for i, said in results.items()]
        history = [asked, calls_of(again), *sent]
        origin = "scripted openai chat"
        exchanges = [
            make_exchange(
                index=0, span=2, origin=origin, chunks=body_of(calls_of(tools), "tool_calls"),
                body={"model": "gpt-4o", "messages": [asked], "tools": TOOLS, **(more or {})},
            ),
            make_exchange(
                index=1, span=4, origin=origin, chunks=body_of({"role": "assistant", "content": "Fine."}, "stop"),
                body={"model": "gpt-4o", "messages": history, "tools": TOOLS},
            ),
        ]  # fmt: skip
        start = {"gen_ai.operation.name": "execute_tool"} if opening is None else opening
        attributes = {**start, **{keys[name]: value for name, value in said.items()}}
        spans = [
            make_span(1, name="agent"),
            make_span(2, parent=1, attributes=LLM, started=99, ended=109),
            make_span(3, parent=1, name="tool", **{"attributes": attributes, "started": 109, "ended": 110, **fields}),
            make_span(4, parent=1, attributes=LLM, started=110, ended=119),
        ]
        paired = match(exchanges, spans)
        seen = Evidence(exchanges=tuple(exchanges), spans=tuple(spans), calls=paired.calls, strays=paired.strays)
        return [found for found in verify(seen, {}).findings if found.check.startswith("agent/executed")]

    return judge


def finding(
    check: str, span: str, wire: str, why: str, advice: str, severity: Severity = Severity.ERROR, place: str = ANSWER
) -> Finding:
    """Return the whole finding that is expected."""
    return Finding(
        check=check,
        severity=severity,
        subject="span 'tool' (app)",
        details=(
            ("span", span),
            ("wire", f"{wire}\n{place}" if place else wire),
            ("why", why),
            ("next", f'{advice}, or waive: @pytest.mark.llmtrace(ignore={{"{check}": "reason"}})'),
        ),
        span=SpanKey(1, 3),
        makers=(Maker(scope="app"),),
    )


# --- right spans -----------------------------------------------------------------------------------------------------

OPENINFERENCE = {
    "id": "tool_call.id",
    "name": "tool.name",
    "arguments": "input.value",
    "result": "output.value",
}
PYDANTIC = {**GENAI, "arguments": "tool_arguments", "result": "tool_response"}


@pytest.mark.parametrize(
    ("keys", "opening", "scope"),
    [
        (GENAI, None, "app"),
        (GENAI, {}, "app"),
        (OPENINFERENCE, {"openinference.span.kind": "TOOL"}, "app"),
        (PYDANTIC, {}, "pydantic-ai"),
        ({**GENAI, "arguments": "traceloop.entity.input"}, {"traceloop.span.kind": "tool"}, "app"),
    ],
)
def test_a_right_span_in_each_convention(judge: Judge, keys: Any, opening: Any, scope: str) -> None:
    """What the model asked for and was given is no finding; with another call's result there is one, so it was read."""
    assert judge(RIGHT, keys=keys, opening=opening, scope=scope) == []
    wrong = judge({**RIGHT, "result": RESULTS[ROME]}, keys=keys, opening=opening, scope=scope)
    assert [found.check for found in wrong] == ["agent/executed-result"]


@pytest.mark.parametrize(
    "said",
    [
        {"arguments": '{"days":3,"city":"Paris"}'},
        {"arguments": '{"city": "Paris", "days": 3, "unit": "C"}'},
        {"arguments": '{"city": "paris ", "days": "3"}'},
        {"arguments": '{"city": "Paris"}'},  # Its schema has a default for the days.
        {"arguments": '{"town": "Paris", "days": 3}'},
        {"arguments": '{"city": "Lyon", "days": 3}'},  # A person may have put it right.
        {"arguments": '{"city": "Par... [truncated]'},
        {"arguments": "[REDACTED]"},
        {"arguments": "Paris"},
        {"name": "travel__weather"},
        {"name": "Weather forecast"},
        {"result": "{'city': 'Paris', 'sky': 'clear'}"},
        {"result": '[{"type": "text", "text": "{\\"city\\": \\"Paris\\", \\"sky\\": \\"clear\\"}"}]'},
        {"result": '{"content": {"city": "Paris", "sky": "clear"}, "status": "ok"}'},
        {"result": '{"city": "Paris", "sk...'},
        {"result": ""},
        {"result": "__REDACTED__"},
        {"id": "job-17"},  # An id of the framework's own.
    ],
)
def test_what_frameworks_change(judge: Judge, said: dict[str, str]) -> None:
    """Defaults, types, names, forms, limits and masks differ between conventions, and are no faults."""
    assert judge({**RIGHT, **said}) == []


def test_a_span_without_an_id_is_not_compared(judge: Judge) -> None:
    """Without the id of a call, nothing says which call a tool was executed for."""
    assert judge({"name": "rain", "arguments": "{}", "result": "?"}) == []


def test_a_call_that_a_request_repeats_otherwise(judge: Judge) -> None:
    """A person may change a call before it is made: the next request then has the arguments that it was made with."""
    edited = ((PARIS, "weather", '{"city": "Rome"}'), CALLS[1])
    assert judge({**RIGHT, "arguments": '{"city": "Rome"}'}, again=edited) == []


# --- faults ----------------------------------------------------------------------------------------------------------


def test_an_id_that_no_answer_has(judge: Judge) -> None:
    """An id in the form of the wire's ids that the wire does not have leads to no call."""
    assert judge({**RIGHT, "id": "call_cccccccc"}) == [
        finding(
            "agent/executed-call",
            "gen_ai.tool.call.id = 'call_cccccccc'",
            f"no tool call with this id; tool calls: weather '{PARIS}', rain '{ROME}'",
            "nothing leads from this execution to the answer that asked for it",
            "take the id from the tool call in the model's answer",
            place="",
        )
    ]


@pytest.mark.parametrize("said", [PARIS[:-2], f"{PARIS}00"])
def test_an_id_that_is_cut_off_or_continued(judge: Judge, said: str) -> None:
    """An id that begins as one of the wire's, or as which one of these begins, is judged whatever its length."""
    assert [found.check for found in judge({**RIGHT, "id": said})] == ["agent/executed-call"]


@pytest.mark.parametrize("said", ["call_cc", "run_cccccccc", "cccccccc"])
def test_an_id_of_another_form(judge: Judge, said: str) -> None:
    """An id of another prefix or length may be a framework's own, for what no model asked for."""
    assert judge({**RIGHT, "id": said}) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"more": {"previous_response_id": "resp_1"}},
        {"more": {"conversation": "conv_1"}},
        {"key": SpanKey(7, 3)},
    ],
)
def test_an_id_of_a_call_that_need_not_be_there(judge: Judge, fields: dict[str, Any]) -> None:
    """A call may be in the part of a conversation that the server keeps, and a tool may run in another trace."""
    assert judge({**RIGHT, "id": "call_cccccccc"}, **fields) == []


def test_the_name_of_another_tool(judge: Judge) -> None:
    """The name of another tool that was offered is wrong, not just another word for this one."""
    assert judge({**RIGHT, "name": "rain"}) == [
        finding(
            "agent/executed-name",
            "gen_ai.tool.name = 'rain'",
            f"choices[].message.tool_calls: weather '{PARIS}'",
            "time and errors of one tool are shown as those of another",
            "take the name and the id from the same tool call",
        )
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('{"city":"Rome"}', f"these are the arguments of another call, rain '{ROME}'"),
        ('{"city": "Paris", "da', "the end of the arguments is lost, so whoever reads the span cannot parse them"),
        ("{}", "arguments of the call are missing: city"),
        (
            json.dumps(CALLS[0][2]),
            "the arguments were encoded as JSON twice, so whoever parses them gets a string and not an object",
        ),
    ],
)
def test_arguments_that_the_model_did_not_give(judge: Judge, said: str, why: str) -> None:
    """Arguments of another call, broken off, lost, or encoded twice are wrong in every convention."""
    assert judge({**RIGHT, "arguments": said}) == [
        finding(
            "agent/executed-arguments",
            f"gen_ai.tool.call.arguments = {said!r}",
            "choices[].message.tool_calls: weather called with {'city': 'Paris', 'days': 3}",
            why,
            "take the arguments and the id from the same tool call, and write them with json.dumps(...)",
        )
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (RESULTS[ROME], f"this is the result of another call, '{ROME}'"),
        ('{"city": "Paris", "sk', "the end of the result is lost, so whoever reads the span cannot parse it"),
        (
            '{"city": "Oslo", "sky": "clear"}',
            "whoever looks into an answer sees another result than the model has seen",
        ),
    ],
)
def test_a_result_that_the_model_was_not_given(judge: Judge, said: str, why: str) -> None:
    """The result of another call, one that breaks off, and an object with other values are wrong."""
    assert judge({**RIGHT, "result": said}) == [
        finding(
            "agent/executed-result",
            f"gen_ai.tool.call.result = {said!r}",
            f"messages[2]: {RESULTS[PARIS]!r}",
            why,
            "write what the tool returned for this call, before anything is cut off from it",
            place=SECOND,
        )
    ]


def test_a_text_that_a_hook_may_have_replaced(judge: Judge) -> None:
    """A short text without a common word is a warning: what was sent may have been put in its place on purpose."""
    said = {"id": ROME, "name": "rain", "arguments": CALLS[1][2], "result": "it pours"}
    assert judge(said) == [
        finding(
            "agent/executed-result",
            "gen_ai.tool.call.result = 'it pours'",
            "messages[3]: 'no rain in Rome'",
            "whoever looks into an answer sees another result than the model has seen",
            "write what the tool returned for this call, before anything is cut off from it",
            Severity.WARNING,
            SECOND,
        )
    ]


def test_what_a_model_is_told_about_a_failure(judge: Judge) -> None:
    """A framework words an error for the model, so a span with an error has no result to compare."""
    assert judge({**RIGHT, "result": '{"city": "Oslo", "sky": "clear"}'}, status="ERROR") == []


def test_one_cause_is_one_finding(judge: Judge) -> None:
    """A span with the id of one call and all else of another has one finding."""
    other = {"id": PARIS, "name": "rain", "arguments": CALLS[1][2], "result": RESULTS[ROME]}
    [found] = judge(other)
    assert (found.check, found.also) == ("agent/executed-name", ("agent/executed-arguments", "agent/executed-result"))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ('{"at": "2026-12-01T10:00:00Z", "share": 0.333}', '{"at": "2026-12-01 10:00:00+00:00", "share": 0.33333}'),
        ('{"sky": "clear", "by": "[EMAIL]"}', '{"sky": "clear", "by": "ann@example.com"}'),
        ("Error: the result is too long, and is in /tmp/result.txt", "x" * 900),
        ([{"type": "image_url", "image_url": {"url": "data:"}}], "a picture"),
        ("no such city\n\nFix the errors and try again.", "no such city"),
    ],
)
def test_results_in_another_form(judge: Judge, sent: Any, said: str) -> None:
    """Times, rounded numbers, masks, files, images and additions in what is sent are not taken for another result."""
    assert judge({**RIGHT, "result": said}, results={PARIS: sent, ROME: RESULTS[ROME]}) == []


@pytest.mark.parametrize("place", ["arguments", "result"])
def test_what_is_nested_too_deep(judge: Judge, place: str) -> None:
    """JSON that is nested deeper than Python can compare is not judged, and does not break the verdict."""
    deep = "[" * 600 + "1" + "]" * 600
    calls = ((PARIS, "weather", f'{{"city": {deep}}}'), CALLS[1])
    results = {PARIS: f'{{"city": {deep}, "sky": "clear"}}', ROME: RESULTS[ROME]}
    said = {**RIGHT, "arguments": calls[0][2], "result": results[PARIS]}
    changed = {**said, place: said[place].replace("1", "2")}
    assert judge(changed, tools=calls, again=calls, results=results) == []
