"""Spans, metrics and events against the conventions that they claim to keep."""

from __future__ import annotations

from dataclasses import replace

from pytest_llmtrace.checks import (
    conventions_attributes,
    conventions_conditions,
    conventions_content,
    conventions_events,
    conventions_metric_attributes,
    conventions_metrics,
    conventions_names,
    conventions_numbers,
    conventions_span,
)
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._metric_claims import MetricClaim
from pytest_llmtrace.checks._metric_rule import MetricRule
from pytest_llmtrace.checks._rule import Breach, Rule
from pytest_llmtrace.model import Advice, MetricPoint, SpanKey

__all__ = ["CHECKS", "advice", "advice_on_point"]

CHECKS: tuple[Check, ...] = (
    *conventions_span.CHECKS,
    *conventions_attributes.CHECKS,
    *conventions_names.CHECKS,
    *conventions_conditions.CHECKS,
    *conventions_content.CHECKS,
    *conventions_numbers.CHECKS,
    *conventions_events.CHECKS,
    *conventions_metrics.CHECKS,
    *conventions_metric_attributes.CHECKS,
)


def advice(evidence: Evidence) -> dict[SpanKey, list[Advice]]:
    """Return the advice on each span, in Weaver's words; unlike findings, it is never shared by several spans."""
    found: dict[SpanKey, list[Advice]] = {}
    for check in CHECKS:
        if not isinstance(check, Rule):
            continue
        for claim in evidence.claims:
            breach = check.judge(claim)
            if isinstance(breach, Breach):
                found.setdefault(claim.span.key, []).extend(breach.advice)
    return found


def advice_on_point(claim: MetricClaim, point: MetricPoint) -> list[Advice]:
    """Return the advice on a metric as far as one of its points shows it, in Weaver's words."""
    alone = replace(claim, points=(point,))
    rules = (check for check in CHECKS if isinstance(check, MetricRule))
    return [one for rule in rules if isinstance(found := rule.judge(alone), Breach) for one in found.advice]
