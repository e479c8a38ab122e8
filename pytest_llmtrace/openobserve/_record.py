"""The record of a span: base columns, what its attributes become, and what the server adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from pytest_llmtrace.openobserve._enrich import enrich
from pytest_llmtrace.openobserve._operation import MODEL_SCOPE
from pytest_llmtrace.openobserve._server import NEWEST, Server, server
from pytest_llmtrace.openobserve._services import inferred
from pytest_llmtrace.openobserve._texts import removed
from pytest_llmtrace.openobserve._values import WRITERS, column, compact, flattened, wire_value
from pytest_llmtrace.telemetry import SpanRecord

__all__ = ["Record", "record"]

_RESERVED = frozenset(
    {
        "_timestamp",
        "duration",
        "end_time",
        "events",
        "flags",
        "infer_service_name",
        "infer_service_system",
        "infer_service_type",
        "links",
        "operation_name",
        "service_name",
        "span_id",
        "span_kind",
        "span_status",
        "start_time",
        "trace_id",
    }
)
_RESERVED_AS_WRITTEN = frozenset({"_timestamp", "duration", "start_time", "end_time"})
"""The same before 0.91, compared with the attribute's name as it is."""

_KINDS = {"INTERNAL": "1", "SERVER": "2", "CLIENT": "3", "PRODUCER": "4", "CONSUMER": "5"}
_STATUS_CODES = {"UNSET": 0, "OK": 1, "ERROR": 2}
_INTS = ("usage.input", "usage.output", "usage.total", "usage.cache_read", "usage.cache_creation")
_FLOATS = ("cost.input", "cost.output", "cost.total", "first_chunk")
_NO_NUMBER = "the column holds numbers, and the client has sent {value!r}"
_CLASH = "{keys} become one column, and which of them it gets differs from span to span"


@dataclass(frozen=True, kw_only=True, repr=False)
class Record(Mapping[str, Any]):
    """What OpenObserve stores for a span: a mapping of columns to values. A column that is null is not in it.

    Attributes:
        server: Whose releases.
        columns: What is in it.
        unknown: Columns that will be there with a value that only the server knows, and why that is so.
        is_llm: Whether the server takes the span for one of an LLM application; then it is on the LLM pages.
        clashes: Columns that several attributes become, with those.
        overwritten: Base columns that an attribute of the span has taken, with that attribute.
        removed: Attributes that are not stored under their own names, since their texts are.
    """

    server: Server
    columns: Mapping[str, Any]
    unknown: Mapping[str, str] = field(default_factory=dict)
    is_llm: bool = False
    clashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    overwritten: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """Return the value of a column.

        Raises:
            KeyError: There is none; the message says why, where that is known.
        """
        try:
            return self.columns[name]
        except KeyError:
            raise KeyError(self._why_not(name)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        return f"Record({self.columns.get('operation_name')!r}, OpenObserve {self.server.name}, {len(self)} columns)"

    def _why_not(self, name: str) -> str:
        if name in self.unknown:
            return f"{name}: not reproducible: {self.unknown[name]}"
        gone = next((key for key in self.removed if column(key) == name), None)
        if gone is not None:
            text = self.server.columns["input"], self.server.columns["output"]
            return f"{name}: OpenObserve removes {gone} once it has its text in {text[0]} and {text[1]}"
        return f"{name}: no such column in OpenObserve {self.server.name}"


def record(span: SpanRecord, *, profile: str = NEWEST) -> Record:
    """Return the record of a span.

    Args:
        span: The span, ended.
        profile: The releases: `0.70`, `0.90`, `0.91` or `0.92`, each to the next.

    Raises:
        UsageError: There is no such profile.
    """
    return _Building(span, server(profile)).record()


class _Building:
    def __init__(self, span: SpanRecord, of: Server) -> None:
        self.span, self.server = span, of
        self.resource = {key: wire_value(value) for key, value in span.resource.items()}
        self.service = dict(self._service_columns())
        self.shape = _shape(tuple(span.attributes), tuple(self.service), span.scope, of.name)
        values = [
            value if (kind := type(value)) is str else WRITERS.get(kind, wire_value)(value)
            for value in span.attributes.values()
        ]
        self.attributes = dict(zip(self.shape.renamed, values, strict=True))
        self.unknown: dict[str, str] = {}
        self.clashes: dict[str, tuple[str, ...]] = {}

    def record(self) -> Record:
        base = self._base()
        own = self._own()
        overwritten = {name: self._key_of(name) for name in own.keys() & base.keys()}
        columns = {**base, **self.service, **own}
        if self.server.infers_services and self.span.kind in ("CLIENT", "PRODUCER"):
            known, unknown = inferred(self.attributes)
            columns |= known
            self.unknown |= unknown
        if self.shape.is_llm:
            self._enrich(columns)
        columns |= self._status()
        for name in self.unknown:
            columns.pop(name, None)
        return Record(
            server=self.server,
            columns=columns,
            unknown=self.unknown,
            is_llm=self.shape.is_llm,
            clashes=self.clashes,
            overwritten=overwritten,
            removed=self.shape.removed,
        )

    def _service_columns(self) -> Iterator[tuple[str, Any]]:
        for key, value in self.resource.items():
            if key == "service.name":
                continue
            name = f"service_{key}"
            if self.server.keeps_both and column(name) in _RESERVED:
                name = f"service_attr_{key}"
            yield from flattened(name, value)

    def _own(self) -> dict[str, Any]:
        """Return what the span's attributes become, by column."""
        found = {name: self.attributes[key] for key, name in self.shape.kept}
        others = [(name, value) for name, value in found.items() if type(value) is not str]
        if len(found) < len(self.shape.kept) or any(type(value) is dict for _, value in others):
            return self._one_by_one()
        for name, value in others:
            if value:
                found[name] = compact(value)
            else:
                del found[name]
        return found

    def _one_by_one(self) -> dict[str, Any]:
        """Do the same where several attributes may become one column."""
        found: dict[str, Any] = {}
        keys: dict[str, str] = {}
        for key, _ in self.shape.kept:
            for name, value in flattened(key, self.attributes[key]):
                if name in found and found[name] != value:
                    self._note_clash(name, (*self.clashes.get(name, (keys[name],)), key))
                found[name], keys[name] = value, key
        return found

    def _key_of(self, column: str) -> str:
        """Return the attribute that a column is from, the last if there are several."""
        keys = (key for key, _ in reversed(self.shape.kept))
        return next(key for key in keys if column in dict(flattened(key, self.attributes[key])))

    def _note_clash(self, name: str, keys: tuple[str, ...]) -> None:
        self.clashes[name] = keys
        self.unknown[name] = _CLASH.format(keys=" and ".join(keys))

    def _base(self) -> dict[str, Any]:
        span = self.span
        end = span.start_ns if span.end_ns is None else span.end_ns
        base = {
            "trace_id": f"{span.key.trace_id:032x}",
            "span_id": f"{span.key.span_id:016x}",
            "flags": 1,
            "span_status": span.status,
            "span_kind": _KINDS.get(span.kind, "0"),
            "operation_name": span.name,
            "start_time": span.start_ns,
            "end_time": end,
            "duration": (end - span.start_ns) // 1000,
            "_timestamp": span.start_ns // 1000,
            "service_name": self._service_name(),
            "events": compact([self._event(event) for event in span.events]) if span.events else "[]",
            "links": compact([self._link(link) for link in span.links]) if span.links else "[]",
        }
        if span.parent is not None:
            base["reference_parent_trace_id"] = f"{span.parent.trace_id:032x}"
            base["reference_parent_span_id"] = f"{span.parent.span_id:016x}"
            base["reference_ref_type"] = "ChildOf"
        return base

    def _service_name(self) -> str:
        name = self.span.resource.get("service.name")
        return name if isinstance(name, str) else "default"

    def _event(self, event: Any) -> dict[str, Any]:
        values = {key: wire_value(value) for key, value in event.attributes.items()}
        return {"name": event.name, "_timestamp": event.time_ns, **values}

    def _link(self, link: Any) -> dict[str, Any]:
        context = {
            "traceId": f"{link.key.trace_id:032x}",
            "spanId": f"{link.key.span_id:016x}",
            "traceFlags": link.flags,
            "traceState": link.trace_state,
        }
        values = {key: wire_value(value) for key, value in link.attributes.items()}
        return {"context": context, **values, "droppedAttributesCount": link.dropped_attributes}

    def _status(self) -> dict[str, Any]:
        return {
            "status_code": _STATUS_CODES.get(self.span.status, 0),
            "status_message": self.span.status_description or "",
        }

    def _enrich(self, columns: dict[str, Any]) -> None:
        added = enrich(self.attributes, self.resource, self.span.events, self.span.scope, self.server)
        kept = self._sent(columns) if self.server.keeps_usage else frozenset()
        computed = {name: value for name, value in added.columns.items() if name not in kept}
        columns |= computed
        for name in self.unknown.keys() & computed.keys():
            del self.unknown[name]
        self.unknown |= {name: why for name, why in added.unknown.items() if name not in kept}
        self._make_numbers(columns)

    def _sent(self, columns: Mapping[str, Any]) -> frozenset[str]:
        return _number_names(self.server.name) & columns.keys()

    def _make_numbers(self, columns: dict[str, Any]) -> None:
        for name, number in _numbers(self.server.name):
            if not isinstance(columns.get(name), str):
                continue
            try:
                columns[name] = number(columns[name])
            except ValueError:
                self.unknown[name] = _NO_NUMBER.format(value=columns[name])


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """What the names of a span's attributes alone decide; spans repeat their names, so that it is decided once.

    Attributes:
        renamed: The attributes as the server takes them in, in their order.
        kept: Those that are stored, with their columns.
        removed: Those that are not.
        is_llm: Whether the span is one of an LLM application.
    """

    renamed: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    removed: tuple[str, ...]
    is_llm: bool


@lru_cache(maxsize=4096)
def _shape(keys: tuple[str, ...], service: tuple[str, ...], scope: str, profile: str) -> _Shape:
    of = server(profile)
    renamed = tuple(_renamed(key, service, keeps_both=of.keeps_both) for key in keys)
    is_llm = scope == MODEL_SCOPE or not of.gate.isdisjoint(renamed)
    gone = tuple(key for key in dict.fromkeys(renamed) if is_llm and removed(key))
    kept = tuple((key, column(key)) for key in dict.fromkeys(renamed) if key not in gone)
    return _Shape(renamed=renamed, kept=kept, removed=gone, is_llm=is_llm)


def _renamed(key: str, service: tuple[str, ...], *, keeps_both: bool) -> str:
    if keeps_both:
        taken = column(key)
        return f"attr_{key}" if taken in _RESERVED or taken in service else key
    return f"attr_{key}" if key in _RESERVED_AS_WRITTEN else key


@cache
def _number_names(profile: str) -> frozenset[str]:
    return frozenset(name for name, _ in _numbers(profile))


@cache
def _numbers(profile: str) -> tuple[tuple[str, type[int | float]], ...]:
    """Return the columns that hold numbers, whatever the client has sent."""
    names = server(profile).columns
    whole = ((names[fact], int) for fact in _INTS if fact in names)
    return (*whole, *((names[fact], float) for fact in _FLOATS if fact in names))
