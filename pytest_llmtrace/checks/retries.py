"""Does a trace show the attempts that failed before the one that succeeded?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._said import said
from pytest_llmtrace.model import Call, Finding, Severity, SpanKey, SpanRecord

__all__ = ["CHECKS", "RETRIES_HIDDEN"]


def _retries_hidden(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    retried = [call for call in evidence.retried if call.spans]
    if not retried:
        return
    children: defaultdict[SpanKey | None, list[SpanRecord]] = defaultdict(list)
    for span in evidence.spans:
        children[span.parent].append(span)
    for call in retried:
        if any(_tells(span, children[span.key], len(call.exchanges)) for span in call.spans):
            yield None
            continue
        yield check.finding(
            call.spans[0],
            ("span", f"does not report that {_before(call)}"),
            ("wire", said(call)),
        )


def _tells(span: SpanRecord, children: list[SpanRecord], attempts: int) -> bool:
    """Tell whether a span says anything of its attempts: an attribute, an event, or a child for each."""
    keys = [*span.attributes, *(event.name for event in span.events), *(k for e in span.events for k in e.attributes)]
    if any("retr" in key.lower() or "resend" in key.lower() for key in keys):
        return True
    return sum(child.kind == "CLIENT" for child in children) >= attempts


def _before(call: Call) -> str:
    lost = (call.exchanges[-1].started_ns - call.exchanges[0].started_ns) / 1e6
    attempts = counted(len(call.exchanges) - 1, "attempt")
    return f"{attempts} failed before the last, which began {lost:.0f} ms later"


RETRIES_HIDDEN = Check(
    id="structure/retries-hidden",
    title="A span reports its retries",
    why="its duration includes attempts that failed and the waiting between them: it looks like a slow model",
    next="note the attempts on the span, as http.request.resend_count or an event for each",
    look=_retries_hidden,
    about=("retried",),
    severity=Severity.INFO,
    compares="The LLM spans of each call that took several attempts. One of them should have an attribute or an event "
    "that names retries, or as many child spans of the kind CLIENT as there were attempts. This is for information "
    "only: an instrumentation of an SDK's methods cannot see the attempts.",
)

CHECKS: tuple[Check, ...] = (RETRIES_HIDDEN,)
