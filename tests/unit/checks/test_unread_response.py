"""`wire/unread-response`: if a response cannot be read, its span was not verified, and the report says so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Call, Finding, State, StreamEnd

PROBLEM = "cassettes/chat.yaml, interaction 0, exchange 0, response body: content-encoding br cannot be read"
UNREAD = {"response_id": State.UNREADABLE, "input_tokens": State.UNREADABLE, "truncated": False}
NEXT = (
    "where the SDK could read it, record it without its content encoding; where it could not, set the status to ERROR, "
    'or waive: @pytest.mark.llmtrace(ignore={"wire/unread-response": "reason"})'
)


@pytest.fixture
def judged(make_call: Callable[..., Call]) -> Callable[..., list[Finding]]:
    """Judge a call whose response could not be read, for the reason `PROBLEM`."""

    def judged(facts: Mapping[str, Any], **fields: Any) -> list[Finding]:
        call = make_call(facts, {"response_id": "chatcmpl-1", "input_tokens": 10}, **fields)
        truth = dataclasses.replace(call.truths[0], problems=(PROBLEM,))
        found = verify(Evidence(calls=(dataclasses.replace(call, truths=(truth,)),)), {}).findings
        return [finding for finding in found if finding.check.startswith("wire/")]

    return judged


def test_a_response_that_cannot_be_read_is_a_warning(judged: Callable[..., list[Finding]]) -> None:
    """A span that reports success is a warning, since nothing that it says of the answer was compared."""
    [finding] = judged(UNREAD)
    assert (finding.check, finding.severity) == ("wire/unread-response", "warning")
    assert finding.subject == "span 'chat' (app)"
    assert finding.details == (
        ("span", "status UNSET"),
        ("wire", PROBLEM),
        ("why", "nothing that the span says of the answer was compared with it"),
        ("next", NEXT),
    )


@pytest.mark.parametrize(
    ("facts", "fields"),
    [
        ({**UNREAD, "input_tokens": 10}, {}),  # One event of a stream is broken: the others were compared.
        (UNREAD, {"record": {"status": "ERROR", "status_description": "no JSON"}}),
        ({**UNREAD, "truncated": True}, {"record": {"status": "ERROR", "status_description": "cut"}}),
        ({**UNREAD, "truncated": State.UNREADABLE}, {"exchange": {"stream_end": StreamEnd.CLOSED}}),
    ],
)
def test_what_was_read_in_part_or_failed_is_not(
    judged: Callable[..., list[Finding]], facts: Mapping[str, Any], fields: Mapping[str, Any]
) -> None:
    """A call that failed says so itself, and the rest of a stream that the client left is unknown."""
    assert judged(facts, **fields) == []
