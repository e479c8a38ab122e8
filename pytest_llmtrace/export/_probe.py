"""One span, to see whether a back end takes it."""

from __future__ import annotations

import os
import time
from typing import Any, Final

from pytest_llmtrace.export._answers import Answer
from pytest_llmtrace.export._destination import Destination
from pytest_llmtrace.export._otlp import as_bytes
from pytest_llmtrace.export._sending import encoded, post

__all__ = ["post_once", "probe_span"]

_SERVICE: Final = {"key": "service.name", "value": {"stringValue": "pytest-llmtrace"}}


def probe_span(name: str) -> list[dict[str, Any]]:
    """Return a new span without content that starts and ends now, as `resourceSpans`."""
    now = str(time.time_ns())
    span = {
        "traceId": os.urandom(16).hex(),
        "spanId": os.urandom(8).hex(),
        "name": name,
        "kind": 1,  # SPAN_KIND_INTERNAL
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
        "attributes": [],
        "status": {"code": 0, "message": ""},
    }
    scope = {"scope": {"name": "pytest-llmtrace"}, "spans": [span]}
    return [{"resource": {"attributes": [_SERVICE]}, "scopeSpans": [scope]}]


def post_once(to: Destination, resources: list[dict[str, Any]]) -> Answer:
    """Send spans, without a second attempt. What authorizes that is not in the answer's text."""
    return post(to, encoded(to, as_bytes({"resourceSpans": resources})), timeout=to.timeout)
