"""The address of the OpenObserve page that shows a trace (from its web router, unchanged from v0.14 to v0.92)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pytest_llmtrace.export._destination import Destination

if TYPE_CHECKING:
    from pytest_llmtrace.model import SpanRecord

__all__ = ["links"]

_AROUND: Final = 60_000_000
"""How much time before and after a trace its page covers, in microseconds; OpenObserve's own links do the same."""


def links(destination: Destination, spans: Iterable[SpanRecord]) -> Iterator[str]:
    """Yield the page address of each trace that some spans belong to, in the order of the spans.

    Args:
        destination: Where the spans are sent; nothing is yielded if it has no known pages.
        spans: The spans, all of them ended.
    """
    traces: dict[int, list[SpanRecord]] = {}
    for span in spans if destination.base else ():
        traces.setdefault(span.key.trace_id, []).append(span)
    for trace, its_spans in traces.items():
        start = min(span.start_ns for span in its_spans) // 1000 - _AROUND
        end = max(span.end_ns or 0 for span in its_spans) // 1000 + _AROUND
        stream, organization = _quoted(destination.stream, destination.organization)
        where = f"stream={stream}&trace_id={trace:032x}&from={start}&to={end}"
        yield f"{destination.base}/web/traces/trace-details?{where}&org_identifier={organization}"


@cache
def _quoted(stream: str, organization: str) -> tuple[str, str]:
    """Return both names quoted for a URL; cached, as a run has one or two destinations and links for each test."""
    return quote(stream), quote(organization, safe="")
