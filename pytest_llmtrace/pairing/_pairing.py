"""Pair exchanges with spans.

The span that is current when a request passes, and its ancestors, are the best evidence of which spans describe the
call. Ids, workers and times are used only where an instrumentation did not make its span current, as some do not for
streams.

Everything here takes n log n steps, since a load test has ten thousand calls.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import accumulate

from pytest_llmtrace import dialects, wire
from pytest_llmtrace._collector import uncollected
from pytest_llmtrace.model import Call, Exchange, LogRecord, Pairing, Reading, SpanKey, SpanRecord, Stray
from pytest_llmtrace.pairing._attempts import joined
from pytest_llmtrace.pairing._drafts import EMBEDDINGS, Draft, drafts_of, open_around, told_apart
from pytest_llmtrace.pairing._fetched import fetched
from pytest_llmtrace.pairing._matching import Matching, fits, traits_of_call, traits_of_span
from pytest_llmtrace.pairing._turns import is_turn, share_spans
from pytest_llmtrace.tree import Ancestry

__all__ = ["match", "pair"]


def pair(exchanges: Iterable[Exchange], spans: Iterable[SpanRecord]) -> tuple[Call, ...]:
    """Pair the LLM exchanges of a trace with its LLM spans.

    Args:
        exchanges: The exchanges, in the order of their requests; those that are not LLM calls are skipped.
        spans: All spans of the trace, in the order of their start.

    Returns:
        One call for each logical call, retries grouped, each with one span per scope (none if nothing reported it).
    """
    return match(exchanges, spans).calls


@uncollected
def match(exchanges: Iterable[Exchange], spans: Iterable[SpanRecord], logs: Iterable[LogRecord] = ()) -> Pairing:
    """Pair as `pair` does, and return also the LLM spans that belong to no call.

    Args:
        exchanges: As for `pair`.
        spans: As for `pair`.
        logs: Log records, among which may be events that complete what spans say.
    """
    spans, exchanges = tuple(spans), tuple(exchanges)
    readings = {span.key: reading for span in spans if (reading := dialects.read(span)) is not None}
    ancestry = Ancestry(spans, lambda span: span.key in readings)
    read = ((exchange, truth) for exchange in exchanges if (truth := wire.read(exchange)) is not None)
    drafts, covering = drafts_of(read, spans, readings, ancestry)
    empty = {key for key, reading in readings.items() if not reading.facts}
    _withhold(empty, drafts)
    covering |= _claim(drafts, readings)
    free = _without_call([span for span in spans if span.key in readings], drafts)
    if free:
        left = [span for span in free if span.key not in covering and span.key not in empty]
        drafts, given_up = _match_free(drafts, left, readings, ancestry)
        free += given_up
    _give_out([span for span in spans if span.key in empty], drafts, readings, ancestry)
    share_spans(drafts)
    _add_notes(drafts, spans, readings)
    _add_events(drafts, logs, readings)
    left = _without_call(free, drafts) if free else []
    fetches = fetched(exchanges, drafts, left, readings, ancestry)
    strays = _without_call(left, drafts) if left else []
    around = _around(drafts, spans) if strays else frozenset()
    return Pairing(
        calls=tuple([draft.call(readings) for draft in drafts]),
        strays=tuple([Stray(span=span, reading=readings[span.key], covers=span.key in around) for span in strays]),
        fetches=tuple([fetch.call(readings) for fetch in fetches]),
    )


def _without_call(spans: Iterable[SpanRecord], drafts: Iterable[Draft]) -> list[SpanRecord]:
    """Return the spans that describe no call."""
    taken = {span.key for draft in drafts for span in draft.by_scope.values()}
    return [span for span in spans if span.key not in taken]


def _around(drafts: Iterable[Draft], spans: Iterable[SpanRecord]) -> AbstractSet[SpanKey]:
    """Return all spans around the requests of calls, and around the calls' spans; each is visited once."""
    parents = {span.key: span.parent for span in spans}
    around: set[SpanKey] = set()
    for draft in drafts:
        for inner in (draft.first.ambient.span, *(span.parent for span in draft.by_scope.values())):
            key = inner
            while key is not None and key not in around:
                around.add(key)
                key = parents.get(key)
    return around


# --- spans that were current -----------------------------------------------------------------------------------------


def _claim(drafts: Sequence[Draft], readings: dict[SpanKey, Reading]) -> set[SpanKey]:
    """Keep each span only for the call that it describes; return those that only cover calls which have other spans."""
    if len(drafts) == 1:
        return set()
    claims: dict[SpanKey, list[Draft]] = {}
    for draft in drafts:
        for span in draft.by_scope.values():
            claims.setdefault(span.key, []).append(draft)
    shared = {key: several for key, several in claims.items() if len(several) > 1}
    if not shared:
        return set()
    innermost = {id(draft): next(iter(draft.by_scope.values())).key for draft in drafts if draft.by_scope}
    covering = set()
    for key, several in shared.items():
        if is_turn(several) or _is_batch(key, several, innermost):
            continue
        told = _told_of(readings[key], several, [draft for draft in several if innermost[id(draft)] == key])
        others = [draft for draft in several if draft is not told]
        for draft in others:
            draft.by_scope = {scope: span for scope, span in draft.by_scope.items() if span.key != key}
        if told is None:
            covering.add(key)
            continue
        told.before += [draft.truths[-1] for draft in others if draft.has_failed]
        for draft in others:
            draft.inside.append(key)
    return covering


def _set_aside(
    drafts: Sequence[Draft], free: Sequence[SpanRecord], ancestry: Ancestry
) -> list[tuple[Draft, SpanRecord]]:
    """Take from the calls the spans inside of which another span of their scope was open, though it was not current.

    That inner span may describe the call, as it would if it had been current.
    """
    inside: dict[SpanKey, list[SpanRecord]] = {}
    for span in free:
        outer = ancestry.around(span.parent).get(span.scope)
        if outer is not None:
            inside.setdefault(outer.key, []).append(span)
    if not inside:
        return []
    open_until = {key: _open_until(spans) for key, spans in inside.items()}
    found = [
        (draft, outer)
        for draft in drafts
        for outer in draft.by_scope.values()
        if outer.key in inside and _is_any_open(draft.exchanges[-1].started, *open_until[outer.key])
    ]
    for draft, outer in found:
        del draft.by_scope[outer.scope]
    return found


def _open_until(spans: Iterable[SpanRecord]) -> tuple[list[int], list[float]]:
    """Return the ticks at which spans started, sorted, and until when any of those that had started was open."""
    times = sorted((span.started, math.inf if span.ended is None else span.ended) for span in spans)
    return [started for started, _ in times], list(accumulate((ended for _, ended in times), max))


def _is_any_open(tick: int, started: Sequence[int], until: Sequence[float]) -> bool:
    at = bisect_right(started, tick)
    return at > 0 and until[at - 1] >= tick


def _put_back(outer: Iterable[tuple[Draft, SpanRecord]]) -> list[SpanRecord]:
    """Give calls for which no other span was found their outer span back; return the outer spans of all others."""
    left = {span.key: span for draft, span in outer if draft.by_scope.setdefault(span.scope, span) is not span}
    return list(left.values())


def _let_go(drafts: Iterable[Draft], readings: Mapping[SpanKey, Reading]) -> list[SpanRecord]:
    """Take from calls that follow failed ones the spans around all of them that name the model which failed."""
    left = []
    for draft in [draft for draft in drafts if draft.before and len(draft.by_scope) > 1]:
        for span in list(draft.by_scope.values()):
            reading = readings[span.key]
            if not fits(reading, draft.truths[-1]) and any(fits(reading, truth) for truth in draft.before):
                left.append(draft.by_scope.pop(span.scope))
    return left


def _is_batch(key: SpanKey, several: Iterable[Draft], innermost: Mapping[int, SpanKey]) -> bool:
    """Tell whether a span describes all of several calls: embeddings, in as many requests as the API needs."""
    return all(draft.truths[-1].api == EMBEDDINGS and innermost[id(draft)] == key for draft in several)


def _told_of(reading: Reading, inside: Sequence[Draft], alone: Sequence[Draft]) -> Draft | None:
    """Return which of several calls inside one LLM span the span describes, None if it only surrounds them.

    Args:
        reading: What the span says.
        inside: The calls.
        alone: The calls that have no other LLM span inside this one.
    """
    named = [draft for draft in inside if reading.response_id and draft.truths[-1].response_id == reading.response_id]
    if named:
        return named[-1]
    candidates = alone or inside
    succeeded = [draft for draft in candidates if not draft.has_failed]
    if not alone and len(succeeded) != 1:
        return None
    fitting = [draft for draft in succeeded if fits(reading, draft.truths[-1])]
    if not alone and not fitting and any(fits(reading, draft.truths[-1]) for draft in candidates):
        return None  # It names the model that failed before the fallback, and both calls have spans of their own.
    return (fitting or succeeded or candidates)[-1]


# --- spans that say nothing ------------------------------------------------------------------------------------------


def _withhold(empty: AbstractSet[SpanKey], drafts: Iterable[Draft]) -> None:
    """Take LLM spans that state no fact at all away from the calls inside them, until `_give_out`.

    A framework may mark as an LLM span a step that only reads a stream which another span describes.
    """
    for draft in drafts if empty else ():
        draft.by_scope = {scope: span for scope, span in draft.by_scope.items() if span.key not in empty}


def _give_out(
    empty: Sequence[SpanRecord], drafts: Sequence[Draft], readings: dict[SpanKey, Reading], ancestry: Ancestry
) -> None:
    """Give each LLM span without facts to the last call inside it that no other span of its scope describes.

    A span that was not current, as MLflow's are not, goes to a call of its worker that no span describes.
    """
    left = {span.key for span in empty}
    for draft in reversed(drafts) if empty else ():
        for scope, span in open_around(draft.first, ancestry).items():
            if scope not in draft.by_scope and span.key in left:
                left.discard(span.key)
                draft.by_scope[scope] = span
    untold = [draft for draft in drafts if not draft.by_scope and draft.first.ambient.worker is not None]
    if left and untold:
        _match(untold, 0, [span for span in empty if span.key in left], readings, set())


# --- notes -----------------------------------------------------------------------------------------------------------


def _add_notes(drafts: Sequence[Draft], spans: Iterable[SpanRecord], readings: dict[SpanKey, Reading]) -> None:
    """Add what a note (a span that only completes another) says to its call's span of that scope, by response id."""
    notes = [(span.scope, note) for span in spans if (note := dialects.read_note(span)) is not None]
    if not notes:
        return
    by_id: dict[object, list[SpanKey]] = {}
    for draft in drafts:
        for scope, span in draft.by_scope.items():
            by_id.setdefault((scope, draft.truths[-1].response_id), []).append(span.key)
    for scope, note in notes:
        of = by_id.get((scope, note.response_id))
        if of:
            key = of.pop(0)  # Recordings may repeat an id; the notes come in the order of the calls.
            readings[key] = _completed(readings[key], note)


def _add_events(drafts: Sequence[Draft], logs: Iterable[LogRecord], readings: dict[SpanKey, Reading]) -> None:
    """Add to what a span says about a call what its own events say, and the events emitted as log records in it."""
    by_span: dict[SpanKey, list[LogRecord]] = {}
    for log in logs:
        if log.span in readings and log.event_name:
            by_span.setdefault(log.span, []).append(log)
    for span in [span for draft in drafts for span in draft.by_scope.values()]:
        beside = by_span.pop(span.key, ())
        for said in (dialects.read_own_events(span), dialects.read_events(span, beside) if beside else None):
            if said is not None:
                readings[span.key] = _completed(readings[span.key], said)


def _completed(reading: Reading, note: Reading) -> Reading:
    """Join what a span and a note say: what only one of them states is added, what both state has two places."""
    again = (fact for name, fact in note.facts.items() if name in reading.facts)
    return replace(
        reading,
        facts={**reading.facts, **note.facts, **reading.facts},
        places={**note.places, **reading.places},
        others=(*reading.others, *again, *note.others),
        problems=(*reading.problems, *note.problems),
    )


# --- spans that were not current -------------------------------------------------------------------------------------


def _match_free(
    drafts: Sequence[Draft], free: Sequence[SpanRecord], readings: dict[SpanKey, Reading], ancestry: Ancestry
) -> tuple[list[Draft], list[SpanRecord]]:
    """Match calls with spans that were not current; return the calls, and the spans that calls gave up for these."""
    apart = list(told_apart(drafts, free, ancestry))
    outer = _set_aside(apart, free, ancestry)
    _find(apart, free, readings)
    given_up = _put_back(outer) + _let_go(apart, readings)
    is_complete = len(apart) == 1 or all(draft.by_scope for draft in apart)
    return apart if is_complete else joined(apart), given_up


def _find(drafts: Sequence[Draft], free: Sequence[SpanRecord], readings: dict[SpanKey, Reading]) -> None:
    """Find, for each scope, the spans that describe calls although they were not current.

    The id of the response is the strongest evidence, then the worker in which both the span and the request were
    started, then the answer, since frameworks start the spans of tasks in threads of a pool. Any other span must at
    least have been open at the time, and name the same model.
    """
    by_scope: dict[str, list[SpanRecord]] = {}
    for span in free:
        by_scope.setdefault(span.scope, []).append(span)
    # A call that has a span already gets no other one on evidence as weak as time and model.
    weak = {id(draft) for draft in drafts if not draft.by_scope or draft.first.ambient.worker is None}
    for scope, spans in by_scope.items():
        lacking = [draft for draft in drafts if scope not in draft.by_scope]
        left = _match(lacking, 0, spans, readings, weak)
        # An instrumentation that makes a span for each attempt may make none for those that failed.
        retried = [draft for draft in lacking if len(draft.exchanges) > 1 and scope not in draft.by_scope]
        if left and retried:
            _match(retried, -1, left, readings, weak)


def _match(
    lacking: Sequence[Draft],
    attempt: int,
    spans: Sequence[SpanRecord],
    readings: dict[SpanKey, Reading],
    weak: set[int],
) -> list[SpanRecord]:
    """Give each draft the span of one scope that fits its attempt of that index; return the spans that are left."""
    exchanges = [draft.exchanges[attempt] for draft in lacking]
    matching = Matching(
        calls=[
            traits_of_call(exchange, draft.truths[-1], failed=draft.has_failed)
            for exchange, draft in zip(exchanges, lacking, strict=True)
        ],
        exchanges=exchanges,
        weak=[id(draft) in weak for draft in lacking],
        spans=spans,
        told=[traits_of_span(span, readings[span.key]) for span in spans],
    )
    taken = set()
    for call, found in matching.found():
        lacking[call].by_scope[spans[found].scope] = spans[found]
        taken.add(found)
    return [span for number, span in enumerate(spans) if number not in taken]
