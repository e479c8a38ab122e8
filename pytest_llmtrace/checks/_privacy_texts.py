"""Every text that telemetry carries out of the process, with the channel in which it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_llmtrace.model import LogRecord, Maker, MetricPoint, SpanRecord
from pytest_llmtrace.secrets.json_text import json_strings, parsed

__all__ = ["Carrier", "Text", "carriers", "place_in"]

_DEEPEST = 12
_NUMBERS = frozenset({bool, int, float})

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
    """Something that carries texts out: a span, a log record, a metric point, or a resource."""

    subject: SpanRecord | LogRecord | MetricPoint | Mapping[str, Any]

    @property
    def is_resource(self) -> bool:
        """Whether it is a resource, which spans, log records and points share."""
        return type(self.subject) not in _LABELS

    @property
    def label(self) -> str:
        """The label of the details about it in a finding."""
        return _LABELS.get(type(self.subject), "found")

    @property
    def title(self) -> str | SpanRecord:
        """The subject of a finding about it."""
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
        """The makers to name in a finding: that of a log record or a point; a finding about a span knows its maker."""
        scope = getattr(self.subject, "scope", "")
        return (Maker(scope=scope),) if scope and not isinstance(self.subject, SpanRecord) else ()

    def groups(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return its attributes and, of a span, those of its scope, events and links, by channel."""
        subject = self.subject
        own: Any = getattr(subject, "attributes", subject)  # A resource is its own.
        found: list[tuple[str, Mapping[str, Any]]] = [("attribute", own)]
        if isinstance(subject, SpanRecord) and (subject.events or subject.links or subject.scope_attributes):
            found.append(("scope", subject.scope_attributes))
            found += [(f"event {event.name}", event.attributes) for event in subject.events]
            found += [(f"link {index}", link.attributes) for index, link in enumerate(subject.links)]
        return found

    def texts(self) -> Iterator[Text]:
        """Yield its texts, and the keys of its attributes as texts."""
        yield from self._own()
        for channel, attributes in self.groups():
            for key, value in attributes.items():
                name = str(key)  # A span may have a key that is not text; exporters refuse those.
                yield from _of_value(channel, name, value)
                yield Text(channel, name, name, is_key=True)

    def strings(self) -> list[str]:
        """Return the same texts without their places and without keys, much faster."""
        found = [text for _, _, text, _ in self._own()]
        for _, attributes in self.groups():
            for value in attributes.values():
                kind = type(value)
                if kind is str:
                    found.append(value)
                elif kind not in _NUMBERS:
                    found += _strings_in(value)
        return found

    def keys(self, known: set[str]) -> tuple[str, ...]:
        """Return the keys of its attributes that are not in `known` yet, and add them to that."""
        new: tuple[str, ...] = ()
        for _, attributes in self.groups():
            if not known.issuperset(attributes):
                fresh = attributes if known.isdisjoint(attributes) else [key for key in attributes if key not in known]
                new += tuple(map(str, fresh))
                known.update(attributes)
        return new

    def _own(self) -> Iterator[Text]:
        subject = self.subject
        if isinstance(subject, SpanRecord):
            yield Text("name", "", subject.name)
            if subject.status_description:
                yield Text("status description", "", subject.status_description)
            yield from (Text("name of an event", "", event.name) for event in subject.events)
        elif isinstance(subject, LogRecord):
            if subject.event_name:
                yield Text("name of the event", "", subject.event_name)
            yield from _of_value(f"event {subject.event_name}" if subject.event_name else "body", "", subject.body)


def carriers(
    spans: Iterable[SpanRecord], logs: Iterable[LogRecord], points: Iterable[MetricPoint]
) -> Iterator[Carrier]:
    """Yield a carrier for each span, log record and point, and one for each resource, however many share it."""
    resources: list[Mapping[str, Any]] = []
    last: Mapping[str, Any] = {}
    subjects: tuple[SpanRecord | LogRecord | MetricPoint, ...] = (*spans, *logs, *points)
    for subject in subjects:
        yield Carrier(subject=subject)
        # Equal resources come one after the other: comparing with the last one is nearly always enough.
        if subject.resource != last:
            last = subject.resource
            if last and last not in resources:
                resources.append(last)
    yield from (Carrier(subject=resource) for resource in resources)


def place_in(text: str, holds: Any) -> str:
    """Name the first part of a JSON text for which `holds` is true, as ` $.messages[0].content`; empty if none is."""
    if parsed(text) is None:
        return ""
    for string in json_strings(text):
        if holds(string.value):
            steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in string.steps)
            return f" ${steps}{', a key' if string.is_key else ''}"
    return ""


def _strings_in(value: Any) -> list[str]:
    if isinstance(value, list | tuple) and {str}.issuperset(map(type, value)):
        return list(value)
    return [text.text for text in _of_value("", "", value)]


def _of_value(channel: str, key: str, value: Any, deepest: int = _DEEPEST) -> Iterator[Text]:
    if isinstance(value, int | float):
        return
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
