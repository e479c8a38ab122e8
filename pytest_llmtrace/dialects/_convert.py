"""Conversions of attribute values to the vocabulary's terms. Whatever the value, they raise only `Unreadable`."""

from __future__ import annotations

import math
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pytest_llmtrace._stdlib import json

__all__ = [
    "CONVERSIONS",
    "Convert",
    "Unreadable",
    "brief",
    "count",
    "dimensions",
    "is_encoded",
    "is_hidden",
    "is_left_out",
    "json_value",
    "milliseconds",
    "number",
    "shown",
    "text",
    "time_ns",
]

Convert = Callable[[Any], Any]
"""Turns a value from a span into the vocabulary's terms; returns `None` if the value says nothing."""

_DEEPEST = 200
_TOO_DEEP = f"it is nested more than {_DEEPEST} levels deep"
_LONGEST_NUMBER = 40
_HUGE_BITS = 4000
_USUAL = 2**63
_NESTED = (dict, list, tuple, Mapping)
_MASKS = ("__REDACTED__", "[Scrubbed due to ")
_OMIT = ("<openai.Omit object at 0x", "<anthropic.Omit object at 0x")
_PLAIN = frozenset({str, float, bool, type(None)})


class Unreadable(ValueError):
    """A value cannot be read; the message says why, as a clause."""


def is_hidden(value: Any) -> bool:
    """Tell whether a value was masked: by OpenInference's configuration, or by logfire's scrubbing."""
    if not isinstance(value, str) or not value.startswith(_MASKS):
        return False
    return value[0] == "[" or value == "__REDACTED__"


def is_left_out(value: Any) -> bool:
    """Tell whether a value is the text of the placeholder that an SDK has for an argument that was not given."""
    return isinstance(value, str) and (value == "NOT_GIVEN" or (value.startswith(_OMIT) and value.endswith(">")))


def shown(value: Any) -> Any:
    """Return a value as reports may show it: plain ones and texts in a list unchanged, others as a short text."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is int:
        return value if value.bit_length() < _HUGE_BITS else f"a number of {value.bit_length()} bits"
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return list(value)
    return brief(value)


def brief(value: Any) -> str:
    """Return a value as a short text, for a note."""
    try:
        return reprlib.repr(value)
    except Exception:  # noqa: BLE001 - whatever the repr of a stranger does
        return f"a {type(value).__name__}"


def text(value: Any) -> str | None:
    """Return the value, which must be a text; `None` if it is masked."""
    if not isinstance(value, str):
        raise Unreadable(f"{brief(value)} is not a string")
    return None if value.startswith(_MASKS) and is_hidden(value) else value


def number(value: Any) -> float | int:
    """Return a number, also if it is written as a text: its type is a matter of conventions, not of truth."""
    if type(value) is str and len(value) <= _LONGEST_NUMBER:
        value = _parsed(value)
    kind = type(value)
    if kind is int and value.bit_length() >= _HUGE_BITS:
        raise Unreadable(f"{shown(value)} is too large")
    if kind is int or (kind is float and math.isfinite(value)):
        return cast(float, value)
    raise Unreadable(f"{brief(value)} is not a number")


def _parsed(value: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def milliseconds(value: Any) -> float:
    """Return the seconds in a time that is given in milliseconds."""
    return number(value) / 1000


def time_ns(value: Any) -> int:
    """Return the nanoseconds since 1970 of a time of day in ISO 8601, as plain text or as a JSON string."""
    try:
        moment = datetime.fromisoformat(str(value).strip('"'))
    except ValueError:
        raise Unreadable(f"{brief(value)} is not an ISO 8601 time") from None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return since // _MICROSECOND * 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def count(value: Any) -> int:
    """Return a whole number; 12.0 is 12."""
    if type(value) is int and -_USUAL < value < _USUAL:
        return value
    amount = number(value)
    if isinstance(amount, float) and not amount.is_integer():
        raise Unreadable(f"{amount!r} is not a whole number")
    return int(amount)


def flag(value: Any) -> bool:
    """Return true or false, also if it is written as a text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise Unreadable(f"{brief(value)} is neither true nor false")


def texts(value: Any) -> list[str | None]:
    """Return a list of texts, given as a sequence, as its JSON, or as a single text."""
    if isinstance(value, str):
        value = _listed(value)
    if not isinstance(value, list | tuple) or not all(item is None or isinstance(item, str) for item in value):
        raise Unreadable(f"{brief(value)} is not a list of strings")
    return list(value)


def _listed(value: str) -> Any:
    if value[:1] == "[":
        try:
            return json_value(value)
        except Unreadable:
            pass
    return [value]


def reasons(value: Any) -> list[str | None] | None:
    """Return finish reasons, with `None` for an empty one, or `None` alone if all are empty."""
    listed = [item or None for item in texts(value)]
    return listed if any(listed) else None


def json_value(value: Any) -> Any:
    """Parse JSON; a value that is structured already is returned as it is."""
    if not isinstance(value, str):
        return _structured(value)
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        raise Unreadable(f"{brief(value)} is not JSON") from None
    if value.count("[") + value.count("{") > _DEEPEST and _is_deep(parsed):
        raise Unreadable(_TOO_DEEP)
    return parsed


def dimensions(vectors: Iterable[Any]) -> int | None:
    """Return how many numbers each vector has; if they differ, the rarest length, so that a comparison shows it."""
    sizes = Counter(len(vector) for vector in vectors if isinstance(vector, list | tuple))
    return min(sizes, key=lambda size: (sizes[size], size), default=None)


def is_encoded(value: Any) -> bool:
    """Tell whether a parsed value is a text that again is JSON of an object or a list: it was encoded twice."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return False
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _structured(value: Any) -> Any:
    if not isinstance(value, _NESTED):
        raise Unreadable(f"{brief(value)} is not JSON")
    if _is_deep(value):
        raise Unreadable(_TOO_DEEP)
    try:
        repr(value)
    except ValueError:
        raise Unreadable("it cannot be shown") from None
    return value


def _is_deep(value: Any) -> bool:
    """Tell whether a value is nested too deeply to be compared or printed."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return False
    return True


def _inner(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [item for item in inner if isinstance(item, _NESTED)]


_COUNTS = (
    "max_tokens top_k seed choice_count tool_call_count embedding_count embedding_dimensions input_tokens output_tokens"
    " total_tokens cache_read_tokens cache_write_tokens reasoning_tokens input_audio_tokens output_audio_tokens"
)
_NUMBERS = "temperature top_p frequency_penalty presence_penalty cost retry_after time_to_first_token latency"
_TEXTS = (
    "request_model response_model model served_model response_id provider finish_reason error_type request_id "
    "tool_call_id tool_name"
)

CONVERSIONS: Mapping[str, Convert] = {
    **dict.fromkeys(_COUNTS.split(), count),
    **dict.fromkeys(_NUMBERS.split(), number),
    **dict.fromkeys(_TEXTS.split(), text),
    **dict.fromkeys(("streaming", "truncated"), flag),
    **dict.fromkeys(("stop", "tool_call_names", "output_texts", "refusals", "reasoning_texts"), texts),
    "finish_reasons": reasons,
}
"""Fact of the vocabulary -> the conversion of its value, unless its place has a conversion of its own."""
