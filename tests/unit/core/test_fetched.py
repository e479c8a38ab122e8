"""A background response is fetched until it is there, and what was fetched is compared as the answer of its call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import wire
from pytest_llmtrace.checks import verify
from pytest_llmtrace.model import Exchange, Finding, Request, SpanRecord, State
from pytest_llmtrace.pairing import match
from tests.evidence import evidence_of, numbers

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]
Poll = Callable[..., list[Exchange]]

LLM = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
COUNTED = {**LLM, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}
ASKED = {"model": "gpt-4o", "input": "x", "background": True}
STORED = "https://api.openai.com/v1/responses/"


def reply(status: str, **fields: Any) -> bytes:
    body: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "model": "gpt-4o-1",
        "output": [],
        "usage": None,
    }
    return json.dumps({**body, **fields}).encode()


DONE = reply("completed", output=[MESSAGE], usage=USAGE)


@pytest.fixture
def poll(make_exchange: ExchangeMaker) -> Poll:
    """Return a function that makes a background call and the fetches that wait for it, given the span of each."""

    def make(*spans: int | None, last: bytes = DONE, stored: str = "resp_1", status: int = 200) -> list[Exchange]:
        first, *others = spans
        get = Request(method="GET", url=f"{STORED}{stored}")
        bodies = [*[reply("in_progress")] * (len(others) - 1), last]
        fetches = [
            make_exchange(index=n, span=span, request=get, chunks=(body,), status=status)
            for n, (span, body) in enumerate(zip(others, bodies, strict=True), start=1)
        ]
        return [make_exchange(path="/v1/responses", body=ASKED, span=first, chunks=(reply("queued"),)), *fetches]

    return make


def judged(exchanges: list[Exchange], spans: list[SpanRecord], **fields: Any) -> list[Finding]:
    """Return the findings, without those of the family `convention/`."""
    seen = evidence_of(exchanges, spans, **fields)
    return [one for one in verify(seen, {}).findings if not one.check.startswith("convention/")]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_response_that_was_fetched(poll: Poll) -> None:
    """The call's request says what was asked, and the exchange that brought the response says what was answered."""
    call, fetch = poll(None, None)
    assert wire.fetches(fetch) == "resp_1"
    read = wire.read(call, fetch)
    assert read is not None
    assert (read.request_model, read.output_texts, read.finish_reasons) == ("gpt-4o", ["hi"], ["completed"])
    assert read.fact("request_model").place == "model, cassettes/chat.yaml, interaction 0, exchange 0, request body"
    said = "usage.input_tokens, cassettes/chat.yaml, interaction 0, exchange 1, response body"
    assert read.fact("input_tokens").place == said


def test_a_fetch_by_itself(poll: Poll) -> None:
    """A fetch read by itself does not have the request's values: they are unreadable, not absent."""
    _, fetch = poll(None, None)
    read = wire.read_fetched(fetch)
    assert (read.api, read.output_texts, read.input_tokens) == ("responses", ["hi"], 10)
    asked = [read.fact(name) for name in ("request_model", "streaming", "temperature", "input_messages", "tools")]
    assert {(fact.state, fact.note) for fact in asked} == {
        (State.UNREADABLE, "another request asked for this response")
    }


@pytest.mark.parametrize(
    "how",
    [{"last": reply("completed", id="resp_2")}, {"last": b"{"}, {"stored": "resp_1/input_items"}, {"status": 404}],
    ids=["another response", "no JSON", "its input", "an error"],
)
def test_what_fetches_no_response(poll: Poll, how: dict[str, Any]) -> None:
    """A request fetches a response only if it is answered with the response that it names."""
    assert wire.fetches(poll(None, None, **how)[1]) is None


# --- pairing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spans", [(1, 1, 1), (None, 1, 1), (None, None, None)], ids=["around all", "wait", "no span"])
def test_a_span_that_saw_what_was_fetched(make_span: SpanMaker, poll: Poll, spans: tuple[int | None, ...]) -> None:
    """A call is compared with what was last fetched while its span was open; the fetches are not calls."""
    paired = match(poll(*spans), [make_span(1, attributes=LLM)])
    assert (numbers(paired.calls), paired.fetches) == ([([0], [1])], ())
    assert (paired.calls[0].truth.input_tokens, paired.calls[0].truth.output_texts) == (10, ["hi"])


def test_a_span_that_saw_the_beginning(make_span: SpanMaker, poll: Poll) -> None:
    """A span that ended before the fetch cannot know what it brought."""
    paired = match(poll(1, None, None), [make_span(1, attributes=LLM, ended=109)])
    assert (numbers(paired.calls), paired.fetches) == ([([0], [1])], ())
    assert (
        paired.calls[0].truth.fact("input_tokens").note
        == "the response is queued: the rest comes when it is fetched later"
    )


@pytest.mark.parametrize("current", [True, False])
def test_a_span_of_a_fetch(make_span: SpanMaker, poll: Poll, *, current: bool) -> None:
    """A span of the fetch alone, which was current or names the response, is compared with what the fetch brought."""
    told = {**LLM, "gen_ai.response.id": "resp_1"}
    spans = [make_span(1, attributes=LLM, ended=109), make_span(2, attributes=told, started=109, start_ns=109_000_000)]
    paired = match(poll(1, 2 if current else None), spans)
    assert (numbers(paired.calls), numbers(paired.fetches)) == ([([0], [1])], [([1], [2])])
    assert [stray.span.key.span_id for stray in paired.strays] == [2]


def test_spans_of_several_fetches(make_span: SpanMaker, poll: Poll) -> None:
    """A span that was open during one fetch belongs to it, although all name the response; a later span to none."""
    told = {**LLM, "gen_ai.response.id": "resp_1"}
    times = {2: (109, 119), 3: (119, 129), 4: (130, 140)}
    polls = [
        make_span(number, attributes=told, started=start, start_ns=start * 1_000_000, ended=end)
        for number, (start, end) in times.items()
    ]
    paired = match(poll(1, None, None), [make_span(1, attributes=LLM, ended=109), *polls])
    assert (numbers(paired.calls), numbers(paired.fetches)) == ([([0], [1])], [([1], [2]), ([2], [3])])


def test_a_span_in_which_nothing_was_fetched(make_span: SpanMaker, poll: Poll) -> None:
    """A span that was not current and does not name the response does not belong to the fetch."""
    spans = [make_span(1, attributes=LLM, ended=109), make_span(2, attributes=LLM, started=109)]
    assert match(poll(1, None), spans).fetches == ()


# --- judging ---------------------------------------------------------------------------------------------------------


def test_a_wrong_count_of_what_was_fetched(make_span: SpanMaker, poll: Poll) -> None:
    """The finding on a wrong count names the exchange that brought the right one."""
    attributes = {**COUNTED, "gen_ai.usage.input_tokens": 11}
    [finding] = judged(poll(1, 1, 1), [make_span(1, attributes=attributes)])
    assert (finding.check, finding.details[:2]) == (
        "wire/input-tokens",
        (
            ("span", "gen_ai.usage.input_tokens = 11"),
            ("wire", "usage.input_tokens = 10\ncassettes/chat.yaml, interaction 0, exchange 2, response body"),
        ),
    )
    assert judged(poll(1, 1, 1), [make_span(1, attributes=COUNTED)]) == []


def test_an_llm_span_of_a_fetch(make_span: SpanMaker, poll: Poll) -> None:
    """An LLM span of a fetch is a call too many; what it says is compared nevertheless."""
    attributes = {**COUNTED, "gen_ai.usage.input_tokens": 11, "gen_ai.response.id": "resp_1"}
    spans = [make_span(1, attributes=LLM, ended=109), make_span(2, attributes=attributes, started=109)]
    extra, counted = judged(poll(1, 2), spans)
    assert (counted.check, extra.check) == ("wire/input-tokens", "structure/span-without-exchange")
    assert dict(extra.details) == {
        "span": "is an LLM span for model 'gpt-4o'",
        "wire": "GET /v1/responses/resp_1  (exchange 1)",
        "why": "a back end counts a call to a model, but the request only fetches a response that another one "
        "asked for",
        "next": "do not report this request as an LLM span: set neither a gen_ai.operation.name of calls nor the "
        "span kind LLM, or waive: "
        '@pytest.mark.llmtrace(ignore={"structure/span-without-exchange": "reason"})',
    }


def events(*kinds: tuple[str, bytes]) -> tuple[bytes, ...]:
    said = [json.dumps({"type": f"response.{kind}", "response": json.loads(body)}) for kind, body in kinds]
    return ("".join(f"data: {text}\n\n" for text in said).encode(),)


def test_a_stream_that_another_request_goes_on_with(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A background stream that was cut, and then fetched to its end, is not a half answer; without the fetch it is."""
    begun = events(("created", reply("queued")), ("in_progress", reply("in_progress")))
    stream = {"content_type": "text/event-stream"}
    get = Request(method="GET", url=f"{STORED}resp_1?stream=true&starting_after=1")
    call = make_exchange(path="/v1/responses", body={**ASKED, "stream": True}, span=1, chunks=begun, **stream)
    fetch = make_exchange(index=1, request=get, chunks=events(("completed", DONE)), **stream)
    spans = [make_span(1, attributes=LLM, ended=109)]
    assert [finding.check for finding in judged([call], spans)] == ["wire/cut-stream"]
    assert judged([call, fetch], spans) == []


@pytest.mark.parametrize(
    ("spans", "again"), [((1, 1, 1), 0), ((1, None, None), 0), ((1, None, None), 1)], ids=["seen", "not seen", "twice"]
)
def test_what_was_fetched_was_used(make_span: SpanMaker, poll: Poll, spans: tuple[int | None, ...], again: int) -> None:
    """A budget counts the tokens of a response once, however often it was fetched, and a fetch is not a call."""
    exchanges = poll(*spans)
    exchanges += exchanges[-1:] * again
    traced = [make_span(1, attributes=COUNTED)] if spans[-1] else [make_span(1, attributes=LLM, ended=109)]
    assert judged(exchanges, traced, budget={"tokens": 15, "calls": 1}) == []
    [finding] = judged(exchanges, traced, budget={"tokens": 14})
    assert (finding.check, dict(finding.details)["used"]) == ("agent/budget", "15 tokens")
