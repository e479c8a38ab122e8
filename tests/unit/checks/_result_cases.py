"""Which call a tool's result answers: the ids in the messages of the request against those of the span."""

from __future__ import annotations

from typing import Any

from pytest_llmtrace.model import Fact, Request
from tests.unit.checks._cases import seen
from tests.unit.checks._past_call_cases import LIBRARY

ID = "wire/input-messages"
OTHER = "whoever reads the prompt on the span takes it for the result of another call"
NEXT = "take the id of the call from the message that has the result"
ASKED = ("user", "Is it cold?")
OSLO, ROME = ("tool", "-4 degrees", "call_1"), ("tool", "22 degrees", "call_2")


def _told(said: tuple[tuple[str, ...], ...]) -> list[dict[str, str]]:
    return [dict(zip(("role", "text", "answers"), one, strict=False)) for one in said]


def sent(*said: tuple[str, ...]) -> dict[str, Fact]:
    """Make the prompt that was sent, which may contain results of tools with the ids of their calls."""
    return {"input_messages": seen(_told(said), *[(f"messages[{at}].content", one[1]) for at, one in enumerate(said)])}


def shown(*said: tuple[str, ...]) -> dict[str, Any]:
    """Make the prompt that a span shows."""
    return {"input_messages": _told(said)}


TALK = sent(ASKED, OSLO, ROME)
FOUND: dict[str, Any] = {
    "exchange": {
        "request": Request(
            method="POST",
            url="https://api.anthropic.com/v1/messages",
            body=b"""{"messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_2", "name": "find"}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1",
                    "content": [{"type": "tool_reference", "tool_name": "look"}]}]}
            ]}""",
        )
    }
}
SHOWN: dict[str, Any] = {"exchange": FOUND["exchange"], **LIBRARY}
ITEM: dict[str, Any] = {
    "exchange": {
        "request": Request(
            method="POST",
            url="https://api.openai.com/v1/responses",
            body=b'{"input": [{"type": "function_call_output", "id": "fc_1", "call_id": "call_1"}]}',
        )
    }
}

# The fields of a case are those in `_prompt_cases`.
FAULTS: tuple[tuple[Any, ...], ...] = (
    (
        ID,
        TALK,
        shown(ASKED, (*OSLO[:2], "call_2"), (*ROME[:2], "call_1")),
        "gen_ai.input_messages: '-4 degrees' as the result of call 'call_2'",
        "messages[1].content: '-4 degrees' as the result of call 'call_1'",
        OTHER,
        None,
        NEXT,
    ),
    (
        ID,
        TALK,
        shown(ASKED, OSLO, (*ROME[:2], "1")),
        "gen_ai.input_messages: '22 degrees' as the result of call '1'",
        "messages[2].content: '22 degrees' as the result of call 'call_2'",
        OTHER,
        LIBRARY,
        NEXT,
    ),
    (
        ID,
        TALK,
        shown(ASKED, ("tool", "It snows", "toolu_2"), OSLO, ROME),
        "gen_ai.input_messages: 'It snows'",
        "no such text, but messages[1].content: '-4 degrees'",
        "the prompt shown on the span is not the one that the model was given",
        SHOWN,
    ),
)

NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    (ID, TALK, shown(ASKED, OSLO, ROME), LIBRARY),
    # What a tool of the provider's own returned is not text that the application sends.
    (ID, TALK, shown(ASKED, ("tool", '{"status": "completed"}', "ws_1"), OSLO, ROME), LIBRARY),
    # The two ids of a call of the Responses API may be joined.
    (ID, TALK, shown(ASKED, (*OSLO[:2], "call_1|fc_1"), ROME), LIBRARY),
    # A result may be sent as something that is not text.
    (ID, TALK, shown(ASKED, ("tool", '{"discovered_tools": [{"name": "look"}]}', "toolu_1"), OSLO, ROME), SHOWN),
    # Some spans do not name the call that a result answers.
    (ID, TALK, shown(ASKED, OSLO[:2], ROME[:2]), LIBRARY),
    (ID, sent(ASKED, OSLO[:2]), shown(ASKED, OSLO), LIBRARY),
    # Two results may be the same as text, as JSON, or as far as a limit has left them: then either id may be right.
    (ID, sent(ASKED, OSLO, (*OSLO[:2], "call_2")), shown(ASKED, (*OSLO[:2], "call_2"), OSLO), LIBRARY),
    (
        ID,
        sent(
            ASKED, ("tool", '{"at": 1, "b": [2], "c": 3}', "call_1"), ("tool", '{"c": 3, "at": 1, "b": [2]}', "call_2")
        ),
        shown(
            ASKED, ("tool", '{"b": [2], "c": 3, "at": 1}', "call_2"), ("tool", '{"b": [2], "c": 3, "at": 1}', "call_1")
        ),
        LIBRARY,
    ),
    (
        ID,
        sent(ASKED, ("tool", "cold " * 20 + "in Oslo", "call_1"), ("tool", "cold " * 20 + "in Rome", "call_2")),
        shown(ASKED, ("tool", "cold cold...", "call_2"), ("tool", "cold cold...", "call_1")),
        LIBRARY,
    ),
    # An application may have ids of its own; an item of the Responses API has an id beside that of its call.
    (ID, TALK, shown(ASKED, OSLO, (*ROME[:2], "run-1"))),
    (ID, sent(ASKED, OSLO), shown(ASKED, (*OSLO[:2], "fc_1")), {**LIBRARY, **ITEM}),
    (ID, TALK, shown(ASKED, OSLO, (*ROME[:2], "__REDACTED__")), LIBRARY),
    # Frameworks rewrite ids into what an API allows.
    (ID, TALK, shown(ASKED, OSLO, (*ROME[:2], "call.2")), LIBRARY),
    (ID, sent(ASKED, (*OSLO[:2], "D681PevKs")), shown(ASKED, OSLO), LIBRARY),
)
