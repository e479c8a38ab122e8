"""Token counts on the spans of agents against the sum over the calls inside of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Exchange, Finding, Maker, Severity, SpanKey, SpanRecord
from pytest_llmtrace.pairing import match

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]
Judge = Callable[..., list[Finding]]

LLM = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
AGENT = {"gen_ai.operation.name": "invoke_agent"}
ADVICE = "add up the usage of each call that the run makes, once"
WHY = "the tokens and the cost of an agent's run, and limits on them, are wrong"


def answer(usage: dict[str, Any] | None) -> tuple[bytes, ...]:
    """Return the body of a chat completion with this usage."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    return (json.dumps({"id": "r", "model": "gpt-4o", "choices": [choice], "usage": usage}).encode(),)


def usage(read: int, written: int, cached: int = 0) -> dict[str, Any]:
    """Return the usage of a chat completion."""
    details = {"prompt_tokens_details": {"cached_tokens": cached}} if cached else {}
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written, **details}


USAGES = (usage(100, 10), usage(200, 20, 64), usage(300, 5, 128))


@pytest.fixture
def judge(make_span: SpanMaker, make_exchange: ExchangeMaker) -> Judge:
    """Judge a run of an agent: its span, and its calls, each with a span in the span of that number."""

    def judge(
        said: dict[str, Any],
        usages: tuple[Any, ...] = USAGES,
        *,
        around: tuple[int, ...] = (1, 1, 1),
        spans: tuple[SpanRecord, ...] = (),
        told: dict[str, int] | None = None,
        statuses: tuple[int, ...] = (200, 200, 200),
        paths: tuple[str, ...] = ("/v1/chat/completions",) * 3,
        **fields: Any,
    ) -> list[Finding]:
        exchanges, made = [], []
        for number, (used, parent) in enumerate(zip(usages, around, strict=True)):
            key, field = 10 + number, "input" if "embeddings" in paths[number] else "messages"
            exchanges.append(
                make_exchange(
                    index=number, span=key, chunks=answer(used), status=statuses[number], path=paths[number],
                    origin="scripted openai chat", body={"model": "gpt-4o", field: []},
                )
            )  # fmt: skip
            own = {**LLM, **(told or counts_of(used or {}))}
            own["gen_ai.operation.name"] = "embeddings" if field == "input" else "chat"
            started = 100 + 10 * number
            made.append(make_span(key, parent=parent, attributes=own, started=started - 1, ended=started + 9))
        run = make_span(1, **{"name": "invoke_agent a", "attributes": said, "started": 90, "ended": 900, **fields})
        every = [run, *spans, *made]
        paired = match(exchanges, every)
        seen = Evidence(exchanges=tuple(exchanges), spans=tuple(every), calls=paired.calls, strays=paired.strays)
        return [found for found in verify(seen, {}).findings if found.check == "agent/token-sum"]

    return judge


def counts_of(used: dict[str, Any]) -> dict[str, int]:
    """Return what the span of a call states."""
    keys = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    return {f"gen_ai.usage.{name}": used[key] for name, key in keys.items() if key in used}


def finding(span: str, wire: str, why: str = WHY, severity: Severity = Severity.ERROR, number: int = 1) -> Finding:
    """Return the whole finding that is expected."""
    return Finding(
        check="agent/token-sum",
        severity=severity,
        subject="span 'invoke_agent a' (app)",
        details=(
            ("span", span),
            ("wire", wire),
            ("why", why),
            ("next", f'{ADVICE}, or waive: @pytest.mark.llmtrace(ignore={{"agent/token-sum": "reason"}})'),
        ),
        span=SpanKey(1, number),
        makers=(Maker(scope="app"),),
    )


PLACES = "\n".join(f"scripted openai chat, exchange {number}" for number in range(3))


def stated(read: int, written: int, total: int, cached: int) -> Iterator[dict[str, Any]]:
    """Yield these counts in the form of each convention."""
    for prefix, opening in (("gen_ai.usage.", AGENT), ("gen_ai.aggregated_usage.", {})):
        yield {
            **opening,
            f"{prefix}input_tokens": read,
            f"{prefix}output_tokens": written,
            f"{prefix}total_tokens": total,
            f"{prefix}cache_read.input_tokens": cached,
        }
    for kind in ("AGENT", "CHAIN"):
        yield {
            "openinference.span.kind": kind,
            "llm.token_count.prompt": read,
            "llm.token_count.completion": written,
            "llm.token_count.total": total,
            "llm.token_count.prompt_details.cache_read": cached,
        }
    yield {
        "traceloop.span.kind": "workflow",
        "gen_ai.usage.input_tokens": read,
        "gen_ai.usage.output_tokens": written,
        "llm.usage.total_tokens": total,
        "gen_ai.usage.cache_read_input_tokens": cached,
    }


@pytest.mark.parametrize("said", list(stated(600, 35, 635, 192)))
def test_the_sum_in_each_convention(judge: Judge, said: dict[str, Any]) -> None:
    """The sum over all calls is right."""
    assert judge(said) == []


@pytest.mark.parametrize("said", list(stated(1200, 70, 1270, 384)))
def test_a_wrong_sum_in_each_convention(judge: Judge, said: dict[str, Any]) -> None:
    """Tokens that were added twice are found in each count, with each call's share."""
    keys = list(said)[-4:]
    lines = [f"{key} = {value}" for key, value in zip(keys, (1200, 70, 1270, 384), strict=True)]
    wire = (
        "input_tokens: 100 + 200 + 300 = 600\noutput_tokens: 10 + 20 + 5 = 35\n"
        "total_tokens: 110 + 220 + 305 = 635\ncache_read_tokens: 0 + 64 + 128 = 192"
    )
    assert judge(said) == [finding("\n".join(lines), f"{wire}\n{PLACES}")]


def test_the_tokens_of_one_call(judge: Judge) -> None:
    """The usage of the last reply alone, which is at hand at the end of a loop, is not that of the run."""
    assert judge({**AGENT, "gen_ai.usage.input_tokens": 300}) == [
        finding(
            "gen_ai.usage.input_tokens = 300",
            f"input_tokens: 100 + 200 + 300 = 600\n{PLACES}",
            "these are the tokens of one call, and the agent made 3",
        )
    ]


def test_many_calls_are_cut_short(judge: Judge) -> None:
    """The report of a long run names some of its calls."""
    said = {**AGENT, "gen_ai.usage.input_tokens": 7}
    many = {"around": (1,) * 8, "statuses": (200,) * 8, "paths": ("/v1/chat/completions",) * 8}
    places = "\n".join(f"scripted openai chat, exchange {number}" for number in range(6))
    assert judge(said, (usage(100, 10),) * 8, **many) == [
        finding(
            "gen_ai.usage.input_tokens = 7",
            f"input_tokens: 100 + 100 + 100 + 100 + 100 + ... (8 calls) = 800\n{places}\nand 2 more",
        )
    ]


@pytest.mark.parametrize(("read", "right"), [(600, True), (400, True), (200, False), (500, False)])
def test_an_inner_agent_is_counted_or_not(judge: Judge, make_span: SpanMaker, read: int, right: bool) -> None:
    """Some frameworks add the tokens of an inner agent to those of the outer one, others do not."""
    tool = make_span(2, parent=1, attributes={"gen_ai.operation.name": "execute_tool"}, started=95, ended=800)
    inner = make_span(3, parent=2, attributes=AGENT, started=96, ended=700)
    found = judge({**AGENT, "gen_ai.usage.input_tokens": read}, around=(1, 3, 1), spans=(tool, inner))
    assert (found == []) is right


@pytest.mark.parametrize(("read", "right"), [(600, True), (0, True), (300, False)])
def test_an_outer_agent_without_calls_of_its_own(judge: Judge, make_span: SpanMaker, read: int, right: bool) -> None:
    """An outer agent that does not count its inner one states 0 if it has made no call itself."""
    inner = make_span(3, parent=1, attributes=AGENT, started=96, ended=700)
    found = judge({**AGENT, "gen_ai.usage.input_tokens": read}, around=(3, 3, 3), spans=(inner,))
    assert (found == []) is right


def test_attempts_that_failed(judge: Judge) -> None:
    """A reply with an error has used nothing that it does not state."""
    said = {**AGENT, "gen_ai.usage.input_tokens": 400}
    assert judge(said, (USAGES[0], None, USAGES[2]), statuses=(200, 500, 200)) == []


def test_embeddings_are_counted_or_not(judge: Judge) -> None:
    """The tokens of an embedding may be in the sum or not."""
    paths = ("/v1/chat/completions", "/v1/embeddings", "/v1/chat/completions")
    for read, right in ((600, True), (400, True), (300, False)):
        found = judge({**AGENT, "gen_ai.usage.input_tokens": read}, paths=paths)
        assert (found == []) is right


def test_a_call_that_does_not_state_its_usage(judge: Judge) -> None:
    """If one reply says nothing of its tokens, the sum is not known."""
    assert judge({**AGENT, "gen_ai.usage.input_tokens": 5}, (USAGES[0], None, USAGES[2])) == []


def test_a_call_that_belongs_to_no_run(judge: Judge) -> None:
    """A call that was made meanwhile, in no run at all, may have lost its context: the sum is not known."""
    assert judge({**AGENT, "gen_ai.usage.input_tokens": 300}, around=(1, 1, 99)) == []


def test_a_run_that_is_not_over(judge: Judge) -> None:
    """A span that is open does not state its sum yet."""
    assert judge({**AGENT, "gen_ai.usage.input_tokens": 5}, ended=None, end_ns=None) == []


@pytest.mark.parametrize("said", [{"gen_ai.usage.input_tokens": 5}, {**AGENT, "app.tokens": 5}, AGENT])
def test_what_is_no_sum(judge: Judge, said: dict[str, Any]) -> None:
    """Counts on a span that is no agent's, and other numbers, are not judged as sums."""
    assert judge(said) == []


def test_a_sum_of_what_the_spans_of_the_calls_state(judge: Judge) -> None:
    """If the calls' own spans state wrong counts, the sum of these is no second fault."""
    said = {**AGENT, "gen_ai.usage.input_tokens": 408}
    assert len(judge(said)) == 1
    uncached = {"gen_ai.usage.input_tokens": 136}
    assert judge(said, told=uncached) == []


def test_a_count_that_goes_on_from_an_earlier_run(judge: Judge, make_span: SpanMaker) -> None:
    """Some frameworks count over the life of an agent: true, but whoever adds up the runs counts twice."""
    said = {**AGENT, "gen_ai.usage.input_tokens": 600, "gen_ai.usage.output_tokens": 35}
    first = {**AGENT, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
    earlier = make_span(2, name="invoke_agent a", attributes=first, started=90, ended=108)
    assert judge(said, around=(2, 1, 1), spans=(earlier,), started=109) == [
        finding(
            "gen_ai.usage.input_tokens = 600\ngen_ai.usage.output_tokens = 35",
            "input_tokens: 200 + 300 = 500\noutput_tokens: 20 + 5 = 25\n"
            "scripted openai chat, exchange 1\nscripted openai chat, exchange 2",
            "the counts go on from an earlier run of the same agent: whoever adds up its runs counts those calls again",
            Severity.WARNING,
        )
    ]


@pytest.mark.parametrize("between", [32, 33, 1500])
def test_a_run_with_many_agents_inside_of_each_other(judge: Judge, make_span: SpanMaker, between: int) -> None:
    """A run with more than 32 agents between it and a call is not judged; no depth is too much for that."""
    nested = [make_span(1000 + at, parent=999 + at if at else 1, attributes=AGENT, started=91) for at in range(between)]
    found = judge({**AGENT, "gen_ai.usage.input_tokens": 5}, around=(999 + between,) * 3, spans=tuple(nested))
    assert len(found) == (1 if between == 32 else 0)
