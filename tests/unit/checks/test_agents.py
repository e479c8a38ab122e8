"""Checks on a run as a whole: tool results without calls, repeated tool calls, budgets."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace import LLMTrace, UsageError
from pytest_llmtrace.checks import Evidence, refuse_limits, verify
from pytest_llmtrace.model import Exchange, Finding, Severity
from pytest_llmtrace.pairing import pair

ExchangeMaker = Callable[..., Exchange]

PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
WEATHER = {"name": "get_weather", "arguments": '{"city": "Paris", "unit": "C"}'}


def found(exchanges: list[Exchange], **limits: Any) -> list[Finding]:
    """Return the findings of the family `agent/`."""
    seen = Evidence(exchanges=tuple(exchanges), calls=pair(exchanges, []), **limits)
    return [finding for finding in verify(seen, {}).findings if finding.check.startswith("agent/")]


def answer(*tools: tuple[str, str, str], usage: dict[str, Any] | None = None, choices: int = 1) -> tuple[bytes, ...]:
    """Return the body of a chat completion that asks for tools: id, name, arguments."""
    calls = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in tools]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    body = {
        "id": "r",
        "object": "chat.completion",
        "model": "gpt-4o",
        "choices": [{"index": n, "finish_reason": "tool_calls", "message": message} for n in range(choices)],
        "usage": usage,
    }
    return (json.dumps(body).encode(),)


REBUILT = "keep the assistant's message with the tool call when the history is cut or rebuilt"
WAIVER = '@pytest.mark.llmtrace(ignore={"agent/tool-result-without-call": "reason"})'

# --- tool results ----------------------------------------------------------------------------------------------------

CALLS = {
    "chat": {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": WEATHER}]},
    "responses": {"type": "function_call", "call_id": "call_1", **WEATHER},
    "messages": {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Paris"}}],
    },
}
RESULTS = {
    "chat": {"role": "tool", "tool_call_id": "call_1", "content": "18"},
    "responses": {"type": "function_call_output", "call_id": "call_1", "output": "18"},
    "messages": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "18"}]},
}
PLACES = {
    "chat": "messages[1].tool_call_id",
    "responses": "input[1].call_id",
    "messages": "messages[1].content[0].tool_use_id",
}
ASKED = {"role": "user", "content": "How warm is it?"}


def asking(make_exchange: ExchangeMaker, api: str, *steps: Any, **more: Any) -> Exchange:
    """Make an exchange whose request has these items as its history."""
    field = "input" if api == "responses" else "messages"
    return make_exchange(path=PATHS[api], body={"model": "m", field: list(steps), **more})


@pytest.mark.parametrize("api", list(PATHS))
def test_a_tool_result_without_its_call(make_exchange: ExchangeMaker, api: str) -> None:
    """A history from which the assistant's message was cut has a tool result that answers nothing."""
    [finding] = found([asking(make_exchange, api, ASKED, RESULTS[api])])
    assert finding == Finding(
        check="agent/tool-result-without-call",
        severity=Severity.ERROR,
        subject=f"POST {PATHS[api]}  (exchange 0)",
        details=(
            ("wire", f"{PLACES[api]} 'call_1' is a tool result, and no tool call before it has that id"),
            ("found", "no tool call in this request"),
            ("why", "the model cannot know what this result answers; most providers refuse such a request"),
            ("next", f"{REBUILT}, or waive: {WAIVER}"),
        ),
    )


@pytest.mark.parametrize("api", list(PATHS))
def test_a_tool_result_after_its_call(make_exchange: ExchangeMaker, api: str) -> None:
    """A result answers a call that stands before it, and not one that stands behind it."""
    assert found([asking(make_exchange, api, ASKED, CALLS[api], RESULTS[api])]) == []
    [finding] = found([asking(make_exchange, api, ASKED, RESULTS[api], CALLS[api])])
    assert dict(finding.details)["found"] == "tool calls in this request: get_weather 'call_1'"


@pytest.mark.parametrize("kept", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}])
def test_a_conversation_that_the_server_keeps(make_exchange: ExchangeMaker, kept: dict[str, str]) -> None:
    """If the server keeps the conversation, the call may be in the part that is not sent again."""
    assert found([asking(make_exchange, "responses", ASKED, RESULTS["responses"], **kept)]) == []
    reference = {"type": "item_reference", "id": "fc_1"}
    assert found([asking(make_exchange, "responses", reference, RESULTS["responses"])]) == []


def test_a_thread_that_the_server_keeps(make_exchange: ExchangeMaker) -> None:
    """Anthropic's tool runner sends only the new messages; the request that begins the thread sends all of them."""
    going_on = {"type": "continue", "previous_message_id": "msg_1"}
    assert found([asking(make_exchange, "messages", RESULTS["messages"], thread=going_on)]) == []
    begun = asking(make_exchange, "messages", ASKED, RESULTS["messages"], thread={"type": "create"})
    assert [finding.check for finding in found([begun])] == ["agent/tool-result-without-call"]


def test_a_result_is_told_once(make_exchange: ExchangeMaker) -> None:
    """A result without its call is one finding, although the same history is sent with each later call."""
    steps = {"model": "m", "messages": [ASKED, RESULTS["chat"]]}
    assert len(found([make_exchange(index=n, body=steps) for n in range(3)])) == 1


def test_the_servers_own_tools(make_exchange: ExchangeMaker) -> None:
    """A tool that the server ran has its call in the history, and its result answers that."""
    calls = {"role": "assistant", "content": [{"type": "server_tool_use", "id": "call_1", "name": "web_search"}]}
    assert found([asking(make_exchange, "messages", ASKED, calls, RESULTS["messages"])]) == []


def test_a_compressed_request_is_read(make_exchange: ExchangeMaker) -> None:
    """A request that an SDK has compressed is judged, too."""
    exchange = asking(make_exchange, "chat", ASKED, RESULTS["chat"])
    packed = type(exchange.request)(
        method="POST",
        url=exchange.request.url,
        headers=(("Content-Encoding", "gzip"),),
        body=gzip.compress(exchange.request.body),
    )
    zipped = make_exchange(request=packed)
    assert [finding.check for finding in found([zipped])] == ["agent/tool-result-without-call"]


# --- tool calls without results --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "where"),
    [
        ("chat", "messages[1].tool_calls[0]"),
        ("responses", "input[1]"),
        ("messages", "messages[1].content[0]"),
    ],
)
def test_a_tool_call_without_its_result(make_exchange: ExchangeMaker, api: str, where: str) -> None:
    """A loop that answers only the first of two parallel calls works with any mock, and never in production."""
    if api == "messages":
        return_to = "https://api.anthropic.com/v1/messages"
        exchange = asking(make_exchange, api, ASKED, CALLS[api])
        exchange = make_exchange(request=replace(exchange.request, url=return_to))
    else:
        exchange = asking(make_exchange, api, ASKED, CALLS[api])
    [finding] = found([exchange])
    assert (finding.check, finding.severity) == ("agent/tool-call-without-result", "error")
    assert dict(finding.details) == {
        "wire": f"{where}: get_weather 'call_1' has no tool result",
        "found": "no tool result in this request",
        "why": "OpenAI and Anthropic refuse such a request with a 400, whatever this test's reply says",
        "next": "send a result for each tool call of a message, also of a tool that failed or was not run, or waive: "
        '@pytest.mark.llmtrace(ignore={"agent/tool-call-without-result": "reason"})',
    }


def test_a_parallel_call_that_was_forgotten(make_exchange: ExchangeMaker) -> None:
    """The finding names the call that has no result, once, however often its history is sent."""
    second = {"id": "call_2", "type": "function", "function": WEATHER}
    first = {**second, "id": "call_1"}
    asked = {"role": "assistant", "tool_calls": [first, second]}
    rounds = [asking(make_exchange, "chat", ASKED, asked, RESULTS["chat"]) for _ in range(2)]
    [finding] = found([replace(one, index=number) for number, one in enumerate(rounds)])
    assert finding.details[:2] == (
        ("wire", "messages[1].tool_calls[1]: get_weather 'call_2' has no tool result"),
        ("found", "tool results in this request: 'call_1'"),
    )


def test_a_result_with_another_id_is_told_once(make_exchange: ExchangeMaker) -> None:
    """A result that answers no call is the cause of a call that no result answers."""
    other = {"role": "tool", "tool_call_id": "call_9", "content": "18"}
    findings = found([asking(make_exchange, "chat", ASKED, CALLS["chat"], other)])
    assert [finding.check for finding in findings] == ["agent/tool-result-without-call"]


def test_calls_that_need_no_result(make_exchange: ExchangeMaker) -> None:
    """Other servers may accept such a request, keep a part of it, and make the calls of their own tools."""
    sent = asking(make_exchange, "chat", ASKED, CALLS["chat"]).request
    elsewhere = make_exchange(request=replace(sent, url="https://openrouter.ai/api/v1/chat/completions"))
    kept = {"model": "m", "input": [CALLS["responses"]], "previous_response_id": "resp_1"}
    own = {"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]}
    searched = asking(make_exchange, "messages", ASKED, own).request
    exchanges = [
        elsewhere,
        make_exchange(index=1, path="/v1/responses", body=kept),
        make_exchange(index=2, request=replace(searched, url="https://api.anthropic.com/v1/messages")),
    ]
    assert found(exchanges) == []


# --- tool calls ------------------------------------------------------------------------------------------------------


def past(*ids: str) -> list[Any]:
    """Return the history of a request after some tool calls and their results."""
    asked: list[Any] = [ASKED]
    for identity in ids:
        call = {"id": identity, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        asked += [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": identity}]
    return asked


def turns(make_exchange: ExchangeMaker, *arguments: str, **limits: Any) -> list[Finding]:
    """Judge a run in which each request brings the result of the last tool call, and each answer asks for another."""
    return found(
        [
            make_exchange(
                index=n,
                body={"model": "m", "messages": [ASKED, {"role": "tool", "tool_call_id": f"c{n - 1}"}][: n + 1]},
                chunks=answer((f"c{n}", "f", said)),
            )
            for n, said in enumerate(arguments)
        ],
        **limits,
    )


def repeats(findings: list[Finding]) -> list[str]:
    """Return the tool calls that are reported as repeated."""
    return [finding.subject for finding in findings if finding.check == "agent/repeated-tool-call"]


def test_the_same_tool_call_again_and_again(make_exchange: ExchangeMaker) -> None:
    """The third equal call is a warning; arguments are equal in any order and spacing."""
    same = ('{"a": 1, "b": 2}', '{"b":2,"a":1}', '{"a": 1,\n"b": 2}')
    [finding] = [found for found in turns(make_exchange, *same) if found.check == "agent/repeated-tool-call"]
    assert (finding.check, finding.severity, finding.subject) == (
        "agent/repeated-tool-call",
        Severity.WARNING,
        'f({"a": 1, "b": 2})',
    )
    assert finding.details[:2] == (
        ("wire", "requested 3 times with the same arguments, seen in exchanges 0, 1, 2"),
        ("limit", "tool_repeats=3"),
    )


def test_how_often_is_too_often(make_exchange: ExchangeMaker) -> None:
    """Two calls are a second try, other arguments make another call, and the limit can be set."""
    assert repeats(turns(make_exchange, "{}", "{}")) == []
    assert repeats(turns(make_exchange, "{}", '{"a": 1}', '{"a": 2}')) == []
    assert repeats(turns(make_exchange, "{}", "{}", tool_repeats=2)) == ["f({})"]
    assert repeats(turns(make_exchange, "{}", "{}", "{}", tool_repeats=4)) == []


def test_a_batch_is_no_circle(make_exchange: ExchangeMaker) -> None:
    """Requests whose histories do not have each other's tool calls are a batch, as for structured output."""
    batch = [make_exchange(index=n, chunks=answer((f"c{n}", "City", "{}"))) for n in range(5)]
    assert found(batch) == []
    second_try = make_exchange(index=5, body={"model": "m", "messages": past("c0", "c1", "c2")})
    assert repeats(found([*batch, second_try])) == ["City({})"]


def test_histories_count_once(make_exchange: ExchangeMaker) -> None:
    """A history repeats earlier answers: only tool calls that no answer of this test has asked for count, once."""
    first = make_exchange(index=0, chunks=answer(("c0", "f", "{}")))
    second = make_exchange(index=1, body={"model": "m", "messages": past("c0")}, chunks=answer(("c1", "f", "{}")))
    third = make_exchange(index=2, body={"model": "m", "messages": past("c0", "c1")})
    assert found([first, second, third]) == []
    older = make_exchange(index=2, body={"model": "m", "messages": past("before", "c0", "c1")})
    assert [finding.check for finding in found([first, second, older])] == ["agent/repeated-tool-call"]


@pytest.mark.parametrize("api", PATHS)
@pytest.mark.parametrize(
    ("results", "times"),
    [
        (["a", "a", "a"], 3),
        (["done at 10:01", "done at 10:02", "done at 11:13"], 3),
        (["a", "b", "c"], 0),
        (["a", "b", "a"], 0),
        (["a", "b", "a", "a"], 3),
        ([[{"type": "text", "text": "a"}]] * 3, 3),
        ([None, "a", "a"], 3),
    ],
)
def test_equal_calls_with_other_results(make_exchange: ExchangeMaker, api: str, results: list[Any], times: int) -> None:
    """An agent that reads a file between its changes gets another result each time, and goes round in no circle."""
    asked: list[Any] = [ASKED]
    for number, result in enumerate(results):
        asked += _round(api, f"c{number}", result)
    body = {"model": "m", "input" if api == "responses" else "messages": asked}
    findings = found([make_exchange(path=PATHS[api], body=body)])
    assert [finding.check for finding in findings] == ["agent/repeated-tool-call"] * bool(times)
    for finding in findings:
        known = len([result for result in results if result is not None and result != "b"])
        assert dict(finding.details)["wire"] == (
            f"requested {times} times with the same arguments, seen in exchanges 0\n"
            f"{known} results, which do not differ, except perhaps in numbers"
        )


def _round(api: str, identity: str, result: Any) -> list[Any]:
    """Return a tool call and its result, as the history of a request has them."""
    if api == "chat":
        call = {"id": identity, "type": "function", "function": {"name": "read", "arguments": "{}"}}
        return [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": identity, "content": result},
        ]
    if api == "responses":
        call = {"type": "function_call", "call_id": identity, "name": "read", "arguments": "{}"}
        return [call, {"type": "function_call_output", "call_id": identity, "output": result}]
    call = {"type": "tool_use", "id": identity, "name": "read", "input": {}}
    answered = {"type": "tool_result", "tool_use_id": identity, "content": result}
    return [{"role": "assistant", "content": [call]}, {"role": "user", "content": [answered]}]


def test_choices_are_alternatives(make_exchange: ExchangeMaker) -> None:
    """Three choices of one answer that ask for the same call count as one."""
    assert found([make_exchange(chunks=answer(("c", "f", "{}"), choices=3))]) == []


def test_calls_that_are_asked_for_together(make_exchange: ExchangeMaker) -> None:
    """Several equal calls in one answer, as for three dice, are one round, in an answer and in a history."""
    dice = [(f"c{n}", "roll", "{}") for n in range(3)]
    rolled = [{"id": i, "type": "function", "function": {"name": name, "arguments": a}} for i, name, a in dice]
    result = [{"role": "tool", "tool_call_id": i, "content": "6"} for i, _, _ in dice]
    later = {"model": "m", "messages": [ASKED, {"role": "assistant", "tool_calls": rolled}, *result]}
    assert found([make_exchange(chunks=answer(*dice))]) == []
    assert found([make_exchange(body=later)]) == []
    assert found([make_exchange(index=0, chunks=answer(*dice)), make_exchange(index=1, body=later)]) == []
    again = [make_exchange(index=n + 1, body=later, chunks=answer((f"d{n}", "roll", "{}"))) for n in range(2)]
    assert repeats(found([make_exchange(index=0, chunks=answer(*dice)), *again])) == ["roll({})"]


# --- budgets ---------------------------------------------------------------------------------------------------------


def spending(make_exchange: ExchangeMaker, *usages: dict[str, Any] | None) -> list[Exchange]:
    return [make_exchange(index=n, chunks=answer(usage=usage)) for n, usage in enumerate(usages)]


TOKENS = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
COST = {**TOKENS, "cost": 0.0125}


@pytest.mark.parametrize(
    ("budget", "usage", "subject", "used", "line"),
    [
        ({"tokens": 2999}, TOKENS, "tokens: 2,999 tokens", "3,000 tokens", "1,500 tokens"),
        ({"cost": 0.02}, COST, "cost: 0.02 USD", "0.025 USD", "0.0125 USD"),
        ({"calls": 1}, TOKENS, "calls: 1 call", "2 calls", "1 call"),
    ],
)
def test_over_budget(
    make_exchange: ExchangeMaker, budget: dict[str, float], usage: dict[str, Any], subject: str, used: str, line: str
) -> None:
    """The budget limits what all calls have used together."""
    [finding] = found(spending(make_exchange, usage, usage), budget=budget)
    assert (finding.check, finding.severity, finding.subject) == ("agent/budget", Severity.ERROR, subject)
    assert finding.details[:2] == (
        ("used", used),
        (
            "wire",
            f"POST /v1/chat/completions  (exchange 0): {line}\nPOST /v1/chat/completions  (exchange 1): {line}",
        ),
    )


def test_over_budget_by_many_calls(make_exchange: ExchangeMaker) -> None:
    """The finding names the five most expensive calls, the most expensive first, and counts the others."""
    costs = [{**COST, "cost": (number + 1) / 100} for number in range(7)]
    [finding] = found(spending(make_exchange, *costs), budget={"cost": 0.1})
    named = [f"POST /v1/chat/completions  (exchange {number}): 0.0{number + 1} USD" for number in (6, 5, 4, 3, 2)]
    assert dict(finding.details)["wire"] == "\n".join([*named, "and 2 more"])


@pytest.mark.parametrize("budget", [{"tokens": 3000}, {"cost": 0.025}, {"calls": 2}, {}])
def test_within_budget(make_exchange: ExchangeMaker, budget: dict[str, float]) -> None:
    """A run that uses exactly what is allowed stays within the budget."""
    assert found(spending(make_exchange, COST, COST), budget=budget) == []


def test_a_budget_that_nobody_can_check(make_exchange: ExchangeMaker) -> None:
    """If no call states its cost, a budget of cost would pass whatever happens, so that is a finding."""
    [finding] = found(spending(make_exchange, TOKENS), budget={"cost": 1})
    assert dict(finding.details)["why"] == ("no response in this test says what it cost, so the budget limits nothing")
    assert found(spending(make_exchange, TOKENS, COST), budget={"cost": 1}) == []
    assert found([], budget={"cost": 1}) == []


def test_calls_that_fail_state_no_use(make_exchange: ExchangeMaker) -> None:
    """A budget for all tests of a suite is no finding where a test is about an error, or leaves a stream."""
    events = {"content_type": "text/event-stream", "body": {"model": "m", "messages": [], "stream": True}}
    failed = make_exchange(status=429, chunks=(b'{"error": {"message": "Slow down"}}',))
    left = make_exchange(chunks=(b'data: {"object": "chat.completion.chunk"}\n\n',), **events)
    for exchange in (failed, left):
        assert found([exchange], budget={"tokens": 100, "cost": 1}) == []


def test_a_stream_that_was_not_asked_for_its_usage(make_exchange: ExchangeMaker) -> None:
    """OpenAI's API states the usage of a stream only if it is asked to."""
    finish = (
        b'data: {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}'
    )
    exchange = make_exchange(
        chunks=(finish + b"\n\n", b"data: [DONE]\n\n"),
        content_type="text/event-stream",
        body={"model": "m", "messages": [], "stream": True},
    )
    [finding] = found([exchange], budget={"tokens": 100})
    assert dict(finding.details)["next"].startswith(
        "ask for the usage of streams (stream_options.include_usage), remove the limit, or record from a gateway that "
        "states it, or waive"
    )


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (
            {"budget": {"token": 5}},
            "unknown unit in budget= 'token': did you mean 'tokens'? known: calls, cost, tokens",
        ),
        ({"budget": {"cost": "much"}}, "budget={'cost': ...} takes a number, 0 or more, not 'much'"),
        ({"budget": {"cost": float("nan")}}, "budget={'cost': ...} takes a number, 0 or more, not nan"),
        ({"budget": 5}, "budget= takes {'tokens': ..., 'cost': ..., 'calls': ...}, not 5"),
        ({"tool_repeats": 1}, "tool_repeats= takes a whole number, 2 or more, not 1"),
        ({"tool_repeats": True}, "tool_repeats= takes a whole number, 2 or more, not True"),
    ],
)
def test_limits_without_a_meaning(limits: dict[str, Any], text: str) -> None:
    """A limit that can never be reached, or always is, is a usage error."""
    with pytest.raises(UsageError) as caught:
        refuse_limits(**limits)
    assert str(caught.value) == text


def test_limits_of_a_block() -> None:
    """`LLMTrace(budget=, tool_repeats=)` refuses the same values as the marker, and keeps the others."""
    trace = LLMTrace(budget={"calls": 1}, tool_repeats=5)
    assert (trace.settings.budget, trace.settings.tool_repeats) == ({"calls": 1}, 5)
    with pytest.raises(UsageError):
        LLMTrace(budget={"call": 1})


# --- hostile ---------------------------------------------------------------------------------------------------------

ODD: list[Any] = [
    None,
    0,
    "",
    "x",
    [],
    [None, 1, "x"],
    {},
    {"id": []},
    [[{"id": {}}]],
    [{"type": 1, "role": []}],
    10**400,
]


@pytest.mark.parametrize("api", list(PATHS))
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_hostile_histories_raise_nothing(make_exchange: ExchangeMaker, api: str, odd: Any) -> None:
    """Whatever values a request has in the place of tool calls and results, the rest is judged."""
    call, result = ({**step, **dict.fromkeys(keys, odd)} for step, keys in _odd_steps(api))
    assert isinstance(found([asking(make_exchange, api, odd, call, result, ASKED)], tool_repeats=2), list)


def _odd_steps(api: str) -> list[tuple[Any, tuple[str, ...]]]:
    keys = ("tool_calls", "content", "call_id", "arguments", "tool_call_id", "name")
    return [(CALLS[api], keys), (RESULTS[api], keys)]
