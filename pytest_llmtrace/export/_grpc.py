"""One request by gRPC, whose package is optional: OTLP/gRPC 1.x, on a connection of its own.

The request and the answer are plain bytes; no generated protobuf code is needed.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlsplit

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.export._answers import Answer, Fate, accepted, in_words
from pytest_llmtrace.export._destination import Destination
from pytest_llmtrace.export._protobuf import fields

if TYPE_CHECKING:
    import grpc

__all__ = ["post"]

_States: TypeAlias = "queue.SimpleQueue[grpc.ChannelConnectivity]"

_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_PORTS: Final = {"http": 80, "https": 443}
_NOTICED: Final = 0.3
"""Seconds within which gRPC reports, after a failed call, that the connection is gone."""
_UNWATCHED: Final = 0.5
"""Seconds after `unsubscribe` by which gRPC's thread no longer polls the state of the connection."""
_LOGGING: Final = ("GRPC_TRACE", "GRPC_VERBOSITY")
"""The environment variables that make gRPC log the headers of its requests."""
_DETAILS: Final = "grpc-status-details-bin"
_RETRY_INFO: Final = b"/google.rpc.RetryInfo"
_TOO_LARGE: Final = re.compile(r"(?i)larger than max|length too large")
_BETWEEN: Final = re.compile(r"RST_STREAM|header with status: 50[24]")
"""Texts of an error that comes from a proxy before the back end, or from a back end that drops the request."""

_LATER: Final = ("ABORTED", "DATA_LOSS", "OUT_OF_RANGE", "UNAVAILABLE")
_UNTOLD: Final = ("CANCELLED", "DEADLINE_EXCEEDED")
_RETRYABLE: Final = (*_LATER, *_UNTOLD, "RESOURCE_EXHAUSTED")
"""OTLP lets a client send again after these; after the last one, only with a `RetryInfo`. After those of `_UNTOLD` the
spans may have been stored."""
_BROKEN: Final = ("INTERNAL", "UNAVAILABLE", "UNKNOWN")
"""The codes that gRPC itself gives when it has lost the connection; servers send them as well."""
_FINAL: Final = {
    "NOT_FOUND": "check the address",
    "PERMISSION_DENIED": "check the token and the organization",
    "UNAUTHENTICATED": "check the token and the organization",
    "UNIMPLEMENTED": "check the address, and OTEL_EXPORTER_OTLP_COMPRESSION",
}


def post(to: Destination, body: bytes, *, timeout: float) -> Answer:
    """Send a request, and return what became of its spans.

    Args:
        to: The destination.
        body: An `ExportTraceServiceRequest`.
        timeout: Limit for the connection and the answer together, in seconds.
    """
    deadline = time.monotonic() + timeout
    channel = _channel(to)
    states: _States = queue.SimpleQueue()
    channel.subscribe(states.put, try_to_connect=True)
    try:
        obstacle = _obstacle(channel, states, deadline)
        if obstacle:
            return Answer(fate=Fate.LATER, why=f"it cannot be reached: {obstacle}")
        return _answer(channel, to, body, states, deadline - time.monotonic())
    finally:
        channel.unsubscribe(states.put)
        _close_soon(channel)


def _answer(channel: grpc.Channel, to: Destination, body: bytes, states: _States, timeout: float) -> Answer:
    grpc = _package()
    compression = grpc.Compression.Gzip if to.is_compressed else grpc.Compression.NoCompression
    metadata = tuple(to.headers.items())
    try:
        reply = channel.unary_unary(_METHOD)(body, timeout=timeout, metadata=metadata, compression=compression)
    except grpc.RpcError as error:
        return _refused(error, lambda: _is_there(states))
    return accepted(reply, "application/x-protobuf", "OK")


def _package() -> Any:
    """Import gRPC with its logging off, whatever the environment says: its logs contain tokens."""
    for name in _LOGGING:
        os.environ.pop(name, None)
    import grpc

    return grpc


def _channel(to: Destination) -> Any:
    grpc = _package()
    parts = urlsplit(to.url)
    target = parts.netloc if parts.port else f"{parts.netloc}:{_PORTS[parts.scheme]}"
    options = [("grpc.use_local_subchannel_pool", 1)]  # Else it would wait out an earlier attempt's back-off.
    if parts.scheme == "http":
        return grpc.insecure_channel(target, options)
    tls = {"client_key": to.tls.get("client_certificate"), **to.tls}  # One file may hold both, key and certificate.
    names = (tls.get(name) for name in ("certificate", "client_key", "client_certificate"))
    files = (Path(name).read_bytes() if name else None for name in names)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(*files), options)


def _close_soon(channel: grpc.Channel) -> None:
    """Close a channel after gRPC's thread has ended that polls it every 0.2 s: it would fail on a closed channel."""
    timer = threading.Timer(_UNWATCHED, channel.close)
    timer.daemon = True
    timer.start()


# --- the connection --------------------------------------------------------------------------------------------------


def _obstacle(channel: grpc.Channel, states: _States, deadline: float) -> str:
    """Wait for the connection; return why there is none, or "" if there is one. No span has been sent by then."""
    grpc = _package()
    try:
        for state in iter(lambda: states.get(timeout=max(0.0, deadline - time.monotonic())), None):
            if state is grpc.ChannelConnectivity.READY:
                return ""
            if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                break
    except queue.Empty:
        return "it did not accept the connection in time"
    try:  # An empty request does no harm, and its error says why the connection failed.
        channel.unary_unary(_METHOD)(b"", timeout=max(0.1, deadline - time.monotonic()))
    except grpc.RpcError as error:
        return in_words((error.details() or "").rpartition("last error: ")[2]) or error.code().name
    return "the connection failed"


def _is_there(states: _States) -> bool:
    """Tell whether the connection has outlived a failed call: a mere refusal by the server does not end it."""
    try:
        states.get(timeout=_NOTICED)
    except queue.Empty:
        return True
    return False


# --- the answer ------------------------------------------------------------------------------------------------------


def _refused(error: Any, is_there: Callable[[], bool]) -> Answer:
    code, said = error.code().name, in_words(error.details() or "")
    why = f"it answered {code}{f' ({said})' if said else ''}"
    wait = _wait(error.trailing_metadata() or ())
    if wait is not None and code in _RETRYABLE:
        return Answer(fate=Fate.LATER, why=why, wait=wait)
    if code in _FINAL:
        return Answer(fate=Fate.REFUSED, why=f"{why}: {_FINAL[code]}", is_final=True)
    if _TOO_LARGE.search(said):
        return Answer(fate=Fate.REFUSED, why=f"{why}: a single span is too large", is_too_large=True)
    if code in _UNTOLD or _BETWEEN.search(said):
        return Answer(fate=Fate.UNKNOWN, why=why)
    if code in _BROKEN and not is_there():
        return Answer(fate=Fate.UNKNOWN, why=f"the connection broke before an answer: {said}")
    return Answer(fate=Fate.LATER, why=why, wait=0) if code in _LATER else Answer(fate=Fate.REFUSED, why=why)


def _wait(metadata: Iterable[tuple[str, Any]]) -> float | None:
    """Return the seconds that a server asks to wait (google/rpc/status.proto, google/rpc/error_details.proto)."""
    try:
        for number, detail in fields(dict(metadata).get(_DETAILS, b"")):
            about = dict(fields(detail)) if number == 3 else {}  # noqa: PLR2004
            if about.get(1, b"").endswith(_RETRY_INFO):
                delay = dict(fields(dict(fields(about[2]))[1]))
                return float(delay.get(1, 0) + delay.get(2, 0) / 1e9)
    except (ValueError, LookupError, TypeError, AttributeError):  # The metadata is malformed, so it asks for nothing.
        return None
    return None
