"""`wire/unreadable`: a value that a span states has a form that a back end can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Fact, Finding, State, StreamEnd

Judged = Callable[..., list[Finding]]

CUT = '[{"role": "assistant", "parts": ' + "x" * 96


def broken(name: str, key: str, raw: Any, note: str) -> Fact:
    """Make a fact of the span that cannot be read."""
    return Fact(name=name, state=State.UNREADABLE, parts=((key, raw),), note=note)


NEXT = (
    "write it in the form that the convention asks for, "
    'or waive: @pytest.mark.llmtrace(ignore={"wire/unreadable": "reason"})'
)
TEN = broken("input_tokens", "gen_ai.usage.input_tokens", "ten", "'ten' is not a number")


def test_what_cannot_be_read_is_told(judged: Judged) -> None:
    """The finding names the attribute, why it cannot be read, and what the wire says."""
    [finding] = judged({"input_tokens": 10}, {"input_tokens": TEN})
    assert (finding.check, finding.severity, finding.subject) == ("wire/unreadable", "error", "span 'chat' (app)")
    assert finding.details == (
        ("span", "gen_ai.usage.input_tokens = 'ten'\n'ten' is not a number"),
        ("wire", "input_tokens = 10\ncassettes/chat.yaml, interaction 0, exchange 0, response body"),
        ("why", "no back end can use a value of the wrong form, although the wire states the right one"),
        (
            "next",
            NEXT,
        ),
    )


def test_one_attribute_is_one_finding(judged: Judged) -> None:
    """Messages that are not JSON make several facts unreadable, but they are one cause and so one finding."""
    names = ("output_texts", "tool_calls", "finish_reasons")
    span = {name: broken(name, "gen_ai.output.messages", "[{", "'[{' is not JSON") for name in names}
    wire = {"output_texts": ["x"], "tool_calls": [{"name": "f"}], "finish_reasons": ["stop"]}
    assert [finding.details[0][1] for finding in judged(wire, span)] == [
        "gen_ai.output.messages = '[{'\n'[{' is not JSON"
    ]


def test_each_place_is_looked_at(judged: Judged) -> None:
    """A further place of the same fact that cannot be read is reported as well."""
    [finding] = judged({"input_tokens": 10}, {"input_tokens": 10}, others=(TEN,))
    assert finding.check == "wire/unreadable"


@pytest.mark.parametrize(
    ("wire", "span", "fields"),
    [
        ({"input_tokens": State.ABSENT}, {"input_tokens": TEN}, {}),
        ({"input_tokens": State.UNREADABLE}, {"input_tokens": TEN}, {}),
        ({}, {"house_style": broken("house_style", "acme.x", 1, "1 is not a string")}, {}),
        (
            {"input_tokens": 10, "streaming": True},
            {"input_tokens": TEN},
            {"exchange": {"stream_end": StreamEnd.CLOSED}},
        ),
        (
            {"output_texts": ["x"]},
            {"output_texts": broken("output_texts", "gen_ai.output.messages", CUT, "it is not JSON")},
            {"record": {"attributes": {"gen_ai.output.messages": CUT}}},
        ),
    ],
)
def test_what_has_no_truth_or_was_cut_by_a_limit_is_not(judged: Judged, wire: Any, span: Any, fields: Any) -> None:
    """If the wire has no value, nothing is lost; and a limit of 128 characters was set on purpose."""
    assert judged(wire, span, **fields) == []
