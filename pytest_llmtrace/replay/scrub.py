"""What is secret in a cassette: left out when writing, compared as equal when matching, never printed.

Both sides read the same lists; if only the writer did, a scrubbed recording would no longer match its own request.
The names are those found in published cassettes.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

__all__ = [
    "BODY_FIELDS",
    "MASK",
    "QUERY_PARAMETERS",
    "REQUEST_HEADERS",
    "RESPONSE_HEADERS",
    "is_secret_field",
    "is_secret_header",
    "is_secret_parameter",
    "mask_text",
    "mask_url",
    "may_hold_secret_field",
]

MASK = "[secret]"

REQUEST_HEADERS = frozenset(
    {
        "amz-sdk-invocation-id",
        "api-key",
        "authorization",
        "baggage",
        "cookie",
        "dd-api-key",
        "openai-organization",
        "openai-project",
        "proxy-authorization",
        "traceparent",
        "tracestate",
        "x-amz-date",
        "x-amz-security-token",
        "x-api-key",
        "x-goog-api-key",
        "x-provider-api-key",
    }
)
"""In lower case. Trace context is no secret, but new on every run."""

RESPONSE_HEADERS = frozenset(
    {
        "anthropic-organization-id",
        "llm_provider-openai-organization",
        "openai-organization",
        "openai-project",
        "set-cookie",
        "x-litellm-key-spend",
        "x-litellm-model-api-base",
    }
)

QUERY_PARAMETERS = frozenset({"access_token", "api_key", "key", "token"})

BODY_FIELDS = frozenset({"accesstoken", "apikey", "assertion", "clientsecret", "idtoken", "refreshtoken"})
"""Without `_`, `-` and capitals: `api_key`, `apiKey` and `API-KEY` are one name."""

_ENDS_OF_FIELDS = (b'key"', b'token"', b'secret"', b'assertion"')
_SECRET_TEXT = re.compile(
    r"""(?x)
      \b(?:sk|pk|rk|ek|gsk|xai|pplx|hf|csk|nvapi|fw)[-_][A-Za-z0-9_*-]{6,}  # provider keys, also masked ones
    | \bAIza[A-Za-z0-9_-]{20,}                                             # Google
    | \bA[KS]IA[A-Z0-9]{12,}                                               # AWS
    | \beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?       # JSON web tokens
    | (?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{6,}
    """
)


def is_secret_header(name: str) -> bool:
    """Tell whether a header, of a request or a response, is left out."""
    return name.lower() in REQUEST_HEADERS or name.lower() in RESPONSE_HEADERS


def is_secret_parameter(name: str) -> bool:
    """Tell whether a query parameter is secret."""
    return name.lower() in QUERY_PARAMETERS


def is_secret_field(name: str) -> bool:
    """Tell whether a field of a JSON or form body is secret."""
    return name.replace("_", "").replace("-", "").lower() in BODY_FIELDS


def may_hold_secret_field(body: bytes) -> bool:
    """Tell cheaply whether a JSON body needs a look for secret fields."""
    lower = body.lower()
    return any(end in lower for end in _ENDS_OF_FIELDS)


def mask_text(text: str) -> str:
    """Return a text without what looks like a key or a token."""
    return _SECRET_TEXT.sub(MASK, text)


def mask_url(url: str, parameters: frozenset[str] = frozenset()) -> str:
    """Return a URL without user information and without the values of secret parameters, ours and those given."""
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
    return mask_text(_unsplit(parts))


def _unsplit(parts: SplitResult) -> str:
    return parts.geturl()
