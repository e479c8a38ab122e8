"""The log events beside a span that hold the prompt and the answer of its call, by OpenTelemetry's conventions.

Some instrumentations write the same as events of the span itself, with the fields of a body as attributes, and their
values as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pytest_llmtrace.dialects._blocks import are_blocks, as_parts
from pytest_llmtrace.dialects._convert import Unreadable, json_value
from pytest_llmtrace.dialects._dialect import Dialect, together
from pytest_llmtrace.dialects._genai import STATED
from pytest_llmtrace.dialects._messages import Message, from_json, message_of, message_places
from pytest_llmtrace.dialects._prompts import Piece, from_messages, from_parts, of_message, prompt_places, several
from pytest_llmtrace.dialects._tools import tool_places
from pytest_llmtrace.model import LogRecord, SpanRecord

__all__ = ["ATTRIBUTES", "EVENTS", "EventContent", "answers_in_events", "as_attributes", "content_of_events", "on_span"]

# The event with the whole call, since semconv 1.37; before that, there was one event for each choice.
_DETAILS = "gen_ai.client.inference.operation.details"
_CHOICE = "gen_ai.choice"
_ANSWER = "gen_ai.output.messages"
_ASKED = "gen_ai.input.messages"
_INSTRUCTIONS = "gen_ai.system_instructions"
_TOOLS = "gen_ai.tool.definitions"

# Before 1.37, there was one event for each message of the prompt. Its body is the API's message, with the role only if
# it is not the one in the name of the event.
_MESSAGE = "gen_ai.*.message"
_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}


def _choices(raw: Any) -> list[Message]:
    return [_choice(body) for body in raw]


def _choice(body: Mapping[str, Any]) -> Message:
    said = _said_in(body)
    asked = {"tool_calls": body["tool_calls"]} if "tool_calls" in body else {}
    content = said.get("content")
    is_known = isinstance(content, str | None)  # Some instrumentations write parts in their own form there.
    message = message_of({**said, **asked, **({} if is_known else {"content": None})})
    message.hidden |= not is_known
    message.finish_reason = body.get("finish_reason") if isinstance(body.get("finish_reason"), str) else None
    return message


def _said_in(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message of a choice; an empty one if it has none."""
    said = body.get("message")
    return said if isinstance(said, Mapping) else _written(said) if isinstance(said, str) else {}


def _written(text: str) -> Mapping[str, Any]:
    """Return the message in a text: its JSON, the JSON of Strands' parts, or only the words of the message."""
    try:
        value = json_value(text)
    except Unreadable:
        return {"content": text}
    if are_blocks(value):
        return {"parts": as_parts(value)}
    return value if isinstance(value, Mapping) else {"content": value if isinstance(value, list) else text}


def _inside(key: str) -> str:
    return f"event {_DETAILS}: {key}"


def _labels(key: str, said: str, calls: str) -> Mapping[str, str]:
    """Name the places of an answer; `said` has a field for the type of a part."""
    return {
        "finish_reasons": f"{key}[*].finish_reason",
        "output_texts": f"{key}[*].{said.format('text')}",
        "reasoning_texts": f"{key}[*].{said.format('reasoning')}",
        "refusals": f"{key}[*].{said.format('refusal')}",
        "tool_calls": f"{key}[*].{calls}",
    }


_TOLD = message_places(
    _inside(_ANSWER),
    from_json,
    {
        **_labels(_inside(_ANSWER), "parts[{}]", "parts[tool_call]"),
        "transcripts": f"{_inside(_ANSWER)}[*].parts[audio].transcript",
    },
)
_CHOSEN = message_places(
    f"event {_CHOICE}",
    _choices,
    {**_labels(f"event {_CHOICE}", "message.{}", "tool_calls"), "output_texts": f"event {_CHOICE}[*].message.content"},
)


def _messages(raw: Any) -> Iterator[Piece]:
    for body in raw:
        yield from of_message(_unpacked(json_value(body)))


def _unpacked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a message with its parts, if it is the model's, and they stand in its content as Strands' JSON."""
    content = body.get("content")
    if body.get("role") != "assistant" or not isinstance(content, str) or not content.startswith("[{"):
        return body
    said = _written(content)
    return {**body, **said} if "parts" in said else body


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
        **tool_places(_inside(_TOOLS)),
        **together(
            {name: tuple(replace(places[name], otherwise=None) for places in (_TOLD, _CHOSEN)) for name in _CHOSEN},
            {"output_texts": _TOLD["transcripts"]},
        ),
    },
)


ATTRIBUTES = Dialect(name=EVENTS.name, facts={name: [_inside(key) for key in keys] for name, keys in STATED.items()})
"""The attributes of a call that the event with the whole call repeats."""


def as_attributes(span: SpanRecord, events: Sequence[LogRecord]) -> SpanRecord | None:
    """Return a span record with what events say as attributes; `None` if that is nothing, or about several calls."""
    said = _details(events)
    choices = [event.body for event in events if event.event_name == _CHOICE and isinstance(event.body, Mapping)]
    numbers = [choice.get("index", 0) for choice in choices]
    if choices and all(type(number) is int for number in numbers) and len(set(numbers)) == len(numbers):
        ordered = sorted(zip(numbers, choices, strict=True), key=lambda pair: pair[0])
        said[f"event {_CHOICE}"] = [choice for _, choice in ordered]
    asked = list(_asked(events)) if len(choices) == len(set(numbers)) else []
    if asked:
        said[f"event {_MESSAGE}"] = asked
    return replace(span, attributes=said, events=()) if said else None


def _details(events: Sequence[LogRecord]) -> dict[str, Any]:
    """Return what the events with whole calls say, if that is one call: there may be one event for each attribute."""
    told = [event.attributes for event in events if event.event_name == _DETAILS]
    given = [(key, attributes[key]) for attributes in told for key in _OF_DETAILS if key in attributes]
    # Each of several events of one call may repeat the tools.
    given = [pair for number, pair in enumerate(given) if pair[0] != _TOOLS or pair not in given[:number]]
    said = {_inside(key): value for key, value in given}
    return {**said, **_repeated(told)} if len(said) == len(given) else {}


_OF_DETAILS = (_ANSWER, _ASKED, _INSTRUCTIONS, _TOOLS)


def _repeated(told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the attributes of the call that its event repeats; nothing if there are several: they may be of calls."""
    stating = [attributes for attributes in told if not _STATED.isdisjoint(attributes)]
    return {_inside(key): stating[0][key] for key in stating[0] if key in _STATED} if len(stating) == 1 else {}


_STATED = frozenset(key for keys in STATED.values() for key in keys)


def on_span(span: SpanRecord) -> list[LogRecord]:
    """Return the events of a span that hold the prompt or the answer of its call, in the form of log events."""
    return [
        LogRecord(scope=span.scope, event_name=event.name, attributes=event.attributes, body=_body(event.attributes))
        for event in span.events
        if event.name in _NAMES
    ]


def answers_in_events(span: SpanRecord, beside: Sequence[LogRecord]) -> Iterator[tuple[str, Any]]:
    """Yield the answers in a span's own events, and in the log events beside it, as they were written.

    Yields:
        The name of a place, and what stands there: the messages of an answer, or the message of one choice.
    """
    for events in (on_span(span), beside):
        record = as_attributes(span, events)
        said = record.attributes if record else {}
        if _inside(_ANSWER) in said:
            yield _inside(_ANSWER), said[_inside(_ANSWER)]
        for number, body in enumerate(said.get(f"event {_CHOICE}", ())):
            yield f"event {_CHOICE}[{number}].message", _said_in(body)


class EventContent(NamedTuple):
    """An attribute with content, on an event that has a whole call.

    Attributes:
        place: What reports call it; it ends in the name of the attribute.
        name: The name of the attribute.
        value: Its value.
        is_log: Whether the event is a log record, and not an event of a span.
    """

    place: str
    name: str
    value: Any
    is_log: bool


def content_of_events(span: SpanRecord, beside: Sequence[LogRecord]) -> tuple[EventContent, ...]:
    """Return the attributes with content of the events of a span, and of the log events beside it."""
    told = [(event.attributes, False) for event in span.events if event.name == _DETAILS]
    told += [(event.attributes, True) for event in beside if event.event_name == _DETAILS]
    return tuple(
        EventContent(_inside(name), name, attributes[name], is_log)
        for attributes, is_log in told
        for name in _OF_DETAILS
        if name in attributes
    )


_NAMES = frozenset({_DETAILS, _CHOICE, *_ROLES})
_BODY = "gen_ai.event.content"  # Azure's SDKs write the whole body here, as JSON.


def _body(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        body = json_value(attributes[_BODY]) if _BODY in attributes else _opened(attributes)
    except Unreadable:
        return {}
    return body if isinstance(body, Mapping) else {}


def _opened(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a body, with its list of tool calls, which most SDKs take only as JSON."""
    fields: Mapping[str, Any] = json_value(attributes)
    if not isinstance(fields.get(_CALLS), str):
        return fields
    try:
        return {**fields, _CALLS: json_value(fields[_CALLS])}
    except Unreadable:
        return fields


_CALLS = "tool_calls"


def _asked(events: Sequence[LogRecord]) -> Iterator[Mapping[str, Any]]:
    """Yield the messages of the events that hold one message each, in the order in which they were emitted."""
    for event in events:
        if event.event_name in _ROLES and isinstance(event.body, Mapping):
            yield {"role": _ROLES[event.event_name], **event.body}
