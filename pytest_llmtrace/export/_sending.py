"""One request to a destination, by its protocol; and a span to test whether a back end takes spans."""

from __future__ import annotations

import gzip
import os
import time
from dataclasses import replace
from typing import Any, Final

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.export import _http
from pytest_llmtrace.export._answers import Answer
from pytest_llmtrace.export._destination import GRPC, HTTP_JSON, Destination
from pytest_llmtrace.export._otlp import as_bytes
from pytest_llmtrace.export._protobuf import request

__all__ = ["encoded", "post", "post_once", "probe_span"]

_SERVICE: Final = {"key": "service.name", "value": {"stringValue": "pytest-llmtrace"}}
_LEVEL: Final = 1
"""The level of compression, the fastest: telemetry repeats itself, and there is a budget of time."""


def encoded(to: Destination, body: bytes) -> bytes:
    """Convert a request from OTLP's JSON form to the form that the destination takes; gRPC compresses by itself."""
    content = body if to.protocol == HTTP_JSON else request(json.loads(body)["resourceSpans"])
    return gzip.compress(content, _LEVEL) if to.is_compressed and to.protocol != GRPC else content


def post(to: Destination, content: bytes, *, timeout: float) -> Answer:
    """Send what `encoded` has returned, once, and return the answer; its text has the secrets of our headers masked.

    Args:
        to: The destination.
        content: The request.
        timeout: Limit for the request, in seconds.
    """
    if to.protocol == GRPC:
        from pytest_llmtrace.export import _grpc  # Its package is optional.

        answer = _grpc.post(to, content, timeout=timeout)
    else:
        answer = _http.post(to, content, timeout=timeout)
    return replace(answer, why=to.masked(answer.why))


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
    """Send spans, without a second attempt, and return the answer, as `post` does."""
    return post(to, encoded(to, as_bytes({"resourceSpans": resources})), timeout=to.timeout)
