"""LLM spans are where they belong in the trace: neither lost to a root of their own, nor under a stranger."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._check import Check, Evidence, title_of_span
from pytest_llmtrace.model import Call, Finding, SpanKey, SpanRecord

__all__ = ["CHECKS", "PARENT_LOST", "PARENT_WRONG"]


# What answers a request or takes a message is the root of a trace, also where a test runs it in a thread of its own.
_ENTRIES = frozenset({"SERVER", "CONSUMER"})


def _parent_lost(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for root, from_elsewhere in _roots(evidence):
        cause = evidence.by_key.get(root.cause) if root.cause else None
        if cause is None or not from_elsewhere or not _was_open(cause, root):
            yield None
            continue
        yield check.finding(
            root,
            ("span", f"is a root; its thread, or work item of a pool, was started inside of {title_of_span(cause)}"),
        )


def _roots(evidence: Evidence) -> Iterator[tuple[SpanRecord, bool]]:
    """Yield the roots above LLM spans that another thread's code may have caused, and whether they are no decision.

    A span with links says where it comes from, and so does one of a server or a consumer; where a span was current, it
    was passed over on purpose.
    """
    llm = [span for call in evidence.calls for span in call.spans] + [stray.span for stray in evidence.strays]
    seen: set[SpanKey] = set()
    for span in llm:
        top: SpanRecord | None = span
        while top is not None and top.key not in seen:
            seen.add(top.key)
            if top.parent is None and top.cause is not None:
                yield top, not top.links and top.current is None and top.kind not in _ENTRIES
            top = evidence.by_key.get(top.parent) if top.parent else None


def _was_open(cause: SpanRecord, span: SpanRecord) -> bool:
    # Whoever starts a background worker and does not wait for it is not the cause of what it does later.
    return cause.ended is None or cause.ended > span.started


def _parent_wrong(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    left = {span.key for span in evidence.current}
    for call in evidence.calls:
        for span in call.spans:
            parent = evidence.by_key.get(span.parent) if span.parent else None
            if parent is None or parent.key in left:  # The latter is told by structure/span-current.
                continue
            fault = _fault(span, parent, evidence.call_of.get(parent.key), call)
            if fault is None:
                yield None
            else:
                yield check.finding(span, ("span", f"is a child of {title_of_span(parent)}, {fault}"))


def _fault(span: SpanRecord, parent: SpanRecord, parents_call: Call | None, call: Call) -> str | None:
    """Say why a span cannot be the child of what was current when it started; None if it can be.

    Only of spans that one thread or task made one after the other: a task may outlive the span that it was started in.
    """
    if span.worker is None or span.worker != parent.worker or span.current != parent.key:
        return None
    if parent.ended is not None and parent.ended < span.started:
        return "which had ended before it started and was still current"
    if parents_call is None or parents_call is call:
        return None
    if _is_being_read(parents_call, span.started):
        return "the span of another call, whose stream was still being read"
    return None


def _is_being_read(call: Call, tick: int) -> bool:
    last = call.exchanges[-1]
    streaming = bool(call.truths) and call.truths[-1].streaming is True
    return streaming and last.started < tick and (last.ended is None or last.ended > tick)


PARENT_LOST = Check(
    id="structure/parent-lost",
    title="LLM spans of threads and pools stay in their trace",
    why="the call is in a trace of its own: the request that caused it shows neither its time, its cost nor its errors",
    next="carry the context over (contextvars.copy_context().run, or opentelemetry-instrumentation-threading), "
    "or start a new trace on purpose, with a link to the old one",
    look=_parent_lost,
    about=("caused",),
    compares="Each root above an LLM span with the span that was current where its thread, or work item of a thread "
    "pool, was started. Not judged where that span had ended by then, where the root has links or is of "
    "kind SERVER or CONSUMER, or where another span was current and passed over.",
)

PARENT_WRONG = Check(
    id="structure/parent-wrong",
    title="No call is the child of a call that is none of its business",
    why="the trace shows this call as a part of another: time and cost are summed up where they do not belong",
    next="detach the span that was left current, as in a generator that yields inside start_as_current_span(...)",
    look=_parent_wrong,
    compares="Each LLM span with its parent, where both were started in the same thread and task: the parent must not "
    "have ended before, nor be the span of another call whose stream is still being read.",
)

CHECKS: tuple[Check, ...] = (PARENT_LOST, PARENT_WRONG)
