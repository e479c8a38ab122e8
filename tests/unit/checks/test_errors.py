"""The span of a call that went wrong says so, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.checks.errors import CHECKS
from pytest_llmtrace.model import Finding, Outcome, Response, SpanEvent, State, StreamEnd

Judged = Callable[..., list[Finding]]

LIMITED = {"error": {"status": 429, "type": "rate_limit_error", "code": None, "message": "Slow down"}}
OVERLOADED = {"error": {"status": 502, "type": None, "code": 502, "message": "Provider gone"}}
STREAM = {"streaming": True}
UNSET: dict[str, Any] = {"status": "UNSET"}
RAISED: dict[str, Any] = {"status": "ERROR", "events": (SpanEvent(name="exception", time_ns=1),)}
SAID: dict[str, Any] = {"status": "ERROR", "status_description": "Slow down"}
MUTE: dict[str, Any] = {"status": "ERROR"}
WHERE = "cassettes/chat.yaml, interaction 0, exchange 0"
BODY = f"{WHERE}, response body"
TIMEOUT: dict[str, Any] = {
    "response": None,
    "outcome": Outcome.FAILED,
    "stream_end": StreamEnd.FAILED,
    "failure": "ReadTimeout: timed out",
}
BROKEN: dict[str, Any] = {"stream_end": StreamEnd.FAILED, "failure": "RemoteProtocolError: peer closed connection"}
DONE: dict[str, Any] = {
    **BROKEN,
    "headers": (("content-type", "text/event-stream"),),
    "chunks": (b"data: {}\n\n", b"data: [DONE]\n\n"),
}
GAVE_UP: dict[str, Any] = {
    "stream_end": StreamEnd.CLOSED,
    "headers": (("content-type", "text/event-stream"),),
    "chunks": (b"data: {}\n\n", b'data: {"id\n\n', b"data:\n\n"),
    "unparsed": '{"id',
}

NOT_COUNTED = "error rates and alerts count spans by their status, so this failure is not counted"
IN_BODY = (
    "the SDK returns an empty answer for an error inside a 200 and raises nothing, so the span looks like a success "
    "that said nothing"
)
IN_STREAM = "the answer broke off with an error after the response had begun as a 200; the span looks like a success"
AT_EVENT = "the client raised in the middle of the answer; the span looks like a success"
IN_TRANSPORT = "no complete answer arrived, and the span looks like a success"
AT_NIGHT = "whoever is called at night sees that it failed, not whether it was a rate limit, a timeout or a bad request"
GROUPED = "failures cannot be grouped: the text of a message differs from call to call, error.type does not"
OUTAGE = "a rate limit is handled as an outage, or the other way round"
NO_USAGE = (
    "the answer is there, and what was to follow it is not: no SDK raises for it, and if the usage was lost, this call "
    "is in no sum"
)
TELL = "when a stream ends without the usage that was to follow its answer, set the status to ERROR, or `error.type`"
HALF = "the user got half an answer, no SDK raises for it, and this span is counted among the good ones"
MUTE_LINE = "status ERROR without description, error.type or exception event"
CUT_LINE = "the response ended before it said that it was complete"
LIMITED_LINE = "429 rate_limit_error 'Slow down'"

# Check, facts of the wire, facts of the span, fields of the span and of the exchange; the lines `span`, `wire`, `why`.
FAULTS: tuple[tuple[Any, ...], ...] = (
    ("wire/error-status", LIMITED, {}, UNSET, {"status": 429}, "status UNSET", f"{LIMITED_LINE}\n{BODY}", NOT_COUNTED),
    ("wire/error-status", {}, {}, {"status": "OK"}, {"status": 500}, "status OK", f"500\n{WHERE}", NOT_COUNTED),
    (
        "wire/error-status",
        OVERLOADED,
        {},
        {"status": "OK"},
        {},
        "status OK",
        f"200 with 502 'Provider gone'\n{BODY}",
        IN_BODY,
    ),
    (
        "wire/error-status",
        {**OVERLOADED, **STREAM},
        {},
        UNSET,
        {"stream_end": StreamEnd.CLOSED, "chunks": (b"data: {}\n\n",)},
        "status UNSET",
        f"200, then 502 'Provider gone'\n{BODY}",
        IN_STREAM,
    ),
    (
        "wire/error-status",
        {"truncated": True, **STREAM},
        {},
        UNSET,
        GAVE_UP,
        "status UNSET",
        f"200, then an event that is not JSON, at which the client gave up\n{WHERE}, event 1 of the response",
        AT_EVENT,
    ),
    ("wire/error-status", {}, {}, UNSET, TIMEOUT, "status UNSET", f"'ReadTimeout: timed out'\n{WHERE}", IN_TRANSPORT),
    (
        "wire/error-status",
        {"truncated": True, **STREAM},
        {},
        UNSET,
        BROKEN,
        "status UNSET",
        f"'RemoteProtocolError: peer closed connection'\n{WHERE}",
        IN_TRANSPORT,
    ),
    ("wire/error-reason", LIMITED, {}, MUTE, {"status": 429}, MUTE_LINE, f"{LIMITED_LINE}\n{BODY}", AT_NIGHT),
    (
        "wire/error-type",
        LIMITED,
        {"error_type": State.ABSENT},
        {**RAISED, "attributes": {"gen_ai.operation.name": "chat"}},
        {"status": 429},
        "no error.type",
        f"{LIMITED_LINE}\n{BODY}",
        GROUPED,
    ),
    (
        "wire/error-code",
        LIMITED,
        {"error_type": "500"},
        RAISED,
        {"status": 429},
        "gen_ai.error_type = '500'",
        f"{LIMITED_LINE}\n{BODY}",
        OUTAGE,
    ),
    (
        "wire/cut-stream",
        {"truncated": True, **STREAM},
        {},
        UNSET,
        {},
        "status UNSET",
        f"{CUT_LINE}\n{BODY}",
        HALF,
    ),
    (
        "wire/cut-stream",
        {"truncated": True, "finish_reasons": ["stop"], **STREAM},
        {"finish_reasons": ["stop"]},
        UNSET,
        {},
        "status UNSET",
        f"{CUT_LINE}\n{BODY}",
        NO_USAGE,
    ),
    (
        "wire/cut-stream",
        {"truncated": True, "finish_reasons": [None], **STREAM},
        {"finish_reasons": []},
        {"status": "OK"},
        {},
        "status OK",
        f"{CUT_LINE}\n{BODY}",
        HALF,
    ),
)

# Check, facts of the wire, facts of the span, fields of the span and of the exchange.
NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    ("wire/error-status", LIMITED, {}, RAISED, {"status": 429}),
    ("wire/error-status", OVERLOADED, {}, SAID, {}),
    ("wire/error-status", {}, {}, {"status": "ERROR", "attributes": {"error.type": "ReadTimeout"}}, TIMEOUT),
    # After a success the application may have raised by itself; OK and UNSET are both right.
    ("wire/error-status", {"truncated": False}, {}, MUTE, {}),
    ("wire/error-status", {"truncated": False}, {}, {"status": "OK"}, {}),
    ("wire/error-status", {"truncated": False}, {}, UNSET, {}),
    # The application cancelled its own task, or left its own generator.
    ("wire/error-status", {}, {}, UNSET, {**TIMEOUT, "failure": "CancelledError: "}),
    # An SDK that had read all of the stream drained its connection for the next call.
    ("wire/error-status", {"truncated": False, **STREAM}, {}, UNSET, DONE),
    # The application could not parse a text of its own, or the client did not stop at the event.
    ("wire/error-status", {"truncated": True, **STREAM}, {}, UNSET, {**GAVE_UP, "unparsed": '{"answer": '}),
    ("wire/error-status", {"truncated": True, **STREAM}, {}, UNSET, {**GAVE_UP, "unparsed": " "}),
    ("wire/error-status", {"truncated": True, **STREAM}, {}, UNSET, {**GAVE_UP, "unparsed": None}),
    # No call was made: `replay/unmatched` reports it.
    ("wire/error-status", {}, {}, UNSET, {**TIMEOUT, "outcome": Outcome.REFUSED}),
    # A span that is open is reported by `structure/span-never-ended`.
    ("wire/error-status", LIMITED, {}, {"ended": None}, {"status": 429}),
    # The error is in one block with the events after which the application may have stopped.
    (
        "wire/error-status",
        {**OVERLOADED, "truncated": False, **STREAM},
        {},
        UNSET,
        {"stream_end": StreamEnd.CLOSED, "chunks": (b"data: {}\n\ndata: {}\n\n",)},
    ),
    ("wire/error-reason", LIMITED, {}, SAID, {"status": 429}),
    ("wire/error-reason", LIMITED, {}, RAISED, {"status": 429}),
    ("wire/error-reason", LIMITED, {}, {"status": "ERROR", "attributes": {"error.type": "429"}}, {"status": 429}),
    ("wire/error-type", LIMITED, {}, RAISED, {"status": 429}),  # The convention has no such attribute.
    ("wire/error-type", LIMITED, {"error_type": State.ABSENT}, RAISED, {"status": 429}),  # A wrapper written by hand.
    ("wire/error-type", LIMITED, {"error_type": "RateLimitError"}, RAISED, {"status": 429}),
    ("wire/error-code", LIMITED, {"error_type": "429"}, RAISED, {"status": 429}),
    ("wire/error-code", OVERLOADED, {"error_type": 502}, RAISED, {}),
    ("wire/error-code", LIMITED, {"error_type": "rate_limit_error"}, RAISED, {"status": 429}),
    ("wire/cut-stream", {"truncated": True, **STREAM}, {}, MUTE, {}),
    ("wire/cut-stream", {"truncated": True, **STREAM}, {"finish_reasons": ["error"]}, UNSET, {}),
    ("wire/cut-stream", {"truncated": True, **STREAM}, {}, UNSET, {"stream_end": StreamEnd.CLOSED}),
    ("wire/cut-stream", {"truncated": True, **STREAM}, {}, UNSET, {"stream_end": StreamEnd.OPEN, "ended": None}),
    ("wire/cut-stream", {"truncated": False, **STREAM}, {}, UNSET, {}),
)


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case[0])
def test_a_fault_is_found_and_told(judged: Judged, case: tuple[Any, ...]) -> None:
    """Exactly one check fires, and says what the span says, what the wire says and where, and why it matters."""
    check, wire, span, record, exchange, *lines = case
    [finding] = judged(wire, span, record=record, exchange=exchange)
    [judge] = [known for known in CHECKS if known.id == check]
    to_do = TELL if lines[-1] == NO_USAGE else judge.next
    assert (finding.check, finding.severity, finding.subject) == (check, judge.severity, "span 'chat' (app)")
    advice = f'{to_do}, or waive: @pytest.mark.llmtrace(ignore={{"{check}": "reason"}})'
    assert finding.details == tuple(zip(("span", "wire", "why", "next"), [*lines, advice], strict=True))


@pytest.mark.parametrize("case", NO_FAULTS, ids=lambda case: case[0])
def test_what_is_told_or_cannot_be_known_is_no_fault(judged: Judged, case: tuple[Any, ...]) -> None:
    """A failure that the span reports, a success with either status, and what cannot be proved are not faults."""
    _, wire, span, record, exchange = case
    assert judged(wire, span, record=record, exchange=exchange) == []


def test_each_check_is_proved_both_ways() -> None:
    """Each check has a case where it fires, and a case where it must not."""
    ids = {check.id for check in CHECKS} - {"wire/error-retried"}  # It takes two attempts: test_error_retried.py.
    assert {case[0] for case in FAULTS} == ids
    assert {case[0] for case in NO_FAULTS} == ids


def test_success_numbers_on_a_failure_are_invented(judged: Judged) -> None:
    """Usage, finish reason, model and id on the span of a failed call must be made up, and each is a finding."""
    facts = ("response_id", "response_model", "input_tokens", "output_tokens", "total_tokens", "finish_reasons")
    wire = {**LIMITED, "request_model": "gpt-4o", **dict.fromkeys(facts, State.ABSENT)}
    span = {
        "response_id": "chatcmpl-0",
        "response_model": "gpt-4o",
        "input_tokens": 12,
        "output_tokens": 1,
        "total_tokens": 13,
        "finish_reasons": ["stop"],
    }
    found = judged(wire, span, record=SAID, exchange={"status": 429})
    assert [finding.check for finding in found] == [
        "wire/response-model",
        "wire/response-id",
        "wire/input-tokens",
        "wire/output-tokens",
        "wire/total-tokens",
        "wire/finish-reasons",
    ]


def test_only_the_last_attempt_counts(make_call: Callable[..., Any], judged: Judged) -> None:
    """A call that succeeded at a later attempt has not failed."""
    first, last = make_call(LIMITED, {}, exchange={"status": 429}), make_call({"truncated": False}, {})
    retried = dataclasses.replace(
        last, exchanges=(*first.exchanges, *last.exchanges), truths=(*first.truths, *last.truths)
    )
    found = verify(Evidence(calls=(retried,)), {}).findings
    assert [finding.check for finding in found if finding.check.startswith("wire/")] == []
    assert judged(LIMITED, {}, exchange={"response": Response(status=429)})[0].check == "wire/error-status"
