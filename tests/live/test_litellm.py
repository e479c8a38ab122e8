"""Recordings of the real LiteLLM Proxy replay offline as they were live.

`LLMTRACE_WRITE_CASSETTES=1` also writes the recordings into cassettes/litellm, each after its test has compared it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from pytest_llmtrace import LLMTrace, replay
from pytest_llmtrace.model import Outcome, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

CASSETTES = Path(__file__).parents[2] / "cassettes" / "litellm"
PUBLISHED = "http://localhost:4000"
VERSION = "1.110.2"
ORGANIZATION = "org-CanaryUpstream0000000001"
TIMED = "gen_ai.response.time_to_first_chunk"
QUESTION = {"role": "user", "content": "What is OpenTelemetry?"}
WEATHER = {"role": "user", "content": "What is the weather in Paris?"}
CALL = {
    "id": "call_live0001",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
}
TOOL = {
    "name": "get_weather",
    "description": "Tell the weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
DIAGRAM = [
    {"type": "text", "text": "What does this diagram show?"},
    {"type": "image_url", "image_url": {"url": "https://example.com/collector.png", "detail": "low"}},
]
TOOLS = [{"type": "function", "function": TOOL}]
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


@dataclass(frozen=True, kw_only=True)
class Case:
    """The content of one cassette.

    Attributes:
        shows: What the cassette demonstrates, as its head says.
        asked: The arguments of each call.
        api: The method of the SDK that is called.
        upstream: The behaviour of the server behind the proxy.
        status: The status that the proxy answers with.
        raises: The exception that the SDK raises, at once or within the stream.
    """

    shows: str
    asked: Sequence[Mapping[str, Any]]
    api: str = "chat.completions"
    upstream: str = "well"
    status: int = 200
    raises: type[Exception] | None = None


def chat(*messages: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": messages, **options}


CASES = {
    "chat": Case(
        shows="the body names the alias; headers name the upstream model, the cost, retries and the proxy's own time",
        asked=[chat(QUESTION, max_tokens=200)],
    ),
    "stream": Case(
        shows="usage comes in a last chunk without choices and holds the cost; the headers of cost say 0.0",
        asked=[chat(QUESTION, **STREAM)],
    ),
    "tools": Case(
        shows="a call of a tool, and the answer from its result",
        asked=[
            chat(WEATHER, tools=TOOLS),
            chat(
                WEATHER,
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": CALL["id"], "content": "18 degrees and sunny in Paris"},
                tools=TOOLS,
            ),
        ],
    ),
    "cached": Case(
        shows="the second of two equal requests reads most of its prompt from the provider's cache, and costs less",
        asked=[chat({"role": "user", "content": DIAGRAM})] * 2,
    ),
    "error": Case(
        shows="a model that the proxy does not serve is a 400, and the code is the status as a string",
        asked=[chat(QUESTION, model="gpt-4o-mni", max_tokens=200)],
        status=400,
        raises=openai.BadRequestError,
    ),
    "limited": Case(
        shows="the provider's 429: its retry-after is in llm_provider-retry-after only",
        asked=[chat(QUESTION, max_tokens=200)],
        upstream="limiting",
        status=429,
        raises=openai.RateLimitError,
    ),
    "died": Case(
        shows="the upstream dies in the middle of a stream: the status is 200, and an error comes before [DONE]",
        asked=[chat(QUESTION, **STREAM)],
        upstream="dying",
        raises=openai.APIError,
    ),
    "embeddings": Case(
        shows="packed embeddings; the usage has a completion of no tokens",
        asked=[{"model": "text-embedding-3-small", "input": "What is OpenTelemetry?"}],
        api="embeddings",
    ),
    "messages": Case(
        shows="an OpenAI model behind Anthropic's API",
        asked=[chat(QUESTION, max_tokens=200)],
        api="messages",
    ),
    "messages_stream": Case(
        shows="the same as a stream: message_start counts no tokens, message_delta counts all",
        asked=[chat(QUESTION, max_tokens=200, stream=True)],
        api="messages",
    ),
    "messages_died": Case(
        shows="the upstream dies in the middle of a stream: event: error ends it",
        asked=[chat(QUESTION, max_tokens=200, stream=True)],
        api="messages",
        upstream="dying",
        raises=anthropic.APIStatusError,
    ),
}
DYING = [name for name, case in CASES.items() if case.upstream == "dying"]


@dataclass
class Seen:
    """The observations of a run: values of the caller, bytes of the wire, readings, spans."""

    heard: list[Any] = field(default_factory=list)
    wire: list[Any] = field(default_factory=list)
    truths: list[Any] = field(default_factory=list)
    spans: list[Any] = field(default_factory=list)
    outcomes: set[Outcome] = field(default_factory=set)


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    """Instrument the OpenAI SDK by OpenInference; Anthropic's SDK instruments itself."""
    OpenAIInstrumentor().instrument(tracer_provider=TracerProvider())
    yield
    OpenAIInstrumentor().uninstrument()


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("name", CASES)
def test_a_recording_of_the_real_proxy_replays_as_it_was(gateway: Any, name: str, way: str, tmp_path: Path) -> None:
    """Values, exceptions, replies, readings and spans are equal live and offline; the file contains no secret."""
    case, path = CASES[name], tmp_path / f"{name}.yaml"

    with gateway.upstream_is(case.upstream):
        live = seen(gateway, case, way, cassette=str(path), record="all")
    with gateway.unreachable():
        offline = seen(gateway, case, way, cassette=str(path))

    assert live.outcomes == {Outcome.OBSERVED}
    assert offline.outcomes == {Outcome.ANSWERED}
    assert {status for _, status, *_ in live.wire} == {case.status}
    assert [each[0] for each in live.heard if isinstance(each, tuple)] == ([case.raises] if case.raises else [])
    assert offline.heard == live.heard
    assert offline.wire == live.wire
    assert offline.truths == live.truths
    assert offline.spans == live.spans
    assert len(live.spans) == len(live.truths) == len(case.asked)
    recorded = replay.load(path)
    assert recorded.origin["origin"] == "recorded"
    assert {recording.request.url.partition("localhost:4000")[0] for recording in recorded.recordings} == {"http://"}
    assert re.findall(r"(?i)\S*canary\S*", path.read_text(encoding="utf-8")) == []
    if writing(way) and name not in DYING:
        with gateway.upstream_is(case.upstream), shipping(name, tmp_path) as shipped:
            seen(gateway, case, way, cassette=str(shipped), record="all")


@pytest.mark.parametrize("name", DYING)
def test_who_reads_on_after_an_error_in_a_stream_records_its_end(gateway: Any, name: str, tmp_path: Path) -> None:
    """The SDKs stop at the error, and their recordings end there too; a recording of the whole replays the same."""
    case, path = CASES[name], tmp_path / f"{name}.yaml"
    settings = Settings(replay={"before_record_request": published})

    with gateway.upstream_is(case.upstream):
        live = seen(gateway, case, "sync", cassette=str(tmp_path / "cut.yaml"), record="all")
        with LLMTrace(settings=settings, cassette=str(path), record="all", verify=False):
            whole = read_on(gateway, case)
    with gateway.unreachable():
        with LLMTrace(settings=settings, cassette=str(path), verify=False):
            assert read_on(gateway, case) == whole
        offline = seen(gateway, case, "sync", cassette=str(path))

    assert [recording.failure for recording in replay.load(tmp_path / "cut.yaml").recordings] == [None]
    assert [recording.failure for recording in replay.load(path).recordings] == [None]
    assert offline.heard[-1] == live.heard[-1]
    assert len(offline.heard) == len(live.heard)
    assert b"Connection error." in whole
    assert whole.endswith(b"data: [DONE]\n\n") is (case.api != "messages")
    assert re.findall(r"(?i)\S*canary\S*", path.read_text(encoding="utf-8")) == []
    if writing("sync"):
        with (
            gateway.upstream_is(case.upstream),
            shipping(name, tmp_path) as shipped,
            LLMTrace(settings=settings, cassette=str(shipped), record="all", verify=False),
        ):
            read_on(gateway, case)


def read_on(gateway: Any, case: Case) -> bytes:
    """Return the bytes of a stream, also those after an error for which an SDK would raise."""
    with client(gateway, case, "sync") as sdk:
        calls = attrgetter(case.api)(sdk).with_streaming_response
        with calls.create(**case.asked[0]) as reply:
            return b"".join(reply.iter_bytes())


def seen(gateway: Any, case: Case, way: str, **options: Any) -> Seen:
    """Make the calls of a case within a trace, and return the observations."""
    found = Seen()
    with LLMTrace(settings=Settings(replay={"before_record_request": published}), **options) as trace:
        found.heard = as_written(heard(gateway, case) if way == "sync" else asyncio.run(heard_async(gateway, case)))
        for exchange in trace.exchanges():
            assert exchange.response
            reply = as_written(readable(exchange.chunks))
            found.wire.append((exchange.request.body, exchange.response.status, exchange.response.reason, reply))
            found.truths.append(as_written(told_of(exchange.truth)))
            found.outcomes.add(exchange.outcome)
        for span in trace.llm_spans():
            attributes = {name: value for name, value in span.attributes.items() if name != TIMED}
            events = [(event.name, event.attributes.get("exception.message")) for event in span.events]
            found.spans.append(
                as_written([span.name, span.kind, span.status, span.status_description, attributes, events])
            )
    return found


def as_written(value: Any) -> Any:
    """Return a value without the organization's id, the only thing compared here that scrubbing removes."""
    match value:
        case str():
            return value.replace(ORGANIZATION, "[removed]")
        case dict():
            return {key: as_written(each) for key, each in value.items()}
        case list() | tuple():
            return type(value)(map(as_written, value))
        case _:
            return value


def told_of(reading: Any) -> Any:
    """Return a reading without places in recordings, and without the request id, which is not recorded."""
    facts = {name: (fact.value, fact.state, fact.keys) for name, fact in reading.facts.items() if name != "request_id"}
    return reading.source, reading.api, reading.gateway, facts


def published(request: Any) -> Any:
    """Replace the address of this proxy by its usual one."""
    request.uri = re.sub(r"^http://127\.0\.0\.1:\d+", PUBLISHED, request.uri)
    return request


def readable(chunks: Sequence[bytes]) -> Any:
    """Return the value of a JSON body, whose layout differs in a file; return a stream chunk by chunk, as it came."""
    try:
        return json.loads(b"".join(chunks))
    except ValueError:
        return chunks


def client(gateway: Any, case: Case, way: str) -> Any:
    module: Any = anthropic if case.api == "messages" else openai
    kind = getattr(module, ("" if way == "sync" else "Async") + ("Anthropic" if module is anthropic else "OpenAI"))
    return kind(api_key=gateway.key, base_url=gateway.url, max_retries=0, timeout=30)


def heard(gateway: Any, case: Case) -> list[Any]:
    """Return all that a caller gets: values or events, and the exception that ends them, if any."""
    told: list[Any] = []
    with client(gateway, case, "sync") as sdk:
        for asked in case.asked:
            try:
                reply = attrgetter(case.api)(sdk).create(**asked)
                told.extend(part.model_dump() for part in (reply if asked.get("stream") else [reply]))
            except (openai.APIError, anthropic.APIError) as error:
                told.append((type(error), str(error), error.body))
    return told


async def heard_async(gateway: Any, case: Case) -> list[Any]:
    told: list[Any] = []
    async with client(gateway, case, "async") as sdk:
        for asked in case.asked:
            try:
                reply = await attrgetter(case.api)(sdk).create(**asked)
                if asked.get("stream"):
                    async for part in reply:
                        told.append(part.model_dump())  # noqa: PERF401 - what came before an error counts
                else:
                    told.append(reply.model_dump())
            except (openai.APIError, anthropic.APIError) as error:
                told.append((type(error), str(error), error.body))
    return told


def writing(way: str) -> bool:
    return way == "sync" and bool(os.environ.get("LLMTRACE_WRITE_CASSETTES"))


@contextmanager
def shipping(name: str, folder: Path) -> Iterator[Path]:
    """Give a copy of a shipped cassette to record over, so that unchanged recordings keep their lines; ship it after.

    One that the proxy answers as it did before stays as it is, with the version that it was recorded with.
    """
    path, shipped = folder / "shipped" / f"{name}.yaml", CASSETTES / f"{name}.yaml"
    path.parent.mkdir()
    before = ""
    if shipped.exists():
        before = shipped.read_text(encoding="utf-8")
        path.write_text(before, encoding="utf-8")
    yield path
    if recorded_in(path.read_text(encoding="utf-8")) != recorded_in(before):
        publish(path, CASES[name])


def recorded_in(text: str) -> str:
    """Return the recordings of a cassette, without its head."""
    return text.partition("interactions:\n")[2]


def publish(path: Path, case: Case) -> None:
    """Write into the cassette's head what was recorded and what it shows, and copy the file to the shipped ones."""
    head, mark, rest = path.read_text(encoding="utf-8").partition("interactions:\n")
    lines = [line for line in head.splitlines() if not line.startswith(("  of: ", "  shows: "))]
    lines.append(f"  of: LiteLLM Proxy {VERSION} in front of tests/live/upstream.py, by tests/live/test_litellm.py")
    lines.append(f"  shows: {json.dumps(case.shows)}")
    (CASSETTES / path.name).write_text("\n".join([*lines, mark]) + rest, encoding="utf-8")
    assert replay.load(CASSETTES / path.name).origin["shows"] == case.shows
