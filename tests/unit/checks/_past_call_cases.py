"""Which tool calls the model was told that it had made: those in the request's messages against those of the span."""

from __future__ import annotations

import json
from typing import Any

from pytest_llmtrace.model import Fact, Request
from tests.unit.checks._cases import ABSENT, call, seen
from tests.unit.checks._prompt_cases import CONTINUED

ID = "wire/input-tool-calls"
OTHER = "the tool calls in the prompt on the span are not those that the model was given"
NONE = "the request has no such call in its messages, so the span misreports what the model did"
OSLO, ROME = call("look", "call_1", at="Oslo"), call("look", "call_2", at="Rome")
HEARD = call("hear", "call_3")
AGAIN = {**ROME, "id": "call_1"}  # Some models count the calls of each answer anew.
SEARCHED = call("search_tools", "srvtoolu_1", query="Oslo")
LIBRARY: dict[str, Any] = {"record": {"scope": "team.instrumentation.llm"}}
COMPUTER, FOUND = call("computer", "call_9", action="wait"), call("web_search", "found_1")


def conversation(api: str, path: str, **body: Any) -> dict[str, Any]:
    """Make the fields of a call whose request has a conversation."""
    request = Request(
        method="POST", url=f"https://llm.test/v1/{path}", body=json.dumps({"model": "m", **body}).encode()
    )
    return {"api": api, "exchange": {"request": request}}


# Calls that a request has, but not as tool calls: of a tool without a name, and of tools that the server runs.
WITH_COMPUTER = conversation(
    "responses",
    "responses",
    input=[{"type": "computer_call", "call_id": "call_9"}, {"type": "web_search_call", "id": "found_1"}, {"type": 7}],
)
WITH_SEARCH = conversation(
    "messages",
    "messages",
    messages=[{"role": "assistant", "content": [{"type": "server_tool_use", "id": "found_1"}]}, {"content": "x"}, 7],
)


def sent(*calls: dict[str, Any]) -> dict[str, Fact]:
    """Make the tool calls in the messages of a request."""
    parts = [(f"messages[1].tool_calls[{number}]", one["name"]) for number, one in enumerate(calls)]
    return {"input_tool_calls": seen(list(calls), *parts)}


def shown(*calls: dict[str, Any]) -> dict[str, Any]:
    """Make the tool calls that a span shows."""
    return {"input_tool_calls": list(calls)}


def said(text: str, *calls: dict[str, Any]) -> dict[str, Any]:
    """Make a request that has a text, and possibly tool calls."""
    prompt = seen([{"role": "user", "text": text}], ("messages[0].content", text))
    return {"input_messages": prompt, **(sent(*calls) if calls else {"input_tool_calls": ABSENT})}


COLD = {
    "input_messages": seen([{"role": "tool", "text": "Cold.", "answers": "call_1"}], ("messages[2].content", "Cold."))
}


def shown_result(identity: str | None) -> dict[str, Any]:
    """Make the result of a tool call that a span shows."""
    return {"input_messages": [{"role": "tool", "text": "Cold.", "answers": identity}]}


# The fields of a case are those in `_prompt_cases`.
FAULTS: tuple[tuple[Any, ...], ...] = (
    (
        ID,
        sent(OSLO, ROME),
        shown(OSLO, {**ROME, "arguments": {"at": "Rom"}}),
        "gen_ai.input_tool_calls: look called with {'at': 'Rom'}",
        "messages[1].tool_calls[1]: look called with {'at': 'Rome'}",
        OTHER,
    ),
    (
        ID,
        sent(OSLO, ROME),
        shown(OSLO, {**ROME, "name": "hear"}),
        "gen_ai.input_tool_calls: hear called with {'at': 'Rome'}",
        "messages[1].tool_calls[1]: look called with {'at': 'Rome'}",
        OTHER,
    ),
    (
        ID,
        sent(OSLO),
        shown({**OSLO, "id": None, "arguments": {"at": "Bergen"}}),
        "gen_ai.input_tool_calls: look called with {'at': 'Bergen'}",
        "messages[1].tool_calls[0]: look called with {'at': 'Oslo'}",
        OTHER,
    ),
    (
        ID,
        sent(OSLO),
        shown(OSLO, HEARD),
        "gen_ai.input_tool_calls: hear called with {}",
        "no such call in the messages",
        OTHER,
    ),
    (
        ID,
        {**sent(OSLO), "tool_calls": [HEARD]},
        shown(OSLO, HEARD),
        "gen_ai.input_tool_calls: hear called with {}",
        "no such call in the messages: the answer asks for it",
        OTHER,
    ),
    (
        ID,
        said("Is it loud?"),
        shown(HEARD),
        "gen_ai.input_tool_calls: hear called with {}",
        "no such call in the messages",
        NONE,
    ),
    (
        ID,
        said("Do not look.", OSLO),
        shown(call("look", "call_1", at="Rome")),
        "gen_ai.input_tool_calls: look called with {'at': 'Rome'}",
        "messages[1].tool_calls[0]: look called with {'at': 'Oslo'}",
        OTHER,
    ),
    (
        ID,
        sent(OSLO, ROME),
        shown({**ROME, "id": "call_9"}),
        "gen_ai.input_tool_calls: look with id 'call_9'",
        "messages[1].tool_calls[1]: look with id 'call_2'",
        OTHER,
        LIBRARY,
    ),
    (
        ID,
        sent(HEARD, *(call("look", f"call_{number}", at=number) for number in range(4, 9))),
        shown(HEARD),
        "gen_ai.input_tool_calls: 1 of 6 tool calls",
        (
            "messages[1].tool_calls[1]: look called with {'at': 4}, which the span lacks\n"
            "messages[1].tool_calls[2]: look called with {'at': 5}, which the span lacks\n"
            "messages[1].tool_calls[3]: look called with {'at': 6}, which the span lacks\n"
            "and 2 more"
        ),
        OTHER,
        LIBRARY,
    ),
    (
        ID,
        sent(OSLO, AGAIN),
        shown(OSLO, {**AGAIN, "arguments": {"at": "Rom"}}),
        "gen_ai.input_tool_calls: look called with {'at': 'Rom'}",
        "messages[1].tool_calls[1]: look called with {'at': 'Rome'}",
        OTHER,
    ),
    (
        ID,
        sent(OSLO, AGAIN),
        shown(OSLO, OSLO),
        "gen_ai.input_tool_calls: 1 of 2 tool calls",
        "messages[1].tool_calls[1]: look called with {'at': 'Rome'}, which the span lacks",
        OTHER,
        LIBRARY,
    ),
    (
        ID,
        sent(OSLO, SEARCHED),
        shown(OSLO),
        "gen_ai.input_tool_calls: 1 of 2 tool calls",
        "messages[1].tool_calls[1]: search_tools called with {'query': 'Oslo'}, which the span lacks",
        OTHER,
        LIBRARY,
    ),
    (
        ID,
        {**COLD, **sent(OSLO, ROME)},
        {**shown_result("call_1"), **shown()},
        "gen_ai.input_tool_calls: 0 of 2 tool calls, but the result of call 'call_1'",
        (
            "messages[1].tool_calls[0]: look called with {'at': 'Oslo'}, which the span lacks\n"
            "messages[1].tool_calls[1]: look called with {'at': 'Rome'}, which the span lacks"
        ),
        OTHER,
        LIBRARY,
    ),
)

NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    (ID, sent(OSLO, ROME), shown(OSLO, ROME)),
    (ID, sent(OSLO, ROME), shown(ROME, OSLO), LIBRARY),
    (ID, sent(OSLO, ROME), shown({**ROME, "id": None}, {**OSLO, "id": None}), LIBRARY),
    (ID, sent({**OSLO, "id": None}), shown(OSLO), LIBRARY),
    (ID, sent(OSLO, AGAIN, OSLO), shown(OSLO, AGAIN, OSLO), LIBRARY),
    (ID, sent(OSLO, AGAIN), shown(AGAIN, OSLO), LIBRARY),
    (ID, sent(OSLO, SEARCHED), shown(OSLO, SEARCHED), LIBRARY),
    # Some repeat a message's calls in its parts, and some have the arguments only there.
    (ID, sent(OSLO), shown(OSLO, {**OSLO, "id": None}, {**OSLO, "id": None, "arguments": None}), LIBRARY),
    # A framework has ids of its own, and names that no API allows; an application shows what it likes.
    (ID, sent(OSLO, ROME), shown({**OSLO, "id": "run-1"})),
    (ID, sent({**OSLO, "id": "functions_look_0"}), shown({**OSLO, "id": "functions.look:0"}), LIBRARY),
    (ID, sent({**OSLO, "id": "D681PevKs"}), shown(OSLO), LIBRARY),
    (ID, sent({**OSLO, "name": "my_look"}), shown({**OSLO, "name": "my.look"})),
    (ID, sent({**OSLO, "name": "functions_look"}), shown(OSLO)),
    # A call may be sent as text.
    (ID, said("Action: look\nAction Input: {'at': 'Oslo'}"), shown(OSLO), LIBRARY),
    (ID, said("Action: hear", OSLO), shown(OSLO, HEARD), LIBRARY),
    # Calls that are masked, cut, run by the provider, or kept by the server cannot be compared.
    (ID, sent(OSLO, ROME), shown(OSLO, {**ROME, "name": "__REDACTED__"}), LIBRARY),
    (ID, sent(OSLO), shown({**OSLO, "arguments": "__REDACTED__"}), LIBRARY),
    (ID, sent(call("look", "call_1", at="Oslo" * 50)), shown({**OSLO, "arguments": '{"at": "OsloOslo...'})),
    (ID, {"input_tool_calls": ABSENT}, shown(call("web_search", "srvtoolu_1", query="Oslo")), LIBRARY),
    (ID, {"input_tool_calls": ABSENT}, shown(COMPUTER), {**WITH_COMPUTER, **LIBRARY}),
    (ID, sent(OSLO), shown(OSLO, COMPUTER, FOUND), {**WITH_COMPUTER, **LIBRARY}),
    (ID, {"input_tool_calls": ABSENT}, shown(FOUND), {**WITH_SEARCH, **LIBRARY}),
    (ID, sent(OSLO), shown(OSLO, HEARD), {**CONTINUED, **LIBRARY}),
    (ID, {"input_tool_calls": ABSENT}, shown(HEARD), CONTINUED),
    (ID, sent(OSLO), {}),
    (ID, sent(OSLO), shown(), LIBRARY),
    # A result without an id, or on an application's own span, does not show that there is a place for its call.
    (ID, {**COLD, **sent(OSLO)}, {**shown_result(None), **shown()}, LIBRARY),
    (ID, {**COLD, **sent(OSLO)}, {**shown_result("call_1"), **shown()}),
    (ID, {**COLD, **sent(OSLO)}, {**shown_result("call_1"), **shown()}, {**CONTINUED, **LIBRARY}),
    (ID, sent(OSLO), {"input_tool_calls": "look"}, LIBRARY),
    (ID, sent(OSLO), {"input_tool_calls": [None, {"name": 1}, OSLO]}, LIBRARY),
)
