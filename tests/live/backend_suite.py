"""The suite whose spans are exported: OpenAI calls instrumented by OpenInference, and an agent's own spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

VALUES: dict[str, Any] = {
    "text": "18 °C ☀",
    "empty": "",
    "digits": "42",
    "object": '{"city": "Paris"}',
    "list": "[1, 2.0]",
    "truth": "true",
    "yes": True,
    "no": False,
    "zero": 0,
    "negative": -7,
    "large": 2**53 + 1,
    "largest": 2**63 - 1,
    "whole": 2.0,
    "half": 0.5,
    "texts": ["a", ""],
    "numbers": [1, -2],
    "halves": [0.5, 1.0],
    "flags": [True, False],
    "nothing": [],
}
tracer = trace.get_tracer("agent", "1.2.3")


@pytest.fixture(autouse=True, scope="module")
def instrumented() -> Iterator[None]:
    OpenAIInstrumentor().instrument()
    yield
    OpenAIInstrumentor().uninstrument()


def ask(model: str = "gpt-4o-mini", **options: Any) -> None:
    with openai.OpenAI(api_key="test", base_url="https://api.openai.com/v1", max_retries=0) as client:
        question: Any = [{"role": "user", "content": "What is OpenTelemetry?"}]
        list(client.chat.completions.create(model=model, messages=question, **options))


@pytest.mark.llmtrace(cassette="builtin:openai/chat")
def test_chat() -> None:
    ask()


@pytest.mark.llmtrace(cassette="builtin:openai/stream")
def test_stream() -> None:
    ask(stream=True, stream_options={"include_usage": True})


@pytest.mark.llmtrace(cassette="builtin:openai/error")
def test_error() -> None:
    with pytest.raises(openai.NotFoundError):
        ask("gpt-4o-mni")


@pytest.mark.llmtrace
def test_agent() -> None:
    with tracer.start_as_current_span("agent", kind=SpanKind.SERVER, attributes={"step": 1}) as agent:
        link = Link(agent.get_span_context(), {"why": "asked by"})
        with tracer.start_as_current_span("execute_tool get_weather", links=[link], attributes=VALUES) as tool:
            tool.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather"})
            tool.add_event("asked", {"attempt": 1, "near": True})
            tool.set_status(Status(StatusCode.OK))
