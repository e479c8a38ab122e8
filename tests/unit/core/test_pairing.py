"""Exchanges and spans become calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Exchange, Outcome, SpanRecord
from pytest_llmtrace.pairing import pair

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]

LLM = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


def shape(exchanges: list[Exchange], spans: list[SpanRecord]) -> list[tuple[list[int], list[int]]]:
    """Return each call as the indexes of its exchanges and the numbers of its spans."""
    calls = pair(exchanges, spans)
    return [([e.index for e in call.exchanges], [s.key.span_id for s in call.spans]) for call in calls]


def test_the_current_span_is_the_span_of_the_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Two calls at the same time are told apart by their context, not by time."""
    spans = [make_span(1, attributes=LLM), make_span(2, attributes=LLM)]
    assert shape([make_exchange(index=0, span=2), make_exchange(index=1, span=1)], spans) == [([0], [2]), ([1], [1])]


def test_ancestors_count_one_a_scope(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Of nested LLM spans the innermost of each scope tells of the call; other spans between do not matter."""
    spans = [
        make_span(1, attributes=LLM, scope="outer"),
        make_span(2, parent=1, attributes=LLM, scope="inner"),
        make_span(3, parent=2, attributes=LLM, scope="inner"),
        make_span(4, parent=3, name="POST", scope="http"),
    ]
    assert shape([make_exchange(span=4)], spans) == [([0], [3, 1])]


def test_what_is_no_llm_call_is_no_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A weather API inside a tool is passed over, even with an LLM span around it."""
    weather = make_exchange(path="/v1/messages", body={"city": "Paris"}, span=1)
    assert shape([weather], [make_span(1, attributes=LLM)]) == []


@pytest.mark.parametrize("counted", [True, False])
def test_retries_are_one_call(make_span: SpanMaker, make_exchange: ExchangeMaker, counted: bool) -> None:
    """The same request after a failure, in the same span, is another attempt; the SDKs' counter is not needed."""

    def attempt(index: int, status: int) -> Exchange:
        headers = (("X-Stainless-Retry-Count", str(index)),) if counted else ()
        return make_exchange(index=index, span=1, status=status, headers=headers)

    assert shape([attempt(0, 429), attempt(1, 529), attempt(2, 200)], [make_span(1, attributes=LLM)]) == [
        ([0, 1, 2], [1])
    ]


def test_the_same_question_again_is_another_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """An equal request after a success is a new call, and so is one that an SDK counts from zero."""
    spans = [make_span(1, attributes=LLM)]
    assert shape([make_exchange(index=0, span=1), make_exchange(index=1, span=1)], spans) == [([0], [1]), ([1], [1])]
    fresh = (("x-stainless-retry-count", "0"),)
    again = [make_exchange(index=0, status=500, headers=fresh), make_exchange(index=1, headers=fresh)]
    assert shape(again, []) == [([0], []), ([1], [])]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"started": 50}, True),
        ({"started": 50, "ended": None, "end_ns": None}, True),
        ({"started": 50, "ended": 99}, False),
        ({"started": 120, "start_ns": 200_000_000}, False),
        ({"started": 120, "start_ns": 90_000_000}, True),
        ({"started": 50, "attributes": {**LLM, "gen_ai.request.model": "other"}}, False),
    ],
)
def test_without_context_time_and_facts_decide(
    make_span: SpanMaker, make_exchange: ExchangeMaker, fields: dict[str, Any], found: bool
) -> None:
    """A span that was not current is paired if it was open, or was dated back, and names the same model."""
    span = make_span(**{"attributes": LLM, **fields})
    assert shape([make_exchange()], [span]) == [([0], [1] if found else [])]


def test_a_failed_exchange_is_a_call(make_exchange: ExchangeMaker) -> None:
    """A request that broke before its response is a call as well."""
    assert shape([make_exchange(response=None, outcome=Outcome.FAILED, failure="timed out")], []) == [([0], [])]


def test_context_that_loops_ends(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Spans that claim to be each other's parents do not hang the pairing."""
    assert shape([make_exchange(span=1)], [make_span(1, parent=2), make_span(2, parent=1)]) == [([0], [])]
