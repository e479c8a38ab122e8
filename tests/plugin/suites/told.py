"""An application whose span states the input tokens that a test wants; the wire has 3 input and 2 output tokens."""

from __future__ import annotations

from typing import Any

from child import BODY, MOCKED, library_named  # type: ignore[import-not-found]

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def chat(llmtrace: Any, tokens: int = 3, *, scope: str = "app", version: str | None = None, name: str = "chat") -> None:
    """Make a call inside a span of the given scope that states `tokens` input tokens."""
    from opentelemetry import trace

    llmtrace.gateway("openai").chat(text="hi", usage=USAGE)
    with trace.get_tracer(scope, version).start_as_current_span(name, kind=trace.SpanKind.CLIENT) as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        span.set_attribute("gen_ai.provider.name", "openai")
        span.set_attribute("gen_ai.request.model", "gpt-4o")
        with library_named().Client() as client:
            client.post(MOCKED, json=BODY)
        span.set_attributes({"gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": 2})
