"""SpanRecord -> OTLP in its JSON form (OpenTelemetry protocol 1.x, "JSON Protobuf Encoding").

In our own lines, since the packages of the OTLP exporters are optional, and since their own JSON has ids in base64.
Ids are hexadecimal, 64-bit numbers are strings, enums are numbers.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # A push is a process of its own, which needs no more of the package than it uses.
    from pytest_llmtrace.model import SpanEvent, SpanKey, SpanLink, SpanRecord

__all__ = ["as_bytes", "resource_spans"]

_KINDS: Final = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# OTLP's integers have 64 bits; Python writes no decimal number of more than 4,300 digits.
_INTEGERS: Final = 2**63
_WRITTEN_BITS: Final = 10_000
_STATUSES: Final = {"UNSET": 0, "OK": 1, "ERROR": 2}


def resource_spans(
    spans: Iterable[SpanRecord], *, resource: Mapping[str, Any], attributes: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return spans by their resources and scopes, as the elements of `resourceSpans`.

    Args:
        spans: They must have ended.
        resource: Attributes for every resource. What the application has set itself wins.
        attributes: Attributes for every span, in the same way.
    """
    resources: dict[tuple[str, str], dict[str, Any]] = {}
    scopes: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for span in spans:
        which = (repr(span.resource), span.resource_schema_url)
        if which not in resources:
            own = {"attributes": _attributes({**resource, **span.resource})}
            resources[which] = {"resource": own, "scopeSpans": [], **_said(schemaUrl=span.resource_schema_url)}
        scope = (which, span.scope, span.scope_version, span.scope_schema_url)
        if scope not in scopes:
            scopes[scope] = []
            said = {"scope": _scope(span), "spans": scopes[scope], **_said(schemaUrl=span.scope_schema_url)}
            resources[which]["scopeSpans"].append(said)
        scopes[scope].append(_span(span, attributes))
    return list(resources.values())


def as_bytes(value: Any) -> bytes:
    """Write JSON, on one line. Halves of characters, which strings may have in Python, become `?`."""
    return _JSON.encode(value).encode("utf-8", "replace")


def _scope(span: SpanRecord) -> dict[str, Any]:
    return {"name": span.scope} if span.scope_version is None else {"name": span.scope, "version": span.scope_version}


def _span(span: SpanRecord, attributes: Mapping[str, Any]) -> dict[str, Any]:
    written = {
        **_ids(span.key),
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes({**attributes, **span.attributes}),
        "status": _status(span),
    }
    if span.parent is not None:
        written["parentSpanId"] = f"{span.parent.span_id:016x}"
    if span.events:
        written["events"] = [_event(event) for event in span.events]
    if span.links:
        written["links"] = [_link(link) for link in span.links]
    return written | _said(
        traceState=span.trace_state,
        flags=span.flags,
        droppedAttributesCount=span.dropped.attributes,
        droppedEventsCount=span.dropped.events,
        droppedLinksCount=span.dropped.links,
    )


def _said(**fields: str | int) -> dict[str, str | int]:
    """Return the fields that say something: others are left out, as in protobuf."""
    return {name: value for name, value in fields.items() if value}


def _ids(key: SpanKey) -> dict[str, str]:
    return {"traceId": f"{key.trace_id:032x}", "spanId": f"{key.span_id:016x}"}


def _status(span: SpanRecord) -> dict[str, Any]:
    # The message is there even if it is empty, as the SDK's own exporter sends it: OpenObserve makes columns of it.
    return {"code": _STATUSES[span.status], "message": span.status_description or ""}


def _event(event: SpanEvent) -> dict[str, Any]:
    own = {"timeUnixNano": str(event.time_ns), "name": event.name, "attributes": _attributes(event.attributes)}
    return own | _said(droppedAttributesCount=event.dropped_attributes)


def _link(link: SpanLink) -> dict[str, Any]:
    own = {**_ids(link.key), "attributes": _attributes(link.attributes)}
    more = _said(traceState=link.trace_state, flags=link.flags, droppedAttributesCount=link.dropped_attributes)
    return own | more


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"stringValue": value} if type(value) is str else _value(value)}
        for key, value in attributes.items()
    ]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -_INTEGERS <= value < _INTEGERS else _huge(value)
    if isinstance(value, float):
        # JSON has no such numbers, and not every server reads the names that stand for them as numbers.
        return {"doubleValue": value} if math.isfinite(value) else {"stringValue": str(value)}
    return _composed(value)


def _huge(value: int) -> dict[str, Any]:
    """Write a number that is none of OTLP's: a server that finds one refuses all that comes with it."""
    return {"stringValue": str(value) if value.bit_length() <= _WRITTEN_BITS else hex(value)}


def _composed(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _attributes(value)}}
    if isinstance(value, Sequence):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": str(value)}
