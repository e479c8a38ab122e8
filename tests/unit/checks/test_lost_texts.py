"""What an answer says is lost by a fault if the span shows other content; a span may leave out all of it on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Fact, Finding, Severity, State

Judged = Callable[..., list[Finding]]

SPOKE = {"output_texts": ["I look."], "tool_calls": [{"id": "c1", "name": "look", "arguments": {"at": 1}}]}
ASKED = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
SHOWN = {"record": {"attributes": {"gen_ai.input.messages": json.dumps(ASKED)}}}
FLAT = {"record": {"attributes": {"llm.input_messages.0.message.content": "hi"}}}


def fact(name: str, value: Any, key: str) -> Fact:
    """Make a fact of the span."""
    return Fact(name=name, value=value, state=State.PRESENT, parts=((key, value),), where="span 'chat'")


def silent(attribute: str = "gen_ai.output.messages") -> dict[str, Fact]:
    """Return output messages without a text."""
    return {"output_texts": fact("output_texts", [None], f"{attribute}[*].parts[text]")}


def calling(arguments: Any, attribute: str = "gen_ai.output.messages") -> dict[str, Fact]:
    """Return the tool call as an attribute shows it."""
    asked = [{"id": "c1", "name": "look", "arguments": arguments}]
    return {"tool_calls": fact("tool_calls", asked, f"{attribute}[*].parts[tool_call]")}


ANSWERED = {"output_texts": ["Yes."], "reasoning_texts": ["Hm."]}
REASONED = {"reasoning_texts": fact("reasoning_texts", ["Hm."], "gen_ai.output.messages[*].parts[reasoning]")}


def test_a_text_is_lost_beside_a_tool_call(judged: Judged) -> None:
    """The answer has both a text and a tool call, and many instrumentations write only one of them."""
    [found] = judged(SPOKE, {**silent(), **calling({"at": 1})})
    assert (found.check, found.severity) == ("wire/output-text", Severity.ERROR)
    assert dict(found.details)["span"] == "gen_ai.output.messages[*].parts[text]: no text"
    assert dict(found.details)["wire"].startswith("output_texts = ['I look.']")
    why = (
        "the answer shown on the span is not the one that the user got; other content is there, so the text was not "
        "left out on purpose"
    )
    assert dict(found.details)["why"] == why


@pytest.mark.parametrize(
    ("span", "fields"),
    [(REASONED, {}), ({}, SHOWN), ({}, FLAT)],
    ids=["beside reasoning", "the prompt is shown", "the prompt is shown in OpenInference's names"],
)
def test_a_text_is_lost(judged: Judged, span: dict[str, Fact], fields: dict[str, Any]) -> None:
    """A span that shows the prompt, or the reasoning, has not left out content on purpose."""
    assert [found.check for found in judged(ANSWERED, {**silent(), **span}, **fields)] == ["wire/output-text"]


@pytest.mark.parametrize(
    ("wire", "span", "fields"),
    [
        (SPOKE, {**silent(), **calling(None)}, {}),  # Content is left out, and only names are shown.
        (SPOKE, {**silent(), **calling({})}, {}),
        (SPOKE, {**silent(), **calling({"at": 1}, "gen_ai.completion.")}, {}),  # This place is for calls only.
        ({**SPOKE, "output_texts": [" \n"]}, {**silent(), **calling({"at": 1})}, {}),
        ({**SPOKE, "output_texts": State.ABSENT}, {**silent(), **calling({"at": 1})}, {}),
        ({**SPOKE, "truncated": True}, {**silent(), **calling({"at": 1})}, {"record": {"status": "ERROR"}}),
        ({"output_texts": ["Yes."]}, silent(), {}),
        ({"output_texts": ["Yes."]}, silent(), {"record": {"attributes": {"gen_ai.input.messages": "__REDACTED__"}}}),
    ],
)
def test_a_text_may_be_left_out(judged: Judged, wire: Any, span: Any, fields: Any) -> None:
    """No finding: no content is shown, the answer has no text or was cut, or the place is not for texts."""
    assert [found.check for found in judged(wire, span, **fields) if found.check == "wire/output-text"] == []


HEARD = {"output_texts": fact("output_texts", ["Yes."], "choices[].message.audio.transcript")}


def test_words_that_are_only_spoken_may_be_left_out(judged: Judged) -> None:
    """OTel GenAI's messages have no place for the transcript of an audio; those of OpenInference have one."""
    assert judged(HEARD, silent(), **SHOWN) == []
    [found] = judged(HEARD, silent("llm.output_messages."), **FLAT)
    assert found.check == "wire/output-text"


def test_another_place_has_the_text(judged: Judged) -> None:
    """A text that the span has at another of its places is not lost."""
    more = (fact("output_texts", ["I look."], "gen_ai.completion.*.content"),)
    assert judged(SPOKE, {**silent(), **calling({"at": 1})}, others=more) == []


def shown(text: str | None = "I look.", attribute: str = "gen_ai.output.messages") -> dict[str, Fact]:
    """Return output messages with a text."""
    return {"output_texts": fact("output_texts", [text], f"{attribute}[*].parts[text]")}


def test_arguments_are_lost_beside_a_text(judged: Judged) -> None:
    """A call is there without what it was called with, although the span shows what the model said."""
    [found] = judged(SPOKE, {**shown(), **calling(None)})
    assert (found.check, found.severity) == ("wire/tool-call-arguments", Severity.ERROR)
    details = dict(found.details)
    assert details["span"] == "gen_ai.output.messages[*].parts[tool_call]: look called without arguments"
    assert details["wire"].splitlines()[0] == "tool_calls: look called with {'at': 1}"
    assert details["why"] == (
        "what the tool was called with is missing; other content is there, so the arguments were not left out on "
        "purpose"
    )


TWO = [{"id": "c1", "name": "look", "arguments": {"at": 1}}, {"id": "c2", "name": "hear", "arguments": {"at": 2}}]


@pytest.mark.parametrize(
    ("span", "fields"),
    [
        ({"tool_calls": fact("tool_calls", [{**TWO[0], "arguments": None}, TWO[1]], "gen_ai.completion.")}, {}),
        ({**REASONED, "tool_calls": fact("tool_calls", [TWO[0], {**TWO[1], "arguments": None}], "m")}, SHOWN),
    ],
    ids=["beside another call's", "beside the prompt"],
)
def test_arguments_are_lost(judged: Judged, span: dict[str, Fact], fields: dict[str, Any]) -> None:
    """A span that shows the arguments of another call, or the prompt, has not left out content on purpose."""
    assert [found.check for found in judged({"tool_calls": TWO, "reasoning_texts": ["Hm."]}, span, **fields)] == [
        "wire/tool-call-arguments"
    ]


@pytest.mark.parametrize(
    ("wire", "span", "fields"),
    [
        (SPOKE, calling(None), {}),
        (SPOKE, {**shown(attribute="gen_ai.completion."), **calling(None)}, {}),  # Another switch governs that place.
        ({**SPOKE, "tool_calls": [{**TWO[0], "arguments": {}}]}, {**shown(), **calling(None)}, {}),
        ({**SPOKE, "tool_calls": [{**TWO[0], "arguments": ""}]}, {**shown(), **calling(None)}, {}),
        ({**SPOKE, "truncated": True}, {**shown(), **calling(None)}, {"record": {"status": "ERROR"}}),
        (SPOKE, {**shown(), **calling(None)}, {"others": (fact("tool_calls", TWO[:1], "gen_ai.completion."),)}),
    ],
    ids=["content is left out", "of another place", "called with {}", "with nothing", "cut", "another place has them"],
)
def test_arguments_may_be_left_out(judged: Judged, wire: Any, span: Any, fields: Any) -> None:
    """No finding: no content is shown there, the model gave none, the answer was cut, or another place has them."""
    found = judged(wire, span, **fields)
    assert [finding.check for finding in found if finding.check == "wire/tool-call-arguments"] == []


REFUSED = {"output_texts": State.NULL, "refusals": ["No way."]}


@pytest.mark.parametrize("text", [State.NULL, State.ABSENT, [""]], ids=["null", "absent", "empty"])
def test_a_refusal_is_lost(judged: Judged, text: Any) -> None:
    """Content is captured, and the answer shows nothing: what the model said instead of an answer is missing."""
    [found] = judged({**REFUSED, "output_texts": text}, silent(), **SHOWN)
    details = dict(found.details)
    assert (found.check, details["span"]) == ("wire/output-text", "gen_ai.output.messages[*].parts[text]: no text")
    assert details["wire"].splitlines()[0] == "refusals = ['No way.']"
    assert details["why"] == (
        "the answer shown on the span is not the one that the user got; other content is there, so the text was not "
        "left out on purpose"
    )


@pytest.mark.parametrize(
    ("wire", "span", "fields"),
    [
        (REFUSED, silent(), {}),
        (REFUSED, silent("llm.output_messages."), FLAT),
        (REFUSED, {**silent(), "refusals": ["No way."]}, SHOWN),
        (REFUSED, {"output_texts": ["No way."]}, SHOWN),
        ({"output_texts": State.NULL}, silent(), SHOWN),
        ({**REFUSED, "truncated": True}, silent(), {"record": {"status": "ERROR", **SHOWN["record"]}}),
    ],
    ids=["content is left out", "no place for it", "shown as a refusal", "shown as a text", "nothing was said", "cut"],
)
def test_a_refusal_is_not_lost(judged: Judged, wire: Any, span: Any, fields: Any) -> None:
    """No finding: no content is shown, the refusal is there, or there was none."""
    assert [found.check for found in judged(wire, span, **fields)] == []
