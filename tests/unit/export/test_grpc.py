"""Sending by gRPC to a real server; the waits between attempts are virtual."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from pytest_llmtrace.export import Destination, Fate, Outcome, Push, Spool, destination, post_once, probe_span
from pytest_llmtrace.export import spans_of as flat
from tests.grpc_receiver import Fault, GrpcReceiver, bytes_field, number_field
from tests.receiver import CERTIFICATE, KEY, TOKEN

RequestOf = Callable[..., bytes]


@pytest.fixture
def server() -> Iterator[GrpcReceiver]:
    server = GrpcReceiver()
    yield server
    server.close()


@pytest.fixture
def push(server: GrpcReceiver, spool: Spool) -> Callable[..., tuple[Outcome, list[float]]]:
    """Return a function that sends the spool's spans and returns the outcome and the waits between attempts."""

    def push(**environ: str) -> tuple[Outcome, list[float]]:
        waits: list[float] = []
        to = destination("otlp", {"OTEL_EXPORTER_OTLP_TIMEOUT": "3", **server.environ, **environ})
        sending = Push(to, spool, budget=10, now=lambda: sum(waits), sleep=lambda pause: waits.append(round(pause, 6)))
        return sending.run(), waits

    return push


def refusing(code: str, text: str = "", *, wait: float | None = None) -> Fault:
    """Return a fault that refuses a request; `wait`, in seconds, is sent as a `google.rpc.RetryInfo`."""

    def fault(server: GrpcReceiver, request: bytes, context: grpc.ServicerContext) -> bytes:
        if wait is not None:
            delay = number_field(1, int(wait)) + bytes([2 << 3, 0x80, 0xCA, 0xB5, 0xEE, 0x01]) * (wait % 1 == 0.5)
            detail = bytes_field(1, b"type.googleapis.com/google.rpc.RetryInfo") + bytes_field(2, bytes_field(1, delay))
            status = number_field(1, 1) + bytes_field(2, b"later") + bytes_field(3, detail)
            context.set_trailing_metadata([("grpc-status-details-bin", status)])
        context.abort(grpc.StatusCode[code], text)
        raise AssertionError("abort raises")

    return fault


def test_spans_arrive_once(push: Callable[..., Any], server: GrpcReceiver, spool: Spool, request_of: RequestOf) -> None:
    """Each span arrives once, and a request has the spans of several tests."""
    spool.put("run", request_of(0, 1))
    spool.put("run", request_of(2))
    assert push() == (Outcome(sent=3), [])
    assert server.counts() == {f"{number:016x}": 1 for number in range(100, 103)}
    assert server.requests == [3]


def test_a_server_that_cannot_unpack(spool: Spool, request_of: RequestOf) -> None:
    """Requests are compressed, unless the environment says otherwise."""
    server = GrpcReceiver(options=[("grpc.compression_enabled_algorithms_bitset", 1)])
    spool.put("run", request_of(*range(10)))
    [why] = Push(destination("otlp", server.environ), spool, budget=10).run().problems
    assert why.startswith("it answered UNIMPLEMENTED (")
    assert why.endswith("): check the address, and OTEL_EXPORTER_OTLP_COMPRESSION")
    environ = {**server.environ, "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none"}
    assert Push(destination("otlp", environ), spool, budget=10).run() == Outcome(sent=10)
    assert set(server.counts().values()) == {1}
    server.close()


LATER = {
    "UNAVAILABLE": (refusing("UNAVAILABLE", "overloaded"), [0.1, 0.2]),
    "ABORTED": (refusing("ABORTED"), [0.1, 0.2]),
    "DATA_LOSS": (refusing("DATA_LOSS"), [0.1, 0.2]),
    "OUT_OF_RANGE": (refusing("OUT_OF_RANGE"), [0.1, 0.2]),
    "UNAVAILABLE, asks to wait": (refusing("UNAVAILABLE", wait=2), [2, 2]),
    "RESOURCE_EXHAUSTED, asks to wait": (refusing("RESOURCE_EXHAUSTED", wait=1.5), [1.5, 1.5]),
    "CANCELLED, asks to wait": (refusing("CANCELLED", wait=0.5), [0.5, 0.5]),
    "DEADLINE_EXCEEDED, asks to wait": (refusing("DEADLINE_EXCEEDED", wait=3), [3, 3]),
}


@pytest.mark.parametrize("what", LATER)
def test_what_passes_is_outlasted(
    push: Callable[..., Any], server: GrpcReceiver, spool: Spool, request_of: RequestOf, what: str
) -> None:
    """After an error that OTLP calls retryable a request is sent again, when the wait asked for is over."""
    fault, waits = LATER[what]
    spool.put("run", request_of(0, 1))
    server.times(fault, 2)
    assert push() == (Outcome(sent=2), waits)
    assert set(server.counts().values()) == {1}


TOO_LARGE = "decoded message length too large: found 9, the limit is 8"
TOKEN_HINT = ": check the token and the organization"
KEPT = {
    "UNAVAILABLE for long": (
        refusing("UNAVAILABLE", "down for maintenance", wait=60),
        "it answered UNAVAILABLE (down for maintenance), and asks to wait 60 s",
    ),
    "RESOURCE_EXHAUSTED": (refusing("RESOURCE_EXHAUSTED", "quota"), "it answered RESOURCE_EXHAUSTED (quota)"),
    "INVALID_ARGUMENT": (refusing("INVALID_ARGUMENT", "bad"), "it answered INVALID_ARGUMENT (bad)"),
    "INTERNAL": (refusing("INTERNAL", "disk"), "it answered INTERNAL (disk)"),
    "PERMISSION_DENIED": (refusing("PERMISSION_DENIED"), f"it answered PERMISSION_DENIED{TOKEN_HINT}"),
    "UNAUTHENTICATED, saying the token": (
        refusing("UNAUTHENTICATED", f"I do not like {TOKEN}"),
        f"it answered UNAUTHENTICATED (I do not like [secret]){TOKEN_HINT}",
    ),
    "UNIMPLEMENTED": (
        refusing("UNIMPLEMENTED"),
        "it answered UNIMPLEMENTED: check the address, and OTEL_EXPORTER_OTLP_COMPRESSION",
    ),
    "too large": (
        refusing("OUT_OF_RANGE", TOO_LARGE),
        f"it answered OUT_OF_RANGE ({TOO_LARGE}): a single span is too large",
    ),
}


@pytest.mark.parametrize("what", KEPT)
def test_what_is_refused_is_kept(
    push: Callable[..., Any], server: GrpcReceiver, spool: Spool, request_of: RequestOf, what: str
) -> None:
    """Spans that are refused wait for the next push, and the reason says what to do."""
    fault, why = KEPT[what]
    spool.put("run", request_of(0, 1))
    server.faults.append(fault)
    assert push() == (Outcome(problems={why: None}), [])
    assert (spool.waiting(), spool.in_doubt(), server.spans) == (2, 0, [])
    server.faults.clear()
    assert push()[0] == Outcome(sent=2)
    assert set(server.counts().values()) == {1}


def slow(server: GrpcReceiver, request: bytes, context: grpc.ServicerContext) -> bytes:
    """Store the spans that came, and answer when the client no longer waits."""
    server.store(request)
    server.closed.wait()
    return b""


def closing(server: GrpcReceiver, request: bytes, context: grpc.ServicerContext) -> bytes:
    """Store the spans that came, and close before an answer."""
    server.store(request)
    server.close()
    return b""


DOUBTFUL = {
    "slow": (slow, "it answered DEADLINE_EXCEEDED (Deadline Exceeded)"),
    "garbage": (lambda *_: b"\x0a\x7fx", "it answered OK, but not as OTLP does (x)"),
    "CANCELLED": (refusing("CANCELLED", "no"), "it answered CANCELLED (no)"),
    "DEADLINE_EXCEEDED": (refusing("DEADLINE_EXCEEDED"), "it answered DEADLINE_EXCEEDED"),
    "bad gateway": (
        refusing("UNAVAILABLE", "Received http2 header with status: 502"),
        "it answered UNAVAILABLE (Received http2 header with status: 502)",
    ),
}


@pytest.mark.parametrize("what", DOUBTFUL)
def test_what_may_have_arrived_is_put_aside(
    push: Callable[..., Any], server: GrpcReceiver, spool: Spool, request_of: RequestOf, what: str
) -> None:
    """If it is unknown whether spans have arrived, they are neither sent again nor dropped."""
    fault, why = DOUBTFUL[what]
    spool.put("run", request_of(0))
    server.faults.append(fault)
    assert push(OTEL_EXPORTER_OTLP_TIMEOUT="0.5") == (Outcome(problems={why: None}), [])
    assert (spool.waiting(), spool.in_doubt(), len(server.requests)) == (0, 1, 1)


def test_a_connection_that_breaks_leaves_doubt(
    push: Callable[..., Any], server: GrpcReceiver, spool: Spool, request_of: RequestOf
) -> None:
    """A server that stores the spans and dies before it answers has them once; nothing is sent again."""
    spool.put("run", request_of(0))
    server.faults.append(closing)
    [why] = push()[0].problems
    assert why.startswith("the connection broke before an answer: ")
    assert (spool.waiting(), spool.in_doubt(), server.counts().total()) == (0, 1, 1)


def test_one_that_is_down_is_tried_four_times(
    push: Callable[..., Any], server: GrpcReceiver, spool: Spool, request_of: RequestOf
) -> None:
    """Spans that never left this machine wait, and the reason has the system's words."""
    spool.put("run", request_of(0))
    server.close()
    outcome, waits = push()
    [why] = outcome.problems
    assert why.startswith("it cannot be reached: ")
    assert "Connection refused" in why
    assert (waits, spool.waiting(), spool.in_doubt()) == ([0.1, 0.2, 0.4], 1, 0)


def test_a_wrong_token_ends_the_push(
    push: Callable[..., Any], server: GrpcReceiver, spool: Spool, request_of: RequestOf
) -> None:
    """If the server's answer repeats the authorization header, the report masks it."""
    spool.put("run", request_of(0))
    outcome, _ = push(OTEL_EXPORTER_OTLP_TRACES_HEADERS="authorization=Basic%20d3Jvbmc6b25l")
    assert outcome == Outcome(
        problems={f"it answered UNAUTHENTICATED (No valid auth token: [secret]){TOKEN_HINT}": None}
    )
    assert spool.waiting() == 1


def test_rejections_are_read_from_the_answer(
    push: Callable[..., Any], server: GrpcReceiver, spool: Spool, request_of: RequestOf
) -> None:
    """A partial success says how many spans were dropped, and why."""
    spool.put("run", request_of(0, 1, 2))
    server.faults.append(lambda *_: bytes_field(1, number_field(1, 2) + bytes_field(2, b"too old")))
    assert push()[0] == Outcome(sent=1, rejected={"too old": 2})
    assert spool.waiting() == spool.in_doubt() == 0


def test_what_is_too_large_is_parted(
    push: Callable[..., Any], server: GrpcReceiver, spool: Spool, request_of: RequestOf
) -> None:
    """A request over a server's limit on messages is split, down to single spans; all arrive once."""

    def limited(server: GrpcReceiver, request: bytes, context: grpc.ServicerContext) -> bytes | None:
        if server.requests[-1] > 2:
            text = "SERVER: Received message larger than max (5000000 vs. 4194304)"
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        return None

    server.faults.append(limited)
    for test in range(3):
        spool.put("run", request_of(*range(5 * test, 5 * test + 5)))
    assert push()[0] == Outcome(sent=15)
    assert server.counts() == {f"{number:016x}": 1 for number in range(100, 115)}


def test_tls(spool: Spool, request_of: RequestOf) -> None:
    """A server is trusted by the certificate that the environment names, and not without it."""
    server = GrpcReceiver(has_tls=True)
    spool.put("run", request_of(0))
    environ = {**server.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": server.url.removeprefix("https://")}
    outcome = Push(destination("otlp", environ), spool, budget=10, sleep=lambda _: None).run()
    assert next(iter(outcome.problems)).startswith("it cannot be reached: ")
    environ["OTEL_EXPORTER_OTLP_CERTIFICATE"] = str(CERTIFICATE)
    assert Push(destination("otlp", environ), spool, budget=10).run() == Outcome(sent=1)
    assert server.counts().total() == 1
    server.close()


def test_one_file_may_have_certificate_and_key(spool: Spool, request_of: RequestOf) -> None:
    """As for HTTP, the key may be in the file of the certificate."""
    server = GrpcReceiver(has_tls=True)
    own = spool.path.parent / "own.pem"
    own.write_bytes(CERTIFICATE.read_bytes() + KEY.read_bytes())
    spool.put("run", request_of(0))
    tls = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(CERTIFICATE), "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(own)}
    assert Push(destination("otlp", {**server.environ, **tls}), spool, budget=10).run() == Outcome(sent=1)
    server.close()


def test_grpc_logs_no_token(
    server: GrpcReceiver, spool: Spool, request_of: RequestOf, child_environ: Callable[..., dict[str, str]]
) -> None:
    """The logs that gRPC can be told to write contain headers; here it writes nothing, even in the foreground."""
    root = spool.path.parent
    Spool(root / "otlp").put("run", request_of(0))
    environ = child_environ(**server.environ, GRPC_TRACE="all", GRPC_VERBOSITY="debug")
    command = [sys.executable, "-P", "-c", "from pytest_llmtrace.cli import main; main()", "push", "--spool", str(root)]
    done = subprocess.run(command, env=environ, cwd=root, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"sent 1 span to OTLP by gRPC at {server.url}\n", "")
    assert server.counts().total() == 1


def test_the_destination_is_not_shown_whole(server: GrpcReceiver) -> None:
    """Neither the label nor the `repr` of a destination contains the token."""
    to: Destination = destination("otlp", server.environ)
    assert to.headers == {"authorization": TOKEN}
    assert to.label == f"OTLP by gRPC at {server.url}"
    assert TOKEN.split()[1] not in repr(to)


def test_the_doctor_sends_a_span_too(server: GrpcReceiver) -> None:
    """A single span that is not in the spool is sent in the same way."""
    resources = probe_span("hello")
    assert post_once(destination("otlp", server.environ), resources).fate is Fate.ACCEPTED
    assert server.counts() == {next(flat(resources))["spanId"]: 1}
