"""Each way leaves a stream as its name says, whatever kind of stream a function returns."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import pytest
import trio
import wrapt

from pytest_llmtrace import LLMTrace, UnmatchedRequest, UsageError
from pytest_llmtrace.exits import ASYNC_WAYS, WAYS, Exits

pytestmark = pytest.mark.usefixtures("few_objects")
Run = Callable[[Exits, Callable[[], Any]], Any]
ITEMS = ["a", "b", "c"]


class Log(list[str]):
    """The events in the life of a stream, in order."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Log how a block inside the stream's own code ends."""
        try:
            yield
        except BaseException as error:
            self.append(type(error).__name__)
            raise
        else:
            self.append("ended")


class Stream:
    """A stream like those of the SDKs: an iterator and context manager with a `close` method."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._items = iter(ITEMS)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._log.append("left" if kind is None else f"left by {kind.__name__}")

    def close(self) -> None:
        self._log.append("closed")


class AsyncStream:
    """Its asynchronous counterpart; SDKs call its closing method `close` too."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._items = iter(ITEMS)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        await _turn()
        for item in self._items:
            return item
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._log.append("left" if kind is None else f"left by {kind.__name__}")

    async def close(self) -> None:
        self._log.append("closed")


class Wrapped(wrapt.ObjectProxy):  # type: ignore[type-arg]
    """A stream as instrumentors wrap it: by its methods it is both synchronous and asynchronous."""

    def __iter__(self) -> Iterator[str]:
        return iter(self.__wrapped__)

    def __aiter__(self) -> AsyncIterator[str]:
        return aiter(self.__wrapped__)


def generator(log: Log) -> Iterator[str]:
    with log.watching():
        yield from ITEMS


@contextmanager
def manager(log: Log) -> Iterator[Iterator[str]]:
    with log.watching():
        yield iter(ITEMS)


async def agenerator(log: Log) -> AsyncIterator[str]:
    with log.watching():
        for item in ITEMS:
            await _turn()
            yield item


async def astream(log: Log) -> AsyncStream:
    return AsyncStream(log)


@asynccontextmanager
async def amanager(log: Log) -> AsyncIterator[AsyncIterator[str]]:
    with log.watching():
        yield agenerator(Log())


async def _turn() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        await trio.lowlevel.checkpoint()
    else:
        await asyncio.sleep(0)


def plainly(exits: Exits, source: Callable[[], Any]) -> Any:
    return exits.run(source)


def under_asyncio(exits: Exits, source: Callable[[], Any]) -> Any:
    return asyncio.run(exits.arun(source))


def under_trio(exits: Exits, source: Callable[[], Any]) -> Any:
    return trio.run(exits.arun, source)


# By way: the end that a generator sees, and the one that a stream in the SDKs' form sees.
SEEN = {
    "drained": ("ended", None),
    "break": ("GeneratorExit", "left"),
    "close": ("GeneratorExit", "closed"),
    "dropped": ("GeneratorExit", None),
    "consumer-raises": ("GeneratorExit", "left by ConsumerError"),
    "wrapper-closed": ("GeneratorExit", None),
    "cancelled": ("CancelledError", "left by CancelledError"),
}
SERVED = ("read-timeout", "truncated", "disconnected")
"""The ways in which the server ends the stream while the consumer drains it."""


def test_all_ways_are_proved() -> None:
    """All ways are in these tables; a synchronous stream cannot be cancelled, but has all other ways."""
    assert set(ASYNC_WAYS) == {*SEEN, *SERVED}
    assert [way for way in ASYNC_WAYS if way not in WAYS] == ["cancelled"]


@pytest.mark.parametrize("way", [way for way in SEEN if way in WAYS])
@pytest.mark.parametrize(
    ("make", "of_sdk"),
    [(generator, False), (Stream, True), (lambda log: Wrapped(Stream(log)), True)],
    ids=["generator", "stream", "wrapped"],
)
def test_a_synchronous_stream_is_left(way: str, make: Callable[[Log], Any], of_sdk: bool) -> None:
    """The stream sees once how it is left, and the consumer gets the items up to then."""
    log = Log()
    with LLMTrace() as trace:
        got = Exits(trace, way).run(lambda: make(log))
    assert got == (ITEMS if way == "drained" else ["a"])
    assert log == [seen for seen in [SEEN[way][of_sdk]] if seen]


@pytest.mark.parametrize("run", [plainly, under_asyncio, under_trio])
@pytest.mark.parametrize("way", SEEN)
@pytest.mark.parametrize(
    ("make", "of_sdk"),
    [(agenerator, False), (astream, True), (lambda log: Wrapped(AsyncStream(log)), True)],
    ids=["generator", "stream", "wrapped"],
)
def test_an_asynchronous_stream_is_left(run: Run, way: str, make: Callable[[Log], Any], of_sdk: bool) -> None:
    """The same holds for asynchronous streams under any loop, and in a loop of its own from a plain test."""
    log = Log()
    with LLMTrace(allow_unused="no call is made") as trace:
        got = run(Exits(trace, way), lambda: make(log))
    assert got == (ITEMS if way == "drained" else ["a"])
    expected = SEEN[way][of_sdk]
    if run is under_trio and expected:
        expected = expected.replace("CancelledError", "Cancelled")
    assert log == [seen for seen in [expected] if seen]


@pytest.mark.parametrize("way", [way for way in SEEN if way in WAYS])
def test_a_context_manager_is_entered(way: str) -> None:
    """If a function returns a context manager, it is entered to get the stream."""
    log, alog = Log(), Log()
    with LLMTrace() as trace:
        Exits(trace, way).run(lambda: manager(log))
        Exits(trace, way).run(lambda: amanager(alog))
    gc.collect()
    expected = {"consumer-raises": "ConsumerError", "wrapper-closed": "GeneratorExit", "dropped": "GeneratorExit"}
    assert log == alog == [expected.get(way, "ended")]


@pytest.mark.parametrize("way", SERVED)
def test_what_the_server_breaks_off_may_raise(way: str) -> None:
    """If the server breaks a stream off, the application may raise anything; the items before it are returned."""

    def breaks() -> Iterator[str]:
        yield "a"
        raise ConnectionError

    with LLMTrace(allow_unused="no call is made") as trace:
        assert Exits(trace, way).run(breaks) == ["a"]
        assert trace.judge()[0].leftovers == ()


def test_any_other_exception_is_the_tests() -> None:
    """An error of the stream itself, a refusal of this package or a mistake in the code always reaches the test."""

    def raises(error: Exception) -> Iterator[str]:
        yield "a"
        raise error

    with LLMTrace(allow_unused="no call is made") as trace:
        with pytest.raises(ConnectionError):
            Exits(trace, "drained").run(lambda: raises(ConnectionError()))
        with pytest.raises(UnmatchedRequest):
            Exits(trace, "truncated").run(lambda: raises(UnmatchedRequest()))
        with pytest.raises(KeyError, match="usage"):
            Exits(trace, "truncated").run(lambda: raises(KeyError("usage")))


def test_wrong_use_is_said() -> None:
    """An unknown way, a synchronous stream to be cancelled, a loop within a loop, and a non-stream are usage errors."""

    async def answered() -> str:
        return "hi"

    async def within_a_loop(exits: Exits) -> None:
        exits.run(lambda: agenerator(Log()))

    with LLMTrace(allow_unused="no call is made") as trace:
        with pytest.raises(UsageError, match=r"unknown way to leave a stream 'drian': did you mean 'drained'\?"):
            Exits(trace, "drian")
        with pytest.raises(UsageError, match="a synchronous stream cannot be cancelled"):
            Exits(trace, "cancelled").run(lambda: generator(Log()))
        with pytest.raises(UsageError, match=r"run takes the streaming function itself, not \[1\]: run\(stream_chat\)"):
            Exits(trace, "drained").run([1])  # type: ignore[arg-type]
        for way in ("drained", "dropped", "truncated"):
            with pytest.raises(UsageError, match=r"this one returned None: let it yield or return its stream$"):
                Exits(trace, way).run(lambda: None)
            with pytest.raises(UsageError, match=r"this one returned 'hi': let it yield or return its stream$"):
                asyncio.run(Exits(trace, way).arun(answered))
            with pytest.raises(
                UsageError, match=r"this one returned \['a', 'b', 'c'\]: let it yield or return its stream$"
            ):
                Exits(trace, way).run(lambda: list(generator(Log())))
            with pytest.raises(UsageError, match=r"^this stream is synchronous: call llmtrace_exits\.run\(\.\.\.\), w"):
                asyncio.run(Exits(trace, way).arun(lambda: generator(Log())))
        with pytest.raises(UsageError, match=r"this stream is asynchronous: await llmtrace_exits\.arun\(\.\.\.\)"):
            asyncio.run(within_a_loop(Exits(trace, "drained")))
