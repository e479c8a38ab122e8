"""The scripted gateway `anthropic`: Anthropic's own API, with its models, headers and errors."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import counts, errors, messages
from pytest_llmtrace.replay.gateways._form import Mode, Profile
from pytest_llmtrace.replay.gateways._reply import Reply

__all__ = ["PROFILE", "dated"]

# Alias -> the dated model that serves it. Source: Anthropic's models page.
_DATED = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-opus-4-1": "claude-opus-4-1-20250805",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-sonnet-4-0": "claude-sonnet-4-20250514",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
}
_RETRIED = (408, 409, 429)


def dated(model: str) -> str:
    """Return the dated model behind an alias."""
    return _DATED.get(model, model)


class OlderMessages(messages.Messages):
    restates = False


def _headers(reply: Reply, mode: Mode) -> Headers:
    failing = reply.script.failing
    retried = failing is not None and (failing.status in _RETRIED or failing.status >= HTTPStatus.INTERNAL_SERVER_ERROR)
    return (
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
        ("anthropic-ratelimit-requests-limit", "4000"),
        ("anthropic-ratelimit-requests-remaining", "0" if mode == "error" else "3999"),
        ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:01Z"),
        ("request-id", errors.request_id(reply)),
        ("server", "cloudflare"),
        ("x-robots-tag", "none"),
        *((("x-should-retry", "true" if retried else "false"),) if mode == "error" else ()),
    )


_CURRENT = Profile(
    name="anthropic",
    forms={"messages": messages.Messages(), "count_tokens": counts.CountTokens()},
    headers=_headers,
    served=dated,
    options=frozenset({"older"}),
)
PROFILE = replace(_CURRENT, older=replace(_CURRENT, forms={**_CURRENT.forms, "messages": OlderMessages()}))
