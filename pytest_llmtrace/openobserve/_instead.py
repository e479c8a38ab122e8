"""The column that was probably meant when somebody names a column that does not exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_llmtrace.openobserve._record import Record
from pytest_llmtrace.openobserve._server import PROFILES, Server, server

__all__ = ["instead"]


def instead(column: str, records: Sequence[Record]) -> str:
    """Return the column that other releases store under this name, else the column with the most similar name.

    Args:
        column: The name of a column that none of the records has.
        records: The records, all of one profile.

    Returns:
        The name of a column that the records have, empty if none is similar.
    """
    import difflib

    there = sorted({name for record in records for name in (*record, *record.unknown)})
    renamed = [name for record in records[:1] for name in _renamed(column, record.server) if name in there]
    return "".join(renamed[:1] or difflib.get_close_matches(column, there, n=1, cutoff=0.75))


def _renamed(column: str, now: Server) -> Iterator[str]:
    """Yield the names by which these releases call a column of other releases; a name that ends in `_` is a prefix."""
    for other in map(server, PROFILES):
        for what, name in other.columns.items():
            if what in now.columns and (column == name or (name.endswith("_") and column.startswith(name))):
                yield now.columns[what] + column.removeprefix(name)
