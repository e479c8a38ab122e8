"""A team's suite, as small as possible; an upgrade of the instrumentor may change its spans."""

from __future__ import annotations

from typing import Any

import openai
import pytest

pytestmark = pytest.mark.llmtrace(verify=False)

ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is OpenTelemetry?"}]}


def client() -> openai.OpenAI:
    return openai.OpenAI(api_key="x", max_retries=0)


def test_chat(llmtrace: Any) -> None:
    llmtrace.gateway("openai").chat(text="A standard.")
    client().chat.completions.create(**ASKED, temperature=0.5)


def test_stream(llmtrace: Any) -> None:
    llmtrace.gateway("openai").chat(text="A standard.")
    for _ in client().chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}):
        pass


def test_limited(llmtrace: Any) -> None:
    llmtrace.gateway("openai").error(429)
    with pytest.raises(openai.RateLimitError):
        client().chat.completions.create(**ASKED)


def test_embeddings(llmtrace: Any) -> None:
    llmtrace.gateway("openai").embeddings()
    client().embeddings.create(model="text-embedding-3-small", input="one")
