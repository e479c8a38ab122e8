"""A stream of a minute, replayed in its own time under one instrumentation, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

__all__ = ["CHUNKS", "FIRST", "SECONDS", "Streamed"]

CHUNKS = 1_500
SECONDS = 60.0
FIRST = 0.8
RATE = 25.0
_BESIDE = {"chat": 3, "messages": 6}  # Chunks of a stream that hold no piece of the text.


class Streamed:
    """The calls of one instrumentation.

    Args:
        name: The instrumentation's name in `pytest-llmtrace compare`.
    """

    def __init__(self, name: str) -> None:
        from pytest_llmtrace.compare._instrumentors import INSTRUMENTORS

        self._instrumentation = INSTRUMENTORS[name]
        os.environ.update(self._instrumentation.environ)
        self._by_hand = name == "by-hand"
        self._sdk = "openai" if "openai" in self._instrumentation.packages else "anthropic"
        self._api = "chat" if self._sdk == "openai" else "messages"
        warnings.simplefilter("ignore")
        self._cassette = self._recorded()
        if not self._by_hand:
            self._instrumentation.start(self._instrumentation, self._sdk)
        for mode in ("sync", "async"):
            self.replayed(mode)
            self.parsed(mode)

    def close(self) -> None:
        """Do nothing: no resource is open."""

    def replayed(self, mode: str) -> tuple[float, Any, Any]:
        """Replay the stream; return seconds of CPU time, the span's duration, and its time to first token."""
        from pytest_llmtrace import LLMTrace

        client = self._client(mode)
        began = time.process_time()
        with LLMTrace(timing="recorded", verify=False) as trace, trace.replay(self._cassette):
            self._call(mode, client)
        taken = time.process_time() - began
        [span] = trace.llm_spans()
        metric = next((point.value for point in trace.metrics() if "time_to_first" in point.name), None)
        assert span.call is not None
        return taken, span.duration, span.call.time_to_first_token or metric

    def parsed(self, mode: str) -> float:
        """Let the SDK read the same chunks from a mock transport; return seconds of CPU time."""
        client = self._client(mode, http_client=self._mocked(mode))
        began = time.process_time()
        self._call(mode, client)
        return time.process_time() - began

    def _recorded(self) -> Any:
        from pytest_llmtrace import LLMTrace
        from pytest_llmtrace.model import Cassette, Recording
        from pytest_llmtrace.replay.gateways import Gateway

        pieces = CHUNKS - _BESIDE[self._api]
        tokens = round((SECONDS - FIRST) * RATE)
        usage = {"completion_tokens" if self._api == "chat" else "output_tokens": tokens}
        said = {"text": "word " * pieces, "stream_chunks": pieces, "usage": usage}
        with LLMTrace(verify=False, gateway=self._sdk, allow_unused="it is asked for by hand") as trace:
            self._call("sync", self._client("sync"))
            request = trace.exchanges()[0].request
        gateway = Gateway(self._sdk)
        getattr(gateway, self._api)(**said, first_token=FIRST, tokens_per_second=RATE)
        answer = gateway.answer(request)
        assert answer is not None
        response = answer.response
        assert response.offsets is not None
        assert (len(response.chunks), response.offsets[-1]) == (CHUNKS, SECONDS)
        return Cassette(label="a minute", recordings=(Recording(index=0, request=request, response=response),))

    def _call(self, mode: str, client: Any) -> None:
        if mode == "sync":
            events = self._events(client)
            for _ in self._told(events) if self._by_hand else events:
                pass
        else:
            asyncio.run(self._drained(client))

    async def _drained(self, client: Any) -> None:
        events = self._events_async(client)
        async for _ in self._told_async(events) if self._by_hand else events:
            pass

    def _events(self, client: Any) -> Iterator[Any]:
        yield from self._create(client)

    async def _events_async(self, client: Any) -> AsyncIterator[Any]:
        async for event in await self._create(client):
            yield event

    def _client(self, mode: str, **options: Any) -> Any:
        kind = "Async" if mode == "async" else ""
        if self._sdk == "openai":
            import openai

            return getattr(openai, f"{kind}OpenAI")(api_key="bench", **options)
        import anthropic

        native = {} if self._instrumentation.native else {"open_telemetry": False}
        return getattr(anthropic, f"{kind}Anthropic")(api_key="bench", **native, **options)

    def _create(self, client: Any) -> Any:
        messages = [{"role": "user", "content": "What is a span?"}]
        if self._sdk == "openai":
            return client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
        return client.messages.create(model="claude-haiku-4-5", max_tokens=2_000, messages=messages, stream=True)

    def _mocked(self, mode: str) -> Any:
        import httpx2

        response = self._cassette.recordings[0].response

        async def chunks() -> AsyncIterator[bytes]:
            for chunk in response.chunks:
                yield chunk

        def answer(_: Any) -> Any:
            content = iter(response.chunks) if mode == "sync" else chunks()
            return httpx2.Response(200, headers=list(response.headers), content=content)

        kind = httpx2.Client if mode == "sync" else httpx2.AsyncClient
        return kind(transport=httpx2.MockTransport(answer))

    # --- the style that teams write themselves ---

    def _told(self, events: Iterator[Any]) -> Iterator[Any]:
        with _Told() as told:
            for event in events:
                told.note(event)
                yield event

    async def _told_async(self, events: AsyncIterator[Any]) -> AsyncIterator[Any]:
        with _Told() as told:
            async for event in events:
                told.note(event)
                yield event


class _Told:
    """A span around a stream, with its times in milliseconds."""

    def __enter__(self) -> Self:
        from opentelemetry import trace

        self._current = trace.get_tracer("chat-api.llm").start_as_current_span("anthropic.messages.stream")
        self._span = self._current.__enter__()
        self._span.set_attribute("gen_ai.request.model", "claude-haiku-4-5")
        self._began = time.perf_counter()
        self._first = True
        return self

    def note(self, event: Any) -> None:
        """Note the time of the first piece of the text."""
        if self._first and event.type == "content_block_delta":
            self._first = False
            self._span.set_attribute("gen_ai.time_to_first_token_ms", (time.perf_counter() - self._began) * 1000)

    def __exit__(self, *raised: object) -> None:
        self._span.set_attribute("gen_ai.latency_ms", (time.perf_counter() - self._began) * 1000)
        self._current.__exit__(None, None, None)  # Nothing is raised.
