"""LLM spans are in the right place in the trace: not a root by mistake, and not under an unrelated span."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_llmtrace.checks._check import Check, Evidence, title_of_span
from pytest_llmtrace.checks._words import more_spans
from pytest_llmtrace.model import Call, Finding, Severity, SpanKey, SpanRecord

__all__ = ["CHECKS", "PARENT_LOST", "PARENT_WRONG", "STEP_KEYS"]


# A span that answers a request or takes a message is rightly a root, even where a test runs it in a thread of its own.
_ENTRIES = frozenset({"SERVER", "CONSUMER"})


# Attributes that an instrumentation sets on each of its steps, and an application hardly ever on its own jobs.
STEP_KEYS = (
    *("gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind", "llm.request.type"),
    *("langfuse.observation.type", "mlflow.spanType"),
)


def _parent_lost(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    return _one_for_all(_lost(check, evidence))


def _one_for_all(looked: Iterable[Finding | None]) -> Iterator[Finding | None]:
    """Yield one finding for all spans of one name and scope that have the same fault, as those of a pool or a loop."""
    alike: dict[Finding, list[Finding]] = {}
    for found in looked:
        if found is None:
            yield None
        else:
            alike.setdefault(replace(found, span=None), []).append(found)
    for first, *others in alike.values():
        yield from [None] * len(others)
        (label, said), *rest = first.details
        yield replace(first, details=((label, "\n".join((said, *more_spans(len(others))))), *rest))


def _lost(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    judged = set[SpanKey]()
    for root, is_own in _roots(evidence):
        judged.add(root.key)
        if root.links or root.kind in _ENTRIES:  # A span with links says where it comes from.
            yield None
            continue
        found = _left_behind if root.current is None else _passed_over
        yield found(check, evidence, root, is_own) or _asked_elsewhere(check, evidence, root)
    for root in evidence.caused:
        if root.cause is not None and root.key not in judged and _is_lost_step(root):
            judged.add(root.key)
            yield _left_behind(check, evidence, root, is_own=False, why=_STEP)


_STEP = "the step is in a trace of its own: the run that it belongs to shows neither its time nor its errors"


def _is_lost_step(span: SpanRecord) -> bool:
    """Tell whether a root says that it is a step, as an agent's tools are, and no context was given to it."""
    alone = span.parent is None and span.current is None and not span.apart and not span.links
    return alone and span.kind not in _ENTRIES and any(key in span.attributes for key in STEP_KEYS)


def _left_behind(check: Check, evidence: Evidence, root: SpanRecord, is_own: bool, why: str = "") -> Finding | None:
    """Return the finding of a root in whose thread no span was current, if the thread was started inside another span.

    A root that was given a context without a span would be a root in any thread: the other span was passed over and not
    lost. That is a warning if the instrumentation itself did it; otherwise there is no finding.
    """
    cause = evidence.by_key.get(root.cause) if root.cause else None
    if cause is None or not _is_parted(evidence, root, cause):
        return None
    where = f"its thread, or its work item in a pool, was started inside {title_of_span(cause)}"
    found = check.finding(root, ("span", f"is a root span, but {where}"), why=why)
    if not root.apart:
        return found
    return replace(found, severity=Severity.WARNING) if is_own else None


def _passed_over(check: Check, evidence: Evidence, root: SpanRecord, is_own: bool) -> Finding | None:
    """Return the finding of a root for which the instrumentation itself passed over the span that was current.

    An application that passes over its own span has a reason, and makes a step of its own the root. So only roots that
    the instrumentation made are judged, and with a warning.
    """
    current = evidence.by_key.get(root.current) if root.current else None
    if current is None or not is_own or not _is_parted(evidence, root, current):
        return None
    if root.key not in evidence.call_of and root.scope == current.scope:
        return None
    found = check.finding(
        root,
        ("span", f"is a root span, but {title_of_span(current)} was current where it was started"),
        next=_SHARE_CONTEXT if root.scope == "mlflow.tracing.provider" else _TAKE_CURRENT,
    )
    return replace(found, severity=Severity.WARNING)


def _asked_elsewhere(check: Check, evidence: Evidence, root: SpanRecord) -> Finding | None:
    """Return the finding of a root that reports a request which was made inside of a span of another trace.

    Callbacks make such roots: they start the span when the request is over.
    """
    around = evidence.asked_elsewhere.get(root.key)
    if around is None or (root.key.trace_id, around.key.trace_id) in evidence.linked:
        return None
    found = check.finding(
        root, ("span", f"is a root span, but its request was made inside {title_of_span(around)}"), next=_GIVE_PARENT
    )
    return replace(found, severity=Severity.WARNING)


_GIVE_PARENT = (
    "keep the context in which the call is made, and start the span in it; or start a new trace on purpose, with a "
    "link to the old one"
)
_SHARE_CONTEXT = (
    "MLflow keeps a context of its own: with MLFLOW_USE_DEFAULT_TRACER_PROVIDER=false it starts its spans in "
    "OpenTelemetry's"
)
_TAKE_CURRENT = (
    "start it in the current context: give no context=, or one made from context.get_current(); "
    "or start a new trace on purpose, with a link to the old one"
)


def _roots(evidence: Evidence) -> Iterator[tuple[SpanRecord, bool]]:
    """Yield the roots above LLM spans, each with whether the instrumentation of the LLM span made it.

    The instrumentation made a root that is the LLM span itself, or a step of its scope that says what it is. The scope
    alone is not proof: a tracer of the application's own may make both the LLM span and the job around it, and the
    trace rightly begins with that job.
    """
    llm = [span for call in evidence.calls for span in call.spans] + [stray.span for stray in evidence.strays]
    keys, seen = {span.key for span in llm}, set[SpanKey]()
    for span in llm:
        top: SpanRecord | None = span
        while top is not None and top.key not in seen:
            seen.add(top.key)
            if top.parent is None and (top.cause or top.current or top.key in evidence.asked_elsewhere):
                says = top.key in keys or any(key in top.attributes for key in STEP_KEYS)
                yield top, says and top.scope == span.scope
            top = evidence.by_key.get(top.parent) if top.parent else None


def _is_parted(evidence: Evidence, root: SpanRecord, cause: SpanRecord) -> bool:
    """Tell whether a root was started inside of another span and no link leads from one trace to the other."""
    return _was_open(cause, root) and (root.key.trace_id, cause.key.trace_id) not in evidence.linked


def _was_open(cause: SpanRecord, span: SpanRecord) -> bool:
    # A span that started a background worker and did not wait for it is not the cause of what the worker does later.
    return cause.ended is None or cause.ended > span.started


def _parent_wrong(check: Check, evidence: Evidence) -> Iterable[Finding | None]:
    looked = _wrong(check, evidence)
    return _one_for_all(looked) if any(looked) else looked


def _wrong(check: Check, evidence: Evidence) -> list[Finding | None]:
    left = {span.key for span in evidence.current}
    looked: list[Finding | None] = []
    for call in evidence.calls:
        for span in call.spans:
            parent = evidence.by_key.get(span.parent) if span.parent else None
            if parent is None or parent.key in left:  # structure/span-current reports a parent that was left current.
                continue
            fault = _fault(span, parent, evidence.call_of.get(parent.key), call)
            found = fault and check.finding(span, ("span", f"is a child of {title_of_span(parent)}, {fault}"))
            looked.append(found or None)
    return looked


def _fault(span: SpanRecord, parent: SpanRecord, parents_call: Call | None, call: Call) -> str | None:
    """Say why a span cannot be the child of its parent, which was current when it started; None if it can be.

    Judged only if one thread or task started both spans: a task may outlive the span that it was started in.
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
    title="LLM spans and steps stay in the trace of what caused them",
    why="the call is in a trace of its own: the request that caused it shows neither its time, its cost nor its errors",
    next="carry the context over (contextvars.copy_context().run, or opentelemetry-instrumentation-threading), "
    "or start a new trace on purpose, with a link to the old one",
    look=_parent_lost,
    source="OpenTelemetry specification, trace API: the span that is current in the context is the parent of a new one",
    about=("caused",),
    compares="Each root span that is an LLM span, or has one below it, with the span that was current where the "
    "root's thread, or its work item of a thread pool, was started. The root should be in the trace of that span.\n"
    "  - It is an error if the context was lost on the way to that thread. This is also judged of roots without LLM "
    "spans that say which step they are (as `gen_ai.operation.name` does), such as an agent's tools.\n"
    "  - It is a warning if an LLM span, or a step of its scope that says what it is (as `gen_ai.operation.name` "
    "does), was made a root although another span was current there; for such a step, a current span of its own scope "
    "does not count.\n"
    "  - It is a warning if such a span was explicitly given a context without a span, in a thread that was started "
    "inside another span.\n"
    "  - It is a warning if the request of an LLM span was made inside a span of another trace which began before the "
    "LLM span.\n"
    "  - Not judged are roots that have links or are of the kind SERVER or CONSUMER, traces that a link connects, and "
    "the case that the other span had ended before the root was started.",
)

PARENT_WRONG = Check(
    id="structure/parent-wrong",
    title="No call is the child of an unrelated call",
    why="the trace shows this call as a part of another: time and cost are summed up where they do not belong",
    next="detach the span that was left current, for instance by a generator that yields inside "
    "start_as_current_span(...)",
    look=_parent_wrong,
    source="OpenTelemetry specification, trace API: the span that is current in the context is the parent of a new one",
    compares="Each LLM span with its parent, where both were started in the same thread and task. The parent must not "
    "have ended before the span was started. Nor may it be the span of another call whose stream was still being read.",
)

CHECKS: tuple[Check, ...] = (PARENT_LOST, PARENT_WRONG)
