"""The telemetry contract of a run and its coverage of the conventions, as files."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmtrace import contract, conventions
from pytest_llmtrace.checks import Evidence, Verdict

__all__ = ["contract_of_run", "contract_of_test", "coverage_json", "coverage_of_test", "coverage_page"]


@functools.cache
def _names() -> contract.Names:
    return contract.Names(map(conventions.profile, conventions.PROFILES))


def contract_of_test(evidence: Evidence, _verdict: Verdict) -> Any:
    """Return what one trace contributes to the contract."""
    return contract.scopes_of(evidence.spans, evidence.logs, evidence.metrics, _names())


def contract_of_run(tests: Mapping[str, Any]) -> str:
    """Write the contract of a run, from what its tests have seen."""
    return contract.as_json(contract.as_contract(contract.add_all(tests.values())))


def coverage_of_test(evidence: Evidence, _verdict: Verdict) -> Any:
    """Return what one trace has shown of the conventions that its spans and metrics claim to keep."""
    return contract.seen_of(evidence.claims, evidence.metric_claims, _names())


def coverage_page(tests: Mapping[str, Any]) -> str:
    """Write what a run has shown as Markdown."""
    return contract.to_markdown(_coverages(tests))


def coverage_json(tests: Mapping[str, Any]) -> str:
    """Write the same as JSON."""
    return contract.to_json(_coverages(tests))


def _coverages(tests: Mapping[str, Any]) -> Iterator[contract.Coverage]:
    return contract.coverages(contract.add_all(tests.values()))
