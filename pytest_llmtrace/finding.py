"""The records of a judgement: what was found, how bad it is, and whose fault it may be. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from pytest_llmtrace._quick import quick
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.telemetry import SpanKey

__all__ = ["Advice", "Finding", "Known", "Maker", "Severity", "is_scope_of", "normalised", "with_detail"]


@quick
class Severity(StrEnum):
    """`error` fails the test, `warning` is printed, `info` is in the report only."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True, slots=True)
class Maker:
    """Who made a span, or should have made it.

    Attributes:
        scope: The instrumentation scope of its spans; if it made none, its distribution.
        version: The version that it states; empty if it states none.
    """

    scope: str
    version: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """A finding in the terms of Weaver's live check, where that has a term for it.

    Attributes:
        id: Weaver's kind of advice, such as `type_mismatch`.
        level: Weaver's level for it, which does not decide whether a test fails.
        attribute: The attribute that it is about; empty if it is about a metric itself.
        message: What is wrong with the attribute or metric, without its value.
    """

    id: str
    level: Literal["violation", "improvement", "information"]
    message: str
    attribute: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that a check has found.

    Attributes:
        check: The check's id, as `structure/span-never-ended`.
        severity: Whether it fails the test, is printed, or is in the report only.
        subject: The span or exchange that it is about, in the words of a report.
        details: Labelled lines in order: `span`, `wire`, `why`, `next`, ...; a value may have several lines.
        span: The span that it is about, if it is about one.
        makers: Whose fault it may be: the makers of the spans that it is about, or of the span that is missing.
        follows: The checks whose findings on the same span explain this one, the nearest first.
        also: The checks whose findings it explains; what they found is among the details.
        advice: The finding in Weaver's terms, one piece of advice per attribute.
    """

    check: str
    severity: Severity
    subject: str
    details: tuple[tuple[str, str], ...] = ()
    span: SpanKey | None = None
    makers: tuple[Maker, ...] = ()
    follows: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A known fault of an instrumentor; findings on it are hidden where an affected version runs.

    Attributes:
        check: The id of the check that finds the fault.
        instrumentor: The instrumentor's distribution or scope; `-`, `_` and `.` mean the same. An instrumentor that
            made no span has no scope.
        reason: What is known of the fault, such as the issue that was filed.
        versions: The versions that have the fault, such as `<0.63` or `>=1,<1.4`; empty for all.
    """

    check: str
    instrumentor: str
    reason: str
    versions: str = ""


def with_detail(finding: Finding, label: str, text: str) -> Finding:
    """Return a finding with one more detail, which stands before the reason, after what was seen."""
    details = finding.details
    at = next((index for index, (known, _) in enumerate(details) if known == "why"), len(details))
    return replace(finding, details=(*details[:at], (label, text), *details[at:]))


def is_scope_of(scope: str, instrumentor: str) -> bool:
    """Tell whether a scope is an instrumentor's: its name, or a module of it."""
    wanted, parts = normalised(instrumentor), scope.split(".")
    return any(normalised(".".join(parts[:end])) == wanted for end in range(1, len(parts) + 1))


def normalised(name: str) -> str:
    """Return a name in lower case in which `-`, `_` and `.` are the same, as names of distributions are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()
