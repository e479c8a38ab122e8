"""The prompt: the texts of the request against those of the span."""

from __future__ import annotations

from typing import Any

from pytest_llmtrace.model import Fact, Request
from tests.unit.checks._cases import ABSENT, seen

OTHER_PROMPT = "the prompt shown on the span is not the one that the model was given"
OTHER_SPEAKER = "whoever reads the prompt on the span takes it for the words of somebody else"
LONG = "It is cold in Oslo. " * 20


def sent(*said: tuple[str, str]) -> dict[str, Fact]:
    """Make the prompt that was sent."""
    messages = [{"role": role, "text": text} for role, text in said]
    parts = [(f"messages[{number}].content", text) for number, (_, text) in enumerate(said)]
    return {"input_messages": seen(messages, *parts)}


def shown(*said: tuple[str | None, str]) -> dict[str, Any]:
    """Make the prompt that a span shows."""
    return {"input_messages": [{"role": role, "text": text} for role, text in said]}


SYSTEM, USER, TOOL = ("system", "Be brief."), ("user", "Is it cold?"), ("tool", "-4 degrees")
MORE = ("user", "And in Rome?")
TALK = sent(SYSTEM, USER, TOOL, MORE)
CONTINUED: dict[str, Any] = {
    "api": "responses",
    "exchange": {
        "request": Request(
            method="POST",
            url="https://api.openai.com/v1/responses",
            body=b'{"model": "m", "input": "", "previous_response_id": "r"}',
        )
    },
}

# Check, facts of the wire, facts of the span; the lines `span`, `wire` and `why`; more about the call, and the advice.
FAULTS: tuple[tuple[Any, ...], ...] = (
    (
        "wire/input-messages",
        TALK,
        shown(SYSTEM, USER, TOOL, ("user", "And in {city}?")),
        "gen_ai.input_messages: 'And in {city}?'",
        "messages[3].content: 'And in Rome?', different from character 8 on",
        OTHER_PROMPT,
    ),
    (
        "wire/input-messages",
        TALK,
        shown(SYSTEM, USER, TOOL, MORE, ("assistant", "No.")),
        "gen_ai.input_messages: 'No.'",
        "no other text was sent",
        OTHER_PROMPT,
    ),
    (
        "wire/input-messages",
        sent(USER, ("assistant", "It is."), MORE),
        shown(USER, MORE),
        "gen_ai.input_messages: 2 of 3 texts",
        "messages[1].content: 'It is.', which the span lacks",
        OTHER_PROMPT,
    ),
    (
        "wire/input-messages",
        TALK,
        shown(SYSTEM, USER, MORE, TOOL),
        "gen_ai.input_messages: '-4 degrees', after what was sent later",
        "messages[2].content: '-4 degrees'",
        OTHER_PROMPT,
    ),
    (
        "wire/input-messages",
        TALK,
        shown(SYSTEM, USER, TOOL, MORE, MORE),
        "gen_ai.input_messages: 'And in Rome?', twice",
        "messages[3].content: 'And in Rome?', once",
        OTHER_PROMPT,
    ),
    (
        "wire/input-messages",
        TALK,
        shown(SYSTEM, USER, ("user", "-4 degrees"), MORE),
        "gen_ai.input_messages: '-4 degrees' with role 'user'",
        "messages[2].content: '-4 degrees' with role 'tool'",
        OTHER_SPEAKER,
        None,
        "take the role of each message from the request",
    ),
)

# Check, facts of the wire, facts of the span; more about the call.
NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    ("wire/input-messages", TALK, shown(SYSTEM, USER, TOOL, MORE)),
    ("wire/input-messages", TALK, shown(("developer", "Be brief."), ("human", "Is it cold?"), (None, TOOL[1]), MORE)),
    ("wire/input-messages", TALK, shown(USER, SYSTEM, TOOL, ("user", "\nAnd in Rome? "))),
    ("wire/input-messages", sent(USER, MORE), shown(("user", "Is it cold?\n\nAnd in Rome?"))),
    ("wire/input-messages", sent(USER, USER), shown(USER, USER)),
    ("wire/input-messages", TALK, shown(SYSTEM, ("user", "__REDACTED__"), TOOL)),
    ("wire/input-messages", sent(("user", LONG), MORE), shown(("user", "It is cold in Oslo..."), MORE)),
    ("wire/input-messages", TALK, {}),
    ("wire/input-messages", {"input_messages": ABSENT}, shown(USER)),
    ("wire/input-messages", sent(TOOL), shown(("user", TOOL[1])), {"api": "messages"}),
    ("wire/input-messages", sent(MORE), shown(USER, MORE), CONTINUED),
)
