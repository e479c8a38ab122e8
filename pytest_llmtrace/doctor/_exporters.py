"""Find exporters of the app that would delay its exit, since nothing listens at their endpoints.

Measured in November 2026: with one span and an endpoint that refuses, a process with an exporter for OTLP 1.45.2 takes
7 s to exit, over HTTP and over gRPC; with openobserve-telemetry-sdk 0.1.1 or openobserve-python-sdk 0.2.0 up to 30 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pytest_llmtrace.doctor._diagnosis import Diagnosis, ok, problem, unknown
from pytest_llmtrace.doctor._reach import is_behind_proxy, obstacle, remedy

__all__ = ["exporters"]


@dataclass(frozen=True, slots=True)
class _Exporter:
    """A distribution that has an exporter.

    Attributes:
        name: The name of the distribution.
        variables: The environment variables that name its endpoints.
        default: Its endpoint if none of them is set.
        cost: What it costs if nothing listens there.
    """

    name: str
    variables: tuple[str, ...]
    default: str
    cost: str


_OTLP: Final = tuple(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_", "LOGS_"))
_CERTIFICATE: Final = "OTEL_EXPORTER_OTLP_CERTIFICATE"
_WAITS: Final = "an app that used it took 7 s to exit (measured with 1.45.2), and lost its spans"
_HANGS: Final = "an app that used it hung at exit for up to 30 s when measured, and lost its data"
_EXPORTERS: Final = (
    _Exporter(
        "opentelemetry-exporter-otlp-proto-http",
        _OTLP,
        "http://localhost:4318",
        _WAITS,
    ),
    _Exporter(
        "opentelemetry-exporter-otlp-proto-grpc",
        _OTLP,
        "http://localhost:4317",
        _WAITS,
    ),
    _Exporter("openobserve-python-sdk", ("OPENOBSERVE_URL",), "http://localhost:5080", _HANGS),
    _Exporter("openobserve-telemetry-sdk", ("OPENOBSERVE_URL",), "http://localhost:5080", _HANGS),
)


def exporters(environ: Mapping[str, str], installed: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Yield the diagnoses of the endpoints of the installed exporters.

    Args:
        environ: The environment variables, with those of `.env` where the environment has none.
        installed: The versions of the installed distributions, by their names.
    """
    there = [exporter for exporter in _EXPORTERS if exporter.name in installed]
    for exporter in there:
        about = f"exporter {exporter.name} {installed[exporter.name]}"
        named = [(name, environ[name].strip()) for name in exporter.variables if environ.get(name, "").strip()]
        if not named:
            yield _by_default(about, exporter)
        for name, value in named:
            yield _endpoint(about, exporter, name, value, _certificate(name, environ))
    if not there:
        yield ok("exporters of the app", f"none of {', '.join(each.name for each in _EXPORTERS)} is installed")


def _by_default(about: str, exporter: _Exporter) -> Diagnosis:
    found = obstacle(exporter.default)
    if not found:
        return ok(about, f"its default endpoint {exporter.default} accepts connections")
    return unknown(
        about,
        f"{exporter.variables[0]} is not set, and at its default endpoint {found}; {exporter.cost}; "
        "whether the app uses it was not checked",
    )


def _certificate(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the file of CA certificates that an exporter uses, for its signal or for all signals, if one is set.

    OpenObserve's SDKs use OpenTelemetry's exporters, which read the same variables.
    """
    of_signal = name.removesuffix("ENDPOINT") + "CERTIFICATE"
    names = (of_signal if name in _OTLP else "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", _CERTIFICATE)
    return next((environ[each] for each in names if environ.get(each)), None)


def _endpoint(about: str, exporter: _Exporter, name: str, value: str, certificate: str | None) -> Diagnosis:
    url = value if "://" in value else f"http://{value}"  # gRPC's exporter takes host:port
    try:
        fits = bool(urlsplit(url).hostname) and urlsplit(url).scheme in {"http", "https"} and urlsplit(url).port != 0
    except ValueError:
        fits = False
    if not fits:
        return problem(about, f"{name} is not the address of a server", f"correct or unset {name}")
    if is_behind_proxy(url):
        return unknown(about, f"the endpoint of {name} is reached through a proxy, which was not checked")
    found = obstacle(url, certificate=certificate)
    if not found:
        return ok(about, f"the endpoint of {name} accepts connections")
    otherwise = f"start the server, or unset {name} where there is none"
    return problem(about, f"{name}: {found}; {exporter.cost}", remedy(found, _CERTIFICATE, otherwise))
