"""Faults as the real SDKs meet them, with answers from a cassette, a gateway or the router."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import openai
import pytest
from opentelemetry import trace as otel

from pytest_llmtrace import LLMTrace
from pytest_llmtrace.model import Cassette, Recording, Request, StreamEnd
from pytest_llmtrace.replay.gateways import Gateway

URL = "https://api.openai.com/v1/chat/completions"
QUESTION = [{"role": "user", "content": "hi"}]
Ask = Callable[..., Any]
tracer = otel.get_tracer("app")


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Make a call by the SDK in one LLM span: `ask(stream=True, max_retries=1)`; a stream is read to its end."""
    if request.param == "sync":
        yield _ask
        return
    with asyncio.Runner() as runner:
        yield lambda **options: runner.run(_aask(**options))


def _ask(*, max_retries: int = 0, base_url: str | None = None, **body: Any) -> Any:
    with _span(), openai.OpenAI(api_key="x", max_retries=max_retries, base_url=base_url) as client:
        reply = client.chat.completions.create(**_body(body))
        return [chunk.id for chunk in reply] if body.get("stream") else reply


async def _aask(*, max_retries: int = 0, base_url: str | None = None, **body: Any) -> Any:
    with _span():
        async with openai.AsyncOpenAI(api_key="x", max_retries=max_retries, base_url=base_url) as client:
            reply = await client.chat.completions.create(**_body(body))
            return [chunk.id async for chunk in reply] if body.get("stream") else reply


def _body(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": QUESTION, **body}


def _span() -> AbstractContextManager[Any]:
    return tracer.start_as_current_span("chat", attributes={"gen_ai.request.model": "gpt-4o-mini"})


def recorded(**body: Any) -> Cassette:
    """Return a cassette with one call."""
    request = Request(method="POST", url=URL, body=json.dumps(_body(body)).encode())
    answer = Gateway("openai", default=True).answer(request)
    assert answer is not None
    recording = Recording(index=0, request=request, response=answer.response)
    return Cassette(label="cassettes/chat.yaml", recordings=(recording,))


def by_cassette(trace: LLMTrace, **body: Any) -> AbstractContextManager[object]:
    return trace.replay(recorded(**body))


def by_gateway(trace: LLMTrace, **_: Any) -> AbstractContextManager[object]:
    trace.gateway("openai").chat()
    return nullcontext()


def by_router(trace: LLMTrace, **body: Any) -> AbstractContextManager[object]:
    response = recorded(**body).recordings[0].response
    assert response is not None
    headers = {name: value for name, value in response.headers if name in {"content-type", "date"}}
    trace.router.post(URL).respond(200, headers=headers, content=response.body)
    return nullcontext()


@pytest.mark.parametrize("answering", [by_cassette, by_gateway, by_router])
def test_the_retry_finds_the_reply(ask: Ask, answering: Any) -> None:
    """A status replaces the reply, and the SDK's second attempt gets the reply: nothing is unplayed or refused."""
    with LLMTrace() as trace, answering(trace):
        fault = trace.fault(429, retry_after=0)
        assert ask(max_retries=1).choices[0].message.content
        assert fault.happened == 1
        assert [exchange.response and exchange.response.status for exchange in trace.exchanges()] == [429, 200]


@pytest.mark.parametrize("answering", [by_cassette, by_gateway, by_router])
def test_a_stream_breaks(ask: Ask, answering: Any) -> None:
    """The SDK raises, and the exchange's origin says that a fault broke the stream."""
    with LLMTrace() as trace, answering(trace, stream=True):
        trace.fault("disconnect", after=3)
        with pytest.raises(Exception, match=r"disconnect|Connection error"):
            ask(stream=True)
        [exchange] = trace.judge()[0].exchanges
        assert exchange.response is not None
        assert (len(exchange.response.chunks), exchange.stream_end) == (3, StreamEnd.FAILED)
        assert exchange.origin.endswith(", fault: disconnect after 3 chunks")


@pytest.mark.parametrize("stream", [False, True])
def test_a_late_first_byte_is_tried_again(ask: Ask, stream: bool) -> None:
    """The client's timeout fires before the first byte, so the SDK asks again, also for a stream."""
    with LLMTrace() as trace, trace.replay(recorded(stream=stream)):
        trace.fault("slow-first-byte")
        assert ask(max_retries=1, stream=stream)
        first, second = trace.exchanges()
        assert (first.response, first.outcome) == (None, "failed")
        assert second.response is not None
        assert second.response.status == 200


def test_the_report_names_the_fault(ask: Ask) -> None:
    """A finding about an injected fault names the fault, so its reader knows that the test caused it."""
    with LLMTrace(verify=False) as trace, trace.replay(recorded()):
        trace.fault("error-in-body", status=502, gateway="openrouter")
        ask()
    [status] = [finding for finding in trace.findings() if finding.check == "wire/error-status"]
    assert dict(status.details)["wire"] == (
        "200 with 502 'Provider returned error'\n"
        "cassettes/chat.yaml, interaction 0, fault: error-in-body as from openrouter, exchange 0, response body"
    )


def test_a_reply_that_breaks_is_there_for_the_retry(ask: Ask) -> None:
    """A whole reply that broke halfway is requested again by the SDK, and replayed again although recorded once."""
    with LLMTrace() as trace, trace.replay(recorded()):
        trace.fault("disconnect")
        trace.fault("read-timeout")
        assert ask(max_retries=2).choices[0].message.content
        ends = [exchange.stream_end for exchange in trace.judge()[0].exchanges]
        assert ends == [StreamEnd.FAILED, StreamEnd.FAILED, StreamEnd.EXHAUSTED]


@pytest.mark.parametrize(
    ("prepare", "base_url", "form"),
    [
        (lambda _: None, "https://openrouter.ai/api/v1", "openrouter"),
        (lambda _: None, "https://team.openai.azure.com/openai/v1", "azure"),
        (lambda _: None, "http://localhost:4000", "openai"),
        (lambda trace: trace.gateway("litellm").chat(), "http://localhost:4000", "litellm"),
        (lambda trace: trace.gateway("litellm").embeddings(), "http://localhost:4000", "openai"),
    ],
    ids=["host", "azure", "unknown", "scripted", "other API"],
)
def test_an_error_has_the_form_of_its_gateway(ask: Ask, prepare: Any, base_url: str, form: str) -> None:
    """An error has the form of the gateway that has a reply for the request, or else of the request's host."""
    with LLMTrace(allow_unused="the reply is not the point") as trace:
        prepare(trace)
        trace.fault(503)
        with pytest.raises(openai.InternalServerError):
            ask(base_url=base_url)
        assert trace.exchanges()[0].origin == f"fault: 503 as from {form}"
        assert trace.findings() == ()


def test_a_gateway_is_known_by_what_it_has_answered(ask: Ask) -> None:
    """LiteLLM Proxy may run on any host; a recording of that host identifies it by its headers."""
    with LLMTrace(cassette="builtin:litellm/chat", allow_unused="the reply is not the point") as trace:
        trace.fault(503)
        with pytest.raises(openai.InternalServerError):
            ask(base_url="http://localhost:4000")
        assert trace.exchanges()[0].origin == "fault: 503 as from litellm"


NEVER = (
    """\
3 of 3 never requested
429, once, model gpt-5
error-in-body, of every 2 requests the last
truncate, once: the reply had 1 chunk""",
    "the test does not show the effect of this fault: there was no request that it could happen to",
)


@pytest.mark.parametrize("allowed", [None, "not the point"])
def test_a_fault_that_never_happened_is_found(ask: Ask, allowed: str | None) -> None:
    """A fault that never happened is a finding like an unplayed recording, and may be allowed in the same way."""
    with LLMTrace(gateway="openai", verify=False, allow_unused=allowed) as trace:
        trace.fault(429, model="gpt-5")
        trace.fault("error-in-body", every=2)
        trace.fault("truncate", after=40)
        ask()
    found = [dict(finding.details) for finding in trace.findings() if finding.subject == "faults"]
    assert [(details["wire"], details["why"]) for details in found] == ([] if allowed else [NEVER])
