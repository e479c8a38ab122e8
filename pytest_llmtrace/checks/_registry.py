"""All checks in the order of a report, and how they judge."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import NamedTuple

from pytest_llmtrace._collector import uncollected
from pytest_llmtrace.checks import (
    agents,
    backend,
    capture,
    conventions,
    durations,
    errors,
    executed,
    leaving,
    metric_attributes,
    metrics,
    privacy,
    replay,
    runs,
    stream,
    structure,
    wire,
)
from pytest_llmtrace.checks._causes import one_a_cause
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._compare import Comparison, agreed
from pytest_llmtrace.checks._rule import Rule, kept
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Finding, Severity

__all__ = ["CHECKS", "UNUSED_WAIVER", "Verdict", "known_ids", "refuse_unknown", "verify", "waiver_of"]

UNUSED_WAIVER = Check(
    id="waiver/unused",
    title="Every waiver hides something",
    why="a waiver that hides nothing will hide the next fault of its kind",
    next="remove it",
    look=lambda _check, _evidence: iter(()),  # Judged by `verify`, which alone knows the waivers.
    severity=Severity.WARNING,
    whole_runs_only=True,
)

CHECKS: tuple[Check, ...] = (
    *replay.CHECKS,
    *capture.CHECKS,
    *structure.CHECKS,
    *stream.CHECKS,
    *errors.CHECKS,
    *leaving.CHECKS,
    *wire.CHECKS,
    *metrics.CHECKS,
    *metric_attributes.CHECKS,
    *durations.CHECKS,
    *agents.CHECKS,
    *executed.CHECKS,
    *runs.CHECKS,
    *conventions.CHECKS,
    *privacy.CHECKS,
    *backend.CHECKS,
    UNUSED_WAIVER,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the checks found in a trace.

    Attributes:
        findings: The findings that stand.
        waived: The findings that a waiver hides.
        looked_at: How many things were looked at, summed over the checks.
        whole: Whether the trace ran to its end and every request was answered, so that what was not found is missing.
        known: The findings that are hidden as known faults of an instrumentor.
        expected: The findings that are hidden because the baseline names them.
    """

    findings: tuple[Finding, ...]
    waived: tuple[Finding, ...]
    looked_at: int
    whole: bool = True
    known: tuple[Finding, ...] = ()
    expected: tuple[Finding, ...] = ()

    @classmethod
    def none(cls) -> Verdict:
        """Return an empty verdict, for a trace that no check has looked at."""
        return cls(findings=(), waived=(), looked_at=0, whole=False)

    @property
    def worth_saying(self) -> bool:
        """Whether a finding stands that is more severe than `info`, which is in the report only."""
        return any(finding.severity is not Severity.INFO for finding in self.findings)


@cache
def known_ids() -> frozenset[str]:
    """Return the ids of all checks."""
    return frozenset(check.id for check in CHECKS)


def refuse_unknown(ignore: Mapping[str, str]) -> None:
    """Refuse waivers that name neither a check nor a family of checks, or give no reason.

    Raises:
        UsageError: If there is such a waiver.
    """
    for waived_id, reason in ignore.items():
        if waived_id not in _waivable():
            raise UsageError.unknown("check id in ignore=", waived_id, _waivable())
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(f"ignore={{{waived_id!r}: ...}} wants a reason in words")


def waiver_of(finding: Finding, ignore: Mapping[str, str]) -> str | None:
    """Return the waiver that hides a finding: the id of its check, else its family; None if no waiver does."""
    return next((name for name in (finding.check, _family(finding.check)) if name in ignore), None)


@cache
def _waivable() -> frozenset[str]:
    return known_ids() | {_family(known) for known in known_ids() - {UNUSED_WAIVER.id}}


def _family(check_id: str) -> str:
    return f"{check_id.partition('/')[0]}/*"


@uncollected
def verify(
    evidence: Evidence,
    ignore: Mapping[str, str],
    *,
    shared: Container[str] = (),
    complete: bool = True,
    hidden: Iterable[Finding] = (),
) -> Verdict:
    """Let all checks judge a trace.

    Args:
        evidence: The trace.
        ignore: Waivers: check id or family to reason.
        shared: The waivers that are not reported if they hide nothing here, since other tests have them too.
        complete: Whether the trace ran to its end. If not (the test failed), checks of what is missing are skipped, and
            waivers that hid nothing are not reported.
        hidden: The findings that the waivers have hidden in an earlier judgement of the same trace.

    Raises:
        UsageError: If a waiver names neither a check nor a family of checks, or gives no reason.
    """
    refuse_unknown(ignore)
    # Whatever else is missing after a refused request is missing because of that: one cause, one finding.
    whole = complete and not any(replay.UNMATCHED.look(replay.UNMATCHED, evidence))
    looked_at, seen = _looked(_concerned(evidence.there, whole=whole), evidence)
    if not seen and not ignore:
        return Verdict(findings=(), waived=(), looked_at=looked_at, whole=whole)
    found = [_hidden(finding, evidence) for finding in one_a_cause(seen)]
    standing = [finding for finding in found if waiver_of(finding, ignore) is None]
    waived = tuple(finding for finding in found if waiver_of(finding, ignore) is not None)
    if whole:
        used = {waiver_of(finding, ignore) for finding in (*waived, *hidden)}
        unused = [name for name in ignore if name not in used and name not in shared]
        standing += [_unused(name, ignore[name]) for name in unused]
    return Verdict(findings=tuple(standing), waived=waived, looked_at=looked_at, whole=whole)


class _Asked(NamedTuple):
    """The checks to run on a trace: all; the rules among them; the comparisons; the others, which are neither."""

    all: tuple[Check, ...]
    rules: tuple[Rule, ...]
    comparisons: tuple[Comparison, ...]
    others: tuple[Check, ...]


@lru_cache(maxsize=256)
def _concerned(there: frozenset[str], *, whole: bool) -> _Asked:
    """Return the checks to run. Half of all checks find nothing to look at, and most tests need the same half."""
    asked = [check for check in CHECKS if not check.about or not there.isdisjoint(check.about)]
    asked = [check for check in asked if (whole or not check.whole_runs_only) and check is not UNUSED_WAIVER]
    return _Asked(
        all=tuple(asked),
        rules=tuple(check for check in asked if isinstance(check, Rule)),
        comparisons=tuple(check for check in asked if isinstance(check, Comparison)),
        others=tuple(check for check in asked if not isinstance(check, Rule | Comparison)),
    )


def _looked(asked: _Asked, evidence: Evidence) -> tuple[int, list[Finding]]:
    """Run the checks; return how many things they looked at, and the findings in the order of the checks.

    Most traces keep all rules and agree with the wire in all comparisons. One pass over the rules, and one over the
    comparisons, shows that; if it fails, they are run one by one.
    """
    keeps, agrees = kept(asked.rules, evidence), agreed(asked.comparisons, evidence)
    left = asked.others
    if keeps is None or agrees is None:
        settled = (Rule,) * (keeps is not None) + (Comparison,) * (agrees is not None)
        left = tuple(check for check in asked.all if not isinstance(check, settled))
    seen = [finding for check in left for finding in check.look(check, evidence)]
    return (keeps or 0) + (agrees or 0) + len(seen), [finding for finding in seen if finding is not None]


def _hidden(finding: Finding, evidence: Evidence) -> Finding:
    """Mask the secrets of a trace in a finding, since it is printed, kept and sent around.

    Its subject is also written to a baseline, so all canaries are masked in that.
    """
    if not len(evidence.unwritten):
        return finding
    details = tuple((label, evidence.secrets.masked(text)) for label, text in finding.details)
    return replace(finding, subject=evidence.unwritten.masked(finding.subject), details=details)


def _unused(waived_id: str, reason: str) -> Finding:
    return Finding(
        check=UNUSED_WAIVER.id,
        severity=UNUSED_WAIVER.severity,
        subject=f"ignore={{{waived_id!r}: {reason!r}}}",
        details=(
            ("found", f"this test has no finding of {waived_id}"),
            ("why", UNUSED_WAIVER.why),
            ("next", UNUSED_WAIVER.next),  # No advice to add a waiver: that would hide nothing, either.
        ),
    )
