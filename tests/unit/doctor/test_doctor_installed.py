"""The doctor's checks of installed distributions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_llmtrace.doctor._exporters import exporters
from pytest_llmtrace.doctor._installed import names, versions
from tests.receiver import CERTIFICATE, Receiver

HTTP = "opentelemetry-exporter-otlp-proto-http"
WAITS = "an app that used it took 7 s to exit (measured with 1.45.2), and lost its spans"


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ({}, "ok       {}: none is installed"),
        ({"openobserve-python-sdk": "0.2.0"}, "ok       {}: openobserve-python-sdk 0.2.0"),
        (
            {"openobserve": "1.0.2"},
            (
                "problem  {}: openobserve 1.0.2 is not made by OpenObserve; uninstall it; the official ones are "
                "openobserve-python-sdk and openobserve-telemetry-sdk, of which only one may be installed"
            ),
        ),
        (
            {"openobserve": "1.0.2", "openobserve-telemetry-sdk": "0.1.1"},
            (
                "problem  {}: openobserve 1.0.2, openobserve-telemetry-sdk 0.1.1 are installed together; uninstall "
                "all of them, since their files overwrite each other, then install one: openobserve-python-sdk or "
                "openobserve-telemetry-sdk"
            ),
        ),
    ],
)
def test_names(installed: dict[str, str], said: str) -> None:
    """At most one distribution may import as `openobserve`, and it must be an official one."""
    assert str(names(installed)) == said.format("distributions that import as openobserve")


def test_versions(install: Callable[[str], None]) -> None:
    """Distributions are found under their normalised names."""
    install("")
    assert versions()["acme-llm"] == "1.0"


def test_exporters_whose_endpoint_is_up(receiver: Receiver) -> None:
    """An endpoint that accepts connections delays no app; nothing is sent to it."""
    found = exporters({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": receiver.url}, {HTTP: "1.45.2"})
    assert list(map(str, found)) == [
        f"ok       exporter {HTTP} 1.45.2: the endpoint of OTEL_EXPORTER_OTLP_LOGS_ENDPOINT accepts connections"
    ]
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("variable", "name", "cost"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", HTTP, WAITS),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "opentelemetry-exporter-otlp-proto-grpc",
            WAITS,
        ),
        (
            "OPENOBSERVE_URL",
            "openobserve-telemetry-sdk",
            "an app that used it hung at exit for up to 30 s when measured, and lost its data",
        ),
    ],
)
def test_exporters_whose_endpoint_is_down(receiver: Receiver, variable: str, name: str, cost: str) -> None:
    """An endpoint that is set but down is a problem, reported with its measured cost."""
    receiver.close()
    port = receiver.url.rpartition(":")[2]
    found = exporters({variable: receiver.url}, {name: "1"})
    assert list(map(str, found)) == [
        (
            f"problem  exporter {name} 1: {variable}: port {port} of 127.0.0.1 refuses the connection: nothing "
            f"listens there; {cost}; start the server, or unset {variable} where there is none"
        )
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("", "ok       {}: its default endpoint http://localhost:4318 accepts connections"),
        (
            "nothing listens",
            (
                "unknown  {}: OTEL_EXPORTER_OTLP_ENDPOINT is not set, and at its default endpoint nothing listens; "
                f"{WAITS}; whether the app uses it was not checked"
            ),
        ),
    ],
)
def test_exporters_without_a_setting(monkeypatch: pytest.MonkeyPatch, found: str, said: str) -> None:
    """An installed exporter is not necessarily used by the app, so its default endpoint alone is not a problem."""
    monkeypatch.setattr("pytest_llmtrace.doctor._exporters.obstacle", lambda _: found)
    assert list(map(str, exporters({}, {HTTP: "1.45.2"}))) == [said.format(f"exporter {HTTP} 1.45.2")]


@pytest.mark.parametrize("value", ["ftp://here", "http://:4318", "http://here:port"])
def test_exporters_whose_setting_is_wrong(value: str) -> None:
    """An endpoint that is not an address is a problem; the value is not repeated, since it may contain a password."""
    found = exporters({"OTEL_EXPORTER_OTLP_ENDPOINT": value}, {HTTP: "1.45.2"})
    assert list(map(str, found)) == [
        (
            f"problem  exporter {HTTP} 1.45.2: OTEL_EXPORTER_OTLP_ENDPOINT is not the address of a server; correct "
            "or unset OTEL_EXPORTER_OTLP_ENDPOINT"
        )
    ]


def test_no_exporters() -> None:
    """The distributions that were looked for are named."""
    assert list(map(str, exporters({}, {}))) == [
        (
            f"ok       exporters of the app: none of {HTTP}, opentelemetry-exporter-otlp-proto-grpc, "
            "openobserve-python-sdk, openobserve-telemetry-sdk is installed"
        )
    ]


@pytest.mark.parametrize("signal", ["", "LOGS_"], ids=["all signals", "one signal"])
def test_the_certificate_of_an_endpoint(signal: str) -> None:
    """An exporter trusts a server by the certificate file that is set, and the doctor checks with the same file."""
    secure = Receiver(has_tls=True)
    endpoint = {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": secure.url}
    [found] = exporters({**endpoint, f"OTEL_EXPORTER_OTLP_{signal}CERTIFICATE": str(CERTIFICATE)}, {HTTP: "1.45.2"})
    of = "the endpoint of OTEL_EXPORTER_OTLP_LOGS_ENDPOINT accepts connections"
    assert str(found) == f"ok       exporter {HTTP} 1.45.2: {of}"
    [found] = exporters({**endpoint, f"OTEL_EXPORTER_OTLP_{signal}CERTIFICATE": "no/ca.pem"}, {HTTP: "1.45.2"})
    where = f"port {secure.url.rpartition(':')[2]} of 127.0.0.1"
    assert f"the CA certificates in no/ca.pem cannot be used for {where}: No such file or directory" in str(found)
    secure.close()


def test_the_certificate_of_an_sdk() -> None:
    """OpenObserve's SDKs are built on OpenTelemetry's exporters, and trust a server by the same certificate file."""
    secure = Receiver(has_tls=True)
    environ = {"OPENOBSERVE_URL": secure.url}
    [found] = exporters(environ, {"openobserve-telemetry-sdk": "0.1.1"})
    todo = "check the address, or set OTEL_EXPORTER_OTLP_CERTIFICATE to a file with the CA of its certificate"
    assert found.next == todo
    [found] = exporters(
        {**environ, "OTEL_EXPORTER_OTLP_CERTIFICATE": str(CERTIFICATE)}, {"openobserve-telemetry-sdk": "0.1.1"}
    )
    assert found.found == "the endpoint of OPENOBSERVE_URL accepts connections"
    secure.close()
