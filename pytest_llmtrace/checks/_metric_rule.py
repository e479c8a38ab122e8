"""A rule about metrics is data: what a convention says of one metric of one scope."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._metric_claims import MetricClaim
from pytest_llmtrace.checks._misspelt import or_rename
from pytest_llmtrace.checks._rule import Breach, as_advised, cut
from pytest_llmtrace.model import Finding, Maker, Severity

__all__ = ["MetricRule", "metric_advised", "metric_rule"]


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricRule(Check):
    """A check that looks at each metric that is compared with a convention.

    Attributes:
        judge: As in a rule about spans, returns a breach, True if a metric keeps the rule, False if it does not apply.
        unasked: As in a rule about spans.
    """

    judge: Callable[[MetricClaim], Breach | bool]
    unasked: Severity | None = None


def metric_rule(**fields: Any) -> MetricRule:
    """Make a rule about metrics; its advice is to fix the instrumentation, unless `next` says otherwise."""
    return MetricRule(look=_look, about=("metrics",), **{"next": "fix the instrumentation", **fields})


def metric_advised(**fields: Any) -> MetricRule:
    """Make a rule about what a convention only advises: findings are `info` unless `conventions=` names that."""
    return metric_rule(**as_advised(fields))


def _look(check: MetricRule, evidence: Evidence) -> Iterator[Finding | None]:
    for claim in evidence.metric_claims:
        found = check.judge(claim)
        if found is True:
            yield None
        elif found:
            yield _finding(check, claim, found)


def _finding(check: MetricRule, claim: MetricClaim, found: Breach) -> Finding:
    profile = claim.profile
    finding = check.finding(
        f"metric {claim.name!r} ({claim.scope})",
        ("metric", "\n".join(cut(found.said))),
        ("rule", "\n".join((*cut(found.wanted), f"{profile.name}, {profile.source}"))),
        next=_next(check, claim, found),
        makers=(Maker(scope=claim.scope, version=claim.points[0].scope_version or ""),),
        advice=found.advice,
    )
    return finding if claim.is_wanted or check.unasked is None else replace(finding, severity=check.unasked)


def _next(check: MetricRule, claim: MetricClaim, found: Breach) -> str:
    lacks = ((name,) for name in found.lacks)
    return or_rename(found.next or check.next, claim.attributes, lacks, own=claim.own, holder="the metric")
