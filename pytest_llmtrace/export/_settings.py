"""Environment variables -> where spans are sent.

`openobserve` reads the variables of the official SDK: OPENOBSERVE_URL, _ORG, _AUTH_TOKEN, _TRACES_STREAM_NAME and
_TIMEOUT (in seconds).
`otlp` reads OpenTelemetry's: OTEL_EXPORTER_OTLP_[TRACES_]ENDPOINT, _HEADERS, _TIMEOUT, _PROTOCOL; the timeout is in
seconds, as OpenTelemetry's own exporters in Python have it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.secrets.names import MASK

__all__ = ["NAMES", "Destination", "destination", "read_env_file"]

NAMES: Final = ("openobserve", "otlp")
_SECRET: Final = 8
"""Characters that a header's value, or a word of it, has at least if it is to be kept secret."""
_SCHEME: Final = re.compile(r"(?i)(basic|bearer) \S+")
_LINE: Final = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|(.*?))\s*(?:\s#.*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """A back end that takes spans by OTLP over HTTP.

    Attributes:
        name: `openobserve` or `otlp`.
        label: How reports call it.
        url: Where spans are posted.
        headers: What authorizes that, and more. Never shown.
        timeout: Of a request, in seconds.
        is_json: Whether it is sent OTLP's JSON form; else protobuf.
        search_url: Where spans can be read back, where that is known.
        stream: Where it stores them.
        base: Where its pages are, where it is known to have some.
        organization: Whose pages.
    """

    name: str
    label: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float
    is_json: bool = True
    search_url: str = ""
    stream: str = ""
    base: str = ""
    organization: str = ""

    def masked(self, text: str) -> str:
        """Return a text, as a server said it, without what authorizes us: some repeat what they do not like."""
        for secret in (part for value in self.headers.values() for part in (value, *value.split())):
            if len(secret) >= _SECRET:
                text = text.replace(secret, MASK)
        return text


def destination(name: str, environ: Mapping[str, str]) -> Destination:
    """Return a destination as the environment describes it.

    Raises:
        UsageError: There is none of this name, or a variable is missing or has no meaning.
    """
    if name not in NAMES:
        raise UsageError.unknown("destination of --llmtrace-export", name, (*NAMES, "file=PATH"))
    return _openobserve(environ) if name == "openobserve" else _otlp(environ)


def read_env_file(path: Path) -> dict[str, str]:
    """Read a `.env` file, by python-dotenv where that is installed; nothing where there is no such file.

    Without it: `NAME=VALUE` lines, the value perhaps in quotes; comments after `#`.

    Raises:
        UsageError: It cannot be read, or is not in UTF-8.
    """
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")  # Some editors put a mark before the first name.
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not in UTF-8: save it so") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        from dotenv import dotenv_values
    except ImportError:
        lines = map(_LINE.fullmatch, text.splitlines())
        return {line[1]: line[2] or line[3] or line[4] or "" for line in lines if line}
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}


def _openobserve(environ: Mapping[str, str]) -> Destination:
    missing = [name for name in ("OPENOBSERVE_URL", "OPENOBSERVE_AUTH_TOKEN") if not environ.get(name)]
    if missing:
        raise UsageError(f"--llmtrace-export openobserve needs {' and '.join(missing)} (environment or .env)")
    url = _checked_url("OPENOBSERVE_URL", environ).rstrip("/")
    token = environ["OPENOBSERVE_AUTH_TOKEN"].strip()
    if not _SCHEME.fullmatch(token) or not (token.isascii() and token.isprintable()):
        raise UsageError("OPENOBSERVE_AUTH_TOKEN must read `Basic ` and base64 of `email:token`; what is set does not")
    organization = environ.get("OPENOBSERVE_ORG") or "default"
    stream = _stream_name(environ.get("OPENOBSERVE_TRACES_STREAM_NAME") or "default")
    path = quote(organization, safe="")
    return Destination(
        name="openobserve",
        label=f"OpenObserve at {url}, organization {organization}, stream {stream}",
        url=f"{url}/api/{path}/v1/traces",
        headers={"authorization": token, "stream-name": stream},
        timeout=_seconds("OPENOBSERVE_TIMEOUT", environ, 30),
        search_url=f"{url}/api/{path}/_search?type=traces&use_cache=false",
        stream=stream,
        base=url,
        organization=organization,
    )


def _otlp(environ: Mapping[str, str]) -> Destination:
    protocol = _either("PROTOCOL", environ)[1] or "http/protobuf"
    if protocol not in {"http/protobuf", "http/json"}:
        raise UsageError.unknown("protocol of --llmtrace-export otlp", protocol, ("http/protobuf", "http/json"))
    name, value = _either("ENDPOINT", environ)
    url = _checked_url(name, {name: value or "http://localhost:4318"})
    if not name.startswith("OTEL_EXPORTER_OTLP_TRACES_"):
        url = f"{url.rstrip('/')}/v1/traces"
    name, value = _either("TIMEOUT", environ)
    return Destination(
        name="otlp",
        label=f"OTLP at {_without_query(url)}",
        url=url,
        headers=_headers(*_either("HEADERS", environ)),
        timeout=_seconds(name, {name: value}, 10),
        is_json=protocol == "http/json",
    )


def _either(what: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable for traces, else the one for all signals, by name and value."""
    names = (f"OTEL_EXPORTER_OTLP_TRACES_{what}", f"OTEL_EXPORTER_OTLP_{what}")
    name = next((name for name in names if environ.get(name)), names[1])
    return name, environ.get(name, "").strip()


def _headers(name: str, value: str) -> dict[str, str]:
    """Read `key=value` pairs with commas between them, their values percent-encoded."""
    headers = {}
    for pair in filter(None, map(str.strip, value.split(","))):
        key, is_set, said = (part.strip() for part in pair.partition("="))
        said = unquote(said)
        if not is_set or not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", key) or not said.isprintable() or not said.isascii():
            raise UsageError(f"{name} must read `key=value,key=value`; what is set does not")
        headers[key.lower()] = said
    return headers


def _checked_url(name: str, environ: Mapping[str, str]) -> str:
    url = environ[name].strip()
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        fits = False
    if not fits or parts.username is not None:
        raise UsageError(f"{name} must be the address of a server, as http://localhost:5080; what is set is not")
    return url


def _without_query(url: str) -> str:
    return url.partition("?")[0]


def _seconds(name: str, environ: Mapping[str, str], default: float) -> float:
    value = environ.get(name) or str(default)
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"{name} is {value!r}: it must be a number of seconds above 0")
    return seconds


def _stream_name(name: str) -> str:
    """Return the name that OpenObserve stores a stream under (0.92; `ZO_FORMAT_STREAM_NAME_TO_LOWERCASE` as it is)."""
    return re.sub(r"[^A-Za-z0-9_:]+", "_", name).lower()
