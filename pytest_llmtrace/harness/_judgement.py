"""What the checks say of one trace: when it ends, and of what fixtures do after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_llmtrace import report, waivers
from pytest_llmtrace.checks import Evidence, Verdict
from pytest_llmtrace.model import Settings, Severity

__all__ = ["Judgement"]


class Judgement:
    """The last judgement of a trace.

    Args:
        settings: What hides findings, and which fail.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._late: tuple[Evidence, Verdict] | None = None
        self._complete = False
        self._account: dict[str, Any] | None = None
        self.last: tuple[Evidence, Verdict] | None = None

    def judge(self, evidence: Evidence, *, complete: bool) -> tuple[Evidence, Verdict]:
        """Judge a trace; `complete` is False if the code under test failed midway."""
        self._complete = complete
        self._account = None
        self.last = evidence, waivers.judge(evidence, self._settings, complete=complete)
        return self.last

    def fails(self, verdict: Verdict, *, asked: bool = False) -> bool:
        """Tell whether a verdict fails the test under these settings.

        Args:
            verdict: What was found.
            asked: Whether the test itself asks, which counts also where nothing is verified by itself.
        """
        if self._settings.verify == "warn" or (self._settings.verify is False and not asked):
            return False
        failing = {Severity.ERROR, Severity.WARNING} if self._settings.strict else {Severity.ERROR}
        return any(finding.severity in failing for finding in verdict.findings)

    def report(self, evidence: Evidence, verdict: Verdict) -> str:
        """Write the report on a judgement."""
        return report.render(self._settings.label, evidence, verdict)

    def late_report(self, evidence: Evidence) -> tuple[Verdict, str]:
        """Judge what came after the last judgement; return that, and the report if it fails.

        What the baseline names and the last judgement has not hidden may be here.
        """
        left = Counter(self._settings.expected)
        left.subtract(waivers.key_of(finding) for finding in (self.last[1].expected if self.last else ()))
        # Which waivers hide nothing has been said.
        settings = replace(self._settings, expected=+left, shared=dict.fromkeys(self._settings.ignore, ""))
        verdict = waivers.judge(evidence, settings, complete=bool(evidence.leftovers))
        self._late = evidence, verdict
        self._account = None
        return verdict, self._late_text() if self.fails(verdict) else ""

    def _late_text(self) -> str:
        return report.render(f"{self._settings.label}, after the test", *self._late) if self._late else ""

    def account(self, seen: Callable[[], tuple[Evidence, Verdict]]) -> dict[str, Any]:
        """Count what the last judgement has seen and what was hidden, as plain data; made once.

        `remark` is the report on findings that do not fail the test, which nobody would print otherwise.

        Args:
            seen: Returns the last judgement; asked only when there is no account yet.
        """
        if self._account is None:
            evidence, verdict = seen()
            late_evidence, late = self._late or (Evidence(), Verdict.none())
            counted, after = report.account(evidence, verdict), report.account(late_evidence, late)
            hidden = waivers.account(evidence, verdict, self._settings)
            remarks = [self.report(evidence, verdict)] if self._is_remark(verdict) else []
            remarks += [self._late_text()] if self._is_remark(late) else []
            self._account = {
                **counted,
                **hidden,
                "exchanges": dict(Counter(counted["exchanges"]) + Counter(after["exchanges"])),
                "findings": counted["findings"] + after["findings"],
                "complete": self._complete,
                "expected": dict(hidden["expected"] + Counter(map(waivers.key_of, late.expected))),
                "reports": {name: report.contribution(name, evidence, verdict) for name in self._settings.reports},
                "remark": "\n\n".join(remarks),
            }
        return self._account

    def _is_remark(self, verdict: Verdict) -> bool:
        """Tell whether there is something to say that fails nothing."""
        return bool(self._settings.verify) and verdict.worth_saying and not self.fails(verdict)
