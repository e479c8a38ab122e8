"""Each check of `structure/` fires on its fault, and stays quiet where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace.checks import CHECKS, verify
from pytest_llmtrace.checks.parents import PARENT_LOST
from pytest_llmtrace.model import (
    Ambient,
    Dropped,
    Exchange,
    Finding,
    Maker,
    Outcome,
    Request,
    Severity,
    SpanEvent,
    SpanKey,
    SpanLink,
    SpanRecord,
    Worker,
)
from pytest_llmtrace.report import render
from tests.evidence import evidence_of

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]

LLM = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
COUNTED = {**LLM, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
MODEL_ONLY = {"gen_ai.request.model": "gpt-4o"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
HERE, THERE = Worker(1), Worker(2)


def answer(response_id: str = "r1") -> tuple[bytes, ...]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    body = {"id": response_id, "object": "chat.completion", "model": "gpt-4o", "choices": [choice], "usage": USAGE}
    return (json.dumps(body).encode(),)


def structure(exchanges: list[Exchange], spans: list[SpanRecord], **fields: Any) -> list[str]:
    """Return the ids of the checks of `structure/` that find something, without the family's name."""
    found = verify(evidence_of(exchanges, spans, **fields), {}).findings
    return [finding.check.removeprefix("structure/") for finding in found if finding.check.startswith("structure/")]


def details(found: Finding) -> dict[str, str]:
    return dict(found.details)


def only(exchanges: list[Exchange], spans: list[SpanRecord], check: str, **fields: Any) -> Finding:
    """Return the one finding of a check."""
    [found] = [one for one in verify(evidence_of(exchanges, spans, **fields), {}).findings if one.check == check]
    return found


# --- span without exchange -------------------------------------------------------------------------------------------


def test_span_without_exchange(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """An LLM span that ended well and for which no request was seen is a warning."""
    spans = [make_span(1, attributes=LLM), make_span(2, name="invented", attributes=LLM)]
    found = only([make_exchange(span=1)], spans, "structure/span-without-exchange")
    assert (found.subject, found.severity) == ("span 'invented' (app)", Severity.WARNING)
    assert details(found) == {
        "span": "is an LLM span for model 'gpt-4o'",
        "wire": "the only LLM call of this test is not the one that it describes",
        "why": "a back end counts a call that was never made, with its tokens and its cost",
        "next": "make no LLM span where no request is sent (a cache, a mock of the SDK), or waive: "
        '@pytest.mark.llmtrace(ignore={"structure/span-without-exchange": "reason"})',
    }


def test_a_span_without_exchange_where_the_test_has_forked(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A forked child process may have made the call unseen; a process that was started is not a likely maker."""
    spans = [make_span(1, attributes=LLM), make_span(2, name="around", attributes=LLM)]
    check = "structure/span-without-exchange"
    found = only([make_exchange(span=1)], spans, check, children="forked")
    assert details(found)["next"] == (
        "the test forked, and the requests of a child process are answered there and recorded nowhere: make these "
        "calls in "
        f'this process, in a thread if need be, or waive: @pytest.mark.llmtrace(ignore={{"{check}": "reason"}})'
    )
    assert only([make_exchange(span=1)], spans, check, children="started") == only(
        [make_exchange(span=1)], spans, check
    )


BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/invoke"


@pytest.mark.parametrize(
    ("attributes", "url", "judged"),
    [
        ({"gen_ai.provider.name": "aws.bedrock"}, "", False),
        ({"gen_ai.system": "aws.bedrock", "gen_ai.provider.name": "aws.bedrock"}, "", False),
        ({"llm.provider": "aws"}, "", False),
        ({"gen_ai.provider.name": "aws.bedrock"}, BEDROCK, True),
        ({"gen_ai.provider.name": "openai"}, "", True),
        ({"gen_ai.provider.name": ["aws"]}, "", True),
    ],
)
def test_a_span_of_boto3(
    make_span: SpanMaker, make_exchange: ExchangeMaker, attributes: dict[str, Any], url: str, judged: bool
) -> None:
    """Boto3 is not built on httpx: its calls are not seen if another recorder answers them, so no call is missing."""
    spans = [
        make_span(1, attributes=LLM),
        make_span(2, attributes={**LLM, **attributes, "gen_ai.request.model": "m"}, started=105),
    ]
    exchanges = [make_exchange(span=1)]
    if url:
        exchanges.append(make_exchange(index=1, started=90, request=Request(method="GET", url=url)))
    assert structure(exchanges, spans) == (["span-without-exchange"] if judged else [])


GEMINI = "/v1beta/models/gemini-2:generateContent"
COUNT = "/v1/responses/input_tokens"


@pytest.mark.parametrize(
    ("path", "current", "judged"),
    [(GEMINI, 2, False), ("/v2/infer", 2, False), (GEMINI, 3, False), (GEMINI, 4, False), ("/v2/infer", 4, True)],
    ids=[
        "an API that is not read",
        "one that is not known",
        "in an HTTP span",
        "made its span not current",
        "elsewhere",
    ],
)
def test_a_span_of_another_maker_s_model(
    make_span: SpanMaker, make_exchange: ExchangeMaker, path: str, current: int, judged: bool
) -> None:
    """A request to a model whose API is not read is a call as well, so its LLM span is not without an exchange."""
    spans = [
        make_span(1, attributes=LLM),
        make_span(2, attributes={**LLM, "gen_ai.request.model": "gemini-2"}, started=105),
        make_span(3, parent=2, name="POST", started=106),
        make_span(4, name="agent", started=107),
    ]
    exchanges = [make_exchange(span=1), make_exchange(index=1, span=current, path=path, body={"contents": []})]
    assert structure(exchanges, spans) == (["span-without-exchange"] if judged else [])


def test_a_span_of_a_request_that_counts_tokens(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A request that counts tokens asks no model, so an LLM span around it is a call too many."""
    spans = [make_span(1, attributes=LLM), make_span(2, name="InputTokenCountResponse", attributes=LLM)]
    exchanges = [make_exchange(span=1), make_exchange(index=1, span=2, path=COUNT, body={"model": "gpt-4o"})]
    found = only(exchanges, spans, "structure/span-without-exchange")
    assert details(found) == {
        "span": "is an LLM span for model 'gpt-4o'",
        "wire": "POST /v1/responses/input_tokens  (exchange 1)",
        "why": "a back end counts a call to a model, but the request only asks how many tokens a call would use",
        "next": "do not report this request as an LLM span: set neither a gen_ai.operation.name of calls nor the span "
        "kind LLM, or waive: "
        '@pytest.mark.llmtrace(ignore={"structure/span-without-exchange": "reason"})',
    }


@pytest.mark.parametrize(
    ("stray", "fields"),
    [
        ({"status": "ERROR"}, {}),
        ({"ended": None, "end_ns": None}, {}),
        ({"attributes": {"gen_ai.operation.name": "invoke_agent"}}, {}),
        ({}, {"calls": ()}),
        ({"scope": "framework", "worker": THERE}, {}),
    ],
    ids=["it failed before it sent", "it is open", "no LLM span", "the SDK is mocked", "it may be the framework's"],
)
def test_a_span_that_may_have_sent_nothing(
    make_span: SpanMaker, make_exchange: ExchangeMaker, stray: dict[str, Any], fields: dict[str, Any]
) -> None:
    """If a request was possibly never sent, or cannot be seen, a span without one is not a finding."""
    spans = [make_span(1, attributes=LLM), make_span(2, **{"attributes": LLM, **stray})]
    ambient = Ambient(span=spans[0].key, recording=True, worker=HERE)
    assert "span-without-exchange" not in structure([make_exchange(ambient=ambient)], spans, **fields)


def test_a_span_around_calls_is_no_span_without_exchange(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """An agent's span that names a model surrounds its calls and is not one of them, in whatever scope."""
    for scope in ("app", "framework"):
        outer = make_span(1, attributes=MODEL_ONLY, scope=scope)
        spans = [outer, *(make_span(n, parent=1, attributes=LLM) for n in (2, 3))]
        assert structure([make_exchange(index=n - 2, span=n) for n in (2, 3)], spans) == []


def test_an_attempt_that_was_cut_short_says_nothing_of_spans(
    make_span: SpanMaker, make_exchange: ExchangeMaker
) -> None:
    """After a refused request, the calls that were not made are missing because of it, so they are not a finding."""
    refused = make_exchange(index=1, response=None, outcome=Outcome.REFUSED, failure="nothing answered")
    spans = [make_span(1, attributes=LLM), make_span(2, attributes=LLM)]
    assert structure([make_exchange(span=1), refused], spans) == []


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, "\nand 1 more"), (40, "\nand 35 more")])
def test_exchange_without_span_names_the_first_spans(
    make_span: SpanMaker, make_exchange: ExchangeMaker, count: int, more: str
) -> None:
    """The finding lists five of the other spans, enough to see which instrumentation was active."""
    spans = [make_span(number, name=f"GET {number}", scope="web") for number in range(1, count + 1)]
    found = only([make_exchange()], spans, "structure/exchange-without-span")
    named = "".join(f"'GET {number}' (web)\n" for number in range(1, 6)).rstrip()
    assert details(found)["span"] == f"none describes this exchange; these were captured:\n{named}{more}"


def test_exchange_without_span_names_the_span_that_was_current(
    make_span: SpanMaker, make_exchange: ExchangeMaker
) -> None:
    """Of two calls in one LLM span one lacks a span, and the finding says whose call the current span is."""
    exchanges = [make_exchange(index=n, span=1, chunks=answer(f"r{n}")) for n in (0, 1)]
    found = only(exchanges, [make_span(1, attributes=LLM)], "structure/exchange-without-span")
    assert details(found)["span"] == "span 'chat' (app) was current, but it describes exchange 1"
    assert details(found)["next"].startswith(
        "a span describes one call: start one for each request, inside the loop or the retry, not around it, or waive"
    )


def test_exchange_without_span_that_got_no_response(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A call that the transport failed lacks its span like any other, and the finding says that no response came."""
    failed = make_exchange(response=None, outcome=Outcome.FAILED, failure="connection refused")
    found = only([failed], [make_span(1, name="GET /", scope="web")], "structure/exchange-without-span")
    wire = "chat call to model 'gpt-4o', no response (failed)\ncassettes/chat.yaml, interaction 0, exchange 0"
    assert details(found)["wire"] == wire


@pytest.mark.parametrize(
    ("scope", "fields", "found"),
    [
        ("openinference.instrumentation.openai", {}, ["span-never-ended"]),
        ("openinference.instrumentation.openai", {"ended": 10}, ["exchange-without-span"]),
        ("app", {}, ["exchange-without-span", "span-never-ended"]),
    ],
)
def test_an_instrumentor_s_span_that_never_ended_may_be_the_call_s(
    make_span: SpanMaker, make_exchange: ExchangeMaker, scope: str, fields: dict[str, Any], found: list[str]
) -> None:
    """An instrumentor may write a span's attributes only at its end; then the one cause is that it never ended."""
    on = {0: (Maker(scope="openinference-instrumentation-openai", version="0.1.66"),)}
    span = make_span(1, scope=scope, attributes={}, **{"ended": None, **fields})
    assert structure([make_exchange()], [span], silent=on) == found


WITHOUT = 'or waive: @pytest.mark.llmtrace(ignore={"structure/exchange-without-span": "reason"})'
NAMES = "chat, embeddings, generate_content, text_completion"


@pytest.mark.parametrize(
    ("attributes", "lacks"),
    [
        (
            {"gen_ai.usage.input_tokens": 10},
            f"it has gen_ai.usage.input_tokens, but neither gen_ai.operation.name ({NAMES}) nor gen_ai.request.model",
        ),
        (
            {"gen_ai.operation.name": "messages.create", "gen_ai.request.max_tokens": 99},
            f"it has gen_ai.operation.name = 'messages.create', but that of an LLM call is one of {NAMES}",
        ),
        (
            {"llm.token_count.prompt": 10},
            "it has llm.token_count.prompt, but no openinference.span.kind = 'LLM' (or 'EMBEDDING')",
        ),
        (
            {"gen_ai.operation.name": ["chat"], "gen_ai.usage.input_tokens": 10},
            f"it has gen_ai.operation.name = ['chat'], but that of an LLM call is one of {NAMES}",
        ),
        ({"app.tokens": 10}, ""),
        ({"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 10}, ""),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 10}, ""),
        ({"gen_ai.tool.name": "search", "gen_ai.request.model": "gpt-4o"}, ""),
    ],
)
def test_exchange_without_span_says_what_a_span_lacks(
    make_span: SpanMaker, make_exchange: ExchangeMaker, attributes: dict[str, Any], lacks: str
) -> None:
    """A span around a call that has counts, but is not recognised as a call, was meant to describe it."""
    spans = [make_span(1, name="ask", attributes=attributes), make_span(2, parent=1, name="send", attributes={})]
    found = only([make_exchange(span=2)], spans, "structure/exchange-without-span")
    said = (
        f"if span 'ask' (app) is meant to describe this call, make it an LLM span: {lacks}"
        if lacks
        else "switch on an instrumentor for this SDK, or put a span with gen_ai.request.model around it"
    )
    assert details(found)["next"] == f"{said}, {WITHOUT}"


def test_exchange_without_span_says_that_a_span_has_lost_attributes(
    make_span: SpanMaker, make_exchange: ExchangeMaker
) -> None:
    """A span that drops its oldest attributes may have dropped those that it is recognised by: the limit is named."""
    lost = Dropped(attributes=8, events=0, links=0)
    spans = [make_span(1, name="ask", attributes={"app.tokens": 10}, dropped=lost), make_span(2, parent=1, name="send")]
    found = only([make_exchange(span=2)], spans, "structure/exchange-without-span")
    step = "raise OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: the provider dropped 8 attributes, the oldest first"
    assert details(found)["next"] == f"if span 'ask' (app) is meant to describe this call, {step}, {WITHOUT}"


def test_spans_around_each_other(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Spans whose ids are given by hand may each be the parent of the other; the search for an LLM span ends."""
    spans = [make_span(1, parent=2), make_span(2, parent=1), make_span(3, attributes=LLM)]
    exchanges = [make_exchange(span=1), make_exchange(index=1, span=3)]
    assert "exchange-without-span" in structure(exchanges, spans)


# --- twice -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outer", "inner", "fires"),
    [
        (COUNTED, COUNTED, True),
        (LLM, LLM, True),
        (MODEL_ONLY, LLM, False),
        (MODEL_ONLY, MODEL_ONLY, False),
        ({**MODEL_ONLY, "gen_ai.usage.input_tokens": 10}, COUNTED, True),
    ],
)
def test_one_scope_around_itself(
    make_span: SpanMaker, make_exchange: ExchangeMaker, outer: dict[str, Any], inner: dict[str, Any], fires: bool
) -> None:
    """A wrapper and what it wraps report one call twice if both count it; a step that only names a model does not."""
    spans = [make_span(1, name="parse", attributes=outer), make_span(2, parent=1, attributes=inner)]
    assert structure([make_exchange(span=2, chunks=answer())], spans) == (["reported-twice"] if fires else [])


def test_reported_twice_says_how_it_is_known(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """The finding is about the span that is one too many, and names the other."""
    spans = [make_span(1, name="parse", attributes=COUNTED), make_span(2, parent=1, attributes=COUNTED)]
    found = only([make_exchange(span=2, chunks=answer())], spans, "structure/reported-twice")
    assert (found.subject, details(found)["span"], details(found)["wire"]) == (
        "span 'parse' (app)",
        "is around span 'chat' (app), which reports the same call",
        "chat call to model 'gpt-4o', answered 200\ncassettes/chat.yaml, interaction 0, exchange 0",
    )


@pytest.mark.parametrize(
    ("outer", "inner", "severity", "what"),
    [
        (COUNTED, COUNTED, "error", "this call, its tokens and its cost twice"),
        (LLM, COUNTED, "warning", "this call twice, and the time that it took; tokens are stated only once"),
        ({**LLM, **COUNTED}, LLM, "warning", "this call twice, and the time that it took; tokens are stated only once"),
    ],
)
def test_a_second_report_without_tokens_is_a_warning(
    make_span: SpanMaker,
    make_exchange: ExchangeMaker,
    outer: dict[str, Any],
    inner: dict[str, Any],
    severity: str,
    what: str,
) -> None:
    """Frameworks write one LLM span around another, like LlamaIndex's `predict`: sums of tokens are still right."""
    spans = [make_span(1, name="predict", attributes=outer), make_span(2, parent=1, attributes=inner | LLM)]
    found = only([make_exchange(span=2, chunks=answer())], spans, "structure/reported-twice")
    assert (found.severity, details(found)["why"]) == (severity, f"a back end counts {what}")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["reported-twice"]),
        ({"started": 1001, "start_ns": 900_000_000}, ["span-without-exchange"]),
        ({"scope": "third"}, []),
    ],
    ids=["at the same time", "later, from a cache", "of another scope"],
)
def test_one_response_named_twice(
    make_span: SpanMaker, make_exchange: ExchangeMaker, fields: dict[str, Any], expected: list[str]
) -> None:
    """A second span that names the same response is a second report; a span that comes later is a cache's."""
    named = {**LLM, "gen_ai.response.id": "r1"}
    spans = [
        make_span(1, attributes=named, ended=1000),
        make_span(2, scope="other", attributes=named),
        make_span(3, **{"attributes": named, **fields}),
    ]
    assert structure([make_exchange(span=1, chunks=answer())], spans) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["reported-twice"]),
        ({"started": 1001, "start_ns": 900_000_000}, ["span-without-exchange"]),
        ({"attributes": {**COUNTED, "gen_ai.request.top_p": 0.5}}, ["span-without-exchange"]),
        ({"parent": None}, ["span-without-exchange"]),
    ],
    ids=["to the letter", "later, from a cache", "asked otherwise", "elsewhere in the trace"],
)
def test_one_call_told_twice_to_the_letter(
    make_span: SpanMaker, make_exchange: ExchangeMaker, fields: dict[str, Any], expected: list[str]
) -> None:
    """If a convention has no place for ids, two adjacent spans with the same values are of one call."""
    spans = [
        make_span(1, name="agent"),
        make_span(2, parent=1, attributes=COUNTED, ended=1000),
        make_span(3, **{"parent": 1, "attributes": COUNTED, **fields}),
    ]
    assert structure([make_exchange(span=2, chunks=answer())], spans) == expected


ONE_SPAN = (
    "make one span per call: in the wrapper or in what it calls, not in both; and switch an instrumentation on once, "
    'or waive: @pytest.mark.llmtrace(ignore={"structure/reported-twice": "reason"})'
)


def test_a_failure_told_twice(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A failed call has no tokens, so counting it twice is a warning, which names the other span."""
    failed = {"attributes": LLM, "status": "ERROR", "status_description": "Slow down"}
    spans = [make_span(1, **failed), make_span(2, **failed)]
    found = only([make_exchange(span=1, status=429)], spans, "structure/reported-twice")
    assert (found.severity, found.details) == (
        "warning",
        (
            ("span", "repeats all attributes of span 'chat' (app), which was open at the same time"),
            ("wire", "chat call to model 'gpt-4o', answered 429\ncassettes/chat.yaml, interaction 0, exchange 0"),
            ("why", "a back end counts this call twice, and the time that it took"),
            ("next", ONE_SPAN),
        ),
    )


def test_counted_twice(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Two scopes that count one call are a finding, which shows both counts and how to turn each scope off."""
    spans = [
        make_span(1, scope="openinference.instrumentation.openai", name="ChatCompletion", attributes=COUNTED),
        make_span(2, parent=1, scope="com.anthropic.sdk.python", attributes={**LLM, "gen_ai.usage.input_tokens": 10}),
    ]
    found = only([make_exchange(span=2, chunks=answer())], spans, "structure/counted-twice")
    assert found.subject == "POST /v1/chat/completions  (exchange 0)"
    assert details(found) == {
        "span": "'chat' (com.anthropic.sdk.python): gen_ai.usage.input_tokens = 10\n"
        "'ChatCompletion' (openinference.instrumentation.openai): gen_ai.usage.input_tokens = 10, "
        "gen_ai.usage.output_tokens = 5",
        "wire": "chat call to model 'gpt-4o', answered 200\ncassettes/chat.yaml, interaction 0, exchange 0",
        "why": "a back end that sums tokens or cost over all spans counts this call once for each of them",
        "next": "turn one of them off: Anthropic's own span with ANTHROPIC_OPEN_TELEMETRY=false in the environment, or "
        "open_telemetry=False; or openinference.instrumentation.openai by not calling OpenAIInstrumentor()"
        ".instrument(), or with OpenAIInstrumentor().uninstrument(), or waive: "
        '@pytest.mark.llmtrace(ignore={"structure/counted-twice": "reason"})',
    }


def test_calls_that_the_same_scopes_count_twice_are_one_finding(
    make_span: SpanMaker, make_exchange: ExchangeMaker
) -> None:
    """One switch corrects them all: the finding counts them and shows the first; other scopes are another finding."""
    pairs = [("a", "b")] * 4 + [("a", "c")]
    spans, exchanges = [], []
    for number, (one, other) in enumerate(pairs):
        trace = 10 * (number + 1)
        spans.append(make_span(trace, scope=one, attributes=COUNTED))
        spans.append(make_span(trace + 1, parent=trace, scope=other, attributes=COUNTED))
        exchanges.append(make_exchange(index=number, span=trace + 1, chunks=answer(f"r{number}")))
    found = [
        one for one in verify(evidence_of(exchanges, spans), {}).findings if one.check == "structure/counted-twice"
    ]
    assert [one.subject for one in found] == ["4 calls", "POST /v1/chat/completions  (exchange 4)"]
    assert [[maker.scope for maker in one.makers] for one in found] == [["b", "a"], ["c", "a"]]
    assert details(found[0])["span"].splitlines()[::2] == [
        *["'chat' (b): gen_ai.usage.input_tokens = 10, gen_ai.usage.output_tokens = 5"] * 3,
        "and those of 1 more call",
    ]
    assert details(found[0])["wire"].count("answered 200") == 3


@pytest.mark.parametrize(
    ("scope", "switch"),
    [
        ("opentelemetry.instrumentation.openai.v1", "opentelemetry.instrumentation.openai by not calling OpenAIInst"),
        ("opentelemetry.instrumentation.genai.openai", "opentelemetry.instrumentation.genai.openai by not calling Op"),
        ("com.anthropic.sdk.python.bedrock", "Anthropic's own span with ANTHROPIC_OPEN_TELEMETRY=false in the envir"),
        ("pydantic-ai", "Pydantic AI's span by not calling Agent.instrument_all() or logfire.instrument_pydantic_ai()"),
        ("litellm", "LiteLLM's callback by taking 'otel' out of litellm.callbacks"),
        ("langfuse-sdk", "Langfuse's by importing OpenAI from openai, not from langfuse.openai, or by making no gen"),
        ("mlflow.tracing.provider", "MLflow's by not calling autolog(), or with autolog(disable=True)"),
        ("logfire.openai_agents", "logfire's span by not calling logfire.instrument_openai_agents()"),
        (
            "openinference.instrumentation.langchain",
            "openinference.instrumentation.langchain by not calling LangChain",
        ),
        (
            "opentelemetry.instrumentation.langchain",
            "opentelemetry.instrumentation.langchain by not calling Langchain",
        ),
        ("openinference.instrumentation.llama_index", "openinference.instrumentation.llama_index by not calling Llama"),
        ("openinference.instrumentation.new", "openinference.instrumentation.new by not calling its instrumentor's"),
        ("chat-api.llm", "the instrumentation that reports as 'chat-api.llm'"),
    ],
)
def test_each_scope_has_its_switch(make_span: SpanMaker, make_exchange: ExchangeMaker, scope: str, switch: str) -> None:
    """The advice names how to turn off each scope."""
    spans = [make_span(1, scope="a", attributes=COUNTED), make_span(2, parent=1, scope=scope, attributes=COUNTED)]
    assert switch in details(only([make_exchange(span=2)], spans, "structure/counted-twice"))["next"]


@pytest.mark.parametrize("second", [LLM, {"http.request.method": "POST"}, {**LLM, "gen_ai.usage.input_tokens": 0}])
def test_one_of_two_scopes_counts(make_span: SpanMaker, make_exchange: ExchangeMaker, second: dict[str, Any]) -> None:
    """A second scope that counts nothing, such as an HTTP client's, is not a finding."""
    spans = [make_span(1, attributes=COUNTED), make_span(2, parent=1, scope="other", attributes=second)]
    assert structure([make_exchange(span=2, chunks=answer())], spans) == []


# --- parents ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def agent(make_span: SpanMaker) -> SpanRecord:
    return make_span(1, name="agent", worker=HERE)


def test_parent_lost(make_span: SpanMaker, make_exchange: ExchangeMaker, agent: SpanRecord) -> None:
    """A root in a thread that was started inside a span has lost its parent, and so have the spans below it."""
    lost = make_span(2, name="worker", worker=THERE, cause=agent.key)
    spans = [agent, lost, make_span(3, parent=2, attributes=LLM, worker=THERE)]
    found = only([make_exchange(span=3)], spans, "structure/parent-lost")
    assert (found.subject, details(found)["span"]) == (
        "span 'worker' (app)",
        "is a root span, but its thread, or its work item in a pool, was started inside span 'agent' (app)",
    )


def test_a_tool_that_was_lost(make_span: SpanMaker, make_exchange: ExchangeMaker, agent: SpanRecord) -> None:
    """A step of an agent belongs into the agent's trace, also if no LLM span is below it."""
    said = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"}
    fields = {"name": "execute_tool lookup", "attributes": said, "cause": agent.key}
    tools = [make_span(1, key=SpanKey(trace, 1), **fields) for trace in (2, 3)]
    spans = [agent, *tools, make_span(3, parent=1, attributes=LLM)]
    found = only([make_exchange(span=3)], spans, "structure/parent-lost")
    assert (found.severity, found.subject) == ("error", "span 'execute_tool lookup' (app)")
    assert details(found) == {
        "span": f"is a root span, but its thread, or its work item in a pool, was started inside span {agent.name!r} "
        "(app)\nand 1 more span of this name and scope",
        "why": "the step is in a trace of its own: the run that it belongs to shows neither its time nor its errors",
        "next": PARENT_LOST.next + ', or waive: @pytest.mark.llmtrace(ignore={"structure/parent-lost": "reason"})',
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"attributes": {"app.step": "render"}},
        {"kind": "SERVER"},
        {"apart": True},
        {"links": (SpanLink(key=SpanKey(1, 1)),)},
        {"current": SpanKey(1, 1)},
        {"cause": SpanKey(1, 99)},
    ],
)
def test_steps_that_are_roots_on_purpose(make_span: SpanMaker, agent: SpanRecord, fields: dict[str, Any]) -> None:
    """A root that says nothing of itself, or was made one on purpose, is no lost step."""
    said = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"}
    step = make_span(1, **{"key": SpanKey(2, 1), "attributes": said, "cause": agent.key, **fields})
    assert structure([], [agent, step]) == []


def test_all_that_a_pool_has_lost(make_span: SpanMaker, make_exchange: ExchangeMaker, agent: SpanRecord) -> None:
    """The work items of one pool lose their parent by one mistake, which is one finding for each kind of root."""
    names = ["worker", "worker", "judge", "worker"]
    lost = [make_span(2 + i, name=name, worker=THERE, cause=agent.key) for i, name in enumerate(names)]
    below = [make_span(8 + i, parent=2 + i, attributes=LLM, worker=THERE) for i in range(4)]
    calls = [make_exchange(index=i, span=8 + i) for i in range(4)]
    verdict = verify(evidence_of(calls, [agent, *lost, *below]), {}).findings
    where = "is a root span, but its thread, or its work item in a pool, was started inside span 'agent' (app)"
    found = [one for one in verdict if one.check == "structure/parent-lost"]
    assert [(one.subject, one.span, details(one)["span"]) for one in found] == [
        ("span 'worker' (app)", lost[0].key, f"{where}\nand 2 more spans of this name and scope"),
        ("span 'judge' (app)", lost[2].key, where),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"cause": None},
        {"parent": 1},
        {"links": (SpanLink(key=(1, 1)),)},  # type: ignore[arg-type]
        {"current": (1, 9)},
        {"started": 1002},
        {"cause": (1, 9)},
        {"kind": "SERVER"},
    ],
    ids=["no cause", "a parent", "a link", "on purpose", "fire and forget", "not captured", "a server in a thread"],
)
def test_roots_that_are_none_by_mistake(
    make_span: SpanMaker, make_exchange: ExchangeMaker, agent: SpanRecord, fields: dict[str, Any]
) -> None:
    """A new trace may be intended, and a background worker outlives the span in which it was started."""
    span = make_span(2, **{"attributes": LLM, "worker": THERE, "cause": agent.key, **fields})
    assert structure([make_exchange(span=2)], [agent, span]) == []


LOST = "is a root span, but span 'agent' (app) was current where it was started"


@pytest.mark.parametrize(
    ("scope", "between", "expected"),
    [
        ("app", False, ("span 'chat' (app)", LOST)),
        ("sdk", False, ("span 'chat' (sdk)", LOST)),
        ("sdk", True, ("span 'workflow' (sdk)", LOST)),
    ],
    ids=["a wrapper", "an instrumentation", "its own root"],
)
def test_a_current_span_that_is_passed_over(
    make_span: SpanMaker,
    make_exchange: ExchangeMaker,
    agent: SpanRecord,
    scope: str,
    between: bool,
    expected: tuple[str, str],
) -> None:
    """An instrumentation that makes roots inside an application's spans separates the call from its request."""
    root = {"scope": scope, "worker": HERE, "current": agent.key}
    spans = [agent, make_span(2, attributes=LLM, **root)]
    if between:
        step = {"traceloop.span.kind": "workflow"}
        spans[1:] = [make_span(2, name="workflow", attributes=step, **root)]
        spans.append(make_span(3, parent=2, attributes=LLM, scope=scope))
    found = only([make_exchange(span=len(spans))], spans, "structure/parent-lost")
    assert (found.severity, found.subject, details(found)["span"]) == ("warning", *expected)
    assert details(found)["next"] == (
        "start it in the current context: give no context=, or one made from context.get_current(); or start a new "
        "trace on purpose, with a link to the old one, or waive: "
        '@pytest.mark.llmtrace(ignore={"structure/parent-lost": "reason"})'
    )


def test_mlflow_s_own_context(make_span: SpanMaker, make_exchange: ExchangeMaker, agent: SpanRecord) -> None:
    """MLflow passes over OpenTelemetry's current span, as it has a context of its own; a setting makes it share."""
    said = {"mlflow.spanType": "CHAT_MODEL", "gen_ai.request.model": "gpt-4o"}
    root = make_span(2, attributes=said, scope="mlflow.tracing.provider", worker=HERE, current=agent.key)
    found = only([make_exchange(span=2)], [agent, root], "structure/parent-lost")
    assert details(found)["next"].startswith(
        "MLflow keeps a context of its own: with MLFLOW_USE_DEFAULT_TRACER_PROVIDER=false it starts its spans in "
        "OpenTelemetry's, or waive"
    )


@pytest.mark.parametrize("fields", [{}, {"current": (3, 9)}], ids=["from a worker", "inside of what is not captured"])
def test_a_root_of_what_was_asked_elsewhere(
    make_span: SpanMaker, make_exchange: ExchangeMaker, agent: SpanRecord, fields: dict[str, Any]
) -> None:
    """A callback makes its span after the call, and knows of the request only what was kept for it."""
    attributes = {**LLM, "gen_ai.response.id": "r1"}
    root = make_span(
        2, **{"key": SpanKey(2, 2), "scope": "litellm", "attributes": attributes, "worker": THERE, **fields}
    )
    found = only([make_exchange(span=1, chunks=answer())], [agent, root], "structure/parent-lost")
    assert (found.severity, details(found)) == (
        "warning",
        {
            "span": "is a root span, but its request was made inside span 'agent' (app)",
            "why": PARENT_LOST.why,
            "next": "keep the context in which the call is made, and start the span in it; or start a new trace on "
            'purpose, with a link to the old one, or waive: @pytest.mark.llmtrace(ignore={"structure/parent-lost": '
            '"reason"})',
        },
    )


def test_a_step_inside_of_a_root_that_is_not_current(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span that began inside the LLM span, like an attempt's, is a part of the call and not its origin."""
    root = make_span(1, key=SpanKey(2, 2), attributes={**LLM, "gen_ai.response.id": "r1"})
    spans = [root, make_span(2, name="attempt", started=101)]
    assert structure([make_exchange(span=2, chunks=answer())], spans) == []


@pytest.mark.parametrize("at", [0, 1, 2], ids=["the request's span", "the root", "the LLM span"])
@pytest.mark.parametrize("origin", ["current", "cause"])
def test_a_link_from_one_trace_to_the_other(
    make_span: SpanMaker, make_exchange: ExchangeMaker, agent: SpanRecord, at: int, origin: str
) -> None:
    """A link between the old trace and the new one shows that they are apart on purpose, whichever span has it."""
    step = {"scope": "sdk", "attributes": {"gen_ai.operation.name": "invoke_agent"}, origin: agent.key}
    root = make_span(2, key=SpanKey(2, 2), **step)
    spans = [agent, root, make_span(3, key=SpanKey(2, 3), attributes=LLM, scope="sdk")]
    spans[2] = replace(spans[2], parent=root.key)
    call = replace(make_exchange(chunks=answer()), ambient=Ambient(span=spans[2].key))
    assert structure([call], spans) == ["parent-lost"]
    spans[at] = replace(spans[at], links=(SpanLink(key=SpanKey(1 if at else 2, 7)),))
    assert structure([call], spans) == []


def test_a_root_beside_the_sdk_s_own_span(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """The SDK's span is inside the framework's call and not around it: if both are roots, no parent was lost."""
    outer = make_span(1, key=SpanKey(2, 2), scope="framework", attributes=LLM, worker=THERE)
    assert structure([make_exchange(span=2, chunks=answer())], [outer, make_span(2, attributes=LLM)]) == []


@pytest.mark.parametrize(
    ("apart", "attributes", "found"),
    [(False, {}, ["error"]), (True, {}, []), (True, {"gen_ai.operation.name": "invoke_agent"}, ["warning"])],
    ids=["no context", "an application's context", "the instrumentation's context"],
)
def test_a_root_in_a_thread_of_its_own(
    make_span: SpanMaker,
    make_exchange: ExchangeMaker,
    agent: SpanRecord,
    apart: bool,
    attributes: dict[str, Any],
    found: list[str],
) -> None:
    """An application that gives a context without a span has a reason; an instrumentation that does so is a warning."""
    root = make_span(2, key=SpanKey(2, 2), cause=agent.key, apart=apart, scope="sdk", attributes=attributes)
    inner = replace(make_span(3, key=SpanKey(2, 3), attributes=LLM, scope="sdk"), parent=root.key)
    call = replace(make_exchange(chunks=answer()), ambient=Ambient(span=inner.key))
    lost = verify(evidence_of([call], [agent, root, inner]), {}).findings
    assert [one.severity for one in lost if one.check == "structure/parent-lost"] == found


@pytest.mark.parametrize(
    ("fields", "scope"),
    [
        ({"links": (SpanLink(key=(1, 1)),)}, "app"),  # type: ignore[arg-type]
        ({"started": 1002}, "app"),
        ({"kind": "CONSUMER"}, "app"),
        ({"name": "job"}, "sdk"),
        ({"name": "job"}, "app"),
        ({"name": "job", "scope": "jobs"}, "jobs"),
    ],
    ids=["a link", "left current", "a consumer", "a job", "a job with calls of its own", "beside the server's tracer"],
)
def test_current_spans_that_are_passed_over_on_purpose(
    make_span: SpanMaker, make_exchange: ExchangeMaker, agent: SpanRecord, fields: dict[str, Any], scope: str
) -> None:
    """A job of the application is the root of its own trace, wherever it was started."""
    root = make_span(2, **{"worker": HERE, "current": agent.key, "scope": "app", **fields})
    spans = [agent, root, make_span(3, parent=2, attributes=LLM, scope=scope, started=1003)]
    assert structure([make_exchange(span=3, started=1003)], spans) == []


def stream(make_exchange: ExchangeMaker, **fields: Any) -> Exchange:
    chunks = tuple(b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n' for _ in range(3))
    body = {"model": "gpt-4o", "messages": [], "stream": True}
    return make_exchange(chunks=chunks, body=body, content_type="text/event-stream", **fields)


@pytest.mark.parametrize(
    ("ended", "read_until", "text"),
    [
        (115, 114, "is a child of span 'stream' (app), which had ended before it started and was still current"),
        (None, None, "is a child of span 'stream' (app), the span of another call, whose stream was still being read"),
        (300, 290, "is a child of span 'stream' (app), the span of another call, whose stream was still being read"),
    ],
)
def test_parent_wrong(
    make_span: SpanMaker, make_exchange: ExchangeMaker, ended: int | None, read_until: int | None, text: str
) -> None:
    """A generator that leaves its span current makes the next call its child, after its end or while it is read."""
    first = make_span(1, name="stream", attributes=LLM, worker=HERE, ended=ended)
    child = make_span(2, parent=1, attributes=LLM, worker=HERE, current=first.key, started=119)
    exchanges = [stream(make_exchange, index=0, span=1, ended=read_until), make_exchange(index=2, span=2)]
    found = only(exchanges, [first, child], "structure/parent-wrong")
    assert (found.subject, details(found)["span"]) == ("span 'chat' (app)", text)


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        ({}, {"worker": THERE}),
        ({}, {"worker": None}),
        ({}, {"current": None}),
        ({"ended": 900, "attributes": {}}, {}),
    ],
    ids=["another task", "unknown", "a parent by choice", "a parent that is open"],
)
def test_parents_that_may_be_right(
    make_span: SpanMaker, make_exchange: ExchangeMaker, parent: dict[str, Any], child: dict[str, Any]
) -> None:
    """A task outlives the span in which it was started, a context may be chosen, and an agent has calls below it."""
    first = make_span(1, **{"worker": HERE, "ended": 115, "attributes": LLM, **parent})
    defaults = {"worker": HERE, "current": first.key, "started": 119, "attributes": LLM}
    second = make_span(2, parent=1, **{**defaults, **child})
    assert "parent-wrong" not in structure([make_exchange(index=2, span=2)], [first, second])


def test_a_span_that_is_left_current_is_told_once(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Children of a span that is left current are named in the finding on that span, and get no finding themselves."""
    leaked = make_span(1, name="stream", attributes=LLM, worker=HERE, ended=115)
    child = make_span(2, parent=1, attributes=LLM, worker=HERE, current=leaked.key, started=119)
    exchanges = [make_exchange(index=0, span=1), make_exchange(index=2, span=2)]
    assert structure(exchanges, [leaked, child], current=(leaked,)) == ["span-current"]
    found = only(exchanges, [leaked, child], "structure/span-current", current=(leaked,))
    assert details(found)["span"] == (
        "has ended, but is still the current span of the test\nspan 'chat' (app) has become its child"
    )


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("chat chatcmpl-B9xyz", "the id of the response, 'chatcmpl-B9xyz'"),
        ("chat 3f2c9b1e-6a57-4c1b-9d2f-0a1b2c3d4e5f", "an id of this one call, '3f2c9b1e-6a57-4c1b-9d2f-0a1b2c3d4e5f'"),
        ("chat 9f86d081884c7d65", "an id of this one call, '9f86d081884c7d65'"),
        ("chat at 1732185600", "a number of this one call, '1732185600'"),
        ("ask: What is OpenTelemetry, and why?", "text of the prompt, 'What is OpenTelemetry, a'"),
    ],
)
def test_span_name(make_span: SpanMaker, make_exchange: ExchangeMaker, name: str, part: str) -> None:
    """A name that contains something that belongs to one call only is a warning."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What is OpenTelemetry, and why?"}]}
    exchange = make_exchange(span=1, body=body, chunks=answer("chatcmpl-B9xyz"))
    found = only([exchange], [make_span(1, name=name, attributes=LLM)], "structure/span-name")
    assert (found.severity, details(found)["span"]) == (Severity.WARNING, f"its name contains {part}")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("chat gpt-4o-2024-11-20", "gpt-4o-2024-11-20"),
        ("chat anthropic/claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-20250514"),
        ("chat claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-20250514"),
        ("summarise", "gpt-4o"),
        ("step 12 of 40: classify the defaced facade", "gpt-4o"),
        ("", "gpt-4o"),
    ],
)
def test_names_that_are_names(make_span: SpanMaker, make_exchange: ExchangeMaker, name: str, model: str) -> None:
    """Models have dates in their names, with the provider or without, and applications name use cases."""
    exchange = make_exchange(span=1, body={"model": model, "messages": [{"role": "user", "content": "Hi"}]})
    span = make_span(1, name=name, attributes={**LLM, "gen_ai.request.model": model})
    assert structure([exchange], [span]) == []


def test_names_that_change_from_call_to_call(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Two calls of one kind whose names differ in a number are one finding; two use cases or two models are fine."""

    def names(*pairs: tuple[str, str]) -> list[str]:
        spans, exchanges = [], []
        for n, (name, model) in enumerate(pairs):
            spans.append(make_span(n, name=name, attributes={**LLM, "gen_ai.request.model": model}))
            exchanges.append(make_exchange(index=n, span=n, body={"model": model, "messages": []}))
        return structure(exchanges, spans)

    assert names(("user 4711", "gpt-4o"), ("user 4712", "gpt-4o")) == ["span-name"]
    assert names(("classify", "gpt-4o"), ("summarise", "gpt-4o")) == []
    assert names(("chat gpt-4-0613", "gpt-4-0613"), ("chat gpt-4-1106", "gpt-4-1106")) == []
    assert names(("user 4711", "gpt-4o"), ("user 4711", "gpt-4o")) == []


# --- retries ---------------------------------------------------------------------------------------------------------


def attempts(make_exchange: ExchangeMaker) -> list[Exchange]:
    return [make_exchange(index=0, span=1, status=429), make_exchange(index=1, span=1, chunks=answer())]


def test_retries_hidden(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Attempts that no span shows are a note in the report, with the time that they took; they fail nothing."""
    seen = evidence_of(attempts(make_exchange), [make_span(1, attributes=LLM)])
    verdict = verify(seen, {})
    [found] = [one for one in verdict.findings if one.check == "structure/retries-hidden"]
    assert (found.severity, details(found)["span"]) == (
        Severity.INFO,
        "does not report that 1 attempt failed before the last, which began 10 ms later",
    )
    assert "info  structure/retries-hidden  span 'chat' (app)" in render("test_chat", seen, verdict)
    assert render("test_chat", seen, verdict).startswith("llmtrace: 1 finding, 1 note in test_chat (")
    assert not replace(verdict, findings=(found,)).worth_saying


@pytest.mark.parametrize(
    "fields",
    [
        {"attributes": {**LLM, "http.request.resend_count": 1}},
        {"attributes": LLM, "events": (SpanEvent(name="retry", time_ns=1),)},
        {"attributes": LLM, "events": (SpanEvent(name="attempt", time_ns=1, attributes={"retry.count": 1}),)},
    ],
)
def test_retries_that_are_told(make_span: SpanMaker, make_exchange: ExchangeMaker, fields: dict[str, Any]) -> None:
    """An attribute or an event that mentions the attempts is enough."""
    assert structure(attempts(make_exchange), [make_span(1, **fields)]) == []


def test_retries_as_http_spans(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """An HTTP span for each attempt shows the attempts as well."""
    children = [make_span(n, parent=1, name="POST", kind="CLIENT", scope="http") for n in (2, 3)]
    assert structure(attempts(make_exchange), [make_span(1, attributes=LLM), *children]) == []


# --- all -------------------------------------------------------------------------------------------------------------


HOSTILE = [None, 0, "", b"\xff", float("nan"), 10**400, [], [None], {"a": {}}, (1, "x"), "\ud800", object()]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_hostile_spans_raise_nothing(make_span: SpanMaker, make_exchange: ExchangeMaker, value: Any) -> None:
    """Whatever attributes an application puts on a span, the checks judge the rest."""
    keys = (*COUNTED, "gen_ai.response.id", "gen_ai.response.model", "openinference.span.kind", "llm.request.type")
    hostile = {**LLM, **dict.fromkeys(keys[1:], value)}
    spans = [make_span(n, parent=n - 1, attributes=hostile, worker=HERE) for n in range(1, 4)]
    ambient = Ambient(worker=HERE)
    assert isinstance(structure([make_exchange(index=0, span=2), make_exchange(index=1, ambient=ambient)], spans), list)


def test_each_check_of_structure_says_what_it_compares() -> None:
    """Each check whose title does not say everything has a sentence or more for the page on checks."""
    silent = {check.id for check in CHECKS if check.id.startswith("structure/") and not check.compares}
    assert silent <= {"structure/ended-before-stream", "structure/span-current", "structure/span-never-ended"}


def test_a_span_that_another_one_put_back(make_span: SpanMaker) -> None:
    """A span that was made current and outlived the one around it puts that back when it is detached."""
    around = make_span(1, name="request", ended=20)
    inner = make_span(2, parent=1, name="stream", scope="sdk", ended=30)
    found = only([], [around, inner], "structure/span-current", current=(around,))
    assert details(found)["span"] == (
        "has ended, but is still the current span of the test\n"
        "span 'stream' (sdk) was started inside of it and ended after it, and may have put it back"
    )


def test_parents_that_are_wrong_alike(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A loop in which each span is left current is one finding."""
    spans = [make_span(1, attributes=LLM, worker=HERE, started=90, ended=108)]
    for n in (1, 2, 3):
        inner = make_span(n + 1, parent=n, current=SpanKey(1, n), attributes=LLM, worker=HERE)
        spans.append(replace(inner, started=99 + 10 * n, ended=108 + 10 * n))
    exchanges = [make_exchange(index=n, span=n + 1, chunks=answer(f"r{n}")) for n in range(4)]
    found = only(exchanges, spans, "structure/parent-wrong")
    assert details(found)["span"] == (
        "is a child of span 'chat' (app), which had ended before it started and was still current\n"
        "and 2 more spans of this name and scope"
    )


# --- spans that were not open ----------------------------------------------------------------------------------------


def missed(make_span: SpanMaker, make_exchange: ExchangeMaker, **fields: Any) -> list[Finding]:
    """Return the findings on a call without a span, where a span of its worker has the given times."""
    exchange = make_exchange(chunks=answer(), ambient=Ambient(worker=HERE))
    times = {"start_ns": fields["started"] * 1_000_000, "end_ns": fields["ended"] * 1_000_000}
    spans = [make_span(1, **{"attributes": LLM, "worker": HERE, **times, **fields})]
    found = verify(evidence_of([exchange], spans), {}).findings
    return [finding for finding in found if finding.check.startswith("structure/")]


@pytest.mark.parametrize(
    ("times", "words", "next_step"),
    [
        (
            {"started": 90, "ended": 95},
            "had ended before the request was made",
            "keep the span open until the response has been read: a generator, a coroutine or a task sends",
        ),
        (
            {"started": 120, "ended": 125},
            "was started when the call was over",
            "start the span before the call, and set what the response says while it is open",
        ),
    ],
)
def test_a_call_that_was_made_before_or_after_its_span(
    make_span: SpanMaker, make_exchange: ExchangeMaker, times: dict[str, int], words: str, next_step: str
) -> None:
    """The call's finding names the span that was meant for it, and the span itself is no finding."""
    [found] = missed(make_span, make_exchange, **times)
    said = details(found)
    assert found.check == "structure/exchange-without-span"
    assert said["span"] == f"span 'chat' (app) may be meant to describe this call, but {words}"
    assert said["next"].startswith(next_step)


@pytest.mark.parametrize(
    "fields",
    [
        {"started": 90, "ended": 95, "worker": THERE},
        {"started": 90, "ended": 95, "attributes": {**LLM, "gen_ai.request.model": "o3"}},
        {"started": 90, "ended": 95, "attributes": COUNTED},
        {"started": 120, "ended": 125, "worker": THERE},
    ],
)
def test_spans_that_no_call_has_missed(
    make_span: SpanMaker, make_exchange: ExchangeMaker, fields: dict[str, Any]
) -> None:
    """A span of another worker or model is another's, and so is one that knew an answer before the request."""
    found = [finding.check for finding in missed(make_span, make_exchange, **fields)]
    assert found == ["structure/exchange-without-span", "structure/span-without-exchange"]


def test_a_request_inside_of_a_span_that_had_ended(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A task may send its request in the context of a span that has ended: that is the span which was meant."""
    exchange = make_exchange(chunks=answer(), span=1)
    [found] = verify(evidence_of([exchange], [make_span(1, attributes=LLM, ended=95)]), {}).findings[:1]
    assert details(found)["span"].endswith(
        "may be meant to describe this call, but had ended before the request was made"
    )


def test_a_span_is_missed_by_one_call_only(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Of two calls without spans, the one next to a span has missed it."""
    exchanges = [make_exchange(index=n, chunks=answer(), ambient=Ambient(worker=HERE)) for n in range(2)]
    span = make_span(1, attributes=LLM, worker=HERE, started=90, ended=95)
    found = verify(evidence_of(exchanges, [span]), {}).findings
    lost = [details(finding)["span"] for finding in found if finding.check == "structure/exchange-without-span"]
    assert [said.startswith("span 'chat' (app) may be meant") for said in lost] == [True, False]


def test_started_late(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span that names the response describes the call, but its duration is none if it was made afterwards."""
    exchange = make_exchange(chunks=answer(), ended_ns=108_000_000)
    named = {**COUNTED, "gen_ai.response.id": "r1"}
    late = make_span(1, attributes=named, started=120, start_ns=120_000_000)
    assert structure([exchange], [late]) == ["started-late"]
    [found] = [
        one for one in verify(evidence_of([exchange], [late]), {}).findings if one.check == "structure/started-late"
    ]
    assert details(found) == {
        "span": "was started when its response had been read to the end",
        "wire": "chat call to model 'gpt-4o', answered 200\ncassettes/chat.yaml, interaction 0, exchange 0",
        "why": "the span does not say how long the call took; a call that raises may have no span at all",
        "next": "start the span before the request; if it can only be made afterwards, give "
        "start_span(start_time=...) the time of the request, or waive: "
        '@pytest.mark.llmtrace(ignore={"structure/started-late": "reason"})',
    }
    for start_ns in (99_000_000, 108_000_000):  # Dated back; a clock that stands still.
        assert structure([exchange], [replace(late, start_ns=start_ns)]) == []


def test_ended_before_its_response(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """A span that ended before anything of the response was read is told once, without the usage that it lacks."""
    exchange = make_exchange(chunks=answer(), span=1)
    found = verify(evidence_of([exchange], [make_span(1, attributes=LLM, ended=100)]), {}).findings
    assert [finding.check for finding in found if finding.severity != "info"] == ["structure/ended-before-stream"]
    assert details(found[0]) == {
        "span": "ended before anything of its response had been read",
        "wire": "chat call to model 'gpt-4o', answered 200\ncassettes/chat.yaml, interaction 0, exchange 0",
        "why": "its duration is not that of the call, and what the response says is not on it",
        "next": "end the span when the response has been read: await the call, or read its body, inside of it, or "
        'waive: @pytest.mark.llmtrace(ignore={"structure/ended-before-stream": "reason"})',
    }
