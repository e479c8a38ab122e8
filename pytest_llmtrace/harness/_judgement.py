"""The judgement of one trace by the checks: when it ends, and again on what fixtures do after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_llmtrace import report, waivers
from pytest_llmtrace.checks import Evidence, Verdict
from pytest_llmtrace.model import Finding, Settings, Severity

__all__ = ["Judgement"]


class Judgement:
    """The last judgement of a trace.

    Args:
        settings: The settings that say which findings are hidden, and which fail the test.
        is_block: Whether the trace has no marker, but is a block that takes the marker's arguments itself.
    """

    def __init__(self, settings: Settings, *, is_block: bool = False) -> None:
        self.settings = settings
        self.is_block = is_block
        self._late: tuple[Evidence, Verdict] | None = None
        self._complete = False
        self._to_be_called = False
        self._account: dict[str, Any] | None = None
        self.last: tuple[Evidence, Verdict] | None = None

    def judge(self, evidence: Evidence, *, complete: bool, to_be_called: bool) -> tuple[Evidence, Verdict]:
        """Judge a trace, and return the evidence with the verdict.

        Args:
            evidence: The trace.
            complete: False if the code under test failed midway.
            to_be_called: Whether fixtures may still make calls; then `late_report` says which waivers hide nothing.
        """
        self._complete = complete
        self._account = None
        settings = self._with_shared_waivers() if to_be_called else self.settings
        self.last = evidence, self._worded(waivers.judge(evidence, settings, complete=complete))
        self._to_be_called = to_be_called and self.last[1].whole
        return self.last

    def _with_shared_waivers(self) -> Settings:
        """Return settings in which every waiver may hide nothing without being reported."""
        ignore, shared = self.settings.ignore, self.settings.shared
        return replace(self.settings, shared={**dict.fromkeys(ignore, ""), **shared})

    def _worded(self, verdict: Verdict) -> Verdict:
        """Return a verdict whose findings name the place where this trace takes waivers."""
        return replace(verdict, findings=tuple(map(_of_block, verdict.findings))) if self.is_block else verdict

    def fails(self, verdict: Verdict, *, asked: bool = False) -> bool:
        """Tell whether a verdict fails the test under these settings.

        Args:
            verdict: What was found.
            asked: Whether the test itself has called `verify`, which counts even with `verify=False`.
        """
        if self.settings.verify == "warn" or (self.settings.verify is False and not asked):
            return False
        failing = {Severity.ERROR, Severity.WARNING} if self.settings.strict else {Severity.ERROR}
        return any(finding.severity in failing for finding in verdict.findings)

    def report(self, evidence: Evidence, verdict: Verdict) -> str:
        """Write the report on a judgement."""
        return report.render(self.settings.label, evidence, verdict)

    def late_report(self, evidence: Evidence | None) -> tuple[Verdict, str]:
        """Judge what came after the last judgement; return the verdict, and the report if it fails, else an empty text.

        Findings that the baseline names and that did not occur in the last judgement are expected here.

        Args:
            evidence: What is new; None if nothing is.
        """
        if self.last is None or (evidence is None and not (self._to_be_called and self.settings.ignore)):
            return Verdict.none(), ""
        evidence, before = evidence or Evidence(), self.last[1]
        left = Counter(self.settings.expected)
        left.subtract(waivers.key_of(finding) for finding in before.expected)
        # Waivers that hide nothing are reported only once.
        settings = replace(self.settings if self._to_be_called else self._with_shared_waivers(), expected=+left)
        verdict = self._worded(waivers.judge(evidence, settings, complete=self._complete, hidden=before.waived))
        self._late = evidence, verdict
        self._account = None
        return verdict, self._late_text() if self.fails(verdict) else ""

    def _late_text(self) -> str:
        return report.render(f"{self.settings.label}, after the test", *self._late) if self._late else ""

    def account(self, seen: Callable[[], tuple[Evidence, Verdict]]) -> dict[str, Any]:
        """Return counts of what the last judgement saw and of what was hidden, as plain data; counted once.

        `remark` is the report on findings that do not fail the test, which nothing else prints.

        Args:
            seen: Returns the last judgement; asked only when there is no account yet.
        """
        if self._account is None:
            evidence, verdict = seen()
            counted, hidden = report.account(evidence, verdict), waivers.account(evidence, verdict, self.settings)
            remarks = [self.report(evidence, verdict)] if self._is_remark(verdict) else []
            if self._late:
                counted = _added(counted, report.account(*self._late))
                hidden = _added(hidden, waivers.account(*self._late, self.settings))
                remarks += [self._late_text()] if self._is_remark(self._late[1]) else []
            self._account = {
                **counted,
                **hidden,
                "whole": verdict.whole,
                "complete": self._complete,
                "reports": {name: report.contribution(name, evidence, verdict) for name in self.settings.reports},
                "remark": "\n\n".join(remarks),
            }
        return self._account

    def _is_remark(self, verdict: Verdict) -> bool:
        """Tell whether a verdict has findings to print that do not fail the test."""
        return bool(self.settings.verify) and verdict.worth_saying and not self.fails(verdict)


def _of_block(finding: Finding) -> Finding:
    """Return a finding that says how a block is given a waiver, and not how a test is."""
    details = (
        (label, text.replace("@pytest.mark.llmtrace(", "LLMTrace(") if label == "next" else text)
        for label, text in finding.details
    )
    return replace(finding, details=tuple(details))


def _added(account: dict[str, Any], late: dict[str, Any]) -> dict[str, Any]:
    """Add up the counts of a test and those of what came after it: numbers, lists, and numbers by name."""
    return {
        name: dict(Counter(value) + Counter(late[name])) if isinstance(value, dict) else value + late[name]
        for name, value in account.items()
    }
