"""Do the metrics of durations say how long calls took, in the unit that they name?

A measurement does not say which call it is of. Two things are certain: it is at most as long as the trace was open,
since it was made in that time; and where all calls were read to their ends, it is at least as long as the shortest of
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._metric_shares import is_certain, is_count
from pytest_llmtrace.checks._pacing import UNITS, extremes, slack, time_of
from pytest_llmtrace.checks._words import first_of, place_of_exchange, shown
from pytest_llmtrace.checks.stream import FIRST_CHUNK, FIRST_TOKEN
from pytest_llmtrace.model import Finding, Maker, MetricPoint, Severity, SpanRecord

__all__ = ["CHECKS", "METRIC_DURATION"]

_OF_CALLS = ("gen_ai.client.operation.duration", "gen_ai.client.inference.duration")
# Durations that the code measures itself. A server's are not judged: a recorded response may state them.
_NAMES = (
    *_OF_CALLS,
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.operation.time_per_output_chunk",
    "gen_ai.client.inference.time_per_output_chunk",
    "llm.chat_completions.streaming_time_to_generate",
    "gen_ai.execute_tool.duration",
    "gen_ai.invoke_agent.duration",
    "gen_ai.invoke_workflow.duration",
    "gen_ai.workflow.duration",
)
_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}

_AGES = 1e8
"""Seconds (three years): anything longer is a time of day, not a duration."""
_DAY = 86_400
"""Seconds by which a time of day may be off, since time zones are mistaken for each other."""
_OLD = 100
"""How many times as long as the trace a clock must have run for its reading to be known as such."""
_SHOWN = 3
# How long a measurement is beside its span: as a rule it is made within the span. Measured with OpenLLMetry: 0.15 to
# 0.998 of the span; with OTel's instrumentations: 0.17 to 0.997.
_LEAST_OF_SPAN, _MOST_OF_SPAN = 0.1, 1.05


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """The measurements of one metric of one scope, converted from its unit into seconds.

    Attributes:
        name: The name of the metric.
        unit: Its unit.
        count: How many measurements there are.
        total: Their sum.
        lowest: The shortest; of a series that does not keep its shortest, the mean is taken.
        highest: The longest, or the mean in the same case.
    """

    name: str
    unit: str
    count: int
    total: float
    lowest: float
    highest: float


def _look(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    by_scope: dict[str, list[MetricPoint]] = {}
    for point in evidence.metrics:
        if point.name in _NAMES:
            by_scope.setdefault(point.scope, []).append(point)
    is_bounded = bool(evidence.lasted) and not _was_moved(evidence)
    for scope, points in by_scope.items():
        metrics = list(_metrics(points))
        if not metrics:
            continue
        accounts = [account for account in evidence.accounts if account.span.scope == scope]
        maker = Maker(scope=scope, version=points[0].scope_version or "")
        spans = [account.span for account in accounts if account.span.end_ns is not None] or _spans(scope, evidence)
        found = _too_long(check, metrics, spans, evidence) if is_bounded else None
        found = found or _too_short(check, metrics, accounts, _unknown(scope, evidence))
        yield replace(found, subject=f"{found.subject} ({scope})", makers=(maker,)) if found else None


def _metrics(points: Iterable[MetricPoint]) -> Iterator[_Measured]:
    """Yield the metrics that can be judged: histograms with a unit of time, measured in this trace alone."""
    by_name: dict[tuple[str, str], list[MetricPoint]] = {}
    for point in points:
        by_name.setdefault((point.name, point.unit), []).append(point)
    for (name, unit), series in by_name.items():
        if unit in UNITS and all(one.count and is_count(one.value) and not one.shared for one in series):
            lowest, highest = zip(*map(extremes, series), strict=True)
            yield _Measured(
                name=name,
                unit=unit,
                count=sum(one.count or 0 for one in series),
                total=sum(one.value for one in series) * UNITS[unit],
                lowest=min(lowest),
                highest=max(highest),
            )


def _was_moved(evidence: Evidence) -> bool:
    """Tell whether some times lie outside the trace: the test has moved the time of day, or gives times itself."""
    spans = [*evidence.spans, *(account.span for account in evidence.accounts)]
    times = [time for span in spans for time in (span.start_ns, span.end_ns)]
    times += [time for exchange in evidence.exchanges for time in (exchange.started_ns, exchange.ended_ns)]
    allowed = slack(evidence.lasted)
    since = [(time - evidence.opened_ns) / 1e9 for time in times if time]
    return not all(-allowed <= seconds <= evidence.lasted + allowed for seconds in since)


def _spans(scope: str, evidence: Evidence) -> list[SpanRecord]:
    """Return the ended spans of a scope; those of all scopes if it has none, as where only its meter has that name."""
    ended = [span for span in evidence.spans if span.end_ns is not None]
    return [span for span in ended if span.scope == scope] or ended


def _length(span: SpanRecord) -> float:
    return ((span.end_ns or span.start_ns) - span.start_ns) / 1e9


# --- Too long --------------------------------------------------------------------------------------------------------


def _too_long(
    check: Check, metrics: Sequence[_Measured], spans: Sequence[SpanRecord], evidence: Evidence
) -> Finding | None:
    lasted = evidence.lasted
    long = [one for one in metrics if one.highest > lasted + slack(lasted)]
    if not long:
        return None
    first = next((one for one in long if _is_reading(one, evidence) or _unit_of(one, spans)), long[0])
    longest = max(spans, key=_length, default=None)
    is_first_chunk, others = first.name in FIRST_CHUNK, (one for one in long if one is not first)
    details = [("metric", "\n".join(_in_words(one, of=first) for one in (first, *others)))]
    if longest is not None and not is_first_chunk:
        details.append(("span", f"the longest, {shown(longest.name)}, took {_time(_length(longest))}"))
    details.append(("trace", f"lasted {_time(lasted)}, so nothing in it took longer"))
    found = _explained(check, first, details, spans, evidence)
    streamed = [pacing.account.span.key for pacing in evidence.pacings if pacing.account.span in spans]
    if is_first_chunk and streamed:
        return replace(found, span=streamed[0], follows=(FIRST_TOKEN.id,))
    return replace(found, span=longest.key if longest else None)


def _explained(
    check: Check,
    measured: _Measured,
    details: Sequence[tuple[str, str]],
    spans: Sequence[SpanRecord],
    evidence: Evidence,
) -> Finding:
    """Return the finding on a measurement that is too long, by what it must be: in another unit, or no duration."""
    is_reading = _is_reading(measured, evidence)
    real = "" if is_reading else _unit_of(measured, spans)
    if real:
        unit, (metric, words) = _WORDS[measured.unit], details[0]
        units = f"these are {_WORDS[real]}, but the unit says {unit}"
        details = [(metric, f"{words}\n{units}"), *details[1:]]
        return _finding(check, measured, details, next=f"record {unit}, as the unit says")
    if is_reading or measured.highest > _AGES:
        return _finding(check, measured, details, why=_NO_DIFFERENCE, next="record the end minus the beginning")
    return replace(_finding(check, measured, details, next=_ELSEWHERE), severity=Severity.INFO)


def _is_reading(measured: _Measured, evidence: Evidence) -> bool:
    """Tell whether a measurement, in some unit, is what a clock showed while the trace was open, or the date of then.

    The seconds since the epoch would fit a span of two seconds, too, if they were nanoseconds. A clock that has just
    begun says nothing, and neither does a date near the epoch: durations are as small.
    """
    value, until = measured.highest / UNITS[measured.unit], evidence.lasted + slack(evidence.lasted)
    shows = [value * unit for unit in UNITS.values()]
    day, clock = evidence.opened_ns / 1e9, evidence.opened_at
    is_date = day > _AGES and any(day - _DAY <= one <= day + until + _DAY for one in shows)
    return is_date or (clock > _OLD * until and any(clock <= one <= clock + until for one in shows))


def _unit_of(measured: _Measured, spans: Iterable[SpanRecord]) -> str:
    """Name the other unit in which a measurement would be as long as the spans are; empty if there is none."""
    lengths = [_length(span) for span in spans]
    if not lengths or measured.name not in _OF_CALLS:
        return ""
    for unit, seconds in UNITS.items():
        if unit != measured.unit:
            as_if = measured.highest / UNITS[measured.unit] * seconds
            if _LEAST_OF_SPAN * min(lengths) <= as_if <= _MOST_OF_SPAN * max(lengths):
                return unit
    return ""


def _in_words(measured: _Measured, *, of: _Measured) -> str:
    name = "" if measured is of else f"{measured.name}: "
    up_to = "up to " if measured.count > 1 else ""
    return f"{name}{up_to}{_time(measured.highest)} in {counted(measured.count, 'measurement')}"


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.3f} ms"
    return f"{seconds:,.3f} s"


_NO_DIFFERENCE = "it is a time of day or the reading of a clock, not a duration: means and percentiles are useless"
_ELSEWHERE = "check where the clock is started: it must start anew for each call, when the call begins"


# --- Too short -------------------------------------------------------------------------------------------------------


def _unknown(scope: str, evidence: Evidence) -> int:
    """Count what a scope may have measured besides the calls of its spans: other calls, and strays, however short."""
    others = [call for call in evidence.calls if all(span.scope != scope for span in call.spans)]
    return len(others) + sum(stray.span.scope == scope for stray in evidence.strays)


def _too_short(check: Check, metrics: Iterable[_Measured], accounts: Sequence[Account], unknown: int) -> Finding | None:
    timed = [account for account in accounts if _took(account)]
    if not timed:
        return None
    attempts = sum(len(account.call.exchanges) - 1 for account in accounts)
    least = sorted([*[_took(account) for account in accounts], *[0.0] * (unknown + attempts)])
    for one in metrics:
        wanted = sum(least[: one.count])
        if one.name not in _OF_CALLS or one.total + one.count * slack(0) + 0.01 * wanted >= wanted:
            continue
        first = next((account for account in timed if _length(account.span) < _took(account) * 0.99), timed[0])
        places = list(dict.fromkeys(place_of_exchange(account.exchange) for account in timed))
        wire = f"{counted(len(timed), 'response')} took {_time(sum(map(_took, timed)))} to the end"
        details = [
            ("metric", f"{_time(one.total)} in {counted(one.count, 'measurement')}"),
            ("wire", "\n".join((wire, *first_of(places, _SHOWN)))),
        ]
        found = _finding(check, one, details, why=_TOO_GOOD, next=_TO_THE_END)
        return replace(found, span=first.span.key, follows=("structure/ended-before-stream", "stream/duration"))
    return None


def _took(account: Account) -> float:
    """Return how long a call took at least, in seconds, by the time of its reply; 0 where that is not sure."""
    is_one = len(account.call.exchanges) == 1 and account.answered.api != "embeddings"
    return time_of(account.exchange) if is_one and is_certain(account) else 0.0


_TOO_GOOD = "latencies look better than what users waited for"
_TO_THE_END = "measure until the response, or the stream, has been read to its end, in the unit that the metric names"


# --- Both ------------------------------------------------------------------------------------------------------------


def _finding(
    check: Check,
    measured: _Measured,
    details: Iterable[tuple[str, str]],
    why: str = "",
    next: str = "",  # noqa: A002
) -> Finding:
    return check.finding(f"metric {measured.name!r}", *details, why=why, next=next)


METRIC_DURATION = Check(
    id="metric/duration",
    title="The metrics of durations agree with how long things took",
    why="latency dashboards and alerts are built on these numbers, and they are not the real ones",
    next="measure each call from its request to the end of its response",
    look=_look,
    about=("metrics",),
    compares="The metrics that conventions have for durations that the code measures itself: how long calls, tools, "
    "agents and workflows took, and the times to the first chunk and between chunks; in s, ms, us or ns.\n"
    "  - Not too long: the longest measurement (where a view does not keep it, the mean) must be no longer than the "
    "test's trace was open, virtual time included, within one per cent and 5 ms. A longer one is an error if it would "
    "fit the scope's spans in another unit, or is a time of day. Otherwise it is for information, since the test may "
    "have given the code a clock of its own. Not judged if the time of day was moved meanwhile, or Python's clocks "
    "were replaced.\n"
    "  - Not too short: in recorded or real time, the durations of calls together must be no shorter than their "
    "responses took. If there are fewer measurements than calls, only as many of the shortest responses count. Calls "
    "for embeddings count as taking no time.\n"
    "  - Traces that were open at the same time as others are not judged.",
    source="OTel GenAI, metrics: `gen_ai.client.operation.duration`, in seconds",
)

CHECKS: tuple[Check, ...] = (METRIC_DURATION,)
"""Metrics of time."""
