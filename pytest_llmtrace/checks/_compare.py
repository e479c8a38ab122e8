"""A comparison is data: one fact of the span, compared with the same fact of the wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pytest_llmtrace._quick import quick
from pytest_llmtrace.checks._account import WHOLE, Account, Extent
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._several import listed
from pytest_llmtrace.checks._words import error_in_words, is_on, place_of, said, shown
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Fact, Finding
from pytest_llmtrace.reading import NULL, PRESENT, UNREADABLE, Joined

__all__ = ["Comparison", "Difference", "Early", "Judge", "agreed", "compare", "comparison", "is_empty"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How a span's fact differs from the wire's. For a field that is empty, the comparison's own text is used.

    Attributes:
        why: What goes wrong for the team because of just this difference.
        more: A clause that is added to the comparison's own `why`.
        next: What to do about just this difference.
        span: What the span says.
        wire: What the wire says.
        where: Where the wire says it, if that is not only the place of the wire's fact.
        follows: The checks whose findings on the same span explain this difference.
    """

    why: str = ""
    more: str = ""
    next: str = ""
    span: str = ""
    wire: str = ""
    where: str = ""
    follows: tuple[str, ...] = ()


Judge = Callable[[Fact, Fact, Account], Difference | None]
"""Compares the span's fact, which is present, with the wire's; returns None if they agree."""


@quick
class Early(StrEnum):
    """Whether a fact can be compared when the client stopped reading before the end."""

    NO = "no"
    YES = "yes"
    BEGINNING = "beginning"  # the part that came can be compared
    MESSAGES = "messages"  # only in Anthropic's API, whose first event states it
    END = "end"  # it comes at the end: a client that left before has seen only what had come


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison(Check):
    """A check that compares a fact of the wire with every place where a span states it, by the names in `about`.

    Attributes:
        fact: The name of the wire's fact.
        noun: What reports call the fact.
        judge: Compares both facts, where the wire states its own.
        of_request: Whether the fact is one of the request.
        early: Whether the fact can be compared when the client stopped reading before the end.
        invented: Why a value on the span is wrong where the wire states none. If empty, such a value is not judged,
            since the wire need not state everything that is true.
        unstated: Judges a value that the wire does not state; by default, every value that is not empty is wrong.
        unsaid: Judges an empty value where the wire has none, either; by default, it is right.
        zero_says: Whether 0 is judged as a value, too; for most facts it says that there is nothing.
        summed: Whether the fact of a turn that was continued is the sum over its replies. If not, the fact of the last
            reply is right as well: it is what the application was left with.
    """

    fact: str
    noun: str
    judge: Judge
    of_request: bool = False
    early: Early = Early.NO
    invented: str = ""
    unstated: Judge | None = None
    unsaid: Judge | None = None
    zero_says: bool = False
    summed: bool = False

    def judge_invented(self, mine: Fact, true: Fact, account: Account) -> Difference | None:
        """Judge a fact that is present on the span, and that the wire does not state."""
        if is_empty(mine.value) and not (self.zero_says and is_number(mine.value)):
            return self.unsaid(mine, true, account) if self.unsaid else None
        return self.unstated(mine, true, account) if self.unstated else Difference()


def compare(check: Comparison, evidence: Evidence) -> list[Finding | None]:
    """Compare every place of a fact on every span with the wire; one finding per span, however many are wrong.

    This returns a list, since comparisons run by the dozen, and a generator costs as much as one of them.
    """
    looked: list[Finding | None] = []
    for account in evidence.accounts:
        stated, true, judge = _matter(check, account)
        wrong = [(mine, found) for mine in stated if (found := judge(mine, true, account)) is not None]
        looked += [None] * (len(stated) - len(wrong))
        if wrong:
            looked.append(_finding(check, wrong, true, account))
    return looked


def agreed(checks: tuple[Comparison, ...], evidence: Evidence) -> int | None:
    """Return how many places some comparisons looked at, if all agree with the wire; None if one differs.

    In most traces none differs, and this is one pass over them.
    """
    looked = 0
    places: Sequence[Fact]
    for account in evidence.accounts:
        if account.whole:
            return None
        stated, asked, answered = account.stated, account.asked.facts, account.answered.facts
        is_usual = account.extent is WHOLE and account.span.text_limit is None
        for check in checks:
            true = (asked if check.of_request else answered).get(check.fact)
            if is_usual and true is not None and true.state is PRESENT and len(check.about) == 1:  # As `_matter` says.
                places, judge = stated.get(check.about[0], ()), check.judge
            else:
                places, true, judge = _matter(check, account)
            for mine in places:
                looked += 1
                value, kind = mine.value, type(mine.value)
                if is_usual and kind in _UNJUDGED and kind is type(true.value) and value == true.value:
                    continue
                if judge(mine, true, account) is not None:
                    return None
    return looked


_UNJUDGED = frozenset({str, int})
"""The types of values to which no judge objects if span and wire have the same value."""


_NOTHING: tuple[Sequence[Fact], Fact, Judge] = ((), Fact(name=""), lambda _mine, _true, _account: None)


def comparison(**fields: Any) -> Comparison:
    """Make a comparison.

    Unless the fields say otherwise, it is about the span's fact of the same name, and its advice is to fix the
    instrumentation.
    """
    return Comparison(look=compare, **{"about": (fields["fact"],), "next": "fix the instrumentation", **fields})


def is_empty(value: Any) -> bool:
    """Tell whether a value says that there is nothing: 0, False, an empty text, or a list of these."""
    return not value or (isinstance(value, (list, tuple)) and all(map(is_empty, value)))


def _matter(check: Comparison, account: Account) -> tuple[Sequence[Fact], Fact, Judge]:
    """Return the span's facts to compare, the wire's fact, and the judge; no facts if nothing can be compared."""
    stated, whole, names = account.stated, account.whole, check.about
    mine: Sequence[Fact]
    if len(names) == 1 and not whole:
        mine = stated.get(names[0], ())
    else:
        mine = [fact for name in names for said in (stated, whole) if name in said for fact in said[name]]
    true = _truth(check, account) if mine else None
    if true is None or true.state is UNREADABLE or (true.state is not PRESENT and not check.invented):
        return _NOTHING
    judge = check.judge if true.state is PRESENT else check.judge_invented
    if account.replies and not check.of_request and not check.summed:
        judge = _or_last(check, judge)
    return mine, true, judge if account.span.text_limit is None else _within_limit(judge)


def _or_last(check: Comparison, judge: Judge) -> Judge:
    """Return a judge for a span of a turn that was continued: it may have what the last reply says, or list them all.

    What the replies say together is what differs, if none of these is right.
    """

    def judged(mine: Fact, true: Fact, account: Account) -> Difference | None:
        difference = judge(mine, true, account)
        if difference is None:
            return None
        others = [account.replies[-1].fact(check.fact)]
        others += [listed(account.replies, check.fact)] if mine.name == check.fact else []
        for other in others:
            again = check.judge if other.state is PRESENT else check.judge_invented
            if again(mine, other, account) is None:
                return None
        return difference

    return judged


def _within_limit(judge: Judge) -> Judge:
    """Return a judge for a span whose provider cuts all texts: it cuts the wire's fact, too, before it compares."""

    def within_limit(mine: Fact, true: Fact, account: Account) -> Difference | None:
        return judge(mine, _within(true, account.span.text_limit), account)

    return within_limit


def _within(true: Fact, limit: int | None) -> Fact:
    """Cut the texts of a fact as the SDK cuts those of a span: the span can say no more than what is left."""
    try:
        return true._replace(value=_cut(true.value, limit))
    except RecursionError:  # Nested deeper than can be compared.
        return true


def _cut(value: Any, limit: int | None) -> Any:
    if isinstance(value, str):  # What the span has between the pieces of a text counts, too.
        return value if isinstance(value, Joined) else value[:limit]
    if isinstance(value, list | tuple):
        return [_cut(item, limit) for item in value]
    return {key: _cut(item, limit) for key, item in value.items()} if isinstance(value, dict) else value


def _truth(check: Comparison, account: Account) -> Fact | None:
    """Return the wire's fact; None if it cannot be compared with the span's."""
    source = account.asked if check.of_request else account.answered
    true = source.facts.get(check.fact)
    if true is None:
        if not check.invented or (check.of_request and not source.has_place_for(check.fact)):
            return None
        true = source.fact(check.fact)
    if check.of_request or account.extent is WHOLE:
        return true
    return true if _is_known_early(check, true, account) else None


def _is_known_early(check: Comparison, true: Fact, account: Account) -> bool:
    """Tell whether a fact can be compared although the client has not read all of the response."""
    if check.early is Early.END:
        return account.extent is Extent.BEGUN
    early = _is_fixed_first(check, account) or check.early is Early.BEGINNING
    # Anthropic's last event may restate its counts, and may have been looked at if it came in one block with the rest.
    sure = check.early is not Early.MESSAGES or account.extent is Extent.BEGUN
    return true.state is PRESENT and early and sure


def _is_fixed_first(check: Comparison, account: Account) -> bool:
    """Tell whether the first event of a response fixes a fact."""
    if check.early is Early.MESSAGES:
        return account.answered.api == "messages"
    return check.early is Early.YES


def _finding(check: Comparison, wrong: list[tuple[Fact, Difference]], true: Fact, account: Account) -> Finding:
    lines = [difference.span or said(mine, check.noun) for mine, difference in wrong]
    first = wrong[0][1]
    # A check explains the finding only if it explains every wrong place.
    common = set.intersection(*(set(difference.follows) for _, difference in wrong))
    wire = first.wire or _wire(check, true, account)
    return check.finding(
        account.span,
        ("span", "\n".join(lines)),
        ("wire", f"{wire}\n{first.where or place_of(true, account.exchange)}"),
        why=_why(check, true, first),
        next=first.next,
        follows=(*(cause for cause in first.follows if cause in common), *_not_waited_for(check, wrong, true, account)),
    )


def _not_waited_for(
    check: Comparison, wrong: list[tuple[Fact, Difference]], true: Fact, account: Account
) -> tuple[str, ...]:
    """Name the checks that explain a difference by the span's end: it came before the fact did, or never."""
    came_later = true.state is PRESENT and not check.of_request and not _is_fixed_first(check, account)
    # Notes are written beside the span when the stream is over, so its end explains nothing on them.
    came_later = came_later and all(is_on(mine, account.span) for mine, _ in wrong)
    return ("structure/ended-before-stream", "structure/span-never-ended") if came_later else ()


def _why(check: Comparison, true: Fact, difference: Difference) -> str:
    if difference.why:
        return difference.why
    if difference.more:
        return f"{check.why}; {difference.more}"
    return check.why if true.state is PRESENT else check.invented


def _wire(check: Comparison, true: Fact, account: Account) -> str:
    if true.state is PRESENT:
        return said(true, check.noun)
    if true.state is NULL and true.parts:
        return f"{true.parts[-1][0]} = null"
    return f"no {check.noun}{'' if check.of_request else _reason(account)}"


def _reason(account: Account) -> str:
    if account.answered.error:
        return f": the call failed with {error_in_words(account.answered.error)}"
    if account.exchange.response is None:
        return f": no response came ({shown(account.exchange.failure or 'unknown')})"
    if account.extent is Extent.BEGUN:
        return ": the reader left before one came"
    return ": the response was cut before its end" if account.answered.truncated else ""
