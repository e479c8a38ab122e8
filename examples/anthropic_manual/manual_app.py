"""A chat service around `anthropic.Anthropic()`, instrumented by hand."""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import manual_telemetry
from anthropic.types import Message
from dotenv import load_dotenv
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode

load_dotenv()
provider = manual_telemetry.start()
tracer = trace.get_tracer("chat-api.llm")
client = anthropic.Anthropic(open_telemetry=False, max_retries=1)  # the SDK's own span would be a second one
async_client = anthropic.AsyncAnthropic(open_telemetry=False, max_retries=1)

MODEL = "claude-haiku-4-5"
TOOLS = [
    {
        "name": "find_order",
        "description": "Find a customer's order by its number.",
        "input_schema": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
    }
]
ORDERS = {"A-1001": "shipped on Monday"}


def create(**request: Any) -> Message:
    """Call the Messages API inside a span."""
    started = time.perf_counter()
    with tracer.start_as_current_span(
        "anthropic.messages.create", kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
    ) as span:
        describe_request(span, request)
        try:
            message = client.messages.create(**request)
        except anthropic.APIError as error:
            span.record_exception(error)
            span.set_status(StatusCode.ERROR, str(error))
            raise
        describe_reply(span, message, started)
        return message


def stream(prompt: str) -> Iterator[str]:
    """Yield the answer as it comes; the span stays open until the last piece."""
    request = question(prompt)
    started = time.perf_counter()
    with tracer.start_as_current_span("anthropic.messages.stream", kind=SpanKind.CLIENT) as span:
        describe_request(span, request)
        with client.messages.stream(**request) as reply:
            for number, text in enumerate(reply.text_stream):
                if number == 0:
                    span.set_attribute("gen_ai.time_to_first_token_ms", milliseconds_since(started))
                yield text
            describe_end(span, reply.get_final_message(), started)


async def astream(prompt: str) -> AsyncIterator[str]:
    """Do the same asynchronously; the span is not current while the caller, who may never come back, has a piece."""
    request = question(prompt)
    started = time.perf_counter()
    span = tracer.start_span("anthropic.messages.stream", kind=SpanKind.CLIENT)
    describe_request(span, request)
    try:
        async with async_client.messages.stream(**request) as reply:
            first = True
            async for text in reply.text_stream:
                if first:
                    span.set_attribute("gen_ai.time_to_first_token_ms", milliseconds_since(started))
                    first = False
                yield text
            describe_end(span, await reply.get_final_message(), started)
    except Exception as error:
        span.record_exception(error)
        span.set_status(StatusCode.ERROR, str(error))
        raise
    finally:
        span.end()


def ask(prompt: str) -> str:
    """Return the model's answer."""
    return text_of(create(**question(prompt)))


def ask_about(document_url: str, prompt: str) -> str:
    """Return the model's answer to a question about a document, which is kept in the prompt cache."""
    document = {
        "type": "document",
        "source": {"type": "url", "url": document_url},
        "cache_control": {"type": "ephemeral"},
    }
    return text_of(create(**question([document, {"type": "text", "text": prompt}])))


def run_agent(prompt: str) -> str:
    """Let the model look up orders until it has an answer."""
    request = question(prompt) | {"tools": TOOLS}
    with tracer.start_as_current_span("agent.run"):
        while True:
            message = create(**request)
            if message.stop_reason != "tool_use":
                return text_of(message)
            request["messages"] += [
                {"role": "assistant", "content": message.content},
                {"role": "user", "content": use_tools(message)},
            ]


def use_tools(message: Message) -> list[dict[str, str]]:
    """Run the tools that the model asks for, and return the results."""
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": find_order(**block.input)}
        for block in message.content
        if block.type == "tool_use"
    ]


def find_order(number: str) -> str:
    """Return the state of an order, or an empty text if it does not exist."""
    return ORDERS.get(number, "")


def question(content: Any) -> dict[str, Any]:
    """Build a request with one user message."""
    return {"model": MODEL, "max_tokens": 1024, "messages": [{"role": "user", "content": content}]}


def text_of(message: Message) -> str:
    """Join the text blocks of a message."""
    return "".join(block.text for block in message.content if block.type == "text")


def describe_request(span: Span, request: dict[str, Any]) -> None:
    """Set the attributes that are known before the call."""
    span.set_attribute("gen_ai.system", "anthropic")
    span.set_attribute("gen_ai.request.model", request["model"])
    span.set_attribute("gen_ai.request.max_tokens", request["max_tokens"])


def describe_reply(span: Span, message: Message, started: float) -> None:
    """Set the attributes that are known after the call; never a tool's input, which may hold customers' data."""
    usage = message.usage
    cache_read = usage.cache_read_input_tokens or 0
    cache_write = usage.cache_creation_input_tokens or 0
    tools = [block.name for block in message.content if block.type == "tool_use"]
    span.set_attribute("gen_ai.response.model", message.model)
    span.set_attribute("gen_ai.response.stop_reason", message.stop_reason or "")
    # Anthropic counts cached tokens apart; the attribute means everything that the model read.
    span.set_attribute("gen_ai.usage.input_tokens", usage.input_tokens + cache_read + cache_write)
    span.set_attribute("gen_ai.usage.output_tokens", usage.output_tokens)
    span.set_attribute("gen_ai.usage.cache_read.input_tokens", cache_read)
    span.set_attribute("gen_ai.usage.cache_write.input_tokens", cache_write)
    if tools:
        span.set_attribute("gen_ai.response.tool_calls.count", len(tools))
        span.set_attribute("gen_ai.response.tool_calls.names", tools)
    span.set_attribute("gen_ai.latency_ms", milliseconds_since(started))
    span.set_status(StatusCode.OK)


def describe_end(span: Span, message: Message, started: float) -> None:
    """Set the attributes that are known after a stream; a cut one raises no error, and its counts are placeholders."""
    if message.stop_reason is None:
        span.set_status(StatusCode.ERROR, "the stream ended before its message did")
    else:
        describe_reply(span, message, started)


def milliseconds_since(started: float) -> float:
    """Return the milliseconds that have passed."""
    return (time.perf_counter() - started) * 1000
