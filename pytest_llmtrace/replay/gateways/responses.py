"""The wire form of responses as OpenAI writes them; other gateways build on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_llmtrace.replay.gateways import errors
from pytest_llmtrace.replay.gateways._form import DONE, Form
from pytest_llmtrace.replay.gateways._layout import HEX, Event, compact, event_of
from pytest_llmtrace.replay.gateways._reply import CREATED, Reply
from pytest_llmtrace.replay.gateways._script import cut, fragments
from pytest_llmtrace.replay.gateways._usage import merged, total
from pytest_llmtrace.replay.gateways.chat import padding

__all__ = ["Responses"]

# The request fields that a response repeats, with its values for missing ones. Objects are completed field by field.
_ECHOED: Mapping[str, Any] = {
    "background": False,
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


class Responses(Form):
    """Responses. Every event has a name and a number; the last one holds the usage, and nothing follows it."""

    named = True
    """Whether events have an `event:` line."""
    padded = True
    """Whether deltas are padded."""
    ends_with_done = False
    """Whether `[DONE]` follows the last event."""
    runs_later = False
    """Whether a response may run in the background."""

    def identity(self, reply: Reply) -> str:
        """Return the id of the response."""
        return reply.id("resp_", 50, HEX)

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage: the queued counts, and defaults for those that are missing."""
        given = {"input_tokens": 12, "output_tokens": 8, **reply.script.usage}
        skeleton = {
            "input_tokens": 0,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": total(given, "input_tokens", "output_tokens"),
        }
        return merged(skeleton, given)

    def waits_for(self, reply: Reply) -> str | None:
        """Return the id under which a background response is fetched later; None if the response is sent at once."""
        later = self.runs_later and reply.body.get("background") is True
        at_once = reply.fetched or reply.streaming or reply.script.failing is not None
        return self.identity(reply) if later and not at_once else None

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply; for a background response that was not fetched yet, that it is queued."""
        if self.waits_for(reply) is not None:
            return self.response(reply, "queued")
        return self.response(reply, self.status(reply), usage=self.usage(reply))

    def status(self, reply: Reply) -> str:
        """Return the status of a finished response: `incomplete` if a reason for that was queued, else `completed`."""
        return "incomplete" if reply.script.finish else "completed"

    def response(
        self, reply: Reply, status: str, *, usage: Mapping[str, Any] | None = None, error: object = None
    ) -> dict[str, Any]:
        """Return the response object in one of its states."""
        echoed = {name: _repeated(reply.body.get(name), default) for name, default in _ECHOED.items()}
        done = status in ("completed", "incomplete")
        return {
            "id": self.identity(reply),
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "background": echoed["background"],
            "completed_at": CREATED if status == "completed" else None,
            "error": error,
            "frequency_penalty": echoed["frequency_penalty"],
            "incomplete_details": {"reason": reply.script.finish} if status == "incomplete" else None,
            "instructions": echoed["instructions"],
            "max_output_tokens": echoed["max_output_tokens"],
            "max_tool_calls": echoed["max_tool_calls"],
            "model": reply.model,
            "output": list(self.items(reply, status)) if done else [],
            "parallel_tool_calls": echoed["parallel_tool_calls"],
            "presence_penalty": echoed["presence_penalty"],
            "previous_response_id": echoed["previous_response_id"],
            "prompt_cache_key": echoed["prompt_cache_key"],
            "prompt_cache_retention": echoed["prompt_cache_retention"],
            "reasoning": echoed["reasoning"],
            "safety_identifier": echoed["safety_identifier"],
            "service_tier": "default" if done else "auto",
            "store": echoed["store"],
            "temperature": echoed["temperature"],
            "text": echoed["text"],
            "tool_choice": echoed["tool_choice"],
            "tools": echoed["tools"],
            "top_logprobs": echoed["top_logprobs"],
            "top_p": echoed["top_p"],
            "truncation": echoed["truncation"],
            "usage": usage,
            "user": echoed["user"],
            "metadata": echoed["metadata"],
        }

    def items(self, reply: Reply, status: str) -> Iterator[dict[str, Any]]:
        """Yield the items of the output: reasoning, a message, function calls."""
        script = reply.script
        if script.reasoning is not None:
            summary = [{"type": "summary_text", "text": script.reasoning}]
            yield {"id": reply.id("rs_", 50, HEX), "type": "reasoning", "summary": summary}
        if script.refusal is not None or reply.text() is not None:
            yield {
                "id": reply.id("msg_", 50, HEX),
                "type": "message",
                "status": status,
                "content": [_part(reply)],
                "role": "assistant",
            }
        for index, call in enumerate(script.tool_calls):
            yield {
                "id": reply.id("fc_", 50, HEX, part=index),
                "type": "function_call",
                "status": status,
                "arguments": call.arguments,
                "call_id": call.id or reply.id("call_", 24, part=index),
                "name": call.name,
            }

    # --- stream ---

    def events(self, reply: Reply) -> Iterator[Event]:
        """Yield the events of a whole stream."""
        yield event_of("response.created", response=self.response(reply, "in_progress"))
        yield event_of("response.in_progress", response=self.response(reply, "in_progress"))
        status = self.status(reply)
        for index, item in enumerate(self.items(reply, status)):
            yield event_of("response.output_item.added", item=_begun(item), output_index=index)
            for event in _EVENTS[item["type"]](reply, item):
                assert isinstance(event.data, dict)  # noqa: S101 - for the type checker
                event.data.update(item_id=item["id"], output_index=index)
                yield event
            yield event_of("response.output_item.done", item=item, output_index=index)
        yield event_of(f"response.{status}", response=self.body(reply))
        yield from self.end()

    def broken(self, reply: Reply) -> Iterable[Event]:
        """Return the events that end a stream which fails midway."""
        error = errors.openai(reply)["error"]
        told = {"code": error["code"] or error["type"], "message": error["message"]}
        return [event_of("response.failed", response=self.response(reply, "failed", error=told)), *self.end()]

    def end(self) -> Iterable[Event]:
        """Return `[DONE]` if it follows the last event, else nothing."""
        return (DONE,) if self.ends_with_done else ()

    def write(self, event: Event, reply: Reply, number: int) -> bytes:
        """Write one event."""
        if isinstance(event.data, str):
            return super().write(event, reply, number)
        pad = {"obfuscation": padding(self.identity(reply), event.data["delta"])} if self._pads(event, reply) else {}
        data = event.data | pad | {"sequence_number": number}
        ordered = compact({name: data[name] for name in sorted(data, key=lambda name: (name != "type", name))})
        return super().write(Event(name=event.name if self.named else "", data=ordered), reply, number)

    def _pads(self, event: Event, reply: Reply) -> bool:
        return self.padded and reply.pads and "delta" in event.data


def _repeated(given: Any, default: Any) -> Any:
    """Return the value of a request's field, or its default; an object is completed with the default's fields."""
    if given is None:
        return default
    return {**default, **given} if isinstance(given, Mapping) and isinstance(default, Mapping) else given


def _part(reply: Reply) -> dict[str, Any]:
    if reply.script.refusal is not None:
        return {"type": "refusal", "refusal": reply.script.refusal}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": reply.text()}


def _begun(item: Mapping[str, Any]) -> dict[str, Any]:
    empty = {"content": [], "summary": [], "arguments": "", "status": "in_progress"}
    return {name: empty.get(name, value) for name, value in item.items()}


def _message_events(reply: Reply, item: Mapping[str, Any]) -> Iterator[Event]:
    part = item["content"][0]
    field = "refusal" if part["type"] == "refusal" else "text"
    kind = "response.refusal" if field == "refusal" else "response.output_text"
    extra: dict[str, Any] = {} if field == "refusal" else {"logprobs": []}
    yield event_of("response.content_part.added", content_index=0, part=part | {field: ""})
    for piece in cut(part[field], reply.script.pieces if field == "text" else None):
        yield event_of(f"{kind}.delta", counts=True, content_index=0, delta=piece, **extra)
    yield event_of(f"{kind}.done", content_index=0, **{field: part[field]}, **extra)
    yield event_of("response.content_part.done", content_index=0, part=part)


def _reasoning_events(reply: Reply, item: Mapping[str, Any]) -> Iterator[Event]:  # noqa: ARG001 - one of a family
    part = item["summary"][0]
    yield event_of("response.reasoning_summary_part.added", part=part | {"text": ""}, summary_index=0)
    for piece in cut(part["text"], None):
        yield event_of("response.reasoning_summary_text.delta", counts=True, delta=piece, summary_index=0)
    yield event_of("response.reasoning_summary_text.done", summary_index=0, text=part["text"])
    yield event_of("response.reasoning_summary_part.done", part=part, summary_index=0)


def _call_events(reply: Reply, item: Mapping[str, Any]) -> Iterator[Event]:  # noqa: ARG001 - one of a family
    for fragment in fragments(item["arguments"]):
        yield event_of("response.function_call_arguments.delta", counts=True, delta=fragment)
    yield event_of("response.function_call_arguments.done", arguments=item["arguments"])


_EVENTS = {"message": _message_events, "reasoning": _reasoning_events, "function_call": _call_events}
