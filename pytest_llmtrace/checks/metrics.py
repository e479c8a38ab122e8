"""Do a scope's metrics say what the bytes say? Dashboards add them up without ever seeing a span."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._compare import compare
from pytest_llmtrace.checks._metric_known import DURATIONS, INFERENCE, TOKENS_USED, finding_on, measured_scopes
from pytest_llmtrace.checks._metric_scopes import Part, Scope, parts_of
from pytest_llmtrace.checks._metric_shares import Share, adds_up, calls_of, is_certain, tokens_of
from pytest_llmtrace.checks._metric_words import (
    Measured,
    calls_in_words,
    of_model,
    places_of_calls,
    places_of_fact,
    stated,
    tokens_in_words,
)
from pytest_llmtrace.checks._usage_missing import USAGE_MISSING
from pytest_llmtrace.checks._wire_usage import USAGE
from pytest_llmtrace.checks._words import first_of
from pytest_llmtrace.model import Finding, MetricPoint, Severity

__all__ = ["CHECKS", "COST", "OPERATION_COUNT", "TOKENS", "TOKEN_USAGE"]

_TYPE = "gen_ai.token.type"
# Values of `gen_ai.token.type` in the conventions; until 1.28 it was `completion` instead of `output`.
_TYPES = {"input": "input_tokens", "output": "output_tokens", "completion": "output_tokens"}

# What replaces `gen_ai.client.token.usage` in the conventions of 2026-10: counters, and histograms.
_ADDED = {
    f"{INFERENCE}.usage.input_tokens": "input_tokens",
    f"{INFERENCE}.usage.output_tokens": "output_tokens",
    f"{INFERENCE}.usage.cache_read.input_tokens": "cache_read_tokens",
    f"{INFERENCE}.usage.cache_write.input_tokens": "cache_write_tokens",
    f"{INFERENCE}.usage.reasoning.output_tokens": "reasoning_tokens",
}
_SPREAD = {
    f"{INFERENCE}.operation.input_tokens": "input_tokens",
    f"{INFERENCE}.operation.output_tokens": "output_tokens",
}
# LiteLLM's metric of cost; until 1.108 it had the second name.
_COSTS = {"gen_ai.usage.cost": "cost", "gen_ai.client.token.cost": "cost"}
_BY_NAME = {**_ADDED, **_SPREAD, **_COSTS}

TOKENS: tuple[Collection[str], ...] = ((TOKENS_USED,), _ADDED, _SPREAD)
"""Metrics of tokens, in groups that are judged together."""
_MOST = 8
"""How many sums of a finding are shown."""


def _fact_of(point: MetricPoint) -> str | None:
    """Name the fact that a point measures; None if it measures none, or that is not known."""
    kind = point.attributes.get(_TYPE)
    return _BY_NAME.get(point.name) or (_TYPES.get(kind) if isinstance(kind, str) else None)


def _measured(points: Iterable[MetricPoint]) -> Measured:
    points = tuple(points)
    counts = [point.count for point in points if point.count is not None]
    return Measured(
        count=sum(counts) if len(counts) == len(points) else None, total=sum(point.value for point in points)
    )


def _judged(shares: Sequence[Share], measured: Measured) -> Severity | None:
    """Judge what a metric adds up to: an error if it is wrong, a warning if only calls are left out, else None."""
    if adds_up(shares, measured.count, measured.total) is not False:
        return None
    left_out = adds_up(shares, measured.count, measured.total, leaving_out=True)
    if left_out is None:  # Too many choices to try; but where enough was measured, no call was left out.
        left_out = measured.count is None or measured.count < sum(share.must for share in shares)
    return Severity.WARNING if left_out else Severity.ERROR


@dataclass(frozen=True, kw_only=True)
class _Sum:
    """What the calls of a part have added to a metric, judged.

    Attributes:
        part: The calls, and the points that measure them.
        measured: What the metric says.
        severity: How bad that is; None if it can be right.
        lacks: Whether some calls succeeded for sure and no call is measured, which may be right by itself.
        fact: The fact that is added up; empty if calls are counted.
    """

    part: Part
    measured: Measured
    severity: Severity | None
    lacks: bool
    fact: str = ""


def _sum_of(part: Part, fact: str = "") -> _Sum:
    """Judge how often the calls of a part were measured or, given a fact, what its values add up to."""
    points = [point for point in part.points if not fact or _fact_of(point) == fact]
    measured = _measured(points) if fact else replace(_measured(points), total=0)
    shares = tokens_of(part.calls, fact) if fact else calls_of(part.calls)
    sure = [one for one in part.calls.accounts if is_certain(one) and (not fact or one.answered.fact(fact).value)]
    return _Sum(
        part=part, measured=measured, severity=_judged(shares, measured), lacks=bool(sure) and not points, fact=fact
    )


def _wrong(scope: Scope, points: Sequence[MetricPoint], fact: str = "") -> tuple[list[_Sum], bool]:
    """Return the sums that are wrong, and whether they are only mixed up among models.

    The sums are those of single models if models can be told apart, else that of all calls. Where the sum of all calls
    is right and those of models are not, models that are not measured at all are returned too: their calls may be what
    was measured as another model's.
    """
    whole = _sum_of(Part(calls=scope, points=tuple(points)), fact)
    parts = parts_of(scope, points)
    each = [_sum_of(part, fact) for part in parts] if len(parts) > 1 else []
    wrong = [one for one in each if one.severity is not None]
    if whole.severity is not None or not wrong:
        return wrong or [one for one in [whole] if one.severity is not None], False
    lacking = [one for one in each if one.lacks and one.severity is None]
    shown = [one for one in each if one in wrong or one in lacking]
    return shown, bool(lacking) or _balances(shown, fact)


def _balances(several: Sequence[_Sum], fact: str) -> bool:
    """Tell whether the sums of several models, some of them wrong, are right when they are taken together."""
    accounts = tuple(account for one in several for account in one.part.calls.accounts)
    others = tuple(call for one in several for call in one.part.calls.others)
    calls = replace(several[0].part.calls, accounts=accounts, others=others)
    shares = tokens_of(calls, fact) if fact else calls_of(calls)
    points = tuple(point for one in several for point in one.part.points)
    is_sure = len(several) > 1 and all(share.ways for share in shares)
    return is_sure and _sum_of(Part(calls=calls, points=points), fact).severity is None


# --- Tokens ----------------------------------------------------------------------------------------------------------


def _token_usage(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for names in TOKENS:
        yield from _added_up(check, evidence, names)


def _cost(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for name in _COSTS:
        yield from _added_up(check, evidence, (name,), units=_DOLLARS)


def _added_up(
    check: Check, evidence: Evidence, names: Collection[str], units: Collection[str] = ()
) -> Iterator[Finding | None]:
    lacking = cache(lambda: [one for one in USAGE_MISSING.look(USAGE_MISSING, evidence) if one])
    for scope, points in measured_scopes(evidence, names):
        facts = dict.fromkeys(map(_fact_of, points))
        # A scope that counts cached tokens under a type of their own may leave them out of the input.
        if None in facts or (units and any(point.unit not in units for point in points)):
            continue
        told: dict[Finding | None, list[_Sum]] = {}
        is_mixed = True
        for fact in filter(None, facts):
            wrong, mixed = _wrong(scope, points, fact)
            is_mixed = is_mixed and (mixed or not wrong)
            if not wrong:
                yield None
            for one in wrong:
                cause, is_told = _cause(one, evidence, lacking)
                if is_told and cause is None:
                    yield None
                else:
                    told.setdefault(cause, []).append(one)
        for cause, several in told.items():
            found = _usage_finding(check, scope, points, several, is_mixed=is_mixed)
            if cause is None:
                yield replace(found, follows=_as_calls(scope, several, evidence, is_mixed=is_mixed))
            else:
                yield replace(found, follows=(cause.check,), span=cause.span)


_DOLLARS = frozenset({"USD", "{USD}", "usd", "{usd}"})


def _cause(wrong: _Sum, evidence: Evidence, lacking: Callable[[], list[Finding]]) -> tuple[Finding | None, bool]:
    """Return the finding on a span that explains a wrong sum, and whether what spans say explains it.

    Args:
        wrong: The sum that is wrong.
        evidence: The evidence.
        lacking: Returns the findings on spans that leave a count out.
    """
    calls, fact, measured = wrong.part.calls, wrong.fact, wrong.measured
    own = {account.span.key for account in calls.accounts}
    if wrong.severity is None:
        return None, False
    if adds_up(tokens_of(calls, fact, as_told=True), measured.count, measured.total) is not False:
        [comparison] = [one for one in USAGE if one.fact == fact]
        return next((one for one in compare(comparison, evidence) if one and one.span in own), None), True
    missing = [one for one in lacking() if one.span in own]
    shares = tokens_of(calls, fact, as_told=True, untold={one.span for one in missing if one.span})
    is_left_out_there = bool(missing) and adds_up(shares, measured.count, measured.total)
    return (missing[0], True) if is_left_out_there else (None, False)


def _as_calls(scope: Scope, wrong: Sequence[_Sum], evidence: Evidence, *, is_mixed: bool) -> tuple[str, ...]:
    """Name the check of how often calls are measured if it explains the sums: as often, or mixed up by model too."""
    found = (
        points for names in DURATIONS for seen, points in measured_scopes(evidence, names) if seen.name == scope.name
    )
    points = next(found, None)
    if points is None:
        return ()
    if is_mixed:
        return (OPERATION_COUNT.id,) if _wrong(scope, points)[1] else ()
    parts = [Part(calls=scope, points=tuple(points)), *parts_of(scope, points)]
    often = {part.calls.keys: _measured(part.points).count for part in parts}
    return (OPERATION_COUNT.id,) if all(often.get(one.part.calls.keys) == one.measured.count for one in wrong) else ()


def _usage_finding(
    check: Check, scope: Scope, points: Sequence[MetricPoint], wrong: Sequence[_Sum], *, is_mixed: bool
) -> Finding:
    metric = first_of([tokens_in_words(one.part, one.fact, one.measured, is_mixed=is_mixed) for one in wrong], _MOST)
    wire = first_of([stated(one.part, one.fact) for one in wrong], _MOST)
    places = places_of_fact([one.part for one in wrong], wrong[0].fact)
    return _finding(
        check,
        scope,
        points,
        wrong,
        ("metric", "\n".join(metric)),
        ("wire", "\n".join((*wire, *places))),
        left_out=_LEFT_OUT,
        mixed=_MIXED if is_mixed else "",
    )


# --- Calls -----------------------------------------------------------------------------------------------------------


def _operation_count(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for scope, points in (found for names in DURATIONS for found in measured_scopes(evidence, names)):
        if _measured(points).count is None:
            continue
        wrong, is_mixed = _wrong(scope, points)
        if not wrong:
            yield None
            continue
        metric = [f"{counted(one.measured.count or 0, 'measurement')}{of_model(one.part)}" for one in wrong]
        wire = [calls_in_words(one.part) for one in wrong]
        yield _finding(
            check,
            scope,
            points,
            wrong,
            ("metric", "\n".join(first_of(metric, _MOST))),
            ("wire", "\n".join((*first_of(wire, _MOST), *places_of_calls([one.part for one in wrong])))),
            left_out=_CALLS_LEFT_OUT,
            mixed=_CALLS_MIXED if is_mixed else "",
        )


# --- Both ------------------------------------------------------------------------------------------------------------


def _finding(
    check: Check,
    scope: Scope,
    points: Sequence[MetricPoint],
    wrong: Sequence[_Sum],
    *details: tuple[str, str],
    left_out: str,
    mixed: str,
) -> Finding:
    severity = Severity.ERROR if any(one.severity is Severity.ERROR for one in wrong) else Severity.WARNING
    why = mixed or (left_out if severity is Severity.WARNING else "")
    finding = finding_on(
        check, scope, points[0], *details, why=why, next=_NAME_IT if mixed else _repeated(check, points, wrong)
    )
    return replace(finding, severity=severity)


def _repeated(check: Check, measured: Sequence[MetricPoint], wrong: Sequence[_Sum]) -> str:
    """Say why all measurements may be there several times, if all are there exactly as often; else nothing."""
    points = [point for one in wrong for point in one.part.points if not one.fact or _fact_of(point) == one.fact]
    streams: dict[tuple[str, str, str], int] = {}
    for point in points:
        series = (point.name, point.unit, repr(sorted(point.attributes.items())))
        streams[series] = streams.get(series, 0) + point.streams
    copies = min(streams.values(), default=1)
    if copies > 1 and all(_is_repeated(one, copies) for one in wrong):
        provided = {point.resource["service.name"] for point in points if "service.name" in point.resource}
        several = max((point.providers for point in points), default=1) > 1 or len(provided) > 1
        return (_PROVIDERS if several else _VIEWS).format(times=copies)
    is_all = len(points) == len(measured) and all(one.measured.count for one in wrong)
    often = next((times for times in _OFTEN if is_all and all(_is_repeated(one, times) for one in wrong)), 0)
    return f"{check.next}; {_APPLIED.format(times=often)}" if often else ""


def _is_repeated(one: _Sum, times: int) -> bool:
    """Tell whether a sum would be right if each measurement were there only once of so many times."""
    count, total = one.measured.count, one.measured.total / times
    if one.severity is not Severity.ERROR or (count is not None and count % times):
        return False
    calls = one.part.calls
    once = replace(
        one.measured,
        count=None if count is None else count // times,
        total=int(total) if total == int(total) else total,
    )
    return _judged(tokens_of(calls, one.fact) if one.fact else calls_of(calls), once) is None


_OFTEN = (2, 3)
_PROVIDERS = (
    "each measurement is there {times} times, from {times} meter providers: an instrumentation is applied once for "
    "each of them; apply it once, with the provider that exports"
)
_VIEWS = (
    "each measurement is there {times} times, in {times} streams of one name: {times} views of the meter provider "
    "match the instrument; let one of them match it, or give the others names of their own"
)
_APPLIED = (
    "all measurements are there exactly {times} times, as where an instrumentation, or a wrapper that measures, is "
    "applied {times} times"
)

_LEFT_OUT = "sums of tokens and cost lack some of the calls that they should include, and nothing says so"
_CALLS_LEFT_OUT = "rates of calls and of errors lack some of the calls that they should include, and nothing says so"
_MIXED = "the total is right, but the sums of the models are not, and each has a price of its own"
_CALLS_MIXED = "all calls are counted, but some for a model that was not called: its latency is that of another one"
_NAME_IT = "name the model of the call itself with each measurement"


_SUMS = (
    "The head of this page says how measurements and calls are compared, and what is not judged. Where all "
    "measurements are there exactly two or more times, the next step names the views, the meter providers or the "
    "instrumentation."
)
_LEFT = "A metric that only leaves out calls, while others like them are measured, is a warning."

TOKEN_USAGE = Check(
    id="metric/token-usage",
    title="The metric of tokens adds up to the wire's",
    why="dashboards and budgets are made of this sum, and no span is there to compare it with",
    next="measure each call once, its input with the cached tokens",
    look=_token_usage,
    about=("metrics",),
    whole_runs_only=True,
    compares=f"The sums of `{TOKENS_USED}`, by `{_TYPE}`, with the token counts of the responses; likewise the metrics "
    f"that the conventions of 2026-10 have instead (`{INFERENCE}.usage.*`, `{INFERENCE}.operation.*`). {_SUMS} Also "
    "not judged are the counts of calls whose tokens nobody has stated, and scopes that measure types of tokens other "
    f"than input and output. {_LEFT} If the scope's spans state the same wrong count, or leave the same count out, the "
    "metric is reported within the finding about the span.",
    source=f"OTel GenAI, metrics: `{TOKENS_USED}`, `{INFERENCE}.usage.*`",
)

COST = Check(
    id="metric/cost",
    title="The metric of cost adds up to what gateways state",
    why="budgets and bills are checked against this sum, and the gateway charges another",
    next="take the cost that the gateway states, once for each call",
    look=_cost,
    about=("metrics",),
    whole_runs_only=True,
    compares=f"The sums of {' and '.join(f'`{name}`' for name in _COSTS)}, in US dollars, with the costs that the "
    "responses state, to within a millionth. Judged only where the cost of each call is stated: a cost that was "
    f"computed from a price list is not judged. {_SUMS} {_LEFT} If the scope's spans state the same wrong cost, the "
    "metric is reported within the finding about the span.",
    source="LiteLLM's metrics; OpenRouter and Anannas: `usage.cost`; LiteLLM Proxy: header `x-litellm-response-cost`",
)

OPERATION_COUNT = Check(
    id="metric/operation-count",
    title="The metric of durations counts each call once",
    why="rates of calls and of errors are made of this count: they are too high, and latencies are weighted wrongly",
    next="measure each call once, when it is over",
    look=_operation_count,
    about=("metrics",),
    whole_runs_only=True,
    compares=f"The numbers of measurements of `{DURATIONS[0][0]}` and `{DURATIONS[1][0]}` with the number of calls. "
    f"{_SUMS} {_LEFT} A call whose span took no time by the clock need not have been measured.",
    source=f"OTel GenAI, metrics: `{DURATIONS[0][0]}`, `{DURATIONS[1][0]}`",
)

CHECKS: tuple[Check, ...] = (OPERATION_COUNT, TOKEN_USAGE, COST)
