"""Chat completions as OpenAI writes them; gateways with the same API override what they write in another way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.replay.gateways._form import DONE, Form
from pytest_llmtrace.replay.gateways._layout import Event, noise
from pytest_llmtrace.replay.gateways._reply import CREATED, Reply
from pytest_llmtrace.replay.gateways._script import ToolCall, cut, fragments
from pytest_llmtrace.replay.gateways._usage import merged, total

__all__ = ["Chat", "Choices", "Delta", "padding"]

Delta = Mapping[str, Any]
Choices = Sequence[Mapping[str, Any]]

_PAD = 16


def padding(seed: str, text: str) -> str:
    """Return padding that hides how long a piece of text is."""
    return noise(f"{seed}/{text}", (_PAD - len(text)) % _PAD)


class Chat(Form):
    """Chat completions. A stream has usage only on request, in a last chunk without choices."""

    roles_first = True
    """Whether a stream begins with a separate delta for the role."""

    def identity(self, reply: Reply) -> str:
        """Return the id of the completion."""
        return reply.id("chatcmpl-", 29)

    def fingerprint(self, reply: Reply) -> str:
        """Return the id of the back end."""
        return "fp_" + noise(f"fingerprint/{reply.model}", 10, "0123456789abcdef")

    def finish(self, reply: Reply) -> str:
        """Return the finish reason: the queued one, else the one that fits the reply."""
        return reply.script.finish or ("tool_calls" if reply.script.tool_calls else "stop")

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage: the queued counts, and defaults for those that are missing."""
        given = {"prompt_tokens": 12, "completion_tokens": 8, **reply.script.usage}
        skeleton = {
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "total_tokens": total(given, "prompt_tokens", "completion_tokens"),
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }
        return merged(skeleton, given)

    # --- whole ---

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        return {
            "id": self.identity(reply),
            "object": "chat.completion",
            "created": CREATED,
            "model": reply.model,
            "choices": [self.choice(reply, index) for index in reply.choices()],
            "usage": self.usage(reply),
            "service_tier": "default",
            "system_fingerprint": self.fingerprint(reply),
        }

    def choice(self, reply: Reply, index: int) -> Mapping[str, Any]:
        """Return one choice of a whole reply."""
        message = self.message(reply, index)
        return {"index": index, "message": message, "logprobs": None, "finish_reason": self.finish(reply)}

    def message(self, reply: Reply, index: int) -> Mapping[str, Any]:
        """Return the message of a choice."""
        return {
            "role": "assistant",
            "content": reply.text(index),
            **self.calls(reply, index),
            "refusal": reply.script.refusal,
            "annotations": [],
        }

    def calls(self, reply: Reply, choice: int) -> dict[str, Any]:
        """Return the tool calls as a field of a message; no field if there are none."""
        calls = [self.call(reply, index, call) for index, call in enumerate(reply.tool_calls(choice))]
        return {"tool_calls": calls} if calls else {}

    def call(self, reply: Reply, index: int, call: ToolCall) -> Mapping[str, Any]:
        """Return one tool call."""
        function = {"name": call.name, "arguments": call.arguments}
        return {"id": call.id or reply.id("call_", 24, part=index), "type": "function", "function": function}

    # --- stream ---

    def events(self, reply: Reply) -> Iterator[Event]:
        """Yield the events of a whole stream."""
        for index in reply.choices() if self.roles_first else ():
            yield self.chunk(reply, [self.piece(reply, index, self.opening(reply, index))])
        deltas = [[(index, delta) for delta in self.deltas(reply, index)] for index in reply.choices()]
        for row in zip_longest(*deltas):
            for index, delta in filter(None, row):
                yield self.chunk(reply, [self.piece(reply, index, delta)], counts=True)
        yield from self.closing(reply)

    def opening(self, reply: Reply, choice: int) -> Delta:
        """Return the first delta of a choice: the role and, if the reply is just one tool call, that call's head."""
        content = "" if reply.text() is not None else None
        head = list(self.call_deltas(reply, choice))[:1] if self._stands_alone(reply) else []
        return {"role": "assistant", "content": content, **(head[0] if head else {}), "refusal": None}

    def deltas(self, reply: Reply, index: int) -> Iterator[Delta]:
        """Yield the deltas after the first: the text in pieces, a refusal, tool calls in fragments."""
        for piece in cut(reply.text(index) or "", reply.script.pieces):
            yield {"content": piece}
        for piece in cut(reply.script.refusal or "", None):
            yield {"refusal": piece}
        yield from list(self.call_deltas(reply, index))[1 if self._stands_alone(reply) else 0 :]

    def call_deltas(self, reply: Reply, choice: int) -> Iterator[Delta]:
        """Yield the deltas of each tool call: its head, then its arguments in fragments."""
        for index, call in enumerate(reply.tool_calls(choice)):
            head = {"index": index, **self.call(reply, index, ToolCall(name=call.name, arguments="", id=call.id))}
            yield {"tool_calls": [head]}
            for fragment in fragments(call.arguments):
                yield {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}

    def closing(self, reply: Reply) -> Iterator[Event]:
        """Yield the last events: the finish of each choice, usage if it was requested, and `[DONE]`."""
        for index in reply.choices():
            yield self.chunk(reply, [self.piece(reply, index, {}, finish=self.finish(reply))])
        if reply.wants_usage:
            yield self.chunk(reply, [], usage=self.usage(reply))
        yield DONE

    def piece(self, reply: Reply, index: int, delta: Delta, *, finish: str | None = None) -> Mapping[str, Any]:  # noqa: ARG002
        """Return one choice of a chunk."""
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}

    def chunk(
        self, reply: Reply, choices: Choices, *, usage: Mapping[str, Any] | None = None, counts: bool = False
    ) -> Event:
        """Return one chunk."""
        return Event(data=self.chunk_body(reply, choices, usage), counts=counts)

    def chunk_body(self, reply: Reply, choices: Choices, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the JSON of one chunk."""
        return {
            "id": self.identity(reply),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": reply.model,
            "service_tier": "default",
            "system_fingerprint": self.fingerprint(reply),
            "choices": choices,
            **({"usage": usage} if reply.wants_usage else {}),
            **({"obfuscation": padding(self.identity(reply), _visible(choices))} if reply.pads else {}),
        }

    def _stands_alone(self, reply: Reply) -> bool:
        return self.roles_first and reply.text() is None and len(reply.script.tool_calls) == 1


def _visible(choices: Choices) -> str:
    return "".join(json.dumps(choice.get("delta", {})) for choice in choices)
