"""`metric/duration`: measured durations are no longer than the trace, and no shorter than the client has waited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Call, Finding, Maker, MetricPoint, Severity, SpanKey, SpanRecord, StreamEnd

DURATION, FIRST_CHUNK = "gen_ai.client.operation.duration", "gen_ai.client.operation.time_to_first_chunk"
OPENED = 1_700_000_000_000_000_000
READ = {"truncated": False}
PLACE = "cassettes/chat.yaml, interaction 0, exchange 0"

Make = Callable[..., Call]


def at(milliseconds: float) -> int:
    return OPENED + round(milliseconds * 1_000_000)


def took(value: float, count: int = 1, **fields: Any) -> MetricPoint:
    given = {"scope": "app", "name": DURATION, "unit": "s", "kind": "histogram", **fields}
    return MetricPoint(value=value, count=count, **given)


def judged(calls: tuple[Call, ...], *points: MetricPoint, **evidence: Any) -> list[Finding]:
    spans = tuple(span for call in calls for span in call.spans)
    exchanges = tuple(exchange for call in calls for exchange in call.exchanges)
    given = {"spans": spans, "exchanges": exchanges, "opened_ns": OPENED, "lasted": 0.05, **evidence}
    found = verify(Evidence(calls=calls, metrics=points, **given), {}).findings
    return [one for one in found if one.check == "metric/duration"]


@pytest.fixture
def calls(make_call: Make) -> tuple[Call, ...]:
    """Two calls, whose spans took 4 and 6 ms of a trace of 50 ms."""
    return tuple(
        make_call(READ, {}, record={"key": SpanKey(1, took_ms), "start_ns": at(20), "end_ns": at(20 + took_ms)})
        for took_ms in (4, 6)
    )


def finding(*details: tuple[str, str], advice: str, **fields: Any) -> Finding:
    waive = 'or waive: @pytest.mark.llmtrace(ignore={"metric/duration": "reason"})'
    given: dict[str, Any] = {"severity": Severity.ERROR, "span": SpanKey(1, 6), **fields}
    return Finding(
        check="metric/duration",
        subject=f"metric '{DURATION}' (app)",
        details=(*details, ("next", f"{advice}, {waive}")),
        makers=(Maker(scope="app"),),
        **given,
    )


SIZE = ("why", "latency dashboards and alerts are built on these numbers, and they are not the real ones")
SPAN = ("span", "the longest, 'chat', took 6.000 ms")
TRACE = ("trace", "lasted 50.000 ms, so nothing in it took longer")


@pytest.mark.parametrize(
    ("points", "metric"),
    [
        ([took(9.5, 2, highest=5.7, lowest=3.8)], "up to 5.700 s in 2 measurements\nthese are milliseconds"),
        ([took(9.5, 2)], "up to 4.750 s in 2 measurements\nthese are milliseconds"),
        ([took(5.703, 2, highest=5.7, lowest=0.003)], "up to 5.700 s in 2 measurements\nthese are milliseconds"),
        ([took(5.7e6)], "5,700,000.000 s in 1 measurement\nthese are nanoseconds"),
        ([took(5700.0)], "5,700.000 s in 1 measurement\nthese are microseconds"),
        (
            [took(2.1, name=FIRST_CHUNK), took(5.7)],
            f"5.700 s in 1 measurement\n{FIRST_CHUNK}: 2.100 s in 1 measurement\nthese are milliseconds",
        ),
    ],
    ids=["milliseconds", "no extremes", "one of two", "nanoseconds", "microseconds", "two metrics"],
)
def test_another_unit_is_found(calls: tuple[Call, ...], points: list[MetricPoint], metric: str) -> None:
    """A duration longer than the trace that is as long as the spans in another unit is one finding per scope."""
    advice = "record seconds, as the unit says"
    said = ("metric", f"{metric}, but the unit says seconds")
    assert judged(calls, *points) == [finding(said, SPAN, TRACE, SIZE, advice=advice)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1_700_000_000.125, "1,700,000,000.125 s"),
        (1_700_000_000_125.0, "1,700,000,000,125.000 s"),
        (1_700_036_000.0, "1,700,036,000.000 s"),
        (900_000_000.0, "900,000,000.000 s"),
        (4321.03, "4,321.030 s"),
        (4_321_030_000_000.0, "4,321,030,000,000.000 s"),
    ],
    ids=["date", "date in ms", "local date", "other date", "perf_counter", "perf_counter_ns"],
)
def test_a_time_of_day_is_no_duration(calls: tuple[Call, ...], value: float, shown: str) -> None:
    """A value that is a time of day, or what a clock showed, is found as that, in any unit: no start was subtracted."""
    why = "it is a time of day or the reading of a clock, not a duration: means and percentiles are useless"
    wanted = finding(
        ("metric", f"{shown} in 1 measurement"),
        SPAN,
        TRACE,
        ("why", why),
        advice="record the end minus the beginning",
    )
    assert judged(calls, took(value), opened_at=4321.0) == [wanted]


@pytest.mark.parametrize("clocks", [{"opened_at": 36.99}, {"opened_ns": 10_000_000_000}], ids=["booted", "1970"])
def test_a_clock_that_has_just_begun_says_nothing(clocks: dict[str, Any]) -> None:
    """What a clock showed just after it began may be a duration as well, by a clock that the test gave to the code."""
    [found] = judged((), took(37.0), lasted=0.5, **clocks)
    assert found.severity is Severity.INFO


def test_a_time_of_day_is_no_count_of_nanoseconds(make_call: Make) -> None:
    """The seconds since the epoch, taken for nanoseconds, are as long as a call of two seconds; they are none."""
    call = make_call(READ, {}, record={"start_ns": at(0), "end_ns": at(2000)})
    [found] = judged((call,), took(1_700_000_001.5), lasted=3.0)
    assert dict(found.details)["metric"] == "1,700,000,001.500 s in 1 measurement"
    [found] = judged((call,), took(1_900_000_000.0), lasted=3.0)
    assert dict(found.details)["metric"].endswith("these are nanoseconds, but the unit says seconds")


def test_what_is_longer_than_the_trace_is_for_information(calls: tuple[Call, ...]) -> None:
    """A duration that fits no unit is a note: the clock started too early, or the test gave the code another clock."""
    advice = "check where the clock is started: it must start anew for each call, when the call begins"
    metric = ("metric", "37.000 s in 1 measurement")
    wanted = finding(metric, SPAN, TRACE, SIZE, advice=advice, severity=Severity.INFO)
    assert judged(calls, took(37.0)) == [wanted]
    [alone] = judged((), took(37.0))
    assert (alone.severity, alone.details[1:3], alone.span) == (Severity.INFO, (TRACE, SIZE), None)


@pytest.mark.parametrize(
    "point",
    [
        took(0.008, 2, highest=0.005, lowest=0.003),
        took(8.0, 2, unit="ms"),
        took(0.055),
        took(0.4, 10),
        took(5.7, unit=""),
        took(5.7, unit="{call}"),
        took(5.7, shared=True),
        took(5.7, name="gen_ai.server.request.duration"),
        took(5.7, name="app.queue.age"),
        MetricPoint(scope="app", name=DURATION, unit="s", kind="gauge", value=5.7),
        took(0.0, 0),
        took(float("inf")),
    ],
    ids=[
        "right",
        "milliseconds that say so",
        "as long as the trace",
        "many",
        "no unit",
        "a unit of no time",
        "another trace was open",
        "what a server says",
        "no metric of a convention",
        "a gauge",
        "none",
        "no number",
    ],
)
def test_what_can_be_right_is_not_found(calls: tuple[Call, ...], point: MetricPoint) -> None:
    """No finding: the value may have been measured while the trace was open, or it has a meaning that is not known."""
    assert judged(calls, point) == []


@pytest.mark.parametrize(
    "evidence",
    [
        {"lasted": 0.0},
        {"opened_ns": OPENED - 3_600_000_000_000},
        {"opened_ns": OPENED + 3_600_000_000_000},
        {"spans": (SpanRecord(key=SpanKey(1, 1), name="x", scope="app", start_ns=at(1), end_ns=at(5000), ended=2),)},
    ],
    ids=["clocks were replaced", "travelled forward", "travelled back", "travelled meanwhile"],
)
def test_where_the_time_was_moved_nothing_is_too_long(calls: tuple[Call, ...], evidence: dict[str, Any]) -> None:
    """If a test has moved the clock, code that reads the time of day measures that, and nothing is too long."""
    assert judged(calls, took(5.7), **evidence) == []


@pytest.fixture
def timed(make_call: Make) -> Callable[..., Call]:
    """Make a call whose response took 400 ms, in made-up time."""

    def timed(wire: dict[str, Any] | None = None, *, key: int = 1, ends: float = 410, **exchange: Any) -> Call:
        times = {"timed": True, "offsets": (0.4,), "started_ns": at(5), "ended_ns": at(406), **exchange}
        record = {"key": SpanKey(1, key), "start_ns": at(4), "end_ns": at(ends)}
        return make_call(wire or READ, {}, exchange=times, record=record)

    return timed


def test_a_duration_without_the_response_is_found(timed: Callable[..., Call]) -> None:
    """A duration shorter than the response is found: the clock stopped too early, or the unit is too small."""
    details = (
        ("metric", "0.405 ms in 1 measurement"),
        ("wire", f"1 response took 400.000 ms to the end\n{PLACE}"),
        ("why", "latencies look better than what users waited for"),
    )
    advice = "measure until the response, or the stream, has been read to its end, in the unit that the metric names"
    wanted = finding(*details, advice=advice, span=SpanKey(1, 1))
    for point in (took(0.405, unit="ms"), took(0.000405)):
        assert judged((timed(),), point, lasted=1.0) == [wanted]


def test_the_shortest_calls_count(timed: Callable[..., Call]) -> None:
    """The shortest calls are the limit, since any call may be unmeasured; failed or unread calls set no limit."""
    longer = timed(key=2, offsets=(0.8,), ended_ns=at(806), ends=810)
    assert judged((timed(), longer), took(0.402), lasted=1.0) == []
    assert judged((timed(), longer), took(0.9, 2), lasted=1.0)
    for unsure in (
        timed({"truncated": True}),
        timed({"streaming": True}, stream_end=StreamEnd.CLOSED),
        timed({**READ, "error": {"status": 500}}),
        timed(timed=False),
        timed(ended_ns=at(5)),
    ):
        assert judged((unsure,), took(0.001), lasted=1.0) == []


def test_a_span_that_is_as_short_tells_it(timed: Callable[..., Call]) -> None:
    """A span and a metric that both end when the stream opens have one cause, and so are one finding."""
    event = b'data: {"choices": [{"delta": {"content": "word"}}]}\n\n'
    wire = {**READ, "streaming": True}
    short = timed(wire, key=2, ends=6, headers=(("content-type", "text/event-stream"),), chunks=(event,), wanted=(0.0,))
    evidence = Evidence(calls=(timed(), short), metrics=(took(0.402, 2),), opened_ns=OPENED, lasted=1.0)
    [found] = [one for one in verify(evidence, {}).findings if "metric/duration" in one.also]
    assert (found.check, found.span) == ("stream/duration", SpanKey(1, 2))
