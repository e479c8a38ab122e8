"""SQL over the records of spans, by the engine that OpenObserve uses: Apache DataFusion, the extra `sql`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.errors import QueryError, UsageError
from pytest_llmtrace.openobserve._functions import ABSENT, NAMES, functions
from pytest_llmtrace.openobserve._instead import instead
from pytest_llmtrace.openobserve._record import Record, typed_columns

__all__ = ["NotReproducible", "is_in_text", "query"]


class NotReproducible(QueryError):
    """A query asks for a value or a function that only a server has."""


_MISSING = 'SQL on spans needs Apache DataFusion: pip install "pytest-llmtrace[sql]"'
_HISTOGRAM = re.compile(r"\bhistogram\s*\(\s*([^,()]+?)\s*\)", re.IGNORECASE)
_EVERYTHING = re.compile(r"(?:select|distinct|[,.])\s*\*", re.IGNORECASE)
_NAME = re.compile(r"\w+")
_APART = re.compile(r"""("(?:[^"]|"")*")|'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/""", re.DOTALL)
"""Quoted names, as the group; and texts and comments, where a word is not the name of anything."""
_NO_SIGNATURE = re.compile(r"No function matches the given name and argument types '(\w+)\(([^']*)\)'")
_ELSE = re.compile(r"(?: Did you mean .*?)? Valid fields are .*")
"""The engine's advice on names, to be cut off: it knows only the columns that the query names."""
_NO_FIELD = re.compile(r"No field named \S*?(\w+)\W*(?:\s|$)")
_CALL = re.compile(rf"\b({'|'.join(ABSENT)})\s*\(", re.IGNORECASE)


def query(sql: str, records: Sequence[Record], *, stream: str = "default") -> list[dict[str, Any]]:
    """Run a query over records, and return its rows.

    Args:
        sql: A SELECT; the stream is the table.
        records: The records, all of one profile.
        stream: The stream's name.

    Raises:
        QueryError: If the engine refuses the query, or the query names a function that the view does not offer, or a
            column whose values only a server knows.
        UsageError: If the engine is not installed, or the query is not a text.
    """
    __tracebackhide__ = True
    if not isinstance(sql, str):
        raise UsageError(f"a query must be a string, not {sql!r}")
    bare = _bare(sql)
    _refuse_functions(bare)
    _refuse_unknown(bare, records)
    names = None if _EVERYTHING.search(bare) else {name.lower() for name in _NAME.findall(bare)}
    refused: list[str] = []
    run = _session(_columns(records, names), stream, refused)
    try:
        rows: list[dict[str, Any]] = run(_HISTOGRAM.sub(r"histogram(\1, '')", sql)).to_pylist()
    except Exception as error:  # noqa: BLE001  # DataFusion raises plain exceptions of several types.
        missing = _NO_FIELD.search(str(error))
        near = instead(missing[1], records) if missing else ""
        said = refused[0] if refused else _in_words(error) + (f" Did you mean {near}?" if near else "")
        why = "" if records else " No span was captured, so there are no columns."
        raise QueryError(f"OpenObserve would refuse this query: {said}{why}") from None
    return rows


def _bare(sql: str) -> str:
    """Return a query without its string literals and comments."""
    return _APART.sub(lambda match: match[1] or ("''" if match[0].startswith("'") else " "), sql)


def is_in_text(sql: str, place: int) -> bool:
    """Tell whether a position in a query is within one of its quoted texts."""
    return any(part.start() < place < part.end() and part[0].startswith("'") for part in _APART.finditer(sql))


def _session(columns: Mapping[str, list[Any]], stream: str, refused: list[str]) -> Callable[[str], Any]:
    """Return a function that only runs queries: one from a foreign file must neither write to the disk nor read it."""
    try:
        import pyarrow as pa
        from datafusion import SessionContext, SQLOptions
    except ImportError:
        raise UsageError(_MISSING) from None
    session = SessionContext()
    for function in functions(refused):
        session.register_udf(function)
    session.from_arrow(pa.table({name: _array(pa, values) for name, values in columns.items()}), name=_quoted(stream))
    reading = SQLOptions().with_allow_ddl(allow=False).with_allow_dml(allow=False).with_allow_statements(allow=False)
    return lambda sql: session.sql_with_options(sql, reading)


def _quoted(name: str) -> str:
    """Return a name in quotes, in which neither upper case nor a dot has a meaning."""
    return '"{}"'.format(name.replace('"', '""'))


def _columns(records: Sequence[Record], names: set[str] | None) -> dict[str, list[Any]]:
    """Return the columns that the query names, with their values; `trace_id` always, since a table needs a column."""
    there = {name for names in {tuple(record.columns) for record in records} for name in names}
    wanted = there if names is None else there & (names | {"trace_id"})
    typed = typed_columns(records)
    return {name: _values(name, records, typed.get(name)) for name in sorted(wanted)}


def _values(name: str, records: Sequence[Record], read: Callable[[str], float | None] | None) -> list[Any]:
    values = [record.columns.get(name) for record in records]
    return values if read is None else [read(value) if isinstance(value, str) else value for value in values]


def _array(pa: Any, values: Iterable[Any]) -> Any:
    """Return the values of a column for the engine: as numbers, or all as text if there is a text among them."""
    kinds = {type(value) for value in values} - {type(None)}
    if str in kinds:
        texts = [None if value is None else str(value) for value in values]
        try:
            return pa.array(texts, type=pa.string())
        except UnicodeEncodeError:  # Lone surrogates: the export sends `?` for them, too.
            return pa.array([text and text.encode("utf-8", "replace").decode() for text in texts], type=pa.string())
    return pa.array(values, type=pa.float64() if float in kinds else pa.int64())


def _refuse_functions(sql: str) -> None:
    found = _CALL.search(sql)
    if found is not None:
        raise NotReproducible(f"{found[1].lower()}() is a function of OpenObserve that is not available here")


def _refuse_unknown(sql: str, records: Sequence[Record]) -> None:
    unknown: Mapping[str, str] = {name: why for record in records for name, why in record.unknown.items()}
    for name in _NAME.findall(sql):
        if name.lower() in unknown:
            of = sum(name.lower() in record.unknown for record in records)
            raise NotReproducible(
                f"{name.lower()} is not reproducible on {of} of {len(records)} spans: {unknown[name.lower()]}"
            )


def _in_words(error: Exception) -> str:
    """Return the engine's message, without its guesses at a fault of its own and without its lists of signatures."""
    said = str(error).strip().replace("\n", " ")
    refused = _NO_SIGNATURE.search(said)
    if refused is None:
        return _ELSE.sub("", said)
    is_text = refused[2].startswith("Utf8") and refused[1] not in NAMES
    advice = "; values that a client sends are text there: use CAST(... AS INT)" if is_text else ""
    return f"{refused[1]}() does not take {refused[2]}{advice}"
