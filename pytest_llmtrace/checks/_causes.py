"""One cause, one finding: a finding that follows from another one on the same span is reported within that one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_llmtrace.finding import with_detail
from pytest_llmtrace.model import Finding, Severity, SpanKey

__all__ = ["one_a_cause"]

_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}


def one_a_cause(findings: Iterable[Finding]) -> list[Finding]:
    """Merge each finding that follows from another one into that other one.

    A finding names the checks whose findings on the same span explain it (`Finding.follows`). If there is such a
    finding, and it is no less severe, it is reported alone, and says what else is wrong because of it: whoever puts it
    right has put both right, and one waiver is enough for both.

    Returns:
        The findings that follow from no other one, in their order; their `follows` is empty.
    """
    findings = list(findings)
    if not any(finding.follows for finding in findings):
        return findings
    by_check = {(finding.span, finding.check): finding for finding in findings if finding.span is not None}
    followers: dict[int, list[Finding]] = {}
    causes = []
    for finding in findings:
        root = _root(finding, by_check)
        if root is finding:
            causes.append(finding)
        else:
            followers.setdefault(id(root), []).append(finding)
    return [_with(cause, followers.get(id(cause), [])) for cause in causes]


def _root(finding: Finding, by_check: dict[tuple[SpanKey, str], Finding]) -> Finding:
    """Return the first cause in a chain of them: a total may follow from its input, that from its cached part."""
    passed = {finding.check}
    while finding.span is not None:
        causes = (by_check.get((finding.span, check)) for check in finding.follows if check not in passed)
        cause = next((one for one in causes if one and _RANK[one.severity] >= _RANK[finding.severity]), None)
        if cause is None:
            break
        finding = cause
        passed.add(cause.check)
    return finding


def _with(cause: Finding, followers: list[Finding]) -> Finding:
    if not followers:
        return replace(cause, follows=())
    also = "\n".join(line for follower in followers for line in _lines(follower))
    told = with_detail(cause, "also", also)
    return replace(told, follows=(), also=tuple(follower.check for follower in followers))


def _lines(finding: Finding) -> Iterator[str]:
    said = next((text for label, text in finding.details if label == "span"), finding.subject)
    yield from (f"{line}  ({finding.check})" for line in said.splitlines())
