"""The records of a run in a file: `pytest --llmtrace-report openobserve=FILE` writes it, `dashboard` reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_llmtrace._argtypes import is_count, read_json
from pytest_llmtrace._stdlib import json
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.openobserve._record import Record
from pytest_llmtrace.openobserve._server import server
from pytest_llmtrace.secrets.shapes import masked

__all__ = ["as_file", "as_plain", "load"]

_FORMAT: Final = "pytest-llmtrace openobserve"
_VERSION: Final = 1


def as_plain(records: Iterable[Record], mask: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return records as data that JSON can carry, their texts masked."""
    return [
        {
            "columns": {name: mask(value) if isinstance(value, str) else value for name, value in record.items()},
            "unknown": dict(record.unknown),
            "is_llm": record.is_llm,
            "profile": record.server.name,
        }
        for record in records
    ]


def as_file(tests: Mapping[str, Any]) -> str:
    """Return the content of a file of records, from the data that each test has contributed, by the tests' ids."""
    named: dict[str, list[Any]] = {}
    for test, records in tests.items():  # A parameter, which may be a secret, is part of a test's id.
        named.setdefault(masked(test), []).extend(records)
    content = {"format": _FORMAT, "version": _VERSION, "tests": named}
    return json.dumps(content, indent=1, ensure_ascii=False)


def load(path: Path) -> tuple[Record, ...]:
    """Read the records of a run.

    Raises:
        UsageError: If the file cannot be read, has another format, or has no records, so that each query would fail.
    """
    content = read_json(path)
    if not isinstance(content, Mapping) or (content.get("format"), content.get("version")) != (_FORMAT, _VERSION):
        raise UsageError(
            f"{path} has no records that can be read; pytest --llmtrace-report openobserve={path} writes them"
        )
    try:
        found = tuple(_record(one) for records in content["tests"].values() for one in records)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is damaged: {error!r}") from None
    if not found:
        raise UsageError(f"{path} has no spans: no test of the run that wrote it captured any")
    return found


def _record(plain: Mapping[str, Any]) -> Record:
    for name, value in plain["columns"].items():
        name.encode()  # Raises for a lone surrogate, which no column has.
        if not _is_storable(value):
            raise ValueError(f"the column {name!r:.80} holds {value!r:.80}")
    return Record(
        server=server(plain["profile"]),
        columns=dict(plain["columns"]),
        unknown=dict(plain["unknown"]),
        is_llm=bool(plain["is_llm"]),
    )


def _is_storable(value: Any) -> bool:
    """Tell whether a column may hold a value: a text, a number of 64 bits, or nothing."""
    return value is None or isinstance(value, str | float) or (is_count(value) and -(2**63) <= value < 2**63)
