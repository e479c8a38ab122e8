"""Exchanges and spans are paired into calls."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from pytest_llmtrace import dialects, wire
from pytest_llmtrace.model import Ambient, Exchange, Outcome, Request, SpanRecord, StreamEnd, Worker
from pytest_llmtrace.pairing import match, pair
from tests.evidence import numbers

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]

LLM = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


def named(response_id: str) -> dict[str, Any]:
    """Return the attributes of a span that names its response."""
    return {**LLM, "gen_ai.response.id": response_id}


def answer(response_id: str) -> bytes:
    """Return the body of a chat completion."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    body = {"id": response_id, "object": "chat.completion", "model": "gpt-4o", "choices": [choice]}
    return json.dumps(body).encode()


def shape(exchanges: list[Exchange], spans: list[SpanRecord]) -> list[tuple[list[int], list[int]]]:
    return numbers(pair(exchanges, spans))


def test_the_current_span_is_the_span_of_the_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Two calls at the same time are told apart by their context, not by time."""
    spans = [make_span(1, attributes=LLM), make_span(2, attributes=LLM)]
    assert shape([make_exchange(index=0, span=2), make_exchange(index=1, span=1)], spans) == [([0], [2]), ([1], [1])]


def test_ancestors_count_one_a_scope(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """When LLM spans are nested, the innermost of each scope is the call's; other spans between them do not matter."""
    spans = [
        make_span(1, attributes=LLM, scope="outer"),
        make_span(2, parent=1, attributes=LLM, scope="inner"),
        make_span(3, parent=2, attributes=LLM, scope="inner"),
        make_span(4, parent=3, name="POST", scope="http"),
    ]
    assert shape([make_exchange(span=4)], spans) == [([0], [3, 1])]


def test_what_is_no_llm_call_is_no_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A request to a weather API inside a tool is not a call, even with an LLM span around it."""
    weather = make_exchange(path="/v1/messages", body={"city": "Paris"}, span=1)
    assert shape([weather], [make_span(1, attributes=LLM)]) == []


@pytest.mark.parametrize("counted", [True, False])
def test_retries_are_one_call(make_span: SpanMaker, make_exchange: ExchangeMaker, counted: bool) -> None:
    """The same request after a failure, in the same span, is another attempt, even without the SDKs' retry counter."""

    def attempt(index: int, status: int) -> Exchange:
        headers = (("X-Stainless-Retry-Count", str(index)),) if counted else ()
        return make_exchange(index=index, span=1, status=status, headers=headers)

    assert shape([attempt(0, 429), attempt(1, 529), attempt(2, 200)], [make_span(1, attributes=LLM)]) == [
        ([0, 1, 2], [1])
    ]


@pytest.mark.parametrize("answered", [False, True], ids=["nothing came", "a stream that broke"])
def test_a_connection_that_fails_is_tried_again(
    make_span: SpanMaker, make_exchange: ExchangeMaker, answered: bool
) -> None:
    """An exchange that ended in an exception is a failed attempt, with a response or without, in a span or outside."""
    came = {} if answered else {"response": None, "outcome": Outcome.FAILED}
    for span, spans in ((1, [make_span(1, attributes=LLM)]), (None, [])):
        broken = make_exchange(index=0, span=span, failure="ReadError: gone", stream_end=StreamEnd.FAILED, **came)
        assert shape([broken, make_exchange(index=1, span=span)], spans) == [([0, 1], [1] if spans else [])]


def test_the_same_question_again_is_another_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """An equal request after a success is a new call, and so is a request with an SDK's retry counter at zero."""
    spans = [make_span(1, attributes=LLM), make_span(2, attributes=LLM)]
    assert shape([make_exchange(index=0, span=1), make_exchange(index=1, span=2)], spans) == [([0], [1]), ([1], [2])]
    fresh = (("x-stainless-retry-count", "0"),)
    again = [make_exchange(index=0, status=500, headers=fresh), make_exchange(index=1, headers=fresh)]
    assert shape(again, []) == [([0], []), ([1], [])]


def test_what_is_tried_again_in_one_llm_span_is_one_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """An app that falls back to another model inside its span makes one call, whatever the SDK's retry counter says."""
    fresh = (("x-stainless-retry-count", "0"),)
    fallback = {"model": "gpt-4o-mini", "messages": []}
    tries = [
        make_exchange(index=0, span=1, status=500, headers=fresh),
        make_exchange(index=1, span=1, body=fallback, headers=fresh),
    ]
    assert shape(tries, [make_span(1, attributes=LLM)]) == [([0, 1], [1])]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/chat/completions", [([0, 1], [1])]),
        ("/v1/messages", [([0, 1], [1])]),
        ("/v1/responses", [([0, 1], [1])]),
        ("/v1/embeddings", [([0], []), ([1], [1])]),
    ],
)
def test_a_fallback_to_another_api_is_the_same_call(
    make_span: SpanMaker, make_exchange: ExchangeMaker, path: str, expected: list[tuple[list[int], list[int]]]
) -> None:
    """An answer may be asked for in any provider's API; embeddings are no answer, so they are a call of their own."""
    body = b'{"model": "m", "input": "a", "messages": []}'
    request = Request(method="POST", url=f"https://api.example.com{path}", body=body)
    tries = [make_exchange(index=0, span=1, status=500, request=request), make_exchange(index=1, span=1)]
    assert shape(tries, [make_span(1, attributes=LLM)]) == expected


@pytest.mark.parametrize(
    ("end", "expected"), [(StreamEnd.EXHAUSTED, [([0, 1], [1])]), (StreamEnd.CLOSED, [([0], []), ([1], [1])])]
)
def test_a_request_after_a_stream_that_was_cut_is_the_next_attempt(
    make_span: SpanMaker, make_exchange: ExchangeMaker, end: StreamEnd, expected: list[tuple[list[int], list[int]]]
) -> None:
    """An app may notice that a stream was cut, and ask again; one that left a stream has asked something else."""
    begun = b'data: {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
    asked = {"model": "gpt-4o", "messages": [], "stream": True}
    cut = make_exchange(index=0, span=1, body=asked, chunks=(begun,), content_type="text/event-stream", stream_end=end)
    assert shape([cut, make_exchange(index=1, span=1)], [make_span(1, attributes=LLM)]) == expected


def test_tasks_that_ask_the_same_retry_each_for_itself(make_exchange: ExchangeMaker) -> None:
    """Three tasks ask the same at once, with no current span; each task retries its own failed attempt."""
    asked = [(0, 429, "0"), (1, 500, "0"), (2, 200, "0"), (0, 200, "1"), (1, 200, "1")]
    exchanges = [
        make_exchange(
            index=index,
            ambient=Ambient(worker=Worker(1, task)),
            status=status,
            headers=(("x-stainless-retry-count", count),),
        )
        for index, (task, status, count) in enumerate(asked)
    ]
    assert shape(exchanges, []) == [([0, 3], []), ([1, 4], []), ([2], [])]


def test_the_truth_of_a_call_is_its_last_attempt(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A call has a reading for each exchange and each span, in their order; its truth is the last exchange's."""
    tries = [make_exchange(index=0, span=1, status=500), make_exchange(index=1, span=1, chunks=(answer("r"),))]
    [call] = pair(tries, [make_span(1, attributes=LLM)])
    assert [truth.response_id for truth in call.truths] == [None, "r"]
    assert call.truth is call.truths[-1]
    assert [reading.request_model for reading in call.readings] == ["gpt-4o"]


def test_a_span_tells_of_one_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Of two calls in one LLM span, the span is that of the call whose response it names, or else of the last."""
    exchanges = [make_exchange(index=n, span=1, chunks=(answer(f"r{n}"),)) for n in (0, 1)]
    assert shape(exchanges, [make_span(1, attributes=LLM)]) == [([0], []), ([1], [1])]
    assert shape(exchanges, [make_span(1, attributes=named("r0"))]) == [([0], [1]), ([1], [])]


def test_a_span_around_calls_with_spans_of_their_own_is_theirs_no_more(
    make_span: SpanMaker, make_exchange: ExchangeMaker
) -> None:
    """A framework's span around one call is a second scope's span of it; around several calls it is no call's span."""
    outer = make_span(1, attributes=LLM, scope="framework")
    inner = [make_span(n, parent=1, attributes=LLM) for n in (2, 3)]
    exchanges = [make_exchange(index=n - 2, span=n) for n in (2, 3)]
    assert shape(exchanges[:1], [outer, inner[0]]) == [([0], [2, 1])]
    assert shape(exchanges, [outer, *inner]) == [([0], [2]), ([1], [3])]
    assert [stray.covers for stray in match(exchanges, [outer, *inner]).strays] == [True]


def test_a_span_that_had_ended_tells_of_another_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span that had ended but was left current is not the span of the next call."""
    leaked = make_span(1, attributes=LLM, ended=50)
    assert shape([make_exchange(span=1)], [leaked]) == [([0], [])]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
@pytest.mark.parametrize("by", ["id", "worker"])
def test_parallel_calls_find_their_own_spans(
    make_span: SpanMaker, make_exchange: ExchangeMaker, by: str, order: tuple[int, ...]
) -> None:
    """If no span is current, parallel calls are told apart by the response's id, or else by the worker."""
    spans = [
        make_span(
            number + 1,
            attributes=named(f"r{number}") if by == "id" else LLM,
            worker=Worker(number) if by == "worker" else None,
        )
        for number in range(4)
    ]
    exchanges = [
        make_exchange(
            index=index,
            ambient=Ambient(worker=Worker(number) if by == "worker" else None),
            chunks=(answer(f"r{number}"),),
        )
        for index, number in enumerate(order)
    ]
    assert shape(exchanges, spans) == [([index], [number + 1]) for index, number in enumerate(order)]


def test_a_span_is_given_to_one_call_only(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """The span of one task's call is not given to another task's second attempt, however well it would fit."""
    other = make_exchange(index=1, ambient=Ambient(worker=Worker(1, 2)), body={"model": "gpt-4o", "messages": [1]})
    worker = Ambient(worker=Worker(1, 1))
    tries = [make_exchange(index=0, ambient=worker, status=500), make_exchange(index=2, ambient=worker)]
    taken = make_span(1, attributes=LLM, started=109, start_ns=109_000_000, ended=125, worker=Worker(1, 2))
    own = make_span(2, attributes=LLM, started=119, start_ns=119_000_000)
    assert shape([tries[0], other, tries[1]], [taken, own]) == [([0, 2], [2]), ([1], [1])]


def test_calls_of_one_model_at_the_same_time_have_a_span_each(
    make_span: SpanMaker, make_exchange: ExchangeMaker
) -> None:
    """Two spans that were open during both calls are given to one call each; the first to end is the first call's."""
    spans = [make_span(1, attributes=LLM, started=99, ended=200), make_span(2, attributes=LLM, started=98, ended=210)]
    assert shape([make_exchange(index=0), make_exchange(index=1)], spans) == [([0], [1]), ([1], [2])]


def test_equal_ids_are_told_apart_by_time(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A mock gives each response the same id: each of several calls in a row has the span that was open."""
    spans = [make_span(n, attributes=named("r"), started=95 + 10 * n, ended=99 + 10 * n) for n in range(3)]
    exchanges = [
        make_exchange(index=n, started=96 + 10 * n, ended=98 + 10 * n, chunks=(answer("r"),)) for n in range(3)
    ]
    assert shape(exchanges, spans) == [([0], [0]), ([1], [1]), ([2], [2])]


def test_a_span_made_afterwards_is_known_by_its_id(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span that is started after the answer, and not dated back, is paired by the id of the response."""
    late = {"started": 120, "start_ns": 200_000_000}
    exchange = make_exchange(chunks=(answer("r"),))
    assert shape([exchange], [make_span(1, attributes=named("r"), **late)]) == [([0], [1])]
    assert shape([exchange], [make_span(1, attributes=named("other"), **late)]) == [([0], [])]


def test_streams_that_are_asked_for_late_find_their_spans(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Of spans that are open at the same time, the one that ends first is taken first, so that none is left over."""
    here = Worker(1)
    spans = [
        make_span(1, attributes=LLM, ended=119, worker=here),
        make_span(2, attributes=LLM, ended=139, worker=here),
    ]
    exchanges = [make_exchange(index=index, ambient=Ambient(worker=here)) for index in (0, 2)]
    assert shape(exchanges, spans) == [([0], [1]), ([2], [2])]


def test_a_second_scope_that_is_not_current_is_found(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """If one of two instrumentations makes its span current and the other does not, the call has both spans."""
    here = Worker(1)
    spans = [
        make_span(1, attributes=LLM, scope="a", worker=here),
        make_span(2, attributes=LLM, scope="b", worker=here),
        make_span(3, attributes=LLM, scope="b", worker=Worker(2)),
    ]
    ambient = Ambient(span=spans[0].key, recording=True, worker=here)
    assert shape([make_exchange(ambient=ambient)], spans) == [([0], [1, 2])]


def test_a_gateways_prefix_is_the_same_model(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """The request names `openai/gpt-4o`, and the span names `gpt-4o`."""
    exchange = make_exchange(body={"model": "openai/gpt-4o", "messages": []})
    assert shape([exchange], [make_span(1, attributes=LLM)]) == [([0], [1])]


def test_each_is_read_once(make_span: SpanMaker, make_exchange: ExchangeMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairing decodes no body and reads no span twice."""
    read: list[object] = []
    for module in (wire, dialects):

        def noting(record: Any, real: Callable[[Any], Any] = module.read) -> Any:
            read.append(record)
            return real(record)

        monkeypatch.setattr(module, "read", noting)
    exchanges = [make_exchange(index=n, span=n if n % 2 else None) for n in range(6)]
    spans = [make_span(n, attributes=LLM) for n in range(6)]
    match(exchanges, spans)
    assert sorted(map(id, read)) == sorted(map(id, (*exchanges, *spans)))


Trace = Callable[[int, SpanMaker, ExchangeMaker], tuple[list[Exchange], list[SpanRecord]]]


def all_at_once(size: int, make_span: SpanMaker, make_exchange: ExchangeMaker) -> Any:
    """All spans are open when the first request passes, and none is current."""
    return [make_exchange(index=n, started=size + n, ended=None) for n in range(size)], [
        make_span(n, attributes=LLM, started=n, ended=4 * size + n) for n in range(size)
    ]


def one_in_the_other(size: int, make_span: SpanMaker, make_exchange: ExchangeMaker) -> Any:
    """Each span was left current and is the parent of the next."""
    return [make_exchange(index=n, span=n, started=3 * n + 1, ended=3 * n + 2) for n in range(size)], [
        make_span(n, parent=n - 1, attributes=LLM, started=3 * n, ended=10 * size) for n in range(size)
    ]


def all_in_one(size: int, make_span: SpanMaker, make_exchange: ExchangeMaker) -> Any:
    """One span is around all calls, and the spans of another scope name the same response."""
    return [make_exchange(index=n, span=0, chunks=(answer("r"),)) for n in range(size)], [
        make_span(n, attributes=named("r"), scope="b" if n else "a", ended=20 * size) for n in range(size)
    ]


@pytest.mark.parametrize("trace", [all_at_once, one_in_the_other, all_in_one])
def test_the_work_grows_with_the_trace(make_span: SpanMaker, make_exchange: ExchangeMaker, trace: Trace) -> None:
    """Twice as many calls take about twice the work, not four times, counted in executed lines."""
    small, large = (lines_run(match, *trace(size, make_span, make_exchange)) for size in (150, 300))
    assert large < 2.3 * small


def lines_run(function: Callable[..., Any], *arguments: Any) -> int:
    """Return how many lines of our pairing are run, since the time that they take depends on the machine."""
    ours, count = {"_pairing.py", "_matching.py", "tree.py"}, 0

    def note(frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal count
        count += 1
        return note if frame.f_code.co_filename.rpartition("/")[2] in ours else None

    before = sys.gettrace()
    sys.settrace(note)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return count


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
    """A span that was not current is paired if it was open or was dated back, and names the same model."""
    span = make_span(**{"attributes": LLM, **fields})
    assert shape([make_exchange()], [span]) == [([0], [1] if found else [])]


def test_a_failed_exchange_is_a_call(make_exchange: ExchangeMaker) -> None:
    """A request that failed before its response came is a call as well."""
    assert shape([make_exchange(response=None, outcome=Outcome.FAILED, failure="timed out")], []) == [([0], [])]


def test_context_that_loops_ends(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Spans that claim to be each other's parents do not hang the pairing."""
    assert shape([make_exchange(span=1)], [make_span(1, parent=2), make_span(2, parent=1)]) == [([0], [])]


def test_a_note_completes_what_its_span_says(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Logfire's spans end when the stream opens; a note beside them has the answer, and is found by the response id."""
    scope = "logfire.openai"
    note = {**named("chatcmpl-2"), "logfire.span_type": "log", "gen_ai.usage.input_tokens": 13}
    spans = [
        make_span(1, attributes=LLM, scope=scope, name="Chat Completion"),
        make_span(2, attributes=LLM, scope=scope, name="Chat Completion"),
        make_span(3, attributes=note, scope=scope, name="streaming response"),
        make_span(4, attributes=note, scope="logfire.anthropic", name="streaming response"),
        make_span(5, attributes={**note, "gen_ai.response.id": ["no", "id"]}, scope=scope, name="streaming response"),
    ]
    exchanges = [make_exchange(index=n, span=n + 1, chunks=(answer(f"chatcmpl-{n + 1}"),)) for n in range(2)]
    paired = match(exchanges, spans)
    assert [[span.key.span_id for span in call.spans] for call in paired.calls] == [[1], [2]]
    assert paired.strays == ()
    [first], [second] = (call.readings for call in paired.calls)
    assert (first.input_tokens, first.response_id) == (None, None)
    assert (second.input_tokens, second.request_model) == (13, "gpt-4o")
    assert second.fact("input_tokens").place == "gen_ai.usage.input_tokens on span 'streaming response'"
    assert [fact.where for fact in second.stated("request_model")] == [
        "span 'Chat Completion'",
        "span 'streaming response'",
    ]


def said(number: int, **fields: Any) -> bytes:
    """Return the body of a chat completion whose text and counts no other call has."""
    message = {"role": "assistant", "content": f"answer {number}"}
    usage = {"prompt_tokens": 10 + number, "completion_tokens": 20 + number}
    body = {"object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": usage, **fields}
    return json.dumps(body).encode()


def asked_for(*ids: str | None) -> bytes:
    """Return the body of a chat completion that asks for tools."""
    tool = {"type": "function", "function": {"name": "weather", "arguments": "{}"}}
    message = {"role": "assistant", "tool_calls": [{**tool, "id": identity} for identity in ids]}
    return said(0, choices=[{"index": 0, "message": message}])


def written(**part: Any) -> dict[str, Any]:
    """Return the attributes of a span that shows an answer of one part."""
    return {**LLM, "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [part]}])}


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("answered", "told"),
    [
        pytest.param(
            lambda n: {"chunks": (said(n),)},
            lambda n: {"attributes": written(type="text", content=f"answer {n}")},
            id="text",
        ),
        pytest.param(
            lambda n: {"chunks": (asked_for(f"call_{n}"),)},
            lambda n: {"attributes": written(type="tool_call", id=f"call_{n}", name="weather", arguments={})},
            id="tools",
        ),
        pytest.param(
            lambda n: {"chunks": (said(n),)},
            lambda n: {
                "attributes": {**LLM, "gen_ai.usage.input_tokens": 10 + n, "gen_ai.usage.output_tokens": 20 + n}
            },
            id="counts",
        ),
        pytest.param(
            lambda n: {"status": 500 if n == 2 else 200},
            lambda n: {"attributes": LLM, "status": "ERROR" if n == 2 else "UNSET"},
            id="failed",
        ),
    ],
)
def test_tasks_are_told_apart_by_their_answers(
    make_span: SpanMaker,
    make_exchange: ExchangeMaker,
    answered: Callable[[int], dict[str, Any]],
    told: Callable[[int], dict[str, Any]],
    beside: bool,
) -> None:
    """A framework may start the spans of tasks in threads of a pool, and end them in another order.

    Each call gets the span that shows its answer, even if an SDK's instrumentor has made a current span for it, too.
    """
    framework = [make_span(n, scope="framework", worker=Worker(10 + n), ended=900 - n, **told(n)) for n in range(3)]
    current = [make_span(10 + n, scope="sdk", attributes=LLM) for n in range(3)] if beside else []
    exchanges = [
        make_exchange(
            index=n,
            ambient=Ambient(span=current[n].key if beside else None, recording=beside, worker=Worker(1, n)),
            **answered(n),
        )
        for n in range(3)
    ]
    found = {call.exchanges[0].index: call.spans for call in pair(exchanges, [*framework, *current])}
    keys = {n: [span.key.span_id for span in spans] for n, spans in found.items()}
    if answered(0).get("status"):  # Only the failed call can be told from the others.
        assert keys[2][-1] == 2
    else:
        assert keys == {n: ([10 + n] if beside else []) + [n] for n in range(3)}


@pytest.mark.parametrize("worker", [Worker(1, 0), Worker(9)], ids=["of the first call", "of none"])
@pytest.mark.parametrize("beside", [False, True])
def test_a_span_that_tells_of_one_tool_call_of_several(
    make_span: SpanMaker, make_exchange: ExchangeMaker, worker: Worker, beside: bool
) -> None:
    """Spans made afterwards in one worker may show only some of an answer's tool calls: one unique call is enough.

    This holds even if an SDK's instrumentor has made a current span for the call, too.
    """
    told = [written(type="tool_call", id=f"call_{n}", name="weather", arguments={}) for n in range(3)]
    spans = [make_span(n, scope="framework", ended=900, worker=worker, attributes=told[n]) for n in (2, 0, 1)]
    current = [make_span(10 + n, scope="sdk", attributes=LLM) for n in range(3)] if beside else []
    exchanges = [
        make_exchange(
            index=n,
            ambient=Ambient(span=current[n].key if beside else None, recording=beside, worker=Worker(1, n)),
            chunks=(asked_for(f"call_{n}", f"other_{n}"),),
        )
        for n in range(3)
    ]
    assert shape(exchanges, [*spans, *current]) == [([n], ([10 + n] if beside else []) + [n]) for n in range(3)]


def test_tool_calls_without_ids_tell_nothing_apart(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A server may give tool calls no ids, and a span may leave ids out: two missing ids are not a match."""
    without = written(type="tool_call", name="weather", arguments={})
    spans = [make_span(n, attributes=told, worker=Worker(1, n)) for n, told in enumerate((without, LLM))]
    exchanges = [
        make_exchange(index=n, ambient=Ambient(worker=Worker(1, n)), chunks=(asked_for(identity),))
        for n, identity in enumerate(("call_0", None))
    ]
    assert shape(exchanges, spans) == [([0], [0]), ([1], [1])]


@pytest.mark.parametrize("counted", [True, False])
def test_tasks_with_equal_answers_are_told_apart_by_what_they_asked(
    make_span: SpanMaker, make_exchange: ExchangeMaker, counted: bool
) -> None:
    """If a mock gives all calls the same answer, the parameters on a span tell its call, even if texts are hidden."""
    counts = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 20} if counted else {}
    spans = [make_span(n, attributes={**LLM, **counts, "gen_ai.request.temperature": n / 10}) for n in (1, 2, 3)]
    exchanges = [
        make_exchange(
            index=n,
            body={"model": "gpt-4o", "messages": [], "temperature": (3 - n) / 10},
            chunks=(said(0) if counted else b"{}",),
        )
        for n in range(3)
    ]
    assert shape(exchanges, spans) == [([0], [3]), ([1], [2]), ([2], [1])]


@pytest.mark.parametrize("status", [200, 500], ids=["answered alike", "failed"])
@pytest.mark.parametrize("told", ["ERROR", "OK"])
def test_tasks_with_equal_answers_are_told_apart_by_their_prompts(
    make_span: SpanMaker, make_exchange: ExchangeMaker, status: int, told: str
) -> None:
    """If calls at the same time fail alike, or get the same answer, the last text of the prompt tells whose a span is.

    White space does not matter, nor what comes before: frameworks leave system prompts out, or write them elsewhere.
    """
    spans = [
        make_span(
            n,
            status=told if status == 500 else "OK",
            attributes={
                **LLM,
                "gen_ai.input.messages": json.dumps(
                    [{"role": "user", "parts": [{"type": "text", "content": f"question  {n}"}]}]
                ),
            },
        )
        for n in (1, 2, 3)
    ]
    exchanges = [
        make_exchange(
            index=n,
            status=status,
            body={
                "model": "gpt-4o",
                "messages": [
                    {"role": "system", "content": "be short"},
                    {"role": "user", "content": f"question {3 - n}"},
                ],
            },
            chunks=(said(0),) if status == 200 else (b"{}",),
        )
        for n in range(3)
    ]
    assert shape(exchanges, spans) == [([0], [3]), ([1], [2]), ([2], [1])]


def test_a_span_that_names_the_served_model_fits(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span that was not current and names only the model of the answer is not taken to name another model."""
    body = json.dumps({"object": "chat.completion", "model": "gpt-4o-2024-11-20", "choices": []}).encode()
    served = {"gen_ai.operation.name": "chat", "gen_ai.response.model": "gpt-4o-2024-11-20"}
    assert shape([make_exchange(chunks=(body,))], [make_span(1, attributes=served)]) == [([0], [1])]


def test_an_llm_span_that_says_nothing_is_the_last_choice(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """LlamaIndex reads a stream inside an LLM span of a thread, and describes the call on a span that is never current.

    A span that only says that it is an LLM span is the call's if there is no other, and the last call's if there are
    several.
    """
    reads = make_span(1, name="write_response_to_history", attributes={"openinference.span.kind": "LLM"})
    told = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.output_messages.0.message.content": "hi"}
    stream_chat = make_span(2, name="OpenAI.stream_chat", attributes=told, worker=Worker(1))
    exchange = make_exchange(ambient=Ambient(span=reads.key, recording=True, worker=Worker(2)), chunks=(answer("r"),))
    assert shape([exchange], [reads, stream_chat]) == [([0], [2])]
    assert [stray.span.key for stray in match([exchange], [reads, stream_chat]).strays] == [reads.key]
    assert shape([exchange], [reads]) == [([0], [1])]
    assert shape([make_exchange(index=n, span=1) for n in range(2)], [reads]) == [([0], []), ([1], [1])]


def test_a_span_that_says_nothing_and_was_not_current(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """MLflow's spans are current only in MLflow's own context: one that is open around its worker's call is the call's.

    A span of another worker is not, nor one that had ended or was opened later; nor if the call has another span.
    """
    kind = {"mlflow.spanType": '"LLM"'}
    asks = make_span(1, scope="mlflow", attributes=kind, worker=Worker(1), started=90, ended=120)
    here = make_exchange(ambient=Ambient(worker=Worker(1)))
    assert shape([here], [asks]) == [([0], [1])]
    assert shape([make_exchange(ambient=Ambient(worker=Worker(2)))], [asks]) == [([0], [])]
    assert shape([make_exchange(ambient=Ambient())], [asks]) == [([0], [])]
    for times in ({"started": 90, "ended": 95}, {"started": 105, "ended": 120, "start_ns": 2**62}):
        assert shape([here], [make_span(1, scope="mlflow", attributes=kind, worker=Worker(1), **times)]) == [([0], [])]
    assert shape([here], [asks, make_span(2, attributes=LLM, worker=Worker(1))]) == [([0], [2])]


def test_all_spans_around_a_call_cover_it(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """LlamaIndex nests LLM spans: all but the innermost only cover the call."""
    spans = [make_span(n, parent=n - 1 if n > 1 else None, attributes=LLM) for n in (1, 2, 3)]
    assert [stray.covers for stray in match([make_exchange(span=3)], spans).strays] == [True, True]
