"""Streams of events as OpenAI's SDK reads them: it dispatches more events than the WHATWG's rules do."""

from __future__ import annotations

import json
from dataclasses import replace
from json import JSONDecodeError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Cassette, Recording, Request, Response, Settings
from pytest_llmtrace.wire._sse import is_closed, split
from tests.truth._answer import Answer
from tests.truth._calls import Caller, Instrumentation
from tests.truth._dialects import DIALECTS

LINES = (
    "data: x",
    "data",
    "event: n",
    "event",
    ": c",
    "id: 1",
    "id",
    "retry: 5",
    "retry: x",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
)


@settings(max_examples=200)
@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_what_the_sdk_hears_is_read(lines: list[str]) -> None:
    """A name, a retry time or an id is enough for an event; lines that no blank line closes are never one."""
    body = "".join(lines)
    heard = [(event.event or "", event.data) for event in SSEDecoder().iter_bytes(iter([body.encode()]))]
    assert list(split(f"{body}\n\n", raises_without_data=True))[: len(heard)] == heard
    read = list(split(body, raises_without_data=True))
    assert (read if is_closed(body) else read[:-1]) == heard


def stream(*events: Any) -> Cassette:
    """Return a cassette with one chat stream."""
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    said = [event if isinstance(event, str) else f"data: {json.dumps(head | event)}\n\n" for event in events]
    request = Request(method="POST", url="https://api.openai.com/v1/chat/completions", body=json.dumps(asked).encode())
    response = Response(
        status=200, headers=(("content-type", "text/event-stream"),), chunks=tuple(map(str.encode, said))
    )
    return Cassette(label="chat.yaml", recordings=(Recording(index=0, request=request, response=response),))


def said(text: str, reason: str | None = None) -> dict[str, Any]:
    """Return a chunk of the stream."""
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]}


def found(caller: Caller, cassette: Cassette, instrumentation: Instrumentation, raised: type[Exception] | None) -> Any:
    """Make the call, and return the ids of the checks that found something."""
    [recording] = cassette.recordings
    with LLMTrace(settings=Settings(label="chat.yaml", verify=False)) as trace, trace.replay(cassette):
        if raised is None:
            caller.call(instrumentation, recording.request)
        else:
            with pytest.raises(raised):
                caller.call(instrumentation, recording.request)
        return [finding.check for finding in trace.findings()]


@pytest.mark.parametrize("dialect", ["openinference", "otel-genai"])
@pytest.mark.parametrize("event", ["event: x\n\n", "retry: 5\n\n", "id: 1\n\n"])
def test_the_sdk_raises_at_an_event_without_data(caller: Caller, dialect: str, event: str) -> None:
    """A span that reports the error is right about the events before it; one that reports a success is wrong."""
    told = Instrumentation(writer=DIALECTS[dialect])
    cassette = stream(said("a"), event, said("b", "stop"), "data: [DONE]\n\n")
    assert found(caller, cassette, told, JSONDecodeError) == []
    assert found(caller, cassette, replace(told, fails_green=True), JSONDecodeError) == ["wire/error-status"]


@pytest.mark.parametrize("dialect", ["openinference", "otel-genai"])
@pytest.mark.parametrize("end", [": ping\n", "event: x\n", "id: 7\n"])
def test_what_was_heard_before_a_stream_broke_off(caller: Caller, dialect: str, end: str) -> None:
    """An event is read once a blank line has closed it, wherever the stream breaks off afterwards."""
    cassette = stream(said("a"), said("b"), end)
    told = Instrumentation(writer=DIALECTS[dialect])
    assert found(caller, cassette, told, None) == []
    assert found(caller, cassette, replace(told, misread=loses_the_end), None) == ["wire/output-text"]


def loses_the_end(answer: Answer) -> None:
    """Lose the last chunk of the text."""
    answer.choices[0].text = "a"


@pytest.mark.parametrize("dialect", ["openinference", "otel-genai"])
def test_nobody_hears_what_stands_behind_an_error(caller: Caller, dialect: str) -> None:
    """The SDK raises at the error, so the span cannot know what came after it."""
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    more = {"usage": usage | {"completion_tokens": 2, "total_tokens": 7}}
    behind = [said("b"), said("c", "stop") | more, "data: [DONE]\n\n"]
    cassette = stream(said("a") | {"usage": usage}, 'data: {"error": {"message": "died"}}\n\n', *behind)
    told = Instrumentation(writer=DIALECTS[dialect])
    assert found(caller, cassette, told, None) == []
    assert found(caller, cassette, replace(told, fails_green=True), None) == ["wire/error-status"]


@pytest.mark.parametrize("dialect", ["openinference", "otel-genai"])
@pytest.mark.parametrize("end", ["data: [DO", "data: [DONE]\n", "data: [DONE] or so\n\nevent: x\n\n"])
def test_the_end_of_a_stream_says_nothing(caller: Caller, dialect: str, end: str) -> None:
    """If a stream breaks off within its end, after the finish reason, nothing is missing."""
    cassette = stream(said("a"), said("b", "stop"), end)
    assert found(caller, cassette, Instrumentation(writer=DIALECTS[dialect]), None) == []


ANTHROPIC = Request(
    method="POST",
    url="https://api.anthropic.com/v1/messages",
    body=json.dumps(
        {
            "model": "claude-haiku-4-5",
            "max_tokens": 16,
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": True,
        }
    ).encode(),
)


def counted(answer: Answer) -> Any:
    """Return the token counts so far."""
    assert answer.usage is not None
    return answer.usage


def keeps_the_placeholder(answer: Answer) -> None:
    """Take the placeholder in the first event for the count of the output."""
    counted(answer).output = 1


def forgets_the_cache(answer: Answer) -> None:
    """Count the input as Anthropic does, which leaves out tokens that were read from a cache."""
    counted(answer).input -= counted(answer).cache_read


MISREAD = {
    (): lambda _: None,
    ("stream/partial-usage",): keeps_the_placeholder,
    ("wire/input-tokens",): forgets_the_cache,
}


@pytest.mark.parametrize("dialect", ["openinference", "otel-genai"])
@pytest.mark.parametrize("expected", MISREAD, ids=str)
@pytest.mark.parametrize("number", [1, 3, 5])  # The second event is a ping, which no client parses.
def test_what_the_first_event_counts_is_known(
    caller: Caller, dialect: str, expected: tuple[str, ...], number: int
) -> None:
    """Anthropic's SDK raises at an event that is not JSON: the span has the input count, and no output count."""
    told = Instrumentation(writer=DIALECTS[dialect], misread=MISREAD[expected])
    with LLMTrace(gateway="anthropic", verify=False) as trace:
        usage = {"input_tokens": 10, "cache_read_input_tokens": 30, "output_tokens": 7}
        trace.gateway("anthropic").messages(text="Hello", usage=usage)
        trace.fault("malformed-sse", after=number)
        with pytest.raises(JSONDecodeError):
            caller.call(told, ANTHROPIC)
        assert tuple(finding.check for finding in trace.findings()) == expected
