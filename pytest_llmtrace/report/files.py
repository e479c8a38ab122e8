"""The files that a run writes about itself, by the names of their forms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace.canaries import Glance, Search
from pytest_llmtrace.checks import Evidence, Verdict
from pytest_llmtrace.report import contracts, stored, weaver

__all__ = ["FORMATS", "Format", "contribution"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """A form of report.

    Attributes:
        of_test: Returns what one trace contributes, as data that JSON can carry from a worker to the controller.
        of_run: Writes the file from what the tests contributed, by their ids.
    """

    of_test: Callable[[Evidence, Verdict], Any]
    of_run: Callable[[Mapping[str, Any]], str]


FORMATS: Mapping[str, Format] = {
    "contract": Format(of_test=contracts.contract_of_test, of_run=contracts.contract_of_run),
    "coverage": Format(of_test=contracts.coverage_of_test, of_run=contracts.coverage_page),
    "coverage-json": Format(of_test=contracts.coverage_of_test, of_run=contracts.coverage_json),
    "openobserve": Format(of_test=stored.of_test, of_run=stored.of_run),
    "weaver": Format(of_test=weaver.of_test, of_run=weaver.of_run),
}


def contribution(name: str, evidence: Evidence, verdict: Verdict) -> Any:
    """Return what one trace contributes to a report, without what it knows to be secret and without its canaries.

    Names of spans, events and attributes are all that a report has of telemetry; an instrumentation may put anything
    into them.

    Args:
        name: Of the report's form.
        evidence: What is known of the trace.
        verdict: What the checks say of it.
    """
    found = FORMATS[name].of_test(evidence, verdict)
    search = evidence.unwritten
    return _without(search, found) if search and search.may_be_in(Glance([json.dumps(found)])) else found


def _without(search: Search, data: Any) -> Any:
    if isinstance(data, str):
        return search.masked(data) if search.within(data) else data
    if isinstance(data, Mapping):
        return {_without(search, key): _without(search, value) for key, value in data.items()}
    return [_without(search, item) for item in data] if isinstance(data, list | tuple) else data
