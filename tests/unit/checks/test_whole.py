"""A request and its reply that stand whole on a span (`input.value`, `output.value`) are compared with the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import verify
from pytest_llmtrace.model import Exchange, Finding, SpanRecord
from tests.evidence import evidence_of

Judged = Callable[..., list[Finding]]

PLACE = "cassettes/chat.yaml, interaction 0, exchange 0"
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.5, "store": True}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
ANSWERED = {
    "id": "r",
    "model": "m-1",
    "choices": [{"message": {"role": "assistant", "content": "A standard."}, "finish_reason": "stop"}],
    "usage": USAGE,
    "system_fingerprint": "fp_1",
}
OWN = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "m-1",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "A standard.",
}


@pytest.fixture
def judged(make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]) -> Judged:
    """Judge a span with this input and output, in the `wire/...` checks."""

    def judged(given: Any = ASKED, returned: Any = ANSWERED, own: dict[str, Any] = OWN) -> list[Finding]:
        exchange = make_exchange(span=1, body=ASKED, chunks=(json.dumps(ANSWERED).encode(),))
        said = {"input.value": json.dumps(given), "output.value": json.dumps(returned)}
        span = make_span(1, attributes={**own, **said})
        seen = evidence_of([exchange], [span])
        return [finding for finding in verify(seen, {}).findings if finding.check.startswith("wire/")]

    return judged


def changed(value: Any, path: str, to: Any) -> Any:
    """Return a JSON value with another value at a path."""
    first, _, rest = path.partition(".")
    key: Any = int(first) if isinstance(value, list) else first
    inner = changed(value[key], rest, to) if rest else to
    return [*value[:key], inner, *value[key + 1 :]] if isinstance(value, list) else {**value, key: inner}


@pytest.fixture
def found(judged: Judged) -> list[Finding]:
    """Return what is found on a span whose input and output are right; its attributes lack the tokens."""
    return judged()


def test_the_same_as_the_wire(found: list[Finding]) -> None:
    """A whole request and reply that equal the wire are not wrong, but do not stand for attributes that are missing."""
    assert [finding.check for finding in found] == ["wire/usage-missing"]


@pytest.mark.parametrize(
    ("path", "wrong", "check", "span", "wire"),
    [
        (
            "model",
            "other",
            "wire/request-model",
            "input.value[model] = 'other'",
            f"model = 'm'\n{PLACE}, request body",
        ),
        (
            "temperature",
            0.7,
            "wire/request-temperature",
            "input.value[temperature] = 0.7",
            f"temperature = 0.5\n{PLACE}, request body",
        ),
        ("store", False, "wire/copied", "input.value[store] = False", f"store = True\n{PLACE}, request body"),
    ],
)
def test_a_request_of_another_call(
    judged: Judged, found: list[Finding], path: str, wrong: Any, check: str, span: str, wire: str
) -> None:
    """What it says is compared like attributes, by the same checks."""
    [finding] = [one for one in judged(given=changed(ASKED, path, wrong)) if one not in found]
    assert (finding.check, *finding.details[:2]) == (check, ("span", span), ("wire", wire))


@pytest.mark.parametrize(
    ("path", "wrong", "check", "span"),
    [
        ("id", "other", "wire/response-id", "output.value[id] = 'other'"),
        ("model", "other", "wire/response-model", "output.value[model] = 'other'"),
        ("usage.prompt_tokens", 6, "wire/input-tokens", "output.value[usage] = 6"),
        ("choices.0.finish_reason", "length", "wire/finish-reasons", "output.value[finish_reason] = ['length']"),
        ("choices.0.message.content", "A stand", "wire/output-text", "output.value[content]"),
        ("system_fingerprint", "fp_2", "wire/copied", "output.value[system_fingerprint] = 'fp_2'"),
    ],
)
def test_a_reply_of_another_call(
    judged: Judged, found: list[Finding], path: str, wrong: Any, check: str, span: str
) -> None:
    """What it says is compared like attributes, by the same checks."""
    [finding] = [one for one in judged(returned=changed(ANSWERED, path, wrong)) if one not in found]
    assert finding.check == check
    assert dict(finding.details)["span"].startswith(span)


def test_one_fault_in_two_places(judged: Judged, found: list[Finding]) -> None:
    """An answer that is wrong in the messages and in the whole reply is one finding, with both places."""
    own = {**OWN, "llm.output_messages.0.message.content": "A stand"}
    [finding] = [
        one
        for one in judged(returned=changed(ANSWERED, "choices.0.message.content", "A stand"), own=own)
        if one not in found
    ]
    assert finding.check == "wire/output-text"
    assert "llm.output_messages.*.message.content" in dict(finding.details)["span"]
    assert "output.value[content]" in dict(finding.details)["span"]


@pytest.mark.parametrize(
    "returned",
    [
        {**ANSWERED, "logprobs": None, "choices": [{**ANSWERED["choices"][0], "index": None, "annotations": []}]},  # type: ignore[index]
        {"answer": "A standard."},
        ["A standard."],
        "A standard.",
        {"id": 7, "query": "hi"},
        None,
        changed(ANSWERED, "logprobs", json.loads("[" * 400 + "]" * 400)),
    ],
    ids=["with empty fields", "an object", "a list", "a text", "an object with an id", "null", "nested deeply"],
)
def test_what_is_no_finding(judged: Judged, found: list[Finding], returned: Any) -> None:
    """Fields that an SDK adds and leaves empty, and outputs of any other form."""
    assert judged(returned=returned) == found


def test_what_only_the_whole_request_states(make_span: Callable[..., SpanRecord], make_exchange: Any) -> None:
    """Prompt, tools and tool calls that no attribute states are judged by the whole request alone."""
    called = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at": "it"}'}}
    tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "c", "content": "seen"},
    ]
    asked = {"model": "m", "messages": messages, "tools": [tool]}
    said = changed(changed(asked, "messages.1.tool_calls.0.id", "d"), "messages.0.content", "ho")
    exchange = make_exchange(span=1, body=asked, chunks=(json.dumps(ANSWERED).encode(),))
    span = make_span(
        1, scope="openinference.instrumentation.openai", attributes={**OWN, "input.value": json.dumps(said)}
    )
    seen = evidence_of([exchange], [span])
    found = {finding.check: dict(finding.details) for finding in verify(seen, {}).findings}
    assert found["wire/input-messages"]["span"].startswith("input.value: 'ho'")
    assert found["wire/input-tool-calls"]["span"].startswith("input.value[tool_calls]")
    assert "wire/request-tools" not in found
