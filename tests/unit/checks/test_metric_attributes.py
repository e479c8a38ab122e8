"""The attributes of measurements: wrong only if no call of the scope can have them; a failed call has `error.type`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace.checks import verify
from pytest_llmtrace.model import Exchange, Finding, MetricPoint, Request, Severity, SpanRecord
from tests.evidence import evidence_of

USAGE, DURATION = "gen_ai.client.token.usage", "gen_ai.client.operation.duration"
OPENAI = "https://api.openai.com/v1/chat/completions"
EMBEDDINGS = "https://api.openai.com/v1/embeddings"
LOCAL = "http://localhost:1234/v1/chat/completions"
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m"}
ANSWERED = {
    "id": "chatcmpl-1",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16},
}
EMBEDDED = {"object": "list", "model": "m", "data": [], "usage": {"prompt_tokens": 12, "total_tokens": 12}}
WHERE = "cassettes/chat.yaml, interaction 0, exchange 0"
WAIVE = 'or waive: @pytest.mark.llmtrace(ignore={{"{}": "reason"}})'
UNCOUNTED = "rates of errors are made of this attribute, so this failure is counted as a success, with its latency"
FAILED: dict[str, Any] = {"status": "ERROR", "status_description": "rate limit"}

Sent = tuple[str, int, dict[str, Any]]
"""What a call is: its URL, the status of its response, and further fields of its span."""
Judged = Callable[..., list[Finding]]


def sent(url: str = OPENAI, code: int = 200, attributes: dict[str, Any] | None = None, **span: Any) -> Sent:
    return url, code, {**span, "attributes": {**CHAT, **(attributes or {})}}


def measured(count: int = 1, name: str = DURATION, value: float = 0.001, **attributes: Any) -> MetricPoint:
    said = {**CHAT, **{key.replace("__", "."): value for key, value in attributes.items()}}
    return MetricPoint(scope="app", name=name, kind="histogram", value=value, count=count, unit="s", attributes=said)


@pytest.fixture
def judged(make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]) -> Judged:
    """Judge the attributes of points beside some calls, each with a span of the scope."""

    def judged(calls: list[Sent], *points: MetricPoint, spans: bool = True, **evidence: Any) -> list[Finding]:
        exchanges, records = [], []
        for at, (url, code, fields) in enumerate(calls):
            reply = {"error": {"message": "x"}} if code >= 400 else EMBEDDED if url == EMBEDDINGS else ANSWERED
            asked = {"model": "m", "input": ["a"]} if url == EMBEDDINGS else {"model": "m", "messages": []}
            request = Request(method="POST", url=url, body=json.dumps(asked).encode())
            chunks = (json.dumps(reply).encode(),)
            exchanges.append(make_exchange(index=at, span=at + 1, request=request, status=code, chunks=chunks))
            records.append(make_span(at + 1, started=99 + 10 * at, ended=109 + 10 * at, **fields))
        kept = records if spans else records[:1]
        seen = evidence_of(exchanges, kept, metrics=points, **evidence)
        found = verify(seen, {}).findings
        names = {"metric/attributes", "metric/error-type"}
        return [one for one in found if one.check in names or not names.isdisjoint(one.also)]

    return judged


def lines(found: list[Finding]) -> list[tuple[str, str, str, str]]:
    return [(one.check, one.severity, one.details[0][1], one.details[1][1].splitlines()[0]) for one in found]


@pytest.mark.parametrize(
    ("calls", "said", "severity", "line", "wire"),
    [
        (
            [sent()],
            {"gen_ai__provider__name": "anthropic"},
            "warning",
            "gen_ai.provider.name = 'anthropic'",
            "all calls went to openai",
        ),
        (
            [sent()],
            {"gen_ai__operation__name": "embeddings"},
            "error",
            "gen_ai.operation.name = 'embeddings'",
            "no call asked for embeddings",
        ),
        ([sent()], {"error__type": "500"}, "error", "error.type = '500'", "no call ended with 500"),
        (
            [sent()],
            {"error__type": "TimeoutError"},
            "error",
            "error.type = 'TimeoutError'",
            "every call succeeded, and no span of this scope reports an error",
        ),
        (
            [sent(code=429, **FAILED), sent()],
            {"error__type": "500"},
            "error",
            "error.type = '500'",
            "no call ended with 500, but with 429",
        ),
    ],
)
def test_an_attribute_that_no_call_has_is_wrong(
    judged: Judged, calls: list[Sent], said: dict[str, Any], severity: str, line: str, wire: str
) -> None:
    """What is true of no call of the scope cannot have been measured, whichever call it was of."""
    assert lines(judged(calls, measured(**said))) == [("metric/attributes", severity, line, wire)]


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([sent(), sent(url="https://api.anthropic.com/v1/chat/completions")], {"gen_ai__provider__name": "anthropic"}),
        ([sent(url=LOCAL)], {"gen_ai__provider__name": "anthropic"}),
        ([sent()], {"gen_ai__provider__name": "our-gateway"}),
        ([sent()], {"gen_ai__provider__name": ("anthropic",)}),
        ([sent(), sent(url=EMBEDDINGS)], {"gen_ai__operation__name": "embeddings"}),
        ([sent(url=EMBEDDINGS)], {}),  # LiteLLM says `chat` of every call.
        ([sent()], {"gen_ai__operation__name": ["embeddings"]}),
        ([sent()], {"error__type": ""}),
        ([sent(code=429, **FAILED)], {"error__type": "429"}),
        ([sent(code=429, **FAILED)], {"error__type": 429}),
        ([sent(code=429, **FAILED), sent()], {"error__type": "openai.RateLimitError"}),
        ([sent(attributes={"error.type": "ValueError"})], {"error__type": "ValueError"}),
        ([sent(status_description="bad", status="ERROR")], {"error__type": "ValueError"}),
        ([sent(attributes={"error.type": "500"})], {"error__type": "500"}),
    ],
)
def test_what_may_be_that_of_some_call_is_right(judged: Judged, calls: list[Sent], said: dict[str, Any]) -> None:
    """One call that can have an attribute is enough; an exception may be the application's, where a span says so."""
    assert judged(calls, measured(len(calls), **said)) == []


def test_a_call_without_a_span_may_have_been_measured(judged: Judged) -> None:
    """Where spans are sampled out, the measurement may be of such a call."""
    calls = [sent(), sent(code=500)]
    assert judged(calls, measured(), measured(error__type="500"), spans=False) == []
    assert judged(calls, measured(), measured(error__type="ValueError"), spans=False) == []


def test_an_attribute_is_told_once(judged: Judged) -> None:
    """An attribute that is wrong on several metrics is one finding, which names them and says what to do."""
    wrong: dict[str, Any] = {"gen_ai__operation__name": "embeddings"}
    tokens = [
        measured(name=USAGE, value=value, gen_ai__token__type=of, **wrong)
        for of, value in (("input", 12), ("output", 4))
    ]
    [finding] = judged([sent()], *tokens, measured(**wrong))
    assert finding.subject == f"metric '{USAGE}' (app)"
    assert finding.details == (
        ("metric", f"gen_ai.operation.name = 'embeddings', on {USAGE} and {DURATION}"),
        ("wire", f"no call asked for embeddings\n{WHERE}"),
        ("why", "who groups by them sees calls that were never made, and misses the ones that were"),
        ("next", f"take them from the call itself, with each measurement, {WAIVE.format('metric/attributes')}"),
    )


def test_a_provider_that_the_span_names_as_well_is_one_fault(judged: Judged) -> None:
    """If the span names the wrong provider too, the metric is reported within that finding."""
    wrong = {"gen_ai.provider.name": "anthropic"}
    [finding] = judged([sent(attributes=wrong)], measured(gen_ai__provider__name="anthropic"))
    assert (finding.check, finding.also) == ("wire/provider-name", ("metric/attributes",))


def test_a_failed_call_that_is_measured_has_an_error(judged: Judged) -> None:
    """More measurements without an error than calls that can have succeeded: one is of a call that failed."""
    failed = sent(code=429, attributes={"error.type": "429"}, **FAILED)
    [finding] = judged([failed, sent()], measured(2))
    assert (finding.check, finding.severity, finding.subject) == (
        "metric/error-type",
        Severity.WARNING,
        f"metric '{DURATION}' (app)",
    )
    assert finding.details == (
        ("metric", "2 measurements without error.type"),
        ("wire", f"1 call failed, 1 call can have succeeded\n429 'x'\n{WHERE}, response body"),
        ("why", UNCOUNTED),
        ("next", f"record error.type with the duration where the failure is noticed, {WAIVE.format(finding.check)}"),
    )


@pytest.mark.parametrize(
    ("calls", "points"),
    [
        ([sent(code=429, **FAILED)], [measured(error__type="429")]),
        ([sent(code=429, **FAILED), sent()], [measured()]),
        ([sent(code=429, **FAILED), sent()], [measured(), measured(error__type="RateLimitError")]),
        ([sent(code=429)], [measured()]),
        ([sent(code=429, **FAILED)], [replace(measured(), kept=frozenset(CHAT))]),
    ],
    ids=["with an error", "not measured", "apart", "span without an error", "a view has dropped it"],
)
def test_a_failed_call_need_not_be_measured(judged: Judged, calls: list[Sent], points: list[MetricPoint]) -> None:
    """Measurements without an error may be of the calls that succeeded; a span that hides a failure is told instead."""
    assert judged(calls, *points) == []


def test_a_failed_call_without_an_error_anywhere_is_one_fault(judged: Judged) -> None:
    """If the span lacks `error.type` too, the metric is reported within that finding."""
    [finding] = judged([sent(code=429, **FAILED)], measured())
    assert (finding.check, finding.also[0]) == ("wire/error-type", "metric/error-type")


def test_a_metric_of_no_convention_needs_no_error(judged: Judged) -> None:
    """OpenLLMetry's metrics have their own conventions, which do not ask for `error.type`."""
    calls = [(OPENAI, 429, {**FAILED, "scope": "opentelemetry.instrumentation.openai.v1", "attributes": CHAT})]
    point = MetricPoint(
        scope="opentelemetry.instrumentation.openai.v1",
        name=DURATION,
        kind="histogram",
        count=1,
        value=0.001,
        attributes=CHAT,
    )
    assert judged(calls, point) == []
