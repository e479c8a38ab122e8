"""Attempts of one call in a span that was not current, which was given to one of them only."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_llmtrace.model import Worker
from pytest_llmtrace.pairing._drafts import Draft, is_alike, was_open

__all__ = ["joined"]


def joined(drafts: Iterable[Draft]) -> list[Draft]:
    """Return the drafts; one without a span is joined to its neighbour whose span was open for both.

    They are neighbours if the same worker made one after the other, and the first of them got no answer. A span that is
    current holds such attempts together, whatever was changed between them, and so does one that is not.
    """
    by_worker: dict[Worker | None, list[Draft]] = {}
    for draft in drafts:
        row = by_worker.setdefault(draft.first.ambient.worker, [])
        row.append(draft)
        while len(row) > 1 and _is_next(row[-2], row[-1]):
            after = row.pop()
            _join(row[-1], after)
    return sorted((draft for row in by_worker.values() for draft in row), key=lambda draft: draft.first.index)


def _is_next(before: Draft, after: Draft) -> bool:
    ended = before.exchanges[-1].ended
    if bool(before.by_scope) == bool(after.by_scope) or before.first.ambient.worker is None:
        return False
    if not before.lacks_answer or ended is None or ended > after.first.started:
        return False
    spans = (before.by_scope or after.by_scope).values()
    open_for_both = (was_open(span, before.first) and was_open(span, after.exchanges[-1]) for span in spans)
    return is_alike(before, after) and all(open_for_both)


def _join(before: Draft, after: Draft) -> None:
    before.exchanges += after.exchanges
    before.truths += after.truths
    before.by_scope = before.by_scope or after.by_scope
    before.inside += after.inside
