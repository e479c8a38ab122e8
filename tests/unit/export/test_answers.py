"""How the answers of a back end are read."""

from __future__ import annotations

import pytest

from pytest_llmtrace.export._answers import WINDOW, Answer, Fate, Reply, read

JSON, PROTOBUF = "application/json", "application/x-protobuf"
RETENTION = "Some spans were rejected due to exceeding the allowed retention period"
PARTIAL = b'{"partialSuccess":{"rejectedSpans":3,"errorMessage":"%s"}}'
MESSAGE = bytes([8, 0x83, 2, 0x12, len(RETENTION)]) + RETENTION.encode()  # field 1: 259, field 2: the text
HTML = b"<html>\n<b>Hello</b>"

ANSWERS = {
    "all, JSON": (Reply(status=200, content_type=JSON, body=b'{"partialSuccess":null}'), Answer(fate=Fate.ACCEPTED)),
    "all, other JSON": (Reply(status=200, content_type=JSON, body=b"{}"), Answer(fate=Fate.ACCEPTED)),
    "all, protobuf": (Reply(status=200, content_type=PROTOBUF), Answer(fate=Fate.ACCEPTED)),
    "some, JSON": (
        Reply(status=206, content_type=JSON, body=PARTIAL % RETENTION.encode()),
        Answer(fate=Fate.ACCEPTED, rejected=3, why=f"{RETENTION} ({WINDOW})"),
    ),
    "some, with 200": (
        Reply(status=200, content_type=JSON, body=PARTIAL % b""),
        Answer(fate=Fate.ACCEPTED, rejected=3, why="no reason given"),
    ),
    "some, as text": (
        Reply(status=200, content_type=JSON, body=b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}'),
        Answer(fate=Fate.ACCEPTED, rejected=3, why="no"),
    ),
    "some, by the names of protobuf": (
        Reply(
            status=200,
            content_type=JSON,
            body=b'{"partial_success":{"rejected_spans":"3","error_message":"no"}}',
        ),
        Answer(fate=Fate.ACCEPTED, rejected=3, why="no"),
    ),
    "some, in several lines": (
        Reply(status=200, content_type=JSON, body=PARTIAL % b"no:\\n\\u001b[2J why"),
        Answer(fate=Fate.ACCEPTED, rejected=3, why="no: [2J why"),
    ),
    "some, protobuf": (
        Reply(status=200, content_type=PROTOBUF, body=bytes([0x0A, len(MESSAGE)]) + MESSAGE),
        Answer(fate=Fate.ACCEPTED, rejected=259, why=f"{RETENTION} ({WINDOW})"),
    ),
    "not OTLP": (
        Reply(status=200, content_type="text/html", body=HTML),
        Answer(fate=Fate.UNKNOWN, why="it answered 200, but not as OTLP does (<html> <b>Hello</b>)"),
    ),
    "too deep": (
        Reply(status=200, content_type=JSON, body=b"[" * 60_000),
        Answer(fate=Fate.UNKNOWN, why=f"it answered 200, but not as OTLP does ({'[' * 200})"),
    ),
    "no number": (
        Reply(status=200, content_type=JSON, body=b'{"partialSuccess":{"rejectedSpans":1e999}}'),
        Answer(
            fate=Fate.UNKNOWN,
            why='it answered 200, but not as OTLP does ({"partialSuccess":{"rejectedSpans":1e999}})',
        ),
    ),
    "an error, too deep": (
        Reply(status=500, content_type=JSON, body=b"[" * 60_000),
        Answer(fate=Fate.REFUSED, why=f"it answered 500 ({'[' * 200})"),
    ),
    "no object": (
        Reply(status=200, content_type=JSON, body=b"[1]"),
        Answer(fate=Fate.UNKNOWN, why="it answered 200, but not as OTLP does ([1])"),
    ),
    "cut off": (
        Reply(status=200, content_type=PROTOBUF, body=b"\x0a\x7fx"),
        Answer(fate=Fate.UNKNOWN, why="it answered 200, but not as OTLP does (x)"),
    ),
    "too large": (
        Reply(status=413),
        Answer(fate=Fate.REFUSED, why="it answered 413: a single span is too large", is_too_large=True),
    ),
    "later": (Reply(status=429, retry_after="7"), Answer(fate=Fate.LATER, why="it answered 429", wait=7)),
    "later, some time": (Reply(status=503), Answer(fate=Fate.LATER, why="it answered 503", wait=0)),
    "later, since 1994": (
        Reply(status=503, retry_after="Sun, 06 Nov 1994 08:49:37 GMT"),
        Answer(fate=Fate.LATER, why="it answered 503", wait=0),
    ),
    "wrong token, text": (
        Reply(status=401, content_type="text/plain", body=b"Unauthorized Access"),
        Answer(
            fate=Fate.REFUSED,
            why="it answered 401 (Unauthorized Access): check the token and the organization",
            is_final=True,
        ),
    ),
    "a terminal's control characters": (
        Reply(status=400, body=b"\x1b[31mno\x07"),
        Answer(fate=Fate.REFUSED, why="it answered 400 ([31mno)"),
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_read(what: str) -> None:
    """Status, type and body say what became of the spans, in words for the summary."""
    reply, answer = ANSWERS[what]
    assert read(reply) == answer
