"""Which attempts are one call, if a wrapper retries by itself or makes its spans afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import verify
from pytest_llmtrace.model import Ambient, Exchange, SpanRecord, Worker
from pytest_llmtrace.pairing import pair
from tests.evidence import evidence_of, numbers

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]

LLM = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"}
COUNTED = {**LLM, "llm.token_count.prompt": 12, "llm.token_count.completion": 8}
LITELLM = {"llm.request.type": "acompletion", "litellm.call_id": "1", "gen_ai.request.model": "gpt-4o"}
SUCCEEDED = {**LITELLM, "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 8}


def answer(text: str = "hi") -> tuple[bytes, ...]:
    """Return the body of a chat completion."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20}
    body = {"id": "r", "object": "chat.completion", "model": "gpt-4o", "choices": [choice], "usage": usage}
    return (json.dumps(body).encode(),)


def shape(exchanges: list[Exchange], spans: list[SpanRecord]) -> list[tuple[list[int], list[int]]]:
    return numbers(pair(exchanges, spans))


def found(exchanges: list[Exchange], spans: list[SpanRecord]) -> list[tuple[str, str]]:
    """Return the findings on structure and failures, as pairs of check and subject."""
    seen = evidence_of(exchanges, spans)
    families = ("structure/", "wire/error", "wire/input", "wire/usage")
    findings = [finding for finding in verify(seen, {}).findings if finding.check.startswith(families)]
    return [(finding.check, finding.subject) for finding in findings if finding.severity != "info"]


# --- inside of a span ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["OK", "UNSET"])
def test_a_wrapper_that_tries_again_inside_of_itself(
    make_span: SpanMaker, make_exchange: ExchangeMaker, status: str
) -> None:
    """LiteLLM's num_retries: `completion` fails and calls `completion_with_retries`; both count this one call."""
    spans = [
        make_span(1, name="completion", attributes=COUNTED, status=status),
        make_span(2, parent=1, name="completion_with_retries", attributes=COUNTED, status=status),
    ]
    exchanges = [make_exchange(index=0, span=1, status=429), make_exchange(index=1, span=2, chunks=answer())]
    assert shape(exchanges, spans) == [([0, 1], [2])]
    assert found(exchanges, spans) == [("structure/reported-twice", "span 'completion' (app)")]


def test_the_sdks_own_spans_of_such_attempts(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """If another scope has a span for each attempt, each attempt is a call, and the outer span describes none."""
    outer = make_span(1, name="completion", attributes=COUNTED, status="OK")
    again = make_span(3, parent=1, name="completion_with_retries", attributes=COUNTED, status="OK")
    sdk = [
        make_span(2, parent=1, scope="sdk", attributes=LLM, status="ERROR", status_description="429"),
        make_span(4, parent=3, scope="sdk", attributes=LLM),
    ]
    exchanges = [make_exchange(index=0, span=2, status=429), make_exchange(index=1, span=4, chunks=answer())]
    assert shape(exchanges, [outer, sdk[0], again, sdk[1]]) == [([0], [2]), ([1], [4, 3])]


def test_a_failure_that_nobody_took_up(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """An outer span describes the failure inside it if it reports an error, or if no later attempt succeeded."""
    inner = make_span(2, parent=1, attributes=COUNTED)
    exchanges = [make_exchange(index=0, span=1, status=500), make_exchange(index=1, span=2, chunks=answer())]
    assert shape(exchanges, [make_span(1, attributes=LLM, status="ERROR"), inner]) == [([0], [1]), ([1], [2])]
    exchanges[1] = make_exchange(index=1, span=2, status=500)
    assert shape(exchanges, [make_span(1, attributes=LLM), inner]) == [([0], [1]), ([1], [2])]
    before = [make_exchange(index=0, span=2, chunks=answer()), make_exchange(index=1, span=1, status=500)]
    assert shape(before, [make_span(1, attributes=LLM), inner]) == [([0], [2]), ([1], [1])]


def test_a_fallback_to_another_model_inside_of_the_span_that_failed(
    make_span: SpanMaker, make_exchange: ExchangeMaker
) -> None:
    """A span that names the model which failed describes that failure, also if another model answers inside of it."""
    inner = make_span(2, parent=1, attributes={**COUNTED, "llm.model_name": "gpt-4o-mini"})
    fallback = {"model": "gpt-4o-mini", "messages": []}
    other = (answer()[0].replace(b'"gpt-4o"', b'"gpt-4o-mini"'),)
    exchanges = [
        make_exchange(index=0, span=1, status=500),
        make_exchange(index=1, span=2, body=fallback, chunks=other),
    ]
    outer = make_span(1, attributes=LLM)
    assert shape(exchanges, [outer, inner]) == [([0], [1]), ([1], [2])]
    assert ("wire/error-status", "span 'chat' (app)") in found(exchanges, [outer, inner])
    answered = make_span(1, attributes={**LLM, "llm.model_name": "gpt-4o-mini"})
    assert shape(exchanges, [answered, inner]) == [([0, 1], [2])]


def test_a_fallback_inside_of_a_wrapper(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A wrapper that names the model which it asked first only covers the calls, if both have spans of their own."""
    spans = [
        make_span(1, scope="wrapper", attributes={"gen_ai.request.model": "gpt-4o"}),
        make_span(2, parent=1, attributes=LLM, status="ERROR", status_description="500"),
        make_span(3, parent=1, attributes={**COUNTED, "llm.model_name": "o3"}),
    ]
    other = (answer()[0].replace(b'"gpt-4o"', b'"o3"'),)
    exchanges = [
        make_exchange(index=0, span=2, status=500),
        make_exchange(index=1, span=3, body={"model": "o3", "messages": []}, chunks=other),
    ]
    assert shape(exchanges, spans) == [([0], [2]), ([1], [3])]
    last = make_span(1, scope="wrapper", attributes={"gen_ai.request.model": "o3"})
    assert shape(exchanges, [last, *spans[1:]]) == [([0], [2]), ([1], [3, 1])]


def test_a_fallback_that_a_wrapper_counts_as_well(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """LiteLLM's fallbacks: `completion` makes an `acompletion` for each model, and repeats the last one's counts."""
    spans = [
        make_span(1, name="completion", attributes=COUNTED, status="OK"),
        make_span(2, parent=1, name="acompletion", attributes=LLM, status="ERROR", status_description="400"),
        make_span(3, parent=1, name="acompletion", attributes=COUNTED, status="OK"),
    ]
    exchanges = [make_exchange(index=0, span=2, status=400), make_exchange(index=1, span=3, chunks=answer())]
    assert shape(exchanges, spans) == [([0], [2]), ([1], [3])]
    assert found(exchanges, spans) == [("structure/reported-twice", "span 'completion' (app)")]


# --- in a span that is not current -----------------------------------------------------------------------------------

RUNS = Worker(1, 1)


def tried(make_exchange: ExchangeMaker, *statuses: int, worker: Worker = RUNS) -> list[Exchange]:
    """Make requests of one worker without a current span, each with other contents and the SDK's counter at zero."""
    fresh = (("x-stainless-retry-count", "0"),)
    return [
        make_exchange(
            index=number,
            status=status,
            headers=fresh,
            body={"model": "gpt-4o", "messages": [], "seed": number},
            chunks=answer() if status == 200 else (b"{}",),
            ambient=Ambient(worker=worker),
        )
        for number, status in enumerate(statuses)
    ]


@pytest.mark.parametrize(
    ("statuses", "fields", "expected"),
    [
        ((429, 500, 200), {}, [([0, 1, 2], [1])]),
        ((429, 500, 503), {"status": "ERROR", "status_description": "503"}, [([0, 1, 2], [1])]),
        ((200, 200), {}, [([0], [1]), ([1], [])]),
        ((429, 200), {"started": 109, "start_ns": 109_000_000}, [([0], []), ([1], [1])]),
        ((429, 200, 200), {"attributes": COUNTED, "ended": 119}, [([0, 1], [1]), ([2], [])]),
    ],
    ids=["success", "failure", "two answers", "begun after the failure", "ended before the next"],
)
def test_attempts_in_a_span_that_is_not_current(
    make_span: SpanMaker,
    make_exchange: ExchangeMaker,
    statuses: tuple[int, ...],
    fields: dict[str, Any],
    expected: list[tuple[list[int], list[int]]],
) -> None:
    """A loop of its own, inside of a span that it does not make current, makes one call as well."""
    span = make_span(1, **{"attributes": LLM, "worker": RUNS, **fields})
    assert shape(tried(make_exchange, *statuses), [span]) == expected


def test_attempts_of_other_workers_are_their_own(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A failure of another task is no attempt, although the span was open then."""
    [other] = tried(make_exchange, 429, worker=Worker(1, 2))
    [_, own] = tried(make_exchange, 429, 200)
    span = make_span(1, attributes=LLM, worker=RUNS)
    assert shape([other, own], [span]) == [([0], []), ([1], [1])]


# --- not current, inside of a span that is ---------------------------------------------------------------------------

ASKS = {"gen_ai.request.model": "gpt-4o"}
COUNTS = {**ASKS, "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 8}


def within(make_span: SpanMaker, number: int, start: int, end: int, **fields: Any) -> SpanRecord:
    """Make a span inside of span 1, which is not current; `start` and `end` are ticks."""
    times = {"started": start, "ended": end, "start_ns": start * 1_000_000, "end_ns": end * 1_000_000}
    return make_span(number, **{"parent": 1, "attributes": COUNTS, **times, **fields})


def test_a_span_that_was_not_current_is_nearer_than_one_that_was(
    make_span: SpanMaker, make_exchange: ExchangeMaker
) -> None:
    """A wrapper that names the model only covers the call, if a span of its scope was open inside of it."""
    asks = make_span(1, attributes=ASKS)
    exchanges = [make_exchange(index=0, span=1, chunks=answer())]
    inner = within(make_span, 2, 99, 110)
    assert shape(exchanges, [asks, inner]) == [([0], [2])]
    assert found(exchanges, [asks, inner]) == []
    early = within(make_span, 2, 90, 95)
    assert shape(exchanges, [asks, early]) == [([0], [1])]
    other = within(make_span, 2, 99, 110, attributes={"gen_ai.request.model": "o3"})
    assert shape(exchanges, [asks, other]) == [([0], [1])]


def test_a_wrapper_that_counts_what_such_a_span_counts(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """The wrapper then reports the call a second time, as it would if the inner span had been current."""
    spans = [make_span(1, name="ask", attributes=COUNTS), within(make_span, 2, 99, 110)]
    exchanges = [make_exchange(index=0, span=1, chunks=answer())]
    assert found(exchanges, spans) == [("structure/reported-twice", "span 'ask' (app)")]


@pytest.mark.parametrize("scope", ["app", "sdk"])
def test_such_spans_of_each_attempt(make_span: SpanMaker, make_exchange: ExchangeMaker, scope: str) -> None:
    """Each attempt is a call if it has such a span, and a span of another scope around them describes the last."""
    asks = make_span(1, attributes=ASKS)
    failure = within(make_span, 2, 99, 109, scope=scope, status="ERROR", status_description="500", attributes=ASKS)
    success = within(make_span, 3, 109, 130, scope=scope)
    exchanges = [make_exchange(index=0, span=1, status=500), make_exchange(index=1, span=1, chunks=answer())]
    last = [3] if scope == "app" else [1, 3]
    assert shape(exchanges, [asks, failure, success]) == [([0], [2]), ([1], last)]
    assert found(exchanges, [asks, failure, success]) == []


def test_such_spans_of_a_fallback(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span around a failure and a fallback that names the model which failed only covers them."""
    asks = make_span(1, attributes=ASKS)
    failure = within(make_span, 2, 99, 109, scope="sdk", status="ERROR", status_description="500", attributes=ASKS)
    success = within(make_span, 3, 109, 130, scope="sdk", attributes={**COUNTS, "gen_ai.request.model": "o3"})
    other = (answer()[0].replace(b'"gpt-4o"', b'"o3"'),)
    exchanges = [
        make_exchange(index=0, span=1, status=500),
        make_exchange(index=1, span=1, body={"model": "o3", "messages": []}, chunks=other),
    ]
    assert shape(exchanges, [asks, failure, success]) == [([0], [2]), ([1], [3])]
    current = [make_exchange(index=0, span=2, status=500), exchanges[1]]
    assert shape(current, [asks, failure, success]) == [([0], [2]), ([1], [3])]


def test_failures_elsewhere_part_no_attempts(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span outside of the call's own, and of another worker, describes none of its attempts."""
    asks = make_span(1, attributes=ASKS)
    failure = within(make_span, 2, 99, 109, scope="sdk", status="ERROR", status_description="500", parent=None)
    exchanges = [make_exchange(index=0, span=1, status=500), make_exchange(index=1, span=1, chunks=answer())]
    assert [indexes for indexes, _ in shape(exchanges, [asks, failure])] == [[0, 1]]


# --- made afterwards -------------------------------------------------------------------------------------------------


def dated(make_span: SpanMaker, number: int, start: int, end: int, **fields: Any) -> SpanRecord:
    """Make a span that is started after the call and dated back; `start` and `end` are milliseconds."""
    times = {"started": 500 + number, "start_ns": start * 1_000_000, "end_ns": end * 1_000_000}
    return make_span(number, **{"attributes": LITELLM, "scope": "litellm", **times, **fields})


def test_a_span_for_each_attempt(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span that failed and ended before the next attempt describes only its own: two calls have a span each."""
    exchanges = [make_exchange(index=0, status=500), make_exchange(index=1, chunks=answer())]
    failure, success = (
        dated(make_span, 1, 99, 108, status="ERROR", status_description="500"),
        dated(make_span, 2, 109, 130, attributes=SUCCEEDED),
    )
    assert shape(exchanges, [failure, success]) == [([0], [1]), ([1], [2])]
    assert found(exchanges, [failure, success]) == []


def test_a_span_of_the_whole_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span around all attempts describes the whole call, and so does a span around the last attempt only."""
    exchanges = [make_exchange(index=0, status=500), make_exchange(index=1, chunks=answer())]
    for start in (99, 109):
        span = dated(make_span, 1, start, 130, attributes=SUCCEEDED)
        assert shape(exchanges, [span]) == [([0, 1], [1])]
        assert found(exchanges, [span]) == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [({}, [1, 2]), ({"attributes": {**LITELLM, "gen_ai.request.model": "o3"}}, [1]), ({"start": 120}, [1])],
    ids=["the only one", "of another model", "of another time"],
)
def test_the_only_span_of_a_scope_may_be_wrong_about_everything(
    make_span: SpanMaker, make_exchange: ExchangeMaker, fields: dict[str, Any], told: list[int]
) -> None:
    """LangSmith reports OK for a call that has failed, which the SDK's own current span describes."""
    own = make_span(1, scope="sdk", attributes={"gen_ai.request.model": "gpt-4o"}, status="ERROR")
    ambient = Ambient(span=own.key, recording=True, worker=Worker(1, 1))
    exchange = make_exchange(ambient=ambient, status=400)
    start, others = fields.get("start", 99), {"attributes": LITELLM, "worker": Worker(1, 0), **fields}
    others.pop("start", None)
    late = dated(make_span, 2, start, 130, scope="langsmith", status="OK", **others)
    assert shape([exchange], [own, late]) == [([0], told)]


def test_parallel_calls_are_told_apart_by_what_was_answered(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """If spans of one worker have the same times and ids of their own, only the text of the answer tells them apart."""

    def said(text: str) -> dict[str, Any]:
        messages = [{"role": "assistant", "parts": [{"type": "text", "content": text}]}]
        return {**LITELLM, "gen_ai.response.id": f"own-{text}", "gen_ai.output.messages": json.dumps(messages)}

    order = [2, 0, 3, 1]  # The worker's task may have the memory address, and so the number, of the first call's task.
    spans = [
        dated(make_span, number, 99, 200, attributes=said(f"answer {number}"), worker=Worker(1, 0)) for number in order
    ]
    exchanges = [
        make_exchange(index=index, ambient=Ambient(worker=Worker(1, index)), chunks=answer(f"answer {index}"))
        for index in range(4)
    ]
    assert shape(exchanges, spans) == [([index], [index]) for index in range(4)]
