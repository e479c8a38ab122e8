"""`wire/usage-missing`: if the response states the tokens of a call, one of its spans states them too."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Call, Finding, SpanKey, State, StreamEnd

Judged = Callable[..., list[Finding]]

NEXT = (
    "read the usage of the reply; of a stream, from its last chunks (OpenAI-shaped: ask for it with "
    'stream_options.include_usage), or waive: @pytest.mark.llmtrace(ignore={"wire/usage-missing": "reason"})'
)
NO_PRICES = (
    "input and output have prices of their own: sums of cost cannot include this call by its total, and nothing says so"
)
USAGE = {"input_tokens": 10, "output_tokens": 5, "truncated": False}
SILENT = {"input_tokens": State.ABSENT, "output_tokens": State.ABSENT}
STREAM = {"streaming": True}
BROKEN = {"stream_end": StreamEnd.FAILED, "failure": "RemoteProtocolError: peer closed connection"}
ONE_BLOCK = (b"data: {}\n\ndata: {}\n\n",)


def test_a_silent_span_is_a_warning(judged: Judged) -> None:
    """The warning names both counts, where the wire states them, and what to do."""
    [finding] = judged(USAGE, SILENT)
    assert (finding.check, finding.severity) == ("wire/usage-missing", "warning")
    assert finding.subject == "span 'chat' (app)"
    assert finding.details == (
        ("span", "neither input nor output tokens"),
        ("wire", "input_tokens = 10\noutput_tokens = 5\ncassettes/chat.yaml, interaction 0, exchange 0, response body"),
        ("why", "this call is missing from every sum of tokens and cost over spans, and nothing says so"),
        (
            "next",
            NEXT,
        ),
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"input_tokens": 10}, "input tokens, and no output tokens"),
        ({"output_tokens": 5}, "output tokens, and no input tokens"),
    ],
)
def test_one_count_without_the_other_is_a_warning(judged: Judged, said: dict[str, int], words: str) -> None:
    """Sums need both the input and the output of a call: one of them alone has half of the cost."""
    [finding] = judged(USAGE, {**SILENT, **said})
    assert (finding.check, finding.severity) == ("wire/usage-missing", "warning")
    assert finding.details == (
        ("span", words),
        ("wire", "input_tokens = 10\noutput_tokens = 5\ncassettes/chat.yaml, interaction 0, exchange 0, response body"),
        ("why", "sums of tokens and cost include only half of this call, and nothing says so"),
        ("next", NEXT),
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "total tokens, and neither input nor output tokens"),
        ({"input_tokens": 10}, "input and total tokens, and no output tokens"),
    ],
)
def test_a_total_is_in_sums_of_tokens_and_not_of_cost(judged: Judged, said: dict[str, int], words: str) -> None:
    """A call with only its total is complete in sums of tokens, but not in sums of cost: a total has no price."""
    [finding] = judged({**USAGE, "total_tokens": 15}, {**SILENT, **said, "total_tokens": 15})
    assert finding.details == (
        ("span", words),
        ("wire", "input_tokens = 10\noutput_tokens = 5\ncassettes/chat.yaml, interaction 0, exchange 0, response body"),
        ("why", NO_PRICES),
        ("next", NEXT),
    )


@pytest.mark.parametrize(
    ("wire", "span", "fields"),
    [
        (
            {**USAGE, "output_tokens": State.ABSENT, "total_tokens": 10},
            {**SILENT, "total_tokens": 10},
            {},
        ),  # Embeddings: the total is the input.
        ({**USAGE, "output_tokens": State.ABSENT}, {**SILENT, "input_tokens": 10}, {}),
        ({**USAGE, "output_tokens": 0}, {**SILENT, "input_tokens": 10}, {}),
        (USAGE, {}, {}),  # The convention has no place for the counts.
        ({"input_tokens": State.ABSENT, "output_tokens": State.ABSENT}, SILENT, {}),
        ({"input_tokens": 0, "output_tokens": 0}, SILENT, {}),
        ({"input_tokens": State.UNREADABLE, "output_tokens": State.UNREADABLE}, SILENT, {}),
        ({**USAGE, "error": {"message": "gone"}}, SILENT, {"record": {"status": "ERROR", "status_description": "x"}}),
        ({**USAGE, "truncated": True}, SILENT, {"record": {"status": "ERROR", "status_description": "x"}}),
        ({**USAGE, "truncated": True, **STREAM}, SILENT, {"exchange": {"stream_end": StreamEnd.CLOSED}}),
        ({**USAGE, **STREAM}, SILENT, {"exchange": BROKEN, "record": {"status": "ERROR", "status_description": "x"}}),
        ({**USAGE, **STREAM}, SILENT, {"exchange": {"stream_end": StreamEnd.CLOSED, "chunks": ONE_BLOCK}}),
        (
            {**USAGE, **STREAM, "finish_reasons": ["stop"]},
            {**SILENT, "finish_reasons": ["stop"]},
            {"exchange": {"stream_end": StreamEnd.CLOSED, "chunks": ONE_BLOCK}},
        ),
        (USAGE, SILENT, {"record": {"ended": None}}),  # Reported by structure/span-never-ended.
    ],
)
def test_what_could_not_be_known_is_not_missed(judged: Judged, wire: Any, span: Any, fields: Any) -> None:
    """Nothing is missed where the wire states nothing, the call failed, or its end was not read."""
    assert judged(wire, span, **fields) == []


def test_a_span_that_ended_before_its_stream_is_told_once(judged: Judged) -> None:
    """The usage of a stream comes last: a span that ended before it has one fault, not two."""
    chunks = (b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n', b"data: [DONE]\n\n")
    exchange = {"chunks": chunks, "chunk_ticks": (150, 151), "headers": (("content-type", "text/event-stream"),)}
    assert judged({**USAGE, **STREAM}, SILENT, exchange=exchange, record={"ended": 120}) == []
    assert len(judged({**USAGE, **STREAM}, SILENT, exchange=exchange, record={"ended": 160})) == 1


def test_two_spans_may_share_the_counts(make_call: Callable[..., Call]) -> None:
    """If a call has two spans, each may have the count that the other leaves out."""
    reads, writes = (
        make_call(USAGE, {**SILENT, "input_tokens": 10}),
        make_call(USAGE, {**SILENT, "output_tokens": 5}, record={"key": SpanKey(1, 2), "scope": "inner"}),
    )
    both = dataclasses.replace(reads, spans=(*reads.spans, *writes.spans), readings=(*reads.readings, *writes.readings))
    found = verify(Evidence(calls=(both,)), {}).findings
    assert [finding.check for finding in found if finding.check == "wire/usage-missing"] == []


def test_one_span_that_says_it_is_enough(make_call: Callable[..., Call]) -> None:
    """If a call has two spans, one of them may leave the usage to the other."""
    silent, telling = make_call(USAGE, SILENT), make_call(USAGE, USAGE, record={"key": SpanKey(1, 2), "scope": "inner"})
    both = dataclasses.replace(
        silent, spans=(*silent.spans, *telling.spans), readings=(*silent.readings, *telling.readings)
    )
    found = verify(Evidence(calls=(both,)), {}).findings
    assert [finding.check for finding in found if finding.check == "wire/usage-missing"] == []
