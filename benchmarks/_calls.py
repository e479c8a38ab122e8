"""Calls made only to be verified: the replies of two APIs, and spans that describe them truthfully."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from benchmarks._material import LIBRARY, Chunks
from pytest_llmtrace import checks
from pytest_llmtrace.model import (
    Ambient,
    Exchange,
    Outcome,
    Request,
    Response,
    SpanKey,
    SpanRecord,
    StreamEnd,
    Worker,
)
from pytest_llmtrace.pairing import match

__all__ = ["APIS", "EVENTS", "Calls", "asking", "genai", "openinference", "reply"]

EVENTS = 500
MODELS = {"chat": "gpt-4o-mini", "messages": "claude-sonnet-4-5"}
SERVED = {"chat": "gpt-4o-mini-2024-07-18", "messages": "claude-sonnet-4-5-20250929"}
APIS = tuple(MODELS)
URLS = {"chat": "https://api.openai.com/v1/chat/completions", "messages": "https://api.anthropic.com/v1/messages"}
QUESTION = "What does a span of OpenTelemetry stand for, and who ends it?"
SENTENCE = "A span stands for one operation of a program, and whoever has started it ends it. "
INPUT, OUTPUT = 25, 512
WORKER = Worker(1)
FINISH = {"chat": "stop", "messages": "end_turn"}

# --- replies ---------------------------------------------------------------------------------------------------------


def reply(api: str, events: int, identity: str = "chatcmpl-BzXp0pFYcLrRqT") -> list[bytes]:
    """Return the chunks of a reply: a stream of that many pieces of text, an event a chunk, or a plain one for 0."""
    if api == "chat":
        return _chat_stream(events, identity) if events else [json.dumps(_chat(identity)).encode()]
    return _message_stream(events, identity) if events else [json.dumps(_message(identity)).encode()]


def said(events: int) -> str:
    """Return the text of a reply."""
    return "".join(_pieces(events)) if events else SENTENCE * 5


def _pieces(events: int) -> list[str]:
    words = SENTENCE.split(" ")
    return [f"{words[index % len(words)]} " for index in range(events)]


_CHAT_USAGE = {
    "prompt_tokens": INPUT,
    "completion_tokens": OUTPUT,
    "total_tokens": INPUT + OUTPUT,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


def _chat(identity: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said(0), "refusal": None, "annotations": []}
    return {
        **_chat_head(identity, "chat.completion"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _CHAT_USAGE,
    }


def _chat_head(identity: str, kind: str) -> dict[str, Any]:
    return {
        "id": identity,
        "object": kind,
        "created": 1760000000,
        "model": SERVED["chat"],
        "service_tier": "default",
        "system_fingerprint": "fp_560af6e559",
    }


def _chat_stream(events: int, identity: str) -> list[bytes]:
    def chunk(delta: dict[str, Any] | None, finish: str | None = None, usage: Any = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        choices = [] if delta is None else [choice]
        body = {**_chat_head(identity, "chat.completion.chunk"), "choices": choices, "usage": usage}
        return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"

    texts = [chunk({"content": piece}) for piece in _pieces(events)]
    first = chunk({"role": "assistant", "content": "", "refusal": None})
    return [first, *texts, chunk({}, "stop"), chunk(None, usage=_CHAT_USAGE), b"data: [DONE]\n\n"]


_MESSAGE_USAGE = {
    "input_tokens": INPUT,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": OUTPUT,
    "service_tier": "standard",
}


def _message(identity: str, content: Any = None) -> dict[str, Any]:
    return {
        "model": SERVED["messages"],
        "id": identity,
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": said(0)}] if content is None else content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _MESSAGE_USAGE,
    }


def _message_stream(events: int, identity: str) -> list[bytes]:
    def event(kind: str, **fields: Any) -> bytes:
        data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
        return f"event: {kind}\ndata: {data}\n\n".encode()

    begun = _message(identity, []) | {"stop_reason": None, "usage": {**_MESSAGE_USAGE, "output_tokens": 1}}
    texts = [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}) for piece in _pieces(events)
    ]
    return [
        event("message_start", message=begun),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *texts,
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=_MESSAGE_USAGE),
        event("message_stop"),
    ]


def _asked(api: str, *, stream: bool) -> dict[str, Any]:
    more = {"stream_options": {"include_usage": True}} if stream and api == "chat" else {}
    return {
        "model": MODELS[api],
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": 1024,
        **({"stream": True} if stream else {}),
        **more,
    }


# --- the SDK ---------------------------------------------------------------------------------------------------------


def _headers(events: int) -> list[tuple[str, str]]:
    kind = "text/event-stream; charset=utf-8" if events else "application/json"
    return [("content-type", kind), ("x-request-id", "req_0c1d2e3f"), ("x-ratelimit-remaining-requests", "9999")]


def asking(api: str, events: int) -> Callable[[], None]:
    """Return a function that makes one call through the SDK and reads the reply to its end."""
    chunks, headers = reply(api, events), _headers(events)
    sdk = importlib.import_module("openai" if api == "chat" else "anthropic")
    mock = LIBRARY.MockTransport(lambda _: LIBRARY.Response(200, headers=headers, stream=Chunks(chunks)))
    client = (sdk.OpenAI if api == "chat" else _anthropic(sdk))(
        api_key="bench", max_retries=0, http_client=sdk.DefaultHttpxClient(transport=mock)
    )
    create = client.chat.completions.create if api == "chat" else client.messages.create
    asked = _asked(api, stream=bool(events))

    def ask() -> None:
        answer = create(**asked)
        if events:
            assert sum(1 for _ in answer) >= events

    return ask


def _anthropic(sdk: Any) -> Callable[..., Any]:
    def client(**how: Any) -> Any:
        try:
            return sdk.Anthropic(**how, open_telemetry=False)
        except TypeError:  # Before the SDK had spans of its own.
            return sdk.Anthropic(**how)

    return client


# --- spans -----------------------------------------------------------------------------------------------------------

Dialect = Callable[[str, int, str], dict[str, Any]]


def genai(api: str, events: int, identity: str) -> dict[str, Any]:
    """Return the attributes of a span by the GenAI conventions, with the content."""
    message = {"role": "assistant", "parts": [{"type": "text", "content": said(events)}], "finish_reason": FINISH[api]}
    asked = [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]
    streaming = {"gen_ai.request.stream": True} if events else {}
    return {
        **streaming,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai" if api == "chat" else "anthropic",
        "gen_ai.request.model": MODELS[api],
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.response.model": SERVED[api],
        "gen_ai.response.id": identity,
        "gen_ai.response.finish_reasons": (FINISH[api],),
        "gen_ai.usage.input_tokens": INPUT,
        "gen_ai.usage.output_tokens": OUTPUT,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.input.messages": json.dumps(asked),
        "gen_ai.output.messages": json.dumps([message]),
    }


def openinference(api: str, events: int, identity: str) -> dict[str, Any]:
    """Return the attributes of a span by OpenInference, with the content, and with request and reply as JSON."""
    asked = _asked(api, stream=bool(events))
    parameters = json.dumps({key: value for key, value in asked.items() if key != "messages"})
    return {
        "openinference.span.kind": "LLM",
        "llm.system": "openai" if api == "chat" else "anthropic",
        "llm.model_name": SERVED[api],
        "llm.invocation_parameters": parameters,
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": QUESTION,
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": said(events),
        "llm.token_count.prompt": INPUT,
        "llm.token_count.completion": OUTPUT,
        "llm.token_count.total": INPUT + OUTPUT,
        "input.value": json.dumps(asked),
        "input.mime_type": "application/json",
        "output.value": json.dumps(_whole_reply(api, events, identity)),
        "output.mime_type": "application/json",
        "llm.finish_reason": FINISH[api],
    }


def _whole_reply(api: str, events: int, identity: str) -> dict[str, Any]:
    """Return a reply as instrumentors write it; that of a stream is put together from its events."""
    if api != "chat":
        return _message(identity, [{"citations": None, "text": said(events), "type": "text"}])
    whole = _chat(identity)
    whole["choices"][0]["message"]["content"] = said(events)
    return whole


# --- what was seen ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Calls:
    """Exchanges and spans, as a trace has them at its end."""

    exchanges: tuple[Exchange, ...]
    spans: tuple[SpanRecord, ...]

    def verdict(self) -> checks.Verdict:
        """Read, pair and check, as at the end of a test."""
        paired = match(self.exchanges, self.spans)
        evidence = checks.Evidence(exchanges=self.exchanges, spans=self.spans, calls=paired.calls, strays=paired.strays)
        return checks.verify(evidence, {})

    @classmethod
    def one(cls, api: str, events: int, dialect: Dialect) -> Calls:
        """Return one call with its span."""
        return cls((_exchange(api, events, 0),), (_span(0, dialect(api, events, _identity(0)), events),))

    @classmethod
    def many(cls, size: int, found_by: str) -> Calls:
        """Return plain calls with one span each: it was current, or is found by its response's id, or by its worker."""
        exchanges = [_exchange("chat", 0, index) for index in range(size)]
        spans = [_span(index, genai("chat", 0, _identity(index))) for index in range(size)]
        if found_by != "current":
            exchanges = [replace(exchange, ambient=Ambient(worker=WORKER)) for exchange in exchanges]
            spans = [replace(span, worker=WORKER) for span in spans]
        if found_by == "worker":
            for span in spans:
                del span.attributes["gen_ai.response.id"]  # type: ignore[attr-defined]
        return cls(tuple(exchanges), tuple(spans))

    @classmethod
    def among_others(cls, size: int) -> Calls:
        """Return one call whose span has that many children other than LLM spans."""
        one = cls.one("chat", 0, genai)
        others = tuple(
            SpanRecord(
                key=SpanKey(1, 10 + index), parent=SpanKey(1, 1), name="GET", scope="web", started=2, ended=3,
                start_ns=2_000_000, end_ns=3_000_000, attributes={"http.request.method": "GET", "server.port": 443},
            )
            for index in range(size)
        )  # fmt: skip
        return cls(one.exchanges, (*one.spans, *others))

    @classmethod
    def with_attributes(cls, size: int) -> Calls:
        """Return one call with a long conversation, which its span describes in that many attributes."""
        turns = [turn for number in range(size // _PER_ROUND) for turn in _round(number)]
        asked = {**_asked("chat", stream=False), "messages": [message for message, _ in turns]}
        exchange = _exchange("chat", 0, 0)
        exchange = replace(exchange, request=replace(exchange.request, body=json.dumps(asked).encode()))
        attributes = {**openinference("chat", 0, _identity(0)), "input.value": json.dumps(asked)}
        for index, (message, more) in enumerate(turns):
            said = {"role": message["role"], "content": message["content"], **more}
            attributes |= {f"llm.input_messages.{index}.message.{key}": value for key, value in said.items() if value}
        return cls((exchange,), (_span(0, attributes),))


_PER_ROUND = 9  # attributes


def _round(number: int) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Return a question, a tool call and its result: each as a message, with the span's further attributes for it."""
    identity, arguments = f"call_{number}", json.dumps({"query": f"span {number}"})
    function = {"name": "search", "arguments": arguments}
    called = {"id": identity, "function.name": "search", "function.arguments": arguments}
    return [
        ({"role": "user", "content": f"{number}: {QUESTION}"}, {}),
        (
            {"role": "assistant", "content": None, "tool_calls": [{"id": identity, "function": function}]},
            {f"tool_calls.0.tool_call.{key}": value for key, value in called.items()},
        ),
        ({"role": "tool", "tool_call_id": identity, "content": f"Found {number}."}, {"tool_call_id": identity}),
    ]


def _identity(index: int) -> str:
    return f"chatcmpl-Bz{index:08}"


def _exchange(api: str, events: int, index: int) -> Exchange:
    chunks = tuple(reply(api, events, _identity(index)))
    first = 10 * index
    ticks = tuple(range(first + 3, first + 3 + len(chunks)))
    return Exchange(
        index=index,
        request=Request(
            method="POST",
            url=URLS[api],
            headers=(("content-type", "application/json"), ("x-stainless-retry-count", "0")),
            body=json.dumps(_asked(api, stream=bool(events))).encode(),
        ),
        response=Response(status=200, headers=tuple(_headers(events)), chunks=chunks),
        outcome=Outcome.ANSWERED,
        origin="cassettes/chat.yaml, interaction 0",
        ambient=Ambient(span=SpanKey(1, 1 + index), recording=True),
        started=first + 2,
        chunk_ticks=ticks,
        ended=ticks[-1] + 1,
        started_ns=(first + 2) * 1_000_000,
        ended_ns=(ticks[-1] + 1) * 1_000_000,
        stream_end=StreamEnd.EXHAUSTED,
    )


def _span(index: int, attributes: dict[str, Any], events: int = 0) -> SpanRecord:
    first = 10 * index
    ended = first + events + 9
    return SpanRecord(
        key=SpanKey(1, 1 + index),
        name="chat",
        scope="app",
        kind="CLIENT",
        started=first + 1,
        ended=ended,
        start_ns=(first + 1) * 1_000_000,
        end_ns=ended * 1_000_000,
        attributes=attributes,
    )
