"""The spans of a test as a stream of OpenObserve: rows, and SQL on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_llmtrace.openobserve._record import Record

__all__ = ["Stream"]


class Stream:
    """What OpenObserve stores for some spans.

    Args:
        records: Their records, all of one profile.
        name: The name of the stream in queries: `SELECT ... FROM "default"`.
    """

    def __init__(self, records: Sequence[Record], *, name: str = "default") -> None:
        self._records = tuple(records)
        self._name = name

    def __repr__(self) -> str:
        return f"<Stream {self._name!r}, {len(self._records)} spans>"

    def rows(self) -> tuple[Record, ...]:
        """Return the records, in the order in which their spans started."""
        return self._records

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Run a query by Apache DataFusion, the engine of OpenObserve (extra `sql`), and return its rows.

        Raises:
            QueryError: If OpenObserve would refuse the query, or the query asks for what only a server knows.
            UsageError: If the engine is not installed, or the query is not a text.
        """
        __tracebackhide__ = True
        from pytest_llmtrace.openobserve.sql import query as run  # Its engine is an extra.

        return run(query, self._records, stream=self._name)
