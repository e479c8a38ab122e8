"""The files in the messages of a span: parts that hold their bytes in base64, beside their media type."""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmtrace._stdlib import base64
from pytest_llmtrace.dialects._convert import Unreadable, json_value
from pytest_llmtrace.model import SpanRecord

__all__ = ["text_files"]

# OTel GenAI, BlobPart: `content` and `mime_type`. Pydantic AI's data versions before 4 have `media_type`.
_BYTES = ("content", "data")
_TYPES = ("mime_type", "media_type")
_WITH_MESSAGES = "messages"


def text_files(span: SpanRecord) -> Iterator[str]:
    """Yield the texts of the files in a span's messages whose bytes are a text."""
    for key, value in span.attributes.items():
        if isinstance(value, str) and key.endswith(_WITH_MESSAGES) and any(kind in value for kind in _TYPES):
            try:
                messages = json_value(value)
            except Unreadable:
                continue
            yield from _in(messages)


def _in(value: Any) -> Iterator[str]:
    open_: list[Any] = [value]
    while open_:
        one = open_.pop()
        if isinstance(one, Mapping):
            yield from _of(one)
        inner = one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
        open_ += [item for item in inner if isinstance(item, list | Mapping)]


def _of(part: Mapping[str, Any]) -> Iterator[str]:
    kind = next((part[name] for name in _TYPES if isinstance(part.get(name), str)), "")
    held = next((part[name] for name in _BYTES if isinstance(part.get(name), str)), "")
    if not kind or kind.startswith(("audio/", "image/", "video/")):
        return
    try:
        yield base64.b64decode(held.translate(_URL_SAFE), validate=True).decode()
    except (binascii.Error, ValueError):
        return


_URL_SAFE = str.maketrans("-_", "+/")
