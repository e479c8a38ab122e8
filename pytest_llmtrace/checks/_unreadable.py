"""Can what a span states be read at all?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._account import Account, Extent
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._compare import Comparison
from pytest_llmtrace.checks._marks import limit_of
from pytest_llmtrace.checks._words import place_of, said, shown
from pytest_llmtrace.model import Fact, Finding
from pytest_llmtrace.reading import PRESENT, UNREADABLE

__all__ = ["unreadable"]


def unreadable(comparisons: tuple[Comparison, ...]) -> Check:
    """Make the check that looks for what cannot be read among the facts that are compared."""
    by_name = {name: check for check in comparisons for name in check.about}

    def look(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
        for account in evidence.unclear:
            yield from _look_at(check, account, by_name)

    return Check(
        id="wire/unreadable",
        title="What a span states can be read",
        why="no back end can use a value of the wrong form, and the call has one",
        next="write it in the form that the convention asks for",
        compares="Attributes for facts that the wire states; one finding an attribute, however many facts it holds. A "
        "text that OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT has cut is not judged.",
        source="OTel GenAI and OpenInference: the types of their attributes",
        look=look,
        about=("unclear",),
    )


def _look_at(check: Check, account: Account, by_name: dict[str, Comparison]) -> Iterator[Finding | None]:
    told: set[str] = set()
    reading = account.reading
    for fact in (*reading.facts.values(), *reading.others):
        if fact.state is not UNREADABLE or _attribute(fact) in told or fact.name not in by_name:
            continue
        true = _truth(by_name[fact.name], account)
        if true.state is PRESENT and not _was_cut(fact, account):
            told.add(_attribute(fact))
            yield _finding(check, by_name[fact.name], fact, true, account)


def _attribute(fact: Fact) -> str:
    """Name the attribute, or the flattened list, that holds a fact: what is before the first index of its key."""
    return fact.keys.partition("*")[0].partition("[")[0]


def _truth(comparison: Comparison, account: Account) -> Fact:
    if comparison.of_request:
        return account.asked.fact(comparison.fact)
    return account.answered.fact(comparison.fact) if account.extent is Extent.WHOLE else Fact(name=comparison.fact)


def _was_cut(fact: Fact, account: Account) -> bool:
    limit = limit_of(account.span, account.of_scope)
    return any(isinstance(raw, str) and len(raw) == limit for _, raw in fact.parts)


def _finding(check: Check, comparison: Comparison, fact: Fact, true: Fact, account: Account) -> Finding:
    raw = ", ".join(f"{key} = {shown(value)}" for key, value in fact.parts[:3])
    return check.finding(
        account.span,
        ("span", f"{raw or fact.name}\n{fact.note or 'it has the wrong form'}"),
        ("wire", f"{said(true, comparison.noun)}\n{place_of(true, account.exchange)}"),
    )
