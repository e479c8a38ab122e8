"""The token counts on the span of an agent's run against what the calls inside of it used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._inside import Inside, Tree, Unknown, amount, stated_amount
from pytest_llmtrace.checks._words import first_of, said
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Call, Fact, Finding, Reading, Severity, SpanRecord

__all__ = ["CHECKS", "SUM"]

_COUNTS = (
    *("input_tokens", "output_tokens", "total_tokens"),
    *("cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
)
_MOST = 6


def _token_sum(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    tree = Tree(evidence)
    for span, reading in evidence.runs:
        inside = tree.inside[span.key]
        if span.ended is None or not inside.calls:
            continue
        wrong = [fact for fact in _facts(reading) if not _is_right(fact, inside)]
        if not wrong or not tree.is_sure(span):
            yield None
            continue
        yield _found(check, span, wrong, inside, tree)


def _facts(reading: Reading) -> Iterator[Fact]:
    for name in _COUNTS:
        yield from (fact for fact in reading.stated(name) if is_number(fact.value))


def _is_right(fact: Fact, inside: Inside, beside: float = 0) -> bool:
    """Tell whether a count may be a sum over the calls of a run, or cannot be judged."""
    try:
        if fact.value - beside in inside.sums(fact.name, amount):
            return True
    except Unknown:
        return True
    try:
        return fact.value - beside in inside.sums(fact.name, stated_amount)
    except Unknown:
        return False


def _found(check: Check, span: SpanRecord, wrong: Sequence[Fact], inside: Inside, tree: Tree) -> Finding:
    calls = inside.calls
    wire = [_sum(fact.name, calls) for fact in {fact.name: fact for fact in wrong}.values()]
    found = check.finding(
        span,
        ("span", "\n".join(said(fact, fact.name) for fact in wrong)),
        ("wire", "\n".join([*wire, _places(calls)])),
        why=_one_of(wrong, calls),
    )
    earlier = _earlier(span, wrong, inside, tree)
    if not earlier:
        return found
    why = f"the counts go on from {earlier} of the same agent: whoever adds up its runs counts those calls again"
    details = tuple(("why", why) if label == "why" else (label, text) for label, text in found.details)
    return replace(found, details=details, severity=Severity.WARNING)


def _earlier(span: SpanRecord, wrong: Sequence[Fact], inside: Inside, tree: Tree) -> str:
    """Name the earlier runs that the counts go on from; empty if they do not."""
    runs = tree.earlier(span)
    for number in range(1, len(runs) + 1):
        try:
            before = {fact.name: sum(run.whole(fact.name) for _, run in runs[:number]) for fact in wrong}
        except Unknown:
            return ""
        if all(_is_right(fact, inside, before[fact.name]) for fact in wrong):
            return "an earlier run" if number == 1 else f"{number} earlier runs"
    return ""


def _one_of(wrong: Sequence[Fact], calls: Sequence[Call]) -> str:
    """Say that counts are those of one call, if they are."""
    if any(all(fact.value in amount(call, fact.name) for fact in wrong) for call in calls):
        return f"these are the tokens of one call, and the agent made {len(calls)}"
    return ""


def _sum(name: str, calls: Sequence[Call]) -> str:
    amounts = [max(amount(call, name)) for call in calls]
    if len(amounts) == 1:
        return f"{name}: {amounts[0]:g}"
    shown = amounts if len(amounts) <= _MOST else [*amounts[: _MOST - 1]]
    more = [] if len(amounts) <= _MOST else [f"... ({len(amounts)} calls)"]
    return f"{name}: {' + '.join([*map('{:g}'.format, shown), *more])} = {sum(amounts):g}"


def _places(calls: Sequence[Call]) -> str:
    places = list(dict.fromkeys(f"{call.exchanges[-1].origin}, exchange {call.exchanges[-1].index}" for call in calls))
    return "\n".join(first_of(places, _MOST))


SUM = Check(
    id="agent/token-sum",
    title="The token counts on an agent's span are the sum over its calls",
    why="the tokens and the cost of an agent's run, and limits on them, are wrong",
    next="add up the usage of each call that the run makes, once",
    look=_token_sum,
    about=("runs",),
    compares="Token counts on the span of an agent's run with the sum over the calls inside of it, at any depth, as "
    "the replies state them. Such counts are `gen_ai.aggregated_usage.*`, `gen_ai.usage.*` where the operation is "
    "`invoke_agent` or `invoke_workflow`, and `llm.token_count.*` on OpenInference's spans of the kinds AGENT and "
    "CHAIN. The calls of an inner agent or of a tool may be counted or not, as may attempts that failed, and "
    "embeddings. A count that goes on from the earlier runs of the same agent is a warning. If the sum is that of what "
    "the calls' own spans state, their faults are found there. Not judged are runs in which a reply does not state "
    "the count, runs during which a call may have been made that is not known to be theirs, and runs with more than 32 "
    "agents and tools between them and a call.",
    source="OTel GenAI, invoke agent span; OpenInference, AGENT span; Pydantic AI, aggregated usage",
)

CHECKS: tuple[Check, ...] = (SUM,)
