"""The bodies of errors that each family of gateways sends for a status. Those of clouds are beside the clouds' forms.

Sources: the error pages of OpenAI, Anthropic, OpenRouter, Azure OpenAI and Anannas; LiteLLM's proxy exceptions.

These bodies have been compared with real replies. With recordings: OpenAI's 401 (except the key), Anthropic's 401 and
404, Azure's content filter, and those of LiteLLM's that its live tests meet (1.109.1). With quotations in bug reports:
OpenAI's 404, 503 and (in 2023) 502, and Anthropic's 529; the code of OpenAI's 408 was seen behind proxies only.
OpenRouter's follow its error pages. For all others no real reply was found: their shape is that of the gateway's other
errors, their text is from its pages, or our own where these have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.replay.gateways._reply import Reply
from pytest_llmtrace.replay.gateways._script import Failing

__all__ = [
    "anthropic",
    "azure",
    "by_status",
    "failing",
    "litellm",
    "numeric",
    "openai",
    "openrouter",
    "request_id",
    "typed",
    "worded",
]

_NO_KEY = "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys."
_INVALID = "Invalid request: a parameter is missing or has a value that is not allowed."
_NO_MODEL = "The model `{model}` does not exist or you do not have access to it."
_TOO_SLOW = "Timed out reading request body. Try again, or use a smaller request size."
_TOO_BUSY = "Our servers are currently overloaded. Please try again later."

# Status -> type, code, message.
_OPENAI: Mapping[int, tuple[str, str | int | None, str]] = {
    400: ("invalid_request_error", None, _INVALID),
    401: ("invalid_request_error", "invalid_api_key", _NO_KEY),
    403: ("invalid_request_error", "unsupported_country_region_territory", "This region is not supported."),
    404: ("invalid_request_error", "model_not_found", _NO_MODEL),
    408: ("server_error", "user_request_timeout", _TOO_SLOW),
    413: ("invalid_request_error", None, "Request body is too large."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for {model} on requests per min (RPM)."),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    502: ("cf_bad_gateway", 502, "Bad gateway."),
    503: ("service_unavailable_error", "server_is_overloaded", _TOO_BUSY),
}

# Status -> type, message.
_ANTHROPIC: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "There is an issue with your billing or payment information."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: {model}"),
    408: ("invalid_request_error", "Request timed out."),
    413: ("request_too_large", "Request exceeds the maximum allowed number of bytes."),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "Request timed out."),
    529: ("overloaded_error", "Overloaded"),
}

# Gateways with Anthropic's request ids -> the prefix of the ids.
_REQUESTS: Mapping[str, str] = {"anthropic": "req_", "bedrock-mantle": "req_bdrk_", "vertex": "req_vrtx_"}

_NUMERIC: Mapping[int, str] = {
    400: 'Input required: specify "prompt" or "messages"',
    401: "No auth credentials found",
    402: "Insufficient credits. Add more to your account and retry the request.",
    403: "The model requires moderation, and your input was flagged.",
    404: "No endpoints found for {model}.",
    408: "Request timed out",
    413: "Request payload too large",
    429: "Rate limit exceeded: limit_rpm/{model}",
    502: "Provider returned error",
    503: "There is no available model provider that meets your routing requirements",
}

_AZURE: Mapping[int, tuple[str, str]] = {
    401: ("401", "Access denied due to invalid subscription key or wrong API endpoint."),
    404: ("DeploymentNotFound", "The API deployment for this resource does not exist."),
    408: ("Timeout", "The operation was timeout."),
    413: ("413", "The request body is too large."),
    429: ("429", "Requests to the API have exceeded the call rate limit of your current pricing tier."),
    503: ("503", "The service is temporarily unable to process your request. Please try again later."),
}

# Status -> exception class, type, message.
_LITELLM: Mapping[int, tuple[str, str | None, str]] = {
    400: ("BadRequestError", "invalid_request_error", _INVALID),
    401: ("AuthenticationError", "auth_error", "Authentication Error, Invalid proxy server token passed."),
    403: ("PermissionDeniedError", None, "You do not have access to {model}."),
    404: ("NotFoundError", None, _NO_MODEL),
    408: ("Timeout", None, "Request timed out."),
    413: ("BadRequestError", "invalid_request_error", "Request body is too large."),
    429: ("RateLimitError", "throttling_error", "Rate limit reached for {model}"),
    500: ("InternalServerError", "internal_server_error", "The server had an error while processing your request."),
    502: ("BadGatewayError", None, "Bad gateway."),
    503: ("ServiceUnavailableError", None, _TOO_BUSY),
}

_TYPED: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "Invalid request: model is required"),
    401: ("authentication_error", "Authentication required"),
    402: ("insufficient_quota_error", "Insufficient credits"),
    403: ("content_filter_error", "Content flagged by moderation"),
    404: ("not_found_error", "Model not found"),
    408: ("timeout_error", "Request timeout"),
    413: ("invalid_request_error", "Request body too large"),
    429: ("rate_limit_error", "Rate limit exceeded"),
    500: ("server_error", "Internal server error"),
    502: ("provider_error", "Provider error"),
}


_T = TypeVar("_T")


def by_status(table: Mapping[int, _T], status: int) -> _T:
    """Return the entry of a table for a status; if it has none, that for 400 or 500, the most general statuses."""
    general = HTTPStatus.BAD_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus.INTERNAL_SERVER_ERROR
    return table.get(status, table[general])


def failing(reply: Reply) -> Failing:
    """Return the error that was queued.

    Raises:
        UsageError: If no error was queued for this reply.
    """
    if reply.script.failing is None:
        raise UsageError(f"no error is queued for this reply of {reply.gateway}")
    return reply.script.failing


def worded(reply: Reply, default: str) -> str:
    """Return the message of an error: the queued one, else the default, in which `{model}` stands for the model."""
    given = failing(reply).message
    return given if given is not None else default.replace("{model}", reply.requested)


def openai(reply: Reply) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}`."""
    error = failing(reply)
    kind, code, message = by_status(_OPENAI, error.status)
    param = "model" if error.status == HTTPStatus.NOT_FOUND else None
    return {
        "error": {
            "message": worded(reply, message),
            "type": error.type or kind,
            "param": param,
            "code": code if error.code is None else error.code,
        }
    }


def anthropic(reply: Reply) -> dict[str, Any]:
    """`{"type": "error", "error": {"type", "message"}, "request_id"}`."""
    error = failing(reply)
    kind, message = by_status(_ANTHROPIC, error.status)
    body: dict[str, Any] = {"type": "error", "error": {"type": error.type or kind, "message": worded(reply, message)}}
    return body | ({"request_id": request_id(reply)} if reply.gateway in _REQUESTS else {})


def request_id(reply: Reply) -> str:
    """Return Anthropic's request id; the header and the body of an error have the same one."""
    return reply.id(_REQUESTS.get(reply.gateway, "req_") + "011C", 20)


def numeric(reply: Reply) -> dict[str, Any]:
    """`{"error": {"message", "code"}}`; the code is a number."""
    error = failing(reply)
    message = worded(reply, _NUMERIC.get(error.status, "Provider returned error"))
    return {"error": {"message": message, "code": error.status if error.code is None else error.code}}


def openrouter(reply: Reply) -> dict[str, Any]:
    """As `numeric`; if a provider refused the request, also its name and its words, and the id of the user."""
    error = failing(reply)
    limited = error.status == HTTPStatus.TOO_MANY_REQUESTS and reply.requested.endswith(":free")
    if not limited and error.status != HTTPStatus.BAD_GATEWAY:
        return numeric(reply)
    raw = (
        f"{reply.requested} is temporarily rate-limited upstream. Please retry shortly."
        if limited
        else "upstream error"
    )
    body = numeric(reply)["error"] | {"message": worded(reply, "Provider returned error")}
    metadata = {"raw": raw, "provider_name": provider(reply)}
    return {"error": body | {"metadata": metadata}, "user_id": reply.id("user_", 27)}


def provider(reply: Reply) -> str:
    """Return the provider behind OpenRouter: the one that was queued, else the maker of the model."""
    names = {"openai": "OpenAI", "anthropic": "Anthropic", "google": "Google", "mistralai": "Mistral"}
    return reply.script.provider or names.get(reply.requested.partition("/")[0], "Together")


def litellm(reply: Reply) -> dict[str, Any]:
    """As `openai`; the code is the status as a string. Measured on LiteLLM 1.109.1."""
    error = failing(reply)
    name, kind, text = by_status(_LITELLM, error.status)
    path = "/chat/completions" if reply.api == "chat" else f"/{reply.api}"
    of_proxy = {400: f"{path}: Invalid model name passed in model={{model}}.", 401: text}
    default = of_proxy.get(error.status, f"litellm.{name}: {name}: OpenAIException - {text}")
    return {
        "error": {
            "message": worded(reply, default),
            "type": error.type or kind,
            "param": None,
            "code": str(error.status if error.code is None else error.code),
        }
    }


def azure(reply: Reply) -> dict[str, Any]:
    """`{"error": {"code", "message"}}`; for a filtered prompt as `openai`, with the findings of the filter."""
    error = failing(reply)
    if error.code == "content_filter":
        return {"error": {**openai(reply)["error"], **_filtered(reply)}}
    code, message = _AZURE.get(error.status, (str(error.status), "The request could not be served."))
    return {"error": {"code": code if error.code is None else error.code, "message": worded(reply, message)}}


def _filtered(reply: Reply) -> dict[str, Any]:
    safe = {"filtered": False, "severity": "safe"}
    found = {"hate": safe, "self_harm": safe, "sexual": safe, "violence": {"filtered": True, "severity": "medium"}}
    default = (
        "The response was filtered due to the prompt triggering Azure Content management policy. Please modify your "
        "prompt and retry. To learn more about our content filtering policies please read our documentation: "
        "https://go.microsoft.com/fwlink/?linkid=21298766"
    )
    return {
        "message": worded(reply, default),
        "type": failing(reply).type,
        "param": "prompt",
        "status": failing(reply).status,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": found},
    }


def typed(reply: Reply) -> dict[str, Any]:
    """`{"error": {"message", "type"}}`, with a code only if one was queued."""
    error = failing(reply)
    kind, message = by_status(_TYPED, error.status)
    code = {} if error.code is None else {"code": str(error.code)}
    return {"error": {"message": worded(reply, message), "type": error.type or kind, **code}}
