"""The metrics of a scope add up to what the wire says of its calls: each call counted once, with its own tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Call, Finding, Maker, MetricPoint, Severity, SpanKey, SpanRecord, Stray, StreamEnd
from pytest_llmtrace.reading import Reading, State

USAGE, DURATION = "gen_ai.client.token.usage", "gen_ai.client.operation.duration"
CHAT = {"gen_ai.operation.name": "chat"}
READ = {"truncated": False, "request_model": "gpt-4o"}
COUNTS = {**READ, "input_tokens": 40, "output_tokens": 5}
WHERE = "cassettes/chat.yaml, interaction 0, exchange 0, response body"
FAILED = {"error": {"status": 429}, "truncated": False}
BROKEN = {"stream_end": StreamEnd.FAILED, "failure": "RemoteProtocolError: peer closed connection"}

Make = Callable[..., Call]


def tokens(of: str, value: float, count: int | None = 1, **fields: Any) -> MetricPoint:
    attributes = {**CHAT, "gen_ai.token.type": of}
    given = {"scope": "app", "kind": "sum" if count is None else "histogram", "attributes": attributes, **fields}
    return MetricPoint(name=USAGE, value=value, count=count, **given)


def durations(count: int, **fields: Any) -> MetricPoint:
    return MetricPoint(
        **{"scope": "app", "name": DURATION, "kind": "histogram", "count": count, "attributes": CHAT, **fields}
    )


def judged(calls: tuple[Call, ...], *points: MetricPoint, **evidence: Any) -> list[Finding]:
    found = verify(Evidence(calls=calls, metrics=points, **evidence), {}).findings
    return [one for one in found if one.check.startswith("metric/") or any("metric/" in name for name in one.also)]


def several(make_call: Make, *wires: dict[str, Any], **fields: Any) -> tuple[Call, ...]:
    """Make calls, each with a span that states no counts."""
    return tuple(
        make_call(wire, {"request_model": "gpt-4o"}, **{"record": {"key": SpanKey(1, at + 1)}, **fields})
        for at, wire in enumerate(wires)
    )


def finding(check: str, metric: str, wire: str, why: str, advice: str, severity: Severity = Severity.ERROR) -> Finding:
    name = USAGE if check == "metric/token-usage" else DURATION
    waive = f'or waive: @pytest.mark.llmtrace(ignore={{"{check}": "reason"}})'
    return Finding(
        check=check,
        severity=severity,
        subject=f"metric '{name}' (app)",
        details=(("metric", metric), ("wire", wire), ("why", why), ("next", f"{advice}, {waive}")),
        span=SpanKey(1, 1),
        makers=(Maker(scope="app"),),
    )


SUMS = "dashboards and budgets are made of this sum, and no span is there to compare it with"
ONCE = "measure each call once, its input with the cached tokens"
LACKS = "sums of tokens and cost lack some of the calls that they should include, and nothing says so"


@pytest.mark.parametrize(
    ("points", "metric", "wire"),
    [
        (
            [tokens("input", 80, 2), tokens("output", 5)],
            "input tokens: 80 in 2 measurements, 2 times what the wire says",
            "input tokens: input_tokens = 40",
        ),
        (
            [tokens("input", 5), tokens("output", 40)],
            (
                "input tokens: 5 in 1 measurement, which is the count of output tokens\n"
                "output tokens: 40 in 1 measurement, which is the count of input tokens"
            ),
            "input tokens: input_tokens = 40\noutput tokens: output_tokens = 5",
        ),
        (
            [tokens("input", 10), tokens("output", 5)],
            "input tokens: 10 in 1 measurement, without the cache read tokens: 30",
            "input tokens: input_tokens = 40",
        ),
        (
            [tokens("input", 70), tokens("output", 5)],
            "input tokens: 70 in 1 measurement, with the cache read tokens counted twice: 30",
            "input tokens: input_tokens = 40",
        ),
        ([tokens("completion", 6, None)], "output tokens: 6", "output tokens: output_tokens = 5"),
    ],
    ids=["doubled", "swapped", "cached left out", "cached added", "a counter"],
)
def test_a_sum_that_is_not_the_wires_is_found(
    make_call: Make, points: list[MetricPoint], metric: str, wire: str
) -> None:
    """A sum is wrong if no choice of possible measurements adds up to it; the finding gives the nearest explanation."""
    calls = several(make_call, {**COUNTS, "cache_read_tokens": 30})
    assert judged(calls, *points) == [finding("metric/token-usage", metric, f"{wire}\n{WHERE}", SUMS, ONCE)]


def test_a_call_that_is_left_out_is_a_warning(make_call: Make) -> None:
    """If one of two calls is measured, sums lack the other, which is a warning."""
    wire = f"input tokens of 2 calls: 40 + 41 = 81\n{WHERE}"
    calls = several(make_call, COUNTS, {**COUNTS, "input_tokens": 41})
    assert judged(calls, tokens("input", 41)) == [
        finding("metric/token-usage", "input tokens: 41 in 1 measurement", wire, LACKS, ONCE, severity=Severity.WARNING)
    ]


@pytest.mark.parametrize("total", [820 * 2, 821], ids=["doubled", "one more"])
def test_what_is_too_much_is_no_call_that_is_left_out(make_call: Make, total: int) -> None:
    """More than all calls together can have is an error, even if there are too many calls to try all choices."""
    wires = [{**COUNTS, "input_tokens": tokens_} for tokens_ in range(1, 41)]
    for count in (None, 39):
        [found] = judged(several(make_call, *wires), tokens("input", total, count))
        assert (found.check, found.severity) == ("metric/token-usage", Severity.ERROR)


CALLS = "cassettes/chat.yaml, interaction 0, exchange 0"


def test_of_many_calls_the_doubled_are_told_from_those_that_are_left_out(make_call: Make) -> None:
    """Forty calls have more choices than can be tried: the number of measurements tells doubled from left out."""
    wires = [{**COUNTS, "input_tokens": 3 ** (at % 20) + at} for at in range(40)]
    calls, total = several(make_call, *wires), sum(wire["input_tokens"] for wire in wires)
    found = [judged(calls, tokens("input", value, count)) for value, count in ((total - 1, 39), (2 * total, 80))]
    assert [[one.severity for one in some] for some in found] == [[Severity.WARNING], [Severity.ERROR]]
    assert judged(calls, tokens("input", total, 40)) == []


def test_a_call_that_is_counted_twice_is_found(make_call: Make) -> None:
    """The histogram of durations counts calls; a count of tokens that is wrong in the same way is reported with it."""
    why = "rates of calls and of errors are made of this count: they are too high, and latencies are weighted wrongly"
    wanted = finding(
        "metric/operation-count",
        "2 measurements",
        f"1 call\n{CALLS}",
        why,
        "measure each call once, when it is over; all measurements are there exactly 2 times, as where an "
        "instrumentation, or a wrapper that measures, is applied 2 times",
    )
    assert judged(several(make_call, COUNTS), durations(2)) == [wanted]
    [both] = judged(several(make_call, COUNTS), durations(2), tokens("input", 80, 2))
    assert (both.check, both.also) == ("metric/operation-count", ("metric/token-usage",))
    assert both.details[2] == ("also", f"metric '{USAGE}' (app)  (metric/token-usage)")


VIEWS = (
    "each measurement is there 2 times, in 2 streams of one name: 2 views of the meter provider match the instrument; "
    "let one of them match it, or give the others names of their own"
)
PROVIDERS = (
    "each measurement is there 2 times, from 2 meter providers: an instrumentation is applied once for each of them; "
    "apply it once, with the provider that exports"
)


@pytest.mark.parametrize(("providers", "advice"), [(1, VIEWS), (2, PROVIDERS)])
def test_streams_that_have_the_same_measurements_are_named_as_the_cause(
    make_call: Make, providers: int, advice: str
) -> None:
    """The code measures each call once, so the advice is about the views, or the providers, that double it."""
    calls, twice = several(make_call, COUNTS, COUNTS), {"streams": 2, "providers": providers}
    for points in (
        [tokens("input", 160, 4, **twice), tokens("output", 20, 4, **twice)],
        [tokens("input", 160, None, **twice), tokens("output", 20, None, **twice)],
        [durations(4, **twice)],
    ):
        [found] = judged(calls, *points)
        assert dict(found.details)["next"].partition(", or waive")[0] == advice


def test_two_resources_are_two_providers(make_call: Make) -> None:
    """Points of providers that name different services are apart, and double each other all the same."""
    points = [tokens("input", 40, resource={"service.name": name}) for name in ("shop", "unknown_service")]
    [found] = judged(several(make_call, COUNTS), *points)
    assert dict(found.details)["next"].partition(", or waive")[0] == PROVIDERS


@pytest.mark.parametrize("total", [121, 159, 161])
def test_what_is_no_exact_multiple_has_another_cause(make_call: Make, total: int) -> None:
    """A sum that two streams do not explain is not explained by them."""
    point = tokens("input", total, 4, streams=2)
    [found] = judged(several(make_call, COUNTS, COUNTS), point)
    assert dict(found.details)["next"].partition(", or waive")[0] == ONCE


def test_a_call_that_is_not_counted_is_a_warning(make_call: Make) -> None:
    """At least the two of three calls that did not fail have to be counted."""
    why = "rates of calls and of errors lack some of the calls that they should include, and nothing says so"
    wanted = finding(
        "metric/operation-count",
        "1 measurement",
        f"3 calls, 1 of which did not complete\n{CALLS}",
        why,
        "measure each call once, when it is over",
        severity=Severity.WARNING,
    )
    calls = several(make_call, COUNTS, COUNTS, FAILED)
    assert judged(calls, durations(1)) == [wanted]
    assert judged(calls, durations(2)) == judged(calls, durations(3)) == []


def test_what_a_span_says_as_well_is_told_with_it(make_call: Make) -> None:
    """A span and a metric with the same wrong count have it from one place, so they are one finding."""
    call = make_call(COUNTS, {"output_tokens": 6})
    [found] = judged((call,), tokens("input", 40), tokens("output", 6))
    assert (found.check, found.also) == ("wire/output-tokens", ("metric/token-usage",))
    assert found.severity is Severity.ERROR


def test_what_a_span_leaves_out_as_well_is_told_with_it(make_call: Make) -> None:
    """An SDK that raises while it parses a response leaves its usage unread, so span and metric both lack it."""
    told = make_call(COUNTS, {"input_tokens": 40, "output_tokens": 5})
    silent = make_call(
        COUNTS,
        {"input_tokens": State.ABSENT, "output_tokens": State.ABSENT},
        record={"key": SpanKey(1, 2)},
    )
    [found] = judged((told, silent), tokens("input", 40), tokens("output", 5), durations(2))
    assert (found.check, found.severity, found.span) == ("wire/usage-missing", Severity.WARNING, SpanKey(1, 2))
    assert found.also == ("metric/token-usage",)
    [apart] = [one for one in judged((told, silent), tokens("input", 41)) if one.check != "wire/usage-missing"]
    assert (apart.check, apart.severity) == ("metric/token-usage", Severity.ERROR)


def test_what_a_span_may_say_a_metric_may_say_too(make_call: Make) -> None:
    """A span around two calls may have their sum, and then the metric may have it too."""
    outer = make_call(COUNTS, {"input_tokens": 80}, record={"key": SpanKey(1, 1)})
    inner = make_call(COUNTS, {}, record={"key": SpanKey(1, 2), "scope": "other"})
    inside = Call(exchanges=inner.exchanges, spans=(), truths=inner.truths, readings=(), inside=(SpanKey(1, 1),))
    assert judged((outer, inside), tokens("input", 80)) == []


RIGHT = [tokens("input", 40), tokens("output", 5), durations(1)]


@pytest.mark.parametrize(
    ("wires", "fields", "points"),
    [
        ([COUNTS], {}, RIGHT),
        ([COUNTS], {}, [tokens("input", 40, None)]),
        ([COUNTS, {**COUNTS, "input_tokens": 2}], {}, [tokens("input", 42, 2), tokens("output", 10, 2)]),
        ([COUNTS, FAILED], {}, RIGHT),
        ([COUNTS, FAILED], {}, [tokens("input", 40, 2), durations(2)]),
        ([COUNTS], {"exchange": BROKEN}, [tokens("input", 0), durations(1)]),
        ([READ], {}, [tokens("input", 44)]),
        ([COUNTS], {"exchange": {"stream_end": StreamEnd.CLOSED}}, [tokens("input", 40), durations(1)]),
        ([{"input_tokens": 40, "truncated": True}], {}, [tokens("input", 40)]),
        ([{"truncated": True}], {}, [tokens("input", 41)]),
        ([{**READ, "input_tokens": 6}], {"api": "embeddings"}, [tokens("input", 6), tokens("output", 0)]),
        ([COUNTS, {**COUNTS, "streaming": True}], {}, RIGHT),
        ([COUNTS], {}, [tokens("input", 80, 2, kind="gauge")]),
        ([COUNTS], {}, [tokens("input", 80, 2, shared=True), durations(2, shared=True)]),
        ([COUNTS], {}, [tokens("input", 10), tokens("cached", 30)]),
        ([COUNTS], {}, [tokens("input", 80, 2, attributes=CHAT)]),
        ([COUNTS], {}, [durations(2, attributes={}, kept=frozenset({"gen_ai.provider.name"}))]),
        ([COUNTS], {}, [tokens("input", 80, 2, scope="other"), durations(2, scope="other")]),
        ([COUNTS], {}, [durations(1), durations(1, attributes={"gen_ai.operation.name": "execute_tool"})]),
        ([COUNTS, COUNTS], {"record": {"end_ns": 0}}, [durations(1)]),
        ([{**COUNTS, "input_tokens": 10**400}], {}, [tokens("input", 1.5)]),
        ([COUNTS], {}, [tokens("input", float("inf"), attributes={**CHAT, "gen_ai.token.type": "input"})]),
        ([COUNTS], {}, [tokens("input", 9, attributes={"gen_ai.operation.name": ["chat"], "gen_ai.token.type": []})]),
    ],
    ids=[
        "right",
        "a counter",
        "two calls",
        "a failed call is left out",
        "a failed call is measured",
        "its connection broke behind the counts",
        "estimated",
        "stopped",
        "cut",
        "cut before any count came",
        "embeddings",
        "streams are not measured",
        "a gauge",
        "another trace was open",
        "cached tokens apart",
        "a view has dropped the type",
        "a view has dropped the operation, which may be an agent's",
        "another scope",
        "tools are measured too",
        "a clock that stands still",
        "a count that is too large",
        "a sum without end",
        "attributes of no use",
    ],
)
def test_what_can_be_right_is_not_found(
    make_call: Make, wires: list[dict[str, Any]], fields: dict[str, Any], points: list[MetricPoint]
) -> None:
    """No finding: calls may be measured or not, or in another way."""
    assert judged(several(make_call, *wires, **fields), *points) == []


def test_a_call_without_a_span_may_be_measured(make_call: Make) -> None:
    """A call's span may have been sampled out; but points that name one model do not measure a call to another."""
    call, other = several(make_call, COUNTS, {**COUNTS, "input_tokens": 2})
    unseen = Call(exchanges=other.exchanges, spans=(), truths=other.truths, readings=())
    assert judged((call, unseen), tokens("input", 42, 2), durations(2)) == []
    named = {**CHAT, "gen_ai.token.type": "input", "gen_ai.request.model": "claude-haiku-4-5"}
    [found] = judged((call, unseen), tokens("input", 42, 2, attributes=named))
    assert found.check == "metric/token-usage"


def test_a_scope_with_calls_that_nobody_sees_is_not_judged(make_call: Make) -> None:
    """A span without an exchange may be a call over gRPC, or an answer from a cache: both are measured."""
    stray = Stray(
        span=SpanRecord(key=SpanKey(1, 9), name="chat", scope="app", started=1, ended=2),
        reading=Reading(source="otel-genai"),
    )
    assert judged(several(make_call, COUNTS), durations(2), strays=(stray,)) == []


def test_a_test_that_failed_is_not_judged(make_call: Make) -> None:
    """A failed test may have ended before it measured, so what is missing says nothing."""
    evidence = Evidence(calls=several(make_call, COUNTS, COUNTS), metrics=(durations(1),))
    assert not [one for one in verify(evidence, {}, complete=False).findings if one.check.startswith("metric/")]
