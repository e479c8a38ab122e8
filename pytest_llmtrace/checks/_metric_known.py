"""The scopes whose measurements can only be of calls that the trace has seen, and findings about them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._metric_scopes import Scope, scope_of
from pytest_llmtrace.checks._metric_shares import is_count
from pytest_llmtrace.model import Finding, Maker, MetricPoint

__all__ = ["DURATIONS", "INFERENCE", "TOKENS_USED", "finding_on", "measured_scopes"]

INFERENCE = "gen_ai.client.inference"
"""The beginning of the names of the metrics that the conventions of 2026-10 have."""
TOKENS_USED = "gen_ai.client.token.usage"
DURATIONS = (("gen_ai.client.operation.duration",), (f"{INFERENCE}.duration",))

_OPERATION = "gen_ai.operation.name"
# Operations that are one call of a model; an agent's or a tool's are measured beside them.
_OF_CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings", "completion", "embedding"})


def measured_scopes(evidence: Evidence, names: Collection[str]) -> Iterator[tuple[Scope, Sequence[MetricPoint]]]:
    """Yield each scope that measures calls by these metrics and whose calls are all known, with its points."""
    by_scope: dict[str, list[MetricPoint]] = {}
    for point in evidence.metrics:
        if point.name in names:
            by_scope.setdefault(point.scope, []).append(point)
    for scope, points in by_scope.items():
        if any(point.hides(_OPERATION) for point in points):
            continue  # An agent's calls, and tools, may be among them.
        asked = [point for point in points if str(point.attributes.get(_OPERATION, "chat")) in _OF_CALLS]
        kinds = {point.kind for point in asked}
        if kinds not in ({"histogram"}, {"sum"}) or any(point.shared or not is_count(point.value) for point in asked):
            continue
        seen = scope_of(evidence, scope, asked)
        if seen.accounts and _is_known(seen, asked, evidence):
            yield seen, asked


def _is_known(scope: Scope, points: Iterable[MetricPoint], evidence: Evidence) -> bool:
    """Tell whether a scope can have measured known calls only: none of its spans reports a call that was not seen."""
    strays = [stray for stray in evidence.strays if stray.span.scope == scope.tracer]
    named = all(_OPERATION in point.attributes for point in points)
    return all(stray.covers and named for stray in strays)


def finding_on(check: Check, scope: Scope, point: MetricPoint, *details: tuple[str, str], **other: Any) -> Finding:
    """Make a finding about a metric of a scope. It is put on the scope's first span, so that its causes can be named.

    `why=` and `next=` replace those of the check.
    """
    finding = check.finding(
        f"metric {point.name!r} ({scope.name})",
        *details,
        makers=(Maker(scope=scope.name, version=point.scope_version or ""),),
        **other,
    )
    return replace(finding, span=scope.accounts[0].span.key)
