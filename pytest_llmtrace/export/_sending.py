"""One request to a destination, by its protocol."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Final

from pytest_llmtrace.export import _http
from pytest_llmtrace.export._answers import Answer
from pytest_llmtrace.export._destination import GRPC, HTTP_JSON, Destination
from pytest_llmtrace.export._protobuf import request

__all__ = ["encoded", "post"]

_LEVEL: Final = 1
"""Of compression: telemetry repeats itself, and there is a budget of time."""


def encoded(to: Destination, body: bytes) -> bytes:
    """Return a request in OTLP's JSON form as the destination wants it; gRPC compresses by itself."""
    content = body if to.protocol == HTTP_JSON else request(json.loads(body)["resourceSpans"])
    return gzip.compress(content, _LEVEL) if to.is_compressed and to.protocol != GRPC else content


def post(to: Destination, content: bytes, *, timeout: float) -> Answer:
    """Send what `encoded` has returned, once. What authorizes that is not in the answer's text.

    Args:
        to: Where to.
        content: What.
        timeout: In seconds.
    """
    if to.protocol == GRPC:
        from pytest_llmtrace.export import _grpc  # Its package is optional.

        answer = _grpc.post(to, content, timeout=timeout)
    else:
        answer = _http.post(to, content, timeout=timeout)
    return replace(answer, why=to.masked(answer.why))
