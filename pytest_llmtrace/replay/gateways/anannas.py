"""Anannas, as documented; its older and its current documentation differ on errors and on where usage is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import chat, errors, messages, responses
from pytest_llmtrace.replay.gateways._form import DONE, Mode, Profile
from pytest_llmtrace.replay.gateways._layout import Event
from pytest_llmtrace.replay.gateways._reply import CREATED, Reply
from pytest_llmtrace.replay.gateways._usage import merged
from pytest_llmtrace.replay.gateways.openrouter import costs

__all__ = ["PROFILE"]


class Chat(chat.Chat):
    """Chat completions in OpenAI's form without its extras. A stream always has usage, in an event of its own."""

    error = staticmethod(errors.typed)
    comments = ("ANANNAS",)

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage, with the cost if the request asks for it."""
        plain = super().usage(reply)
        usage = merged({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, plain)
        asked = reply.body.get("usage")
        if not isinstance(asked, Mapping) or asked.get("include") is not True:
            return usage
        cost = costs(reply, usage["prompt_tokens"], usage["completion_tokens"])
        return {**usage, "cost": cost["cost"], "cost_details": cost["cost_details"]}

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        choices = [self.choice(reply, index) for index in reply.choices()]
        return {**self.frame(reply, "chat.completion"), "choices": choices, "usage": self.usage(reply)}

    def frame(self, reply: Reply, kind: str) -> dict[str, Any]:
        """Return the fields with which every reply and every chunk begins."""
        return {"id": self.identity(reply), "object": kind, "created": CREATED, "model": reply.model}

    def choice(self, reply: Reply, index: int) -> Mapping[str, Any]:
        """Return one choice of a whole reply."""
        return {"index": index, "message": self.message(reply, index), "finish_reason": self.finish(reply)}

    def message(self, reply: Reply, index: int) -> Mapping[str, Any]:
        """Return the message of a choice."""
        thoughts = {"reasoning": reply.script.reasoning} if reply.script.reasoning is not None else {}
        refusal = {"refusal": reply.script.refusal} if reply.script.refusal is not None else {}
        return {"role": "assistant", "content": reply.text(index), **thoughts, **self.calls(reply, index), **refusal}

    def deltas(self, reply: Reply, index: int) -> Iterator[chat.Delta]:
        """Yield the deltas after the first, beginning with the reasoning."""
        if reply.script.reasoning is not None:
            yield {"reasoning": reply.script.reasoning}
        yield from super().deltas(reply, index)

    def opening(self, reply: Reply, choice: int) -> chat.Delta:
        """Return the first delta of a choice."""
        return {name: value for name, value in super().opening(reply, choice).items() if name != "refusal"}

    def closing(self, reply: Reply) -> Iterator[Event]:
        """Yield the finish of each choice, usage and `[DONE]`."""
        for index in reply.choices():
            yield self.chunk(reply, [self.piece(reply, index, {}, finish=self.finish(reply))])
        yield self.chunk(reply, [], usage=self.usage(reply))
        yield DONE

    def piece(self, reply: Reply, index: int, delta: chat.Delta, *, finish: str | None = None) -> Mapping[str, Any]:  # noqa: ARG002
        """Return one choice of a chunk."""
        return {"index": index, "delta": delta, "finish_reason": finish}

    def chunk_body(self, reply: Reply, choices: chat.Choices, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the JSON of one chunk."""
        frame = self.frame(reply, "chat.completion.chunk")
        return {**frame, "choices": choices, **({"usage": usage} if usage else {})}


class OlderChat(Chat):
    """Chat completions of the older documentation: errors with a numeric code; usage in the last finish chunk."""

    error = staticmethod(errors.numeric)

    def closing(self, reply: Reply) -> Iterator[Event]:
        """Yield the finish of each choice, usage and `[DONE]`."""
        last = reply.choices()[-1]
        for index in reply.choices():
            finish = self.piece(reply, index, {}, finish=self.finish(reply))
            yield self.chunk(reply, [finish], usage=self.usage(reply) if index == last else None)
        yield DONE


class Responses(responses.Responses):
    padded = False
    error = staticmethod(errors.typed)
    comments = ("ANANNAS",)


class OlderResponses(Responses):
    error = staticmethod(errors.numeric)


class Messages(messages.Messages):
    comments = ("ANANNAS",)


def _headers(reply: Reply, mode: Mode) -> Headers:  # noqa: ARG001 - the documentation names none that depends on the mode
    return (("x-request-id", reply.id("req_", 24)),)


_CURRENT = Profile(
    name="anannas",
    forms={"chat": Chat(), "responses": Responses(), "messages": Messages()},
    headers=_headers,
    options=frozenset({"cost", "older", "reasoning"}),
    options_of={"cost": ("chat",)},
    stream_type="text/event-stream",
    body_errors=True,
)
PROFILE = replace(
    _CURRENT,
    older=replace(_CURRENT, forms={**_CURRENT.forms, "chat": OlderChat(), "responses": OlderResponses()}),
)
