"""Calls, and the evidence of a trace, put together from records as the harness does it at the end of a test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pytest_llmtrace.checks import Evidence
from pytest_llmtrace.model import Call, Exchange, LogRecord, SpanRecord
from pytest_llmtrace.pairing import match


def evidence_of(
    exchanges: Sequence[Exchange], spans: Sequence[SpanRecord], logs: Iterable[LogRecord] = (), **more: Any
) -> Evidence:
    """Pair exchanges with spans, and return the evidence; `more` are further parts of it."""
    exchanges, spans, logs = tuple(exchanges), tuple(spans), tuple(logs)
    paired = match(exchanges, spans, logs)
    parts: dict[str, Any] = {
        "calls": paired.calls,
        "strays": paired.strays,
        "fetches": paired.fetches,
        "logs": logs,
        **more,
    }
    return Evidence(exchanges=exchanges, spans=spans, **parts)


def numbers(calls: Iterable[Call]) -> list[tuple[list[int], list[int]]]:
    """Return each call as the indexes of its exchanges and the numbers of its spans."""
    return [([one.index for one in call.exchanges], [span.key.span_id for span in call.spans]) for call in calls]
