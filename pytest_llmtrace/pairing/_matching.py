"""Match calls with spans that were not current, by ids, workers, answers, models and times."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import product

from pytest_llmtrace.model import Exchange, Reading, SpanRecord, Worker

__all__ = ["Matching", "fits", "model_names", "traits_of_call", "traits_of_span"]

Traits = Mapping[str, Sequence[object]]
"""The traits by which a call or a span may be recognised: the values of each by name; none if it says nothing."""

Names = tuple[str, ...]
Key = tuple[object, ...]
Keys = AbstractSet[Key]

_ANY = object()

# The traits that are compared together, the surest first. An answer that only one call got and only one span states is
# surer than a worker, since an instrumentation that makes spans afterwards may do so in any worker. A worker does one
# thing at a time. Where an instrumentation starts its spans in other threads than the requests, the answers distinguish
# calls that tasks make at the same time, and what was asked those with equal answers, or with none.
_BY_ID: tuple[Names, ...] = (("id", "worker"), ("id",))
_ONCE: tuple[Names, ...] = (("text",), ("tool",))
_BY_ANSWER: tuple[Names, ...] = (
    ("worker", "answer", "model"),
    ("worker", "model"),
    ("worker",),
    *(
        (part, *more, "model")
        for part in ("answer", "text", "tools", "counts", "failed")
        for more in (("prompt", "asked"), ("prompt",), ("asked",), ())
    ),
)
_NAMELESS: Keys = frozenset({(None,), (_ANY,)})
_BY_TIME: tuple[Names, ...] = (("prompt", "asked", "model"), ("prompt", "model"), ("asked", "model"), ("model",))

_ASKED = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "choice_count",
)


def model_names(*models: object) -> frozenset[str]:
    """Return the names that models go by: `openai/gpt-4o` of a gateway is `gpt-4o` as well."""
    named = [model for model in models if isinstance(model, str) and model]
    return frozenset(named) | {model.rpartition("/")[2] for model in named}


def fits(reading: Reading, truth: Reading) -> bool:
    """Tell whether a span and a call may name the same model; a side that names no model fits any."""
    asked = model_names(truth.request_model, truth.response_model)
    named = model_names(reading.request_model, reading.response_model)
    return not asked or not named or bool(asked & named)


def _traits(reading: Reading, worker: Worker | None, *, failed: bool) -> dict[str, Sequence[object]]:
    """Return the traits of a call that both the bytes and a span may state, in the same form."""
    said = (text for text in _listed(reading.output_texts) if isinstance(text, str))
    texts = "".join("".join(text.split()) for text in said)  # Instrumentations may strip or join texts.
    ids = [call.get("id") for call in _listed(reading.tool_calls) if isinstance(call, Mapping)]
    tools = tuple(sorted(map(str, ids)))
    counts = _plain(reading, "input_tokens", "output_tokens")
    counted = any(count is not None for count in counts)
    return {
        "id": _if(isinstance(reading.response_id, str) and reading.response_id, reading.response_id),
        "worker": _if(worker is not None, worker),
        "answer": _if(texts or tools or failed or counted, (texts, tools, counts, failed)),
        "text": _if(texts, texts),
        "tools": _if(tools, tools),
        "tool": tuple({tool: None for tool in ids if isinstance(tool, str) and tool}),  # Some name the first alone.
        "counts": _if(counted, counts),
        "failed": _if(failed, "failed"),
        "asked": (_plain(reading, *_ASKED),),
        "prompt": _last_asked(reading),
    }


def _last_asked(reading: Reading) -> tuple[object, ...]:
    """Return the last text that the model is given: the one in which calls of the same code differ most."""
    pieces = [piece.get("text") for piece in _listed(reading.input_messages) if isinstance(piece, Mapping)]
    texts = [text for text in pieces if isinstance(text, str) and text]
    return ("".join(texts[-1].split()),) if texts else ()


def _plain(reading: Reading, *names: str) -> tuple[object, ...]:
    """Return the values of facts; None for a value that is not plain, as a user's dialect may return it."""
    values = (getattr(reading, name) for name in names)
    return tuple(value if isinstance(value, str | int | float) else None for value in values)


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _if(told: object, value: object) -> tuple[object, ...]:
    return (value,) if told else ()


def traits_of_call(exchange: Exchange, truth: Reading, *, failed: bool) -> Traits:
    """Return the traits by which a call may be recognised.

    Args:
        exchange: The attempt of the call that is matched, its first or its last.
        truth: What the bytes of its last attempt say.
        failed: Whether the last attempt failed.
    """
    asked = model_names(truth.request_model, truth.response_model)
    models = (*asked, None) if asked else (_ANY,)
    return {**_traits(truth, exchange.ambient.worker, failed=failed), "model": models}


def traits_of_span(span: SpanRecord, reading: Reading) -> Traits:
    """Return the traits by which a span may be recognised."""
    models = model_names(reading.request_model, reading.response_model) or (None,)
    return {**_traits(reading, span.worker, failed=span.status == "ERROR"), "model": (*models, _ANY)}


@dataclass(kw_only=True)
class Matching:
    """The calls that lack a span of one scope, and the spans of that scope that no call has.

    Attributes:
        calls: The traits of each call.
        exchanges: The attempt of each call that is matched, in the order of `calls`.
        weak: Whether each call may get a span by time and model alone, in the order of `calls`.
        spans: The spans.
        told: The traits of each span, in the order of `spans`.
    """

    calls: Sequence[Traits]
    exchanges: Sequence[Exchange]
    weak: Sequence[bool]
    spans: Sequence[SpanRecord]
    told: Sequence[Traits]

    def found(self) -> Iterator[tuple[int, int]]:
        """Yield the index of a call and that of its span, the surest match first."""
        self._calls_left = set(range(len(self.calls)))
        self._spans_left = set(range(len(self.spans)))
        for names in _BY_ID:
            yield from self._sweep(names)
        yield from self._made_afterwards()
        for names in _ONCE:
            yield from self._sweep(names, only=self._told_once(names))
        for names in _BY_ANSWER:
            yield from self._sweep(names)
        # If one call of a model lacks a span and one span names the model, they match even if all else in the span is
        # wrong.
        yield from self._sweep(("model",), only=self._told_once(("model",)) - _NAMELESS)
        self._calls_left = {call for call in self._calls_left if self.weak[call]}
        for names in _BY_TIME:
            yield from self._sweep(names)

    # --- time ---

    def _sweep(self, names: Names, only: Keys | None = None) -> Iterator[tuple[int, int]]:
        """Match calls, in the order of requests, with open spans that share these traits; then with dated-back ones."""
        yield from self._swept(names, only, lambda span: span.started, lambda exchange: exchange.started)
        # By its own timestamps, since an instrumentation may make the span afterwards and date it back.
        yield from self._swept(names, only, lambda span: span.start_ns, lambda exchange: exchange.started_ns)

    def _swept(
        self,
        names: Names,
        only: Keys | None,
        start: Callable[[SpanRecord], int],
        passed: Callable[[Exchange], int],
    ) -> Iterator[tuple[int, int]]:
        if not (self._calls_left and self._spans_left) or only == frozenset():
            return
        to_open = sorted(self._spans_left, key=lambda span: start(self.spans[span]), reverse=True)
        heaps: defaultdict[object, list[tuple[float, int, int]]] = defaultdict(list)
        for call in sorted(self._calls_left, key=lambda call: passed(self.exchanges[call])):
            while to_open and start(self.spans[to_open[-1]]) <= passed(self.exchanges[call]):
                span = to_open.pop()
                for key in _keys(self.told[span], names, only):
                    heappush(heaps[key], self._rank(span))
            found = (heaps[key] for key in _keys(self.calls[call], names, only) if key in heaps)
            tops = [top for heap in found if (top := self._top(heap, call))]
            if tops:
                yield self._take(call, min(tops)[-1])

    def _rank(self, span: int) -> tuple[float, int, int]:
        # The span that ends first is taken: of two nested ones the inner one, and the later ones stay open for the
        # calls that follow.
        record = self.spans[span]
        return (math.inf if record.ended is None else record.ended, -record.started, span)

    def _top(self, heap: list[tuple[float, int, int]], call: int) -> tuple[float, int, int] | None:
        """Return the first span that is free and open, and drop those before it, which will never be again."""
        while heap and (heap[0][-1] not in self._spans_left or heap[0][0] < self.exchanges[call].started):
            heappop(heap)
        return heap[0] if heap else None

    def _made_afterwards(self) -> Iterator[tuple[int, int]]:
        """Match by the response id alone spans that were started after the request, when the answer was there."""
        late: defaultdict[object, list[int]] = defaultdict(list)
        for span in sorted(self._spans_left, key=lambda span: self.spans[span].started, reverse=True):
            for key in self.told[span]["id"]:
                late[key].append(span)
        for call in sorted(self._calls_left, key=lambda call: self.exchanges[call].started):
            for key in self.calls[call]["id"]:
                started = self.exchanges[call].started
                while late[key] and self.spans[late[key][-1]].started < started:
                    late[key].pop()
                if late[key]:
                    yield self._take(call, late[key].pop())

    def _told_once(self, names: Names) -> Keys:
        """Return the keys that only one of the calls that are left shares with only one of the spans that are left."""
        asked = Counter(key for call in self._calls_left for key in _keys(self.calls[call], names))
        told = Counter(key for span in self._spans_left for key in _keys(self.told[span], names))
        return frozenset(key for key, times in asked.items() if times == told[key] == 1)

    def _take(self, call: int, span: int) -> tuple[int, int]:
        self._calls_left.discard(call)
        self._spans_left.discard(span)
        return call, span


def _keys(traits: Traits, names: Names, only: Keys | None = None) -> Iterator[Key]:
    """Yield the keys for these traits, each with one value per trait: a call and a span with a common key match."""
    keys = product(*(traits[name] for name in names))
    return keys if only is None else filter(only.__contains__, keys)
