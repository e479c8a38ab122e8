"""The log events beside a span that hold the prompt and the answer of its call, by OpenTelemetry's conventions.

Some instrumentations write the same as events of the span itself, with the fields of a body as attributes, and their
values as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_llmtrace.dialects._blocks import are_blocks, as_parts
from pytest_llmtrace.dialects._convert import Unreadable, json_value
from pytest_llmtrace.dialects._dialect import Dialect, together
from pytest_llmtrace.dialects._messages import Message, from_json, message_of, message_places
from pytest_llmtrace.dialects._prompts import Piece, from_messages, from_parts, of_message, prompt_places, several
from pytest_llmtrace.model import LogRecord, SpanRecord

__all__ = ["EVENTS", "as_attributes", "on_span"]

# The event with the whole call, since semconv 1.37; before that, there was one event for each choice.
_DETAILS = "gen_ai.client.inference.operation.details"
_CHOICE = "gen_ai.choice"
_ANSWER = "gen_ai.output.messages"
_ASKED = "gen_ai.input.messages"
_INSTRUCTIONS = "gen_ai.system_instructions"

# Before 1.37, there was one event for each message of the prompt. Its body is the API's message, with the role only if
# it is not the one in the name of the event.
_MESSAGE = "gen_ai.*.message"
_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}


def _choices(raw: Any) -> list[Message]:
    return [_choice(body) for body in raw]


def _choice(body: Mapping[str, Any]) -> Message:
    said = body.get("message")
    said = said if isinstance(said, Mapping) else _written(said) if isinstance(said, str) else {}
    asked = {"tool_calls": body["tool_calls"]} if "tool_calls" in body else {}
    content = said.get("content")
    is_known = isinstance(content, str | None)  # Some instrumentations write parts in their own form there.
    message = message_of({**said, **asked, **({} if is_known else {"content": None})})
    message.hidden |= not is_known
    message.finish_reason = body.get("finish_reason") if isinstance(body.get("finish_reason"), str) else None
    return message


def _written(text: str) -> Mapping[str, Any]:
    """Return the message in a text: its JSON, the JSON of Strands' parts, or only the words of the message."""
    try:
        value = json_value(text)
    except Unreadable:
        return {"content": text}
    if are_blocks(value):
        return {"parts": as_parts(value)}
    return value if isinstance(value, Mapping) else {"content": value if isinstance(value, list) else text}


def _labels(key: str, text: str, calls: str) -> Mapping[str, str]:
    return {
        "finish_reasons": f"{key}[*].finish_reason",
        "output_texts": f"{key}[*].{text}",
        "tool_calls": f"{key}[*].{calls}",
    }


_SPOKEN = f"event {_DETAILS}: {_ANSWER}"
_TOLD = message_places(
    _DETAILS,
    from_json,
    {
        **_labels(_SPOKEN, "parts[text]", "parts[tool_call]"),
        "transcripts": f"{_SPOKEN}[*].parts[audio].transcript",
    },
)
_CHOSEN = message_places(_CHOICE, _choices, _labels(f"event {_CHOICE}", "message.content", "tool_calls"))


def _messages(raw: Any) -> Iterator[Piece]:
    for body in raw:
        yield from of_message(json_value(body))


def _inside(key: str) -> str:
    return f"event {_DETAILS}: {key}"


_GIVEN = several(
    prompt_places(_inside(_ASKED), from_messages, calls=f"{_inside(_ASKED)}[*].parts[tool_call]"),
    prompt_places(_inside(_INSTRUCTIONS), from_parts),
    prompt_places(f"event {_MESSAGE}", _messages, f"event {_MESSAGE}[content]", f"event {_MESSAGE}[tool_calls]"),
)

# Other switches than the span's govern the content of events, so a message without content does not mean that there
# was none, even if the span shows the prompt.
EVENTS = Dialect(
    name="otel-genai events",
    facts={
        **_GIVEN,
        **together(
            {name: tuple(replace(places[name], otherwise=None) for places in (_TOLD, _CHOSEN)) for name in _CHOSEN},
            {"output_texts": _TOLD["transcripts"]},
        ),
    },
)


def as_attributes(span: SpanRecord, events: Sequence[LogRecord]) -> SpanRecord | None:
    """Return a span record with what events say as attributes; `None` if that is nothing, or about several calls."""
    names = {_ANSWER: _DETAILS, _ASKED: _inside(_ASKED), _INSTRUCTIONS: _inside(_INSTRUCTIONS)}
    told = [event.attributes for event in events if event.event_name == _DETAILS]
    details = [{names[key]: attributes[key] for key in names if key in attributes} for attributes in told]
    details = [one for one in details if one]
    choices = [event.body for event in events if event.event_name == _CHOICE and isinstance(event.body, Mapping)]
    numbers = [choice.get("index", 0) for choice in choices]
    said: dict[str, Any] = {}
    if details and sum(map(len, details)) == len(set().union(*details)):  # There may be one event for each attribute.
        said = {key: value for one in details for key, value in one.items()}
    if choices and all(type(number) is int for number in numbers) and len(set(numbers)) == len(numbers):
        said[_CHOICE] = [choice for _, choice in sorted(zip(numbers, choices, strict=True), key=lambda pair: pair[0])]
    asked = list(_asked(events)) if len(choices) == len(set(numbers)) else []
    if asked:
        said[f"event {_MESSAGE}"] = asked
    return replace(span, attributes=said, events=()) if said else None


def on_span(span: SpanRecord) -> list[LogRecord]:
    """Return the events of a span that hold the prompt or the answer of its call, in the form of log events."""
    return [
        LogRecord(scope=span.scope, event_name=event.name, attributes=event.attributes, body=_body(event.attributes))
        for event in span.events
        if event.name in _NAMES
    ]


_NAMES = frozenset({_DETAILS, _CHOICE, *_ROLES})
_BODY = "gen_ai.event.content"  # Azure's SDKs write the whole body here, as JSON.


def _body(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        body = json_value(attributes.get(_BODY, attributes))
    except Unreadable:
        return {}
    return body if isinstance(body, Mapping) else {}


def _asked(events: Sequence[LogRecord]) -> Iterator[Mapping[str, Any]]:
    """Yield the messages of the events that hold one message each, in the order in which they were emitted."""
    for event in events:
        if event.event_name in _ROLES and isinstance(event.body, Mapping):
            yield {"role": _ROLES[event.event_name], **event.body}
