"""The events beside a span that say what its call was answered: messages, as OpenTelemetry's GenAI conventions emit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_llmtrace.dialects._dialect import Dialect
from pytest_llmtrace.dialects._messages import Message, from_json, message_of, message_places
from pytest_llmtrace.model import LogRecord, SpanRecord

__all__ = ["EVENTS", "as_attributes"]

# Since semconv 1.37, and before that, when there was one for each choice.
_DETAILS = "gen_ai.client.inference.operation.details"
_CHOICE = "gen_ai.choice"
_ANSWER = "gen_ai.output.messages"


def _choices(raw: Any) -> list[Message]:
    return [_choice(body) for body in raw]


def _choice(body: Mapping[str, Any]) -> Message:
    said = body.get("message")
    said = said if isinstance(said, Mapping) else {}
    asked = {"tool_calls": body["tool_calls"]} if "tool_calls" in body else {}
    content = said.get("content")
    is_known = isinstance(content, str | None)  # Some have parts of a form of their own there.
    message = message_of({**said, **asked, **({} if is_known else {"content": None})})
    message.hidden |= not is_known
    message.finish_reason = body.get("finish_reason") if isinstance(body.get("finish_reason"), str) else None
    return message


def _labels(key: str, text: str, calls: str) -> Mapping[str, str]:
    return {
        "finish_reasons": f"{key}[*].finish_reason",
        "output_texts": f"{key}[*].{text}",
        "tool_calls": f"{key}[*].{calls}",
    }


_TOLD = message_places(_DETAILS, from_json, _labels(f"event {_DETAILS}: {_ANSWER}", "parts[text]", "parts[tool_call]"))
_CHOSEN = message_places(_CHOICE, _choices, _labels(f"event {_CHOICE}", "message.content", "tool_calls"))

# Whether there is content is told by other switches than on the span, so that what is not there was not said.
EVENTS = Dialect(
    name="otel-genai events",
    facts={name: tuple(replace(places[name], otherwise=None) for places in (_TOLD, _CHOSEN)) for name in _TOLD},
)


def as_attributes(span: SpanRecord, events: Sequence[LogRecord]) -> SpanRecord | None:
    """Return a record of what the events of a span say, None if that is nothing, or if they are of several calls."""
    details = [
        event.attributes[_ANSWER] for event in events if event.event_name == _DETAILS and _ANSWER in event.attributes
    ]
    choices = [event.body for event in events if event.event_name == _CHOICE and isinstance(event.body, Mapping)]
    numbers = [choice.get("index", 0) for choice in choices]
    said: dict[str, Any] = {}
    if len(details) == 1:
        said[_DETAILS] = details[0]
    if choices and all(type(number) is int for number in numbers) and len(set(numbers)) == len(numbers):
        said[_CHOICE] = [choice for _, choice in sorted(zip(numbers, choices, strict=True), key=lambda pair: pair[0])]
    return replace(span, attributes=said, events=()) if said else None
