"""One cause, one finding: a fault that follows from another one of the same span is reported in that one's finding."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Call, Exchange, Fact, Finding, Severity, SpanKey, SpanRecord, State, StreamEnd
from pytest_llmtrace.pairing import match

Judged = Callable[..., list[Finding]]
STREAM: Mapping[str, Any] = {
    "headers": (("content-type", "text/event-stream"),),
    "chunks": (b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n', b'data: {"usage": {}}\n\n'),
    "chunk_ticks": (101, 102),
    "ended": 103,
    "stream_end": StreamEnd.EXHAUSTED,
}


def told(findings: list[Finding]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the check of each finding, and the checks that it explains."""
    return [(finding.check, finding.also) for finding in findings]


USAGE = {
    "input_tokens": 60,
    "output_tokens": 19,
    "total_tokens": 79,
    "cache_read_tokens": 30,
    "cache_write_tokens": 20,
    "reasoning_tokens": 8,
}


def test_a_total_is_told_with_its_part(judged: Judged) -> None:
    """The finding on the part shows the total's own attribute, and one waiver hides both."""
    [finding] = judged({**USAGE}, {"output_tokens": 20, "total_tokens": 80})
    assert finding.check == "wire/output-tokens"
    assert finding.details[:4] == (
        ("span", "gen_ai.output_tokens = 20"),
        ("wire", "output_tokens = 19\ncassettes/chat.yaml, interaction 0, exchange 0, response body"),
        ("also", "gen_ai.total_tokens = 80  (wire/total-tokens)"),
        ("why", "dashboards add this count up and costs are computed from it; the count is too high"),
    )


@pytest.mark.parametrize(
    ("span", "found"),
    [
        ({"total_tokens": 80}, [("wire/total-tokens", ())]),
        ({"output_tokens": 20, "total_tokens": 90}, [("wire/output-tokens", ()), ("wire/total-tokens", ())]),
        ({"input_tokens": 59, "output_tokens": 20}, [("wire/input-tokens", ()), ("wire/output-tokens", ())]),
        (
            {"input_tokens": 50, "output_tokens": 20, "total_tokens": 70},
            [("wire/input-tokens", ("wire/total-tokens",)), ("wire/output-tokens", ())],
        ),
        (
            {"input_tokens": 50, "output_tokens": 20, "total_tokens": 80},
            [("wire/input-tokens", ()), ("wire/output-tokens", ("wire/total-tokens",))],
        ),
        (
            {"input_tokens": 10, "cache_read_tokens": 0, "cache_write_tokens": 0, "total_tokens": 29},
            [("wire/cache-read-tokens", ("wire/input-tokens", "wire/total-tokens")), ("wire/cache-write-tokens", ())],
        ),
        ({"output_tokens": 11, "reasoning_tokens": 0}, [("wire/reasoning-tokens", ("wire/output-tokens",))]),
        ({"output_tokens": 10**400, "total_tokens": 10**400 + 60}, [("wire/output-tokens", ("wire/total-tokens",))]),
        (
            {"output_tokens": float("nan"), "total_tokens": float("inf")},
            [("wire/output-tokens", ()), ("wire/total-tokens", ())],
        ),
    ],
)
def test_a_count_follows_from_its_parts(
    judged: Judged, span: Mapping[str, Any], found: list[tuple[str, tuple[str, ...]]]
) -> None:
    """A count follows only if it is wrong by just as much as its parts; a chain of causes ends at the first."""
    assert told(judged(USAGE, span)) == found


@pytest.mark.parametrize(
    ("span", "found"),
    [
        (
            {"request_model": "gpt-4o", "response_model": "gpt-4o-2024"},
            [("wire/request-model", ("wire/response-model",))],
        ),
        ({"request_model": "x", "response_model": "x"}, [("wire/request-model", ("wire/response-model",))]),
        ({"request_model": "x", "model": "x"}, [("wire/request-model", ("wire/model",))]),
        (
            {"request_model": "x", "response_model": "gpt-4o-2024"},
            [("wire/request-model", ()), ("wire/response-model", ())],
        ),
        ({"request_model": "openai/gpt-4o", "response_model": "openai/gpt-4o"}, [("wire/response-model", ())]),
    ],
)
def test_a_model_follows_from_the_requested_one(
    judged: Judged, span: Mapping[str, Any], found: list[tuple[str, tuple[str, ...]]]
) -> None:
    """The response's model follows if it is the same wrong name, or if both lack the provider."""
    wire = {"request_model": "openai/gpt-4o", "response_model": "openai/gpt-4o-2024"}
    assert told(judged(wire, span)) == found


@pytest.mark.parametrize(
    ("ended", "found"),
    [
        (
            101,
            [("structure/ended-before-stream", ("wire/output-tokens", "wire/output-text")), ("wire/response-id", ())],
        ),
        (None, [("structure/span-never-ended", ("wire/output-tokens", "wire/output-text")), ("wire/response-id", ())]),
        (200, [("wire/response-id", ()), ("wire/output-tokens", ()), ("wire/output-text", ())]),
    ],
)
def test_what_a_span_did_not_wait_for(
    make_call: Callable[..., Call], ended: int | None, found: list[tuple[str, tuple[str, ...]]]
) -> None:
    """Counts and texts that came after the span's end follow from its early end; facts of the first event do not."""
    wire = {"streaming": True, "response_id": "1", "output_tokens": 9, "output_texts": ["ab"]}
    span = {"response_id": "2", "output_tokens": 1, "output_texts": ["a"]}
    call = make_call(wire, span, exchange=STREAM, record={"ended": ended})
    assert told(list(verify(Evidence(calls=(call,), spans=call.spans), {}).findings)) == found


def test_a_note_beside_the_span_did_wait(make_call: Callable[..., Call]) -> None:
    """A note beside the span was made after the stream, so a wrong count in it has nothing to do with the early end."""
    noted = Fact(name="output_tokens", value=8, state=State.PRESENT, parts=(("n", 8),), where="span 'note'")
    span = {"output_tokens": State.ABSENT}
    call = make_call(
        {"streaming": True, "output_tokens": 9}, span, others=(noted,), exchange=STREAM, record={"ended": 101}
    )
    found = verify(Evidence(calls=(call,), spans=call.spans), {}).findings
    assert told(list(found)) == [("structure/ended-before-stream", ()), ("wire/output-tokens", ())]


def test_a_warning_explains_no_error(judged: Judged) -> None:
    """A cut response that looks complete is an error on its finish reason; the warning is reported in that finding."""
    found = judged({"truncated": True, "finish_reasons": []}, {"finish_reasons": ["stop"]})
    assert told(found) == [("wire/finish-reasons", ("wire/cut-stream",))]


def test_another_span_explains_nothing(make_call: Callable[..., Call]) -> None:
    """Findings on different spans do not explain each other, since each span is corrected on its own."""
    one = make_call(USAGE, {"output_tokens": 20})
    other = make_call(USAGE, {"output_tokens": 19, "total_tokens": 80}, record={"key": SpanKey(1, 2), "scope": "other"})
    found = told(list(verify(Evidence(calls=(one, other)), {}).findings))
    assert found == [("wire/output-tokens", ()), ("wire/total-tokens", ())]


def test_a_waiver_of_the_cause_hides_what_follows(make_call: Callable[..., Call]) -> None:
    """A waiver of the cause hides what follows from it, and a waiver of what follows is unused."""
    evidence = Evidence(calls=(make_call(USAGE, {"output_tokens": 20, "total_tokens": 80}),))
    assert verify(evidence, {"wire/output-tokens": "known"}).findings == ()
    assert told(list(verify(evidence, {"wire/total-tokens": "known"}).findings)) == [
        ("wire/output-tokens", ("wire/total-tokens",)),
        ("waiver/unused", ()),
    ]


SENT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
INSTRUCTED = [{"type": "text", "content": "Be brief."}]
GREETED = [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]


@pytest.mark.parametrize(
    ("asked", "instructed", "found"),
    [
        (json.dumps(GREETED), json.dumps(INSTRUCTED), []),
        (
            json.dumps(json.dumps(GREETED)),
            json.dumps(INSTRUCTED),
            [("wire/unreadable", ("wire/input-messages", "convention/content"))],
        ),
        (str(GREETED), json.dumps(INSTRUCTED), [("convention/content", ("wire/input-messages",))]),
        (json.dumps(GREETED), str(INSTRUCTED), [("convention/content", ("wire/input-messages",))]),
        # What is lost although all can be read has a cause of its own.
        (json.dumps([]), json.dumps(INSTRUCTED), [("wire/input-messages", ())]),
        (json.dumps([7]), json.dumps(INSTRUCTED), [("wire/input-messages", ()), ("convention/content", ())]),
    ],
)
def test_texts_are_lost_with_the_attribute_that_holds_them(
    make_span: Callable[..., SpanRecord],
    make_exchange: Callable[..., Exchange],
    asked: str,
    instructed: str,
    found: list[tuple[str, tuple[str, ...]]],
) -> None:
    """If an attribute cannot be read, the span shows none of its texts; that is one finding."""
    said = {"gen_ai.input.messages": asked, "gen_ai.system_instructions": instructed}
    named = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    span = make_span(1, name="chat gpt-4o", scope="team.instrumentation", attributes={**named, **said})
    exchange = make_exchange(span=1, body={"model": "gpt-4o", "messages": SENT})
    seen = Evidence(exchanges=(exchange,), spans=(span,), calls=match([exchange], [span]).calls)
    findings = [one for one in verify(seen, {}).findings if one.severity is not Severity.INFO]
    assert told(findings) == found
