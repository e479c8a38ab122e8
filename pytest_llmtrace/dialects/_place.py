"""The places of a span in which a fact may stand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmtrace._quick import lazy
from pytest_llmtrace.dialects._convert import (
    Convert,
    Unreadable,
    is_encoded,
    is_hidden,
    is_left_out,
    json_value,
    shown,
    time_ns,
)
from pytest_llmtrace.model import SpanRecord
from pytest_llmtrace.reading import NULL, PRESENT, UNREADABLE, Fact, made

__all__ = [
    "Attribute",
    "Field",
    "Part",
    "Place",
    "Sheet",
    "Sum",
    "added",
    "attribute",
    "happened",
    "inside",
    "moments",
    "parameters",
    "since_start",
]


_NOTHING = object()


@dataclass(kw_only=True, slots=True)
class Sheet:
    """A span while it is read.

    Attributes:
        attributes: The attributes of the span, and the times of its events as `moments` returns them.
        where: What the attributes belong to, as reports name it: `span 'chat'`.
        flat: The flattened lists by their prefix: for each, the rest of each key -> the value.
        start_ns: When the span started, in nanoseconds since 1970.
        opened: The values that readers have returned, by key and reader: nothing is parsed twice.
    """

    attributes: Mapping[str, Any]
    where: str
    flat: dict[str, dict[str, Any]] = field(default_factory=dict)
    start_ns: int = 0
    opened: dict[tuple[str, Convert], Any] = field(default_factory=dict)

    def open(self, key: str, reader: Convert, raw: Any) -> Any:
        """Return what a reader makes of a value, `None` if the value is null or masked, or the `Unreadable` raised."""
        slot = (key, reader)
        found = self.opened.get(slot, _NOTHING)
        if found is _NOTHING:
            try:
                found = None if raw is None or is_hidden(raw) else reader(raw)
            except Unreadable as error:
                found = error
            self.opened[slot] = found
        return found

    def tried(self, key: str, reader: Convert, raw: Any) -> Any:
        """Return what `open` does, but `None` for a value that the reader cannot read, which is then not reported."""
        found = self.open(key, reader, raw)
        if isinstance(found, Unreadable):
            found = self.opened[key, reader] = None
        return found

    def problems(self) -> tuple[str, ...]:
        """Return one sentence for each value that could not be opened, however many facts the value holds."""
        return tuple(
            f"{key.removesuffix('.')} on {self.where}: {found}"
            for (key, _), found in self.opened.items()
            if isinstance(found, Unreadable)
        )

    def fact(self, name: str, key: str, raw: Any, convert: Convert | None) -> Fact | None:
        """Return the fact that a value states, or `None` if the value says nothing."""
        if raw is None:
            return Fact(name, None, NULL, ((key, None),), self.where)
        is_text = type(raw) is str
        if is_text and is_hidden(raw):
            return None
        try:
            value = raw if convert is None else convert(raw)
        except Unreadable as error:
            return self.unreadable(name, key, raw, str(error))
        except Exception as error:  # noqa: BLE001 - a house style's own function, on a value that it did not expect
            return self.unreadable(name, key, raw, f"{type(error).__name__}: {error}")
        if value is None:
            return None
        return made((name, value, PRESENT, ((key, raw if is_text else shown(raw)),), self.where, ""))

    def unreadable(self, name: str, key: str, raw: Any, note: str) -> Fact:
        """Return the fact of a value that cannot be read."""
        return Fact(name, None, UNREADABLE, ((key, shown(raw)),), self.where, note)


@dataclass(frozen=True, kw_only=True)
class Place(ABC):
    """A place in which a fact may stand.

    Attributes:
        keys: The names of the attributes that it reads.
        prefix: The prefix of the flattened list that it reads instead.
    """

    keys: tuple[str, ...] = ()
    prefix: str | None = None

    @abstractmethod
    def find(self, name: str, sheet: Sheet, convert: Convert | None) -> Fact | None:
        """Return the fact of that name, or `None` if this place says nothing of it.

        Args:
            name: The name of the fact.
            sheet: The span.
            convert: The conversion that the vocabulary has for the fact, for a place without a conversion of its own.
        """


@dataclass(frozen=True, kw_only=True)
class Attribute(Place):
    """One attribute."""

    convert: Convert | None = None

    def find(self, name: str, sheet: Sheet, convert: Convert | None) -> Fact | None:
        """Read the attribute."""
        key = self.keys[0]
        return sheet.fact(name, key, sheet.attributes[key], self.convert or convert)


@dataclass(frozen=True, kw_only=True)
class Moment(Place):
    """One attribute that holds a time of day."""

    def find(self, name: str, sheet: Sheet, convert: Convert | None) -> Fact | None:  # noqa: ARG002
        """Return the fact in seconds from the span's start to that time."""
        key = self.keys[0]
        return sheet.fact(name, key, sheet.attributes[key], lambda raw: (time_ns(raw) - sheet.start_ns) / 1e9)


@dataclass(frozen=True, kw_only=True)
class Field(Place):
    """A field inside the JSON of an attribute: of several possible fields, the first that is there.

    Attributes:
        paths: For each possible field, its name in reports and the keys that lead to it.
        convert: As in `attribute`.
    """

    paths: tuple[tuple[str, tuple[str, ...]], ...]
    convert: Convert | None = None

    def find(self, name: str, sheet: Sheet, convert: Convert | None) -> Fact | None:
        """Read the field."""
        key = self.keys[0]
        raw = sheet.attributes[key]
        value = sheet.open(key, json_value, raw)
        if type(value) is dict and self._first is not None and self._first.isdisjoint(value):
            return None  # The usual case, which is found out quickly: most fields are not there.
        if isinstance(value, Unreadable):
            return sheet.unreadable(name, key, raw, str(value))
        if self._first is not None and is_encoded(value):
            return sheet.unreadable(name, key, raw, "it was written as JSON twice, so it is a string and not an object")
        for label, path in self.paths:
            inner = _follow(value, path)
            if inner is not _NOTHING and not is_left_out(inner):
                return sheet.fact(name, label, inner, self.convert or convert)
        return None

    @lazy
    def _first(self) -> frozenset[str] | None:
        """The first keys of all paths, or `None` if one of the paths is empty."""
        return frozenset(path[0] for _, path in self.paths) if all(path for _, path in self.paths) else None


def _follow(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if type(value) is not dict and not isinstance(value, Mapping):
            return _NOTHING
        value = value.get(step, _NOTHING)
    return value


@dataclass(frozen=True, kw_only=True)
class Sum(Place):
    """Several attributes whose sum is the fact; a missing attribute counts as 0."""

    def find(self, name: str, sheet: Sheet, convert: Convert | None) -> Fact | None:
        """Read the attributes and add them."""
        facts = [Attribute(keys=(key,)).find(name, sheet, convert) for key in self.keys if key in sheet.attributes]
        there = [fact for fact in facts if fact is not None]
        bad = next((fact for fact in there if fact.state is UNREADABLE), None)
        present = [fact for fact in there if fact.state is PRESENT]
        if bad is not None or not present:
            return bad or next(iter(there), None)
        return Fact(
            name=name,
            value=sum(fact.value for fact in present),
            state=PRESENT,
            parts=tuple(part for fact in present for part in fact.parts),
            where=sheet.where,
        )


@dataclass(frozen=True, kw_only=True)
class Part(Place):
    """One fact, taken from a value that is opened once and holds several facts.

    Attributes:
        reader: Opens the attribute, or the flattened list; called once for each reading.
        take: Returns the fact's value from the opened value, or `None` if it is not there.
        label: The name of the place in reports.
        otherwise: Returns the fact's value from the opened value and the attributes, if `take` finds none.
    """

    reader: Convert
    take: Callable[[Any], Any]
    label: str
    otherwise: Callable[[Any, Mapping[str, Any]], Any] | None = None

    def find(self, name: str, sheet: Sheet, convert: Convert | None) -> Fact | None:  # noqa: ARG002
        """Open the attribute or the list, and return the fact taken from it."""
        key = self.prefix or self.keys[0]
        raw = sheet.flat.get(key) if self.prefix else sheet.attributes[key]
        opened = sheet.open(key, self.reader, raw)
        if opened is None:
            return None
        if isinstance(opened, Unreadable):
            return sheet.unreadable(name, self.label if self.prefix else key, raw, str(opened))
        value = self.take(opened)
        if value is None and self.otherwise is not None:
            value = self.otherwise(opened, sheet.attributes)
        if value is None:
            return None
        return made((name, value, PRESENT, ((self.label, value),), sheet.where, ""))


def attribute(key: str, convert: Convert | None = None) -> Place:
    """Make a place of one attribute.

    Args:
        key: The name of the attribute.
        convert: Returns the fact's value for the attribute's value, or `None` if that says nothing; a value at which it
            raises is unreadable. Default: the conversion that the vocabulary has for the fact.
    """
    return Attribute(keys=(key,), convert=convert)


def happened(name: str) -> Place:
    """Make a place for the time of a span's first event of that name, in seconds from the span's start."""
    return Attribute(keys=(_event_key(name),))


def since_start(key: str) -> Place:
    """Make a place of an attribute with a time of day (ISO 8601), which is read in seconds from the span's start."""
    return Moment(keys=(key,))


def moments(span: SpanRecord) -> dict[str, float]:
    """Return the times of a span's events in seconds from its start, by the keys that places of `happened` read."""
    return {_event_key(event.name): (event.time_ns - span.start_ns) / 1e9 for event in reversed(span.events)}


def _event_key(name: str) -> str:
    return f"event {name!r}"


def inside(key: str, *names: str, convert: Convert | None = None) -> Place:
    """Make a place of a field inside the JSON of an attribute.

    Args:
        key: The name of the attribute.
        names: Possible names of the field, of which the first that is there counts; `usage.cost` is a field of a field.
            Without names, the whole value is converted.
        convert: As in `attribute`.
    """
    paths = tuple((f"{key}[{name}]", tuple(name.split("."))) for name in names)
    return Field(keys=(key,), paths=paths or ((key, ()),), convert=convert)


def parameters(key: str) -> dict[str, Place]:
    """Make the places of a request's parameters in an attribute that holds them as JSON, under the API's own names."""
    return {
        "request_model": inside(key, "model"),
        "streaming": inside(key, "stream"),
        "max_tokens": inside(key, "max_completion_tokens", "max_output_tokens", "max_tokens"),
        "temperature": inside(key, "temperature"),
        "top_p": inside(key, "top_p"),
        "top_k": inside(key, "top_k"),
        "frequency_penalty": inside(key, "frequency_penalty"),
        "presence_penalty": inside(key, "presence_penalty"),
        "seed": inside(key, "seed"),
        "stop": inside(key, "stop", "stop_sequences"),
        "choice_count": inside(key, "n"),
        "tool_choice": inside(key, "tool_choice", "function_call"),
    }


def added(*keys: str) -> Place:
    """Make a place of several attributes whose sum is the fact, such as input tokens that are counted apart."""
    return Sum(keys=keys)
