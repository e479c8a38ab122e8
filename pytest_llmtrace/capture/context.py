"""Read from the calling context which span is current, and whether it is recorded or suppressed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry.trace import get_current_span

from pytest_llmtrace import ownership
from pytest_llmtrace.capture._otel_internals import suppressed
from pytest_llmtrace.capture.platforms import own_context
from pytest_llmtrace.capture.records import key_of
from pytest_llmtrace.capture.routing import Note, current_in, find
from pytest_llmtrace.model import Ambient, SpanKey
from pytest_llmtrace.ownership import Causes

__all__ = ["ambient", "context_kept", "current_span", "current_spans"]


def ambient() -> Ambient:
    """Return what is current in the calling context: the span and its state, suppression, the thread and task.

    A remote parent (a `traceparent` header that a server has read) is not a span of this process: it does not count,
    unless the span was started here.
    """
    span, note = _current()
    return Ambient(
        span=span,
        recording=note is not None and note.captured,
        suppressed=suppressed(),
        worker=ownership.worker(),
    )


def current_span() -> SpanKey | None:
    """Return the key of the span that is current in the calling context, ended or not; None if there is none."""
    return _current()[0]


def current_spans() -> Causes:
    """Return the keys of the spans that are current in the calling context and in MLflow's own."""
    own = own_context()
    return Causes(current_span(), None if own is None else current_in(own))


def _current() -> tuple[SpanKey | None, Note | None]:
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return None, None
    note = find(context)
    return key_of(context) if note is not None or not context.is_remote else None, note


@contextmanager
def context_kept() -> Iterator[None]:
    """Restore the OpenTelemetry context at the end: a span that one test leaves current gets no child in the next."""
    before = otel_context.get_current()
    try:
        yield
    finally:
        if otel_context.get_current() is not before:
            otel_context.attach(before)
