"""Scripted replies come as fast as the test says."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from pytest_llmtrace import UsageError
from pytest_llmtrace.model import Answer, Request, Response
from pytest_llmtrace.replay.gateways import Gateway

FAST: dict[str, Any] = {"first_token": 0.8, "tokens_per_second": 40}
TEXT = "one two three four five"
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
OFFERED = [
    (gateway, api)
    for gateway in ("openai", "anthropic", "openrouter", "litellm", "anannas", "azure")
    for api in PATHS
    if (gateway == "anthropic") == (api == "messages") and (gateway, api) != ("anannas", "responses")
]


def reply(gateway: str, api: str, *, stream: bool, **options: Any) -> Response:
    body = json.dumps({"model": "m", "stream": stream, "stream_options": {"include_usage": True}}).encode()
    request = Request(method="POST", url=f"https://llm.test{PATHS[api]}", body=body)
    tokens = "completion_tokens" if api == "chat" else "output_tokens"
    queue = getattr(Gateway(gateway), api)
    answer: Answer = queue(text=TEXT, usage={tokens: 80}, **options).answer(request)
    return answer.response


def moments(response: Response) -> list[tuple[float, bool]]:
    """Return when each chunk comes, and whether it holds a word of the text (and not all of it)."""
    assert response.offsets is not None
    assert len(response.offsets) == len(response.chunks)
    words = [sum(word in chunk for word in TEXT.encode().split()) == 1 for chunk in response.chunks]
    return list(zip((round(offset, 6) for offset in response.offsets), words, strict=True))


@pytest.mark.parametrize(("gateway", "api"), OFFERED)
def test_a_stream_comes_at_its_rate(gateway: str, api: str) -> None:
    """The first word comes with the first token, the last when all tokens have come at that rate, the rest evenly."""
    found = moments(reply(gateway, api, stream=True, **FAST))
    assert [moment for moment, is_word in found if is_word] == [0.8, 1.3, 1.8, 2.3, 2.8]
    assert found[0][0] == 0.8
    assert found[-1][0] == 2.8
    assert [moment for moment, _ in found] == sorted(moment for moment, _ in found)


@pytest.mark.parametrize(("gateway", "api"), OFFERED)
def test_a_whole_reply_comes_with_the_last_token(gateway: str, api: str) -> None:
    """A reply that is not streamed comes whole, with the last token."""
    assert {moment for moment, _ in moments(reply(gateway, api, stream=False, **FAST))} == {2.8}


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [({"first_token": 0.8}, 0.8, 0.8), ({"tokens_per_second": 40}, 0.0, 2.0), ({"first_token": 0}, 0.0, 0.0)],
)
def test_one_of_the_two_is_enough(options: dict[str, float], first: float, last: float) -> None:
    """Without a rate all comes with the first token; without a first token it begins at once."""
    found = moments(reply("openai", "chat", stream=True, **options))
    assert (found[0][0], found[-1][0]) == (first, last)


def test_without_either_there_are_no_times() -> None:
    """A reply without these options has no times, so it comes at once whatever the timing."""
    assert reply("openai", "chat", stream=True).offsets is None


def test_one_piece() -> None:
    """A text that is one piece comes with the first token; the chunks that close the stream come with the last."""
    found = moments(reply("openai", "chat", stream=True, stream_chunks=1, **FAST))
    assert [moment for moment, _ in found] == [0.8, 0.8, 2.8, 2.8, 2.8]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"first_token": -0.1}, "first_token must be a number of seconds, 0 or more, got -0.1"),
        ({"first_token": float("nan")}, "first_token must be a number of seconds, 0 or more, got nan"),
        ({"first_token": "0.8"}, "first_token must be a number of seconds, 0 or more, got '0.8'"),
        ({"tokens_per_second": "40"}, "tokens_per_second must be a number above 0, got '40'"),
        ({"tokens_per_second": 0}, "tokens_per_second must be a number above 0, got 0"),
        ({"tokens_per_second": float("inf")}, "tokens_per_second must be a number above 0, got inf"),
    ],
)
@pytest.mark.parametrize(("gateway", "api"), [("openai", "chat"), ("openai", "responses"), ("anthropic", "messages")])
def test_wrong_values_are_refused(gateway: str, api: str, options: dict[str, Any], text: str) -> None:
    """Wrong values are refused where the reply is scripted, not when it is sent."""
    with pytest.raises(UsageError) as raised:
        getattr(Gateway(gateway), api)(**options)
    assert str(raised.value) == text


def test_frames_come_as_events_do() -> None:
    """Bedrock's stream reports its own latencies, and they agree with the times of its chunks."""
    request = Request(method="POST", url="https://llm.test/model/m/invoke-with-response-stream")
    answer = Gateway("bedrock").messages(text=TEXT, usage={"output_tokens": 80}, **FAST).answer(request)
    assert answer is not None
    chunks, offsets = answer.response.chunks, answer.response.offsets
    assert offsets == pytest.approx([0.8, 0.8, 0.8, 1.3, 1.8, 2.3, 2.8, 2.8, 2.8, 2.8])
    payload = json.loads(re.findall(rb"\{.*\}", chunks[-1])[0])
    metrics = json.loads(base64.b64decode(payload["bytes"]))["amazon-bedrock-invocationMetrics"]
    assert (metrics["firstByteLatency"], metrics["invocationLatency"]) == (800, 2800)
