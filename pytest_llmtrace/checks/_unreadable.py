"""Can the values on a span, and the response of its call, be read at all, so that they can be compared?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._account import Account, Extent
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._compare import Comparison
from pytest_llmtrace.checks._marks import limit_of
from pytest_llmtrace.checks._words import attribute_of, place_of, said, shown
from pytest_llmtrace.model import Fact, Finding, Severity
from pytest_llmtrace.reading import PRESENT, UNREADABLE

__all__ = ["UNREAD_RESPONSE", "unreadable"]


def unreadable(comparisons: tuple[Comparison, ...]) -> Check:
    """Make the check that reports unreadable attributes, of the facts that these comparisons are about."""
    by_name = {name: check for check in comparisons for name in check.about}

    def look(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
        for account in evidence.unclear:
            yield from _look_at(check, account, by_name)

    return Check(
        id="wire/unreadable",
        title="What a span states can be read",
        why="no back end can use a value of the wrong form, although the wire states the right one",
        next="write it in the form that the convention asks for",
        compares="Attributes that cannot be read, for facts that the wire states. Each attribute is one finding, "
        "however many facts it holds. A text that `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` has cut is not judged.",
        source="OTel GenAI and OpenInference: the types of their attributes",
        look=look,
        about=("unclear",),
    )


def _look_at(check: Check, account: Account, by_name: dict[str, Comparison]) -> Iterator[Finding | None]:
    told: set[str] = set()
    reading = account.reading
    for fact in (*reading.facts.values(), *reading.others):
        if fact.state is not UNREADABLE or attribute_of(fact) in told or fact.name not in by_name:
            continue
        true = _truth(by_name[fact.name], account)
        if true.state is PRESENT and not _was_cut(fact, account):
            told.add(attribute_of(fact))
            yield _finding(check, by_name[fact.name], fact, true, account)


def _truth(comparison: Comparison, account: Account) -> Fact:
    if comparison.of_request:
        return account.asked.fact(comparison.fact)
    return account.answered.fact(comparison.fact) if account.extent is Extent.WHOLE else Fact(name=comparison.fact)


def _was_cut(fact: Fact, account: Account) -> bool:
    # A limit cuts the texts of events as it cuts those of the span, which may all be shorter.
    limits = (limit_of(account.span, account.of_scope), account.span.text_limit)
    return any(isinstance(raw, str) and len(raw) in limits for _, raw in fact.parts)


def _finding(check: Check, comparison: Comparison, fact: Fact, true: Fact, account: Account) -> Finding:
    raw = ", ".join(f"{key} = {shown(value)}" for key, value in fact.parts[:3])
    return check.finding(
        account.span,
        ("span", f"{raw or fact.name}\n{fact.note or 'it has the wrong form'}"),
        ("wire", f"{said(true, comparison.noun)}\n{place_of(true, account.exchange)}"),
    )


# Facts that responses state: if a body yielded none of them, it was not read at all.
_FACTS = ("response_id", "response_model", "output_texts", "tool_calls", "input_tokens", "output_tokens", "error")


def _unread(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.accounts:
        if _is_unread(account) and account.span.status != "ERROR":
            yield check.finding(
                account.span,
                ("span", f"status {account.span.status}"),
                ("wire", "\n".join(account.answered.problems)),
            )


def _is_unread(account: Account) -> bool:
    answered = account.answered
    if not answered.problems or answered.truncated or account.extent is not Extent.WHOLE:
        return False
    return all(answered.fact(name).state is not PRESENT for name in _FACTS)


UNREAD_RESPONSE = Check(
    id="wire/unread-response",
    title="The response of a call that succeeded can be read",
    why="nothing that the span says of the answer was compared with it",
    next="where the SDK could read it, record it without its content encoding; where it could not, set the status to "
    "ERROR",
    compares="Calls whose span is not ERROR and whose response was read to its end. The body must be JSON or an event "
    "stream, either uncompressed, in gzip or deflate, or in br or zstd if a library for them is installed, as clients "
    "need it too. A response in any other encoding is reported.",
    source="RFC 9110, 8.4 (content codings); the response bodies of the APIs' references",
    look=_unread,
    severity=Severity.WARNING,
)
