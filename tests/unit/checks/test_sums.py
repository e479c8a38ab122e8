"""`structure/counted-around`: a span around calls does not count the tokens that the spans of the calls count."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Exchange, Finding, Severity, SpanRecord
from pytest_llmtrace.pairing import match
from tests.evidence import evidence_of

Judge = Callable[..., list[Finding]]

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
FIRST = {**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
SECOND = {**CHAT, "gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 7}
USAGES = ({"prompt_tokens": 10, "completion_tokens": 5}, {"prompt_tokens": 20, "completion_tokens": 7})


def answer(usage: dict[str, int]) -> tuple[bytes, ...]:
    """Return the body of a response of which only the usage matters."""
    return (json.dumps({"id": f"r{usage['prompt_tokens']}", "model": "gpt-4o", "usage": usage}).encode(),)


@pytest.fixture
def judged(make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]) -> Judge:
    """Judge a span around one step with calls inside it: two, or one for each span whose attributes are given."""

    def judged(outer: dict[str, Any], *inner: dict[str, Any], **fields: Any) -> list[Finding]:
        told = inner or (FIRST, SECOND)
        spans = [make_span(1, name="chat_turn", attributes=outer, **fields), make_span(2, parent=1, name="step")]
        spans += [make_span(3 + n, parent=2, scope="inst", attributes=one) for n, one in enumerate(told)]
        exchanges = [
            make_exchange(index=n, span=3 + n, chunks=answer(usage))
            for n, (_, usage) in enumerate(zip(told, USAGES, strict=False))
        ]
        seen = evidence_of(exchanges, spans)
        return [one for one in verify(seen, {}).findings if one.check == "structure/counted-around"]

    return judged


def test_a_sum_on_a_span_that_says_nothing_of_itself(judged: Judge) -> None:
    """The warning shows the count, the spans that count it already, and what to do with a sum."""
    [found] = judged({"llm.token_count.prompt": 30})
    assert (found.severity, found.subject) == (Severity.WARNING, "span 'chat_turn' (app)")
    assert dict(found.details) == {
        "span": "llm.token_count.prompt = 30",
        "inside": "span 'chat' (inst): gen_ai.usage.input_tokens = 10, gen_ai.usage.output_tokens = 5\n"
        "span 'chat' (inst): gen_ai.usage.input_tokens = 20, gen_ai.usage.output_tokens = 7",
        "why": "a back end that sums tokens over all spans counts the tokens of these calls again for this span",
        "next": "leave the counts to the spans of the calls, or give sums names of their own, such as "
        'gen_ai.aggregated_usage.input_tokens, or waive: @pytest.mark.llmtrace(ignore={"structure/counted-around": '
        '"reason"})',
    }


@pytest.mark.parametrize(
    "outer",
    [
        {"gen_ai.usage.input_tokens": 30},
        {"gen_ai.usage.output_tokens": 12},
        {"gen_ai.usage.total_tokens": 42},
        {"gen_ai.usage.prompt_tokens": "30"},
        {"llm.usage.total_tokens": 42},
        {"llm.token_count.completion": 12, "session.id": "s"},
        {"gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 7},  # The counts of the last call.
        {"gen_ai.conversation.id": "c", "gen_ai.usage.input_tokens": 30},
    ],
)
def test_sums_are_known_by_the_names_of_all_conventions(judged: Judge, outer: dict[str, Any]) -> None:
    """A sum is found under the names of any convention, whichever the calls use: back ends read all into one column."""
    assert [found.severity for found in judged(outer)] == [Severity.WARNING]


def test_a_call_around_calls(judged: Judge) -> None:
    """A sum on a span that claims to be a call is an error, since it is added even if only calls are summed."""
    for marks in (CHAT, {"gen_ai.request.model": "gpt-4o"}, {"openinference.span.kind": "LLM"}):
        [found] = judged({**marks, "gen_ai.usage.input_tokens": 30, "llm.token_count.prompt": 30})
        assert found.severity is Severity.ERROR


def test_one_call(judged: Judge) -> None:
    """A wrapper that repeats the counts of the one call inside it is found as well."""
    assert judged({"gen_ai.usage.input_tokens": 10}, FIRST) != []


@pytest.mark.parametrize(("count", "is_found"), [(40, True), (10, True), (30, False)])
def test_cached_tokens_left_out(
    make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange], count: int, is_found: bool
) -> None:
    """The count of a call is recognised with its cached tokens (40) and, as Anthropic states it, without them (10)."""
    usage = {"input_tokens": 10, "cache_read_input_tokens": 30, "output_tokens": 5}
    body = json.dumps({"id": "m1", "type": "message", "model": "m", "content": [], "usage": usage}).encode()
    exchange = make_exchange(path="/v1/messages", span=2, chunks=(body,))
    said = {**CHAT, "gen_ai.usage.input_tokens": 40, "gen_ai.usage.output_tokens": 5}
    outer = make_span(1, attributes={"gen_ai.usage.input_tokens": count})
    spans = [outer, make_span(2, parent=1, scope="inst", attributes=said)]
    calls = match([exchange], spans).calls
    found = verify(Evidence(exchanges=(exchange,), spans=tuple(spans), calls=calls), {}).findings
    assert ("structure/counted-around" in {one.check for one in found}) is is_found


@pytest.mark.parametrize(
    "outer",
    [
        {"gen_ai.aggregated_usage.input_tokens": 30},
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 30},
        {"openinference.span.kind": "AGENT", "llm.token_count.prompt": 30},
        {"traceloop.span.kind": "workflow", "gen_ai.usage.input_tokens": 30},
        {"gen_ai.agent.name": "helper", "gen_ai.usage.input_tokens": 30},
        {"gen_ai.usage.input_tokens": 4},  # A count of something else.
        {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0},
        {"gen_ai.usage.input_tokens": None},
        {"gen_ai.usage.input_tokens": "many"},
        {},
    ],
    ids=str,
)
def test_no_count_once_more(judged: Judge, outer: dict[str, Any]) -> None:
    """A count under a name of its own, on a step that says what it is, or of something else is not a finding."""
    assert judged(outer) == []


def test_who_counts_alone(judged: Judge) -> None:
    """If the spans of the calls count nothing, the span around them is the only one that counts."""
    assert judged({"gen_ai.usage.input_tokens": 30}, CHAT, CHAT) == []


def test_a_span_that_is_open_is_in_no_sum(judged: Judge) -> None:
    """A span that is still open is never exported, which is reported by another check."""
    assert judged({"gen_ai.usage.input_tokens": 30}, ended=None) == []


def test_a_sum_with_a_call_that_is_counted_apart(
    make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]
) -> None:
    """A call's span may add the counts of those calls inside it that no other span counts, but no other counts."""
    exchanges = [make_exchange(index=n, span=span, chunks=answer(USAGES[n])) for n, span in enumerate((2, 1))]
    both = {**CHAT, "gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 12}

    def found(inner: dict[str, Any]) -> list[str]:
        spans = [make_span(1, attributes=both), make_span(2, parent=1, scope="inst", attributes=inner)]
        calls = match(exchanges, spans).calls
        assert [len(call.spans) for call in calls] == [1, 1]
        verdict = verify(Evidence(exchanges=tuple(exchanges), spans=tuple(spans), calls=calls), {})
        return [one.check for one in verdict.findings if one.severity is Severity.ERROR]

    assert found(CHAT) == []
    assert found(FIRST) == ["wire/input-tokens", "wire/output-tokens"]
