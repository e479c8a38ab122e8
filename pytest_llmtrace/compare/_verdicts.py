"""Judge an instrumentor by one call: a verdict for each fact that the wire states or the span claims."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any

from pytest_llmtrace.checks import COMPARISONS, Comparison, Evidence, Verdict, is_empty
from pytest_llmtrace.model import Finding, Reading, State

__all__ = ["Cell", "verdicts"]


class Cell(StrEnum):
    """The verdict on what an instrumentor makes of one fact of one call."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSENT = "absent"  # the wire states it, the convention has a place for it, and the span does not say it
    NO_PLACE = "no place"  # the convention has nowhere to say it


_MODELS = ("request_model", "response_model")


def verdicts(evidence: Evidence, verdict: Verdict) -> dict[str, Any]:
    """Return the spans, verdicts and findings of a trace of one call as plain data."""
    wrong = {check for finding in verdict.findings for check in (finding.check, *finding.also)}
    return {
        "spans": [f"{span.name} ({span.scope})" for call in evidence.calls for span in call.spans],
        "facts": {check.id: cell.value for check, cell in _cells(evidence, wrong)},
        "findings": [_plain(finding) for finding in verdict.findings],
    }


def _cells(evidence: Evidence, wrong: AbstractSet[str]) -> Iterator[tuple[Comparison, Cell]]:
    for call in evidence.calls:
        for reading in call.readings:
            for check in COMPARISONS:
                cell = Cell.WRONG if check.id in wrong else _cell(call.truth, reading, check)
                if cell is not None:
                    yield check, cell


def _cell(truth: Reading | None, reading: Reading, check: Comparison) -> Cell | None:
    if truth is None or truth.fact(check.fact).state is not State.PRESENT:
        return None
    mine = [reading.fact(name) for name in check.about if reading.has_place_for(name)]
    if any(fact.state is State.PRESENT for fact in mine):
        return Cell.RIGHT
    if check.fact in _MODELS and reading.model:
        return None  # The span names the model in its one place for both models, which has a row of its own.
    if mine and is_empty(truth.fact(check.fact).value):
        return None  # A span need not say that nothing was read from a cache, or that the reply is not a stream.
    return Cell.ABSENT if mine else Cell.NO_PLACE


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "severity": finding.severity.value,
        "subject": finding.subject,
        "also": list(finding.also),
    }
