"""Which gateway an exchange went through, recognised by its host and by headers that only one gateway sends."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from pytest_llmtrace.model import Request, Response

__all__ = ["gateway"]

_HOSTS = {
    "amazonaws.com": "bedrock",
    "anannas.ai": "anannas",
    "anthropic.com": "anthropic",
    "api.aws": "bedrock-mantle",
    "azure.com": "azure",
    "cerebras.ai": "cerebras",
    "crusoecloud.com": "crusoe",
    "deepseek.com": "deepseek",
    "gateway.pydantic.dev": "pydantic",
    "googleapis.com": "google",
    "groq.com": "groq",
    "huggingface.co": "huggingface",
    "mistral.ai": "mistral",
    "openai.com": "openai",
    "openrouter.ai": "openrouter",
    "portkey.ai": "portkey",
    "snowflakecomputing.com": "snowflake",
    "together.ai": "together",
    "together.xyz": "together",
    "z.ai": "zai",
}


def gateway(request: Request, response: Response | None = None) -> str:
    """Return the name that readings use for the gateway of an exchange, `other` if the gateway is unknown.

    A self-hosted LiteLLM Proxy can have any host; it is recognised by its `x-litellm-*` and `llm_provider-*` headers.
    """
    if response is not None and _is_litellm(tuple([name for name, _ in response.headers])):
        return "litellm"
    return _of_url(request.url)


@lru_cache(maxsize=256)
def _of_url(url: str) -> str:
    host = urlsplit(url).hostname or ""
    if host.endswith("googleapis.com") and "aiplatform" in host:
        return "vertex"
    while host and host not in _HOSTS:
        host = host.partition(".")[2]
    return _HOSTS.get(host, "other")


@lru_cache(maxsize=256)
def _is_litellm(names: tuple[str, ...]) -> bool:
    """Tell, by header names, whether a response is a LiteLLM Proxy's. Cached: most responses have the same names."""
    return any(name.lower().startswith(("x-litellm-", "llm_provider-")) for name in names)
