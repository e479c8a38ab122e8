"""The names of what is secret (headers, parameters, fields), and the masks that replace secrets in a file.

The names are those found in published cassettes.
"""

from __future__ import annotations

from pytest_llmtrace._stdlib import re

__all__ = [
    "BODY_FIELDS",
    "FIELD_NAMES",
    "MASK",
    "PERSON",
    "QUERY_PARAMETERS",
    "REQUEST_HEADERS",
    "RESPONSE_HEADERS",
    "TRANSPORT_HEADERS",
    "VOLATILE_HEADERS",
    "is_credential_header",
    "is_mask",
    "is_secret_field",
    "is_secret_header",
    "is_secret_parameter",
    "may_hold_secret_field",
]

MASK = "[secret]"
PERSON = "[removed]"

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
"""In lower case. Trace context is not secret, but new on every run."""

RESPONSE_HEADERS = frozenset(
    {
        "anthropic-organization-id",
        "apim-request-id",
        "openai-organization",
        "openai-project",
        "request-id",
        "set-cookie",
        "set-cookie2",
        "x-amz-cf-id",
        "x-amz-id-2",
        "x-amzn-requestid",
        "x-amzn-trace-id",
        "x-litellm-key-spend",
        "x-litellm-model-api-base",
        "x-ms-client-request-id",
        "x-ms-request-id",
        "x-request-id",
    }
)

VOLATILE_HEADERS = frozenset(
    {
        "age",
        "alt-svc",
        "cf-cache-status",
        "cf-ray",
        "connection",
        "keep-alive",
        "nel",
        "report-to",
        "server-timing",
        "strict-transport-security",
        "transfer-encoding",
        "via",
        "x-cloud-trace-context",
        "x-envoy-upstream-service-time",
    }
)
"""Response headers that servers on the way add: new on every run, and of no use to anybody who reads the reply."""

TRANSPORT_HEADERS = frozenset({"accept-encoding", "connection", "content-length", "host", "transfer-encoding"})
"""Request headers that only repeat what URL and body say, or that concern only the connection."""

_SECRET_HEADER = re.compile(
    r"(?:^|[-_])(?:(?:access|api|functions|master|private|secret|service|subscription|virtual)[-_]?key|auth"
    r"|authorization|credential|password|secret|token)$"
)
"""Headers of gateways' own keys: `Ocp-Apim-Subscription-Key` (Azure API Management), `x-litellm-api-key`, and so on."""

_COPIED = "llm_provider-"
"""The prefix that LiteLLM Proxy puts before the names of its upstream's headers."""

QUERY_PARAMETERS = frozenset(
    {
        "access_token",
        "api_key",
        "auth",
        "key",
        "sig",
        "signature",
        "subscription_key",
        "token",
        "x_amz_credential",
        "x_amz_security_token",
        "x_amz_signature",
        "x_goog_credential",
        "x_goog_signature",
    }
)
"""Secret query parameters, beside those named in `BODY_FIELDS`. In lower case, and with `_` for `-`: Azure API
Management takes `subscription-key`. Some sign a URL: those of AWS, of Google, and of Azure's shared access (`sig`)."""

BODY_FIELDS = frozenset(
    {
        "accesstoken",
        "apikey",
        "assertion",
        "authorization",
        "authorizationtoken",
        "authtoken",
        "awssecretaccesskey",
        "awssessiontoken",
        "clientassertion",
        "clientsecret",
        "idtoken",
        "passphrase",
        "passwd",
        "password",
        "privatekey",
        "refreshtoken",
        "secretaccesskey",
        "sessiontoken",
        "xapikey",
    }
)
"""Secret fields, without `_`, `-` and capitals: `api_key`, `apiKey` and `API-KEY` are one name. Requests tell a
provider how to reach an MCP server: by `authorization_token` (Anthropic), `authorization`, or `headers` (OpenAI), in
which every header that `is_credential_header` accepts is secret. A sign-in has a `password` (OAuth 2.0, RFC 6749)."""

FIELD_NAMES = (
    r"(?i:(?:[a-z0-9]{1,30}[_-]){0,3}api[_-]?key|private[_-]?key|(?:aws[_-]?)?secret[_-]?access[_-]?key|client[_-]?secret"
    r"|(?:refresh|access|id|auth|authorization|(?:aws[_-]?)?session)[_-]?token|authorization|assertion|passw(?:or)?d|passphrase)"
)
"""A pattern for the same names, to search a text that is neither JSON nor a form."""

_ENDS = ("apikey",)
"""The ends of names that say whose key it is: `OPENAI_API_KEY` in the environment of a tool."""

_ENDS_OF_FIELDS = (b'key"', b'token"', b'secret"', b'assertion"', b'authorization"', b"passw", b'passphrase"')


def is_secret_header(name: str) -> bool:
    """Tell whether a header, of a request or a response, is left out."""
    name = name.lower().removeprefix(_COPIED)
    return name in REQUEST_HEADERS or name in RESPONSE_HEADERS or _SECRET_HEADER.search(name) is not None


def is_credential_header(name: str) -> bool:
    """Tell whether a header is a credential; ids do not count, although they are left out of files as well."""
    name = name.lower()
    return name in {"cookie", "set-cookie"} or _SECRET_HEADER.search(name) is not None


def is_secret_parameter(name: str) -> bool:
    """Tell whether a query parameter is secret."""
    return name.lower().replace("-", "_") in QUERY_PARAMETERS or is_secret_field(name)


def is_secret_field(name: str) -> bool:
    """Tell whether a field of a JSON or form body is secret."""
    plain = name.replace("_", "").replace("-", "").lower()
    return plain in BODY_FIELDS or plain.endswith(_ENDS)


def is_mask(value: str) -> bool:
    """Tell whether a value is a mask already, or empty."""
    return value.strip() in {"", MASK, PERSON}


def may_hold_secret_field(body: bytes) -> bool:
    """Tell cheaply whether a JSON body needs a look for secret fields."""
    lower = body.lower()
    return any(end in lower for end in _ENDS_OF_FIELDS)
