"""The calls of `compare --privacy`: made through the real SDKs, with a canary in every place."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pytest_llmtrace import _sdks
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Cassette, Recording, Request, Response

__all__ = ["CALLS", "PLACES", "Call", "Put", "make", "number_of"]


PLACES: Final[Mapping[str, str]] = {
    "api_key": "API key",
    "provider_key": "provider's key",
    "organization": "organization",
    "cookie": "cookie",
    "prompt": "prompt",
    "system_prompt": "system prompt",
    "tool_result": "tool result",
    "tool_arguments": "tool arguments in the request",
    "described": "tool description",
    "image": "image URL",
    "called": "tool arguments in the answer",
    "output": "answer",
    "vector": "embedding vector",
    "user_id": "user id",
    "exception": "error message",
}
"""The places in the order of the page, with their names there."""

Put = Callable[[str], str]
"""Hands out the canary for a place."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call.

    Attributes:
        sdk: The SDK whose client makes the call.
        api: The API, which stands for a method of the client.
        body: Returns the arguments of the method, with canaries.
        prepare: Lets a trace answer the call, with canaries.
    """

    sdk: str
    api: str
    body: Callable[[Put], dict[str, Any]]
    prepare: Callable[[LLMTrace, Put], AbstractContextManager[object]]


def make(call: Call, trace: LLMTrace, put: Put, *, client: str, native: bool) -> None:
    """Make a call with the `sync` or the `async` client, and read its reply to the end."""
    with call.prepare(trace, put):
        method: Any = _client(call, put, prefix="Async" if client == "async" else "", native=native)
        for name in _METHODS[call.api]:
            method = getattr(method, name)
        _sdks.drain(method(**call.body(put)))


def number_of(canary: str) -> float:
    """Return a canary as a number, since a vector has only numbers; a binary fraction, which no encoding rounds."""
    return int(canary[-12:], 16) / 2**48


_METHODS = {
    "chat": ("chat", "completions", "create"),
    "completions": ("completions", "create"),
    "embeddings": ("embeddings", "create"),
    "messages": ("messages", "create"),
    "responses": ("responses", "create"),
}


def _client(call: Call, put: Put, *, prefix: str, native: bool) -> Any:
    headers = {"x-provider-api-key": put("provider_key"), "cookie": f"session={put('cookie')}"}
    options: dict[str, Any] = {"api_key": put("api_key"), "max_retries": 0}
    if call.sdk == "openai":
        import openai

        cls: Any = getattr(openai, f"{prefix}OpenAI")
        return cls(**options, organization=put("organization"), default_headers=headers)
    import anthropic

    if not native and "open_telemetry" in inspect.signature(anthropic.Anthropic).parameters:
        options["open_telemetry"] = False
    cls = getattr(anthropic, f"{prefix}Anthropic")
    return cls(**options, default_headers={**headers, "openai-organization": put("organization")})


# --- what is asked ---------------------------------------------------------------------------------------------------

_SCHEMA = {"type": "object", "properties": {}}


def _tool(put: Put) -> dict[str, Any]:
    return {"name": "find", "description": f"Find {put('described')}."}


def _image(put: Put) -> str:
    return f"https://images.test/{put('image')}.png"


def _chat(put: Put) -> dict[str, Any]:
    arguments = f'{{"who": "{put("tool_arguments")}"}}'
    called = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": arguments}}
    return {
        "model": "gpt-4o-mini",
        "user": put("user_id"),
        "tools": [{"type": "function", "function": {**_tool(put), "parameters": _SCHEMA}}],
        "messages": [
            {"role": "system", "content": f"You help {put('system_prompt')}."},
            {"role": "user", "content": f"Who is {put('prompt')}?"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": _image(put)}}]},
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "call_1", "content": f"It is {put('tool_result')}."},
        ],
    }


def _responses(put: Put) -> dict[str, Any]:
    arguments = f'{{"who": "{put("tool_arguments")}"}}'
    return {
        "model": "gpt-4o-mini",
        "user": put("user_id"),
        "instructions": f"You help {put('system_prompt')}.",
        "tools": [{"type": "function", "strict": False, **_tool(put), "parameters": _SCHEMA}],
        "input": [
            {"role": "user", "content": f"Who is {put('prompt')}?"},
            {"role": "user", "content": [{"type": "input_image", "detail": "auto", "image_url": _image(put)}]},
            {"type": "function_call", "call_id": "call_1", "name": "find", "arguments": arguments},
            {"type": "function_call_output", "call_id": "call_1", "output": f"It is {put('tool_result')}."},
        ],
    }


def _messages(put: Put) -> dict[str, Any]:
    called = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"who": put("tool_arguments")}}
    image = {"type": "image", "source": {"type": "url", "url": _image(put)}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": f"It is {put('tool_result')}."}
    return {
        "model": "claude-haiku-4-5",
        "max_tokens": 64,
        "metadata": {"user_id": put("user_id")},
        "system": f"You help {put('system_prompt')}.",
        "tools": [{**_tool(put), "input_schema": _SCHEMA}],
        "messages": [
            {"role": "user", "content": f"Who is {put('prompt')}?"},
            {"role": "assistant", "content": [called]},
            {"role": "user", "content": [result, image]},
        ],
    }


def _completions(put: Put) -> dict[str, Any]:
    return {"model": "gpt-3.5-turbo-instruct", "prompt": f"Who is {put('prompt')}?", "user": put("user_id")}


def _embeddings(put: Put) -> dict[str, Any]:
    asked = [f"Who is {put('prompt')}?"]
    return {"model": "text-embedding-3-small", "input": asked, "user": put("user_id"), "encoding_format": "float"}


# --- what is answered ------------------------------------------------------------------------------------------------


def _answer(api: str) -> Callable[[Any, Put], object]:
    def script(gateway: Any, put: Put) -> object:
        calls = ({"name": "find", "arguments": {"who": put("called")}},)
        return getattr(gateway, api)(text=f"It is {put('output')}.", tool_calls=calls)

    return script


def _vectors(gateway: Any, put: Put) -> object:
    return gateway.embeddings(vectors=[[number_of(put("vector")), 0.5]])


def _error(gateway: Any, put: Put) -> object:
    return gateway.error(400, message=f"Wrong is {put('exception')}.")


def _completed(trace: LLMTrace, put: Put, *, streams: bool) -> AbstractContextManager[object]:
    """Let a trace answer as the completions API does. Gateways do not script that API: it is older than all of them."""
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "gpt-3.5-turbo-instruct"}
    choice = {"index": 0, "text": f"It is {put('output')}.", "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20}
    text = json.dumps({**head, "choices": [choice], "usage": usage})
    body = f"data: {text}\n\ndata: [DONE]\n\n" if streams else text
    kind = "text/event-stream" if streams else "application/json"
    response = Response(status=200, headers=(("content-type", kind),), chunks=(body.encode(),), reason="OK")
    request = Request(method="POST", url="https://api.openai.com/v1/completions", headers=(), body=b"")
    recording = Recording(index=0, request=request, response=response, any_body=True)
    return trace.replay(Cassette(label="completions", recordings=(recording,)))


# --- all of them -----------------------------------------------------------------------------------------------------


def _calls() -> Iterator[tuple[str, Call]]:
    bodies = {"chat": _chat, "responses": _responses, "messages": _messages}
    for api, body in bodies.items():
        sdk = "anthropic" if api == "messages" else "openai"
        yield api, Call(sdk=sdk, api=api, body=body, prepare=_scripted(sdk, _answer(api)))
        yield f"{api}, stream", Call(sdk=sdk, api=api, body=_streamed(body), prepare=_scripted(sdk, _answer(api)))
        yield f"{api}, failed", Call(sdk=sdk, api=api, body=body, prepare=_scripted(sdk, _error))
    old = partial(Call, sdk="openai", api="completions")
    yield "completions", old(body=_completions, prepare=partial(_completed, streams=False))
    yield "completions, stream", old(body=_streamed(_completions), prepare=partial(_completed, streams=True))
    yield "embeddings", Call(sdk="openai", api="embeddings", body=_embeddings, prepare=_scripted("openai", _vectors))


def _scripted(
    gateway: str, script: Callable[[Any, Put], object]
) -> Callable[[LLMTrace, Put], AbstractContextManager[object]]:
    return lambda trace, put: nullcontext(script(trace.gateway(gateway), put))


def _streamed(body: Callable[[Put], dict[str, Any]]) -> Callable[[Put], dict[str, Any]]:
    return lambda put: {**body(put), "stream": True}


CALLS: Final[Mapping[str, Call]] = dict(_calls())
"""All calls, by name."""
