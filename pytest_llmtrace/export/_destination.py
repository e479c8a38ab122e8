"""Where spans are sent, and how."""

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
"""Characters that a header's value, or a word of it, has at least if it is to be kept secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """A back end that takes spans by OTLP.

    Attributes:
        name: `openobserve` or `otlp`.
        label: How reports call it.
        url: Where spans are posted; for gRPC the server's address.
        headers: What authorizes that, and more. Never shown.
        timeout: Of a request, in seconds.
        protocol: Which of OTLP's.
        is_compressed: Whether requests are, by gzip.
        tls: Files that a connection needs: `certificate` of the server, `client_certificate` and `client_key`.
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
    protocol: str = HTTP_JSON
    is_compressed: bool = True
    tls: Mapping[str, str] = field(default_factory=dict)
    search_url: str = ""
    stream: str = ""
    base: str = ""
    organization: str = ""

    @property
    def authority(self) -> str:
        """The variable that names the file of who signs for a server that the system does not know."""
        return "SSL_CERT_FILE" if self.name == "openobserve" else "OTEL_EXPORTER_OTLP_CERTIFICATE"

    def masked(self, text: str) -> str:
        """Return a text, as a server said it, without what authorizes us: some repeat what they do not like.

        The text may have been cut, and a secret with it, so that its beginning goes too.
        """
        for value in self.headers.values():
            text = text.replace(value, MASK) if len(value) >= _SECRET else text
            for word in value.split():
                text = _without(text, word) if len(word) >= _SECRET else text
        return text


def _without(text: str, secret: str) -> str:
    """Mask a secret in a text, and whatever is as much of its beginning as a secret has at least."""
    parts = text.split(secret[:_SECRET])
    return MASK.join((parts[0], *(part[_as_far_as(part, secret[_SECRET:]) :] for part in parts[1:])))


def _as_far_as(text: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    return next(
        (at for at, (one, two) in enumerate(zip(text, other, strict=False)) if one != two), min(len(text), len(other))
    )


def checked_url(name: str, value: str) -> str:
    """Return the address of a server.

    Args:
        name: The variable.
        value: What it is set to; it may have a password, and is not repeated.

    Raises:
        UsageError: It is none, or says who we are.
    """
    url = value.strip()
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        fits = False
    if not fits or parts.username is not None:
        raise UsageError(f"{name} must be the address of a server, as http://localhost:5080; what is set is not")
    return url
