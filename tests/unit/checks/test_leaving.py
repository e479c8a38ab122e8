"""A stream that was stopped, cancelled or cut is reported as what it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.checks.leaving import CHECKS
from pytest_llmtrace.model import Call, Fact, Finding, Outcome, SpanEvent, State, StreamEnd

STREAM: dict[str, Any] = {"streaming": True, "truncated": True}
DONE: dict[str, Any] = {"streaming": True, "truncated": False}
LEFT: dict[str, Any] = {"stream_end": StreamEnd.CLOSED}
OPEN: dict[str, Any] = {"stream_end": StreamEnd.OPEN, "ended": None}
CANCELLED: dict[str, Any] = {"stream_end": StreamEnd.CANCELLED}
BEFORE: dict[str, Any] = {
    "response": None,
    "outcome": Outcome.FAILED,
    "stream_end": StreamEnd.FAILED,
    "failure": "CancelledError: ",
}
PLACEHOLDER = Fact(name="output_tokens", value=1, state=State.PRESENT, parts=(("message.usage.output_tokens", 1),))
UNREAD = PLACEHOLDER._replace(value=None, state=State.UNREADABLE, note="event 3 cannot be read: it is not JSON")
COUNT = Fact(name="output_tokens", value=1, state=State.PRESENT, parts=(("usage.output_tokens", 1),))
BEGUN = {**STREAM, "input_tokens": 40, "output_tokens": PLACEHOLDER}
FAILED = {**BEGUN, "truncated": False, "error": {"type": "overloaded_error", "message": "Overloaded"}}
UNSTATED = {**STREAM, "output_tokens": State.ABSENT, "total_tokens": State.ABSENT}
OK: dict[str, Any] = {"status": "OK"}
SAID: dict[str, Any] = {"status": "ERROR", "status_description": "Overloaded"}
CLOSED_BY = {"status": "ERROR", "attributes": {"error.type": "GeneratorExit"}}
RECORDED = {
    "status": "ERROR",
    "events": (SpanEvent(name="exception", time_ns=1, attributes={"exception.type": "builtins.GeneratorExit"}),),
}

WHERE = "cassettes/chat.yaml, interaction 0, exchange 0"
BODY = f"{WHERE}, response body"
PLACED = f"message.usage.output_tokens = 1, the placeholder of the first event; no later event gave the count\n{BODY}"
SEVEN = "gen_ai.output_tokens = 7"
UNCOUNTED = f"no count of output tokens came before the reader left\n{BODY}"

# Check, facts of wire and span, fields of span and exchange, the API; the lines `span` and `wire`.
FAULTS: tuple[tuple[Any, ...], ...] = (
    ("stream/partial-usage", BEGUN, {"output_tokens": 1}, {}, LEFT, "messages", "gen_ai.output_tokens = 1", PLACED),
    (
        "stream/partial-usage",
        BEGUN,
        {"output_tokens": 1, "total_tokens": 41},
        {},
        {},
        "messages",
        "gen_ai.output_tokens = 1\ngen_ai.total_tokens = 41",
        PLACED,
    ),
    ("stream/partial-usage", FAILED, {"total_tokens": 41}, SAID, {}, "messages", "gen_ai.total_tokens = 41", PLACED),
    ("stream/partial-usage", BEGUN, {"total_tokens": 41}, {}, OPEN, "messages", "gen_ai.total_tokens = 41", PLACED),
    # The SDK raised at an event that is not JSON.
    (
        "stream/partial-usage",
        {**BEGUN, "output_tokens": UNREAD},
        {"output_tokens": 1, "total_tokens": 41},
        SAID,
        {**LEFT, "unparsed": "no JSON"},
        "messages",
        "gen_ai.output_tokens = 1\ngen_ai.total_tokens = 41",
        PLACED,
    ),
    ("stream/partial-usage", UNSTATED, {"output_tokens": 7}, {}, LEFT, "chat", SEVEN, UNCOUNTED),
    (
        "stream/partial-usage",
        UNSTATED,
        {"output_tokens": 7},
        {},
        CANCELLED,
        "chat",
        "gen_ai.output_tokens = 7",
        UNCOUNTED,
    ),
    (
        "stream/cancelled",
        STREAM,
        {},
        OK,
        CANCELLED,
        "chat",
        "status OK",
        f"the task was cancelled when 1 chunk had been read\n{WHERE}",
    ),
    (
        "stream/cancelled",
        {},
        {},
        OK,
        BEFORE,
        "chat",
        "status OK",
        f"the task was cancelled when 0 chunks had been read\n{WHERE}",
    ),
    (
        "stream/cancelled",
        {},
        {},
        OK,
        {**BEFORE, "failure": "KeyboardInterrupt: "},
        "chat",
        "status OK",
        f"KeyboardInterrupt was raised when 0 chunks had been read\n{WHERE}",
    ),
    (
        "stream/stopped-early",
        STREAM,
        {},
        CLOSED_BY,
        LEFT,
        "chat",
        "status ERROR, 'GeneratorExit'",
        f"the reader stopped, and nothing had failed\n{WHERE}",
    ),
    (
        "stream/stopped-early",
        STREAM,
        {},
        RECORDED,
        OPEN,
        "chat",
        "status ERROR, 'builtins.GeneratorExit'",
        f"the reader stopped, and nothing had failed\n{WHERE}",
    ),
)

# Check, facts of wire and span, fields of span and exchange, the API.
NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    ("stream/partial-usage", BEGUN, {"input_tokens": 40}, {}, LEFT, "messages"),
    ("stream/partial-usage", BEGUN, {"output_tokens": 0}, {}, LEFT, "messages"),
    ("stream/partial-usage", BEGUN, {"output_tokens": 1}, {"ended": None}, LEFT, "messages"),
    ("stream/partial-usage", {**BEGUN, **DONE}, {"output_tokens": 1}, {}, {}, "messages"),
    ("stream/partial-usage", {**BEGUN, "output_tokens": UNREAD}, {"output_tokens": 2}, SAID, LEFT, "messages"),
    ("stream/partial-usage", {**BEGUN, **DONE, "output_tokens": UNREAD}, {"output_tokens": 1}, {}, {}, "messages"),
    (
        "stream/partial-usage",
        {**BEGUN, "output_tokens": UNREAD._replace(parts=(("message.usage.output_tokens", "one"),))},
        {"output_tokens": 1},
        SAID,
        LEFT,
        "messages",
    ),
    # A server that counts as it goes gave this count last.
    ("stream/partial-usage", {**BEGUN, "output_tokens": COUNT}, {"output_tokens": 1}, {}, LEFT, "messages"),
    # An error came after the count, or in place of a stream.
    ("stream/partial-usage", {**FAILED, "output_tokens": COUNT}, {"output_tokens": 1}, SAID, {}, "messages"),
    ("stream/partial-usage", {**FAILED, "streaming": False}, {"output_tokens": 1}, SAID, {}, "messages"),
    ("stream/partial-usage", {**STREAM, "output_tokens": 3}, {"output_tokens": 3}, {}, LEFT, "chat"),
    ("stream/cancelled", STREAM, {}, {"status": "UNSET"}, CANCELLED, "chat"),
    ("stream/cancelled", STREAM, {}, {"status": "ERROR", "status_description": "CancelledError"}, CANCELLED, "chat"),
    ("stream/cancelled", DONE, {}, OK, CANCELLED, "chat"),  # The whole stream had been read.
    ("stream/cancelled", STREAM, {}, {**OK, "ended": None}, CANCELLED, "chat"),
    ("stream/cancelled", STREAM, {}, OK, LEFT, "chat"),
    ("stream/cancelled", {}, {}, OK, {**BEFORE, "failure": "GeneratorExit: "}, "chat"),
    ("stream/stopped-early", STREAM, {}, OK, LEFT, "chat"),
    ("stream/stopped-early", STREAM, {}, {"status": "UNSET"}, LEFT, "chat"),
    # The convention's own value for other errors, and an exception of the application.
    ("stream/stopped-early", STREAM, {}, {"status": "ERROR", "attributes": {"error.type": "_OTHER"}}, LEFT, "chat"),
    ("stream/stopped-early", STREAM, {}, {"status": "ERROR", "status_description": "ValueError: 3"}, LEFT, "chat"),
    ("stream/stopped-early", STREAM, {}, CLOSED_BY, CANCELLED, "chat"),
    ("stream/stopped-early", STREAM, {}, CLOSED_BY, {**LEFT, "unparsed": '{"id'}, "chat"),
    ("stream/stopped-early", {**STREAM, "error": {"status": 500}}, {}, CLOSED_BY, LEFT, "chat"),
)


@pytest.fixture
def found(make_call: Callable[..., Call]) -> Callable[..., list[Finding]]:
    """Judge one call by the checks of the family `stream/`."""

    def found(wire: Any, span: Any, record: Any, exchange: Any, api: str) -> list[Finding]:
        call = make_call(wire, span, record=record, exchange=exchange, api=api)
        return [finding for finding in verify(Evidence(calls=(call,)), {}).findings if "stream/" in finding.check]

    return found


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case[0])
def test_a_fault_is_found_and_told(found: Callable[..., list[Finding]], case: tuple[Any, ...]) -> None:
    """Exactly one check fires, and says what the span states, and how far the stream got."""
    check, *facts, said, true = case
    [finding] = found(*facts)
    [judge] = [known for known in CHECKS if known.id == check]
    assert (finding.check, finding.severity, finding.subject) == (check, judge.severity, "span 'chat' (app)")
    advice = f'{judge.next}, or waive: @pytest.mark.llmtrace(ignore={{"{check}": "reason"}})'
    assert finding.details == tuple(zip(("span", "wire", "why", "next"), [said, true, judge.why, advice], strict=True))


@pytest.mark.parametrize("case", NO_FAULTS, ids=lambda case: case[0])
def test_what_is_told_or_is_a_choice_is_no_fault(found: Callable[..., list[Finding]], case: tuple[Any, ...]) -> None:
    """Input counts come early, OK and UNSET both say that nothing failed, and a convention may have its own value."""
    assert found(*case[1:]) == []


def test_each_check_is_proved_both_ways() -> None:
    """Each check has a case where it fires, and a case where it must not."""
    ids = {check.id for check in CHECKS}
    assert {case[0] for case in FAULTS} == ids
    assert {case[0] for case in NO_FAULTS} == ids


def attempts(make_call: Callable[..., Call], wire: list[dict[str, Any]], span: dict[str, Any]) -> Call:
    """Return one call that took several attempts, described by one span."""
    made = [make_call(facts, span, exchange={"index": index}) for index, facts in enumerate(wire)]
    return dataclasses.replace(
        made[-1],
        exchanges=tuple(call.exchanges[0] for call in made),
        truths=tuple(call.truths[0] for call in made),
    )


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"input_tokens": 40, "output_tokens": 9}, []),
        ({"input_tokens": 80, "output_tokens": 12}, ["wire/input-tokens", "wire/output-tokens"]),
        ({"input_tokens": 81, "output_tokens": 9}, ["wire/input-tokens"]),
    ],
)
def test_attempts_are_not_added_up(make_call: Callable[..., Call], counts: dict[str, Any], expected: list[str]) -> None:
    """Tokens of attempts before the last are not part of the call; a finding on their sum says that it is one."""
    wire = [{"input_tokens": 40, "output_tokens": 3}, {"input_tokens": 40, "output_tokens": 9}]
    found = verify(Evidence(calls=(attempts(make_call, wire, counts),)), {}).findings
    seen = [finding for finding in found if finding.check.startswith("wire/")]
    assert [finding.check for finding in seen] == expected
    summed = "the counts of several attempts are added up, but the attempts before the last were abandoned"
    for finding in seen:
        assert (dict(finding.details)["why"] == summed) is (counts["input_tokens"] == 80)


def test_an_attempt_with_a_span_of_its_own_has_no_tokens(judged: Callable[..., list[Finding]]) -> None:
    """If each attempt has its own span, a refused one cannot have the counts of the last."""
    limited = {
        "error": {"status": 429, "type": None, "code": None, "message": "Slow down"},
        "input_tokens": State.ABSENT,
        "output_tokens": State.ABSENT,
    }
    failed = {"status": "ERROR", "status_description": "429"}
    found = judged(limited, {"input_tokens": 40, "output_tokens": 9}, record=failed, exchange={"status": 429})
    assert [finding.check for finding in found] == ["wire/input-tokens", "wire/output-tokens"]
    assert judged(limited, {}, record=failed, exchange={"status": 429}) == []
