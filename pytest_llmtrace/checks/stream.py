"""The times of a stream: its span lasts as long as the stream, and states rightly when the first token came.

Times are judged only where they mean something, in recorded or real time: those of a stream that is replayed at once
are just the machine's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pytest_llmtrace import dialects
from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._latency import LATENCY
from pytest_llmtrace.checks._metric_shares import is_count
from pytest_llmtrace.checks._misspelt import or_rename
from pytest_llmtrace.checks._pacing import MEANINGFUL, UNITS, Pacing, Window, extremes, slack
from pytest_llmtrace.checks._words import place_of_exchange, shown
from pytest_llmtrace.model import Call, Fact, Finding, MetricPoint, Severity

__all__ = ["CHECKS", "DURATION", "FIRST_CHUNK", "FIRST_TOKEN", "FIRST_TOKEN_MISSING", "LATENCY"]

_FACT = "time_to_first_token"
_OF_STREAMS = frozenset({"gen_ai.client.inference.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk"})
FIRST_CHUNK = _OF_STREAMS | {"gen_ai.server.time_to_first_token"}
# The Anthropic SDK's own spans state when the first piece of content came, and not the event that opens the message. It
# starts its clock before it makes the span, which takes as long as samplers and processors take.
_BY_PIECE = frozenset({"anthropic-native"})
# Hand-written code takes the time of the first event, or of the first text that the SDK hands out; Pydantic AI that of
# what it hands out itself.
_BY_EITHER = frozenset({"hand-written", "pydantic-ai"})


def _duration(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for pacing in evidence.pacings:
        span, exchange = pacing.account.span, pacing.account.exchange
        if span.end_ns is None or (span.ended or 0) <= exchange.chunk_ticks[0]:
            continue  # structure/span-never-ended and structure/ended-before-stream report it.
        begins = (span.start_ns - exchange.started_ns) / 1e9
        ends = (span.end_ns - exchange.started_ns) / 1e9
        allowed = slack(pacing.last)
        if begins <= allowed and ends >= pacing.last - allowed:
            yield None
            continue
        yield check.finding(
            span,
            ("span", f"starts {_after(begins)} the request and ends {_after(ends)} it"),
            ("wire", f"the stream took {pacing.last:.3f} s\n{_where(pacing)}"),
        )


def _after(seconds: float) -> str:
    return f"{seconds:.3f} s after" if seconds >= 0 else f"{-seconds:.3f} s before"


def _first_token(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    repeated: dict[str, list[str]] = {}  # What metrics repeat from wrong spans, by scope: one fault.
    looked: list[Finding | None] = []
    for point in evidence.metrics:
        scoped = [pacing for pacing in evidence.pacings if pacing.account.span.scope == point.scope]
        if not scoped or point.name not in FIRST_CHUNK or not _is_readable(point):
            continue
        windows, others = [_window_of(pacing) for pacing in scoped], _others(point, scoped, evidence)
        if _is_possible(point, windows, others):
            looked.append(None)
        elif any(map(_is_wrong, scoped)) and _is_possible(point, [*map(_as_stated, scoped)], others):
            repeated.setdefault(point.scope, []).append(_said(point))
        else:
            looked.append(_not_possible(check, point, scoped))
    for pacing in evidence.pacings:
        window = _window_of(pacing)
        for fact in pacing.account.stated.get(_FACT, ()):
            if window.holds(fact.value):
                yield None
            else:
                yield _wrong(check, pacing, fact, repeated.pop(pacing.account.span.scope, ()))
    yield from looked


def _is_wrong(pacing: Pacing) -> bool:
    return any(not _window_of(pacing).holds(fact.value) for fact in pacing.account.stated.get(_FACT, ()))


def _as_stated(pacing: Pacing) -> Window:
    """Return the times that a span states as a window; what came if it states none."""
    stated = [fact.value for fact in pacing.account.stated.get(_FACT, ())]
    return Window(earliest=min(stated), latest=max(stated)).widened(0.0) if stated else _window_of(pacing)


def _window_of(pacing: Pacing) -> Window:
    source = pacing.account.reading.source
    piece = pacing.piece or pacing.first
    window = piece if source in _BY_PIECE else pacing.first
    if source in _BY_EITHER:
        window = Window(earliest=window.earliest, latest=piece.latest)
    return window.widened(pacing.lead + (MEANINGFUL if source in _BY_PIECE else 0.0))


def _wrong(check: Check, pacing: Pacing, fact: Fact, repeated: Sequence[str] = ()) -> Finding:
    is_piece = pacing.account.reading.source in _BY_PIECE and pacing.piece is not None
    came = pacing.piece if is_piece and pacing.piece else pacing.first
    what = "the first piece of the content" if is_piece else "the first event"
    return check.finding(
        pacing.account.span,
        ("span", "\n".join(f"{key} = {shown(value)}" for key, value in fact.parts)),
        *([("metric", "\n".join(repeated))] if repeated else []),
        ("wire", f"{what} came {came.earliest:.3f} s after the request\n{_where(pacing)}"),
    )


def _is_readable(point: MetricPoint) -> bool:
    return bool(point.count) and point.unit in UNITS and is_count(point.value) and not point.shared


def _not_possible(check: Check, point: MetricPoint, scoped: Sequence[Pacing]) -> Finding:
    return check.finding(
        scoped[0].account.span, ("metric", _said(point)), ("wire", f"{_came(scoped)}\n{_where(scoped[0])}")
    )


def _said(point: MetricPoint) -> str:
    (lowest, highest), mean = extremes(point), _total(point) / (point.count or 1)
    said = f"{mean:.3f} s{' on average' if point.count != 1 else ''}"
    said = f"from {lowest:.3f} s to {highest:.3f} s, {said}" if lowest < highest else said
    return f"{point.name}: {counted(point.count or 0, 'measurement')}, {said}"


def _total(point: MetricPoint) -> float:
    return point.value * UNITS[point.unit]


def _others(point: MetricPoint, scoped: Sequence[Pacing], evidence: Evidence) -> int | None:
    """Count the calls that may have been measured too, whose times are not known; None if there may be any number."""
    if any(stray.span.scope == point.scope and not stray.covers for stray in evidence.strays):
        return None
    timed = {id(pacing.account.call) for pacing in scoped}
    return sum(id(call) not in timed and _may_be_measured(call, point.name) for call in evidence.calls)


def _may_be_measured(call: Call, name: str) -> bool:
    """Tell whether a call may have a first chunk: one that is no stream for sure has none."""
    return name not in _OF_STREAMS or not call.truths or any(truth.streaming is not False for truth in call.truths)


def _is_possible(point: MetricPoint, windows: Sequence[Window], others: int | None) -> bool:
    """Tell whether measurements, which do not say of which calls they are, can be of these streams and other calls.

    Each stream is measured once; the times of the other calls are not known.
    """
    total, count = _total(point), point.count or 1
    if others is None or count <= others:
        return True
    least = sum(sorted(window.earliest for window in windows)[: count - others])
    if others or total < least:
        return total >= least
    latest = sorted((window.latest for window in windows), reverse=True)
    most = sum(latest[:count]) if count <= len(latest) else math.inf
    lowest, highest = extremes(point)
    return total <= most and lowest >= min(window.earliest for window in windows) and highest <= latest[0]


def _came(scoped: Sequence[Pacing]) -> str:
    first, *more = sorted(pacing.first.earliest for pacing in scoped)
    if not more:
        return f"the first event came {first:.3f} s after the request"
    return f"the first events of {len(scoped)} streams came from {first:.3f} s to {more[-1]:.3f} s after the request"


def _first_token_missing(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    measured = {point.scope for point in evidence.metrics if point.name in FIRST_CHUNK}
    for scope in dict.fromkeys(pacing.account.span.scope for pacing in evidence.pacings):
        scoped = [pacing.account for pacing in evidence.pacings if pacing.account.span.scope == scope]
        with_place = [account for account in scoped if account.reading.has_place_for(_FACT)]
        if not with_place:
            continue
        if scope in measured or any(_FACT in account.stated for account in scoped):
            yield None
            continue
        number = counted(len(scoped), "stream")
        span = with_place[0].span
        yield check.finding(
            span,
            ("span", f"no time to the first token on any span or metric of this scope ({number})"),
            next=or_rename(check.next, span.attributes, [dialects.names_of(span, _FACT)]),
        )


def _where(pacing: Pacing) -> str:
    return place_of_exchange(pacing.account.exchange)


DURATION = Check(
    id="stream/duration",
    title="A stream's span says how long the stream took",
    why="dashboards and alerts are built on this latency, and it is not that of the call",
    next="let the span begin before the request and end with the stream, and leave its times to the tracer",
    look=_duration,
    source="OpenTelemetry specification, trace API: the times of a span reflect the elapsed real time of the operation",
    about=("pacings",),
    compares="The span's own start and end with the times of its stream. The span must start no later than the "
    "request, and end no earlier than the last chunk that says anything and that the client has read. Each may be off "
    "by one per cent and 5 ms. Judged only in recorded or real time (`timing=`), and for streams of 50 ms or more.",
)

FIRST_TOKEN = Check(
    id="stream/time-to-first-token",
    title="The time to the first token is right",
    why="it is what users wait for, and what providers are compared by",
    next="take the time when the first event is handed out, count from the request, and mind the unit",
    look=_first_token,
    about=("pacings",),
    compares="Every attribute, event and metric that states this time, with the time at which the client got the "
    "first event of the stream: `gen_ai.response.time_to_first_chunk`, `gen_ai.time_to_first_token_ms`, "
    "OpenInference's `First Token Stream Event`, Langfuse's completion start time, and the metrics "
    "`gen_ai.client.operation.time_to_first_chunk`, `gen_ai.client.inference.time_to_first_chunk` and "
    "`gen_ai.server.time_to_first_token`. The measurements of a metric are compared together: the shortest, the "
    "longest and the sum must be possible for the streams of its scope, each measured once. Where other calls may be "
    "among them, only the sum is judged, and it must not be too short.\n"
    "  - The Anthropic SDK's own spans are compared with the first piece of the content instead. Hand-written spans "
    "and Pydantic AI's may state either.\n"
    "  - The time may be counted from the start of the span or from the request. It may end at any moment before the "
    "client asked for the next chunk. It may be off by one per cent and 5 ms; the Anthropic SDK has 50 ms more, since "
    "its clock starts before its span.\n"
    "  - Judged only in recorded or real time (`timing=`).",
)

FIRST_TOKEN_MISSING = Check(
    id="stream/time-to-first-token-missing",
    title="The time to the first token is stated",
    why="nobody can see how long users wait for an answer to begin",
    next="state gen_ai.response.time_to_first_chunk on the spans of streams",
    look=_first_token_missing,
    about=("pacings",),
    severity=Severity.INFO,
    compares="The spans of streams whose convention has a place for this time. One of the spans of a scope, or a "
    "metric of the scope, must state it. Judged only in recorded or real time (`timing=`).",
)

CHECKS: tuple[Check, ...] = (DURATION, LATENCY, FIRST_TOKEN, FIRST_TOKEN_MISSING)
