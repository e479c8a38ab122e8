"""The wrapper that teams write around `messages.create` themselves: plain OpenTelemetry, attributes set one by one.

As it is commonly published: usage is copied as the SDK hands it out, and a stream's span lasts as long as its stream.
"""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from anthropic.resources import beta, messages
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

__all__ = ["instrument"]

_tracer = trace.get_tracer("chat-api.llm")


def instrument() -> None:
    """Wrap `messages.create` of both clients, and its beta twin."""
    for module in (messages, beta.messages):
        module.Messages.create = _traced(module.Messages.create)
        module.AsyncMessages.create = _traced_async(module.AsyncMessages.create)


def _traced(create: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(create)
    def traced(resource: Any, **request: Any) -> Any:
        if request.pop("stream", False):
            return _streamed(resource, request)
        with _tracer.start_as_current_span("anthropic.messages.create", kind=SpanKind.CLIENT) as span:
            began = _describe_request(span, request)
            message = create(resource, **request)
            _describe_reply(span, message, began)
            return message

    return traced


def _streamed(resource: Any, request: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the events from inside the span; the SDK itself adds them up to the final message."""
    with _tracer.start_as_current_span("anthropic.messages.stream", kind=SpanKind.CLIENT) as span:
        began = _describe_request(span, request)
        with resource.stream(**request) as stream:
            yield from stream
            _describe_reply(span, stream.get_final_message(), began)


def _traced_async(create: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(create)
    async def traced(resource: Any, **request: Any) -> Any:
        if request.pop("stream", False):
            return _streamed_async(resource, request)
        with _tracer.start_as_current_span("anthropic.messages.create", kind=SpanKind.CLIENT) as span:
            began = _describe_request(span, request)
            message = await create(resource, **request)
            _describe_reply(span, message, began)
            return message

    return traced


async def _streamed_async(resource: Any, request: Mapping[str, Any]) -> AsyncIterator[Any]:
    with _tracer.start_as_current_span("anthropic.messages.stream", kind=SpanKind.CLIENT) as span:
        began = _describe_request(span, request)
        async with resource.stream(**request) as stream:
            async for event in stream:
                yield event
            _describe_reply(span, await stream.get_final_message(), began)


def _describe_request(span: Span, request: Mapping[str, Any]) -> float:
    span.set_attribute("gen_ai.system", "anthropic")
    span.set_attribute("gen_ai.request.model", request["model"])
    span.set_attribute("gen_ai.request.max_tokens", request["max_tokens"])
    return time.perf_counter()


def _describe_reply(span: Span, message: Any, began: float) -> None:
    span.set_attribute("gen_ai.response.model", message.model)
    span.set_attribute("gen_ai.response.stop_reason", message.stop_reason or "")
    span.set_attribute("gen_ai.usage.input_tokens", message.usage.input_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", message.usage.output_tokens)
    tools: Sequence[str] = [block.name for block in message.content if block.type == "tool_use"]
    if tools:
        span.set_attribute("gen_ai.response.tool_calls.count", len(tools))
        span.set_attribute("gen_ai.response.tool_calls.names", tools)
    span.set_attribute("gen_ai.latency_ms", (time.perf_counter() - began) * 1000)
