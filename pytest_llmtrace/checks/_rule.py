"""A rule is data: what a convention says of one span, whoever made it, whatever call it tells of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.model import Advice, Finding, Severity

__all__ = ["Breach", "Rule", "advised", "as_advised", "cut", "kept", "rule"]

_MOST = 8
"""Lines of one finding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """What one span does against one rule.

    Attributes:
        names: What it does it with, without values: by this, spans of one scope do the same.
        said: What the span says, a line each.
        wanted: What the convention says, a line each.
        advice: The same in Weaver's words.
        follows: The checks whose findings on the same span explain it.
        next: What to do about just this.
    """

    names: tuple[str, ...]
    said: tuple[str, ...]
    wanted: tuple[str, ...] = ()
    advice: tuple[Advice, ...] = ()
    follows: tuple[str, ...] = ()
    next: str = ""


def _always(_claim: Claim) -> bool:
    return True


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule(Check):
    """A check that looks at each span that claims to keep a convention.

    Attributes:
        judge: Returns the breach of a span; else whether the rule applies to it, and it keeps it.
        may: Whether it can apply to a span with such names, of such a type, whatever the values.
        by_names: Whether the names of a span, its type and its kind decide whether it keeps the rule.
        unasked: The severity where nobody has named the convention that spans are to keep, if that makes a difference.
    """

    judge: Callable[[Claim], Breach | bool]
    may: Callable[[Claim], bool] = _always
    by_names: bool = False
    unasked: Severity | None = None


def rule(**fields: Any) -> Rule:
    """Make a rule; unless it says more, what to do is to put the instrumentation right."""
    return Rule(look=_look, **{"next": "fix the instrumentation", **fields})


def advised(**fields: Any) -> Rule:
    """Make a rule about what a convention advises: in the report only, until `conventions=` names it as wanted.

    Who uses an instrumentor cannot mend its spans, and has not chosen its convention.
    """
    return rule(**as_advised(fields))


def as_advised(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a rule about what a convention advises."""
    only = "Of the severity `info` where `conventions=` names no convention."
    said = f"{fields.get('compares', '')} {only}".strip()
    return {"severity": Severity.WARNING, "unasked": Severity.INFO, **fields, "compares": said}


def kept(rules: tuple[Rule, ...], evidence: Evidence) -> int | None:
    """Count what some rules look at in a trace that keeps all of them; None if it breaks one.

    Most keep all, and this is one pass over those that can apply at all.
    """
    looked = 0
    for claim in evidence.claims:
        settled, others = _applying(rules, claim)
        looked += settled
        for rule in others:
            found = rule.judge(claim)
            if found is True:
                looked += 1
            elif found:
                return None
    return looked


def _applying(rules: tuple[Rule, ...], claim: Claim) -> tuple[int, tuple[Rule, ...]]:
    """Count the rules that a span keeps by its names, and choose the others that can apply to it.

    Once for all spans of its names, type and kind.
    """
    form, chosen = (rules, claim.span_type, claim.span.kind, claim.is_wanted, claim.own), claim.sheet.chosen
    found: tuple[int, tuple[Rule, ...]] | None = chosen.get(form)
    if found is None:
        applying = [rule for rule in rules if rule.may(claim)]
        settled = {rule: rule.judge(claim) for rule in applying if rule.by_names}
        others = tuple(rule for rule in applying if not isinstance(settled.get(rule), bool))
        found = chosen[form] = sum(kept is True for kept in settled.values()), others
    return found


def _look(check: Rule, evidence: Evidence) -> list[Finding | None]:
    """Judge all spans. What several spans of one scope do alike is one finding, at the first of them."""
    looked: list[Finding | None] = []
    broken: list[tuple[Claim, Breach]] = []
    for claim in evidence.claims:
        found = check.judge(claim)
        if found is True:
            looked.append(None)
        elif found:
            broken.append((claim, found))
    return [*looked, *_grouped(check, broken)] if broken else looked


def _grouped(check: Rule, broken: list[tuple[Claim, Breach]]) -> Iterator[Finding | None]:
    groups: dict[object, list[tuple[Claim, Breach]]] = {}
    for claim, found in broken:
        alike = (claim.span.scope, claim.profile.name, claim.span.name, found.names, found.follows)
        # What another finding explains has to stay with the span of that one.
        groups.setdefault((alike, claim.span.key if found.follows else None), []).append((claim, found))
    for group in groups.values():
        yield from [None] * (len(group) - 1)
        yield _finding(check, *group[0], others=len(group) - 1)


def _finding(check: Rule, claim: Claim, found: Breach, *, others: int) -> Finding:
    profile = claim.profile
    finding = check.finding(
        claim.span,
        ("span", "\n".join((*cut(found.said), *_others(others)))),
        ("rule", "\n".join((*cut(found.wanted), f"{profile.name}, {profile.source}"))),
        next=found.next,
        follows=found.follows,
        advice=found.advice,
    )
    return finding if claim.is_wanted or check.unasked is None else replace(finding, severity=check.unasked)


def cut(lines: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines that one finding has room for."""
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield f"and {len(lines) - _MOST:,} more"


def _others(number: int) -> Iterator[str]:
    if number:
        yield f"and {number:,} more {'span' if number == 1 else 'spans'} of this name and scope"
