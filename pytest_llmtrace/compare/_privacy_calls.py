"""Calls with a canary in every place, through the real SDKs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_llmtrace.harness import LLMTrace

__all__ = ["CALLS", "PLACES", "Put", "make"]

PLACES: Final[Mapping[str, str]] = {
    "api_key": "API key",
    "provider_key": "provider's key",
    "organization": "organization",
    "cookie": "cookie",
    "prompt": "prompt",
    "system_prompt": "system prompt",
    "tool_result": "tool result",
    "tool_arguments": "tool arguments, sent",
    "described": "tool description",
    "image": "image, its URL",
    "called": "tool arguments, answered",
    "output": "answer",
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
        sdk: Whose client makes it.
        api: Which method of it.
        body: What it is asked, with canaries.
        script: Lets the gateway answer, with canaries.
    """

    sdk: str
    api: str
    body: Callable[[Put], dict[str, Any]]
    script: Callable[[Any, Put], object]


def make(call: Call, trace: LLMTrace, put: Put, *, native: bool) -> None:
    """Make a call, and read its reply to the end."""
    call.script(trace.gateway(call.sdk), put)
    method: Any = _client(call, put, native=native)
    for name in _METHODS[call.api]:
        method = getattr(method, name)
    reply = method(**call.body(put))
    for _ in reply if hasattr(reply, "__next__") else ():
        pass


_METHODS = {
    "chat": ("chat", "completions", "create"),
    "embeddings": ("embeddings", "create"),
    "messages": ("messages", "create"),
    "responses": ("responses", "create"),
}


def _client(call: Call, put: Put, *, native: bool) -> Any:
    headers = {"x-provider-api-key": put("provider_key"), "cookie": f"session={put('cookie')}"}
    options: dict[str, Any] = {"api_key": put("api_key"), "max_retries": 0}
    if call.sdk == "openai":
        import openai

        return openai.OpenAI(**options, organization=put("organization"), default_headers=headers)
    import anthropic

    if not native and "open_telemetry" in inspect.signature(anthropic.Anthropic).parameters:
        options["open_telemetry"] = False
    return anthropic.Anthropic(**options, default_headers={**headers, "openai-organization": put("organization")})


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


def _embeddings(put: Put) -> dict[str, Any]:
    asked = [f"Who is {put('prompt')}?"]
    return {"model": "text-embedding-3-small", "input": asked, "user": put("user_id"), "encoding_format": "float"}


# --- what is answered ------------------------------------------------------------------------------------------------


def _answer(api: str) -> Callable[[Any, Put], object]:
    def script(gateway: Any, put: Put) -> object:
        calls = ({"name": "find", "arguments": {"who": put("called")}},)
        return getattr(gateway, api)(text=f"It is {put('output')}.", tool_calls=calls)

    return script


def _vectors(gateway: Any, _put: Put) -> object:
    return gateway.embeddings()


def _error(gateway: Any, put: Put) -> object:
    return gateway.error(400, message=f"Wrong is {put('exception')}.")


def _calls() -> Iterator[tuple[str, Call]]:
    bodies = {"chat": _chat, "responses": _responses, "messages": _messages}
    for api, body in bodies.items():
        sdk = "anthropic" if api == "messages" else "openai"
        yield api, Call(sdk=sdk, api=api, body=body, script=_answer(api))
        yield f"{api}, stream", Call(sdk=sdk, api=api, body=_streamed(body), script=_answer(api))
        yield f"{api}, failed", Call(sdk=sdk, api=api, body=body, script=_error)
    yield (
        "embeddings",
        Call(sdk="openai", api="embeddings", body=_embeddings, script=lambda gateway, _: gateway.embeddings()),
    )


def _streamed(body: Callable[[Put], dict[str, Any]]) -> Callable[[Put], dict[str, Any]]:
    return lambda put: {**body(put), "stream": True}


CALLS: Final[Mapping[str, Call]] = dict(_calls())
"""All of them, by name."""
