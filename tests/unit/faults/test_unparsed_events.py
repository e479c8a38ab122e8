"""An event that is not JSON makes its call fail only if the client gave the stream up because of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry import trace as otel

from pytest_llmtrace import LLMTrace

ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "stream": True}
WIRE = (
    "200, then an event that is not JSON, at which the client gave up\n"
    "scripted openai chat, fault: malformed-sse after 3 chunks, exchange 0, event 3 of the response"
)
tracer = otel.get_tracer("app")
Deal = Callable[[str], Any]
Ask = Callable[[Deal | None], None]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Read a stream in one LLM span without an error: with the SDK, or with a `deal` function for each event's data.

    `deal` returns whether the reader should stop.
    """
    if request.param == "sync":
        yield _ask
        return
    with asyncio.Runner() as runner:
        yield lambda deal: runner.run(_aask(deal))


def _ask(deal: Deal | None) -> None:
    with _span(), openai.OpenAI(api_key="x", max_retries=0) as client, suppress(ValueError):
        if deal is None:
            assert [*client.chat.completions.create(**ASKED)]
            return
        with client.chat.completions.with_streaming_response.create(**ASKED) as response:
            lines = response.iter_lines()  # A generator held by the loop alone would close without a reason.
            for line in lines:
                if line.startswith("data: {") and deal(line.removeprefix("data: ")):
                    break


async def _aask(deal: Deal | None) -> None:
    with _span(), suppress(ValueError):
        async with openai.AsyncOpenAI(api_key="x", max_retries=0) as client:
            if deal is None:
                assert [chunk async for chunk in await client.chat.completions.create(**ASKED)]
                return
            async with client.chat.completions.with_streaming_response.create(**ASKED) as response:
                async for line in response.iter_lines():
                    if line.startswith("data: {") and deal(line.removeprefix("data: ")):
                        break


def _span() -> Any:
    return tracer.start_as_current_span("chat", attributes={"gen_ai.request.model": "gpt-4o-mini"})


def _is_broken(data: str) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return True
    return False


def _parse(data: str) -> None:
    json.loads(data)


def _skip(data: str) -> bool:
    """Read on, whatever the data is."""
    return _is_broken(data) and False


def _raise(data: str) -> None:
    """Fail at the broken event, but for an unrelated reason."""
    if _is_broken(data):
        raise ValueError


def _parse_something_else(data: str) -> None:
    """Fail at the broken event while parsing another text, which was assembled from earlier events."""
    if _is_broken(data):
        json.loads('{"answer": ')


@pytest.mark.parametrize("deal", [None, _parse])
def test_a_client_that_gives_up_is_found(ask: Ask, deal: Deal | None) -> None:
    """The SDK, and a client of one's own, raise at the event: a span without an error then states a false success."""
    with LLMTrace(gateway="openai", verify=False) as trace:
        trace.fault("malformed-sse", after=3)
        ask(deal)
    [status] = trace.findings()
    assert (status.check, dict(status.details)["wire"]) == ("wire/error-status", WIRE)


@pytest.mark.parametrize("deal", [_is_broken, _skip, _raise, _parse_something_else])
def test_whoever_leaves_for_another_reason_has_not_failed(ask: Ask, deal: Deal) -> None:
    """A reader that stops there, one that skips the event, and one that fails for another reason have no finding."""
    with LLMTrace(gateway="openai", verify=False) as trace:
        trace.fault("malformed-sse", after=3)
        ask(deal)
    assert trace.findings() == ()


CASSETTE = """\
version: 1
interactions:
- request: {{method: POST, uri: 'https://api.openai.com/v1/chat/completions', headers: {{}}, body: '{asked}'}}
  response:
    status: {{code: 200, message: OK}}
    headers: {{content-type: [text/event-stream]}}
    body: {{string: {body}}}
"""


def test_a_blank_event_is_no_json_either(ask: Ask, tmp_path: Path) -> None:
    """OpenAI's SDK parses the data of each event, even empty data, and raises: the rest of the stream is not read."""
    chunk = json.dumps({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "hi"}}]})
    body = f"data: {chunk}\n\ndata:\n\ndata: {chunk}\n\ndata: [DONE]\n\n"
    path = tmp_path / "blank.yaml"
    path.write_text(CASSETTE.format(asked=json.dumps(ASKED), body=json.dumps(body)), encoding="utf-8")
    with LLMTrace(cassette=str(path), verify=False) as trace:
        ask(None)
    [status] = trace.findings()
    [_, where] = dict(status.details)["wire"].splitlines()
    assert (status.check, where.rpartition(", ")[2]) == ("wire/error-status", "event 1 of the response")
