"""Calls through the SDK's clients for clouds, answered by their gateways, with right and wrong spans."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest
from opentelemetry import trace as otel

from pytest_llmtrace import LLMTrace
from pytest_llmtrace.model import Cassette, Recording, Request, Response

Ask = Callable[..., Any]
tracer = otel.get_tracer("app")

CLIENTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "bedrock": ("AnthropicBedrock", {"api_key": "k", "aws_region": "eu-west-1"}, "anthropic.claude-haiku-4-5-v1:0"),
    "bedrock-mantle": (
        "AnthropicBedrockMantle",
        {"api_key": "k", "aws_region": "eu-west-1"},
        "anthropic.claude-haiku-4-5",
    ),
    "vertex": ("AnthropicVertex", {"access_token": "k", "project_id": "p", "region": "global"}, "claude-haiku-4-5"),
}
USAGE = {"input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30, "output_tokens": 5}
RIGHT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.max_tokens": 9,
    "gen_ai.response.model": "claude-haiku-4-5-20251001",
    "gen_ai.response.finish_reasons": ("end_turn",),
    "gen_ai.usage.input_tokens": 60,
    "gen_ai.usage.output_tokens": 5,
}
WRONG = [
    ("gen_ai.usage.input_tokens", 10, "wire/input-tokens"),
    ("gen_ai.usage.output_tokens", 6, "wire/output-tokens"),
    ("gen_ai.response.model", "claude-opus-4-5", "wire/response-model"),
    ("gen_ai.response.finish_reasons", ("length",), "wire/finish-reasons"),
]

clouds = pytest.mark.parametrize("cloud", list(CLIENTS))
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Call a cloud in one LLM span with the given attributes: `ask("vertex", stream=True, attributes={})`."""
    if request.param == "sync":
        yield _ask
        return
    with asyncio.Runner() as runner:
        yield lambda *args, **options: runner.run(_aask(*args, **options))


def _ask(cloud: str, *, stream: bool, attributes: Any = RIGHT, retries: int = 0) -> Any:
    with _span(cloud, attributes), _client(cloud, retries) as client:
        reply = client.messages.create(**_asked(cloud, stream))
        return list(reply) if stream else reply


async def _aask(cloud: str, *, stream: bool, attributes: Any = RIGHT, retries: int = 0) -> Any:
    with _span(cloud, attributes):
        async with _client(cloud, retries, "Async") as client:
            reply = await client.messages.create(**_asked(cloud, stream))
            return [event async for event in reply] if stream else reply


def _client(cloud: str, retries: int, prefix: str = "") -> Any:
    name, options, _ = CLIENTS[cloud]
    # Only our span is wanted; older releases of the SDK make none of their own.
    switch = {"open_telemetry": False} if "open_telemetry" in inspect.signature(anthropic.Anthropic).parameters else {}
    return getattr(anthropic, prefix + name)(**options, **switch, max_retries=retries)


def _asked(cloud: str, stream: bool) -> dict[str, Any]:
    question = [{"role": "user", "content": "hi"}]
    return {"model": CLIENTS[cloud][2], "max_tokens": 9, "messages": question, "stream": stream}


def _span(cloud: str, attributes: Any) -> Any:
    named = {"gen_ai.request.model": CLIENTS[cloud][2], **attributes}
    return tracer.start_as_current_span("chat", kind=otel.SpanKind.CLIENT, attributes=named)


def found(trace: LLMTrace) -> list[str]:
    return [finding.check for finding in trace.findings() if finding.severity.name == "ERROR"]


@clouds
@streams
def test_a_right_span_has_no_finding(ask: Ask, cloud: str, stream: bool) -> None:
    """The call is recognised as its cloud's by path, headers and body, and the span is compared with the wire."""
    with LLMTrace() as trace:
        trace.gateway(cloud).messages(text="Hello there.", usage=USAGE)
        assert ask(cloud, stream=stream)
        assert found(trace) == []
        [exchange] = trace.exchanges()
        truth = exchange.truth
        assert truth is not None
        assert (truth.gateway, truth.streaming, truth.output_texts) == (cloud, stream, ["Hello there."])
        assert (truth.input_tokens, truth.cache_read_tokens, truth.cache_write_tokens) == (60, 30, 20)
        assert truth.problems == ()


@clouds
@streams
@pytest.mark.parametrize(("attribute", "value", "check"), WRONG)
def test_a_wrong_span_has_one(ask: Ask, cloud: str, stream: bool, attribute: str, value: Any, check: str) -> None:
    """Each count, model and reason that differs from the wire is reported, once."""
    with LLMTrace(verify=False) as trace:
        trace.gateway(cloud).messages(usage=USAGE)
        ask(cloud, stream=stream, attributes={**RIGHT, attribute: value})
        assert found(trace) == [check]


@clouds
@streams
def test_the_retry_finds_the_reply(ask: Ask, cloud: str, stream: bool) -> None:
    """The SDK recognises the cloud's own error, and asks again."""
    with LLMTrace() as trace:
        trace.gateway(cloud).error(429, retry_after=0).messages(usage=USAGE)
        assert ask(cloud, stream=stream, retries=1)
        assert [exchange.response and exchange.response.status for exchange in trace.exchanges()] == [429, 200]


@clouds
def test_a_stream_that_breaks_off_is_read_as_far_as_it_goes(ask: Ask, cloud: str) -> None:
    """The SDK raises for the cloud's own error event or frame, wherever in the stream a fault has put it."""
    with LLMTrace() as trace:
        trace.gateway(cloud).messages(text="one two three four")
        trace.fault("error-in-stream", after=4, message="no luck")
        with pytest.raises((anthropic.APIStatusError, ValueError)):
            ask(cloud, stream=True, attributes={})
        [exchange] = trace.exchanges()
        assert exchange.truth is not None
        assert exchange.truth.error is not None
        assert exchange.truth.error["message"] == "no luck"
        assert exchange.truth.output_texts == [{"bedrock": "one two", "bedrock-mantle": "one", "vertex": "one"}[cloud]]


def test_a_recorded_stream_of_frames_breaks_off_too(ask: Ask) -> None:
    """A recording has all frames in one block; faults cut it between them, and add Bedrock's exception frame."""
    with LLMTrace(gateway="bedrock", verify=False) as trace:
        ask("bedrock", stream=True)
        [seen] = trace.exchanges()
        request, response = seen.request, seen.response
        assert isinstance(request, Request)
        assert isinstance(response, Response)
    block = Response(status=200, headers=response.headers, chunks=(response.body,))
    recorded = Cassette(label="c.yaml", recordings=(Recording(index=0, request=request, response=block),))
    with LLMTrace() as trace, trace.replay(recorded):
        trace.fault("error-in-stream", after=3, status=429)
        with pytest.raises((anthropic.APIStatusError, ValueError)):
            ask("bedrock", stream=True, attributes={})
        [exchange] = trace.exchanges()
        assert exchange.origin == "c.yaml, interaction 0, fault: error-in-stream after 3 chunks"
        assert exchange.truth is not None
        assert exchange.truth.error is not None
        assert exchange.truth.error["type"] == "throttlingException"


@pytest.mark.parametrize(
    ("cloud", "gateway", "kind"),
    [
        ("bedrock", "bedrock", "ThrottlingException"),
        ("vertex", "vertex", "RESOURCE_EXHAUSTED"),
        ("bedrock", "anthropic", "rate_limit_error"),
    ],
)
def test_a_status_has_the_form_of_the_cloud_that_was_asked(ask: Ask, cloud: str, gateway: str, kind: str) -> None:
    """The path decides the form, whatever else is scripted; a fault matches the model in the path, not another one."""
    with LLMTrace(gateway=cloud, verify=False) as trace:
        trace.gateway("anthropic").messages()
        trace.fault(429, model="another")
        named = None if gateway == cloud else gateway
        fault = trace.fault(429, model=CLIENTS[cloud][2], gateway=named)
        with pytest.raises(anthropic.RateLimitError):
            ask(cloud, stream=True)
        assert fault.happened == 1
        [exchange] = trace.exchanges()
        assert exchange.truth is not None
        assert exchange.truth.error is not None
        assert exchange.truth.error["type"] == kind


@pytest.mark.parametrize("kind", ["malformed-sse", "error-in-body", "invalid-json"])
def test_frames_are_no_lines_and_no_body(ask: Ask, kind: str) -> None:
    """Faults of server-sent events, or of a whole body, do not happen to frames, and their note says so."""
    why = {
        "malformed-sse": "the reply was a stream of frames, not of server-sent events",
        "error-in-body": ("the reply was a stream of events"),
        "invalid-json": "the reply was not a JSON object",
    }
    with LLMTrace(gateway="bedrock", verify=False) as trace:
        fault = trace.fault(kind)
        ask("bedrock", stream=True)
        assert (fault.happened, fault.note) == (0, why[kind])
