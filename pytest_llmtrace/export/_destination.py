"""A destination of exported spans: its address, protocol, headers and TLS files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.secrets.names import MASK

__all__ = ["GRPC", "HTTP_JSON", "HTTP_PROTOBUF", "Destination", "checked_url"]

HTTP_JSON: Final = "http/json"
HTTP_PROTOBUF: Final = "http/protobuf"
GRPC: Final = "grpc"
"""The protocols, as `OTEL_EXPORTER_OTLP_PROTOCOL` calls them."""
_SECRET: Final = 8
"""A header's value, or a word of it, is treated as a secret if it has at least this many characters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """A back end that takes spans by OTLP.

    Attributes:
        name: `openobserve` or `otlp`.
        label: The name of the back end in reports.
        url: The address that spans are posted to; for gRPC the server's address.
        headers: The headers (for gRPC the metadata) of each request, among them the authorization. Never shown.
        timeout: Limit for one request, in seconds.
        protocol: The OTLP protocol: `GRPC`, `HTTP_JSON` or `HTTP_PROTOBUF`.
        is_compressed: Whether requests are compressed by gzip.
        tls: Files that a connection needs: `certificate` of the server, `client_certificate` and `client_key`.
        search_url: The address where spans can be read back; "" if it is not known.
        stream: The stream that the back end stores the spans in; "" if it is not known.
        base: The address of the back end's web pages; "" if it is not known to have any.
        organization: The organization whose pages show the spans; "" if there are no pages.
    """

    name: str
    label: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float
    protocol: str = HTTP_JSON
    is_compressed: bool = True
    tls: Mapping[str, str] = field(default_factory=dict)
    search_url: str = ""
    stream: str = ""
    base: str = ""
    organization: str = ""

    @property
    def authority(self) -> str:
        """The variable that names a file of CA certificates, for a server whose CA the system does not know."""
        return "SSL_CERT_FILE" if self.name == "openobserve" else "OTEL_EXPORTER_OTLP_CERTIFICATE"

    def masked(self, text: str) -> str:
        """Return a text from a server with the secrets of our headers masked: some servers repeat a refused token.

        The text may have been cut in the middle of a secret, so the beginning of a secret is masked as well.
        """
        for value in self.headers.values():
            text = text.replace(value, MASK) if len(value) >= _SECRET else text
            for word in value.split():
                text = _without(text, word) if len(word) >= _SECRET else text
        return text


def _without(text: str, secret: str) -> str:
    """Mask a secret in a text, and also any beginning of it that has at least `_SECRET` characters."""
    parts = text.split(secret[:_SECRET])
    return MASK.join((parts[0], *(part[_as_far_as(part, secret[_SECRET:]) :] for part in parts[1:])))


def _as_far_as(text: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    return next(
        (at for at, (one, two) in enumerate(zip(text, other, strict=False)) if one != two), min(len(text), len(other))
    )


def checked_url(name: str, value: str) -> str:
    """Return the address of a server after checking it.

    Args:
        name: The variable that holds the address.
        value: The value of the variable; it may have a password, so that no message repeats it.

    Raises:
        UsageError: If the value is not an HTTP(S) address, or has a user name in it.
    """
    url = value.strip()
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        fits = False
    if not fits or parts.username is not None:
        raise UsageError(
            f"{name} must be an http(s) address without a user name, such as http://localhost:5080; its value is not"
        )
    return url
