"""The part of a span's record that the names of its attributes and the types of their values decide.

Spans of one instrumentor repeat both, so this part is worked out once and cached; the values are read span by span.
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

__all__ = ["Shape", "number_columns", "shape"]

_RESERVED_AS_WRITTEN = frozenset({"_timestamp", "duration", "start_time", "end_time"})
"""The columns that no attribute may take before 0.91; its name is compared as it is on the span."""
_PARENT = frozenset({"reference_parent_span_id", "reference_parent_trace_id", "reference_ref_type"})
_INTS = ("usage.input", "usage.output", "usage.total", "usage.cache_read", "usage.cache_creation")
_FLOATS = ("cost.input", "cost.output", "cost.total")
_FIRST_CHUNK = "first_chunk"
"""A time in seconds; before generation 3 in microseconds, which are whole."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What names and types decide about the attributes of a span.

    Attributes:
        renamed: The names of the attributes as the server takes them in, in their order.
        integers: The positions of the attributes whose values are integers.
        others: The positions of the attributes whose values are neither texts nor integers, with the functions that
            write these values.
        kept: The attributes that are stored, with their columns.
        is_kept: Whether an attribute is stored, for each of them in their order.
        removed: The attributes that are not stored.
        moved: The attributes that the server renames, by their names on the span.
        is_plain: Whether each stored attribute becomes exactly one column, and no other attribute becomes the same one.
        arrays: The columns of arrays; they count only if `is_plain`.
        taken: The base columns that attributes may take.
        numbers: The columns that hold numbers, whatever the client has sent, and that attributes may become, with the
            functions that read these numbers.
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
    """Return what names and types decide.

    Args:
        keys: The names of a span's attributes.
        types: The types of their values.
        resource: The names of the resource's attributes.
        service: The columns that the resource's attributes become.
        scope: The name of the span's scope.
        profile: The name of the server's profile.
    """
    of = server_of(profile)
    renamed = tuple(_renamed(key, service, keeps_both=of.keeps_both) for key in keys)
    is_llm = scope == MODEL_SCOPE or not of.gate.isdisjoint(renamed)
    gone = tuple(key for key in dict.fromkeys(renamed) if is_llm and removed(key))
    kept = {key: column(key) for key in dict.fromkeys(renamed) if key not in gone}
    columns = frozenset(kept.values())
    is_plain = len(columns) == sum(key in kept for key in renamed) and WRITERS.keys() >= set(types)
    numbers = number_columns(profile)
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
def number_columns(profile: str) -> Mapping[str, Callable[[str], float | None]]:
    """Return the columns that hold numbers, whatever the client has sent, with the functions that read these."""
    of = server_of(profile)
    ints, floats = (_INTS, (*_FLOATS, _FIRST_CHUNK)) if of.generation >= 3 else ((*_INTS, _FIRST_CHUNK), _FLOATS)  # noqa: PLR2004
    whole = {of.columns[fact]: whole_number for fact in ints if fact in of.columns}
    return {**whole, **{of.columns[fact]: number for fact in floats if fact in of.columns}}
