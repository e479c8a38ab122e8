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

_Both = tuple[Mapping[str, Any], Mapping[str, Any]]


def resource(attributes: Mapping[str, Any], *, keeps_both: bool) -> _Both:
    """Return a resource's attributes as they arrive, and the columns that they become.

    A run has one resource or a few, nearly always with texts alone, so the results for these are cached.
    """
    if all(type(value) is str for value in attributes.values()):
        return _of_texts(tuple(attributes.items()), keeps_both)
    return _both(attributes.items(), keeps_both=keeps_both)


@lru_cache(maxsize=64)
def _of_texts(attributes: tuple[tuple[str, str], ...], keeps_both: bool) -> _Both:
    return _both(attributes, keeps_both=keeps_both)


def _both(attributes: Iterable[tuple[str, Any]], *, keeps_both: bool) -> _Both:
    arrived = {key: wire_value(value) for key, value in attributes}
    named = ((_named(key, keeps_both=keeps_both), value) for key, value in arrived.items() if key != "service.name")
    return arrived, dict(pair for name, value in named for pair in flattened(name, value))


def _named(key: str, *, keeps_both: bool) -> str:
    name = f"service_{key}"
    return f"service_attr_{key}" if keeps_both and column(name) in RESERVED else name
