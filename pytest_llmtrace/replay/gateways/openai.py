"""The scripted gateway `openai`: OpenAI's own API, with its models, headers and errors."""

from __future__ import annotations

from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import chat, counts, embeddings, responses
from pytest_llmtrace.replay.gateways._form import Mode, Profile
from pytest_llmtrace.replay.gateways._layout import HEX, pretty, pretty_line
from pytest_llmtrace.replay.gateways._reply import Reply

__all__ = ["PROFILE", "dated"]

# Alias -> the dated model that serves it. Source: OpenAI's models page. Any other model is served under its own name.
_DATED = {
    "gpt-3.5-turbo": "gpt-3.5-turbo-0125",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "gpt-5.4": "gpt-5.4-2026-03-05",
    "gpt-5.5": "gpt-5.5-2026-04-23",
    "o3": "o3-2025-04-16",
    "o4-mini": "o4-mini-2025-04-16",
    "text-embedding-ada-002": "text-embedding-ada-002-v2",
}


def dated(model: str) -> str:
    """Return the dated model behind an alias."""
    return _DATED.get(model, model)


class Chat(chat.Chat):
    dump = staticmethod(pretty_line)
    dump_error = staticmethod(pretty)


class Responses(responses.Responses):
    runs_later = True
    dump = staticmethod(pretty)
    dump_error = staticmethod(pretty)


class Embeddings(embeddings.Embeddings):
    dump = staticmethod(pretty_line)
    dump_error = staticmethod(pretty)


def _headers(reply: Reply, mode: Mode) -> Headers:
    limits = (
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-limit-tokens", "200000"),
        ("x-ratelimit-remaining-requests", "0" if mode == "error" else "9999"),
        ("x-ratelimit-remaining-tokens", "199968"),
        ("x-ratelimit-reset-requests", "8.64s"),
        ("x-ratelimit-reset-tokens", "9ms"),
    )
    return (
        ("access-control-expose-headers", "X-Request-ID"),
        ("openai-organization", "org-scripted"),
        ("openai-processing-ms", "412"),
        ("openai-version", "2020-10-01"),
        *limits,
        ("x-request-id", reply.id("req_", 32, HEX)),
        ("server", "cloudflare"),
    )


PROFILE = Profile(
    name="openai",
    forms={
        "chat": Chat(),
        "responses": Responses(),
        "embeddings": Embeddings(),
        "input_tokens": counts.InputTokens(),
    },
    headers=_headers,
    served=dated,
)
