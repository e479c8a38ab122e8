"""A back end for tests that accepts spans by gRPC and counts the requests that it has received. Needs gRPC."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc

from tests.receiver import CERTIFICATE, KEY, TOKEN, of_protobuf

__all__ = ["GrpcReceiver", "bytes_field", "number_field"]

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

Fault = Callable[["GrpcReceiver", bytes, grpc.ServicerContext], bytes | None]
"""Answers a request, or aborts it; returns None to leave the answer to the server."""


class GrpcReceiver(grpc.GenericRpcHandler):  # type: ignore[misc]  # Without types.
    """The back end's server, which listens on a port of its own until `close`.

    Attributes:
        spans: The spans that it has stored, in the order of arrival.
        requests: How many spans each request had.
        faults: Asked in turn for each request; the first that returns an answer decides.
        closed: Set when the server is closed; a fault that waits for it goes on then.

    Args:
        has_tls: Whether the server requires TLS; its certificate is `CERTIFICATE`.
        options: Options of the gRPC server, under gRPC's names.
    """

    def __init__(self, *, has_tls: bool = False, options: Sequence[tuple[str, Any]] = ()) -> None:
        self.spans: list[dict[str, Any]] = []
        self.requests: list[int] = []
        self.faults: list[Fault] = []
        self.closed = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(4), handlers=[self], options=options)
        if has_tls:
            own = grpc.ssl_server_credentials([(KEY.read_bytes(), CERTIFICATE.read_bytes())])
            port = self._server.add_secure_port("localhost:0", own)
        else:
            port = self._server.add_insecure_port("127.0.0.1:0")
        self.url = f"http{'s' if has_tls else ''}://{'localhost' if has_tls else '127.0.0.1'}:{port}"
        self._server.start()

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that make an OTLP exporter send to this server."""
        return {
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={TOKEN.replace(' ', '%20').replace('=', '%3D')}",
        }

    def close(self) -> None:
        """Stop the server."""
        self.closed.set()
        self._server.stop(0).wait()

    def times(self, fault: Fault, number: int) -> None:
        """Apply a fault to the next `number` requests only."""
        left = iter(range(number))
        self.faults.append(lambda *asked: fault(*asked) if next(left, None) is not None else None)

    def counts(self) -> Counter[str]:
        """Count the spans by their ids."""
        return Counter(span["spanId"] for span in self.spans)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Handle requests to export spans, and no others."""
        if handler_call_details.method != _EXPORT:
            return None
        headers = dict(handler_call_details.invocation_metadata)
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._export(request, context, headers))

    def _export(self, request: bytes, context: grpc.ServicerContext, headers: dict[str, Any]) -> bytes:
        if headers.get("authorization") != TOKEN:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, f"No valid auth token: {headers.get('authorization')}")
        self.requests.append(len(list(of_protobuf(request))))
        answers = (fault(self, request, context) for fault in self.faults)
        answer = next((answer for answer in answers if answer is not None), None)
        return self.store(request) if answer is None else answer

    def store(self, request: bytes) -> bytes:
        """Store the spans of a request."""
        self.spans += of_protobuf(request)
        return b""


def bytes_field(number: int, content: bytes) -> bytes:
    """Encode a field of a protobuf message whose content is shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def number_field(number: int, value: int) -> bytes:
    """Encode a field that is a number below 128."""
    return bytes([number << 3, value])
