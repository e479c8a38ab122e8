"""Spans that were made when their call was over, and do not say when it began."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._said import said
from pytest_llmtrace.model import Finding

__all__ = ["CHECKS", "STARTED_LATE"]


def _started_late(check: Check, evidence: Evidence) -> Iterator[Finding]:
    for call in evidence.calls:
        last = call.exchanges[-1]
        if last.ended is None or last.ended_ns is None:
            continue
        for span in call.spans:
            # It was made afterwards, and not dated back; where time stands still, nobody can tell.
            if span.started > last.ended and span.start_ns > last.ended_ns:
                words = "was started when its response had been read to the end"
                yield check.finding(span, ("span", words), ("wire", said(call)))


STARTED_LATE = Check(
    id="structure/started-late",
    title="A call's span begins with its call",
    why="the span does not say how long the call took; a call that raises may have no span at all",
    next="start the span before the request; if it can only be made afterwards, give start_span(start_time=...) the "
    "time of the request",
    look=_started_late,
    compares="The start of each LLM span, and the time that it states for it, with the end of the response. A span "
    "that is made afterwards and dated back is right.",
    source="OpenTelemetry specification, trace API: the times of a span reflect the elapsed real time of the operation",
)

CHECKS: tuple[Check, ...] = (STARTED_LATE,)
