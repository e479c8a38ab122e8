"""Metric points, as the difference that a test made.

A measurement does not say who made it: points cannot be told apart between tests that run at the same time. A sum that
has not changed is left out: observable counters report one at each collection, whichever test they belong to.
"""

from __future__ import annotations

import functools
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram,
    Gauge,
    Histogram,
    Metric,
    MetricsData,
    NumberDataPoint,
    Sum,
)

from pytest_llmtrace.capture._otel_internals import DeltaReader, Shape, Shapes, add_reader
from pytest_llmtrace.model import MetricPoint

__all__ = ["Sums", "collect", "read", "read_when_flushed", "share"]

_KINDS = {Sum: "sum", Gauge: "gauge", Histogram: "histogram", ExponentialHistogram: "histogram"}


class Sums:
    """The points of all collections between `open` and `close`, added up for each series.

    Attributes:
        shared: Whether some of the measurements may be those of other owners.
    """

    def __init__(self) -> None:
        self._series: dict[object, MetricPoint] = {}
        self._streams: dict[object, dict[int, int]] = {}  # Of each series: how many streams each reader has.
        self._lock = threading.Lock()
        self.shared = False

    def open(self) -> None:
        """Take points from now on; what was measured before goes to the sums that were open already."""
        collect()
        self.shared = self.shared or bool(_listening)
        share()
        _listening.add(self)

    def close(self) -> None:
        """Take no more points, after those that were measured until now."""
        if self in _listening:
            collect()
            _listening.discard(self)

    def points(self) -> tuple[MetricPoint, ...]:
        """Return the points until now, in the order in which their series appeared."""
        if self in _listening:
            collect()
        with self._lock:
            points = tuple([_told_by(self._streams[key], point) for key, point in self._series.items()])
        return tuple(replace(point, shared=True) for point in points) if self.shared else points

    def add(self, points: Sequence[MetricPoint], reader: int) -> None:
        """Add the points of one collection by a reader."""
        seen: dict[object, int] = {}
        with self._lock:
            for point in points:
                key = (point.scope, point.name, point.unit, point.kind, _text(point.attributes), _text(point.resource))
                before = self._series.get(key)
                self._series[key] = _added(before, point) if before else point
                seen[key] = seen.get(key, 0) + 1
            for series, number in seen.items():
                streams = self._streams.setdefault(series, {})
                streams[reader] = max(number, streams.get(reader, 0))


def _told_by(streams: dict[int, int], point: MetricPoint) -> MetricPoint:
    number = sum(streams.values())
    return point if number == 1 else replace(point, providers=len(streams), streams=number)


# A reader lives as long as its provider. They are kept in the order in which they were made, so that points come in a
# stable order.
_readers: weakref.WeakKeyDictionary[DeltaReader, None] = weakref.WeakKeyDictionary()
_reader_of: weakref.WeakKeyDictionary[MeterProvider, weakref.ref[DeltaReader]] = weakref.WeakKeyDictionary()
_listening: weakref.WeakSet[Sums] = weakref.WeakSet()
_numbers = itertools.count()


def read(provider: MeterProvider) -> None:
    """Add a reader of ours to a meter provider, apart from the readers that the app has given it."""
    reader = _new_reader()
    add_reader(provider, reader)
    _reader_of[provider] = weakref.ref(reader)  # A reader holds the app's callbacks, which may hold the provider.


def read_when_flushed() -> None:
    """From now on collect whenever a meter provider is flushed or shut down: it may be gone before anybody asks."""
    for name in ("force_flush", "shutdown"):
        setattr(MeterProvider, name, _collecting(getattr(MeterProvider, name)))


def _collecting(flush: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(flush)
    def collect_and_flush(self: MeterProvider, *args: Any, **kwargs: Any) -> Any:
        own = _reader_of.get(self)
        reader = own() if own is not None else None
        if reader is not None:
            reader.collect()  # No other one: the callbacks of other providers have nothing to do with this flush.
        return flush(self, *args, **kwargs)

    return collect_and_flush


def collect() -> None:
    """Hand what was measured since the last collection to all open sums."""
    for reader in tuple(_readers):
        reader.collect()


def share() -> None:
    """Note in all open sums that code of other owners is running, whose measurements they get as well."""
    for sums in tuple(_listening):
        sums.shared = True


def _new_reader() -> DeltaReader:
    reader = DeltaReader(functools.partial(_receive, next(_numbers)))
    _readers[reader] = None
    return reader


def _receive(reader: int, data: MetricsData, shapes: Shapes) -> None:
    listening = tuple(_listening)
    points = tuple(_points(data, shapes)) if listening else ()
    for sums in listening:
        sums.add(points, reader)


def _points(data: MetricsData, shapes: Shapes) -> Iterator[MetricPoint]:
    for of_resource in data.resource_metrics:
        resource = dict(of_resource.resource.attributes or {})
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                scope = of_scope.scope
                where = {"scope": scope.name, "scope_version": scope.version or None, "resource": resource}
                shape = shapes.get((scope.name, metric.name), _AS_MEASURED)
                yield from _points_of(metric, **where, kept=shape.kept, aggregated=shape.aggregated)


_AS_MEASURED = Shape()


def _points_of(metric: Metric, **where: Any) -> Iterator[MetricPoint]:
    for point in metric.data.data_points:
        value = point.value if isinstance(point, NumberDataPoint) else point.sum
        extremes = (None, None) if isinstance(point, NumberDataPoint) else _extremes(point.min, point.max)
        if isinstance(metric.data, Sum) and not value:
            continue
        yield MetricPoint(
            **where,
            name=metric.name,
            unit=metric.unit or "",
            kind=_KINDS.get(type(metric.data), "sum"),
            value=value,
            count=None if isinstance(point, NumberDataPoint) else point.count,
            attributes=dict(point.attributes or {}),
            bounds=tuple(getattr(point, "explicit_bounds", ())),
            lowest=extremes[0],
            highest=extremes[1],
        )


def _extremes(lowest: float, highest: float) -> tuple[float, float] | tuple[None, None]:
    """Return a histogram's extremes; None for both if a view keeps none, which leaves the lowest above the highest."""
    return (lowest, highest) if lowest <= highest else (None, None)


def _added(before: MetricPoint, point: MetricPoint) -> MetricPoint:
    if point.kind == "gauge":
        return point
    count = None if point.count is None else (before.count or 0) + point.count
    lowest, highest = _either(min, before.lowest, point.lowest), _either(max, before.highest, point.highest)
    return replace(point, value=before.value + point.value, count=count, lowest=lowest, highest=highest)


def _either(choose: Callable[[float, float], float], one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else choose(one, other)


def _text(attributes: Any) -> str:
    return repr(sorted(attributes.items()))  # An attribute's value need not be hashable.
