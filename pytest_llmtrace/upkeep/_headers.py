"""What the headers of a cassette give away, and which of them are new on every run."""

from __future__ import annotations

import re

from pytest_llmtrace.secrets.shapes import is_stand_in

__all__ = ["is_left", "is_volatile", "kind_of"]

_NO_SECRETS = {
    "amz-sdk-invocation-id": "volatile",
    "anthropic-organization-id": "personal",
    "baggage": "volatile",
    "llm_provider-openai-organization": "personal",
    "openai-organization": "personal",
    "openai-project": "personal",
    "traceparent": "volatile",
    "tracestate": "volatile",
    "x-amz-date": "volatile",
    "x-litellm-key-spend": "personal",
    "x-litellm-model-api-base": "personal",
}
"""Headers that are scrubbed although they give no access; all others in the lists of `replay.scrub` are secrets."""

_VOLATILE = re.compile(
    r"(?x)(?:llm_provider-)?(?: date | age | expires | last-modified | etag | cf-ray | server-timing | via"
    r"| (?:x-|apim-|x-ms-(?:client-)?|x-amzn-|x-kong-|anthropic-)?request-?id | x-amz-cf-id | x-ms-client-request-id"
    r"| x-amz-id-2 | x-amzn-trace-id | mistral-correlation-id | x-cloud-trace-context | x-ds-trace-id"
    r"| x-trace-id | traceresponse"
    r"| x-generation-id | inference-id | x-litellm-call-id | azureml-model-session"
    r"| openai-processing-ms | x-envoy-upstream-service-time | x-runtime | x-kong-(?:proxy|upstream)-latency"
    r"| x-litellm-(?:response|overhead)-duration-ms | cmp-upstream-response-duration"
    r"| (?:x-|anthropic-)?ratelimit(?:-.*)?(?:remaining|reset)(?:-.*)? )"
)
_COOKIES = frozenset({"cookie", "set-cookie"})
_ATTRIBUTES = frozenset(
    ["domain", "expires", "httponly", "max-age", "partitioned", "path", "priority", "samesite", "secure"]
)
_PUBLIC = re.compile(
    r"https://(?:api\.[a-z]+\.(?:ai|com|xyz)|openrouter\.ai|generativelanguage\.googleapis\.com)(?:[:/]|$)"
)
"""Addresses where a provider serves everybody: unlike the address of a private upstream, they give nothing away."""


def kind_of(name: str) -> str:
    """Return the kind of finding for a header that is scrubbed because of its name, given in lower case."""
    return _NO_SECRETS.get(name) or ("volatile" if _VOLATILE.fullmatch(name) else "secret")


def is_volatile(name: str, value: str) -> bool:
    """Tell whether a header has a new value on every run; a normalised value is not new."""
    return _VOLATILE.fullmatch(name.lower()) is not None and not _is_normalized(value)


def _is_normalized(value: str) -> bool:
    return (any(map(str.isalpha, value)) and is_stand_in(value)) or value.endswith("-XXX") or not value


def is_left(name: str, value: str) -> bool:
    """Tell whether the value of a header that is secret by its name gives nothing away."""
    name = name.lower()
    if name == "x-litellm-key-spend":
        return not re.search(r"[1-9]", value)
    if name == "x-litellm-model-api-base" and _PUBLIC.match(value):
        return True
    if name not in _COOKIES:
        return is_stand_in(value)
    pairs = (pair.strip().partition("=") for pair in value.split(";"))
    return all(is_stand_in(content or key) for key, _, content in pairs if key.lower() not in _ATTRIBUTES)
