"""Turns that a reply paused, and that the next request continues: one span may describe all of their calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pytest_llmtrace import wire
from pytest_llmtrace.pairing._drafts import Draft, was_open

__all__ = ["is_turn", "share_spans"]


def is_turn(drafts: Sequence[Draft]) -> bool:
    """Tell whether each of several calls, in the order of their requests, continues the one before."""
    return all(_continues(after, before) for before, after in pairwise(drafts))


def _continues(after: Draft, before: Draft) -> bool:
    if not wire.is_paused(before.truths[-1]) or not _is_over(before, after):
        return False
    end = _end(before)
    return end is not None and end == wire.resumed_at(after.first.request)


def share_spans(drafts: Sequence[Draft]) -> None:
    """Give the span of one call of a turn to all of its calls, if it was open for all of their requests.

    Such a span was not current, or it was given to the call that it names. Where other calls of the turn have spans of
    the same scope, each span describes its own call.
    """
    for turn in _turns(drafts):
        for scope in dict.fromkeys(scope for draft in turn for scope in draft.by_scope):
            [span, *others] = {
                span.key: span for draft in turn if (span := draft.by_scope.get(scope)) is not None
            }.values()
            if others or not all(was_open(span, draft.first) for draft in turn):
                continue
            for draft in turn:
                draft.by_scope.setdefault(scope, span)
                draft.inside = [key for key in draft.inside if key != span.key]


def _turns(drafts: Sequence[Draft]) -> Iterator[list[Draft]]:
    """Yield the calls of each turn that takes several, in the order of their requests."""
    paused = [draft for draft in drafts if wire.is_paused(draft.truths[-1])]
    if not paused:
        return
    resumed: dict[object, list[Draft]] = {}
    for draft in reversed(drafts):
        end = wire.resumed_at(draft.first.request)
        if end is not None:
            resumed.setdefault(end, []).append(draft)
    turns: dict[int, list[Draft]] = {}
    for draft in paused:
        after = _next(draft, resumed.get(_end(draft), []))
        if after is not None:
            turn = turns.pop(id(draft), [draft])
            turns[id(after)] = [*turn, after]
    yield from turns.values()


def _next(draft: Draft, waiting: list[Draft]) -> Draft | None:
    """Take the call that continues a turn: the first that was made when it was over, which is the last in the list."""
    found = next((at for at in reversed(range(len(waiting))) if _is_over(draft, waiting[at])), None)
    return None if found is None else waiting.pop(found)


def _end(draft: Draft) -> tuple[str, str] | None:
    return wire.paused_at(draft.exchanges[-1])


def _is_over(before: Draft, after: Draft) -> bool:
    ended = before.exchanges[-1].ended
    return ended is not None and ended < after.first.started
