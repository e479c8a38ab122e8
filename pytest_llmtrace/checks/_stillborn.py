"""Spans whose start failed: a span processor raised, and no code has them. What they should describe has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._words import more_spans
from pytest_llmtrace.model import Exchange, Finding, SpanRecord

__all__ = ["failed_starts", "unborn"]

_WHY = "no code has this span, so it is neither filled nor ended, and never exported"
_NEXT = (
    "put right what that processor needs, as the tracking store of MLflow, or leave the processor out in tests; "
    "whoever starts the span may have logged the exception"
)


def failed_starts(check: Check, evidence: Evidence) -> Iterator[Finding]:
    """Yield one finding for all spans whose start failed alike."""
    for first, *others in _alike(evidence):
        text = "\n".join((f"a span processor raised when it was started: {first.stillborn}", *more_spans(len(others))))
        yield check.finding(first, ("span", text), why=_WHY, next=_NEXT)


def _alike(evidence: Evidence) -> Sequence[Sequence[SpanRecord]]:
    """Return the spans whose start failed; those of one scope and name that failed alike are together."""
    found: dict[tuple[str, str, str], list[SpanRecord]] = {}
    for span in evidence.spans:
        if span.stillborn and span.ended is None:
            found.setdefault((span.scope, span.name, span.stillborn), []).append(span)
    return tuple(found.values())


def unborn(evidence: Evidence) -> Mapping[int, SpanRecord]:
    """Return the spans that calls without a span would have, by the index of the call's first exchange.

    The start of such a span failed where the request was made after it: in the same thread or task, and around the same
    span. Each is of one call. Of spans that failed alike, the first stands for all.
    """
    groups = _alike(evidence)
    first = {span.key: group[0] for group in groups for span in group}
    left = sorted((span for group in groups for span in group), key=lambda span: span.started)
    found: dict[int, SpanRecord] = {}
    for call in evidence.calls if left else ():
        exchange = call.exchanges[0]
        own = [span for span in left if not call.spans and _is_before(span, exchange)]
        if own:
            left.remove(own[-1])
            found[exchange.index] = first[own[-1].key]
    return found


def _is_before(span: SpanRecord, exchange: Exchange) -> bool:
    ambient = exchange.ambient
    return span.started <= exchange.started and span.worker == ambient.worker and span.current == ambient.span
