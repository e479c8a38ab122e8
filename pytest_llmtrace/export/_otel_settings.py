"""Read from OpenTelemetry's environment variables where spans are sent by OTLP.

OTEL_EXPORTER_OTLP_[TRACES_]ENDPOINT, _PROTOCOL, _HEADERS, _TIMEOUT, _COMPRESSION, _CERTIFICATE, _CLIENT_CERTIFICATE,
_CLIENT_KEY, and for gRPC _INSECURE (specification, "OpenTelemetry Protocol Exporter"); variables with TRACES_ win. The
timeout is in seconds, as in OpenTelemetry's own exporters for Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pytest_llmtrace._argtypes import checked_seconds
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.export._destination import GRPC, HTTP_JSON, HTTP_PROTOBUF, Destination, checked_url
from pytest_llmtrace.export._tls import context

__all__ = ["otlp"]

_PROTOCOLS: Final = (GRPC, HTTP_JSON, HTTP_PROTOBUF)
_COMPRESSIONS: Final = ("gzip", "none")
_BOOLEANS: Final = ("false", "true")
_FILES: Final = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
_HEADER: Final = re.compile(r"[\w!#$%&'*+.^`|~-]+")
_GRPC_HEADER: Final = re.compile(r"(?i)(?!grpc-)(?!.*-bin$)[a-z0-9_.-]+")
"""The names that gRPC accepts for text metadata."""
_NO_GRPC: Final = "OTLP by gRPC needs its exporter: pip install opentelemetry-exporter-otlp-proto-grpc"


def otlp(environ: Mapping[str, str]) -> Destination:
    """Return the destination that the variables describe.

    Raises:
        UsageError: If the value of a variable has no meaning, or gRPC is wanted and not installed.
    """
    protocol = _one_of("PROTOCOL", environ, _PROTOCOLS, HTTP_PROTOBUF)
    is_grpc = protocol == GRPC
    if is_grpc and not _has_grpc():
        raise UsageError(_NO_GRPC)
    url = _grpc_address(environ) if is_grpc else _http_address(environ)
    name, value = _either("TIMEOUT", environ)
    return Destination(
        name="otlp",
        label=f"OTLP{' by gRPC' if is_grpc else ''} at {url.partition('?')[0]}",
        url=url,
        headers=_headers(*_either("HEADERS", environ), _GRPC_HEADER if is_grpc else _HEADER),
        timeout=checked_seconds(name, value, 10),
        protocol=protocol,
        is_compressed=_one_of("COMPRESSION", environ, _COMPRESSIONS, "gzip") == "gzip",
        tls=_files(environ),
    )


def _has_grpc() -> bool:
    """Tell whether gRPC is installed; a folder that happens to have its name does not count."""
    found = find_spec("grpc")
    return found is not None and found.origin is not None


def _http_address(environ: Mapping[str, str]) -> str:
    name, value = _either("ENDPOINT", environ)
    url = checked_url(name, value or "http://localhost:4318")
    if name.startswith("OTEL_EXPORTER_OTLP_TRACES_"):
        return url
    parts = urlsplit(url)  # The path goes before a query, if there is one.
    return parts._replace(path=f"{parts.path.rstrip('/')}/v1/traces").geturl()


def _grpc_address(environ: Mapping[str, str]) -> str:
    """Return scheme, host and port. The scheme says whether TLS is used; if it is not given, `_INSECURE` does."""
    is_insecure = _one_of("INSECURE", environ, _BOOLEANS, "false") == "true"
    name, value = _either("ENDPOINT", environ)
    value = value.removeprefix("dns:///") or "http://localhost:4317"  # gRPC resolves names by DNS anyway.
    has_scheme = "://" in value or value.startswith("unix:")  # Else `unix` would be taken for a host.
    parts = urlsplit(checked_url(name, value if has_scheme else f"http{'' if is_insecure else 's'}://{value}"))
    return f"{parts.scheme}://{parts.netloc}"


def _files(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the files for TLS, after checking that a context can be made from them."""
    said = {what: _either(what, environ) for what in _FILES}
    files = {what.lower(): str(Path(value).absolute()) for what, (_, value) in said.items() if value}
    if "client_key" in files and "client_certificate" not in files:
        raise UsageError(
            f"{said['CLIENT_KEY'][0]} is set, but {said['CLIENT_CERTIFICATE'][0]} is not: a key needs its certificate"
        )
    try:
        context(files)
    except OSError as error:
        names = " or ".join(name for name, value in said.values() if value)
        raise UsageError(f"the file in {names} cannot be used for TLS: {error.strerror or error}") from None
    return files


def _one_of(what: str, environ: Mapping[str, str], known: tuple[str, ...], default: str) -> str:
    name, value = _either(what, environ)
    if (value.lower() or default) not in known:
        raise UsageError.unknown(f"value of {name}", value, known)
    return value.lower() or default


def _either(what: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and the value of the variable for traces, or of the one for all signals if that is not set."""
    names = (f"OTEL_EXPORTER_OTLP_TRACES_{what}", f"OTEL_EXPORTER_OTLP_{what}")
    name = next((name for name in names if environ.get(name)), names[1])
    return name, environ.get(name, "").strip()


def _headers(name: str, value: str, known: re.Pattern[str]) -> dict[str, str]:
    """Read `key=value` pairs with commas between them, their values percent-encoded."""
    headers = {}
    for pair in filter(None, map(str.strip, value.split(","))):
        key, is_set, said = (part.strip() for part in pair.partition("="))
        said = unquote(said)
        if not is_set or not known.fullmatch(key) or not said.isprintable() or not said.isascii():
            raise UsageError(f"{name} must have the form `key=value,key=value`; its value does not")
        headers[key.lower()] = said
    return headers
