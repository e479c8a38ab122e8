"""Exported dashboards and alerts, run over the records of a suite: which of them fail, and which stay empty.

Source: OpenObserve's public reference and exports. Dashboards are read up to version 8, whose panels are in tabs (in
older versions at the top level), as the UI and as the API give them; a file may have several alerts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pytest_llmtrace._argtypes import read_json
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.errors import QueryError, UsageError
from pytest_llmtrace.openobserve._instead import instead
from pytest_llmtrace.openobserve._record import Record
from pytest_llmtrace.openobserve._stream import Stream
from pytest_llmtrace.openobserve.sql import NotReproducible, is_in_text

__all__ = ["Panel", "State", "Verdict", "judge", "panels"]

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::(\w+))?\}|([A-Za-z_]\w*))")
_JOINED: Mapping[str, tuple[str, str]] = {
    "csv": (",", ""),
    "doublequote": (",", '"'),
    "pipe": ("|", ""),
    "singlequote": (",", "'"),
}
"""How `${name:format}` writes several values: what is between them, and around each."""
_NO_TABLE = re.compile(r"table '\w+\.public\.([^']+)' not found")
_MISSING = re.compile(r"No field named (?:\S+\.)?\"?(\w+)\"?")


class State(StrEnum):
    """What became of a panel."""

    FILLED = "filled"
    EMPTY = "empty"
    FAILS = "fails"
    PASSED_OVER = "passed over"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One query of a panel, or an alert.

    Attributes:
        title: Its name in the file.
        sql: The query, with its variables filled in; empty if there is no query to run.
        stream: The stream that it reads; empty if only the query names it.
        columns: The columns that its fields name, if there is no query.
        passed_over: Why it is not run; empty if it is.
    """

    title: str
    sql: str = ""
    stream: str = ""
    columns: tuple[str, ...] = ()
    passed_over: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a panel, with the reasons, a line for each."""

    title: str
    state: State
    reasons: tuple[str, ...] = ()


def panels(path: Path) -> tuple[Panel, ...]:
    """Read the panels of a dashboard, or an alert.

    Raises:
        UsageError: If the file cannot be read, or is neither.
    """
    content = read_json(path)
    try:
        found = tuple(_panels(content))
    except (AttributeError, KeyError, TypeError, UnicodeEncodeError) as error:
        raise UsageError(f"{path} is a damaged dashboard or alert: {error!r}") from None
    if not found:
        raise UsageError(f"{path} is neither a dashboard with panels nor an alert, as OpenObserve exports them")
    return found


def _panels(content: Any) -> Iterator[Panel]:
    """Yield the panels of an export: of an alert, a dashboard, or a list of them."""
    if isinstance(content, list):
        for one in content:
            yield from _panels(one)
        return
    if not isinstance(content, Mapping):
        return
    versioned = content.get(f"v{content.get('version')}")
    if isinstance(versioned, Mapping):  # The API gives a dashboard within its version.
        yield from _panels(versioned)
    elif "query_condition" in content:
        yield _alert(content)
    else:
        yield from _panels_of_dashboard(content)


def _panels_of_dashboard(content: Mapping[str, Any]) -> Iterator[Panel]:
    variables = {one["name"]: one.get("value") for one in (content.get("variables") or {}).get("list") or ()}
    tabs = [*(content.get("tabs") or ()), {"panels": content.get("panels") or ()}]
    for panel in (panel for tab in tabs for panel in tab.get("panels") or ()):
        queries = panel.get("queries") or ()
        title = panel.get("title") or panel.get("id") or "panel"
        if not queries:
            yield Panel(title=title, passed_over="it has no query")
        for number, query in enumerate(queries):
            name = title if len(queries) == 1 else f"{title}, query {number}"
            yield _panel(name, panel.get("queryType", "sql"), query, variables)


def _panel(title: str, kind: str, query: Mapping[str, Any], variables: Mapping[str, Any]) -> Panel:
    fields = query.get("fields") or {}
    of = fields.get("stream_type", "traces")
    if kind == "promql":
        return Panel(title=title, passed_over="PromQL is not run")
    if of != "traces":
        return Panel(title=title, passed_over=f"it is on {of}, not on traces")
    text = (query.get("query") or "").strip()
    if text:
        return _filled_in(title, text, variables, fields.get("stream") or "")
    if fields.get("joins"):
        return Panel(title=title, passed_over="it joins other streams")
    columns = tuple(dict.fromkeys(_columns_of(fields)))
    return Panel(title=title, columns=columns, passed_over="" if columns else "it has neither a query nor fields")


def _alert(content: Mapping[str, Any]) -> Panel:
    title, condition = content.get("name") or "alert", content["query_condition"]
    of = content.get("stream_type", "traces")
    if of != "traces":
        return Panel(title=title, passed_over=f"it is on {of}, not on traces")
    kind = condition.get("type") or next((each for each in ("promql", "sql") if condition.get(each)), "custom")
    if kind == "promql":
        return Panel(title=title, passed_over="PromQL is not run")
    if kind == "sql" and condition.get("sql"):
        return _filled_in(title, condition["sql"], {}, content.get("stream_name") or "")
    groups = condition.get("aggregation") or {}
    named = [*_columns_of(condition.get("conditions")), *(groups.get("group_by") or ()), *_columns_of(groups)]
    columns = tuple(dict.fromkeys(filter(None, named)))
    return Panel(title=title, columns=columns, passed_over="" if columns else "it has neither SQL nor conditions")


def _columns_of(said: Any) -> Iterator[str]:
    """Yield the columns that fields or conditions name, however nested: as `column`, or `field` in newer versions.

    Columns that a function of the panel derives are left out, as no span has them.
    """
    if isinstance(said, Mapping):
        if said.get("isDerived"):
            return
        yield from (said[key] for key in ("column", "field") if isinstance(said.get(key), str) and said[key])
        said = list(said.values())
    for one in said if isinstance(said, list) else ():
        yield from _columns_of(one)


def _filled_in(title: str, sql: str, variables: Mapping[str, Any], stream: str) -> Panel:
    asked = [braced or bare for braced, _, bare in _VARIABLE.findall(sql)]
    lacking = [name for name in asked if variables.get(name) in (None, "", [])]
    if lacking:
        return Panel(title=title, passed_over=f"the variable ${lacking[0]} has no value in the file")

    def written(match: re.Match[str]) -> str:
        value, is_quoted = variables[match[1] or match[3]], is_in_text(sql, match.start())
        if not isinstance(value, list):
            value = [value] if match[2] else value
        elif is_quoted and not match[2]:
            value = value[0]
        if not isinstance(value, list):
            return str(value)
        between, around = _JOINED.get(match[2], _JOINED["singlequote"])
        return between.join(f"{around}{each}{around}" for each in value)

    filled = _VARIABLE.sub(written, sql)
    for text in (filled, stream):  # Raises for a lone surrogate, or a value that is not text: no engine takes these.
        text.encode()
    return Panel(title=title, sql=filled, stream=stream)


# --- judging ---------------------------------------------------------------------------------------------------------


def judge(panel: Panel, records: Sequence[Record]) -> Verdict:
    """Run a panel over records, and return what became of it.

    Raises:
        UsageError: If the engine is not installed (extra `sql`).
    """
    if panel.passed_over:
        return Verdict(title=panel.title, state=State.PASSED_OVER, reasons=(panel.passed_over,))
    if not panel.sql:
        there = {name for record in records for name in (*record, *record.unknown)}
        gone = tuple(_gone(name, records) for name in panel.columns if name not in there)
        if gone:
            return Verdict(title=panel.title, state=State.FAILS, reasons=gone)
        return Verdict(
            title=panel.title,
            state=State.FILLED,
            reasons=("its columns exist; a query that is built from fields is not run",),
        )
    try:
        rows = _rows(panel, records)
    except _OtherStreamError as error:
        return Verdict(title=panel.title, state=State.PASSED_OVER, reasons=(str(error),))
    except NotReproducible as error:
        return Verdict(title=panel.title, state=State.PASSED_OVER, reasons=(str(error),))
    except QueryError as error:
        missing = _MISSING.search(str(error))
        reason = _gone(missing[1], records) if missing else str(error)
        return Verdict(title=panel.title, state=State.FAILS, reasons=(reason,))
    return _of_rows(panel.title, rows)


def _gone(column: str, records: Sequence[Record]) -> str:
    near = instead(column, records)
    return f"no column {column}" + (f", did you mean {near}?" if near else "")


class _OtherStreamError(QueryError):
    """A query reads several streams, of which the records are one."""


def _rows(panel: Panel, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Run a query on the records, under the name of their stream in the panel or, failing that, in the query itself."""
    name = panel.stream or "default"
    try:
        return Stream(records, name=name).sql(panel.sql)
    except QueryError as error:
        other = _NO_TABLE.search(str(error))
        if other is None:
            raise
    try:
        return Stream(records, name=other[1]).sql(panel.sql)
    except QueryError as error:
        if _NO_TABLE.search(str(error)):
            raise _OtherStreamError(f"it reads several streams, {other[1]} among them") from None
        raise


def _of_rows(title: str, rows: Sequence[Mapping[str, Any]]) -> Verdict:
    if not rows:
        return Verdict(title=title, state=State.EMPTY, reasons=("no rows",))
    if len(rows) == 1 and 0 in rows[0].values() and set(rows[0].values()) <= {0, None}:  # Counting always gives a row.
        return Verdict(title=title, state=State.EMPTY, reasons=("it counts 0",))
    empty = tuple(f"{name} is NULL in all rows" for name in rows[0] if all(row[name] is None for row in rows))
    is_empty = len(empty) == len(rows[0])
    return Verdict(title=title, state=State.EMPTY if is_empty else State.FILLED, reasons=empty)
