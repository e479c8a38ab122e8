"""Tokens that are counted again by a span around the calls, such as a step of the application with their sum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pytest_llmtrace.checks._check import Check, Evidence, title_of_span
from pytest_llmtrace.checks._said import counts, llm_spans, stated
from pytest_llmtrace.checks._words import first_of, said
from pytest_llmtrace.checks.parents import STEP_KEYS
from pytest_llmtrace.checks.twice import told_again
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Call, Fact, Finding, Reading, Severity, SpanKey, SpanRecord

__all__ = ["CHECKS", "COUNTED_AROUND"]

_Inside = list[tuple[Call, SpanRecord, Reading]]
"""The calls inside of a span that their own spans count: each with its span, and what that span says."""

_COUNTS = ("input_tokens", "output_tokens", "total_tokens")
_SHOWN = 3
# Names on a step of an agent or a framework: some conventions let it state the sum of its calls, others only name it.
_OF_AGENTS = ("gen_ai.agent.", "gen_ai.workflow.")


def _counted_around(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    llm = {stray.span.key for stray in evidence.strays}
    settled = {stray.span.key for stray, _, _ in told_again(evidence)}
    inside = _inside(evidence)
    for span, reading in evidence.summing:
        within = inside.get(span.key)
        if not within or span.ended is None or span.key in settled or (span.key not in llm and _is_step(span)):
            continue
        again = list(_counted_again(reading, within))
        if not again:
            yield None
            continue
        says = ("span", "\n".join(said(fact, fact.name) for fact in again))
        found = check.finding(span, says, ("inside", "\n".join(first_of(_told(within), _SHOWN))))
        yield found if span.key in llm else replace(found, severity=Severity.WARNING)


def _counted_again(reading: Reading, inside: _Inside) -> Iterator[Fact]:
    """Yield the counts of a span that are a count of the calls inside of it, or the sum of several."""
    for name in _COUNTS:
        for fact in reading.stated(name):
            if is_number(fact.value) and fact.value and fact.value in _sums(name, inside):
                yield fact


def _inside(evidence: Evidence) -> Mapping[SpanKey, _Inside]:
    """Return, for each span that may state a sum, the calls inside of it, at any depth, whose spans count tokens."""
    around = {span.key for span, _ in evidence.summing}
    found: defaultdict[SpanKey, _Inside] = defaultdict(list)
    for call, span, reading in llm_spans(evidence.calls):
        for outer in evidence.lineage(span.parent) if counts(reading) else ():
            inside = found[outer.key] if outer.key in around else None
            if inside is not None and all(known is not call for known, _, _ in inside[-1:]):
                inside.append((call, span, reading))
    return found


def _told(inside: _Inside) -> Sequence[str]:
    spans = {span.key: f"{title_of_span(span)}: {stated(reading)}" for _, span, reading in inside}
    return list(spans.values())


def _is_step(span: SpanRecord) -> bool:
    return any(key in span.attributes for key in STEP_KEYS) or any(
        key.startswith(_OF_AGENTS) for key in span.attributes
    )


def _sums(name: str, inside: _Inside) -> set[float]:
    """Return the values that repeat a count of these calls: of one call or of all, with or without cached tokens."""
    truths = [call.truths[-1] for call, _, _ in inside if call.truths]
    readings = {span.key: reading for _, span, reading in inside}  # One span may describe several calls.
    known = set[float]()
    for amounts in (
        [_amount(name, reading) for reading in readings.values()],
        [_amount(name, truth) for truth in truths],
        [_uncached(name, truth) for truth in truths],
    ):
        known |= {*amounts, sum(amounts)}
    return known


def _amount(name: str, reading: Reading) -> float:
    fact = reading.fact(name)
    if is_number(fact.value):
        return fact.value
    return (reading.input_tokens or 0) + (reading.output_tokens or 0) if name == "total_tokens" else 0


def _uncached(name: str, truth: Reading) -> float:
    """Return the first part of a count: of Anthropic's input, which is a sum, the part without cached tokens."""
    fact = truth.fact(name)
    first: Sequence[object] = fact.parts[0][1:] if fact.parts else ()
    return next((value for value in first if is_number(value)), 0)


COUNTED_AROUND = Check(
    id="structure/counted-around",
    title="A span around calls does not count their tokens once more",
    why="a back end that sums tokens over all spans counts the tokens of these calls again for this span",
    next="leave the counts to the spans of the calls, or give sums names of their own, such as "
    "gen_ai.aggregated_usage.input_tokens",
    look=_counted_around,
    about=("summing",),
    compares="The token counts on a span that describes no call itself, under the names of any convention, with the "
    "counts of the calls inside of it, at any depth, whose own spans count tokens. A count that equals that of one of "
    "these calls, or the sum of all of them, is a finding. It is a warning if the span does not say that it is a call "
    "to a model. Spans that say which other step they are (an agent, a chain, a tool) are not judged, since some "
    "conventions let them state a sum.",
)

CHECKS: tuple[Check, ...] = (COUNTED_AROUND,)
