"""LiteLLM Proxy: OpenAI's forms with the alias as the model; headers name the model that served, and the cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import chat, embeddings, errors, messages, responses
from pytest_llmtrace.replay.gateways._form import DONE, Mode, Profile
from pytest_llmtrace.replay.gateways._layout import HEX, Event, spaced, uuid
from pytest_llmtrace.replay.gateways._reply import CREATED, Reply
from pytest_llmtrace.replay.gateways._script import ToolCall, cut
from pytest_llmtrace.replay.gateways._usage import priced

__all__ = ["PROFILE"]


class Chat(chat.Chat):
    """Chat completions without a separate role chunk and without nulls; a stream reports no cost."""

    roles_first = False

    error = staticmethod(errors.litellm)

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage, in this gateway's own order."""
        plain = super().usage(reply)
        order = ("completion_tokens", "prompt_tokens", "total_tokens", "completion_tokens_details")
        return {name: plain[name] for name in (*order, *plain)}

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        return {
            "id": self.identity(reply),
            "created": CREATED,
            "model": reply.model,
            "object": "chat.completion",
            "system_fingerprint": self.fingerprint(reply),
            "choices": [self.choice(reply, index) for index in reply.choices()],
            "usage": self.usage(reply),
            "service_tier": "default",
        }

    def choice(self, reply: Reply, index: int) -> Mapping[str, Any]:
        """Return one choice of a whole reply."""
        return {"finish_reason": self.finish(reply), "index": index, "message": self.message(reply, index)}

    def message(self, reply: Reply, index: int) -> Mapping[str, Any]:
        """Return the message of a choice."""
        return {
            "content": reply.text(index),
            "role": "assistant",
            **({"tool_calls": None} | self.calls(reply, index)),
            "function_call": None,
            **({"reasoning_content": reply.script.reasoning} if reply.script.reasoning is not None else {}),
            **({"refusal": reply.script.refusal} if reply.script.refusal is not None else {}),
        }

    def call(self, reply: Reply, index: int, call: ToolCall) -> Mapping[str, Any]:
        """Return one tool call."""
        plain = super().call(reply, index, call)
        function = {"arguments": call.arguments, "name": call.name}
        return {"function": function, "id": plain["id"], "type": "function"}

    def deltas(self, reply: Reply, index: int) -> Iterator[chat.Delta]:
        """Yield the deltas of a choice, its reasoning first; the very first one names the role."""
        thoughts = ({"reasoning_content": piece} for piece in cut(reply.script.reasoning or "", None))
        for number, delta in enumerate((*thoughts, *super().deltas(reply, index))):
            yield {**delta, "role": "assistant"} if number == 0 and index == 0 else delta

    def call_deltas(self, reply: Reply, choice: int) -> Iterator[chat.Delta]:
        """Yield the deltas of each tool call, with its index after its other fields."""
        for delta in super().call_deltas(reply, choice):
            call = dict(delta["tool_calls"][0])
            number = call.pop("index")
            yield {"tool_calls": [{**call, "index": number}]}

    def piece(self, reply: Reply, index: int, delta: chat.Delta, *, finish: str | None = None) -> Mapping[str, Any]:  # noqa: ARG002
        """Return one choice of a chunk."""
        return {**({"finish_reason": finish} if finish else {}), "index": index, "delta": delta}

    def chunk_body(self, reply: Reply, choices: chat.Choices, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the JSON of one chunk."""
        return {
            "id": self.identity(reply),
            "created": CREATED,
            "model": reply.model,
            "object": "chat.completion.chunk",
            "choices": choices,
            **({"usage": usage} if usage else {}),
        }

    def broken(self, reply: Reply) -> Iterable[Event]:
        """Return the events that end a stream which fails midway. Measured: 1.109.1 still ends it with `[DONE]`."""
        return (Event(data=spaced(self.error(reply))), DONE)


class OlderChat(Chat):
    """Chat completions of older releases. The usage chunk has a choice, and one more chunk follows it.

    If the request asks for usage, every chunk repeats the stream options.
    """

    def broken(self, reply: Reply) -> Iterable[Event]:
        """Return the events that end a stream which fails midway."""
        return (Event(data=spaced(self.error(reply))),)

    def closing(self, reply: Reply) -> Iterator[Event]:
        """Yield the finish of each choice, usage in a chunk with a choice, and `[DONE]`."""
        for index in reply.choices():
            yield self.chunk(reply, [self.piece(reply, index, {}, finish=self.finish(reply))])
        if reply.wants_usage:
            usage = self.usage(reply)
            kept = {name: usage[name] for name in ("completion_tokens", "prompt_tokens", "total_tokens")}
            yield self.chunk(reply, [self.piece(reply, 0, {})], usage=kept)
            yield self.chunk(reply, [self.piece(reply, 0, {})])
        yield DONE

    def chunk_body(self, reply: Reply, choices: chat.Choices, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the JSON of one chunk."""
        body = super().chunk_body(reply, choices, None)
        if reply.wants_usage:
            body["stream_options"] = {"include_usage": True}
        return {**body, **({"usage": usage} if usage else {})}


class Responses(responses.Responses):
    """Responses whose events have no names, with `[DONE]` at the end, since the proxy writes them as chat chunks."""

    error = staticmethod(errors.litellm)
    named = False
    padded = False
    ends_with_done = True

    def broken(self, reply: Reply) -> Iterable[Event]:
        """Return the error with which the proxy breaks off a stream of any API."""
        return (Event(data=spaced(self.error(reply))),)


class Embeddings(embeddings.Embeddings):
    error = staticmethod(errors.litellm)

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        data = [
            {"embedding": item["embedding"], "index": item["index"], "object": "embedding"} for item in self.data(reply)
        ]
        return {"model": reply.model, "data": data, "object": "list", "usage": self.usage(reply)}

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage, with the output count that this gateway adds."""
        return {"completion_tokens": 0, **super().usage(reply)}


def _upstream(reply: Reply) -> str:
    """Return the model that served, by its name in the proxy's configuration."""
    model = reply.script.model or reply.requested
    if "/" in model:
        return model
    return f"anthropic/{model}" if model.startswith("claude") else f"openai/{model}"


def _cost(reply: Reply) -> float:
    if reply.script.cost is not None:
        return reply.script.cost
    usage = {"prompt_tokens": 12, "input_tokens": 12, "completion_tokens": 8, "output_tokens": 8} | dict(
        reply.script.usage
    )
    first, second = ("prompt", "completion") if reply.api in ("chat", "embeddings") else ("input", "output")
    output = 0 if reply.api == "embeddings" else usage[f"{second}_tokens"]
    return round(sum(priced(usage[f"{first}_tokens"], output)), 10)


def _headers(reply: Reply, mode: Mode) -> Headers:
    upstream = _upstream(reply)
    maker = "anthropic" if upstream.startswith("anthropic/") else "openai"
    always = (
        ("x-litellm-call-id", uuid(f"call/{reply.serial}")),
        ("x-litellm-version", "1.109.1"),
    )
    if mode == "error":
        return always
    served = (
        ("x-litellm-model-id", reply.id("", 64, HEX)),
        ("x-litellm-model-name", upstream),
        ("x-litellm-model-group", reply.requested),
        ("x-litellm-model-api-base", f"https://api.{maker}.com"),
        ("x-litellm-attempted-retries", "0"),
        ("x-litellm-attempted-fallbacks", "0"),
    )
    if mode == "stream":
        return (*always, *served)
    return (
        *always,
        *served,
        ("x-litellm-response-cost", repr(_cost(reply))),
        ("x-litellm-response-duration-ms", "558.881"),
        ("x-litellm-overhead-duration-ms", "1.125"),
        ("llm_provider-content-type", "application/json"),
        (f"llm_provider-{maker}-processing-ms", "420"),
        ("llm_provider-x-request-id", reply.id("req_", 32, HEX)),
    )


_CURRENT = Profile(
    name="litellm",
    forms={"chat": Chat(), "responses": Responses(), "embeddings": Embeddings(), "messages": messages.Messages()},
    headers=_headers,
    model_in_body=False,
    options=frozenset({"cost", "older", "reasoning"}),
)
PROFILE = replace(_CURRENT, older=replace(_CURRENT, forms={**_CURRENT.forms, "chat": OlderChat()}))
