"""The wire form of messages as Anthropic writes them; other gateways build on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.replay.gateways import errors
from pytest_llmtrace.replay.gateways._form import Form
from pytest_llmtrace.replay.gateways._layout import Event, event_of
from pytest_llmtrace.replay.gateways._reply import Reply
from pytest_llmtrace.replay.gateways._script import cut, fragments
from pytest_llmtrace.replay.gateways._usage import merged

__all__ = ["Messages"]

_PLACEHOLDER = 1
_RESTATED = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_LATE = ("output_tokens_details", "server_tool_use", "cost")
"""Usage fields that are known only when the reply is complete."""


class Messages(Form):
    """Messages. A stream reports input counts at its start and the output count, cumulatively, at its end."""

    error = staticmethod(errors.anthropic)
    infix = ""
    """The mark of a cloud in each id, between the prefix for the kind and the number."""
    first_party = True
    """Whether replies have the fields that only Anthropic's own API sends."""
    restates = True
    """Whether the end of a stream repeats the counts of its start; older replies end with the output count only."""

    def identity(self, reply: Reply) -> str:
        """Return the id of the message."""
        return reply.id(f"msg_{self.infix}01", 22)

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage: the queued counts, and defaults for those that are missing."""
        given = {"input_tokens": 12, "output_tokens": 8, **reply.script.usage}
        written = given.get("cache_creation_input_tokens", 0)
        skeleton = {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 0,
            "service_tier": "standard",
            "inference_geo": "not_available",
        }
        return merged(skeleton, given)

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        script = reply.script
        stop = script.finish or ("tool_use" if script.tool_calls else "end_turn")
        return self.envelope(reply, list(self.blocks(reply)), stop, self.usage(reply))

    def envelope(
        self, reply: Reply, content: Sequence[Mapping[str, Any]], stop: str | None, usage: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a message around its content."""
        return {
            "model": reply.model,
            "id": self.identity(reply),
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            **self._details(),
            "usage": usage,
        }

    def blocks(self, reply: Reply) -> Iterator[dict[str, Any]]:
        """Yield the blocks of the content: thinking, text, tool calls."""
        if reply.script.reasoning is not None:
            yield {
                "type": "thinking",
                "thinking": reply.script.reasoning,
                "signature": reply.id("Eo", 62),
            }
        if reply.text() is not None:
            yield {"type": "text", "text": reply.text()}
        for index, call in enumerate(reply.script.tool_calls):
            yield {
                "type": "tool_use",
                "id": call.id or reply.id(f"toolu_{self.infix}01", 22, part=index),
                "name": call.name,
                "input": json.loads(call.arguments),
                **({"caller": {"type": "direct"}} if self.first_party else {}),
            }

    def _details(self) -> dict[str, None]:
        return {"stop_details": None} if self.first_party else {}

    # --- stream ---

    def events(self, reply: Reply) -> Iterator[Event]:
        """Yield the events of a whole stream."""
        whole = self.body(reply)
        early = {name: value for name, value in whole["usage"].items() if name not in _LATE}
        message = self.envelope(reply, [], None, early | {"output_tokens": _PLACEHOLDER})
        yield event_of("message_start", message=message)
        for index, block in enumerate(whole["content"]):
            yield event_of("content_block_start", index=index, content_block=_emptied(block))
            if index == 0:
                yield Event(name="ping", data='{"type": "ping"}')
            for delta in self.deltas(reply, block):
                yield event_of("content_block_delta", counts=True, index=index, delta=delta)
            yield event_of("content_block_stop", index=index)
        delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None, **self._details()}
        yield event_of("message_delta", delta=delta, usage=self.final_usage(whole["usage"]))
        yield event_of("message_stop")

    def final_usage(self, usage: Mapping[str, Any]) -> dict[str, Any]:
        """Return the counts that the end of a stream reports."""
        early = _RESTATED if self.restates else ("output_tokens",)
        return {name: usage[name] for name in (*early, *_LATE) if name in usage}

    def deltas(self, reply: Reply, block: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """Return the deltas of a content block."""
        if block["type"] == "text":
            return [{"type": "text_delta", "text": piece} for piece in cut(block["text"], reply.script.pieces)]
        if block["type"] == "thinking":
            thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in cut(block["thinking"], None)]
            return [*thoughts, {"type": "signature_delta", "signature": block["signature"]}]
        arguments = json.dumps(block["input"], ensure_ascii=False)
        return [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *fragments(arguments))]

    def broken(self, reply: Reply) -> Iterable[Event]:
        """Return the events that end a stream which fails midway."""
        return (Event(name="error", data=self.error(reply)),)

    def write(self, event: Event, reply: Reply, number: int) -> bytes:
        """Write one event."""
        if isinstance(event.data, str):
            return super().write(event, reply, number)
        # Every event is padded before its last brace, so that its length says less about the text.
        text = self.dump_event(event.data)
        pad = " " * (number * 7 % 16)
        return super().write(Event(name=event.name, data=f"{text[:-1]}{pad}}}"), reply, number)


def _emptied(block: Mapping[str, Any]) -> dict[str, Any]:
    empty = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {name: empty.get(name, value) if name != "type" else value for name, value in block.items()}
