"""Do a scope's metrics say what the bytes say? Dashboards add them up without ever seeing a span."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._compare import compare
from pytest_llmtrace.checks._metric_shares import (
    Scope,
    Share,
    adds_up,
    calls_of,
    is_certain,
    is_count,
    scope_of,
    tokens_of,
)
from pytest_llmtrace.checks._usage_missing import USAGE_MISSING
from pytest_llmtrace.checks._wire_usage import USAGE
from pytest_llmtrace.checks._words import first_of, place_of, place_of_exchange, said, shown
from pytest_llmtrace.model import Fact, Finding, Maker, MetricPoint, Severity

__all__ = ["CHECKS", "OPERATION_COUNT", "TOKEN_USAGE"]

_USAGE = "gen_ai.client.token.usage"
_DURATION = "gen_ai.client.operation.duration"

_OPERATION = "gen_ai.operation.name"
_TYPE = "gen_ai.token.type"
# What the conventions have called them, until 1.28 with `completion` for `output`.
_FACTS = {"input": "input_tokens", "output": "output_tokens", "completion": "output_tokens"}
# Operations that are one call of a model; an agent's or a tool's are measured beside them.
_OF_CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings", "completion", "embedding"})

_SHOWN = 3
"""How many calls of a finding are shown."""


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """What the points of one metric of one scope add up to.

    Attributes:
        count: How many measurements there are; None of a counter, which does not say.
        total: Their sum.
    """

    count: int | None
    total: float


def _scopes(evidence: Evidence, name: str) -> Iterator[tuple[Scope, Sequence[MetricPoint]]]:
    """Yield each scope whose calls are all known and that measures them by a metric, with its points."""
    by_scope: dict[str, list[MetricPoint]] = {}
    for point in evidence.metrics:
        if point.name == name:
            by_scope.setdefault(point.scope, []).append(point)
    for scope, points in by_scope.items():
        asked = [point for point in points if str(point.attributes.get(_OPERATION, "chat")) in _OF_CALLS]
        kinds = {point.kind for point in asked}
        if kinds not in ({"histogram"}, {"sum"}) or any(point.shared or not is_count(point.value) for point in asked):
            continue
        if _is_known(scope, asked, evidence):
            seen = scope_of(evidence, scope, asked)
            if seen.accounts:
                yield seen, asked


def _is_known(scope: str, points: Iterable[MetricPoint], evidence: Evidence) -> bool:
    """Tell whether a scope has measured nothing but calls: no span of it tells of what cannot be seen."""
    strays = [stray for stray in evidence.strays if stray.span.scope == scope]
    named = all(_OPERATION in point.attributes for point in points)
    return all(stray.covers and named for stray in strays)


def _sum(points: Iterable[MetricPoint]) -> _Measured:
    points = tuple(points)
    counts = [point.count for point in points if point.count is not None]
    return _Measured(
        count=sum(counts) if len(counts) == len(points) else None, total=sum(point.value for point in points)
    )


def _judged(shares: Sequence[Share], measured: _Measured) -> Severity | None:
    """Judge what a metric adds up to: calls that are left out are a warning, anything else that is wrong an error."""
    if adds_up(shares, measured.count, measured.total) is not False:
        return None
    left_out = adds_up(shares, measured.count, measured.total, leaving_out=True)
    if left_out is None:  # There are too many choices to try; but who measures often enough has left nothing out.
        left_out = measured.count is None or measured.count < sum(share.must for share in shares)
    return Severity.WARNING if left_out else Severity.ERROR


# --- Tokens ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Wrong:
    """A count of tokens that is not the wire's.

    Attributes:
        fact: Which count.
        measured: What the metric says.
        severity: How bad it is.
    """

    fact: str
    measured: _Measured
    severity: Severity


def _token_usage(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for scope, points in _scopes(evidence, _USAGE):
        types = [point.attributes.get(_TYPE) for point in points]
        # Who counts the cached tokens by a type of their own may leave them out of the input.
        if not all(isinstance(kind, str) and kind in _FACTS for kind in types):
            continue
        wrong: dict[Finding | None, list[_Wrong]] = {}
        for fact in dict.fromkeys(_FACTS[str(kind)] for kind in types):
            measured = _sum(point for point in points if _FACTS[point.attributes[_TYPE]] == fact)
            severity = _judged(tokens_of(scope, fact), measured)
            cause, is_told = (None, True) if severity is None else _cause(scope, fact, measured, evidence)
            if severity is None or (is_told and cause is None):
                yield None
            else:
                wrong.setdefault(cause, []).append(_Wrong(fact=fact, measured=measured, severity=severity))
        for cause, several in wrong.items():
            if cause is None:
                yield _usage_finding(check, scope, points, several, follows=_as_calls(scope, several, evidence))
            else:
                found = _usage_finding(check, scope, points, several, follows=(cause.check,))
                yield replace(found, span=cause.span)


def _cause(scope: Scope, fact: str, measured: _Measured, evidence: Evidence) -> tuple[Finding | None, bool]:
    """Return the finding on a span that has its count from the same place, and whether what spans say explains it."""
    own = {account.span.key for account in scope.accounts}
    if adds_up(tokens_of(scope, fact, as_told=True), measured.count, measured.total) is not False:
        [comparison] = [one for one in USAGE if one.fact == fact]
        return next((one for one in compare(comparison, evidence) if one and one.span in own), None), True
    missing = [one for one in USAGE_MISSING.look(USAGE_MISSING, evidence) if one and one.span in own]
    shares = tokens_of(scope, fact, as_told=True, untold={one.span for one in missing if one.span})
    is_left_out_there = bool(missing) and adds_up(shares, measured.count, measured.total)
    return (missing[0], True) if is_left_out_there else (None, False)


def _as_calls(scope: Scope, wrong: Iterable[_Wrong], evidence: Evidence) -> tuple[str, ...]:
    """Name the check of how often calls are counted, where tokens are counted just as often."""
    points = [point for point in evidence.metrics if (point.scope, point.name) == (scope.name, _DURATION)]
    same = bool(points) and all(one.measured.count == _sum(points).count for one in wrong)
    return (OPERATION_COUNT.id,) if same else ()


def _usage_finding(
    check: Check,
    scope: Scope,
    points: Sequence[MetricPoint],
    wrong: Sequence[_Wrong],
    follows: tuple[str, ...] = (),
) -> Finding:
    severity = Severity.ERROR if any(one.severity is Severity.ERROR for one in wrong) else Severity.WARNING
    lines = [f"{_noun(one.fact)}: {_in_words(one.measured)}{_nearest(scope, one)}" for one in wrong]
    wire = [line for one in wrong for line in _stated(scope, one.fact)]
    finding = _finding(
        check,
        scope,
        points,
        ("metric", "\n".join(lines)),
        ("wire", "\n".join((*wire, *_places(scope, wrong[0].fact)))),
        why=_LEFT_OUT if severity is Severity.WARNING else "",
        follows=follows,
    )
    return replace(finding, severity=severity)


def _noun(fact: str) -> str:
    return fact.replace("_", " ")


def _in_words(measured: _Measured) -> str:
    times = "" if measured.count is None else f" in {counted(measured.count, 'measurement')}"
    return f"{shown(measured.total)}{times}"


def _facts(scope: Scope, name: str) -> list[tuple[Account, Fact]]:
    facts = [(account, account.answered.fact(name)) for account in scope.accounts]
    return [(account, fact) for account, fact in facts if is_count(fact.value)]


def _stated(scope: Scope, name: str) -> Iterator[str]:
    """Yield what the wire says of a count: of one call with its parts, of several as a sum."""
    facts = [fact for _, fact in _facts(scope, name)]
    if len(facts) == 1:
        yield f"{_noun(name)}: {said(facts[0], _noun(name))}"
    else:
        values = [shown(fact.value) for fact in facts]
        added = " + ".join(values if len(values) <= _MOST else [*values[:_MOST], "..."])
        yield f"{_noun(name)} of {counted(len(facts), 'call')}: {added} = {shown(_true(scope, name))}"


_MOST = 8


def _true(scope: Scope, name: str) -> float:
    total: float = sum(fact.value for _, fact in _facts(scope, name))
    return total


def _places(scope: Scope, name: str) -> Sequence[str]:
    return first_of([*dict.fromkeys(place_of(fact, account.exchange) for account, fact in _facts(scope, name))], _SHOWN)


def _nearest(scope: Scope, wrong: _Wrong) -> str:
    """Say what a count is, where it is that of something else."""
    true, total = _true(scope, wrong.fact), wrong.measured.total
    other = "output_tokens" if wrong.fact == "input_tokens" else "input_tokens"
    if total == _true(scope, other):
        return f", which is the count of {_noun(other)}"
    if true and total % true == 0 and total > true:
        return f", {total / true:.0f} times what the wire says"
    parts = [part for part in _PARTS if wrong.fact == "input_tokens" and _true(scope, part)]
    for some in (*([part] for part in parts), parts):
        number = sum(_true(scope, part) for part in some)
        if number and abs(total - true) == number:
            what = " and ".join(map(_noun, some))
            return f", {'without' if total < true else 'with once more'} the {what}: {shown(number)}"
    return ""


_PARTS = ("cache_read_tokens", "cache_write_tokens")


# --- Calls -----------------------------------------------------------------------------------------------------------


def _operation_count(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for scope, points in _scopes(evidence, _DURATION):
        measured = replace(_sum(points), total=0)
        if measured.count is None:
            continue
        shares = calls_of(scope)
        severity = _judged(shares, measured)
        if severity is None:
            yield None
            continue
        places = list(dict.fromkeys(place_of_exchange(account.exchange) for account in scope.accounts))
        finding = _finding(
            check,
            scope,
            points,
            ("metric", counted(measured.count, "measurement")),
            ("wire", "\n".join((_calls_in_words(scope), *first_of(places, _SHOWN)))),
            why=_CALLS_LEFT_OUT if severity is Severity.WARNING else "",
        )
        yield replace(finding, severity=severity)


def _calls_in_words(scope: Scope) -> str:
    others = f", and {len(scope.others)} without a span of this scope" if scope.others else ""
    failed = sum(not is_certain(account) for account in scope.accounts)
    some = f", {failed} of them not to the end" if failed else ""
    return f"{counted(len(scope.accounts), 'call')}{some}{others}"


# --- Both ------------------------------------------------------------------------------------------------------------


def _finding(
    check: Check,
    scope: Scope,
    points: Sequence[MetricPoint],
    *details: tuple[str, str],
    why: str = "",
    follows: tuple[str, ...] = (),
) -> Finding:
    """Make a finding about a metric. It belongs to the first span of its scope, so that causes can be named."""
    finding = check.finding(
        f"metric {points[0].name!r} ({scope.name})",
        *details,
        why=why,
        makers=(Maker(scope=scope.name, version=points[0].scope_version or ""),),
        follows=follows,
    )
    return replace(finding, span=scope.accounts[0].span.key)


_LEFT_OUT = "sums of tokens and cost lack calls that are measured otherwise, and nothing says so"
_CALLS_LEFT_OUT = "rates of calls and of errors lack calls that are measured otherwise, and nothing says so"


_SURE = (
    "The points of one scope that measure calls, together, with the calls that spans of the scope tell of. A call that "
    "succeeded and was read to its end is measured once; one that failed, was stopped, was tried again or has no span "
    "of the scope may have been measured or not. A finding says that no choice of these adds up to the metric. "
)
_UNSURE = (
    "Calls of a form (an API, streamed or not) of which none is measured are not missing. Not looked at: what is no "
    "histogram and no counter; scopes with LLM spans that tell of no exchange; traces that were open beside others, or "
    "in whose time spans of others ended. "
)

TOKEN_USAGE = Check(
    id="metric/token-usage",
    title="The metric of tokens adds up to the wire's",
    why="dashboards and budgets are made of this sum, and no span is there to compare it with",
    next="measure each call once, its input with the cached tokens",
    look=_token_usage,
    about=("metrics",),
    whole_runs_only=True,
    compares=f"`{_USAGE}` by `{_TYPE}`. {_SURE}{_UNSURE}Nor are counts of calls whose tokens nobody has stated, and "
    "scopes with types besides input and output. Calls that are left out while others like them are measured are a "
    "warning. What the scope's spans say, or leave out, as well is told with their "
    "finding.",
    source=f"OTel GenAI, metrics: `{_USAGE}`",
)

OPERATION_COUNT = Check(
    id="metric/operation-count",
    title="The metric of durations counts each call once",
    why="rates of calls and of errors are made of this count: they are too high, and latencies are weighted wrongly",
    next="measure each call once, when it is over",
    look=_operation_count,
    about=("metrics",),
    whole_runs_only=True,
    compares=f"The count of `{_DURATION}`. {_SURE}{_UNSURE}Calls that are left out while others like them are "
    "measured are a warning; of a call whose span took no time by the clock there need be no measurement.",
    source=f"OTel GenAI, metrics: `{_DURATION}`",
)

CHECKS: tuple[Check, ...] = (OPERATION_COUNT, TOKEN_USAGE)
