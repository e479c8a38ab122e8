"""Is the provider that a span names the one whose own servers were asked?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._failures import failure_of
from pytest_llmtrace.checks._words import place_of_exchange, shown
from pytest_llmtrace.model import Finding, Severity

__all__ = ["PROVIDERS", "PROVIDER_NAME", "is_another", "serves_another"]

PROVIDERS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")

# Gateways that are one provider's own servers, with its names. Azure, Amazon and Google serve models of several.
_OWN: Mapping[str | None, frozenset[str]] = {
    "anthropic": frozenset({"anthropic"}),
    "deepseek": frozenset({"deepseek"}),
    "groq": frozenset({"groq"}),
    "mistral": frozenset({"mistral", "mistralai"}),
    "openai": frozenset({"openai"}),
}

# Names that mean one provider and no other, as the conventions, SDKs and frameworks have them.
_KNOWN = frozenset().union(*_OWN.values()) | {
    *("awsbedrock", "bedrock", "cohere", "gcpgemini", "gcpgenai", "gcpvertexai", "gemini", "google", "ibmwatsonxai"),
    *("moonshotai", "perplexity", "vertexai", "watsonx", "xai"),
}


def _provider_name(check: Check, evidence: Evidence) -> list[Finding | None]:
    looked: list[Finding | None] = []
    for account in evidence.accounts:
        answered, attributes = account.answered, account.span.attributes
        if answered.gateway in _OWN:
            stated = [name for name in PROVIDERS if name in attributes]
            wrong = [name for name in stated if is_another(attributes[name], answered.gateway, answered.api)]
            tried = [name for name in wrong if _was_tried(attributes[name], account)]
            if tried and failure_of(account) is not None:  # No provider answered: that of the first attempt is as good.
                wrong = [name for name in wrong if name not in tried]
            if stated:
                looked.append(_finding(check, account, wrong, _TRIED if tried else "") if wrong else None)
    return looked


def _was_tried(value: Any, account: Account) -> bool:
    """Tell whether a name is that of the provider that an earlier attempt asked, before a fallback to another one."""
    return any(not is_another(value, truth.gateway, truth.api) for truth in account.call.truths[:-1])


_TRIED = "tokens, cost and latency are counted for the provider that failed, and not for the one that answered"


def is_another(value: Any, gateway: str | None, api: str | None) -> bool:
    """Tell whether a value names another provider than the one whose own servers were asked."""
    return gateway in _OWN and isinstance(value, str) and _names_another(value, gateway, api)


@lru_cache(maxsize=256)
def _names_another(value: str, gateway: str | None, api: str | None) -> bool:
    """Tell whether a name is that of another provider than the one that was asked."""
    name = "".join(filter(str.isalnum, value[:_LONGEST].lower()))
    # An instrumentation that knows only the client may name the API's maker: many serve OpenAI's API, some Anthropic's.
    return name in _KNOWN and name not in _OWN[gateway] and name != ("anthropic" if api == "messages" else "openai")


_LONGEST = 40


def serves_another(value: str, gateway: str | None, api: str | None) -> bool:
    """Tell whether a name is that of a known provider, but the servers that were asked serve only another one's models.

    Groq serves models of others, whose makers may stand in front of a model's name.
    """
    return gateway in _OWN and gateway != "groq" and _names_another(value, gateway, api)


def _finding(check: Check, account: Account, wrong: list[str], why: str) -> Finding:
    exchange = account.exchange
    return check.finding(
        account.span,
        ("span", "\n".join(f"{name} = {shown(account.span.attributes[name])}" for name in wrong)),
        (
            "wire",
            f"the request went to {urlsplit(exchange.request.url).hostname}\n{place_of_exchange(exchange)}, request",
        ),
        why=why,
    )


PROVIDER_NAME = Check(
    id="wire/provider-name",
    title="The provider on a span is the one that was asked",
    why="tokens, cost and outages are counted for a provider that never saw this call",
    next="take it from the client that makes the call",
    look=_provider_name,
    severity=Severity.WARNING,
    compares="The provider on the spans of calls to the servers of Anthropic, DeepSeek, Groq, Mistral and OpenAI "
    "themselves. A span may name that provider, or the one whose API it serves (OpenAI or Anthropic), but no other "
    "known provider. Of a call that failed after a fallback, it may name the provider of any attempt. Not judged are "
    "calls to gateways, clouds and proxies, where nobody can tell, and names that are not those of known providers (a "
    "framework's, one of your own).",
    source="OTel GenAI: `gen_ai.provider.name`, `gen_ai.system`; OpenInference: `llm.provider`, `llm.system`",
)
