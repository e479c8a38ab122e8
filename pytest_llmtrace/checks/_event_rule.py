"""A rule about events is data: what a convention says of one event, on a span or as a log record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmtrace.checks._check import Check, Evidence, title_of_span
from pytest_llmtrace.checks._event_claims import EventClaim
from pytest_llmtrace.checks._misspelt import or_rename
from pytest_llmtrace.checks._rule import Breach, as_advised, cut
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.model import Finding, Severity

__all__ = ["EventRule", "event_advised", "event_rule"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EventRule(Check):
    """A check that looks at each event that is compared with a convention.

    Attributes:
        judge: As in a rule about spans, returns a breach, True if an event keeps the rule, False if it does not apply.
        unasked: As in a rule about spans.
    """

    judge: Callable[[EventClaim], Breach | bool]
    unasked: Severity | None = None


def event_rule(**fields: Any) -> EventRule:
    """Make a rule about events; its advice is to fix the instrumentation, unless `next` says otherwise."""
    return EventRule(look=_look, about=("event_claims",), **{"next": "fix the instrumentation", **fields})


def event_advised(**fields: Any) -> EventRule:
    """Make a rule about what a convention only advises: findings are `info` unless `conventions=` names that."""
    return event_rule(**as_advised(fields))


def _look(check: EventRule, evidence: Evidence) -> Iterator[Finding | None]:
    """Judge all events; the same breach on several events of one scope and name is one finding, about the first."""
    groups: dict[object, list[tuple[EventClaim, Breach]]] = {}
    for claim in evidence.event_claims:
        found = check.judge(claim)
        if found is True:
            yield None
        elif found:
            alike = (claim.maker, claim.profile.name, claim.name, claim.is_log, found.names, found.severity)
            own = claim.span.key if found.follows and claim.span else None  # As for spans: it may be explained there.
            groups.setdefault((alike, own), []).append((claim, found))
    for group in groups.values():
        yield from [None] * (len(group) - 1)
        yield _finding(check, *group[0], others=len(group) - 1)


def _finding(check: EventRule, claim: EventClaim, found: Breach, *, others: int) -> Finding:
    profile = claim.profile
    finding = check.finding(
        _title(claim),
        ("event", "\n".join((*cut(found.said), *_more(others)))),
        ("rule", "\n".join((*cut(found.wanted), f"{profile.name}, {profile.source}"))),
        next=_next(check, claim, found),
        makers=(claim.maker,),
        follows=found.follows,
        advice=found.advice,
    )
    severity = found.severity or (None if claim.is_wanted else check.unasked)
    return replace(finding, span=claim.span.key if claim.span else None, severity=severity or finding.severity)


def _title(claim: EventClaim) -> str:
    if claim.is_log or claim.span is None:
        inside = f" in span {shown(claim.span.name)}" if claim.span else ""
        return f"log record {shown(claim.name)} ({claim.maker.scope}){inside}"
    return f"event {shown(claim.name)} of {title_of_span(claim.span)}"


def _more(number: int) -> tuple[str, ...]:
    return (f"and {number:,} more {'event' if number == 1 else 'events'} of this name and scope",) if number else ()


def _next(check: EventRule, claim: EventClaim, found: Breach) -> str:
    lacks = ((name,) for name in found.lacks)
    return or_rename(found.next or check.next, claim.all_attributes, lacks, own=claim.own, holder="the event")
