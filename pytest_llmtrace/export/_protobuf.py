"""Convert OTLP's JSON form into its protobuf form, which OTLP servers take by default; read their answers.

The fields are those of opentelemetry-proto 1.x (`trace/v1/trace.proto`, `common/v1/common.proto`). Fields that our
requests never have are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_llmtrace._stdlib import base64

__all__ = ["fields", "request"]


def request(resources: Iterable[Mapping[str, Any]]) -> bytes:
    """Encode an `ExportTraceServiceRequest`.

    Args:
        resources: Elements of `resourceSpans`.
    """
    return b"".join(_bytes(1, _resource_spans(resource)) for resource in resources)


def _resource_spans(said: Mapping[str, Any]) -> bytes:
    scopes = (_bytes(2, _scope_spans(scope)) for scope in said["scopeSpans"])
    own = _bytes(1, _attributes(1, said["resource"]["attributes"]))
    return own + b"".join(scopes) + _text(3, said.get("schemaUrl", ""))


def _scope_spans(said: Mapping[str, Any]) -> bytes:
    scope = said["scope"]
    own = _text(1, scope["name"]) + _text(2, scope.get("version", "")) + _attributes(3, scope.get("attributes", ()))
    spans = (_bytes(2, _span(span)) for span in said["spans"])
    return _bytes(1, own) + b"".join(spans) + _text(3, said.get("schemaUrl", ""))


def _span(said: Mapping[str, Any]) -> bytes:
    parts = [
        _bytes(1, bytes.fromhex(said["traceId"])),
        _bytes(2, bytes.fromhex(said["spanId"])),
        _text(3, said.get("traceState", "")),
        _bytes(4, bytes.fromhex(said["parentSpanId"])) if "parentSpanId" in said else b"",
        _text(5, said["name"]),
        _number(6, said["kind"]),
        _fixed64(7, int(said["startTimeUnixNano"])),
        _fixed64(8, int(said["endTimeUnixNano"])),
        _attributes(9, said["attributes"]),
        _number(10, said.get("droppedAttributesCount", 0)),
        *(_bytes(11, _event(event)) for event in said.get("events", ())),
        _number(12, said.get("droppedEventsCount", 0)),
        *(_bytes(13, _link(link)) for link in said.get("links", ())),
        _number(14, said.get("droppedLinksCount", 0)),
        _bytes(15, _text(2, said["status"]["message"]) + _number(3, said["status"]["code"])),
        _fixed32(16, said.get("flags", 0)),
    ]
    return b"".join(parts)


def _event(said: Mapping[str, Any]) -> bytes:
    own = _fixed64(1, int(said["timeUnixNano"])) + _text(2, said["name"]) + _attributes(3, said["attributes"])
    return own + _number(4, said.get("droppedAttributesCount", 0))


def _link(said: Mapping[str, Any]) -> bytes:
    ids = _bytes(1, bytes.fromhex(said["traceId"])) + _bytes(2, bytes.fromhex(said["spanId"]))
    own = _text(3, said.get("traceState", "")) + _attributes(4, said["attributes"])
    return ids + own + _number(5, said.get("droppedAttributesCount", 0)) + _fixed32(6, said.get("flags", 0))


def _attributes(number: int, said: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(_bytes(number, _text(1, pair["key"]) + _bytes(2, _value(pair["value"]))) for pair in said)


def _value(said: Mapping[str, Any]) -> bytes:
    for kind, value in said.items():
        match kind:
            case "stringValue":
                return _bytes(1, value.encode())
            case "boolValue":
                return _tag(2, 0) + _varint(value)
            case "intValue":
                return _tag(3, 0) + _varint(int(value) & 0xFFFF_FFFF_FFFF_FFFF)
            case "doubleValue":
                return _tag(4, 1) + struct.pack("<d", value)
            case "arrayValue":
                return _bytes(5, b"".join(_bytes(1, _value(item)) for item in value["values"]))
            case "kvlistValue":
                return _bytes(6, _attributes(1, value["values"]))
            case "bytesValue":
                return _bytes(7, base64.b64decode(value))
    return b""


# --- the wire format (protobuf.dev/programming-guides/encoding) ------------------------------------------------------


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the number and the value of each field of a message; the value is an integer or bytes.

    Raises:
        ValueError: If the message is cut off, or has a field of another wire type; OTLP's answers have no such fields.
        IndexError: If the message is cut off within an integer.
    """
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        value, at = _read_varint(message, at)
        if tag & 7 == 2:  # noqa: PLR2004  # LEN: bytes, of which the number is the length
            if at + value > len(message):
                raise ValueError("cut off")
            yield tag >> 3, message[at : at + value]
            at += value
        elif tag & 7 == 0:
            yield tag >> 3, value
        else:
            raise ValueError("neither a number nor bytes")


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004  # The high bit says that another byte follows.
            return value, at


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:  # noqa: PLR2004  # Seven bits a byte
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _bytes(number: int, content: bytes) -> bytes:
    return _tag(number, 2) + _varint(len(content)) + content


def _text(number: int, content: str) -> bytes:
    return _bytes(number, content.encode()) if content else b""


def _number(number: int, value: int) -> bytes:
    return _tag(number, 0) + _varint(value) if value else b""


def _fixed64(number: int, value: int) -> bytes:
    return _tag(number, 1) + struct.pack("<Q", value)


def _fixed32(number: int, value: int) -> bytes:
    return _tag(number, 5) + struct.pack("<I", value) if value else b""
