"""Chunks come when they are due: at once, on the virtual clock, or for real; and a client does not wait for ever."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
import trio

from pytest_llmtrace import clock
from pytest_llmtrace.model import Answer, Failure, Outcome, Response, StreamEnd

URL = "http://llm.test/answered"
OFFSETS = (200.0, 250.0, 1200.0)
SOON = (0.01, 0.02, 0.05)
PATIENCE = 6000.0


def answer(*offsets: float, **fields: Any) -> Answer:
    chunks = tuple(b"chunk %d" % number for number in range(3))
    return Answer(response=Response(status=200, chunks=chunks, offsets=offsets or None), origin="the script", **fields)


@pytest.fixture
def open_as(trace: Callable[..., Any], script: Any) -> Callable[..., Any]:
    """Return a function that opens a ledger with a timing, and scripts an answer with these offsets."""

    def open_as(timing: str, *offsets: float, **fields: Any) -> Any:
        script.answers["/answered"] = answer(*offsets, **fields)
        return trace(timing=timing)

    return open_as


def reads(driver: Any, *, timeout: float | None = PATIENCE) -> tuple[list[float], type[BaseException] | None]:
    """Read the answer; return the seconds after which each chunk came, and the type of the error at its end, if any."""
    began, seen = time.perf_counter(), []
    response = driver.open(URL, client=driver.client(timeout=timeout))
    try:
        while driver.take(response.stream, 1):
            seen.append(time.perf_counter() - began)
    except driver.library.TransportError as error:
        return seen, type(error)
    finally:
        driver.close_response(response)
    return seen, None


def close_to(*offsets: float) -> Any:
    """Return these moments, give or take 20 seconds: on a busy machine real time goes on within virtual time, too."""
    return pytest.approx(list(offsets), abs=20)


def test_recorded(driver: Any, open_as: Callable[..., Any], virtual: clock.Clock) -> None:
    """Each chunk comes at its recorded moment of virtual time, and the exchange says so."""
    ledger = open_as("recorded", *OFFSETS)
    assert reads(driver) == (close_to(*OFFSETS), None)
    [exchange] = ledger.exchanges()
    assert list(exchange.response.offsets) == close_to(*OFFSETS)
    took = (exchange.ended_ns - exchange.started_ns) / 1e9
    assert [took, virtual.elapsed] == close_to(1200, 1200)


def test_real(driver: Any, open_as: Callable[..., Any]) -> None:
    """Each chunk comes at its recorded moment of real time."""
    open_as("real", *SOON)
    seen, _ = reads(driver)
    assert all(moment >= offset for moment, offset in zip(seen, SOON, strict=True))
    assert seen == close_to(*SOON)


@pytest.mark.parametrize("timing", ["instant", "recorded"])
def test_at_once(driver: Any, open_as: Callable[..., Any], timing: str) -> None:
    """With instant timing, or before virtual time begins (in a fixture), nothing is waited for."""
    open_as(timing, *OFFSETS)
    assert reads(driver) == (close_to(0, 0, 0), None)


@pytest.mark.parametrize(
    "offsets",
    [(), (200.0, 250.0), (200.0, 250.0, 260.0, 270.0), (200.0, 100.0, 300.0), (200.0, float("nan"), 300.0),
     (200.0, 300.0, float("inf")), (-100.0, 200.0, 300.0)],
    ids=["none", "fewer than chunks", "more than chunks", "backwards", "no number", "infinite", "before the request"],
)  # fmt: skip
def test_offsets_that_say_nothing(
    driver: Any, open_as: Callable[..., Any], virtual: clock.Clock, offsets: tuple[float, ...]
) -> None:
    """With unusable offsets the chunks come at once: an invented time would be no better."""
    open_as("recorded", *offsets)
    assert reads(driver) == (close_to(0, 0, 0), None)


@pytest.mark.parametrize(
    ("timing", "offsets", "timeout", "moment"),
    [("recorded", OFFSETS, 500.0, 750.0), ("real", (0.0, 0.01, 60.0), 0.02, 0.03)],
    ids=["recorded", "real"],
)
def test_a_read_timeout_ends_a_wait(
    driver: Any,
    open_as: Callable[..., Any],
    virtual: clock.Clock,
    timing: str,
    offsets: tuple[float, ...],
    timeout: float,
    moment: float,
) -> None:
    """A client with a read timeout of 500 seconds raises 500 seconds after the last chunk that it has received."""
    ledger = open_as(timing, *offsets)
    began = time.perf_counter()
    assert reads(driver, timeout=timeout) == (close_to(*offsets[:2]), driver.library.ReadTimeout)
    took = time.perf_counter() - began
    assert took >= moment
    assert [took] == close_to(moment)
    [exchange] = ledger.exchanges()
    assert (exchange.stream_end, len(exchange.response.chunks)) == (StreamEnd.FAILED, 2)
    text = f"ReadTimeout: no bytes for {timeout:g} s; the next ones come after {offsets[2]:g} s"
    assert exchange.failure == text


@pytest.mark.parametrize(("timing", "waited"), [("recorded", 500.0), ("instant", 0.0)])
def test_before_the_first_byte_there_is_no_response(
    driver: Any, open_as: Callable[..., Any], virtual: clock.Clock, timing: str, waited: float
) -> None:
    """If the client's timeout is over before the first byte, there is no response at all: the request has failed."""
    ledger = open_as(timing, 900.0, 950.0, 1000.0, stalls=True)
    began = time.perf_counter()
    with pytest.raises(driver.library.ReadTimeout, match="no bytes for 500 s; the next ones come after 900 s"):
        driver.open(URL, client=driver.client(timeout=500.0))
    assert [time.perf_counter() - began] == close_to(waited)
    [exchange] = ledger.exchanges()
    assert (exchange.response, exchange.outcome, exchange.stream_end) == (None, Outcome.FAILED, StreamEnd.FAILED)


@pytest.mark.parametrize(
    ("timing", "offsets", "timeout", "waited"),
    [
        ("recorded", OFFSETS, 2000.0, 3200.0),
        ("recorded", (), 2000.0, 2000.0),  # As the chunks come at once, only the timeout is waited for.
        ("recorded", OFFSETS, None, 1200.0),
        ("instant", OFFSETS, 2000.0, 0.0),
        ("real", (), 0.05, 0.05),
    ],
)
def test_a_recorded_timeout_takes_the_client_s_time(
    driver: Any,
    open_as: Callable[..., Any],
    virtual: clock.Clock,
    timing: str,
    offsets: tuple[float, ...],
    timeout: float | None,
    waited: float,
) -> None:
    """The next chunk never comes: a recorded timeout takes as long as this client's timeout, whoever recorded it."""
    ledger = open_as(timing, *offsets, failure=Failure.READ_TIMEOUT)
    began = time.perf_counter()
    seen, error = reads(driver, timeout=timeout)
    assert (len(seen), error) == (3, driver.library.ReadTimeout)
    took = time.perf_counter() - began
    assert took >= waited
    assert [took] == close_to(waited)
    [exchange] = ledger.exchanges()
    assert (exchange.stream_end, exchange.failure) == (StreamEnd.FAILED, "ReadTimeout: the script: read-timeout")
    assert exchange.timed is (timing != "instant" and bool(offsets))


@pytest.mark.parametrize(("timing", "waited"), [("recorded", 500.0), ("instant", 0.0)])
def test_a_timeout_before_the_first_byte_takes_it_too(
    driver: Any, trace: Callable[..., Any], script: Any, virtual: clock.Clock, timing: str, waited: float
) -> None:
    """A recorded timeout before the first byte takes the client's timeout as well, and there is no response."""
    script.answers["/answered"] = Answer(response=Response(status=0), origin="the script", failure=Failure.READ_TIMEOUT)
    ledger, began = trace(timing=timing), time.perf_counter()
    with pytest.raises(driver.library.ReadTimeout, match=r"^the script: read-timeout$"):
        driver.open(URL, client=driver.client(timeout=500.0))
    assert [time.perf_counter() - began] == close_to(waited)
    [exchange] = ledger.exchanges()
    assert (exchange.response, exchange.outcome, exchange.stream_end) == (None, Outcome.FAILED, StreamEnd.FAILED)


@pytest.mark.parametrize(("stalls", "raised"), [(True, True), (False, False)])
def test_a_stall_times_out_at_once(driver: Any, open_as: Callable[..., Any], stalls: bool, raised: bool) -> None:
    """With instant timing, a wait that is a fault still ends by the client's timeout; a wait of the model does not."""
    open_as("instant", *OFFSETS, stalls=stalls)
    seen, error = reads(driver, timeout=500.0)
    assert (len(seen), error) == ((2, driver.library.ReadTimeout) if raised else (3, None))
    assert seen == close_to(*[0] * len(seen))


def test_a_stall_that_a_client_bears_is_none(driver: Any, open_as: Callable[..., Any]) -> None:
    """A client with a timeout that is long enough, or with none, gets the rest of a stalled stream."""
    open_as("instant", *OFFSETS, stalls=True)
    assert [reads(driver, timeout=timeout) for timeout in (1000.0, None)] == [(close_to(0, 0, 0), None)] * 2


@pytest.mark.parametrize("way", ["in the pool", "at once"])
def test_the_timeout_is_known_wherever_it_is_answered(
    driver: Any, open_as: Callable[..., Any], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's timeout is known whether a request is answered at the client or, past a mock, in the pool."""
    open_as("instant", *OFFSETS, stalls=True)
    if way == "in the pool":
        from pytest_llmtrace.intercept import _pool_tap

        monkeypatch.setattr(_pool_tap, "asks_first", lambda method: False)
    assert reads(driver, timeout=500.0)[1] is driver.library.ReadTimeout


# --- at the same time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_parallel_streams_take_the_time_of_one(
    library: str, open_as: Callable[..., Any], virtual: clock.Clock, backend: str
) -> None:
    """Three streams of 1,200 seconds that are read at the same time take 1,200 seconds."""
    import importlib

    ledger, http = open_as("recorded", *OFFSETS), importlib.import_module(library)

    async def read(client: Any) -> None:
        async with client.stream("POST", URL) as response:
            await response.aread()

    async def in_asyncio() -> None:
        async with http.AsyncClient(timeout=PATIENCE) as client:
            await asyncio.gather(*(read(client) for _ in range(3)))

    async def in_trio() -> None:
        async with http.AsyncClient(timeout=PATIENCE) as client, trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(read, client)

    asyncio.run(in_asyncio()) if backend == "asyncio" else trio.run(in_trio)
    assert [list(exchange.response.offsets) for exchange in ledger.exchanges()] == [close_to(*OFFSETS)] * 3
    assert [virtual.elapsed] == close_to(1200)


# --- cancelled -------------------------------------------------------------------------------------------------------


def cancelled_in(backend: str, work: Callable[[Callable[[], object]], Any]) -> None:
    """Run a coroutine function, and cancel it once it has called the function that it was given."""
    if backend == "trio":

        async def in_trio() -> None:
            with trio.CancelScope() as scope:
                await work(scope.cancel)

        trio.run(in_trio)
        return

    async def in_asyncio() -> None:
        task: asyncio.Task[None] = asyncio.create_task(work(lambda: task.cancel()))  # noqa: PLW0108 - there is none yet
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(in_asyncio())


@pytest.mark.filterwarnings("ignore:Async generator .* was garbage collected:ResourceWarning")  # httpx causes them.
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("where", ["waiting", "between chunks"])
@pytest.mark.parametrize("whose", ["ours", "a mock's"])
def test_a_cancelled_stream_says_so(
    library: str, open_as: Callable[..., Any], backend: str, where: str, whose: str
) -> None:
    """If a task is cancelled while it waits for a chunk, or handles one, the stream was cancelled and not closed."""
    import importlib

    import anyio

    ledger, http = open_as("real", 0.0, 60.0, 60.0), importlib.import_module(library)

    async def chunks() -> Any:
        yield b"one"
        await anyio.sleep(60)

    mock = http.MockTransport(lambda request: http.Response(200, content=chunks()))
    options = {"transport": mock} if whose == "a mock's" else {"timeout": 90}

    async def work(cancel: Callable[[], object]) -> None:
        async with (
            http.AsyncClient(**options) as client,
            client.stream("POST", URL) as response,
            contextlib.aclosing(response.aiter_raw()) as raw,
        ):
            async for _ in raw:
                cancel()
                if where == "between chunks":
                    await anyio.sleep(60)

    cancelled_in(backend, work)
    [exchange] = ledger.exchanges()
    assert (exchange.stream_end, exchange.failure) == (StreamEnd.CANCELLED, None)
    assert len(exchange.response.chunks) == 1
