"""Which of the spans that were not current tell of which calls, by ids, workers, models and times."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from pytest_llmtrace.model import Exchange, Reading, SpanRecord

__all__ = ["Matching", "fits", "model_names"]

Keys = Callable[[int], Iterable[object]]
"""Under which keys a call is looked for, or a span can be found, by its number."""

_ANY = object()


def model_names(*models: object) -> frozenset[str]:
    """Return the names that models go by: `openai/gpt-4o` of a gateway is `gpt-4o` as well."""
    named = [model for model in models if isinstance(model, str) and model]
    return frozenset(named) | {model.rpartition("/")[2] for model in named}


def fits(reading: Reading, truth: Reading) -> bool:
    """Tell whether a span may name the model of a call; who names none fits all."""
    asked = model_names(truth.request_model)
    named = model_names(reading.request_model, reading.response_model)
    return not asked or not named or bool(asked & named)


@dataclass(kw_only=True)
class Matching:
    """The calls that lack a span of one scope, and the spans of that scope that no call has.

    Attributes:
        exchanges: The first attempt of each call.
        truths: What was answered in the end, in the same order.
        weak: Whether a call may have a span for which only time and model speak, in the same order.
        spans: The spans.
        readings: What each says, in the same order.
    """

    exchanges: Sequence[Exchange]
    truths: Sequence[Reading]
    weak: Sequence[bool]
    spans: Sequence[SpanRecord]
    readings: Sequence[Reading]

    def found(self) -> Iterator[tuple[int, int]]:
        """Yield the numbers of a call and of its span, the surest first."""
        self._calls_left = set(range(len(self.exchanges)))
        self._spans_left = set(range(len(self.spans)))
        for call_keys, span_keys in (
            (self._id_and_worker_of_call, self._id_and_worker_of_span),
            (self._id_of_call, self._id_of_span),
        ):
            yield from self._sweep(call_keys, span_keys)
        yield from self._made_afterwards()
        yield from self._answered_once()
        for call_keys, span_keys in (
            (self._worker_and_model_of_call, self._worker_and_model_of_span),
            (self._worker_of_call, self._worker_of_span),
            (self._model_of_call, self._model_of_span),
        ):
            yield from self._sweep(call_keys, span_keys)

    # --- keys ---

    def _id_of_call(self, call: int) -> Iterator[object]:
        yield from _text(self.truths[call].response_id)

    def _id_of_span(self, span: int) -> Iterator[object]:
        yield from _text(self.readings[span].response_id)

    def _worker_of_call(self, call: int) -> Iterator[object]:
        worker = self.exchanges[call].ambient.worker
        if worker is not None:
            yield worker

    def _worker_of_span(self, span: int) -> Iterator[object]:
        worker = self.spans[span].worker
        if worker is not None:
            yield worker

    def _id_and_worker_of_call(self, call: int) -> Iterator[object]:
        return zip(self._id_of_call(call), self._worker_of_call(call), strict=False)

    def _id_and_worker_of_span(self, span: int) -> Iterator[object]:
        return zip(self._id_of_span(span), self._worker_of_span(span), strict=False)

    def _worker_and_model_of_call(self, call: int) -> Iterator[object]:
        for worker in self._worker_of_call(call):
            yield from ((worker, name) for name in self._names_of_call(call))

    def _worker_and_model_of_span(self, span: int) -> Iterator[object]:
        for worker in self._worker_of_span(span):
            yield from ((worker, name) for name in self._names_of_span(span))

    def _answer_of_call(self, call: int) -> Iterator[str]:
        if self.weak[call]:
            yield from _answer(self.truths[call])

    def _model_of_call(self, call: int) -> Iterator[object]:
        return iter(self._names_of_call(call) if self.weak[call] else ())

    def _model_of_span(self, span: int) -> Iterator[object]:
        return iter(self._names_of_span(span))

    def _names_of_call(self, call: int) -> Iterable[object]:
        asked = model_names(self.truths[call].request_model)
        return {*asked, None} if asked else {_ANY}

    def _names_of_span(self, span: int) -> Iterable[object]:
        reading = self.readings[span]
        return {*(model_names(reading.request_model, reading.response_model) or {None}), _ANY}

    # --- time ---

    def _sweep(self, call_keys: Keys, span_keys: Keys) -> Iterator[tuple[int, int]]:
        """Match in the order of the requests those that share a key and were open; then those dated back."""
        yield from self._swept(call_keys, span_keys, lambda span: span.started, lambda exchange: exchange.started)
        # By its own times: an instrumentation may make the span afterwards and date it back.
        yield from self._swept(call_keys, span_keys, lambda span: span.start_ns, lambda exchange: exchange.started_ns)

    def _swept(
        self,
        call_keys: Keys,
        span_keys: Keys,
        start: Callable[[SpanRecord], int],
        passed: Callable[[Exchange], int],
    ) -> Iterator[tuple[int, int]]:
        to_open = sorted(self._spans_left, key=lambda span: start(self.spans[span]), reverse=True)
        heaps: defaultdict[object, list[tuple[float, int, int]]] = defaultdict(list)
        for call in sorted(self._calls_left, key=lambda call: passed(self.exchanges[call])):
            while to_open and start(self.spans[to_open[-1]]) <= passed(self.exchanges[call]):
                span = to_open.pop()
                for key in span_keys(span):
                    heappush(heaps[key], self._rank(span))
            tops = [top for key in call_keys(call) if key in heaps and (top := self._top(heaps[key], call))]
            if tops:
                yield self._take(call, min(tops)[-1])

    def _rank(self, span: int) -> tuple[float, int, int]:
        # The one that ends first: the inner of two that are nested, and no call is left over that could have had one.
        record = self.spans[span]
        return (math.inf if record.ended is None else record.ended, -record.started, span)

    def _top(self, heap: list[tuple[float, int, int]], call: int) -> tuple[float, int, int] | None:
        """Return the first that is free and open, and drop those before it: they will not be so again."""
        while heap and (heap[0][-1] not in self._spans_left or heap[0][0] < self.exchanges[call].started):
            heappop(heap)
        return heap[0] if heap else None

    def _made_afterwards(self) -> Iterator[tuple[int, int]]:
        """Match by the id alone spans that were started when the answer was there already."""
        late: defaultdict[object, list[int]] = defaultdict(list)
        for span in sorted(self._spans_left, key=lambda span: self.spans[span].started, reverse=True):
            for key in self._id_of_span(span):
                late[key].append(span)
        for call in sorted(self._calls_left, key=lambda call: self.exchanges[call].started):
            for key in self._id_of_call(call):
                started = self.exchanges[call].started
                while late[key] and self.spans[late[key][-1]].started < started:
                    late[key].pop()
                if late[key]:
                    yield self._take(call, late[key].pop())

    def _answered_once(self) -> Iterator[tuple[int, int]]:
        """Match what only one call was answered, and only one span says: a worker that makes spans may be any."""
        asked = Counter(key for call in self._calls_left for key in self._answer_of_call(call))
        told = Counter(key for span in self._spans_left for key in _answer(self.readings[span]))
        once = {key for key, times in asked.items() if times == told[key] == 1}
        if once:
            yield from self._sweep(
                lambda call: once.intersection(self._answer_of_call(call)),
                lambda span: once.intersection(_answer(self.readings[span])),
            )

    def _take(self, call: int, span: int) -> tuple[int, int]:
        self._calls_left.discard(call)
        self._spans_left.discard(span)
        return call, span


def _text(value: object) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value


def _answer(reading: Reading) -> Iterator[str]:
    """Yield what was answered, white space left out: calls made at the same time are told apart by nothing else."""
    said = "".join("".join(text.split()) for text in reading.output_texts or () if isinstance(text, str))
    yield from _text(said)
    for asked in reading.tool_calls or ():
        yield from _text(asked.get("id") if isinstance(asked, Mapping) else None)
