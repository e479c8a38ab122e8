"""The files that a run writes about itself, by the names of their forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace.checks import Evidence, Verdict
from pytest_llmtrace.report import contracts, stored, weaver

__all__ = ["FORMATS", "Format"]


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
