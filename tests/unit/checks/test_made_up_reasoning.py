"""Reasoning that the wire has in no field for it must stand in some other field of the reply."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Finding, Request, State

Judged = Callable[..., list[Finding]]


def replied(*bodies: Any) -> dict[str, Any]:
    """Return the fields of a call with a reply: one body, or the events of a stream."""
    if len(bodies) == 1:
        return {"exchange": {"chunks": (json.dumps(bodies[0]).encode(),)}}
    chunks = tuple(f"data: {json.dumps(body)}\n\n".encode() for body in bodies)
    return {"exchange": {"chunks": chunks, "headers": (("content-type", "text/event-stream"),)}}


def replied_by(api: str, body: Any) -> dict[str, Any]:
    """Return the fields of a call to another API with a reply."""
    fields = replied(body)
    fields["exchange"]["request"] = Request(
        method="POST", url=f"https://llm.test/v1/{api}", body=b'{"model": "m", "messages": [], "input": ""}'
    )
    return {**fields, "api": api}


def chat(**fields: Any) -> dict[str, Any]:
    """Return the body of a chat completion."""
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Sunny.", **fields}}]}


STREAM = [{"choices": [{"index": 0, "delta": {"mind": piece}}]} for piece in ("I look", " out.")]
WIRE = {"output_texts": ["Sunny."], "reasoning_texts": State.ABSENT}


@pytest.mark.parametrize("thought", ["I look out.", "Sunny."], ids=["made up", "the answer itself"])
def test_reasoning_that_nobody_wrote(judged: Judged, thought: str) -> None:
    """The reply has no reasoning at all, so that on the span is not the model's; nor is the answer reasoning."""
    [found] = judged(WIRE, {"reasoning_texts": [thought]}, **replied(chat()))
    details = dict(found.details)
    assert (found.check, details["span"]) == ("wire/reasoning-text", f"gen_ai.reasoning_texts: {thought!r}")
    assert details["wire"].splitlines()[0] == "no reasoning"
    assert details["why"] == "the model showed no reasoning"
    assert details["next"].startswith("show only the reasoning that the reply has")


@pytest.mark.parametrize(
    ("thought", "fields"),
    [
        ("I look out.", replied(chat(thoughts=["I look", " out."]))),
        ("I look out.\nIt is noon.", replied(chat(steps=[{"thought": "I look out. "}, {"thought": "It is noon."}]))),
        ("I look...", replied(chat(thoughts="I look out."))),
        ("I look out.", replied(*STREAM)),
        ("I look out.", replied(chat(content="<think>I look out.</think>Sunny."))),
        ("__REDACTED__", replied(chat())),
        ("I look [NAME].", replied(chat())),
        ("", replied(chat())),
    ],
    ids=["a field", "a list", "cut", "a stream", "tags", "hidden", "masked", "empty"],
)
def test_reasoning_in_another_field(judged: Judged, thought: str, fields: dict[str, Any]) -> None:
    """No finding: gateways have fields of their own, whose texts stand somewhere in the reply."""
    assert judged(WIRE, {"reasoning_texts": [thought]}, **fields) == []


THOUGHT = {
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "I looked."}],
    "content": [{"type": "reasoning_text", "text": "I look out."}],
}
SAID = {"type": "message", "content": [{"type": "output_text", "text": "Sunny."}]}


@pytest.mark.parametrize(
    ("thought", "checks"),
    [
        ("I looked.", []),
        ("I look out.", []),
        ('[{"type": "summary_text", "text": "I looked."}]', []),
        ("I slept.", ["wire/reasoning-text"]),
        ("Sunny.", ["wire/reasoning-text"]),
        ('[{"type": "summary_text", "text": "I slept."}]', ["wire/reasoning-text"]),
    ],
)
def test_a_summary_beside_the_reasoning(judged: Judged, thought: str, checks: list[str]) -> None:
    """If a reply has both the reasoning and a summary of it, the span may show either, and nothing else."""
    wire = {"output_texts": ["Sunny."], "reasoning_texts": ["I look out."]}
    found = judged(wire, {"reasoning_texts": [thought]}, **replied_by("responses", {"output": [THOUGHT, SAID]}))
    assert [finding.check for finding in found] == checks


VEILED = [
    {"type": "redacted_thinking", "data": "c2VjcmV0"},
    {"type": "thinking", "thinking": "I look out."},
    {"type": "text", "text": "Sunny."},
]


@pytest.mark.parametrize(("thought", "checks"), [("c2VjcmV0I look out.", []), ("c2VjcmV0", ["wire/reasoning-text"])])
def test_reasoning_that_is_encrypted(judged: Judged, thought: str, checks: list[str]) -> None:
    """A span may show the encrypted part of the reasoning where it stands, but not in place of what can be read."""
    wire = {"output_texts": ["Sunny."], "reasoning_texts": ["I look out."]}
    found = judged(wire, {"reasoning_texts": [thought]}, **replied_by("messages", {"content": VEILED}))
    assert [finding.check for finding in found] == checks
