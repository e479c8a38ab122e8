"""What the names of a span's attributes, and the types of their values, decide of its record.

Spans of one instrumentor repeat both, so that it is decided once; what the values say is looked at span by span.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from pytest_llmtrace.openobserve._operation import MODEL_SCOPE
from pytest_llmtrace.openobserve._readable import Readable, readable
from pytest_llmtrace.openobserve._resource import RESERVED
from pytest_llmtrace.openobserve._server import server as server_of
from pytest_llmtrace.openobserve._texts import removed
from pytest_llmtrace.openobserve._values import WRITERS, column, number, whole_number, wire_value

__all__ = ["Shape", "shape"]

_RESERVED_AS_WRITTEN = frozenset({"_timestamp", "duration", "start_time", "end_time"})
"""What no attribute may take before 0.91, compared with its name as it is."""
_PARENT = frozenset({"reference_parent_span_id", "reference_parent_trace_id", "reference_ref_type"})
_INTS = ("usage.input", "usage.output", "usage.total", "usage.cache_read", "usage.cache_creation")
_FLOATS = ("cost.input", "cost.output", "cost.total", "first_chunk")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is decided.

    Attributes:
        renamed: The attributes as the server takes them in, in their order.
        integers: The places of those whose values are whole numbers.
        others: The places of those whose values are no text either, with what writes these.
        kept: Those that are stored, with their columns.
        is_kept: Of each, in their order, whether it is.
        removed: Those that are not.
        moved: Those that have another name there, as they are on the span.
        is_plain: Whether each of them is one column, which no other is.
        arrays: The columns of arrays, if so.
        taken: The columns of the span itself that they may take.
        numbers: The columns that hold numbers, whatever the client has sent, and that they may be.
        readable: What is read of the span, if it is one of an LLM application.
    """

    renamed: tuple[str, ...]
    integers: tuple[int, ...]
    others: tuple[tuple[int, Callable[[Any], Any]], ...]
    kept: Mapping[str, str]
    is_kept: tuple[bool, ...]
    removed: tuple[str, ...]
    moved: tuple[str, ...]
    is_plain: bool
    arrays: tuple[str, ...]
    taken: frozenset[str]
    numbers: Mapping[str, Callable[[str], float | None]]
    readable: Readable | None


@lru_cache(maxsize=4096)
def shape(
    keys: tuple[str, ...],
    types: tuple[type, ...],
    resource: tuple[str, ...],
    service: tuple[str, ...],
    scope: str,
    profile: str,
) -> Shape:
    """Find it out.

    Args:
        keys: The names of a span's attributes.
        types: Those of their values.
        resource: The names of the resource's attributes.
        service: The columns of these.
        scope: The name of the span's scope.
        profile: The server's name.
    """
    of = server_of(profile)
    renamed = tuple(_renamed(key, service, keeps_both=of.keeps_both) for key in keys)
    is_llm = scope == MODEL_SCOPE or not of.gate.isdisjoint(renamed)
    gone = tuple(key for key in dict.fromkeys(renamed) if is_llm and removed(key))
    kept = {key: column(key) for key in dict.fromkeys(renamed) if key not in gone}
    columns = frozenset(kept.values())
    is_plain = len(columns) == sum(key in kept for key in renamed) and WRITERS.keys() >= set(types)
    numbers = _numbers(profile)
    return Shape(
        renamed=renamed,
        integers=tuple(at for at, each in enumerate(types) if each is int),
        others=tuple((at, WRITERS.get(each, wire_value)) for at, each in enumerate(types) if each not in (str, int)),
        kept=kept,
        is_kept=tuple(key in kept for key in renamed),
        removed=gone,
        moved=tuple(key for key, name in zip(keys, renamed, strict=True) if name != key),
        is_plain=is_plain,
        arrays=tuple(
            kept[key] for key, each in zip(renamed, types, strict=True) if each in (list, tuple) and key in kept
        ),
        taken=(columns & (RESERVED | _PARENT)) if is_plain else RESERVED | _PARENT,
        numbers={name: numbers[name] for name in numbers if name in columns or not is_plain},
        readable=readable(renamed, frozenset(resource), scope, of) if is_llm else None,
    )


def _renamed(key: str, service: tuple[str, ...], *, keeps_both: bool) -> str:
    if keeps_both:
        taken = column(key)
        return f"attr_{key}" if taken in RESERVED or taken in service else key
    return f"attr_{key}" if key in _RESERVED_AS_WRITTEN else key


@cache
def _numbers(profile: str) -> Mapping[str, Callable[[str], float | None]]:
    """Return the columns that hold numbers, whatever the client has sent, and what reads these."""
    names = server_of(profile).columns
    whole = {names[fact]: whole_number for fact in _INTS if fact in names}
    return {**whole, **{names[fact]: number for fact in _FLOATS if fact in names}}
