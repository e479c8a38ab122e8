"""Can a measurement with these attributes be of any call? Dashboards group by the provider, and rates by the error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from itertools import chain
from typing import Any, NamedTuple

from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._failures import CallFailure, failure_of
from pytest_llmtrace.checks._metric_known import DURATIONS, finding_on, measured_scopes
from pytest_llmtrace.checks._metric_scopes import EMBEDDINGS, Scope
from pytest_llmtrace.checks._metric_shares import is_certain
from pytest_llmtrace.checks._provider_name import PROVIDERS, is_another
from pytest_llmtrace.checks._words import first_of, place_of_exchange, shown
from pytest_llmtrace.checks.errors import is_status, tells_why
from pytest_llmtrace.checks.metrics import TOKENS
from pytest_llmtrace.conventions import Level
from pytest_llmtrace.model import Call, Exchange, Finding, MetricPoint, Reading, Severity

__all__ = ["ATTRIBUTES", "CHECKS", "ERROR_TYPE"]

_OPERATION = "gen_ai.operation.name"
_ERROR = "error.type"
_NAMES = (*TOKENS, *DURATIONS)
_ALL = frozenset(chain.from_iterable(_NAMES))
_MOST = 3
"""How many values, and how many places, of a finding are shown."""


# --- Attributes that no call has -------------------------------------------------------------------------------------


class _Wrong(NamedTuple):
    """An attribute of a point that is true of no call.

    Attributes:
        key: The attribute.
        point: The point.
        wire: What is true of the calls.
        follows: The check of spans that finds the same value there.
    """

    key: str
    point: MetricPoint
    wire: str
    follows: str = ""


_Judge = Callable[[Scope, MetricPoint], _Wrong | None]


def _attributes(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    points = [point for point in evidence.metrics if point.name in _ALL]
    truths = [truth for call in evidence.calls for truth in call.truths]
    asked = {(truth.gateway, truth.api) for truth in truths}
    if not any(_is_doubtful(point, asked) for point in points):
        yield from [None] * len({point.scope for point in points})  # As nearly always.
        return
    seen = [found for names in _NAMES for found in _measured(evidence, names)]
    for name in dict.fromkeys(scope.name for scope, _ in seen):
        own = [(scope, point) for scope, points in seen if scope.name == name for point in points]
        for judge in _JUDGES:
            wrong = [found for scope, point in own if (found := judge(scope, point))]
            yield _of_none(check, own[0][0], wrong) if wrong else None


def _is_doubtful(point: MetricPoint, asked: Collection[tuple[str | None, str | None]]) -> bool:
    """Tell whether some attribute of a point is not that of every call, or says that a call failed."""
    attributes = point.attributes
    if attributes.get(_ERROR):
        return True
    if _embeds(point) and any(api != "embeddings" for _, api in asked):
        return True
    named = [attributes[key] for key in PROVIDERS if key in attributes]
    return any(is_another(name, gateway, api) for name in named for gateway, api in asked)


def _embeds(point: MetricPoint) -> bool:
    operation = point.attributes.get(_OPERATION)
    return isinstance(operation, str) and operation in EMBEDDINGS


def _measured(evidence: Evidence, names: Collection[str]) -> Iterator[tuple[Scope, Sequence[MetricPoint]]]:
    """Yield each scope that has an account of all calls that its spans describe, with its points of these metrics."""
    for scope, points in measured_scopes(evidence, names):
        keys = set(scope.keys)
        told = (span for call in evidence.calls for span in call.spans if span.scope == scope.tracer)
        if all(span.key in keys for span in told):
            yield scope, points


def _answers(scope: Scope) -> list[Reading] | None:
    """Return the answers to all calls that a scope can have measured; None if some call has none that can be read."""
    calls = [*(account.call for account in scope.accounts), *scope.others]
    if not all(call.truths for call in calls):
        return None
    inside = [reading for account in scope.accounts for reading in account.beside]
    return [*(truth for call in calls for truth in call.truths), *inside]


def _provider(scope: Scope, point: MetricPoint) -> _Wrong | None:
    answers = _answers(scope)
    for key in PROVIDERS:
        name = point.attributes.get(key)
        if name and answers and all(is_another(name, truth.gateway, truth.api) for truth in answers):
            asked = ", ".join(dict.fromkeys(truth.gateway or "" for truth in answers))
            return _Wrong(key, point, f"all calls went to {asked}", "wire/provider-name")
    return None


def _operation(scope: Scope, point: MetricPoint) -> _Wrong | None:
    answers = _answers(scope) if _embeds(point) else None
    if not answers or any(truth.api in {None, "embeddings"} for truth in answers):
        return None
    return _Wrong(_OPERATION, point, "no call asked for embeddings")


def _error(scope: Scope, point: MetricPoint) -> _Wrong | None:
    """Judge an error: a status that came, or another error on the span of its call, or of a call that may have failed.

    A status is a number from 400 to 599. Whatever else is there is the name of an exception, which the application may
    have raised for an answer that is right by itself; but then the span of its call says so too.
    """
    value = point.attributes.get(_ERROR)
    if not value or scope.name != scope.tracer or any(_states(account, value) for account in scope.accounts):
        return None
    if not is_status(value):
        if scope.others or not all(map(_is_faultless, scope.accounts)):
            return None
        return _Wrong(_ERROR, point, "every call succeeded, and no span of this scope reports an error")
    codes = _codes(scope)
    if codes is None or str(value) in codes:
        return None
    failed = sorted(filter(is_status, codes))
    came = f"no call ended with {value}, but with {', '.join(failed)}" if failed else f"no call ended with {value}"
    return _Wrong(_ERROR, point, came)


def _states(account: Account, value: Any) -> bool:
    return str(account.span.attributes.get(_ERROR)) == str(value)


def _is_faultless(account: Account) -> bool:
    span = account.span
    went_well = is_certain(account) and not account.beside and not any(map(_may_have_failed, account.call.exchanges))
    return went_well and span.status != "ERROR" and not tells_why(span)


def _may_have_failed(exchange: Exchange) -> bool:
    return exchange.response is None or exchange.response.status in _BAD


_BAD = frozenset(range(HTTPStatus.BAD_REQUEST, 600))


def _status(exchange: Exchange) -> int | None:
    return exchange.response.status if exchange.response else None


def _codes(scope: Scope) -> frozenset[str] | None:
    """Return the codes of all errors that calls can have ended with; None if some call may have ended with any."""
    found: set[str] = set()
    for account in scope.accounts:
        failure = failure_of(account)
        if account.beside or (failure is not None and not any(map(is_status, failure.codes))):
            return None
        found |= failure.codes if failure else set()
    for call in [*(account.call for account in scope.accounts), *scope.others]:
        statuses = [_status(exchange) for exchange in call.exchanges]
        if None in statuses or (call in scope.others and any(truth.error for truth in call.truths)):
            return None
        found |= {str(status) for status in statuses if status in _BAD}
    return frozenset(found)


_JUDGES: tuple[_Judge, ...] = (_provider, _operation, _error)


def _of_none(check: Check, scope: Scope, wrong: Sequence[_Wrong]) -> Finding:
    said = [
        line + _on(one.point.name for one in wrong if line == _line(one)) for line in dict.fromkeys(map(_line, wrong))
    ]
    wire = [*dict.fromkeys(one.wire for one in wrong), *_places(account.exchange for account in scope.accounts)]
    metric = ("metric", "\n".join(first_of(said, _MOST)))
    found, first = finding_on(check, scope, wrong[0].point, metric, ("wire", "\n".join(wire))), wrong[0]
    if not first.follows:
        return found
    value = first.point.attributes[first.key]
    same = [one.span for one in scope.accounts if value in map(one.span.attributes.get, PROVIDERS)]
    found = replace(found, severity=Severity.WARNING)  # As on spans.
    return replace(found, follows=(first.follows,), span=same[0].key) if same else found


def _line(one: _Wrong) -> str:
    return f"{one.key} = {shown(one.point.attributes[one.key])}"


def _on(names: Iterable[str]) -> str:
    several = list(dict.fromkeys(names))
    return f", on {' and '.join(several)}" if len(several) > 1 else ""


def _places(exchanges: Iterable[Exchange]) -> Sequence[str]:
    return first_of([*dict.fromkeys(map(place_of_exchange, exchanges))], _MOST)


ATTRIBUTES = Check(
    id="metric/attributes",
    title="The attributes of a measurement are those of some call",
    why="who groups by them sees calls that were never made, and misses the ones that were",
    next="take them from the call itself, with each measurement",
    look=_attributes,
    about=("metrics",),
    whole_runs_only=True,
    compares="The attributes of the metrics of tokens and durations with all calls of their scope.\n"
    f"  - The provider ({', '.join(f'`{key}`' for key in PROVIDERS)}): wrong if all calls went to the own servers of "
    "others, as for `wire/provider-name`. This is a warning.\n"
    f"  - `{_OPERATION}`: wrong if it is `embeddings` and no call was for embeddings.\n"
    f"  - `{_ERROR}`: a number from 400 to 599 must be the code of some call or attempt; any other error may be an "
    "exception of the application's, but not if every call succeeded and no span of the scope reports an error.",
    source=f"OTel GenAI, metrics: `{DURATIONS[0][0]}` and its attributes",
)


# --- Failed calls without an error -----------------------------------------------------------------------------------


def _error_type(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    if not evidence.failures:
        return
    wanted = {
        (claim.scope, claim.name)
        for claim in evidence.metric_claims
        if _ERROR in claim.wanted and claim.wanted[_ERROR].level is Level.CONDITIONALLY_REQUIRED
    }
    for scope, points in (found for names in DURATIONS for found in _measured(evidence, names)):
        failed = _failed(scope, evidence)
        if not failed or (scope.name, points[0].name) not in wanted or any(point.hides(_ERROR) for point in points):
            continue
        counts = [point.count for point in points if not point.attributes.get(_ERROR)]
        without = sum(count for count in counts if count is not None)
        yield _unsaid(check, scope, points[0], without, failed) if without > _most(scope, failed) else None


def _failed(scope: Scope, evidence: Evidence) -> list[tuple[Account, CallFailure]]:
    """Return the calls that failed, and whose span says so; a batch of several requests may have succeeded in part."""
    own = {account.span.key for account in scope.accounts if scope.batches.get(account.span.key, 1) == 1}
    failed = [(account, failure) for account, failure in evidence.failures if account.span.key in own]
    return [(account, failure) for account, failure in failed if account.span.status == "ERROR"]


def _most(scope: Scope, failed: Sequence[tuple[Account, CallFailure]]) -> int:
    """Return how many measurements there can be of calls that did not fail."""
    keys = {account.span.key for account, _ in failed}
    others: Sequence[Call] = scope.others
    own = sum(scope.requests(account) for account in scope.accounts if account.span.key not in keys)
    return own + sum(len(call.exchanges) for call in others)


def _unsaid(
    check: Check, scope: Scope, point: MetricPoint, without: int, failed: Sequence[tuple[Account, CallFailure]]
) -> Finding:
    most = _most(scope, failed)
    wire = [f"{counted(len(failed), 'call')} failed, {counted(most, 'call')} can have succeeded"]
    wire += first_of([str(failure) for _, failure in failed], _MOST)
    line = f"{counted(without, 'measurement')} without {_ERROR}"
    found = finding_on(check, scope, point, ("metric", line), ("wire", "\n".join(wire)))
    return replace(found, span=failed[0][0].span.key, follows=("wire/error-type", "wire/error-reason"))


ERROR_TYPE = Check(
    id="metric/error-type",
    title="The measurement of a call that failed has error.type",
    why="rates of errors are made of this attribute, so this failure is counted as a success, with its latency",
    next="record error.type with the duration where the failure is noticed",
    look=_error_type,
    about=("failures",),
    severity=Severity.WARNING,
    whole_runs_only=True,
    compares=f"The number of measurements of `{DURATIONS[0][0]}` and `{DURATIONS[1][0]}` without `{_ERROR}` with the "
    "number of calls of their scope that can have succeeded. There must not be more. A failed call counts only if its "
    "span has the status ERROR, since `wire/error-status` reports it otherwise; and it need not have been measured.",
    source=f"OTel GenAI, metrics: `{_ERROR}` is required if the operation ended in an error",
)

CHECKS: tuple[Check, ...] = (ATTRIBUTES, ERROR_TYPE)
