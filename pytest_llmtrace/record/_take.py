"""Turn an exchange into a recording: what went over the wire, also where it broke off."""

from __future__ import annotations

from pytest_llmtrace import wire
from pytest_llmtrace.model import Exchange, Failure, Recording, StreamEnd

__all__ = ["taken"]

# By the names of the exceptions of httpx and httpx2, and of those with which asyncio and trio cancel tasks. Any other
# failure is recorded as a disconnect.
_FAILURES = {
    "CancelledError": Failure.CANCELLED,
    "Cancelled": Failure.CANCELLED,
    "ConnectError": Failure.CONNECT_ERROR,
    "ConnectTimeout": Failure.CONNECT_TIMEOUT,
    "PoolTimeout": Failure.POOL_TIMEOUT,
    "ProxyError": Failure.PROXY_ERROR,
    "ReadError": Failure.READ_ERROR,
    "ReadTimeout": Failure.READ_TIMEOUT,
    "WriteError": Failure.WRITE_ERROR,
    "WriteTimeout": Failure.WRITE_TIMEOUT,
}


def taken(exchange: Exchange) -> Recording | None:
    """Return the recording of an exchange; `None` if it was not sent to the network, or is not to be recorded."""
    if not exchange.live:
        return None
    return Recording(
        index=exchange.index, request=exchange.request, response=exchange.response, failure=_failure(exchange)
    )


def _failure(exchange: Exchange) -> Failure | None:
    if exchange.stream_end is StreamEnd.EXHAUSTED:
        return None
    if exchange.failure is None:  # The client stopped reading, as SDKs do after the last event.
        if exchange.response is not None and wire.is_whole(exchange.response):
            return None
        return Failure.CANCELLED if exchange.stream_end is StreamEnd.CANCELLED else Failure.ABORTED
    return _FAILURES.get(exchange.failure.partition(":")[0], Failure.DISCONNECT)
