"""A back end for tests: it answers as OpenObserve does, or as a server out of order, and counts what it has received.

Modelled on OpenObserve 0.92, `src/api/http` and `src/core/src/traces` (content types, 401 in two forms, partial success
with 206 for JSON and 200 for protobuf, the accepted time window, stream names, search). No line of its code is used.
"""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import re
import ssl
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ["CERTIFICATE", "KEY", "TOKEN", "Receiver", "of_protobuf", "plain"]

TOKEN: Final = f"Basic {base64.b64encode(b'ci@example.com:ingestion-secret').decode()}"
CERTIFICATE: Final = Path(__file__).parent / "tls" / "certificate.pem"
"""A self-signed certificate for `localhost`; made by openssl for these tests alone, valid until 2126."""
KEY: Final = CERTIFICATE.with_name("key.pem")
_INGEST: Final = re.compile(r"/api/(\w+)/(?:v1/|otel/v1/)?traces|/v1/traces")
_OTLP: Final = re.compile(r"/v1/traces")
_SEARCH: Final = re.compile(r"/api/(\w+)/_search\?type=traces&use_cache=false")
_PAST, _FUTURE = 5 * 3600, 24 * 3600
_REJECTED: Final = "Some spans were rejected due to exceeding the allowed retention period"

Fault = Callable[["Request"], bool]
"""Answers a request itself, or returns False to leave the answer to the server."""


class Request(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: _Server
    content: bytes

    def do_POST(self) -> None:
        """Answer with the first fault that applies, or as the server would."""
        receiver = self.server.receiver
        self.content = self.rfile.read(int(self.headers.get("content-length", 0)))
        receiver.requests.append(self.path)
        if not any(fault(self) for fault in receiver.faults):
            self.answer(*receiver.respond(self))

    def answer(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        """Send an answer."""
        self.send_response(status)
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"content-type": kind, "content-length": str(len(body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """Close the connection without an answer."""
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Be silent."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver


class Receiver:
    """The back end's server, which listens on a port of its own until `close`.

    Attributes:
        spans: The spans that it has stored, in order of arrival, with `resource` and `scope` beside the span's fields.
        requests: The path of each request.
        faults: Asked in turn for each request; the first that answers decides.
        largest: How many spans one request may have; more are answered with 413.
        may_search: Whether the token has the right to search.
        closed: Set when the server is closed; a fault that waits for it goes on then.
        streams: How many spans were stored in each stream, by its name.

    Args:
        has_tls: Whether the server requires TLS; its certificate is `CERTIFICATE`.
        wants_certificate: Whether the server requires a client certificate too, for which `CERTIFICATE` is accepted.
    """

    def __init__(self, *, has_tls: bool = False, wants_certificate: bool = False) -> None:
        self.spans: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.largest = 10**9
        self.may_search = True
        self.streams: Counter[str] = Counter()
        self.closed = threading.Event()
        self._server = _Server(("127.0.0.1", 0), Request)
        self._server.receiver = self
        self.url = f"http{'s' if has_tls else ''}://127.0.0.1:{self._server.server_port}"
        if has_tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE, KEY)
            if wants_certificate:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that make our export send to this server."""
        return {"OPENOBSERVE_URL": self.url, "OPENOBSERVE_AUTH_TOKEN": TOKEN}

    def close(self) -> None:
        """Stop the server."""
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def times(self, fault: Fault, number: int) -> None:
        """Apply a fault to the next `number` requests only."""
        left = iter(range(number))
        self.faults.append(lambda request: next(left, None) is not None and fault(request))

    def counts(self) -> Counter[str]:
        """Count the spans by their ids."""
        return Counter(span["spanId"] for span in self.spans)

    def respond(self, request: Request) -> tuple[int, bytes] | tuple[int, bytes, str]:
        """Return the status, the body and, where it is not JSON, the content type."""
        unauthorized = self._unauthorized(request)
        if unauthorized:
            return unauthorized
        if _SEARCH.fullmatch(request.path):
            return self._search(request)
        if _OTLP.fullmatch(request.path) and request.headers.get("content-type") == "application/x-protobuf":
            self.spans += list(of_protobuf(gzip.decompress(request.content)))
            return 200, b"", "application/x-protobuf"
        if not _INGEST.fullmatch(request.path):
            return 404, b"Not Found", "text/plain"
        try:
            said = _decoded(request)
        except (ValueError, EOFError, OSError, zlib.error) as error:
            return 400, json.dumps({"code": 400, "message": f"Invalid json: {error}"}).encode()
        return self._ingest(request, said)

    def _unauthorized(self, request: Request) -> tuple[int, bytes] | tuple[int, bytes, str] | None:
        given = request.headers.get("authorization")
        if given is None:
            return 401, b'{"code":401,"message":"Unauthorized Access"}'
        return None if given == TOKEN else (401, b"Unauthorized Access", "text/plain")

    def _ingest(self, request: Request, said: list[dict[str, Any]]) -> tuple[int, bytes]:
        spans = list(_flat(said))
        if len(spans) > self.largest:
            return 413, b"length limit exceeded"
        now = time.time()
        taken = [span for span in spans if -_PAST <= int(span["startTimeUnixNano"]) / 1e9 - now <= _FUTURE]
        self.spans += taken
        stream = re.sub(r"[^A-Za-z0-9_:]+", "_", request.headers.get("stream-name", "default")).lower()
        self.streams[stream] += len(taken)
        if len(taken) == len(spans):
            return 200, b'{"partialSuccess":null}'
        partial = {"rejectedSpans": len(spans) - len(taken), "errorMessage": _REJECTED}
        return 206, json.dumps({"partialSuccess": partial}).encode()

    def _search(self, request: Request) -> tuple[int, bytes]:
        if not self.may_search:
            return 403, b'{"code":403,"message":"Unauthorized Access"}'
        query = json.loads(request.content)["query"]
        traces = set(re.findall(r"'([0-9a-f]{32})'", query["sql"]))
        hits = [_row(span) for span in tuple(self.spans) if span["traceId"] in traces]
        hits = [hit for hit in hits if query["start_time"] <= hit["_timestamp"] < query["end_time"]]
        return 200, json.dumps({"hits": hits, "total": len(hits)}).encode()


def _decoded(request: Request) -> list[dict[str, Any]]:
    kind = request.headers.get("content-type", "")
    if not kind.startswith("application/json"):
        raise ValueError(f"content type {kind!r}")
    encoded = request.headers.get("content-encoding")
    content = gzip.decompress(request.content) if encoded == "gzip" else request.content
    found: list[dict[str, Any]] = json.loads(content)["resourceSpans"]
    return found


def _flat(said: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for resource in said:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                span["resource"], span["scope"] = resource["resource"], scope["scope"]
                yield span


def of_protobuf(message: bytes) -> Iterator[dict[str, Any]]:
    """Yield the ids of the spans of an ExportTraceServiceRequest."""
    for resource in _fields(message, 1):
        for scope in _fields(resource, 2):
            for span in _fields(scope, 2):
                yield {"traceId": _fields(span, 1)[0].hex(), "spanId": _fields(span, 2)[0].hex()}


def _fields(message: bytes, wanted: int) -> list[bytes]:
    """Return the fields with that number; the fields of our messages are bytes, varints or of fixed size."""
    found, at = [], 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        length, at = _varint(message, at) if kind in {0, 2} else ({1: 8, 5: 4}[kind], at)
        if kind == 2 and tag >> 3 == wanted:
            found.append(message[at : at + length])
        at += 0 if kind == 0 else length
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = message[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return attributes as a mapping of names to their values in OTLP's JSON form."""
    return {pair["key"]: next(iter(pair["value"].values()), None) for pair in attributes}


def _row(span: dict[str, Any]) -> dict[str, Any]:
    columns = {
        f"service_{key}".replace(".", "_"): value for key, value in plain(span["resource"]["attributes"]).items()
    }
    columns |= {key.replace(".", "_"): value for key, value in plain(span["attributes"]).items()}
    ids = {"trace_id": span["traceId"], "span_id": span["spanId"]}
    return {**columns, **ids, "_timestamp": int(span["startTimeUnixNano"]) // 1000}
