"""Spans against the conventions that they claim to keep."""

from __future__ import annotations

from pytest_llmtrace.checks import (
    conventions_attributes,
    conventions_conditions,
    conventions_content,
    conventions_names,
    conventions_numbers,
    conventions_span,
)
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._rule import Breach, Rule
from pytest_llmtrace.model import Advice, SpanKey

__all__ = ["CHECKS", "advice"]

CHECKS: tuple[Check, ...] = (
    *conventions_span.CHECKS,
    *conventions_attributes.CHECKS,
    *conventions_names.CHECKS,
    *conventions_conditions.CHECKS,
    *conventions_content.CHECKS,
    *conventions_numbers.CHECKS,
)


def advice(evidence: Evidence) -> dict[SpanKey, list[Advice]]:
    """Return what is found of each span in Weaver's words; unlike findings, not of several spans at once."""
    found: dict[SpanKey, list[Advice]] = {}
    for check in CHECKS:
        if not isinstance(check, Rule):
            continue
        for claim in evidence.claims:
            breach = check.judge(claim)
            if isinstance(breach, Breach):
                found.setdefault(claim.span.key, []).extend(breach.advice)
    return found
