"""What somebody means who names a column that does not exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_llmtrace.openobserve._record import Record
from pytest_llmtrace.openobserve._server import PROFILES, Server, server

__all__ = ["instead"]


def instead(column: str, records: Sequence[Record]) -> str:
    """Return the column of records that other releases call so, else the one that is called most like it.

    Args:
        column: One that none of them has.
        records: All of one profile.

    Returns:
        A column, empty if there is none.
    """
    import difflib

    there = sorted({name for record in records for name in (*record, *record.unknown)})
    renamed = [name for record in records[:1] for name in _renamed(column, record.server) if name in there]
    return "".join(renamed[:1] or difflib.get_close_matches(column, there, n=1, cutoff=0.75))


def _renamed(column: str, now: Server) -> Iterator[str]:
    """Yield what releases call what others have in a column; a name that ends in `_` is the beginning of several."""
    for other in map(server, PROFILES):
        for what, name in other.columns.items():
            if what in now.columns and (column == name or (name.endswith("_") and column.startswith(name))):
                yield now.columns[what] + column.removeprefix(name)
