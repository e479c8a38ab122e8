"""What `lint` found, as text and as JSON. Neither holds a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from pytest_llmtrace._lines import counted
from pytest_llmtrace.model import Severity
from pytest_llmtrace.upkeep._lint import Finding, Report

__all__ = ["json_of", "text_of_report"]

_MOST_SHOWN = 8


def text_of_report(report: Report, *, verbose: bool) -> Iterator[str]:
    """Yield a block for each finding (infos only if `verbose`), and a summary."""
    for finding in report.findings:
        if verbose or finding.severity is not Severity.INFO:
            yield from _block(finding)
            yield ""
    yield from _summary(report, verbose=verbose)


def _block(finding: Finding) -> Iterator[str]:
    where = finding.file if finding.line is None else f"{finding.file}:{finding.line}"
    yield f"{finding.severity:<7}  {finding.kind}  {where}{_interactions(finding.interactions)}"
    for label, text in (
        ("place", finding.place),
        ("found", finding.found),
        ("why", finding.why),
        ("next", finding.next),
    ):
        if text:
            yield f"         {label:<6} {text}"


def _interactions(indexes: tuple[int, ...]) -> str:
    if not indexes:
        return ""
    shown = ", ".join(map(str, indexes[:_MOST_SHOWN]))
    more = f" and {len(indexes) - _MOST_SHOWN} more" if len(indexes) > _MOST_SHOWN else ""
    return f"  interaction{'' if len(indexes) == 1 else 's'} {shown}{more}"


def _summary(report: Report, *, verbose: bool) -> Iterator[str]:
    infos = report.count(Severity.INFO)
    hint = " (-v shows them)" if infos and not verbose else ""
    counts = (
        counted(report.count(Severity.ERROR), "error"),
        counted(report.count(Severity.WARNING), "warning"),
        counted(infos, "info") + hint,
    )
    yield f"{counted(report.files, 'file')}, {counted(report.interactions, 'interaction')}: {', '.join(counts)}"
    if report.dates:
        oldest, file = min(report.dates)
        newest = max(report.dates)[0]
        silent = report.files - len(report.dates)
        rest = f"; {counted(silent, 'file')} without a date" if silent else ""
        yield f"recorded from {oldest} ({file}) to {newest}{rest}"
    if report.no_cassettes:
        first = report.no_cassettes[0]
        rest = f" and {len(report.no_cassettes) - 1} more" if len(report.no_cassettes) > 1 else ""
        yield f"passed over, not a cassette: {first}{rest}"


def json_of(report: Report) -> str:
    """Return everything as one JSON object."""
    days = [day for day, _ in report.dates]
    document = {
        "version": 1,
        "files": report.files,
        "interactions": report.interactions,
        "no_cassettes": report.no_cassettes,
        "recorded": {"from": str(min(days)), "to": str(max(days))} if days else None,
        "findings": [asdict(finding) for finding in report.findings],
    }
    return json.dumps(document, indent=1)
