"""Which metrics are judged: those of cost, those with newer names, and those of a meter with another name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Call, Finding, Maker, MetricPoint, Reading, Severity, SpanKey, SpanRecord, Stray

Make = Callable[..., Call]
Judged = Callable[..., list[Finding]]

NEW = "gen_ai.client.inference"
CHAT = {"gen_ai.operation.name": "chat"}
USAGE = {**CHAT, "gen_ai.token.type": "input"}
COUNTS = {"truncated": False, "input_tokens": 40, "output_tokens": 5, "cache_read_tokens": 30, "cost": 0.1}
PLACE = "cassettes/chat.yaml, interaction 0, exchange 0, response body"


def point(name: str, value: float, count: int | None = 1, **fields: Any) -> MetricPoint:
    kind = "sum" if count is None else "histogram"
    given = {"scope": "app", "kind": kind, "attributes": CHAT, **fields}
    return MetricPoint(name=name, value=value, count=count, **given)


def cost(value: float, count: int = 1, **fields: Any) -> MetricPoint:
    return point("gen_ai.usage.cost", value, count, **{"unit": "USD", **fields})


@pytest.fixture
def judged(make_call: Make) -> Judged:
    """Judge metrics beside calls whose spans have no counts."""

    def judged(*points: MetricPoint, wires: tuple[dict[str, Any], ...] = (COUNTS,), **evidence: Any) -> list[Finding]:
        calls = tuple(make_call(wire, {}, record={"key": SpanKey(1, at + 1)}) for at, wire in enumerate(wires))
        found = verify(Evidence(calls=calls, metrics=points, **evidence), {}).findings
        return [one for one in found if one.check.startswith("metric/")]

    return judged


@pytest.mark.parametrize(
    ("points", "metric", "wire"),
    [
        (
            [point(f"{NEW}.usage.input_tokens", 10, None), point(f"{NEW}.usage.output_tokens", 5, None)],
            "input tokens: 10, without the cache read tokens: 30",
            "input tokens: input_tokens = 40",
        ),
        (
            [point(f"{NEW}.usage.input_tokens", 40, None), point(f"{NEW}.usage.cache_read.input_tokens", 60, None)],
            "cache read tokens: 60, 2 times what the wire says",
            "cache read tokens: cache_read_tokens = 30",
        ),
        (
            [point(f"{NEW}.operation.output_tokens", 5), point(f"{NEW}.operation.input_tokens", 80, 2)],
            "input tokens: 80 in 2 measurements, 2 times what the wire says",
            "input tokens: input_tokens = 40",
        ),
    ],
    ids=["counters", "a part of them", "histograms"],
)
def test_tokens_by_their_newer_names(judged: Judged, points: list[MetricPoint], metric: str, wire: str) -> None:
    """Each of the newer metrics counts one kind of tokens, which its name tells."""
    [found] = judged(*points)
    assert found.check == "metric/token-usage"
    assert found.subject == f"metric '{points[0].name}' (app)"
    assert found.details[:2] == (("metric", metric), ("wire", f"{wire}\n{PLACE}"))


def test_calls_by_their_newer_name(judged: Judged) -> None:
    """A count of tokens that is wrong in the same way is reported with the finding on the number of calls."""
    [found] = judged(point(f"{NEW}.duration", 0.1, 2), point(f"{NEW}.operation.input_tokens", 80, 2))
    assert (found.check, found.also) == ("metric/operation-count", ("metric/token-usage",))


def test_a_cost_that_the_gateway_does_not_state_is_found(judged: Judged) -> None:
    """The metric must have the sum of the costs that the wire states, to within a millionth."""
    wires = (COUNTS, {**COUNTS, "cost": 0.2})
    assert judged(cost(0.30000000000000004, 2), wires=wires) == []
    assert judged(cost(0.3000001, 2), wires=wires) == []
    advice = "take the cost that the gateway states, once for each call"
    assert judged(cost(0.6, 2), wires=wires) == [
        Finding(
            check="metric/cost",
            severity=Severity.ERROR,
            subject="metric 'gen_ai.usage.cost' (app)",
            details=(
                ("metric", "cost: 0.6 in 2 measurements, 2 times what the wire says"),
                ("wire", f"cost of 2 calls: 0.1 + 0.2 = 0.3\n{PLACE}"),
                ("why", "budgets and bills are checked against this sum, and the gateway charges another"),
                ("next", f'{advice}, or waive: @pytest.mark.llmtrace(ignore={{"metric/cost": "reason"}})'),
            ),
            span=SpanKey(1, 1),
            makers=(Maker(scope="app"),),
        )
    ]


@pytest.mark.parametrize("unit", ["EUR", "", "1"])
def test_only_dollars_are_compared(judged: Judged, unit: str) -> None:
    """The wire's costs are in US dollars, and the meaning of a number without a unit is unknown."""
    assert judged(cost(0.7, unit=unit)) == []


def test_a_cost_of_a_price_list_is_not_judged(judged: Judged, make_call: Make) -> None:
    """If the wire states no cost, the metric's is not compared, but it may not have more measurements than calls."""
    plain = {**COUNTS, "cost": None}
    assert judged(cost(0.7, 2), wires=(COUNTS, {"truncated": False})) == []
    call = make_call({"truncated": False}, {"cost": 0.00015})
    for value in (0.000152, 0.2):
        found = verify(Evidence(calls=(call,), metrics=(cost(value),)), {}).findings
        assert [one for one in found if one.check.startswith(("metric/", "wire/"))] == []
    [many] = judged(cost(0.7, 3), wires=(plain, {"truncated": False}))
    assert many.details[1] == ("wire", "cost of 2 calls: not stated")


METER = "app.telemetry.meters"


def usage(value: float, count: int, scope: str = METER) -> MetricPoint:
    return point("gen_ai.client.token.usage", value, count, scope=scope, attributes=USAGE)


def test_a_meter_of_the_tracers_package_is_of_its_calls(judged: Judged) -> None:
    """LiteLLM's meter has the name of a module within the tracer's package; it need not measure all of its spans."""
    wires = (COUNTS, {**COUNTS, "input_tokens": 2})
    for right, count in ((42, 2), (40, 1), (2, 1)):
        assert (
            judged(point("gen_ai.client.token.usage", right, count, scope=METER, attributes=USAGE), wires=wires) == []
        )
    [found] = judged(point("gen_ai.client.token.usage", 84, 4, scope=METER, attributes=USAGE), wires=wires)
    assert (found.severity, found.subject) == (Severity.ERROR, f"metric 'gen_ai.client.token.usage' ({METER})")
    assert found.makers == (Maker(scope=METER),)
    assert judged(usage(84, 4, scope="ap"), wires=wires) == []


@pytest.mark.parametrize(
    "evidence",
    [
        {"spans": (SpanRecord(key=SpanKey(2, 1), name="x", scope=METER),)},
        {
            "strays": (
                Stray(
                    span=SpanRecord(key=SpanKey(1, 9), name="chat", scope="app", started=1, ended=2),
                    reading=Reading(source="otel-genai"),
                ),
            )
        },
    ],
    ids=["it has spans", "calls that nobody sees"],
)
def test_a_meter_that_may_be_of_other_calls_is_not_judged(judged: Judged, evidence: dict[str, Any]) -> None:
    """A meter with spans of its own may have calls of its own, and so may each of several meters of one package."""
    assert judged(usage(80, 2), **evidence) == []
    assert judged(usage(80, 2), usage(40, 1, scope="app.other")) == []
