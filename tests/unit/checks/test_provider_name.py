"""A span may name only the provider that was asked, or the one whose API it is; so may a model's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Exchange, Finding, Request, SpanRecord
from pytest_llmtrace.pairing import match
from tests.evidence import evidence_of

Judged = Callable[..., list[Finding]]

OPENAI = "https://api.openai.com/v1/chat/completions"
ANTHROPIC = "https://api.anthropic.com/v1/messages"
NEXT = "take it from the client that makes the call"
COMPATIBLE = "https://api.anthropic.com/v1/chat/completions"


@pytest.fixture
def judged(make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]) -> Judged:
    """Judge the provider that a span names for a call to a URL, or the model that it names for `m`."""

    def judged(url: str, said: dict[str, Any], check: str = "wire/provider-name") -> list[Finding]:
        body = json.dumps({"model": "m", "messages": []}).encode()
        exchange = make_exchange(span=1, request=Request(method="POST", url=url, body=body))
        span = make_span(1, attributes={"gen_ai.request.model": "m", **said})
        seen = evidence_of([exchange], [span])
        return [finding for finding in verify(seen, {}).findings if finding.check == check]

    return judged


GROQ, PROXY = "https://api.groq.com/openai/v1/chat/completions", "https://proxy.example/v1/chat/completions"
IN_FRONT = "; the name in front is that of a provider that never saw this call"


@pytest.mark.parametrize(
    ("url", "check", "said", "why"),
    [
        (
            OPENAI,
            "wire/request-model",
            {"gen_ai.request.model": "anthropic/m"},
            f"calls, costs and latencies are counted for a model that this request did not name{IN_FRONT}",
        ),
        (
            ANTHROPIC,
            "wire/request-model",
            {"gen_ai.request.model": "litellm/vertex_ai/m"},
            f"calls, costs and latencies are counted for a model that this request did not name{IN_FRONT}",
        ),
        (
            OPENAI,
            "wire/model",
            {"openinference.span.kind": "LLM", "llm.model_name": "anthropic/m"},
            "calls, costs and latencies are counted for a model that neither asked nor answered",
        ),
    ],
)
def test_a_rival_in_front_of_a_model(judged: Judged, url: str, check: str, said: dict[str, str], why: str) -> None:
    """Whoever asks a provider's own servers for a model does not ask another provider for it."""
    [finding] = judged(url, said, check)
    assert dict(finding.details)["why"] == why


@pytest.mark.parametrize(
    ("url", "model"),
    [
        (OPENAI, "openai/m"),
        (ANTHROPIC, "litellm/anthropic/m"),
        (OPENAI, "team/m"),  # Nobody knows what that is.
        (GROQ, "groq/m"),
        (GROQ, "google/m"),  # The maker of a model that another provider serves.
        (PROXY, "anthropic/m"),
    ],
)
def test_a_provider_in_front_of_a_model(judged: Judged, url: str, model: str) -> None:
    """A framework may put the provider in front of a model's name, or its own word for it, or the model's maker."""
    assert judged(url, {"gen_ai.request.model": model}, "wire/request-model") == []


def test_another_provider(judged: Judged) -> None:
    """A wrapper that was copied for another provider may still name the first one."""
    [finding] = judged(ANTHROPIC, {"gen_ai.system": "openai"})
    assert (finding.severity, finding.subject) == ("warning", "span 'chat' (app)")
    assert finding.details == (
        ("span", "gen_ai.system = 'openai'"),
        ("wire", "the request went to api.anthropic.com\ncassettes/chat.yaml, interaction 0, exchange 0, request"),
        ("why", "tokens, cost and outages are counted for a provider that never saw this call"),
        ("next", f'{NEXT}, or waive: @pytest.mark.llmtrace(ignore={{"wire/provider-name": "reason"}})'),
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (OPENAI, {"gen_ai.provider.name": "anthropic"}),
        (OPENAI, {"gen_ai.provider.name": "openai", "gen_ai.system": "mistral_ai"}),
        (COMPATIBLE, {"gen_ai.provider.name": "x_ai"}),
        (ANTHROPIC, {"openinference.span.kind": "LLM", "llm.system": "OpenAI", "llm.provider": "anthropic"}),
        ("https://api.groq.com/openai/v1/chat/completions", {"gen_ai.provider.name": "mistral_ai"}),
    ],
)
def test_each_place(judged: Judged, url: str, said: dict[str, Any]) -> None:
    """The provider is compared in the attributes of every convention, and in each of two on one span."""
    assert len(judged(url, said)) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (OPENAI, {}),
        (OPENAI, {"gen_ai.provider.name": "openai"}),
        (OPENAI, {"gen_ai.system": "OpenAI", "llm.provider": "openai"}),
        (OPENAI, {"gen_ai.provider.name": "azure.ai.openai"}),
        (OPENAI, {"gen_ai.provider.name": "our-gateway"}),
        (OPENAI, {"gen_ai.system": "Langchain"}),
        (OPENAI, {"gen_ai.provider.name": ("anthropic",)}),
        (COMPATIBLE, {"gen_ai.provider.name": "openai"}),
        (COMPATIBLE, {"gen_ai.provider.name": "anthropic"}),
        ("https://api.deepseek.com/anthropic/v1/messages", {"gen_ai.provider.name": "anthropic"}),
        ("https://openrouter.ai/api/v1/chat/completions", {"gen_ai.provider.name": "anthropic"}),
        ("https://x.openai.azure.com/openai/deployments/m/chat/completions", {"gen_ai.provider.name": "mistral_ai"}),
        ("http://localhost:4000/chat/completions", {"gen_ai.provider.name": "anthropic"}),
    ],
)
def test_what_may_be_true(judged: Judged, url: str, said: dict[str, Any]) -> None:
    """A span may name the provider whose API it is, or an unknown name; a gateway or cloud may forward to anyone."""
    assert judged(url, said) == []


@pytest.mark.parametrize(("status", "last"), [("OK", 200), ("ERROR", 529)])
def test_the_provider_of_an_attempt_before_a_fallback(
    make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange], status: str, last: int
) -> None:
    """After a fallback to another provider, the span names the one that answered; any of them if none answered."""
    requests = [Request(method="POST", url=url, body=b'{"model": "m", "messages": []}') for url in (OPENAI, ANTHROPIC)]
    exchanges = (
        make_exchange(index=0, span=1, status=500, request=requests[0]),
        make_exchange(index=1, span=1, status=last, request=requests[1]),
    )
    said = {"gen_ai.request.model": "m", "gen_ai.provider.name": "openai"}
    spans = (make_span(1, attributes=said, status=status),)
    seen = Evidence(exchanges=exchanges, spans=spans, calls=match(exchanges, spans, []).calls)
    found = [finding for finding in verify(seen, {}).findings if finding.check == "wire/provider-name"]
    assert [finding.details for finding in found] == [
        (
            ("span", "gen_ai.provider.name = 'openai'"),
            ("wire", "the request went to api.anthropic.com\ncassettes/chat.yaml, interaction 0, exchange 1, request"),
            (
                "why",
                "tokens, cost and latency are counted for the provider that failed, and not for the one that answered",
            ),
            ("next", f'{NEXT}, or waive: @pytest.mark.llmtrace(ignore={{"wire/provider-name": "reason"}})'),
        )
    ][: last == 200]
