"""Every text that telemetry carries out, by the channel in which it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_llmtrace.model import LogRecord, Maker, MetricPoint, SpanRecord
from pytest_llmtrace.secrets.json_text import json_strings, parsed

__all__ = ["Carrier", "Text", "carriers", "place_in"]

_DEEPEST = 12


_LABELS: Mapping[type, str] = {SpanRecord: "span", LogRecord: "log", MetricPoint: "metric"}


class Text(NamedTuple):
    """A text and where it stands: `attribute`, `llm.input_messages.0.message.content`; `is_key` if it is a key."""

    channel: str
    key: str
    text: str
    is_key: bool = False

    @property
    def place(self) -> str:
        """The place in a report's words."""
        return f"{self.channel} {self.key}".rstrip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Carrier:
    """What carries texts out: a span, a log record, a point of a metric, a resource."""

    subject: SpanRecord | LogRecord | MetricPoint | Mapping[str, Any]

    @property
    def label(self) -> str:
        """How the lines of a report begin that tell of it."""
        return _LABELS.get(type(self.subject), "found")

    @property
    def title(self) -> str | SpanRecord:
        """What a finding is about."""
        subject = self.subject
        if isinstance(subject, SpanRecord):
            return subject
        if isinstance(subject, LogRecord):
            return f"log record {subject.event_name or subject.severity or ''!r} ({subject.scope})"
        if isinstance(subject, MetricPoint):
            return f"metric {subject.name!r} ({subject.scope})"
        return "resource"

    @property
    def makers(self) -> tuple[Maker, ...]:
        """Who made it, where that is not the span's maker."""
        scope = getattr(self.subject, "scope", "")
        return (Maker(scope=scope),) if scope and not isinstance(self.subject, SpanRecord) else ()

    def texts(self, shortest: int = 1) -> Iterator[Text]:
        """Yield its texts.

        Args:
            shortest: From how many characters on an attribute, or its key, is of interest.
        """
        subject = self.subject
        if isinstance(subject, SpanRecord):
            yield from _of_span(subject, shortest)
        elif isinstance(subject, LogRecord):
            yield from _of_value("body", "", subject.body)
            yield from _of_attributes("attribute", subject.attributes, shortest)
        elif isinstance(subject, MetricPoint):
            yield from _of_attributes("attribute", subject.attributes, shortest)
        else:
            yield from _of_attributes("attribute", subject, shortest)


def carriers(
    spans: Iterable[SpanRecord], logs: Iterable[LogRecord], points: Iterable[MetricPoint]
) -> Iterator[Carrier]:
    """Yield all that carries texts; each resource once, however many share it."""
    resources: list[Mapping[str, Any]] = []
    last: Mapping[str, Any] = {}
    subjects: tuple[SpanRecord | LogRecord | MetricPoint, ...] = (*spans, *logs, *points)
    for subject in subjects:
        yield Carrier(subject=subject)
        # Equal ones come one after the other: comparing with the last is nearly always enough.
        if subject.resource != last:
            last = subject.resource
            if last and last not in resources:
                resources.append(last)
    yield from (Carrier(subject=resource) for resource in resources)


def place_in(text: str, holds: Any) -> str:
    """Name the part of a JSON text for which `holds` is true, as ` $.messages[0].content`; empty if it is no JSON."""
    if parsed(text) is None:
        return ""
    for string in json_strings(text):
        if holds(string.value):
            steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in string.steps)
            return f" ${steps}{', a key' if string.is_key else ''}"
    return ""


def _of_span(span: SpanRecord, shortest: int) -> Iterator[Text]:
    yield Text("name", "", span.name)
    if span.status_description:
        yield Text("status description", "", span.status_description)
    yield from _of_attributes("attribute", span.attributes, shortest)
    for event in span.events:
        yield Text("name of an event", "", event.name)
        yield from _of_attributes(f"event {event.name}", event.attributes, shortest)
    for index, link in enumerate(span.links):
        yield from _of_attributes(f"link {index}", link.attributes, shortest)


def _of_attributes(channel: str, attributes: Mapping[str, Any], shortest: int) -> Iterator[Text]:
    for key, value in attributes.items():
        if type(value) is str:
            if len(value) >= shortest:
                yield Text(channel, key, value)
        elif not isinstance(value, int | float):
            yield from _of_value(channel, key, value)
        if len(key) >= shortest:
            yield Text(channel, key, key, is_key=True)


def _of_value(channel: str, key: str, value: Any, deepest: int = _DEEPEST) -> Iterator[Text]:
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, str):
        yield Text(channel, key, value)
    elif isinstance(value, Mapping) and deepest:
        for name, item in value.items():
            yield Text(channel, f"{key}.{name}".lstrip("."), str(name), is_key=True)
            yield from _of_value(channel, f"{key}.{name}".lstrip("."), item, deepest - 1)
    elif isinstance(value, list | tuple) and deepest:
        for index, item in enumerate(value):
            yield from _of_value(channel, f"{key}[{index}]", item, deepest - 1)
