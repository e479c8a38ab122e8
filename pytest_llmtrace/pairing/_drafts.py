"""Drafts of calls: which attempts form one call, by the spans around them and the failures before them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pytest_llmtrace.headers import header
from pytest_llmtrace.model import LOWEST_ERROR, Call, Exchange, Reading, SpanKey, SpanRecord, StreamEnd
from pytest_llmtrace.pairing._matching import model_names
from pytest_llmtrace.tree import Ancestry

__all__ = ["EMBEDDINGS", "Draft", "drafts_of", "is_alike", "open_around", "told_apart", "was_open"]

EMBEDDINGS = "embeddings"
"""The one API whose requests ask for no answer: an answer after a failure of it is no further attempt."""


@dataclass(kw_only=True, slots=True)
class Draft:
    """A call in the making: its attempts with their readings, and its spans by scope.

    `before` has what other calls say that failed inside of one of its spans.
    """

    exchanges: list[Exchange]
    truths: list[Reading]
    by_scope: dict[str, SpanRecord] = field(default_factory=dict)
    inside: list[SpanKey] = field(default_factory=list)
    before: list[Reading] = field(default_factory=list)

    @property
    def first(self) -> Exchange:
        """The first attempt."""
        return self.exchanges[0]

    @property
    def has_failed(self) -> bool:
        """Whether its last attempt has failed."""
        return _failed(self.exchanges[-1], self.truths[-1])

    @property
    def lacks_answer(self) -> bool:
        """Whether its last attempt has failed, or was a stream that was cut."""
        return self.has_failed or _was_cut(self.exchanges[-1], self.truths[-1])

    def add(self, exchange: Exchange, truth: Reading) -> None:
        """Add an attempt."""
        self.exchanges.append(exchange)
        self.truths.append(truth)

    def call(self, readings: dict[SpanKey, Reading]) -> Call:
        """Return the call."""
        spans = tuple(self.by_scope.values())
        return Call(
            exchanges=tuple(self.exchanges),
            spans=spans,
            truths=tuple(self.truths),
            readings=tuple(readings[span.key] for span in spans),
            inside=tuple(self.inside),
        )


def _failed(exchange: Exchange, truth: Reading) -> bool:
    """Tell whether an attempt has failed."""
    if exchange.response is None or exchange.failure is not None:
        return True
    return exchange.response.status >= LOWEST_ERROR or truth.error is not None


def drafts_of(
    read: Iterable[tuple[Exchange, Reading]],
    spans: Sequence[SpanRecord],
    readings: Mapping[SpanKey, Reading],
    ancestry: Ancestry,
) -> tuple[list[Draft], set[SpanKey]]:
    """Group exchanges into drafts, in the order of their first requests, with the spans that were current.

    Args:
        read: The exchanges, in the order of their requests, and what each says.
        spans: All spans of the trace.
        readings: What the LLM spans say.
        ancestry: The ancestry of the LLM spans.

    Returns:
        The drafts, and the spans that were current but only cover a call with a span of its own.
    """
    drafts = sorted(_attempts(read, ancestry), key=lambda draft: draft.first.index)
    inside = _inside_of_failures(drafts, spans)
    covering: set[SpanKey] = set()
    kept = [draft for draft in drafts if not _is_given_up(draft, inside, readings, covering)] if inside else drafts
    return kept, covering


def _attempts(read: Iterable[tuple[Exchange, Reading]], ancestry: Ancestry) -> Iterator[Draft]:
    """Yield drafts, each with the successive attempts of one logical call.

    A request that follows a failure inside the same LLM span is the next attempt, whatever was changed to make it
    succeed (a fallback to another model, or to another provider's API). Without such a span, only the same request from
    the same worker counts as the next attempt.
    """
    open_: dict[object, Draft] = {}
    for exchange, truth in read:
        around = open_around(exchange, ancestry)
        inner = next(iter(around.values()), None)
        ambient, request = exchange.ambient, exchange.request
        alone = (ambient.span, ambient.worker, request.url, request.body)
        same = (inner.key, truth.api == EMBEDDINGS) if inner else alone
        draft = open_.get(same)
        if draft is not None and _is_retry(exchange, draft, spanned=inner is not None):
            draft.add(exchange, truth)
            continue
        if draft is not None:
            yield draft
        open_[same] = Draft(exchanges=[exchange], truths=[truth], by_scope=around)
    yield from open_.values()


def open_around(exchange: Exchange, ancestry: Ancestry) -> dict[str, SpanRecord]:
    """Return by scope the innermost LLM span around a request. A span that had ended by then describes another call."""
    around = ancestry.around(exchange.ambient.span)
    return {scope: span for scope, span in around.items() if span.ended is None or span.ended >= exchange.started}


def was_open(span: SpanRecord, exchange: Exchange) -> bool:
    """Tell whether a span was open when a request was made; it may have been made afterwards, and dated back."""
    began = span.started <= exchange.started or span.start_ns <= exchange.started_ns
    return began and (span.ended is None or span.ended >= exchange.started)


def _is_retry(exchange: Exchange, draft: Draft, *, spanned: bool) -> bool:
    """Tell whether an exchange retries the last attempt of a draft, which has failed.

    The SDKs count their retries in a header; the retry of a client without that header is known by the failure before.
    """
    before = draft.exchanges[-1]
    over = before.ended is not None and before.ended < exchange.started
    if spanned:
        return over and draft.lacks_answer
    return over and draft.has_failed and header(exchange.request.headers, "x-stainless-retry-count") != "0"


def _was_cut(exchange: Exchange, truth: Reading) -> bool:
    """Tell whether a client has read a stream to its end, and found that it was not complete."""
    return truth.truncated is True and exchange.stream_end is StreamEnd.EXHAUSTED


def _inside_of_failures(drafts: Sequence[Draft], spans: Sequence[SpanRecord]) -> dict[SpanKey, list[Draft]]:
    """Return, for each span of a failed draft, the drafts that have a span of the same scope inside it."""
    around = {span.key for draft in drafts if draft.has_failed for span in draft.by_scope.values()}
    inside: dict[SpanKey, list[Draft]] = {}
    if not around:
        return inside
    ancestry = Ancestry(spans, lambda span: span.key in around)
    for draft in drafts:
        for scope, span in draft.by_scope.items():
            outer = ancestry.around(span.parent).get(scope)
            if outer is not None:
                inside.setdefault(outer.key, []).append(draft)
    return inside


def _is_given_up(
    draft: Draft,
    inside: Mapping[SpanKey, Sequence[Draft]],
    readings: Mapping[SpanKey, Reading],
    covering: set[SpanKey],
) -> bool:
    """Tell whether a failed draft is an earlier attempt of a draft inside its spans; if so, merge it into that one.

    A wrapper that retries by calling itself (LiteLLM's `num_retries`) makes the first attempt in its own span, and the
    next in a span of the same scope inside it. Unless the outer span is an error, or names only the model that failed
    where the retry asked another one, it describes how the retry ended.
    """
    if not draft.has_failed:
        return False
    for scope, span in list(draft.by_scope.items()):
        again = next((later for later in inside.get(span.key, ()) if _takes_up(later, draft)), None)
        if again is None or span.status == "ERROR" or _names_only(readings[span.key], draft, again):
            continue
        del draft.by_scope[scope]
        covering.add(span.key)
        if not draft.by_scope:
            again.exchanges[:0], again.truths[:0] = draft.exchanges, draft.truths
            return True
    return False


def _takes_up(later: Draft, draft: Draft) -> bool:
    before = draft.exchanges[-1]
    over = before.ended is not None and before.ended < later.exchanges[-1].started
    return over and is_alike(later, draft) and not later.has_failed


def is_alike(draft: Draft, other: Draft) -> bool:
    """Tell whether two drafts may be attempts of one call: both ask for an answer, or both for embeddings."""
    return (draft.truths[-1].api == EMBEDDINGS) == (other.truths[-1].api == EMBEDDINGS)


def _names_only(reading: Reading, failed: Draft, later: Draft) -> bool:
    """Tell whether a span names the model of a draft that failed, and not that of the later one."""
    named = model_names(reading.request_model, reading.response_model, reading.model)
    before, then = (
        model_names(truth.request_model, truth.response_model) for truth in (failed.truths[-1], later.truths[-1])
    )
    return bool(named & before) and bool(then) and not named & then


def told_apart(drafts: Iterable[Draft], free: Iterable[SpanRecord], ancestry: Ancestry) -> Iterator[Draft]:
    """Yield all drafts, cut where a span that was not current describes a failed attempt alone.

    An instrumentation that makes spans afterwards, and dates them back, makes one for each attempt if each attempt is a
    call to it; so does one whose spans are never current. By its own timestamps, such a span failed and ended before
    the next attempt began. The span of another scope around all attempts stays with the last.
    """
    failures = sorted((span for span in free if span.status == "ERROR" and span.end_ns is not None), key=_end_ns)
    ends = [_end_ns(span) for span in failures]
    for draft in drafts:
        yield from _cut(draft, failures, ends, ancestry) if failures else [draft]


def _cut(draft: Draft, failures: Sequence[SpanRecord], ends: Sequence[int], ancestry: Ancestry) -> Iterator[Draft]:
    start = 0
    for number, (before, after) in enumerate(pairwise(draft.exchanges), start=1):
        between = failures[bisect_left(ends, before.started_ns) : bisect_left(ends, after.started_ns)]
        if any(span.start_ns <= before.started_ns and _may_describe(span, draft, ancestry) for span in between):
            yield Draft(exchanges=draft.exchanges[start:number], truths=draft.truths[start:number])
            start = number
    if start:
        draft.before, draft.truths = draft.truths[:start], draft.truths[start:]
        draft.exchanges = draft.exchanges[start:]
    yield draft


def _may_describe(span: SpanRecord, draft: Draft, ancestry: Ancestry) -> bool:
    """Tell whether a span belongs to a draft that has other spans: it is inside one of these, or of the same worker."""
    if not draft.by_scope or (span.worker is not None and span.worker == draft.first.ambient.worker):
        return True
    around = ancestry.around(span.parent).values()
    return any(own.key == outer.key for own in draft.by_scope.values() for outer in around)


def _end_ns(span: SpanRecord) -> int:
    return span.end_ns or 0
