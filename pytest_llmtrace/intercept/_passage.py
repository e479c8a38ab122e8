"""A request on its way through the port: what is noted about it, and the exchange that this becomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from pytest_llmtrace.clock import now, tick
from pytest_llmtrace.intercept._cancellation import is_cancellation, only_closes
from pytest_llmtrace.model import Ambient, Answer, Exchange, Headers, Outcome, Request, Response, StreamEnd

if TYPE_CHECKING:
    from pytest_llmtrace.errors import UnmatchedRequest
    from pytest_llmtrace.intercept._ledger import Ledger

__all__ = ["Delivery", "Head", "Passage", "carrying", "in_flight"]

_in_flight: ContextVar[Passage | None] = ContextVar("llmtrace_passage", default=None)


class Head(NamedTuple):
    """A response without its body."""

    status: int
    headers: Headers
    reason: str
    http_version: str


class Delivery(NamedTuple):
    """A chunk as it was handed to the client; the offset in seconds from the request."""

    chunk: bytes
    tick: int
    offset: float


class Passage:
    """What happens to one request, noted by the threads that send and read it. `snapshot` freezes it.

    Attributes:
        source: The client library's own request object; only its identity is used.
        by_client: Whether a client's tap has noted the request, and observes its response.
        library: The client library, as `httpx2`.
        origin: Where the answer comes from, in a report's words.
        refusal: The error that refused the request, if it was refused.
        networked: Whether the request was let through to the network.
        timed: Whether the chunks of its answer are waited for, in virtual or real time.
        settled: Whether the request has an answer or a response, was refused, or failed.
        asked: Whether an answer has been asked for.
        barred: Whether a connection was refused that the transport tried to make without passing our patch of the pool.
        patience: Seconds for which the client waits for bytes; None if it waits for ever.
        began: When the request passed, by `clock.now`.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        index: int,
        request: Request,
        ambient: Ambient,
        recorder: object | None,
        library: str,
        source: object,
        patience: float | None,
    ) -> None:
        self.ledger = ledger
        self.request = request
        self.library = library
        self.origin = "another mock"
        self.source: object | None = source
        self.by_client = source is not None
        self.refusal: UnmatchedRequest | None = None
        self.networked = False
        self.timed = False
        self._recorder = recorder
        self._to_record = recorder is not None and not ledger.never_records(request)
        self.barred = False
        self.settled = False
        self.asked = False
        self._index = index
        self._ambient = ambient
        self._outcome = Outcome.OBSERVED
        self._head: Head | None = None
        self._deliveries: list[Delivery] = []
        self._wanted: list[float] = []
        self._stream_end = StreamEnd.OPEN
        self._ended: tuple[int, int] | None = None
        self._failure: str | None = None
        self._unparsed: str | None = None
        self.patience = patience
        self.began = now()
        self._started = (tick(), time_ns())

    @property
    def host(self) -> str:
        """The host that the request names, in lower case."""
        return urlsplit(self.request.url).hostname or ""

    @property
    def port(self) -> int:
        """The port that the request names, or the default of its scheme."""
        url = urlsplit(self.request.url)
        with suppress(ValueError):  # No TCP port, such as 70000: the request is refused by its host.
            return url.port or {"https": 443, "wss": 443}.get(url.scheme, 80)
        return 0

    @property
    def allowed(self) -> bool:
        """Whether the request may go to the network."""
        to_record = self._recorder is not None and self.ledger.is_open
        return to_record or self.ledger.hosts.allow(self.host, self.port)

    def claims(self, host: str, port: int | None) -> bool:
        """Tell whether a connection to that host would be made on behalf of this request."""
        return not self.settled and host.lower() == self.host and port in {None, self.port}

    def ask(self) -> Answer | None:
        """Ask for an answer, and return it; only the first place that the request passes asks, later ones get None."""
        if self.asked:
            return None
        self.asked = True
        answer = self.ledger.answer(self.request)
        if answer is not None:
            self._settle(Outcome.ANSWERED)
            self.origin = answer.origin
        return answer

    def refuse(self, why: str = "") -> UnmatchedRequest:
        """Return the error that refuses the request, always the same; the answerers say why, if it is not given."""
        if self.refusal is None:
            self.refusal = self.ledger.refusal(self, why)
            self._settle(Outcome.REFUSED)
            self.origin = "nobody"
            self._end(StreamEnd.FAILED, str(self.refusal))
        return self.refusal

    def fail(self, error: BaseException) -> None:
        """Note that the request ended with an exception; if there is a response already, its stream broke."""
        if self._head is None and self.refusal is None:
            self._settle(Outcome.FAILED)
        self._end(StreamEnd.FAILED, f"{type(error).__name__}: {error}")

    def break_off(self, error: BaseException) -> None:
        """Note an exception that ends a wait of the client's: its task was cancelled, or its stream broke."""
        if not is_cancellation(error):
            self.fail(error)
        elif only_closes():
            self.close()
        else:
            self.cancel()

    def respond(self, head: Head) -> None:
        """Note the response that the client is about to get."""
        self.settled = True
        self._head = head

    def want(self) -> None:
        """Note that the client asks for the next chunk."""
        if self._takes_time and self._ended is None and len(self._wanted) == len(self._deliveries):
            self._wanted.append(now() - self.began)

    def deliver(self, chunk: bytes) -> None:
        """Note a chunk that is handed to the client now."""
        if self._ended is None:
            self._deliveries.append(Delivery(chunk, tick(), now() - self.began))

    def exhaust(self, unparsed: str | None = None) -> None:
        """Note that the client has reached the end of the body, and the text that it could not parse, if any."""
        self._end(StreamEnd.EXHAUSTED, unparsed=unparsed)

    def close(self, unparsed: str | None = None) -> None:
        """Note that the client has closed the body before its end, and the text that it could not parse, if any."""
        self._end(StreamEnd.CLOSED, unparsed=unparsed)

    def cancel(self) -> None:
        """Note that the client's task was cancelled while it read the body."""
        self._end(StreamEnd.CANCELLED)

    def snapshot(self) -> Exchange:
        """Return the exchange as it stands now."""
        deliveries = tuple(self._deliveries)
        ended, ended_ns = self._ended or (None, None)
        return Exchange(
            index=self._index,
            request=self.request,
            response=self._response(deliveries),
            outcome=self._outcome,
            origin=self._origin(),
            ambient=self._ambient,
            started=self._started[0],
            started_ns=self._started[1],
            chunk_ticks=tuple(delivery.tick for delivery in deliveries),
            ended=ended,
            ended_ns=ended_ns,
            stream_end=self._stream_end,
            failure=self._failure,
            unparsed=self._unparsed,
            live=self.networked and self._to_record,
            recorder=self._recorder,
            timed=self._takes_time,
            wanted=tuple(self._wanted),
        )

    @property
    def _takes_time(self) -> bool:
        return self.timed or self.networked

    def _origin(self) -> str:
        if not self.networked or self._outcome not in {Outcome.OBSERVED, Outcome.FAILED}:
            return self.origin
        return "the network (recording)" if self._to_record else "the network (host allowed)"

    def _response(self, deliveries: tuple[Delivery, ...]) -> Response | None:
        if self._head is None:
            return None
        chunks = tuple(delivery.chunk for delivery in deliveries)
        offsets = tuple(delivery.offset for delivery in deliveries)
        return Response(chunks=chunks, offsets=offsets, **self._head._asdict())

    def _settle(self, outcome: Outcome) -> None:
        self.settled = True
        self._outcome = outcome

    def _end(self, how: StreamEnd, failure: str | None = None, unparsed: str | None = None) -> None:
        if self._ended is None:
            self._ended = (tick(), time_ns())
            self._stream_end = how
            self._failure = failure
            self._unparsed = unparsed
            self.source = None


def in_flight() -> Passage | None:
    """Return the request on whose behalf the running code works; None if there is none."""
    return _in_flight.get()


@contextmanager
def carrying(passage: Passage) -> Iterator[None]:
    """Let the code in the block, down to the sockets, know which request it works for."""
    before = _in_flight.get()
    _in_flight.set(passage)
    try:
        yield
    finally:
        _in_flight.set(before)
