"""The telemetry contract of a run: the names, kinds and types in its telemetry, without any value, id or time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pytest_llmtrace.checks import type_of
from pytest_llmtrace.contract._brief import briefly
from pytest_llmtrace.contract._names import Names
from pytest_llmtrace.contract._tally import Table, count, merge
from pytest_llmtrace.model import LogRecord, MetricPoint, SpanRecord

__all__ = ["FORMAT", "VERSION", "as_contract", "scopes_of"]

FORMAT: Final = "pytest-llmtrace contract"
VERSION: Final = 2


def scopes_of(
    spans: Iterable[SpanRecord], logs: Iterable[LogRecord], metrics: Iterable[MetricPoint], names: Names
) -> Table:
    """Return what a contract says of each scope in some telemetry. The results of several tests can be merged.

    Args:
        spans: Spans; those that have not ended are left out, since no exporter receives them.
        logs: Log records and events.
        metrics: Points of metrics.
        names: Makes names comparable.
    """
    scopes: Table = {}
    for span in spans:
        if span.ended is not None:
            _add_span(_scope(scopes, span, names), span, names)
    for log in logs:
        _add_log(_scope(scopes, log, names), log, names)
    for point in metrics:
        _add_point(_scope(scopes, point, names), point, names)
    return scopes


def as_contract(scopes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a contract as it is written to a file, with as few counts as say the same (`briefly`)."""
    return {"format": FORMAT, "version": VERSION, "scopes": {name: briefly(scope) for name, scope in scopes.items()}}


def _scope(scopes: Table, made: SpanRecord | LogRecord | MetricPoint, names: Names) -> Table:
    name, version = names.plain(made.scope), made.scope_version
    scope: Table = scopes.setdefault(name, {"versions": [], "spans": {}, "logs": {}, "metrics": {}})
    merge(scope, {"versions": [version] if version else []})
    return scope


def _add_span(scope: Table, span: SpanRecord, names: Names) -> None:
    name = names.span(span.name, span.attributes)
    shape = scope["spans"].setdefault(names.shape(name, span.attributes), {"seen": 0, "attributes": {}, "events": {}})
    merge(shape, {"seen": 1, "names": [name], "kinds": [span.kind], "statuses": [span.status]})
    count(shape["attributes"], span.attributes, names)
    for event in span.events:
        _add_event(shape["events"], event.name, event.attributes, names)


def _add_log(scope: Table, log: LogRecord, names: Names) -> None:
    name = log.event_name or ""
    _add_event(scope["logs"], name, log.attributes, names)
    bodies = [] if log.body is None else [type_of(log.body)]
    merge(scope["logs"][names.plain(name)], {"bodies": bodies, "severities": [log.severity or ""]})


def _add_event(table: Table, name: str, attributes: Mapping[str, Any], names: Names) -> None:
    event = table.setdefault(names.plain(name), {"seen": 0, "attributes": {}})
    merge(event, {"seen": 1})
    count(event["attributes"], attributes, names)


def _add_point(scope: Table, point: MetricPoint, names: Names) -> None:
    metric = scope["metrics"].setdefault(point.name, {"seen": 0, "attributes": {}})
    merge(metric, {"seen": 1, "units": [point.unit], "kinds": [point.kind]})
    count(metric["attributes"], point.attributes, names)
