"""An answer with several choices: each text and each call belongs to the choice that it was said in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_llmtrace.model import Finding
from pytest_llmtrace.reading import Chosen

Judged = Callable[..., list[Finding]]

LOOK = {"id": "c1", "name": "look", "arguments": {"at": 1}}
HEAR = {"id": "c2", "name": "hear", "arguments": {}}
AGAIN = {"id": "c3", "name": "look", "arguments": {"at": 2}}


def calls(*by_choice: Sequence[Any]) -> dict[str, Any]:
    """Make the tool calls of the choices."""
    return {"tool_calls": Chosen.of(by_choice)}


@pytest.mark.parametrize(
    ("wire", "span", "lines"),
    [
        (
            calls([LOOK], [HEAR]),
            calls([HEAR], [LOOK]),
            ("hear in choice 0, look in choice 1", "look in choice 0, hear in choice 1"),
        ),
        (
            calls([LOOK], [HEAR]),
            calls([LOOK, HEAR], []),
            ("look in choice 0, hear in choice 0", "look in choice 0, hear in choice 1"),
        ),
        (
            calls([LOOK], [AGAIN, HEAR]),
            calls([AGAIN], [LOOK, HEAR]),
            ("look in choice 0, look in choice 1, hear in choice 1",) * 2,
        ),
    ],
    ids=["swapped", "all in the first", "calls of one tool, told by their ids"],
)
def test_a_call_in_another_choice(judged: Judged, wire: Any, span: Any, lines: tuple[str, str]) -> None:
    """All calls are there, but whoever reads one choice sees what another one asked for."""
    [found] = judged(wire, span)
    details = dict(found.details)
    assert (found.check, details["span"]) == ("wire/tool-calls", f"gen_ai.tool_calls: {lines[0]}")
    assert details["wire"].splitlines()[0] == f"tool_calls: {lines[1]}"
    assert details["why"] == "what one choice asked for is shown as what another one did"
    assert details["next"].startswith("write the calls of each choice into the message of that choice")


@pytest.mark.parametrize(
    ("wire", "span"),
    [
        (calls([LOOK], [HEAR, AGAIN]), calls([LOOK], [AGAIN, HEAR])),
        (calls([LOOK], [HEAR]), calls([HEAR, LOOK])),
        (calls([LOOK, HEAR]), calls([HEAR], [LOOK])),
        (calls([], [LOOK], [HEAR]), calls([LOOK], [HEAR])),
    ],
    ids=["parallel calls", "the span has no choices", "the wire has one", "a message is left out"],
)
def test_a_call_may_stand_anywhere(judged: Judged, wire: Any, span: Any) -> None:
    """No finding: parallel calls have no order, and the messages of the span are not the choices of the wire."""
    assert judged(wire, span) == []


def test_a_text_in_another_choice(judged: Judged) -> None:
    """One of the choices is a refusal, and the span shows the text of the one before it there."""
    [found] = judged({"output_texts": ["a", None, "c"], "refusals": ["no"]}, {"output_texts": [None, "a", "c"]})
    details = dict(found.details)
    assert (found.check, details["span"]) == ("wire/output-text", "gen_ai.output_texts: 'a' in choice 1")
    assert details["wire"].splitlines()[0] == "output_texts: ['a', None, 'c']"
    assert details["why"] == "what one choice says is shown as what another one does"
    assert details["next"].startswith("write the text of each choice into the message of that choice")


@pytest.mark.parametrize(
    "span",
    [["a", None, "c"], ["a", "no", "c"], ["a", "c"], [" a", None, "c\n"]],
    ids=["null", "refused", "fewer", "stripped"],
)
def test_each_text_in_its_choice(judged: Judged, span: list[str | None]) -> None:
    """No finding: a refusal may stand as the text of its choice, and a span may list only the choices with a text."""
    assert judged({"output_texts": ["a", None, "c"], "refusals": ["no"]}, {"output_texts": span}) == []


def test_a_choice_in_two_messages(judged: Judged) -> None:
    """In the chat API a message is a choice, so a text that is split looks like two answers; elsewhere it is a part."""
    wire, span = {"output_texts": ["ab"]}, {"output_texts": ["a", "b"]}
    [found] = judged(wire, span)
    assert (found.check, dict(found.details)["why"].partition("; ")[2]) == (
        "wire/output-text",
        "the span has 2 texts, the response 1",
    )
    assert judged(wire, span, api="responses") == []
