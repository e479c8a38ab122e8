"""Links to the page of a trace."""

from __future__ import annotations

from collections.abc import Callable

from pytest_llmtrace.export import destination, links
from pytest_llmtrace.model import SpanKey, SpanRecord


def test_each_trace_has_its_page(make_span: Callable[..., SpanRecord]) -> None:
    """A link names stream, trace and organization, and looks from a minute before the trace to a minute after it."""
    environ = {
        "OPENOBSERVE_URL": "http://o2:5080",
        "OPENOBSERVE_AUTH_TOKEN": "Basic YTpi",
        "OPENOBSERVE_ORG": "a&b",
    }
    at = 1_700_000_000_000_000_000
    spans = [
        make_span(key=SpanKey(trace, number), start_ns=at + number * 10**9, end_ns=at + number * 10**9 + 5000)
        for number, trace in enumerate([1, 2, 1])
    ]
    assert list(links(destination("openobserve", environ), spans)) == [
        (
            f"http://o2:5080/web/traces/trace-details?stream=default&trace_id={1:032x}"
            "&from=1699999940000000&to=1700000062000005&org_identifier=a%26b"
        ),
        (
            f"http://o2:5080/web/traces/trace-details?stream=default&trace_id={2:032x}"
            "&from=1699999941000000&to=1700000061000005&org_identifier=a%26b"
        ),
    ]
    assert list(links(destination("otlp", {}), spans)) == []
