"""The report files that a run writes about itself, by the names of their formats."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmtrace import contract, conventions
from pytest_llmtrace._stdlib import json
from pytest_llmtrace.canaries import Glance, Search
from pytest_llmtrace.checks import Evidence, Verdict
from pytest_llmtrace.openobserve import kept, record
from pytest_llmtrace.report import weaver
from pytest_llmtrace.secrets.shapes import masked, may_hold_shape
from pytest_llmtrace.secrets.words import runs_of

__all__ = ["FORMATS", "Format", "contribution"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """A format of report.

    Attributes:
        of_test: Returns what one trace contributes, as data that JSON can carry from an xdist worker to the controller.
        of_run: Returns the content of the file, made from what the tests contributed, by test id.
    """

    of_test: Callable[[Evidence, Verdict], Any]
    of_run: Callable[[Mapping[str, Any]], str]


@functools.cache
def _names() -> contract.Names:
    return contract.Names(map(conventions.profile, conventions.PROFILES))


def _contract_of_test(evidence: Evidence, _verdict: Verdict) -> Any:
    return contract.scopes_of(evidence.spans, evidence.logs, evidence.metrics, _names())


def _contract(tests: Mapping[str, Any]) -> str:
    return contract.as_json(contract.as_contract(contract.add_all(tests.values())))


def _coverage_of_test(evidence: Evidence, _verdict: Verdict) -> Any:
    return contract.seen_of(evidence.claims, evidence.metric_claims, _names())


def _coverages(tests: Mapping[str, Any]) -> Iterator[contract.Coverage]:
    return contract.coverages(contract.add_all(tests.values()))


def _stored_of_test(evidence: Evidence, _verdict: Verdict) -> Any:
    stored = evidence.stored
    for span in evidence.spans if _is_suspect(evidence, _attribute_names(evidence)) else ():
        if span.key in stored:
            attributes, resource = (_named(evidence, given) for given in (span.attributes, span.resource))
            named = replace(span, attributes=attributes, resource=resource)
            stored = {**stored, span.key: record(named, profile=stored[span.key].server.name)}
    return kept.as_plain(stored.values(), evidence.secrets.masked)


def _named(evidence: Evidence, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {_without(evidence.unwritten, name): value for name, value in attributes.items()}


def _attribute_names(evidence: Evidence) -> list[str]:
    """Return the names of which columns are made: in a column, a secret is in lower case and no longer known."""
    return [name for span in evidence.spans for name in (*span.attributes, *span.resource)]


FORMATS: Mapping[str, Format] = {
    "contract": Format(of_test=_contract_of_test, of_run=_contract),
    "coverage": Format(of_test=_coverage_of_test, of_run=lambda tests: contract.to_markdown(_coverages(tests))),
    "coverage-json": Format(of_test=_coverage_of_test, of_run=lambda tests: contract.to_json(_coverages(tests))),
    "openobserve": Format(of_test=_stored_of_test, of_run=kept.as_file),
    "weaver": Format(of_test=weaver.of_test, of_run=weaver.of_run),
}


def contribution(name: str, evidence: Evidence, verdict: Verdict) -> Any:
    """Return what one trace contributes to a report, without secrets and canaries.

    Secrets are those that the calls carry, and whatever looks like one. Most formats hold only the names of scopes,
    spans, events and attributes, but an instrumentation may put anything into them.

    Args:
        name: The name of the report's format.
        evidence: What is known of the trace.
        verdict: What the checks found in it.
    """
    found = FORMATS[name].of_test(evidence, verdict)
    return _without(evidence.unwritten, found) if _is_suspect(evidence, [json.dumps(found)]) else found


def _is_suspect(evidence: Evidence, texts: list[str]) -> bool:
    """Tell whether texts may hold a secret or a canary; in most traces none does, and none is searched further."""
    search, seen = evidence.unwritten, Glance(texts)
    return seen.may_hold_shape or (len(search) > 0 and search.may_be_in(seen))


def _without(search: Search, data: Any) -> Any:
    if isinstance(data, str):
        text = search.masked(data) if search.within(data) else data
        return masked(text) if may_hold_shape(text, "\n".join(runs_of(text))) else text
    if isinstance(data, Mapping):
        return {_without(search, key): _without(search, value) for key, value in data.items()}
    return [_without(search, item) for item in data] if isinstance(data, list | tuple) else data
