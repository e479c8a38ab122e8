"""The reasons in words why a server accepts no connection."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_llmtrace.doctor._reach import obstacle, remedy
from tests.receiver import Receiver


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_a_server_that_takes_connections(silent: int) -> None:
    """A server that accepts connections is not an obstacle."""
    assert obstacle(f"http://127.0.0.1:{silent}") == ""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(-2, "Name or service not known"), "DNS has no address for o2.example.com"),
        (ConnectionRefusedError(), "port 443 of o2.example.com refuses the connection: nothing listens there"),
        (TimeoutError(), "port 443 of o2.example.com does not accept a connection within 5 s"),
        (
            OSError(101, "Network is unreachable"),
            "port 443 of o2.example.com cannot be reached: Network is unreachable",
        ),
    ],
    ids=["dns", "refused", "timeout", "unreachable"],
)
def test_no_connection(monkeypatch: pytest.MonkeyPatch, error: OSError, said: str) -> None:
    """Name resolution, refusals, timeouts and unreachable networks have different texts."""
    monkeypatch.setattr(socket, "create_connection", raising(error))
    assert obstacle("https://o2.example.com/base") == said


def test_tls_that_does_not_begin(silent: int) -> None:
    """A server that accepts connections and stays silent is reported as such, not as a refusal."""
    assert obstacle(f"https://127.0.0.1:{silent}", 0.05) == (
        f"port {silent} of 127.0.0.1 accepts the connection, but does not start TLS within 0.05 s"
    )


def test_a_server_without_tls(receiver: Receiver) -> None:
    """HTTP on a port for https is reported; the rest of the text depends on OpenSSL's release."""
    found = obstacle(receiver.url.replace("http:", "https:"))
    where = receiver.url.rpartition(":")[2]
    assert found.rpartition(": ")[0] == f"port {where} of 127.0.0.1 accepts the connection, but TLS fails"


def test_a_certificate_that_is_not_trusted(monkeypatch: pytest.MonkeyPatch, silent: int) -> None:
    """The reason is the one that the verification of the certificate gives."""
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed certificate"
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", raising(error))
    assert obstacle(f"https://127.0.0.1:{silent}") == (
        f"the certificate of port {silent} of 127.0.0.1 is not trusted: self-signed certificate"
    )


@pytest.mark.parametrize(
    ("found", "todo"),
    [
        (
            "the certificate of port 443 of o2 is not trusted: self-signed certificate",
            "check the address, or set SSL_CERT_FILE to a file with the CA of its certificate",
        ),
        (
            "port 443 of o2 accepts the connection, but TLS fails: WRONG_VERSION_NUMBER",
            "check the address: without TLS it begins with http://",
        ),
        ("port 443 of o2 refuses the connection: nothing listens there", "start it"),
    ],
    ids=["untrusted", "without tls", "refused"],
)
def test_what_to_do(found: str, todo: str) -> None:
    """Only a server that is down is to be started; for others the address or the certificate is to be checked."""
    assert remedy(found, "SSL_CERT_FILE", "start it") == todo
