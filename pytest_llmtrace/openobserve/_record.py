"""The record of a span: base columns, the columns that its attributes become, and those that the server adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from pytest_llmtrace._collector import uncollected
from pytest_llmtrace.openobserve._enrich import enrich
from pytest_llmtrace.openobserve._readable import Readable
from pytest_llmtrace.openobserve._resource import resource
from pytest_llmtrace.openobserve._server import NEWEST, Server, server
from pytest_llmtrace.openobserve._services import inferred
from pytest_llmtrace.openobserve._shape import number_columns, shape
from pytest_llmtrace.openobserve._values import column, compact, flattened, wire_value
from pytest_llmtrace.telemetry import SpanRecord

__all__ = ["Record", "record", "records", "typed_columns"]

_KINDS = {"INTERNAL": "1", "SERVER": "2", "CLIENT": "3", "PRODUCER": "4", "CONSUMER": "5"}
_STATUS_CODES = {"UNSET": 0, "OK": 1, "ERROR": 2}
_STATUS = ("status_code", "status_message")
"""The columns that are written last, over attributes of exactly these names."""
_SERVICE_OF_LANGFUSE = "langfuse.observation.metadata.source"
_OF_SPAN = "the status of the span"
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1  # The range of OTLP's integers.
_NO_NUMBER = "the column holds numbers, and the client has sent {value!r}"
_ARRIVAL = "_o2_ingest_ts"
_ARRIVED = "it is when the server got the span"
_CLASH = "{keys} become one column, and which of them it gets differs from span to span"


@dataclass(frozen=True, kw_only=True, repr=False)
class Record(Mapping[str, Any]):
    """What OpenObserve stores for a span: a mapping of columns to values. A column that is null is not in it.

    Attributes:
        server: The releases of OpenObserve that store it so.
        columns: The values, by column.
        unknown: Columns that OpenObserve fills with a value that only the server knows, with the reason.
        is_llm: Whether the server takes the span for one of an LLM application; then it is on the LLM pages.
        clashes: Columns that several attributes become, with these attributes.
        overwritten: Base columns that an attribute of the span has taken, with that attribute.
        moved: Attributes that are stored as `attr_...`, since their own columns are taken.
        lost: Attributes that are overwritten by the span's own status.
        removed: Attributes that are not stored under their own names, since their texts are in the input or the output.
    """

    server: Server
    columns: Mapping[str, Any]
    unknown: Mapping[str, str] = field(default_factory=dict)
    is_llm: bool = False
    clashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    overwritten: Mapping[str, str] = field(default_factory=dict)
    moved: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """Return the value of a column.

        Raises:
            KeyError: If there is no such column; the message says why, where that is known.
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
        span: The span, which has ended.
        profile: The range of releases: `0.70`, `0.90`, `0.91` or `0.92`; `Server.releases` has it in words.

    Raises:
        UsageError: If there is no such profile.
    """
    return _Building(span, server(profile)).record()


@uncollected
def records(spans: Iterable[SpanRecord], *, profile: str = NEWEST) -> tuple[Record, ...]:
    """Return the records of many spans, as `record` does for one."""
    of = server(profile)
    return tuple([_Building(span, of).record() for span in spans])


def typed_columns(records: Iterable[Record]) -> Mapping[str, Callable[[str], float | None]]:
    """Return the columns of a stream that hold numbers on all spans, with the functions that read these from text.

    Spans of LLM applications have numbers there in any case. On others, such as a task that sums up the tokens of its
    calls, they are attributes, which are text; but a stream with one LLM span has types for these columns.
    """
    of = next((record.server for record in records if record.is_llm), None)
    return number_columns(of.name) if of is not None and of.types_streams else {}


class _Building:
    def __init__(self, span: SpanRecord, of: Server) -> None:
        self.span, self.server = span, of
        self.resource, self.service, self.clashes_of_service = resource(span.resource, keeps_both=of.keeps_both)
        values = list(span.attributes.values())
        named = tuple(span.attributes), tuple(map(type, values)), tuple(self.resource), tuple(self.service)
        self.shape = shape(*named, span.scope, of.name)
        self.values = self._arrived(values)
        self.attributes = dict(zip(self.shape.renamed, self.values, strict=True))
        self.unknown: dict[str, str] = {_ARRIVAL: _ARRIVED} if of.notes_arrival else {}
        self.clashes: dict[str, tuple[str, ...]] = {}

    def record(self) -> Record:
        columns = self._base()
        own = self._own()
        for name, keys in self.clashes_of_service.items():
            if name not in own:  # The attributes of the span are written over those of the resource.
                self._note_clash(name, keys)
        overwritten = {name: self._key_of(name) for name in self.shape.taken if name in own and name in columns}
        columns |= self.service
        columns |= own
        if self.server.infers_services and self.span.kind in ("CLIENT", "PRODUCER"):
            columns |= inferred(self.attributes)
        if self.shape.readable is not None:
            self._enrich(columns, self.shape.readable)
        self._set_status(columns)
        for name in self.unknown:
            columns.pop(name, None)
        return Record(
            server=self.server,
            columns=columns,
            unknown=self.unknown,
            is_llm=self.shape.readable is not None,
            clashes=self.clashes,
            overwritten=overwritten,
            moved=self.shape.moved,
            lost=tuple(key for key in _STATUS if key in self.shape.kept),
            removed=self.shape.removed,
        )

    def _set_status(self, columns: dict[str, Any]) -> None:
        """Write the status over attributes of the same names; other attributes that become its columns are a clash."""
        status = _STATUS_CODES.get(self.span.status, 0), self.span.status_description or ""
        for name, value in zip(_STATUS, status, strict=True):
            if name in columns and columns[name] != value:
                beside = tuple(key for key in self.shape.kept if self.shape.kept[key] == name != key)
                if beside:
                    self._note_clash(name, (*beside, _OF_SPAN))
            columns[name] = value

    def _arrived(self, values: list[Any]) -> list[Any]:
        """Return values as they arrive at the server; integers, the most frequent after texts, are written here."""
        for at in self.shape.integers:
            value = values[at]
            values[at] = f"{value}" if _LOWEST <= value <= _HIGHEST else wire_value(value)
        for at, write in self.shape.others:
            values[at] = write(values[at])
        return values

    def _own(self) -> dict[str, Any]:
        """Return the columns that the span's attributes become, with their values."""
        if not self.shape.is_plain:
            return self._one_by_one()
        found = dict(zip(self.shape.kept.values(), compress(self.values, self.shape.is_kept), strict=True))
        for name in self.shape.arrays:
            if found[name]:
                found[name] = compact(found[name])
            else:
                del found[name]
        return found

    def _one_by_one(self) -> dict[str, Any]:
        """Return the same columns where several attributes may become one, or one may become several."""
        self._note_replaced()
        found: dict[str, Any] = {}
        keys: dict[str, str] = {}
        for key in self.shape.kept:
            for name, value in flattened(key, self.attributes[key]):
                if name in found and found[name] != value:
                    self._note_clash(name, (*self.clashes.get(name, (keys[name],)), key))
                found[name], keys[name] = value, key
        return found

    def _note_replaced(self) -> None:
        """Note attributes that are moved to the name of another one as a clash: the server takes the last of them."""
        first: dict[str, tuple[str, Any]] = {}
        for key, name, value in zip(self.span.attributes, self.shape.renamed, self.values, strict=True):
            before, other = first.setdefault(name, (key, value))
            if other != value:
                self.clashes[column(name)] = (before, key)

    def _key_of(self, column: str) -> str:
        """Return the attribute that a column is made from, the last one if there are several."""
        keys = reversed(tuple(self.shape.kept))
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
        said = self.span.resource.get("service.name")
        if not isinstance(said, str) and self.shape.readable is not None:
            said = self.attributes.get(_SERVICE_OF_LANGFUSE)
        return said if isinstance(said, str) else "default"

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

    def _enrich(self, columns: dict[str, Any], readable: Readable) -> None:
        added = enrich(self.span, self.attributes, self.resource, readable, self.server)
        for name in self.shape.numbers if self.server.keeps_usage else ():
            if name in columns:
                added.columns.pop(name, None)
                added.unknown.pop(name, None)
        columns |= added.columns
        for name in self.unknown.keys() & added.columns:
            del self.unknown[name]
        for name in self.clashes.keys() & added.columns:
            del self.clashes[name]
        self.unknown |= added.unknown
        self._make_numbers(columns)

    def _make_numbers(self, columns: dict[str, Any]) -> None:
        """Convert texts in columns that hold numbers; a column whose text is not a number becomes unknown."""
        for name, number in self.shape.numbers.items():
            sent = columns.get(name)
            if isinstance(sent, str):
                found = number(sent)
                if found is None:
                    self.unknown[name] = _NO_NUMBER.format(value=sent)
                else:
                    columns[name] = found
