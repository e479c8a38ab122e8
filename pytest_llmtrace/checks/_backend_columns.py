"""Columns of OpenObserve: filled by several attributes, summed twice, lost, stored as text, or empty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._words import first_of, shown
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Finding, Severity, SpanKey, SpanRecord
from pytest_llmtrace.openobserve import Record, column, instead, typed_columns

__all__ = ["CHECKS"]

_MOST = 8
_HOUR = 3_600 * 10**9
_BEFORE, _AFTER = 5 * _HOUR, 24 * _HOUR


def _stored(evidence: Evidence) -> Iterator[tuple[SpanRecord, Record]]:
    return ((span, evidence.stored[span.key]) for span in evidence.spans if span.key in evidence.stored)


def _double_count(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    inside = _inside(evidence)
    for span, stored in _stored(evidence):
        name = stored.server.columns["usage.total"]
        mine = stored.get(name)
        if not stored.is_llm or not mine:
            continue
        inner = [evidence.stored[key][name] for key in inside.get(span.key, ()) if evidence.stored[key].get(name)]
        if not inner:
            yield None
            continue
        within = f"{counted(len(inner), 'span')} inside it {'has' if len(inner) == 1 else 'add up to'} {sum(inner):,}"
        yield check.finding(
            span,
            ("stored", f"{name} = {mine:,}, and {within}\nOpenObserve {stored.server.name}"),
            follows=("structure/counted-around",),
        )


def _inside(evidence: Evidence) -> Mapping[SpanKey, list[SpanKey]]:
    """Return, by span, the spans of the calls inside of it, at any depth."""
    found: defaultdict[SpanKey, list[SpanKey]] = defaultdict(list)
    for key in evidence.call_of:
        seen, around = {key}, _parent(key, evidence)
        while around is not None and around not in seen:
            found[around].append(key)
            seen.add(around)
            around = _parent(around, evidence)
    return found


def _parent(key: SpanKey, evidence: Evidence) -> SpanKey | None:
    parent = evidence.by_key[key].parent if key in evidence.stored else None
    return parent if parent in evidence.stored else None


def _clash(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for span, stored in _stored(evidence):
        lines = [f"{' and '.join(keys)} become one column: {name}" for name, keys in stored.clashes.items()]
        yield check.finding(span, ("stored", _joined(lines))) if lines else None


def _base_column(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for span, stored in _stored(evidence):
        taken = [f"{name} has the value of the attribute {key}" for name, key in stored.overwritten.items()]
        taken += [f"{key} has the status of the span, not the value of the attribute" for key in stored.lost]
        moved = [] if taken else [f"{key} is stored as attr_{column(key)}" for key in stored.moved]
        if not taken and not moved:
            yield None
            continue
        found = check.finding(span, ("stored", f"{_joined(taken or moved)}\nOpenObserve {stored.server.name}"))
        yield found if taken else replace(found, severity=Severity.INFO)


def _removed(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    named = set(evidence.openobserve_columns)
    gone: dict[str, Record] = {}
    for _, stored in _stored(evidence):
        gone |= {key: stored for key in stored.removed if column(key) in named - stored.keys()}
    for key, stored in gone.items():
        texts = f"{stored.server.columns['input']} and {stored.server.columns['output']}"
        yield check.finding(f"column {column(key)}", ("stored", f"{key} is removed; texts are in {texts}"))


def _dropped(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    if not evidence.now_ns:
        return
    early, late = evidence.now_ns - _BEFORE, evidence.now_ns + _AFTER
    spans = [span for span, _ in _stored(evidence)]
    out = [span for span in spans if not early <= span.start_ns <= late]
    yield from [None] * (len(spans) - len(out))
    if out:
        hours = (out[0].start_ns - evidence.now_ns) / _HOUR
        way = f"{abs(hours):,.0f} hours {'before' if hours < 0 else 'after'} now"
        more = f"\nand {len(out) - 1:,} more of this trace" if out[1:] else ""
        yield check.finding(out[0], ("span", f"it starts {way}{more}"))


def _text(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    wanted = set(evidence.openobserve_columns) - typed_columns(stored for _, stored in _stored(evidence)).keys()
    numbers: dict[str, tuple[SpanRecord, str]] = {}
    for span, stored in _stored(evidence):
        for key, value in span.attributes.items():
            name = column(key)
            if is_number(value) and name in wanted and isinstance(stored.get(name), str):
                numbers.setdefault(name, (span, f"{key} = {shown(value)}"))
    for name, (span, said) in numbers.items():
        cast = f"{name} is stored as text; CAST({name} AS DOUBLE) turns it into a number"
        yield check.finding(span, ("span", said), ("stored", cast))


def _empty_column(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    records = [stored for _, stored in _stored(evidence)]
    if not any(stored.is_llm for stored in records):
        return
    there = {name for stored in records for name in (*stored, *stored.unknown)}
    gone = {column(key) for stored in records for key in stored.removed}
    for name in evidence.openobserve_columns:
        if name in there or name in gone:
            yield None
        else:
            near = instead(name, records)
            more = f"; did you mean {near}?" if near else ""
            said = f"{counted(len(records), 'span')} stored, none with this column{more}"
            server = f"OpenObserve {records[0].server.name}"
            yield check.finding(f"column {shown(name)}", ("stored", f"{said}\n{server}"))


def _joined(lines: list[str]) -> str:
    return "\n".join(first_of(lines, _MOST))


CHECKS: tuple[Check, ...] = (
    Check(
        id="backend/double-count",
        title="A sum of OpenObserve's token column counts each call once",
        why="a dashboard that sums the column over all spans counts these tokens once for each of the spans",
        next="leave the counts to the spans of the calls, or sum only where the operation is that of a call",
        look=_double_count,
        about=("openobserve",),
        severity=Severity.WARNING,
        compares="The total of each LLM span with the totals of the spans of calls inside of it, at any depth. Both "
        "being filled is a finding.",
        source="OpenObserve, usage: computed for every LLM span by itself, whatever it is inside of",
    ),
    Check(
        id="backend/clash",
        title="No two attributes become one column with different values",
        why="which of them the column gets differs from span to span",
        next="keep one of them",
        look=_clash,
        about=("openobserve",),
        severity=Severity.WARNING,
        compares="The names of attributes, of the span and of its resource, in the form that they have as "
        "columns: in lower case, with `_` for every character that is no letter, digit or `_`. Two names "
        "that become one column, and a name that becomes a column of the span's status or a name that "
        "another attribute is moved to, are a finding if the values differ.",
        source="OpenObserve, names of columns; of two keys for one the last written wins, in the order of a hash map",
    ),
    Check(
        id="backend/base-column",
        title="No attribute takes a column that OpenObserve fills itself",
        why="queries on the column see the attribute, or see it nowhere under its own name",
        next="give the attribute another name",
        look=_base_column,
        about=("openobserve",),
        severity=Severity.WARNING,
        compares="The names of attributes with the base columns, among them `status_code` and `status_message`. From "
        "0.91 on, the server may keep the column and store the attribute beside it as `attr_...`; then the severity "
        "is `info`.",
        source="OpenObserve, reserved columns: 16 names from v0.91 on; before, all but four are overwritten",
    ),
    Check(
        id="backend/removed",
        title="No column that the team names is removed from LLM spans",
        why="it is filled on the span and empty in the back end",
        next="query the columns of the texts instead",
        look=_removed,
        about=("openobserve_columns",),
        severity=Severity.INFO,
        compares="The columns of `openobserve_columns=` with the attributes that the server removes after it has read "
        "their texts.",
        source="OpenObserve, texts: the attributes that they were read from are removed (from v0.60)",
    ),
    Check(
        id="backend/dropped",
        title="Spans start within the time range that OpenObserve accepts",
        why="the server drops them, and answers 200",
        next="do not freeze the time of spans that are to be sent",
        look=_dropped,
        about=("openobserve",),
        severity=Severity.WARNING,
        compares="The start time of each span with the range that the server accepts by default: from 5 hours ago to "
        "24 hours from now.",
        source="OpenObserve, `ZO_INGEST_ALLOWED_UPTO` (5 h) and `ZO_INGEST_ALLOWED_IN_FUTURE` (24 h); rejected with "
        "status 200 or 206",
    ),
    Check(
        id="backend/text",
        title="Numbers that the team queries are stored as numbers",
        why="the server stores every attribute as text: a query that sums or compares it as a number is refused or wrong",  # noqa: E501
        next="CAST it in the query, or query the column that the server computes",
        look=_text,
        about=("openobserve_columns",),
        severity=Severity.INFO,
        compares="The columns of `openobserve_columns=` that come from attributes with numbers. The server stores "
        "these numbers as text.",
        source="OpenObserve, values of attributes: integers, doubles and booleans become strings",
    ),
    Check(
        id="backend/empty-column",
        title="Every column that the team names is on a span",
        why="a panel or alert on it stays empty, and nobody is told",
        next="name the column as it is stored, or set the attribute that it comes from",
        look=_empty_column,
        about=("openobserve_columns",),
        severity=Severity.WARNING,
        compares="The columns of `openobserve_columns=` with the columns of all spans of a trace. Judged only if the "
        "trace has an LLM span.",
        source="OpenObserve, names of columns and the four generations of those that it computes",
        whole_runs_only=True,
    ),
)
