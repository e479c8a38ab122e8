"""The records of a judgement: what was found, how bad it is, and whose fault it may be. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pytest_llmtrace._quick import quick
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.telemetry import SpanKey

__all__ = ["Advice", "Finding", "Known", "Maker", "Severity", "is_scope_of", "normalised"]


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
        scope: The instrumentation scope of its spans; of one that made none, its distribution.
        version: What it gives as its version; empty if it gives none.
    """

    scope: str
    version: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """What a finding is in the words of Weaver's live check, where it has a word for it.

    Attributes:
        id: As `type_mismatch`.
        level: As Weaver gives it, which says nothing of whether a test fails.
        attribute: The attribute that it is about; empty if it is about a metric itself.
        message: What is wrong with it, without its value.
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
        subject: The span or exchange that it is about, in a report's words.
        details: Labelled lines in order: `span`, `wire`, `why`, `next`, ...; a value may have several lines.
        span: The span that it is about, if it is about one.
        makers: Whose fault it may be: who made the spans that it is about, or did not make the one that is missing.
        follows: The checks whose findings on the same span explain this one, the nearest first.
        also: The checks whose findings it explains; what they found is among the details.
        advice: The same in Weaver's words, one an attribute.
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
    """A fault of an instrumentor that is known, and hidden where that version of it runs.

    Attributes:
        check: The id of the check that finds it.
        instrumentor: Its distribution or its scope; `-`, `_` and `.` mean the same. Who made no span has no scope.
        reason: What is known of it, as the issue that was filed.
        versions: The versions that have it, as `<0.63` or `>=1,<1.4`; empty for all.
    """

    check: str
    instrumentor: str
    reason: str
    versions: str = ""


def is_scope_of(scope: str, instrumentor: str) -> bool:
    """Tell whether a scope is an instrumentor's: its name, or a module of it."""
    wanted, parts = normalised(instrumentor), scope.split(".")
    return any(normalised(".".join(parts[:end])) == wanted for end in range(1, len(parts) + 1))


def normalised(name: str) -> str:
    """Return a name in which `-`, `_` and `.` are the same, as those of distributions are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()
