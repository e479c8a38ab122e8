"""The columns that the attributes of a span's resource become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from pytest_llmtrace.openobserve._values import column, flattened, wire_value

__all__ = ["RESERVED", "resource"]

RESERVED = frozenset(
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
"""The base columns, which hold the span itself."""

_Stored = tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, tuple[str, ...]]]


def resource(attributes: Mapping[str, Any], *, keeps_both: bool) -> _Stored:
    """Return a resource's attributes as they arrive, the columns that they become, and the clashes of attributes there.

    A run has one resource or a few, nearly always with texts alone, so the results for these are cached.
    """
    if all(type(value) is str for value in attributes.values()):
        return _of_texts(tuple(attributes.items()), keeps_both)
    return _stored(attributes.items(), keeps_both=keeps_both)


@lru_cache(maxsize=64)
def _of_texts(attributes: tuple[tuple[str, str], ...], keeps_both: bool) -> _Stored:
    return _stored(attributes, keeps_both=keeps_both)


def _stored(attributes: Iterable[tuple[str, Any]], *, keeps_both: bool) -> _Stored:
    arrived = {key: wire_value(value) for key, value in attributes}
    columns: dict[str, Any] = {}
    keys: dict[str, tuple[str, ...]] = {}
    clashes: dict[str, tuple[str, ...]] = {}
    for key in (key for key in arrived if key != "service.name"):
        for name, value in flattened(_named(key, keeps_both=keeps_both), arrived[key]):
            keys[name] = (*keys.get(name, ()), f"{key} of the resource")
            if columns.setdefault(name, value) != value:
                clashes[name] = keys[name]
            columns[name] = value
    return arrived, columns, clashes


def _named(key: str, *, keeps_both: bool) -> str:
    name = f"service_{key}"
    return f"service_attr_{key}" if keeps_both and column(name) in RESERVED else name
