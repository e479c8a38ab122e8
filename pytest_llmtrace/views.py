"""What users hold: spans and exchanges as plain data, with the readers that explain them injected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import (
    Call,
    Exchange,
    Outcome,
    Reading,
    Request,
    Response,
    SpanEvent,
    SpanKey,
    SpanLink,
    SpanRecord,
)

if TYPE_CHECKING:
    from pytest_llmtrace.openobserve import Record as OpenObserveRecord

__all__ = ["ExchangeView", "SpanView", "exchange_views"]


class _ReadOnly(dict[str, Any]):
    """A dictionary that cannot be changed: what a view shows is what the checks judge.

    Not a `MappingProxyType`, which `json.dumps`, `copy.deepcopy` and pytest's comparison of dictionaries do not accept.
    """

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise UsageError("the data of a view is read-only; make a copy to change it: dict(...)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:  # Copies and pickles are ordinary dictionaries.
        return dict, (dict(self),)


@dataclass(frozen=True, kw_only=True, repr=False)
class SpanView:
    """A span, ended or not, as it stood when the view was made.

    Ids are lower-case hexadecimal, as back ends show them; times are nanoseconds since the epoch.

    Attributes:
        record: All that is known of the span; the properties are the part of it that tests ask for.
        reader: Reads the span as an LLM call, for `call`.
    """

    record: SpanRecord
    reader: Callable[[SpanRecord], Reading | None] = field(compare=False)

    def __hash__(self) -> int:
        """Hash by the span's key: attributes cannot be hashed, and views are put into sets."""
        return hash(self.record.key)

    @property
    def name(self) -> str:
        """The span's name."""
        return self.record.name

    @property
    def kind(self) -> str:
        """`INTERNAL`, `CLIENT`, `SERVER`, `PRODUCER` or `CONSUMER`."""
        return self.record.kind

    @property
    def scope(self) -> str:
        """The name of the instrumentation scope, which says who made the span."""
        return self.record.scope

    @property
    def status(self) -> str:
        """`UNSET`, `OK` or `ERROR`."""
        return self.record.status

    @property
    def status_description(self) -> str | None:
        """The description of the status, None if it has none."""
        return self.record.status_description

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The span's attributes; they cannot be changed."""
        return _ReadOnly(self.record.attributes)

    @property
    def events(self) -> tuple[SpanEvent, ...]:
        """The span's events, in order."""
        return self.record.events

    @property
    def links(self) -> tuple[SpanLink, ...]:
        """The span's links, in order."""
        return self.record.links

    @cached_property
    def resource(self) -> Mapping[str, Any]:
        """The attributes of the provider's resource; they cannot be changed."""
        return _ReadOnly(self.record.resource)

    @property
    def key(self) -> SpanKey:
        """The span's identity."""
        return self.record.key

    @property
    def parent(self) -> SpanKey | None:
        """The parent's identity, None for a root."""
        return self.record.parent

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hexadecimal digits."""
        return f"{self.record.key.trace_id:032x}"

    @property
    def span_id(self) -> str:
        """The span's id, 16 hexadecimal digits."""
        return f"{self.record.key.span_id:016x}"

    @property
    def parent_id(self) -> str | None:
        """The parent's span id, None for a root."""
        return None if self.record.parent is None else f"{self.record.parent.span_id:016x}"

    @property
    def start_ns(self) -> int:
        """When it started, in nanoseconds since the epoch."""
        return self.record.start_ns

    @property
    def end_ns(self) -> int | None:
        """When it ended, in nanoseconds since the epoch; None while it is open."""
        return self.record.end_ns

    @property
    def duration(self) -> float | None:
        """How long it took in seconds, None while it is open."""
        return None if self.record.end_ns is None else (self.record.end_ns - self.record.start_ns) / 1e9

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.record.ended is not None

    @cached_property
    def call(self) -> Reading | None:
        """What the span says about its LLM call, None if no dialect reads the span as an LLM call."""
        return self.reader(self.record)

    def openobserve(self, profile: str | None = None) -> OpenObserveRecord:
        """Return the record that OpenObserve stores for the span: a mapping of columns to values.

        Args:
            profile: The releases of OpenObserve: `0.70`, `0.90`, `0.91` or `0.92`, which is the default.

        Raises:
            UsageError: If there is no such profile.
        """
        from pytest_llmtrace import openobserve  # Most tests do not need it.

        return openobserve.record(self.record, profile=profile or openobserve.NEWEST)

    def __repr__(self) -> str:
        state = self.status if self.ended else "not ended"
        return f"<SpanView {self.name!r} ({self.scope}) {self.kind} {state}, {len(self.record.attributes)} attributes>"


@dataclass(frozen=True, kw_only=True, repr=False)
class ExchangeView:
    """A request of the test and what came back, as far as the client has read it.

    Attributes:
        record: All that is known of the exchange; the properties are the part of it that tests ask for.
        reader: Reads the bytes of the exchange as an LLM call, for `truth`.
        spans: The LLM spans of the call that this exchange belongs to, one per scope.
    """

    record: Exchange
    reader: Callable[[Exchange], Reading | None] = field(compare=False)
    spans: tuple[SpanView, ...] = ()

    @property
    def index(self) -> int:
        """Position among the exchanges of the test, from 0."""
        return self.record.index

    @property
    def request(self) -> Request:
        """The request, its body read whole."""
        return self.record.request

    @property
    def response(self) -> Response | None:
        """The response, None if there was none."""
        return self.record.response

    @property
    def chunks(self) -> tuple[bytes, ...]:
        """The chunks of the response body that the client has read."""
        return self.record.response.chunks if self.record.response else ()

    @property
    def offsets(self) -> tuple[float, ...] | None:
        """Seconds from the request to each chunk, as the client was given it; None if there was no response."""
        return self.record.response.offsets if self.record.response else None

    @property
    def outcome(self) -> Outcome:
        """What became of the request.

        `answered` by this trace; `observed`, if something else answered (a mock of yours, an in-process transport, an
        allowed host); `refused`, if nothing did; `failed`, if an exception of the transport came before any response.
        """
        return self.record.outcome

    @property
    def origin(self) -> str:
        """Where the answer came from, in words."""
        return self.record.origin

    @cached_property
    def truth(self) -> Reading | None:
        """What the bytes say about the LLM call, None if the exchange is not an LLM call of a known API."""
        return self.reader(self.record)

    def __repr__(self) -> str:
        status = self.response.status if self.response else self.outcome.value
        return f"<ExchangeView {self.index}: {self.request.method} {self.request.url} {status}, {self.origin}>"


def exchange_views(exchanges: Iterable[Exchange], calls: Iterable[Call]) -> tuple[ExchangeView, ...]:
    """Return views of exchanges, with the readings that pairing has made of them and of their spans."""
    told = {
        exchange.index: (truth, call)
        for call in calls
        for exchange, truth in zip(call.exchanges, call.truths, strict=True)
    }
    return tuple(_exchange_view(exchange, *told.get(exchange.index, (None, None))) for exchange in exchanges)


def _exchange_view(exchange: Exchange, truth: Reading | None, call: Call | None) -> ExchangeView:
    told = zip(call.spans, call.readings, strict=True) if call else ()
    return ExchangeView(
        record=exchange,
        reader=lambda _: truth,
        spans=tuple(_span_view(span, reading) for span, reading in told),
    )


def _span_view(span: SpanRecord, reading: Reading) -> SpanView:
    return SpanView(record=span, reader=lambda _: reading)
