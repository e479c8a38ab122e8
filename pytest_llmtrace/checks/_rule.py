"""A rule is data: what a convention says about any one span, whoever made it and whatever call it describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._misspelt import or_rename
from pytest_llmtrace.checks._words import more_spans
from pytest_llmtrace.model import Advice, Finding, Severity

__all__ = ["Breach", "Rule", "advised", "always", "as_advised", "cut", "kept", "rule"]

_MOST = 8
"""How many lines of what a span says, or of what the convention says, one finding shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """How one span breaks one rule.

    Attributes:
        names: What breaks the rule, without values. Spans of one scope and name that share it are reported together.
        said: What the span says, in lines.
        wanted: What the convention says, in lines.
        advice: The same breach in the words of Weaver's live check.
        follows: The checks whose findings on the same span explain this breach.
        next: What to do about just this breach; if empty, the rule's own `next` is used.
        severity: A severity for just this breach; if None, the rule's own is used.
        lacks: The attributes that are missing: what there is under nearly their names is to be renamed.
    """

    names: tuple[str, ...]
    said: tuple[str, ...]
    wanted: tuple[str, ...] = ()
    advice: tuple[Advice, ...] = ()
    follows: tuple[str, ...] = ()
    next: str = ""
    severity: Severity | None = None
    lacks: tuple[str, ...] = ()


def always(_claim: Claim) -> bool:
    """Say yes of any span: the value for `may` and `by_names` of a rule that makes no exception."""
    return True


def _never(_claim: Claim) -> bool:
    return False


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule(Check):
    """A check that looks at each span that claims to keep a convention.

    Attributes:
        judge: Returns the breach if a span breaks the rule, True if it keeps it, and False if the rule does not apply.
        may: Tells whether the rule can apply to a span with these attribute names and this type, whatever the values.
        by_names: Tells whether the attribute names, the type and the kind of a span alone decide whether it keeps the
            rule.
        unasked: The severity if `conventions=` does not name the convention; None if that makes no difference.
    """

    judge: Callable[[Claim], Breach | bool]
    may: Callable[[Claim], bool] = always
    by_names: Callable[[Claim], bool] = _never
    unasked: Severity | None = None


def rule(**fields: Any) -> Rule:
    """Make a rule; its advice is to fix the instrumentation, unless `next` says otherwise."""
    return Rule(look=_look, **{"next": "fix the instrumentation", **fields})


def advised(**fields: Any) -> Rule:
    """Make a rule about what a convention only advises: findings are `info` unless `conventions=` names that.

    Whoever uses an instrumentor cannot change its spans, and has not chosen its convention.
    """
    return rule(**as_advised(fields))


def as_advised(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the given fields of a rule, with the severities of advice, which `compares` then explains."""
    only = "The severity is `info` unless `conventions=` names the convention."
    said = f"{fields.get('compares', '')} {only}".strip()
    return {"severity": Severity.WARNING, "unasked": Severity.INFO, **fields, "compares": said}


def kept(rules: tuple[Rule, ...], evidence: Evidence) -> int | None:
    """Return how many things some rules looked at, if the trace keeps all of them; None if it breaks one.

    Most traces keep all rules, and this is one pass over the rules that can apply at all.
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
    """Return how many rules a span keeps by its attribute names alone, and the other rules that can apply to it.

    This is decided once for all spans with the same names, type and kind.
    """
    form, chosen = (rules, claim.span_type, claim.span.kind, claim.is_wanted, claim.own), claim.sheet.chosen
    found: tuple[int, tuple[Rule, ...]] | None = chosen.get(form)
    if found is None:
        applying = [rule for rule in rules if rule.may(claim)]
        settled = {rule: rule.judge(claim) for rule in applying if rule.by_names(claim)}
        others = tuple(rule for rule in applying if not isinstance(settled.get(rule), bool))
        found = chosen[form] = sum(kept is True for kept in settled.values()), others
    return found


def _look(check: Rule, evidence: Evidence) -> list[Finding | None]:
    """Judge all spans; the same breach on several spans of one scope is one finding, about the first of them."""
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
        # A breach that another finding explains must stay on its own span: findings are joined only on one span.
        groups.setdefault((alike, claim.span.key if found.follows else None), []).append((claim, found))
    for group in groups.values():
        yield from [None] * (len(group) - 1)
        yield _finding(check, *group[0], others=len(group) - 1)


def _finding(check: Rule, claim: Claim, found: Breach, *, others: int) -> Finding:
    profile = claim.profile
    finding = check.finding(
        claim.span,
        ("span", "\n".join((*cut(found.said), *more_spans(others)))),
        ("rule", "\n".join((*cut(found.wanted), f"{profile.name}, {profile.source}"))),
        next=_next(check, claim, found),
        follows=found.follows,
        advice=found.advice,
    )
    severity = found.severity or (None if claim.is_wanted else check.unasked)
    return finding if severity is None else replace(finding, severity=severity)


def _next(check: Rule, claim: Claim, found: Breach) -> str:
    lacks = ((name,) for name in found.lacks)
    return or_rename(found.next or check.next, claim.span.attributes, lacks, own=claim.own)


def cut(lines: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines that one finding has room for, then how many more there are."""
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield f"and {len(lines) - _MOST:,} more"
