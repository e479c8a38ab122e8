"""Metrics are compared for each model: counts under the wrong model are found, even if the sum of all is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Call, Finding, Maker, MetricPoint, Severity, SpanKey

USAGE, DURATION = "gen_ai.client.token.usage", "gen_ai.client.operation.duration"
BIG, MINI = "gpt-4o", "gpt-4o-mini"
WHERE = "cassettes/chat.yaml, interaction 0, exchange 0"

Make = Callable[..., Call]


def tokens(model: str | None, value: float, count: int | None = 1, **fields: Any) -> MetricPoint:
    named = {f"gen_ai.{name.replace('_', '.')}": text for name, text in fields.items()}
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.token.type": "input", "gen_ai.request.model": model, **named}
    given = {name: value for name, value in attributes.items() if value is not None}
    kind = "sum" if count is None else "histogram"
    return MetricPoint(scope="app", name=USAGE, kind=kind, value=value, count=count, attributes=given)


def durations(model: str, count: int) -> MetricPoint:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model}
    return MetricPoint(scope="app", name=DURATION, kind="histogram", count=count, attributes=attributes)


def judged(calls: tuple[Call, ...], *points: MetricPoint) -> list[Finding]:
    return [
        one for one in verify(Evidence(calls=calls, metrics=points), {}).findings if one.check.startswith("metric/")
    ]


def call(make_call: Make, key: int, model: str, *counts: int, answered_by: str | None = None, **more: Any) -> Call:
    wire = {"truncated": False, "request_model": model, "response_model": answered_by or model}
    wire |= dict(zip(("input_tokens", "output_tokens"), counts, strict=False))
    return make_call(wire, {"request_model": model}, record={"key": SpanKey(1, key)}, **more)


@pytest.fixture
def calls(make_call: Make) -> tuple[Call, ...]:
    """Two calls of a large model and one of a small one, with 40, 41 and 7 input tokens."""
    return (
        call(make_call, 1, BIG, 40, 5, answered_by="gpt-4o-2024-08-06"),
        call(make_call, 2, BIG, 41, 6),
        call(make_call, 3, MINI, 7, 8),
    )


def finding(check: str, metric: str, wire: str, why: str, advice: str) -> Finding:
    waive = f'or waive: @pytest.mark.llmtrace(ignore={{"{check}": "reason"}})'
    return Finding(
        check=check,
        severity=Severity.ERROR,
        subject=f"metric '{USAGE if check == 'metric/token-usage' else DURATION}' (app)",
        details=(("metric", metric), ("wire", wire), ("why", why), ("next", f"{advice}, {waive}")),
        span=SpanKey(1, 1),
        makers=(Maker(scope="app"),),
    )


MIXED = "the total is right, but the sums of the models are not, and each has a price of its own"
NAME_IT = "name the model of the call itself with each measurement"


def test_all_that_is_measured_as_one_model_is_found(calls: tuple[Call, ...]) -> None:
    """A scope that keeps the name of the first model for all calls is found, although its sum is right."""
    metric = "input tokens of 'gpt-4o': 88 in 3 measurements\ninput tokens of 'gpt-4o-mini': nothing"
    wire = (
        "input tokens of 2 calls of 'gpt-4o': 40 + 41 = 81\n"
        f"input tokens of 'gpt-4o-mini': input_tokens = 7\n{WHERE}, response body"
    )
    assert judged(calls, tokens(BIG, 88, 3)) == [finding("metric/token-usage", metric, wire, MIXED, NAME_IT)]


def test_models_that_are_swapped_are_found(calls: tuple[Call, ...]) -> None:
    """Models that are swapped are found, even if the metric is a counter, which has no number of measurements."""
    metric = "input tokens of 'gpt-4o': 7\ninput tokens of 'gpt-4o-mini': 81"
    wire = (
        "input tokens of 2 calls of 'gpt-4o': 40 + 41 = 81\n"
        f"input tokens of 'gpt-4o-mini': input_tokens = 7\n{WHERE}, response body"
    )
    points = tokens(BIG, 7, None), tokens(MINI, 81, None)
    assert judged(calls, *points) == [finding("metric/token-usage", metric, wire, MIXED, NAME_IT)]


def test_a_model_that_is_doubled_is_told_alone(calls: tuple[Call, ...]) -> None:
    """The finding names the wrong model only, and leaves out the models whose sums are right."""
    why = "dashboards and budgets are made of this sum, and no span is there to compare it with"
    advice = "measure each call once, its input with the cached tokens"
    metric = "input tokens of 'gpt-4o-mini': 14 in 2 measurements, 2 times what the wire says"
    wire = f"input tokens of 'gpt-4o-mini': input_tokens = 7\n{WHERE}, response body"
    points = tokens(BIG, 81, 2), tokens(MINI, 14, 2)
    assert judged(calls, *points) == [finding("metric/token-usage", metric, wire, why, advice)]


def test_a_call_that_is_counted_for_another_model_is_found(calls: tuple[Call, ...]) -> None:
    """A count of tokens that is wrong in the same way is reported with the finding on the number of calls."""
    why = "all calls are counted, but some for a model that was not called: its latency is that of another one"
    metric, wire = (
        "1 measurement of 'gpt-4o'\n2 measurements of 'gpt-4o-mini'",
        "2 calls of 'gpt-4o'\n1 call of 'gpt-4o-mini'",
    )
    points = durations(BIG, 1), durations(MINI, 2)
    wanted = finding("metric/operation-count", metric, f"{wire}\n{WHERE}", why, NAME_IT)
    assert judged(calls, *points) == [wanted]
    [both] = judged(calls, *points, tokens(BIG, 40, 1), tokens(MINI, 48, 2))
    assert (both.check, both.also) == ("metric/operation-count", ("metric/token-usage",))


def test_embeddings_are_no_chat(make_call: Make) -> None:
    """Calls are told apart by operation as by model, unless one metric has them all as `chat`, as LiteLLM's has."""
    chat, embedding = call(make_call, 1, "m", 40), call(make_call, 2, "m", 7, api="embeddings")
    for right, others in ((40, 7), (33, 14)):
        points = (
            tokens(None, right, operation_name="chat"),
            tokens(None, others, operation_name="embeddings"),
        )
        assert bool(judged((chat, embedding), *points)) is (right != 40)
    assert judged((chat, embedding), tokens(None, 47, 2)) == []


RIGHT = [tokens(BIG, 81, 2), tokens(MINI, 7)]


@pytest.mark.parametrize(
    "points",
    [
        RIGHT,
        [tokens(BIG, 40, response_model="gpt-4o-2024-08-06"), tokens(BIG, 41), tokens(MINI, 7)],
        [tokens("gpt-4o-2024-08-06", 40), tokens(BIG, 41), tokens(MINI, 7)],
        [tokens("openai/gpt-4o", 81, 2), tokens("openai/gpt-4o-mini", 7)],
        [tokens(None, 47, 2), tokens(BIG, 41)],
        [tokens("other", 88, 3)],
        [tokens("fast", 7), tokens(BIG, 81, 2)],
        [tokens(BIG, 81, 2)],
    ],
    ids=[
        "right",
        "both models",
        "the model that answered",
        "with the provider",
        "some name none",
        "a group of models",
        "an alias",
        "a form that is not measured",
    ],
)
def test_what_can_be_right_is_not_found(make_call: Make, calls: tuple[Call, ...], points: list[MetricPoint]) -> None:
    """No finding: instrumentations name models in their own ways, and some group several models under one name."""
    if len(points) == 1 and points[0].value == 81:
        calls = (*calls[:2], call(make_call, 3, MINI, 7, 8, api="responses"))
    assert judged(calls, *points) == []


def test_a_fallback_is_measured_as_either_model(make_call: Make) -> None:
    """A fallback may be measured under the model that was asked for first, or under the one that answered."""
    fallen = call(make_call, 1, BIG, 40, answered_by=MINI)
    small = call(make_call, 2, MINI, 7)
    for points in ([tokens(BIG, 40), tokens(MINI, 7)], [tokens(MINI, 47, 2)]):
        assert judged((fallen, small), *points) == []


def test_many_calls_are_judged_at_once(make_call: Make) -> None:
    """Each of twenty models is judged by itself over two thousand calls, and two wrong ones are one finding."""
    models = [f"model-{letter}" for letter in "abcdefghijklmnopqrst"]
    calls = tuple(call(make_call, at + 1, models[at % 20], 100 + at) for at in range(2000))
    sums = {model: sum(100 + at for at in range(2000) if models[at % 20] == model) for model in models}
    points = {model: tokens(model, value, 100) for model, value in sums.items()}
    assert judged(calls, *points.values()) == []
    c, d = sums["model-c"], sums["model-d"]
    points |= {"model-c": tokens("model-c", d, 100), "model-d": tokens("model-d", c, 100)}
    [found] = judged(calls, *points.values())
    said = [f"input tokens of 'model-{model}': {value} in 100 measurements" for model, value in (("c", d), ("d", c))]
    assert found.details[0] == ("metric", "\n".join(said))
    assert found.details[2] == ("why", MIXED)
