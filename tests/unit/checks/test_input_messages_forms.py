"""Spans write the prompt in forms of their own; each form is read as the same prompt, and another prompt is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import verify
from pytest_llmtrace.model import Exchange, LogRecord, SpanKey, SpanRecord
from pytest_llmtrace.telemetry import Dropped, SpanEvent
from tests.evidence import evidence_of

Judged = Callable[..., list[tuple[str, str]]]

PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
ALIKE = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
FLAT = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"}
LANGFUSE = {"langfuse.observation.type": "generation"}
DETAILS = "gen_ai.client.inference.operation.details"


_CHECKS = ("wire/input-", "wire/request-tools")


@pytest.fixture
def judged(make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]) -> Judged:
    """Judge what a span and events show of a call's prompt; return the lines `span` and `wire` of each finding."""

    def judged(
        api: str, asked: dict[str, Any], said: dict[str, Any], *logs: LogRecord, **fields: Any
    ) -> list[tuple[str, str]]:
        spans = [make_span(1, attributes=said, **{"scope": "team.instrumentation", **fields})]
        exchanges = [make_exchange(span=1, path=PATHS[api], body={"model": "gpt-4o", **asked})]
        seen = evidence_of(exchanges, spans, logs)
        found = [dict(one.details) for one in verify(seen, {}).findings if one.check.startswith(_CHECKS)]
        return [(one["span"], one["wire"].rpartition("\n")[0]) for one in found]

    return judged


def user(content: Any) -> dict[str, Any]:
    """Make a message of the user."""
    return {"role": "user", "content": content}


def genai(*messages: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Write messages as OTel GenAI writes them."""
    said = [{"role": role, "parts": parts} for role, parts in messages]
    return {**ALIKE, "gen_ai.input.messages": json.dumps(said)}


def flat(*messages: tuple[str, str]) -> dict[str, Any]:
    """Write messages as OpenInference writes them."""
    prefix = "llm.input_messages"
    found = dict(FLAT)
    for number, (role, text) in enumerate(messages):
        found |= {f"{prefix}.{number}.message.role": role, f"{prefix}.{number}.message.content": text}
    return found


def flattened(*messages: tuple[str, str]) -> dict[str, Any]:
    """Write messages as OpenLLMetry wrote them."""
    found: dict[str, Any] = {"llm.request.type": "chat", "gen_ai.request.model": "gpt-4o"}
    for number, (role, text) in enumerate(messages):
        found |= {f"gen_ai.prompt.{number}.role": role, f"gen_ai.prompt.{number}.content": text}
    return found


def text(said: str) -> dict[str, Any]:
    """Make a part of a message in OTel GenAI's form."""
    return {"type": "text", "content": said}


def answer(response: Any) -> dict[str, Any]:
    """Make a tool's result in OTel GenAI's form."""
    return {"type": "tool_call_response", "id": CALL["id"], "response": response}


CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
WITH_CALL = ("assistant", [{"type": "tool_call", "id": "c", "name": "look", "arguments": {}}])
LOOKED: list[dict[str, Any]] = [user("Hi"), {"role": "assistant", "tool_calls": [CALL]}]
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}}
PARTS: list[dict[str, Any]] = [{"type": "text", "text": "sun"}, IMAGE, {"type": "text", "text": "rain"}]
OWN_WORDS = '[{"type": "text", "text": "in JSON"}]'
PAPER = {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "A chunk."}]}}
REFUSED = {"role": "assistant", "refusal": "I won't."}


def results(*contents: Any) -> dict[str, Any]:
    """Make a user's message with results of tools, in the form of Anthropic's API."""
    return user([{"type": "tool_result", "tool_use_id": CALL["id"], "content": content} for content in contents])


@pytest.mark.parametrize(
    ("api", "asked", "said"),
    [
        pytest.param(
            "messages", {"messages": [results(PARTS)]}, flat(("tool", json.dumps(PARTS))), id="a result, as its JSON"
        ),
        pytest.param(
            "messages",
            {"messages": [results(PARTS)]},
            flat(("tool", json.dumps([PARTS[0], {"type": "image", "source": "__REDACTED__"}, PARTS[2]]))),
            id="JSON in which an image is masked",
        ),
        pytest.param(
            "messages", {"messages": [results([IMAGE])]}, flat(("tool", json.dumps([IMAGE]))), id="JSON without a text"
        ),
        pytest.param(
            "messages",
            {"messages": [results("sun", "sun"), results("sun")]},
            flattened(
                ("user", json.dumps(results("sun", "sun")["content"])), ("user", json.dumps(results("sun")["content"]))
            ),
            id="results that are the same, in the JSON of a message",
        ),
        pytest.param("chat", {"messages": [user(OWN_WORDS)]}, flattened(("user", OWN_WORDS)), id="JSON of the user's"),
        pytest.param(
            "responses",
            {"input": json.dumps([user("quoted")])},
            {**LANGFUSE, "langfuse.observation.input": json.dumps([user("quoted")])},
            id="an input that looks like messages",
        ),
        pytest.param(
            "chat",
            {"messages": [*LOOKED, {"role": "tool", "tool_call_id": "c", "content": '{"sky":"blue","text":"clear"}'}]},
            genai(("user", [text("Hi")]), WITH_CALL, ("tool", [answer({"sky": "blue", "text": "clear"})])),
            id="a result that is JSON, parsed",
        ),
        pytest.param(
            "chat",
            {"messages": [*LOOKED, {"role": "tool", "tool_call_id": "c", "content": "42"}]},
            genai(("user", [text("Hi")]), WITH_CALL, ("tool", [answer(42)])),
            id="a result that is a number, parsed",
        ),
        pytest.param(
            "messages",
            {
                "messages": [
                    user("Hi"),
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": CALL["id"]}]},
                ]
            },
            genai(("user", [text("Hi")]), ("tool", [answer([])])),
            id="a result with nothing in it",
        ),
        pytest.param(
            "chat",
            {"messages": [user("Hi"), REFUSED, user("Go on")]},
            genai(("user", [text("Hi")]), ("assistant", [text("I won't.")]), ("user", [text("Go on")])),
            id="a refusal",
        ),
        pytest.param(
            "messages",
            {"messages": [user([PAPER, {"type": "text", "text": "Sum up."}])]},
            genai(("user", [text("A chunk."), text("Sum up.")])),
            id="a document",
        ),
        pytest.param(
            "messages",
            {"system": "same", "messages": [user("same")]},
            {**genai(("user", [text("same")])), "gen_ai.system_instructions": json.dumps([text("same")])},
            id="the same text of two",
        ),
        pytest.param(
            "responses",
            {"input": [user("ls"), {"type": "shell_call_output", "call_id": "c", "output": "a.txt"}]},
            {
                **LANGFUSE,
                "langfuse.observation.input": json.dumps(
                    [user("ls"), {"type": "shell_call_output", "call_id": "c", "output": "a.txt"}]
                ),
            },
            id="the output of a shell",
        ),
        pytest.param(
            "messages",
            {"messages": [user([{"type": "text", "text": "Well?"}, results("sun")["content"][0]])]},
            genai(("tool", [answer("sun")]), ("user", [text("Well?")])),
            id="a message whose results stand before its text",
        ),
        pytest.param(
            "chat",
            {"messages": [user("Write to ann@example.com, please."), user("Now")]},
            flat(("user", "Write to <EMAIL_ADDRESS>, please."), ("user", "Now")),
            id="a text in which something is masked",
        ),
        pytest.param(
            "chat", {"messages": [user("***"), user("Now")]}, flat(("user", "***"), ("user", "Now")), id="stars"
        ),
        pytest.param(
            "messages",
            {"messages": [user(PARTS)]},
            genai(("user", [text("sun"), text("[image]"), text("rain")])),
            id="a word for an image",
        ),
        pytest.param(
            "messages",
            {"messages": [user(PARTS)]},
            flat(("user", "sun\n<image omitted: 20 kB>\nrain")),
            id="a word for an image, in a text",
        ),
    ],
)
def test_the_same_prompt(judged: Judged, api: str, asked: dict[str, Any], said: dict[str, Any]) -> None:
    """Parts written as JSON, JSON that was parsed, and texts shown in another place are the same prompt."""
    assert judged(api, asked, said) == []


@pytest.mark.parametrize(
    ("api", "asked", "said", "span", "wire"),
    [
        pytest.param(
            "messages",
            {"messages": [results(PARTS)]},
            flat(("tool", json.dumps([PARTS[0]]))),
            "llm.input_messages.*.message.content: 1 of 2 texts",
            "messages[0].content[0].content[2].text: 'rain', which the span lacks",
            id="JSON that lacks a part",
        ),
        pytest.param(
            "messages",
            {"messages": [results(PARTS)]},
            flat(("tool", json.dumps([PARTS[0], {"type": "text", "text": "snow"}]))),
            "llm.input_messages.*.message.content: 'snow'",
            "no such text, but messages[0].content[0].content[2].text: 'rain'",
            id="JSON of another part",
        ),
        pytest.param(
            "messages",
            {"messages": [results("sun"), user("Well?")]},
            flat(("tool", '{"sky": "blue"}'), ("user", "Well?")),
            'llm.input_messages.*.message.content: \'{"sky": "blue"}\'',
            "no such text, but messages[0].content[0].content: 'sun'",
            id="JSON that was not sent",
        ),
        pytest.param(
            "chat",
            {"messages": [user("a"), user("b"), user("c"), user("d"), user("e"), user("f")]},
            flat(("user", "f")),
            "llm.input_messages.*.message.content: 1 of 6 texts",
            "messages[0].content: 'a', which the span lacks\nmessages[1].content: 'b', which the span lacks\n"
            "messages[2].content: 'c', which the span lacks\nand 2 more",
            id="many are lost",
        ),
        pytest.param(
            "chat",
            {"messages": [user("Write to ann@example.com, please."), user("Now")]},
            flat(("user", "Write to <EMAIL_ADDRESS>, or not."), ("user", "Now")),
            "llm.input_messages.*.message.content: 'Write to <EMAIL_ADDRESS>, or not.'",
            "messages[0].content: 'Write to ann@example.com, please.', different from character 10 on",
            id="a mask in another text",
        ),
        pytest.param(
            "messages",
            {"messages": [user("sun"), user("rain")]},
            flat(("user", "sun"), ("user", "[image]"), ("user", "rain")),
            "llm.input_messages.*.message.content: '[image]'",
            "no such text, but messages[1].content: 'rain'",
            id="a word for an image where none was sent",
        ),
    ],
)
def test_another_prompt(
    judged: Judged, api: str, asked: dict[str, Any], said: dict[str, Any], span: str, wire: str
) -> None:
    """A text that was not sent, or is missing, is found in each form; of many missing texts the first are shown."""
    assert judged(api, asked, said) == [(span, wire)]


def test_what_a_limit_has_cut_is_not_judged(judged: Judged) -> None:
    """JSON that was cut has no parts to read, and what stood behind the cut is not known, so it is not missing."""
    long = [{"type": "text", "text": "sun " * 20}]
    messages = {"messages": [results(long), user("Well?")]}
    assert judged("messages", messages, flat(("tool", json.dumps(long)[:50]), ("user", "Well?")), text_limit=50) == []
    asked = {"system": "Be brief.", "messages": [user("sun " * 20)]}
    said = {
        **ALIKE,
        "gen_ai.system_instructions": json.dumps([text("Be brief.")]),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [text("sun " * 20)]}])[:50],
    }
    assert judged("messages", asked, said, text_limit=50) == []


def test_attributes_that_were_dropped(
    judged: Judged, make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]
) -> None:
    """If a long conversation has more attributes than a span keeps, the advice names the limit to raise."""
    span = make_span(1, scope="team.instrumentation", attributes=flat(("user", "b")), dropped=Dropped(attributes=2))
    exchange = make_exchange(span=1, body={"model": "gpt-4o", "messages": [user("a"), user("b")]})
    seen = evidence_of([exchange], [span])
    [found] = [one for one in verify(seen, {}).findings if one.check == "wire/input-messages"]
    said = "raise OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: the provider dropped 2 attributes, the oldest first"
    assert dict(found.details)["next"].startswith(said)


def event(name: str, **said: Any) -> LogRecord:
    """Make an event of span 1."""
    return LogRecord(scope="app", event_name=name, span=SpanKey(1, 1), **said)


def test_a_prompt_in_events(judged: Judged) -> None:
    """If content is in events and not on spans, the events have to show what was sent."""
    asked = {"messages": [{"role": "system", "content": "Be brief."}, user("Hi")]}
    given = [{"role": "user", "parts": [text("Hi")]}]
    instructions = {"gen_ai.system_instructions": json.dumps([text("Be brief.")])}
    whole = event(DETAILS, attributes={"gen_ai.input.messages": json.dumps(given), **instructions})
    assert judged("chat", asked, ALIKE, whole) == []
    less = event(DETAILS, attributes={"gen_ai.input.messages": json.dumps(given)})
    assert judged("chat", asked, ALIKE, less) == [
        (
            f"event {DETAILS}: gen_ai.input.messages: 1 of 2 texts",
            "messages[0].content: 'Be brief.', which the span lacks",
        )
    ]


def test_a_prompt_in_events_of_one_message_each(judged: Judged) -> None:
    """Before semconv 1.37 each message had an event, in the order in which they are emitted."""
    asked = {"messages": [{"role": "system", "content": "Be brief."}, user("Hi")]}
    events = [
        event("gen_ai.system.message", body={"content": "Be brief."}),
        event("gen_ai.user.message", body=user("Hi")),
    ]
    assert judged("chat", asked, ALIKE, *events) == []
    assert judged("chat", asked, ALIKE, events[1]) == [
        ("event gen_ai.*.message[content]: 1 of 2 texts", "messages[0].content: 'Be brief.', which the span lacks")
    ]


def test_a_prompt_in_events_of_the_span(judged: Judged) -> None:
    """Some instrumentations write the same events on the span; if they also emit them beside it, both are judged."""
    asked = {"messages": [{"role": "system", "content": "Be brief."}, user("Hi")]}
    system = SpanEvent(name="gen_ai.system.message", time_ns=0, attributes={"content": '[{"text": "Be brief."}]'})
    users = SpanEvent(name="gen_ai.user.message", time_ns=1, attributes={"content": '[{"text": "Hi"}]'})
    beside = event("gen_ai.system.message", body={"content": "Be kind."}), event("gen_ai.user.message", body=user("Hi"))
    place = "event gen_ai.*.message[content]"
    assert judged("chat", asked, ALIKE, events=(system, users)) == []
    assert judged("chat", asked, ALIKE, events=(users,)) == [
        (f"{place}: 1 of 2 texts", "messages[0].content: 'Be brief.', which the span lacks")
    ]
    assert judged("chat", asked, ALIKE, *beside, events=(system, users)) == [
        (f"{place}: 'Be kind.'", "messages[0].content: 'Be brief.', different from character 4 on")
    ]


def test_a_prompt_of_a_round_length(judged: Judged) -> None:
    """A text as long as some limit is whole if it is JSON to its end, so what it lacks is found."""
    written = json.dumps([{"role": "user", "parts": [text("Hi")]}])
    said = {**ALIKE, "gen_ai.input.messages": "[" + " " * (200 - len(written)) + written[1:]}
    asked = {"messages": [user("Hi"), user("Go on")]}
    span = "gen_ai.input.messages: 1 of 2 texts"
    assert judged("chat", asked, said) == [(span, "messages[1].content: 'Go on', which the span lacks")]


def test_another_text_behind_one_that_was_cut(judged: Judged) -> None:
    """A text that was cut by a limit excuses only itself: another text that was never sent is found."""
    long = [{"type": "text", "text": "sun " * 20}]
    said = flat(("tool", json.dumps(long)[:50]), ("user", "What?"))
    assert judged("messages", {"messages": [results(long), user("Well?")]}, said, text_limit=50) == [
        ("llm.input_messages.*.message.content: 'What?'", "messages[1].content: 'Well?', different from character 2 on")
    ]


ITEM = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": '{"at": "Oslo"}'}
ASKED_FOR = {"type": "tool_call", "name": "look", "arguments": {"at": "Oslo"}}
STEP = "Calling tools:\n[{'id': 'call_1', 'function': {'name': 'look', 'arguments': {'at': 'Oslo\\nand Bergen'}}}]"


@pytest.mark.parametrize(
    ("api", "asked", "call"),
    [
        pytest.param("responses", {"input": [ITEM]}, {**ASKED_FOR, "id": "fc_1"}, id="the id of the item"),
        pytest.param(
            "chat",
            {"messages": [{"role": "assistant", "content": STEP}]},
            {**ASKED_FOR, "id": "call_1", "arguments": {"at": "Oslo\nand Bergen"}},
            id="a call that is sent as a text",
        ),
    ],
)
def test_a_call_in_another_form(judged: Judged, api: str, asked: dict[str, Any], call: dict[str, Any]) -> None:
    """Frameworks write calls into texts, and name calls of the Responses API by the id of the item or of the call."""
    assert judged(api, asked, genai(("assistant", [call]))) == []


def test_a_call_that_was_never_made(judged: Judged) -> None:
    """A call that is in neither the request's calls nor a text is found; the finding shows the call in its place."""
    said = genai(("assistant", [{**ASKED_FOR, "id": "call_1", "arguments": {"at": "Rome"}}]))
    shown = "gen_ai.input.messages[*].parts[tool_call]: look called with {'at': 'Rome'}"
    assert judged("responses", {"input": [ITEM]}, said) == [(shown, "input[0]: look called with {'at': 'Oslo'}")]
    assert judged("responses", {"input": "Look around."}, said) == [(shown, "no such call in the messages")]


def test_a_call_in_an_event(judged: Judged) -> None:
    """The event of an assistant's message has its tool calls."""
    turn = {"role": "assistant", "tool_calls": [CALL]}
    asked = {"messages": [user("Hi"), turn]}
    events = [
        event("gen_ai.user.message", body=user("Hi")),
        event("gen_ai.assistant.message", body=turn),
    ]
    assert judged("chat", asked, ALIKE, *events) == []
    other = {"tool_calls": [{**CALL, "function": {"name": "hear", "arguments": "{}"}}]}
    assert judged("chat", asked, ALIKE, events[0], event("gen_ai.assistant.message", body=other)) == [
        ("event gen_ai.*.message[tool_calls]: hear called with {}", "messages[1].tool_calls[0]: look called with {}")
    ]


def test_what_stands_in_two_places(judged: Judged) -> None:
    """Calls that stand partly on the span and partly in its events, or tools in two attributes, are all found."""
    other = {**CALL, "id": "d"}
    asked = {"messages": [{"role": "assistant", "tool_calls": [CALL, other]}]}
    said = genai(("assistant", [{"type": "tool_call", "id": "c", "name": "look", "arguments": {}}]))
    beside = event("gen_ai.assistant.message", body={"tool_calls": [other]})
    assert judged("chat", asked, said, beside) == []
    tools = [{"type": "function", "function": {"name": name}} for name in ("look", "hear")]
    sent = {"messages": [user("Hi")], "tools": tools}
    inputs = {"model": "gpt-4o", "messages": [user("Hi")], "tools": tools[:1]}
    mlflow = {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.spanInputs": json.dumps(inputs)}
    assert judged("chat", sent, {**mlflow, "mlflow.chat.tools": json.dumps(tools[1:])}) == []
    assert judged("chat", sent, mlflow) == [
        ("mlflow.spanInputs[tools]: ['look']", "tools[1]: 'hear', which the span lacks")
    ]


def test_many_calls_without_ids(judged: Judged) -> None:
    """Each of 2,000 calls, each twice and in another order, is found without a search through all the others."""
    calls = [{"function": {"name": "look", "arguments": json.dumps({"at": number})}} for number in range(2000)]
    parts = [{"type": "tool_call", "name": "look", "arguments": {"at": number}} for number in range(2000)]
    asked = {"messages": [{"role": "assistant", "tool_calls": calls}]}
    assert judged("chat", asked, genai(("assistant", parts[::-1]), ("assistant", parts))) == []
