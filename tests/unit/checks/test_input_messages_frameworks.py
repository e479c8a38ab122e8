"""A prompt as it is shown above the SDK: before a framework has adapted it, or the part that an application shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Fact, Finding, State

Judged = Callable[..., list[Finding]]
Told = Callable[..., list[str]]
Texts = list[tuple[str | None, str]]

LIBRARY = "openinference.instrumentation.llama_index"
SYSTEM, FIRST, ANSWER, LAST = (
    ("system", "Be brief, and kind."),
    ("user", "Is it cold in Oslo?"),
    ("assistant", "It is."),
    ("user", "And in Rome?"),
)
CHAT: Texts = [SYSTEM, FIRST, ANSWER, LAST]
TOOL = ("tool", "22 degrees")
RAG: Texts = [("system", "Use the context."), ("user", "Context:\nIt snows.\n\nQuestion: Is it cold in Oslo?")]


@pytest.fixture
def told(judged: Judged) -> Told:
    """Return the findings as lines: `told(sent, shown)`, each a list of pairs of a role and a text."""

    def told(
        sent: Texts,
        shown: Texts,
        *,
        scope: str = "shop.llm",
        api: str = "chat",
        keys: list[str] | None = None,
        attributes: dict[str, Any] | None = None,
    ) -> list[str]:
        places = keys or [f"messages[{number}].content" for number in range(len(sent))]
        wire = _fact(sent, tuple(zip(places, (text for _, text in sent), strict=True)))
        span = _fact(shown, (("gen_ai.input.messages", "[...]"),))
        found = judged(
            {"input_messages": wire},
            {"input_messages": span},
            api=api,
            record={"scope": scope, "attributes": attributes or {}},
        )
        assert {finding.check for finding in found} <= {"wire/input-messages"}
        lines = [dict(finding.details) for finding in found]
        return [f"{line['span']} / {line['wire'].splitlines()[0]}" for line in lines]

    return told


def _fact(texts: Texts, parts: tuple[tuple[str, Any], ...]) -> Fact:
    value = [{"role": role, "text": text} for role, text in texts]
    return Fact(name="input_messages", value=value, state=State.PRESENT, parts=parts)


# --- what an application shows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (CHAT, [LAST]),
        (CHAT, [SYSTEM, LAST]),
        (CHAT, [ANSWER, LAST]),
        (CHAT, [FIRST, ANSWER, LAST]),
        (CHAT, [SYSTEM]),
        ([*CHAT, TOOL], [LAST]),
    ],
    ids=[
        "the last message",
        "it and the instructions",
        "the last two",
        "no instructions",
        "the instructions alone",
        "the question of an agent's second step",
    ],
)
def test_an_application_may_show_a_part(told: Told, sent: Texts, shown: Texts) -> None:
    """Whoever writes a span by hand may show the last messages alone, or the instructions alone."""
    assert told(sent, shown) == []


@pytest.mark.parametrize(
    ("sent", "shown", "said"),
    [
        (CHAT, [FIRST], "1 of 4 texts / messages[3].content: 'And in Rome?'"),
        (
            CHAT,
            [SYSTEM, FIRST, LAST],
            "3 of 4 texts / messages[2].content: 'It is.'",
        ),
        ([*CHAT, TOOL], CHAT, "4 of 5 texts / messages[4].content: '22 degrees'"),
    ],
    ids=["an older question", "a list with a gap", "a list without the newest"],
)
def test_a_stale_prompt_or_a_list_with_a_gap_is_told(told: Told, sent: Texts, shown: Texts, said: str) -> None:
    """A span is out of date if a newer question was sent; with texts before and behind the gap it is a list."""
    assert told(sent, shown) == [f"gen_ai.input.messages: {said}, which the span lacks"]


RESULTS: Texts = [LAST, TOOL, ("tool", '{"sky": "clear"}'), ("user", "Well?")]


def blocks(*found: Any) -> str:
    return json.dumps(found)


def result(*found: dict[str, Any]) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": "1", "status": "success", "content": list(found)}}


@pytest.mark.parametrize(
    "shown",
    [
        [LAST, ("tool", blocks({"text": "22 degrees"})), ("tool", blocks({"json": {"sky": "clear"}})), RESULTS[3]],
        [
            ("user", blocks({"text": LAST[1]})),
            ("assistant", blocks({"toolUse": {"toolUseId": "1", "name": "look", "input": {}}}, {"cachePoint": {}})),
            ("tool", blocks(result({"text": "22 degrees"}), result({"json": {"sky": "clear"}}), {"text": "Well?"})),
        ],
    ],
)
def test_parts_may_be_bedrocks(told: Told, shown: Texts) -> None:
    """Strands writes messages in the form of Bedrock's Converse API, whichever model it calls."""
    assert told(RESULTS, shown, scope=LIBRARY) == []


def test_another_text_in_bedrocks_parts_is_told(told: Told) -> None:
    """A wrong text is found in Bedrock's form as in any other."""
    shown = [("user", blocks({"text": LAST[1]})), ("tool", blocks(result({"text": "23 degrees"})))]
    assert told(RESULTS[:2], shown, scope=LIBRARY) == [
        "gen_ai.input.messages: '23 degrees' / messages[1].content: '22 degrees', different from character 2 on"
    ]


@pytest.mark.parametrize("shown", [[LAST], [FIRST, ANSWER, LAST]], ids=["the last message", "no instructions"])
def test_a_library_shows_all(told: Told, shown: Texts) -> None:
    """An instrumentation leaves nothing out on purpose, so any missing text is a finding."""
    said = "messages[0].content: 'Be brief, and kind.', which the span lacks"
    assert told(CHAT, shown, scope=LIBRARY) == [f"gen_ai.input.messages: {len(shown)} of 4 texts / {said}"]


@pytest.mark.parametrize(
    ("scope", "attribute", "may_be_filtered"),
    [
        (LIBRARY, "gen_ai.input.messages", True),
        (LIBRARY, "llm.input_messages", False),  # OpenInference has masks, and no filters.
        ("shop.llm", "gen_ai.input.messages", False),
    ],
)
def test_the_finding_says_that_a_filter_may_be_meant(
    judged: Judged, scope: str, attribute: str, may_be_filtered: bool
) -> None:
    """OTel GenAI lets an instrumentation offer filters of prompts: only whoever has set one knows of it."""
    wire = _fact(CHAT, tuple((f"messages[{number}].content", text) for number, (_, text) in enumerate(CHAT)))
    span = _fact([SYSTEM, FIRST, LAST], ((attribute, "[...]"),))
    [finding] = judged({"input_messages": wire}, {"input_messages": span}, record={"scope": scope})
    why = "the prompt shown on the span is not the one that the model was given"
    more = (
        "; only a filter that you have set yourself may leave texts out, as OTel GenAI allows: if you have, waive this"
    )
    assert dict(finding.details)["why"] == why + more * may_be_filtered


@pytest.mark.parametrize(
    "shown",
    ["Is it cold in Oslo?", "system: Use the context.\nuser: Context: It snows. Question: Is it cold in Oslo?"],
    ids=["the question that went into a template", "the conversation as one text"],
)
def test_a_plain_text_need_not_be_a_message(told: Told, shown: str) -> None:
    """A text without a role may be part of a message, or show the whole conversation."""
    assert told(RAG, [(None, shown)]) == []


@pytest.mark.parametrize("role", [None, "user"], ids=["a plain text", "a message"])
def test_a_text_that_was_never_sent_is_told(told: Told, role: str | None) -> None:
    """A template that was not filled in is not what the model has read, and so it is a finding."""
    [said] = told(RAG, [(role, "Context:\n{found}\n\nQuestion: {question}")])
    assert said.startswith("gen_ai.input.messages: ")


@pytest.mark.parametrize(
    ("role", "scope", "text"),
    [
        ("user", "shop.llm", "Is it cold in Oslo?"),
        (None, LIBRARY, "Is it cold in Oslo?"),
        (None, "shop.llm", "Is it co"),
    ],
    ids=["as a message", "by a library", "cut within a word"],
)
def test_a_part_of_a_message_is_told(told: Told, role: str | None, scope: str, text: str) -> None:
    """A message, or what a library shows, must be the whole text; and a text cut within a word is not a question."""
    assert len(told(RAG, [(role, text)], scope=scope)) == 1


# --- what a framework adapts -----------------------------------------------------------------------------------------


def test_texts_may_be_joined_before_they_are_sent(told: Told) -> None:
    """LlamaIndex joins the parts of a message, smolagents messages of one role; the same text may occur again."""
    sent: Texts = [("user", "New task"), ("user", "Error: once\nNew task"), ("user", "Error: once\nError: once")]
    apart: Texts = [("user", text) for text in ("New task", "Error: once", "New task", "Error: once", "Error: once")]
    assert told(sent, apart, scope=LIBRARY) == []
    assert told(sent, [*apart, apart[-1]], scope=LIBRARY) == [
        "gen_ai.input.messages: 'Error: once' / no other text was sent"
    ]


def test_joined_texts_are_those_of_their_own_role(told: Told) -> None:
    """LangChain joins system messages into the instructions, also where somebody else says the same as one of them."""
    sent: Texts = [("system", "hello\n\nhello"), *[("user", "hello")] * 2, ("assistant", "hello")]
    apart: Texts = [*[("system", "hello")] * 2, *[("user", "hello")] * 2, ("assistant", "hello")]
    assert told(sent, apart, scope=LIBRARY) == []
    assert told(sent, apart[1:], scope=LIBRARY) == [
        "gen_ai.input.messages: 'hello' with role 'system' / messages[1].content: 'hello' with role 'user'"
    ]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (['{"error":"say \\"Oslo\\" then"}'], 'say "Oslo" then'),
        (['{"error":[{"type":"missing","loc":["city"]}]}'], '[{"type": "missing", "loc": ["city"]}]'),
        (["Oslo", '{"deg":22}', "[1,2]"], json.dumps(["Oslo", {"deg": 22}, [1, 2]])),
    ],
    ids=["an error", "an error in JSON", "a list, an item a text"],
)
def test_a_tools_result_may_be_wrapped(told: Told, sent: list[str], shown: str) -> None:
    """Pydantic AI tells the model of an error in JSON, and gives Anthropic's models a list item by item."""
    results: Texts = [FIRST, *(("tool", text) for text in sent)]
    assert told(results, [FIRST, ("tool", shown)], scope="pydantic-ai") == []


@pytest.mark.parametrize("shown", ["22", "2 degrees", "[22]"], ids=["the beginning", "the end", "a list of others"])
def test_another_result_of_a_tool_is_told(told: Told, shown: str) -> None:
    """A part of a result may have been wrapped if it stands there as whole words; at the beginning, it was cut."""
    assert len(told([FIRST, TOOL], [FIRST, ("tool", shown)])) == 1


def test_a_role_may_be_adapted_to_an_api(told: Told) -> None:
    """Anthropic's API has no system message among the others: LiteLLM sends it as the user's, and announces it."""
    sent: Texts = [FIRST, ("user", "Operator note:"), ("user", "Be kind.")]
    keys = [f"messages[0].content[{number}].text" for number in range(3)]
    shown: Texts = [FIRST, ("system", "Be kind.")]
    assert told(sent, shown, scope=LIBRARY, api="messages", keys=keys) == []
    [found] = told(sent, shown, scope=LIBRARY, keys=keys)
    span, wire = found.split(" / ")
    assert span == "gen_ai.input.messages: 'Be kind.' with role 'system'"
    assert wire == "messages[0].content[2].text: 'Be kind.' with role 'user'"


def test_thoughts_of_before_are_no_message(told: Told) -> None:
    """A framework may send an earlier thought of the model as a text, and show it as a thought."""
    thought = ("assistant", "<think>\nHm.\n</think>")
    assert told([FIRST, thought, ANSWER], [FIRST, ANSWER]) == []
    assert told([FIRST, thought, ANSWER], [FIRST, ANSWER], scope=LIBRARY) == []


def test_prompts_of_a_batch_have_a_span_each(told: Told) -> None:
    """LangChain sends several prompts to the completions API in one request, and makes a span for each."""
    assert told([("user", "One"), ("user", "Two")], [(None, "One")], scope=LIBRARY, api="completions") == []


# --- reasoning and files ---------------------------------------------------------------------------------------------

THOUGHT = ("assistant", "<think>\nSnow.\n</think>\n\nIt is.")


def test_reasoning_may_have_been_sent_in_the_text_of_an_answer(told: Told) -> None:
    """An API without a place for reasoning gets it in the text, between tags, while the span has it apart."""
    assert told([FIRST, THOUGHT, LAST], [FIRST, ANSWER, LAST], scope=LIBRARY) == []
    assert told([FIRST, (THOUGHT[0], "<think>Snow.</think>"), LAST], [FIRST, LAST], scope=LIBRARY) == []


def test_another_answer_behind_reasoning_is_told(told: Told) -> None:
    """Where a text has reasoning before the answer, the answer is compared."""
    said = "'It is not.' / no such text, but messages[1].content: " + repr(THOUGHT[1])
    shown = [FIRST, ("assistant", "It is not."), LAST]
    assert told([FIRST, THOUGHT, LAST], shown, scope=LIBRARY) == [f"gen_ai.input.messages: {said}"]


def test_an_answer_between_reasoning_is_missed(told: Told) -> None:
    """A text that is more than reasoning is missing where the span does not show it."""
    sent = [FIRST, ("assistant", "<think>a</think> Yes. <think>b</think>"), LAST]
    said = f"2 of 3 texts / messages[1].content: {sent[1][1]!r}, which the span lacks"
    assert told(sent, [FIRST, LAST], scope=LIBRARY) == [f"gen_ai.input.messages: {said}"]


FILE = ("user", '-----BEGIN FILE type="text/plain"-----\nIt snows.\n-----END FILE-----')
BYTES = {"type": "blob", "mime_type": "text/plain", "content": "SXQgc25vd3Mu"}


@pytest.mark.parametrize(
    "part",
    [
        BYTES,
        {"type": "binary", "media_type": "application/yaml", "content": "SXQgc25vd3Mu"},
        {"type": "text", "content": {"file": [{"mime_type": "text/plain", "data": "SXQgc25vd3Mu"}]}},
    ],
)
def test_a_file_may_have_been_sent_as_a_text(told: Told, part: dict[str, Any]) -> None:
    """A framework may send a file as a text; the span shows that text as the content of the file."""
    messages = json.dumps([{"role": "user", "parts": [part]}])
    attributes = {"gen_ai.agent.name": "a", "gen_ai.input.messages": messages, "gen_ai.output.messages": "["}
    assert told([FIRST, FILE], [FIRST], scope=LIBRARY, attributes=attributes) == []


@pytest.mark.parametrize(
    "part",
    [
        {**BYTES, "content": "SXQgcmFpbnMu"},
        {**BYTES, "content": ""},
        {**BYTES, "content": "It snows."},
        {**BYTES, "content": "/w=="},
        {**BYTES, "mime_type": "image/png"},
        {**BYTES, "mime_type": 7},
        {"type": "uri", "mime_type": "text/plain", "uri": "https://example.com/a.txt"},
    ],
)
def test_a_text_that_is_in_no_file_of_the_span_is_told(told: Told, part: dict[str, Any]) -> None:
    """A file with another text, with no text, or behind a URL does not show what the model was given."""
    attributes = {"gen_ai.input.messages": json.dumps([{"role": "user", "parts": [part]}])}
    [line] = told([FIRST, FILE], [FIRST], scope=LIBRARY, attributes=attributes)
    assert line == f"gen_ai.input.messages: 1 of 2 texts / messages[1].content: {FILE[1]!r}, which the span lacks"
