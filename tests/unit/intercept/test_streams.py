"""How far the client has read a stream, and when."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from pytest_llmtrace.model import StreamEnd

pytestmark = pytest.mark.usefixtures("few_objects")
URL = "http://llm.test/answered"


def test_chunks_are_noted_as_they_are_handed_over(driver: Any, ledger: Any) -> None:
    """Before a stream is read its response has no chunks; if it is closed early, the exchange says so."""
    response = driver.open(URL)
    [exchange] = ledger.exchanges()
    assert (exchange.response.status, exchange.response.chunks, exchange.ended) == (200, (), None)
    assert driver.take(response.stream, 1) == [b"one "]
    [exchange] = ledger.exchanges()
    assert (exchange.response.chunks, len(exchange.chunk_ticks), exchange.stream_end) == ((b"one ",), 1, StreamEnd.OPEN)
    assert len(exchange.response.offsets) == 1
    driver.close_response(response)
    assert ledger.exchanges()[0].stream_end is StreamEnd.CLOSED


def test_a_stream_is_drained_once(driver: Any, ledger: Any) -> None:
    """A client (openai 3) iterates over the stream a second time, to drain it: it gets what is left, then nothing."""
    response = driver.open(URL)
    assert driver.take(response.stream, 1) == [b"one "]
    assert driver.take(response.stream) == [b"two"]
    assert driver.take(response.stream) == []
    driver.close_response(response)
    [exchange] = ledger.exchanges()
    assert (exchange.response.chunks, exchange.stream_end) == ((b"one ", b"two"), StreamEnd.EXHAUSTED)


def test_a_foreign_stream_is_drained_once(driver: Any, ledger: Any) -> None:
    """A mock's stream starts over at each iteration; the tap does not, or every chunk would count twice."""
    stream = driver.library.ByteStream(b"all")
    mock = driver.library.MockTransport(lambda request: driver.library.Response(200, stream=stream))
    response = driver.open(URL, client=driver.client(transport=mock))
    assert driver.take(response.stream, 1) == [b"all"]
    assert driver.take(response.stream) == []
    driver.close_response(response)
    assert ledger.exchanges()[0].response.chunks == (b"all",)


def test_every_chunk_read_and_closed_is_exhausted(driver: Any, ledger: Any) -> None:
    """A client that stops at the last chunk, and then closes, has read the whole stream."""
    response = driver.open(URL)
    driver.take(response.stream, 2)
    assert ledger.exchanges()[0].stream_end is StreamEnd.OPEN
    driver.close_response(response)
    assert ledger.exchanges()[0].stream_end is StreamEnd.EXHAUSTED


@pytest.mark.parametrize("taken", [0, 1])
def test_an_abandoned_stream_stays_open(driver: Any, ledger: Any, taken: int) -> None:
    """A stream that is neither read to the end nor closed stays open: garbage collection does not close it."""
    response = driver.open(URL)
    if taken:
        driver.take(response.stream, taken)
    del response
    gc.collect()
    [exchange] = ledger.exchanges()
    assert (exchange.stream_end, exchange.ended) == (StreamEnd.OPEN, None)


def test_a_stream_that_breaks_is_noted(driver: Any, ledger: Any) -> None:
    """A mock's stream may break off in the middle, and the exchange says how."""

    async def async_chunks() -> Any:
        yield b"half"
        raise driver.library.ReadError("gone")

    def chunks() -> Any:
        yield b"half"
        raise driver.library.ReadError("gone")

    def respond(request: Any) -> Any:
        return driver.library.Response(200, content=async_chunks() if driver.is_async else chunks())

    with pytest.raises(driver.library.ReadError, match=r"^gone$"):
        driver.post(URL, client=driver.client(transport=driver.library.MockTransport(respond)))
    [exchange] = ledger.exchanges()
    assert (exchange.stream_end, exchange.failure) == (StreamEnd.FAILED, "ReadError: gone")
    assert exchange.response.chunks == (b"half",)


def test_a_stream_read_after_the_ledger_closed_is_still_noted(driver: Any, ledger: Any) -> None:
    """The exchange is the test's own, however late its client reads."""
    response = driver.open(URL)
    ledger.close()
    driver.take(response.stream)
    driver.close_response(response)
    assert ledger.exchanges()[0].stream_end is StreamEnd.EXHAUSTED
