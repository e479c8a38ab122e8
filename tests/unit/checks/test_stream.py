"""The times of streams are judged only if any time passed, and to within one per cent and a few milliseconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.checks.stream import CHECKS, DURATION, LATENCY
from pytest_llmtrace.model import Call, Fact, Finding, Maker, MetricPoint, Severity, State, Stray, StreamEnd

STREAM = (("content-type", "text/event-stream"),)
SECOND = 1_000_000_000
START = 100 * SECOND


def event(**data: Any) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


ROLE = event(choices=[{"delta": {"role": "assistant", "content": ""}}])
WORD = event(choices=[{"delta": {"content": "word"}}])
DONE = b"data: [DONE]\n\n"
CHUNKS = (ROLE, WORD, WORD, DONE)
OFFSETS = (1.0, 2.0, 4.0, 4.5)
# The client handles each chunk in ten milliseconds before it asks for the next.
WANTED = (0.0, 1.01, 2.01, 4.01)


@pytest.fixture
def streamed(make_call: Callable[..., Call]) -> Callable[..., Call]:
    """Make a call whose chunks came at `OFFSETS`; its span begins and ends at times relative to the request."""

    def streamed(
        said: dict[str, Any] | None = None,
        *,
        begins: float = -0.002,
        ends: float = 4.503,
        source: str = "otel-genai",
        **exchange: Any,
    ) -> Call:
        defaults: dict[str, Any] = {
            "headers": STREAM,
            "chunks": CHUNKS,
            "offsets": OFFSETS,
            "timed": True,
            "wanted": WANTED,
            "chunk_ticks": (101, 102, 103, 104),
            "ended": 105,
            "started_ns": START,
            "ended_ns": START + round(4.502 * SECOND),
        }
        span = {
            "start_ns": START + round(begins * SECOND),
            "end_ns": START + round(ends * SECOND),
            "ended": 106,
        }
        call = make_call({"streaming": True}, said or {}, exchange={**defaults, **exchange}, record=span)
        return replace(call, readings=(replace(call.readings[0], source=source),))

    return streamed


def found(*calls: Call, metrics: tuple[MetricPoint, ...] = ()) -> list[Finding]:
    findings = verify(Evidence(calls=calls, metrics=metrics), {}).findings
    return [finding for finding in findings if finding.check.startswith("stream/")]


def ids(*calls: Call, **more: Any) -> list[str]:
    return [finding.check for finding in found(*calls, **more)]


def looked_at(*calls: Call, **more: Any) -> int:
    """Return how many things the checks of streams have looked at."""
    evidence = Evidence(calls=calls, **more)
    return sum(len(list(check.look(check, evidence))) for check in CHECKS)


def ttft(value: float) -> dict[str, Any]:
    return {"time_to_first_token": value}


def test_a_span_that_lasts_as_long_as_its_stream(streamed: Callable[..., Call]) -> None:
    """A span lasts from before the request to after the last event; it need not wait for `[DONE]`."""
    for ends in (4.503, 4.0, 3.96, 10.0):
        assert ids(streamed(ends=ends)) == []
    assert ids(streamed(begins=-10.0)) == []
    assert looked_at(streamed()) == 1


@pytest.mark.parametrize(
    ("begins", "ends", "text"),
    [
        (-0.002, 1.5, "starts 0.002 s before the request and ends 1.500 s after it"),
        (0.5, 4.503, "starts 0.500 s after the request and ends 4.503 s after it"),
        (3.9, 8.0, "starts 3.900 s after the request and ends 8.000 s after it"),
    ],
    ids=["ends early", "begins late", "is shifted"],
)
def test_a_span_that_lasts_otherwise(streamed: Callable[..., Call], begins: float, ends: float, text: str) -> None:
    """A span must cover the request and the last event, however long it is."""
    call = streamed(begins=begins, ends=ends)
    [finding] = found(call)
    assert finding == Finding(
        check="stream/duration",
        severity=Severity.ERROR,
        subject="span 'chat' (app)",
        details=(
            ("span", text),
            ("wire", "the stream took 4.000 s\ncassettes/chat.yaml, interaction 0, exchange 0"),
            ("why", "dashboards and alerts are built on this latency, and it is not that of the call"),
            ("next", f'{DURATION.next}, or waive: @pytest.mark.llmtrace(ignore={{"stream/duration": "reason"}})'),
        ),
        span=call.spans[0].key,
        makers=(Maker(scope="app"),),
    )


def test_a_stream_that_was_left_early(streamed: Callable[..., Call]) -> None:
    """If the client left the stream, the span need only last until the last event that the client has read."""
    left = {"chunks": CHUNKS[:2], "offsets": OFFSETS[:2], "wanted": WANTED[:2], "chunk_ticks": (101, 102)}
    ended = {"ended_ns": START + round(2.02 * SECOND), "stream_end": StreamEnd.CLOSED}
    assert ids(streamed(ends=2.03, **left, **ended)) == []
    assert ids(streamed(ends=1.2, **left, **ended)) == ["stream/duration"]


@pytest.mark.parametrize("seconds", [1.0, 1.008, 0.99, 1.016])
def test_a_right_time_to_first_token(streamed: Callable[..., Call], seconds: float) -> None:
    """The time counts from the span's start or the request, to the chunk or its handling by the client, within 1%."""
    assert ids(streamed(ttft(seconds))) == []


@pytest.mark.parametrize(
    ("seconds", "why"),
    [(0.0, "from the wrong start"), (0.95, "too early"), (1.06, "too late"), (2.0, "of the second"), (1000, "in ms")],
)
def test_a_wrong_time_to_first_token(streamed: Callable[..., Call], seconds: float, why: str) -> None:
    """A time that is off by more is a finding, which shows the attribute and its value."""
    [finding] = found(streamed(ttft(seconds)))
    assert (finding.check, finding.severity) == ("stream/time-to-first-token", Severity.ERROR)
    assert dict(finding.details)["span"] == f"gen_ai.time_to_first_token = {seconds!r}"
    assert dict(finding.details)["wire"] == (
        "the first event came 1.000 s after the request\ncassettes/chat.yaml, interaction 0, exchange 0"
    )


def test_every_place_is_judged(streamed: Callable[..., Call]) -> None:
    """A span may state the time twice; if the attribute is right and the event wrong, the event is found."""
    call = streamed(ttft(1.0))
    other = Fact(name="time_to_first_token", value=2.0, state=State.PRESENT, parts=(("event 'First'", 2.0),), where="s")
    call = replace(call, readings=(replace(call.readings[0], others=(other,)),))
    [finding] = found(call)
    assert dict(finding.details)["span"] == "event 'First' = 2.0"


@pytest.mark.parametrize(
    ("source", "right", "wrong"),
    [
        ("otel-genai", (1.0,), (2.0,)),
        ("openinference", (1.0,), (2.0,)),
        ("anthropic-native", (2.0, 2.07), (1.0, 2.12)),  # The SDK starts its clock before its span.
        ("hand-written", (1.0, 2.0), (0.5, 4.0)),
    ],
)
def test_definitions(
    streamed: Callable[..., Call], source: str, right: tuple[float, ...], wrong: tuple[float, ...]
) -> None:
    """The Anthropic SDK means the first piece of content, others the first event; a wrapper by hand may mean either."""
    for seconds in right:
        assert ids(streamed(ttft(seconds), source=source)) == []
    for seconds in wrong:
        assert ids(streamed(ttft(seconds), source=source)) == ["stream/time-to-first-token"]


def test_attempts_before_the_last(streamed: Callable[..., Call]) -> None:
    """If attempts preceded the answered request, the time may count from the span's start or from that request."""
    for seconds in (1.0, 11.0):
        assert ids(streamed(ttft(seconds), begins=-10.0)) == []


def point(value: float, count: int = 1, **fields: Any) -> MetricPoint:
    defaults: dict[str, Any] = {"scope": "app", "name": "gen_ai.server.time_to_first_token", "unit": "s"}
    return MetricPoint(**{**defaults, "kind": "histogram", "value": value, "count": count, **fields})


def said(*calls: Call, metric: MetricPoint, **evidence: Any) -> list[tuple[str, str]]:
    """Return what the findings about the time to the first token say of a metric and of the wire."""
    findings = verify(Evidence(calls=calls, metrics=(metric,), **evidence), {}).findings
    told = [dict(one.details) for one in findings if one.check == "stream/time-to-first-token"]
    return [(one["metric"], one["wire"]) for one in told]


CLIENT = "gen_ai.client.operation.time_to_first_chunk"
PLACE = "cassettes/chat.yaml, interaction 0, exchange 0"


def test_metrics(streamed: Callable[..., Call]) -> None:
    """A metric is judged in its unit, if it has the span's scope and is a time to the first token of this trace."""
    for right in (
        point(1.0),
        point(1000.0, unit="ms"),
        point(1e6, unit="us"),
        point(2.0, 2),
        point(9.0, scope="b"),
        point(9.0, name="c"),
        point(9.0, unit="{token}"),
        point(9.0, shared=True),
        point(float("nan")),
    ):
        assert said(streamed(), metric=right) == []
    metric = "gen_ai.server.time_to_first_token: 1 measurement, 3.000 s"
    assert said(streamed(), metric=point(3.0)) == [(metric, f"the first event came 1.000 s after the request\n{PLACE}")]


def test_a_metric_that_repeats_a_wrong_span(streamed: Callable[..., Call]) -> None:
    """A wrong time on a span that is measured too is one fault; another wrong measurement is a fault of its own."""
    wrong = streamed(ttft(3.0))
    [finding] = found(wrong, metrics=(point(3.001),))
    assert finding.details[:3] == (
        ("span", "gen_ai.time_to_first_token = 3.0"),
        ("metric", "gen_ai.server.time_to_first_token: 1 measurement, 3.001 s"),
        ("wire", f"the first event came 1.000 s after the request\n{PLACE}"),
    )
    assert len(found(wrong, metrics=(point(2.5),))) == 2
    assert len(found(streamed(ttft(1.0)), metrics=(point(3.0),))) == 1


def test_a_time_of_day_in_place_of_the_time_is_one_fault(streamed: Callable[..., Call]) -> None:
    """What is too long for the trace as well is reported with the streams."""
    seen = Evidence(calls=(streamed(),), metrics=(point(101.0, name=CLIENT),), opened_ns=START, lasted=5.0)
    findings = {one.check: one for one in verify(seen, {}).findings}
    assert findings["stream/time-to-first-token"].also == ("metric/duration",)
    assert dict(findings["stream/time-to-first-token"].details)["also"] == f"metric {CLIENT!r} (app)  (metric/duration)"
    assert "metric/duration" not in findings


LATER = {"offsets": (3.0, 4.0, 5.0, 5.5), "wanted": (0.0, 3.01, 4.01, 5.01), "ended_ns": START + 6 * SECOND}


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (point(5.0, 2, lowest=0.8, highest=4.2), "2 measurements, from 0.800 s to 4.200 s, 2.500 s on average"),
        (point(6.0, 2), "2 measurements, 3.000 s on average"),
        (point(2.0, 2, lowest=1.0, highest=1.0), "2 measurements, 1.000 s on average"),
        (point(6.0, 2, lowest=3.0, highest=3.0), "2 measurements, 3.000 s on average"),
        (point(0.5), "1 measurement, 0.500 s"),
        (point(3.5), "1 measurement, 3.500 s"),
    ],
    ids=["extremes", "sum", "all as short as the shortest", "all as long as the longest", "too short", "too long"],
)
def test_measurements_of_several_streams(streamed: Callable[..., Call], metric: MetricPoint, text: str) -> None:
    """The shortest, the longest and the sum must be possible, since each of the streams is measured once."""
    calls = streamed(), streamed(ends=6.1, **LATER)
    came = f"the first events of 2 streams came from 1.000 s to 3.000 s after the request\n{PLACE}"
    assert said(*calls, metric=metric) == [(f"gen_ai.server.time_to_first_token: {text}", came)]
    for right in (point(4.0, 2, lowest=1.0, highest=3.0), point(4.0, 2), point(1.0), point(3.0)):
        assert said(*calls, metric=right) == []


def test_measurements_of_other_calls(streamed: Callable[..., Call], make_call: Callable[..., Call]) -> None:
    """Calls whose times are not known may be among those measured; then only what is left for the streams is judged."""
    others = {
        "a stream that was over at once": streamed(timed=False),
        "a call without a span": replace(streamed(), spans=(), readings=()),
        "a call that cannot be read": replace(streamed(), truths=(), spans=(), readings=()),
    }
    for other in others.values():
        assert said(streamed(), other, metric=point(1.01, 2, lowest=0.01, highest=1.0)) == []
        assert said(streamed(), other, metric=point(0.01)) == []
        assert said(streamed(), other, metric=point(0.2, 2, lowest=0.1, highest=0.1)) != []
    answered = make_call({"streaming": False}, {})
    assert said(streamed(), answered, metric=point(0.01, name=CLIENT)) != []
    assert said(streamed(), answered, metric=point(0.01)) == []
    stray = Stray(span=answered.spans[0], reading=answered.readings[0])
    assert said(streamed(), metric=point(0.01), strays=(stray,)) == []
    assert said(streamed(), metric=point(0.01), strays=(replace(stray, covers=True),)) != []


@pytest.mark.parametrize("seconds", [0.0, 3.96, 4.0, 4.5, 60.0, float("inf")])
def test_a_right_latency(streamed: Callable[..., Call], seconds: float) -> None:
    """A latency is at least the time of the response; more may be measured on purpose, and 0 says nothing."""
    assert ids(streamed({"latency": seconds})) == []


@pytest.mark.parametrize("seconds", [0.004, 1.0, 3.9])
def test_a_wrong_latency(streamed: Callable[..., Call], seconds: float) -> None:
    """A latency that is in another unit, or ends when the stream opened, is found."""
    [finding] = found(streamed({"latency": seconds}))
    assert (finding.check, finding.severity) == ("stream/latency", Severity.ERROR)
    assert finding.details == (
        ("span", f"gen_ai.latency = {seconds}"),
        ("wire", "the response took 4.000 s\ncassettes/chat.yaml, interaction 0, exchange 0"),
        ("why", "a search for slow calls by this value finds none of them"),
        ("next", f'{LATENCY.next}, or waive: @pytest.mark.llmtrace(ignore={{"stream/latency": "reason"}})'),
    )


def test_a_latency_of_what_has_no_time_of_its_own(streamed: Callable[..., Call]) -> None:
    """A response that came at once, or a stream that the application left, sets no limit for a latency."""
    left = {"chunks": CHUNKS[:2], "offsets": OFFSETS[:2], "wanted": WANTED[:2], "chunk_ticks": (101, 102)}
    ended = {"ended_ns": START + round(2.02 * SECOND), "stream_end": StreamEnd.CLOSED}
    assert ids(streamed({"latency": 0.004}, ends=2.03, **left, **ended)) == []
    assert ids(streamed({"latency": 0.004}, timed=False)) == []


@pytest.mark.parametrize("name", ["stopped", "short", "instant", "no stream", "nothing said"])
def test_where_times_mean_nothing(streamed: Callable[..., Call], name: str) -> None:
    """Times are not judged if nothing took time, if the test stopped the clock, or if there is no stream."""
    fields: dict[str, dict[str, Any]] = {
        "stopped": {"ended_ns": START},
        "instant": {"timed": False},
        "short": {"offsets": (0.001, 0.002, 0.004, 0.005), "wanted": (0.0, 0.0011, 0.0021, 0.0041)},
        "no stream": {"headers": ()},
        "nothing said": {"chunks": (b": ping\n\n",) * 4},
    }
    assert looked_at(streamed(ttft(7.0), begins=3.0, ends=3.1, **fields[name])) == 0


def test_a_missing_time_is_for_information(streamed: Callable[..., Call]) -> None:
    """A missing time is one note for a scope whose convention has a place for it, if no span or metric states one."""
    absent = {"time_to_first_token": State.ABSENT}
    [finding] = found(streamed(absent), streamed(absent))
    assert (finding.check, finding.severity) == ("stream/time-to-first-token-missing", Severity.INFO)
    assert dict(finding.details)["span"] == "no time to the first token on any span or metric of this scope (2 streams)"
    assert ids(streamed(absent), streamed(ttft(1.0))) == []
    assert ids(streamed(absent), metrics=(point(1.0),)) == []
    assert ids(streamed({})) == []
