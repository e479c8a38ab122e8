"""Encode a `SpanRecord` as OTLP in its JSON form (OpenTelemetry protocol 1.x, "JSON Protobuf Encoding").

Written by our own code, since the packages of the OTLP exporters are optional, and since their JSON has ids in base64.
Here ids are hexadecimal, 64-bit numbers are strings, enums are numbers. A span is written directly as text: every test
has spans, and building dictionaries first would take longer than all the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring as _quoted
from typing import TYPE_CHECKING, Any, Final

from pytest_llmtrace._stdlib import base64, json

if TYPE_CHECKING:  # A push is a process of its own, which should import no more than it uses.
    from pytest_llmtrace.model import SpanEvent, SpanKey, SpanLink, SpanRecord

__all__ = ["Encoder", "as_bytes"]

_KINDS: Final = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_STATUSES: Final = {"UNSET": 0, "OK": 1, "ERROR": 2}
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# OTLP's integers have 64 bits; Python writes no decimal number of more than 4,300 digits.
_INTEGERS: Final = 2**63
_WRITTEN_BITS: Final = 10_000
_REMEMBERED: Final = 64
"""How many encoded resources are remembered; each tracer provider has one resource."""


class Encoder:
    """Writes the spans of a run as OTLP requests.

    Args:
        resource: Attributes to add to every resource. Those that the application has set itself win.
    """

    def __init__(self, resource: Mapping[str, Any]) -> None:
        self._shared = resource
        self._resources: dict[str, str] = {}

    def request(self, spans: Iterable[SpanRecord], attributes: Mapping[str, Any]) -> bytes:
        """Return an OTLP request, on one line, with the spans grouped by resource and scope.

        Args:
            spans: The spans, all of them ended.
            attributes: Attributes to add to every span. Those that the application has set itself win.
        """
        resources: dict[tuple[str, str], dict[tuple[str, str], list[str]]] = {}
        for span in spans:
            scopes = resources.setdefault((self._resource(span), _said(schemaUrl=span.resource_schema_url)), {})
            of_scope = scopes.setdefault((_scope(span), _said(schemaUrl=span.scope_schema_url)), [])
            of_scope.append(_span(span, attributes))
        return _bytes(f'{{"resourceSpans":[{",".join(map(_resource_spans, resources.items()))}]}}')

    def _resource(self, span: SpanRecord) -> str:
        """Return the attributes of a span's resource as JSON; remembered, as most spans of a run share one resource."""
        said = repr(span.resource)  # As a key it tells 1 from True, which the values themselves do not.
        if said not in self._resources:
            if len(self._resources) >= _REMEMBERED:
                self._resources.clear()
            self._resources[said] = _attributes({**self._shared, **span.resource})
        return self._resources[said]


def as_bytes(value: Any) -> bytes:
    """Return a value as JSON, on one line. Lone surrogates, which Python strings may contain, become `?`."""
    return _bytes(_JSON.encode(value))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _resource_spans(found: tuple[tuple[str, str], Mapping[tuple[str, str], list[str]]]) -> str:
    (attributes, schema), scopes = found
    spans = ",".join(f'{{"scope":{{{scope}}},"spans":[{",".join(of)}]{url}}}' for (scope, url), of in scopes.items())
    return f'{{"resource":{{"attributes":{attributes}}},"scopeSpans":[{spans}]{schema}}}'


def _scope(span: SpanRecord) -> str:
    attributes = f',"attributes":{_attributes(span.scope_attributes)}' if span.scope_attributes else ""
    return f'"name":{_text(span.scope)}{_said(version=span.scope_version or "")}{attributes}'


def _span(span: SpanRecord, attributes: Mapping[str, Any]) -> str:
    parent = "" if span.parent is None else f',"parentSpanId":"{span.parent.span_id:016x}"'
    events = f',"events":[{",".join(map(_event, span.events))}]' if span.events else ""
    links = f',"links":[{",".join(map(_link, span.links))}]' if span.links else ""
    more = _said(
        traceState=span.trace_state,
        flags=span.flags,
        droppedAttributesCount=span.dropped.attributes,
        droppedEventsCount=span.dropped.events,
        droppedLinksCount=span.dropped.links,
    )
    return (
        f'{{{_ids(span.key)},"name":{_text(span.name)},"kind":{_KINDS[span.kind]},'
        f'"startTimeUnixNano":"{span.start_ns}","endTimeUnixNano":"{span.end_ns}",'
        f'"attributes":{_attributes({**attributes, **span.attributes})},'
        f'"status":{_status(span)}{parent}{events}{links}{more}}}'
    )


def _said(**fields: str | int) -> str:
    """Return fields as JSON, to be added after others; fields without a value are left out, as in protobuf."""
    said = [(name, value if isinstance(value, int) else _text(value)) for name, value in fields.items() if value]
    return "".join([f',"{name}":{value}' for name, value in said])


def _ids(key: SpanKey) -> str:
    return f'"traceId":"{key.trace_id:032x}","spanId":"{key.span_id:016x}"'


def _status(span: SpanRecord) -> str:
    # The message is sent even if it is empty, as the SDK's own exporter does: OpenObserve makes columns of it.
    return f'{{"code":{_STATUSES[span.status]},"message":{_text(span.status_description or "")}}}'


def _event(event: SpanEvent) -> str:
    more = _said(droppedAttributesCount=event.dropped_attributes)
    attributes = _attributes(event.attributes)
    return f'{{"timeUnixNano":"{event.time_ns}","name":{_text(event.name)},"attributes":{attributes}{more}}}'


def _link(link: SpanLink) -> str:
    more = _said(traceState=link.trace_state, flags=link.flags, droppedAttributesCount=link.dropped_attributes)
    return f'{{{_ids(link.key)},"attributes":{_attributes(link.attributes)}{more}}}'


def _attributes(attributes: Mapping[Any, Any]) -> str:
    # Most values are strings, and a span has many of them: they are written here, without a further call.
    written = [
        f'{{"key":{_quoted(name)},"value":{{"stringValue":{_quoted(value)}}}}}'
        if type(value) is type(name) is str
        else f'{{"key":{_text(name)},"value":{_value(value)}}}'
        for name, value in attributes.items()
    ]
    return f"[{','.join(written)}]"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'{{"stringValue":{_text(value)}}}'
    if isinstance(value, bool):
        return f'{{"boolValue":{"true" if value else "false"}}}'
    if isinstance(value, int):
        return f'{{"intValue":"{int(value)}"}}' if -_INTEGERS <= value < _INTEGERS else _huge(value)
    if isinstance(value, float):
        # JSON has no NaN or infinity, and not every server reads those names, as strings, as numbers.
        is_number = math.isfinite(value)
        return f'{{"doubleValue":{float.__repr__(value)}}}' if is_number else f'{{"stringValue":"{float(value)}"}}'
    return _composed(value)


def _huge(value: int) -> str:
    """Return an integer of more than 64 bits as a string: as a number it makes a server refuse the whole request."""
    return f'{{"stringValue":"{int(value) if value.bit_length() <= _WRITTEN_BITS else hex(value)}"}}'


def _composed(value: Any) -> str:
    if value is None:
        return "{}"
    if isinstance(value, bytes):
        return f'{{"bytesValue":"{base64.b64encode(value).decode("ascii")}"}}'
    if isinstance(value, Mapping):
        return f'{{"kvlistValue":{{"values":{_attributes(value)}}}}}'
    if isinstance(value, Sequence):
        return f'{{"arrayValue":{{"values":[{",".join(map(_value, value))}]}}}}'
    return f'{{"stringValue":{_text(value)}}}'


def _text(value: Any) -> str:
    """Return a value as a JSON string, even if it is not a `str`: no SDK checks the name of a span."""
    return _quoted(value if isinstance(value, str) else str(value))
