"""When a client got the parts of a stream, as far as the times on a span can be compared with that."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pytest_llmtrace import wire
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._several import answering
from pytest_llmtrace.model import Exchange, MetricPoint

__all__ = ["MEANINGFUL", "UNITS", "Pacing", "Window", "extremes", "pacings", "slack", "time_of"]

MEANINGFUL = 0.05
"""The shortest time, in seconds, that is looked at: shorter times are the machine's own."""

UNITS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""The units of time that a metric may have, in seconds."""


def extremes(point: MetricPoint) -> tuple[float, float]:
    """Return the shortest and the longest measurement in seconds; for both the mean if a view does not keep them."""
    mean = point.value / (point.count or 1)
    lowest = mean if point.lowest is None else point.lowest
    highest = mean if point.highest is None else point.highest
    return lowest * UNITS[point.unit], highest * UNITS[point.unit]


def slack(seconds: float) -> float:
    """Return by how much a time may be off, in seconds: one per cent, and 5 ms for taking the time."""
    return 0.01 * abs(seconds) + 0.005


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """When a client got an event, in seconds from its request: after its chunk came, before it asked for the next."""

    earliest: float
    latest: float

    def widened(self, lead: float) -> Window:
        """Return the window for a clock that was started at most `lead` seconds before the request, with the slack."""
        return Window(earliest=self.earliest - slack(self.earliest), latest=self.latest + lead + slack(self.latest))

    def holds(self, seconds: float) -> bool:
        """Tell whether a time lies within the window."""
        return self.earliest <= seconds <= self.latest


@dataclass(frozen=True, kw_only=True, slots=True)
class Pacing:
    """The times of one stream, beside one span.

    Attributes:
        account: The call and its span.
        first: When the client got the first event.
        piece: When the client got the first piece of what the model wrote; None if there is none.
        last: Seconds from the request to the last chunk that says anything.
        lead: Seconds from the start of the span to the request of the last attempt; earlier attempts are in it.
    """

    account: Account
    first: Window
    piece: Window | None
    last: float
    lead: float


def pacings(accounts: Iterable[Account]) -> tuple[Pacing, ...]:
    """Return the times of each stream that took time, once for each of its accounts."""
    timed = [account for account in accounts if account.exchange.timed]
    return tuple([pacing for account in timed if (pacing := _pacing(account)) is not None])


def time_of(exchange: Exchange) -> float:
    """Return how many seconds a client waited at least until it had a whole response; 0 if that is not known."""
    offsets = _offsets(exchange) if exchange.timed else None
    if offsets is None:
        return 0.0
    progress = wire.progress(exchange)
    return offsets[-1 if progress is None else progress.last]


def _offsets(exchange: Exchange) -> tuple[float, ...] | None:
    """Return when the chunks of a response came; None if that took no time, or the clock did not show the time."""
    offsets = exchange.response.offsets if exchange.response else None
    if not offsets or offsets[-1] < MEANINGFUL or not _clock_ran(exchange, offsets[-1]):
        return None
    return offsets


def _pacing(account: Account) -> Pacing | None:
    exchanges = answering(account.call, account.replies)
    paces = [pace for exchange in exchanges if (pace := _pace(exchange)) is not None]
    if len(paces) < len(exchanges):
        return None
    # A turn of several replies has a first event in each of them.
    pieces = [pace.piece for pace in paces if pace.piece is not None]
    return Pacing(
        account=account,
        first=_spread([pace.first for pace in paces]),
        piece=_spread(pieces) if pieces else None,
        last=paces[-1].last,
        lead=max(0.0, (account.exchange.started_ns - account.span.start_ns) / 1e9),
    )


class _Pace(NamedTuple):
    """When a client got the first event of one stream, the first piece of the content, and the last chunk."""

    first: Window
    piece: Window | None
    last: float


def _pace(exchange: Exchange) -> _Pace | None:
    offsets = _offsets(exchange) if exchange.timed else None
    progress = None if offsets is None else wire.progress(exchange)
    if offsets is None or progress is None or offsets[progress.last] < MEANINGFUL:
        return None
    piece = None if progress.piece is None else _window(exchange, offsets, progress.piece)
    return _Pace(_window(exchange, offsets, progress.first), piece, offsets[progress.last])


def _spread(windows: Sequence[Window]) -> Window:
    return Window(earliest=min(one.earliest for one in windows), latest=max(one.latest for one in windows))


def _clock_ran(exchange: Exchange, seconds: float) -> bool:
    """Tell whether the time of day, by which spans are timed, advanced during the call: a test may have stopped it."""
    return exchange.ended_ns is None or (exchange.ended_ns - exchange.started_ns) / 1e9 >= seconds - slack(seconds)


def _window(exchange: Exchange, offsets: tuple[float, ...], chunk: int) -> Window:
    if chunk + 1 < len(exchange.wanted):
        latest = exchange.wanted[chunk + 1]
    elif exchange.ended_ns is not None:
        latest = (exchange.ended_ns - exchange.started_ns) / 1e9
    else:
        latest = math.inf
    return Window(earliest=offsets[chunk], latest=max(latest, offsets[chunk]))
