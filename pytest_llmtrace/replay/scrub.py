"""Secrets in a cassette: left out when it is written, equal to each other when requests are compared, never printed.

Writing and comparing use the same functions; if only the writer did, a scrubbed recording would no longer match its own
request. `pytest_llmtrace.secrets` knows what is secret.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.codings import unpacked
from pytest_llmtrace.model import Request
from pytest_llmtrace.secrets.body_text import as_bytes, as_text, is_all_text
from pytest_llmtrace.secrets.edits import Edit, applied, edits
from pytest_llmtrace.secrets.names import (
    BODY_FIELDS,
    MASK,
    PERSON,
    QUERY_PARAMETERS,
    REQUEST_HEADERS,
    RESPONSE_HEADERS,
    TRANSPORT_HEADERS,
    VOLATILE_HEADERS,
    is_secret_field,
    is_secret_header,
    is_secret_parameter,
    may_hold_secret_field,
)
from pytest_llmtrace.secrets.urls import scrubbed_url
from pytest_llmtrace.secrets.wide import text_of

__all__ = [
    "BODY_FIELDS",
    "MASK",
    "PERSON",
    "QUERY_PARAMETERS",
    "REQUEST_HEADERS",
    "RESPONSE_HEADERS",
    "TRANSPORT_HEADERS",
    "VOLATILE_HEADERS",
    "Edit",
    "applied",
    "as_bytes",
    "as_text",
    "edits",
    "is_all_text",
    "is_scrubbed",
    "is_secret_field",
    "is_secret_header",
    "is_secret_parameter",
    "mask_text",
    "mask_url",
    "may_hold_secret_field",
    "scrubbed_body",
    "scrubbed_text",
    "scrubbed_url",
]

# Generous on purpose: to mask a harmless word in a message costs nothing.
_SECRET_TEXT = re.compile(
    r"""(?x)
      \b(?:sk|pk|rk|ek|gsk|xai|pplx|hf|csk|nvapi|fw)[-_][A-Za-z0-9_*-]{6,}  # provider keys, also masked ones
    | \bAIza[A-Za-z0-9_-]{20,}                                             # Google
    | \bA[KS]IA[A-Z0-9]{12,}                                               # AWS
    | \beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?       # JSON web tokens
    | (?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{6,}
    """
)


def is_scrubbed(request: Request) -> bool:
    """Tell whether something in the URL or body of a recorded request was masked when it was written."""
    if MASK in request.url or PERSON in request.url:
        return True
    body = unpacked(request.body)
    if b"\0" in body[:8]:
        body = text_of(body).encode("utf-8", "replace")
    return MASK.encode() in body or PERSON.encode() in body


def scrubbed_text(text: str) -> str:
    """Return a text as a recorder writes it, without secrets."""
    return applied(text, edits(text))


def scrubbed_body(body: bytes) -> bytes:
    """Return a body as a recorder writes it, without secrets and without compression."""
    return as_bytes(scrubbed_text(as_text(unpacked(body))))


def mask_text(text: str) -> str:
    """Return a text with a mask for everything that looks like a key or a token."""
    return _SECRET_TEXT.sub(MASK, text)


def mask_url(url: str, parameters: frozenset[str] = frozenset()) -> str:
    """Return a URL without user information, with the values of secret parameters and of the given ones masked."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return mask_text(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    if any(is_secret_parameter(name) or name in parameters for name, _ in pairs):
        masked = [(name, MASK if is_secret_parameter(name) or name in parameters else value) for name, value in pairs]
        parts = parts._replace(query=urlencode(masked, safe="[]"))
    if "@" in parts.netloc:
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return mask_text(parts.geturl())
