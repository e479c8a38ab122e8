"""Bodies of responses, noted chunk by chunk as the client reads them."""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Iterator
from json import JSONDecodeError
from types import ModuleType
from typing import Any

from pytest_llmtrace.intercept._cancellation import in_hand
from pytest_llmtrace.intercept._passage import Passage
from pytest_llmtrace.intercept._timetable import Timetable
from pytest_llmtrace.model import LEFT, Failure

__all__ = ["Played", "Tapped", "shaped", "time_to_leave"]

_TURNS = 100
"""How many turns other tasks get before a client gets the recorded failure of having left.

The task that cancels the client may need several.
"""
LONGEST_WAIT = 10.0
"""For how many seconds a client that was cancelled when it was recorded waits to be cancelled again.

Its canceller may be a timeout.
"""


class Played:
    """The chunks of an answer. However often it is iterated, each chunk is handed out once.

    Clients do iterate twice: openai 3 drains what is left of a stream after its last event.

    Args:
        passage: The request that is answered.
        chunks: The chunks to hand out.
        failure: The exception to raise after the last chunk; None if the body ends there.
        timetable: When the chunks are due; None if they come at once.
        left: The recorded failure, which may say that the client itself left the stream when it was recorded.
    """

    def __init__(
        self,
        passage: Passage,
        chunks: tuple[bytes, ...],
        failure: Exception | None,
        timetable: Timetable | None,
        *,
        left: Failure | None = None,
    ) -> None:
        self._passage = passage
        self._chunks = chunks
        self._given = 0
        self._failure = failure
        self._timetable = timetable
        self._left = left

    def __iter__(self) -> Iterator[bytes]:
        while self._given < len(self._chunks):
            self._passage.want()
            if self._timetable is not None:
                self._timetable.wait(self._given)
            yield self._next()
        if self._timetable is not None and self._timetable.breaks_off:
            self._timetable.wait(self._given)
        self._finish()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._given < len(self._chunks):
            self._passage.want()
            if self._timetable is not None:
                await self._timetable.wait_async(self._given)
            yield self._next()
        if self._timetable is not None and self._timetable.breaks_off:
            await self._timetable.wait_async(self._given)
        if self._left in LEFT:
            await time_to_leave(self._passage, cancelled=self._left is Failure.CANCELLED)
        self._finish()

    def close(self) -> None:
        """Note that the client is done; if it has got every chunk and no failure follows, it has read to the end."""
        if self._given == len(self._chunks) and self._failure is None:
            self._passage.exhaust(_unparsed())
        else:
            _close(self._passage)
        self._leave()

    async def aclose(self) -> None:
        """Do as `close` does."""
        self.close()

    def _next(self) -> bytes:
        chunk = self._chunks[self._given]
        self._given += 1
        self._passage.deliver(chunk)
        return chunk

    def _finish(self) -> None:
        self._leave()
        if self._failure is not None:
            self._passage.fail(self._failure)
            raise self._failure
        self._passage.exhaust()

    def _leave(self) -> None:
        if self._timetable is not None:
            self._timetable.leave()
            self._timetable = None


class Tapped:
    """A body that another mock or the network gave. All iterations share one iterator, so no chunk is noted twice."""

    def __init__(self, passage: Passage, stream: Any) -> None:
        self._passage = passage
        self._stream = stream
        self._iterator: Any = None

    def __iter__(self) -> Iterator[bytes]:
        self._iterator = self._iterator or iter(self._stream)
        self._passage.want()
        try:
            for chunk in self._iterator:
                self._passage.deliver(chunk)
                yield chunk
                self._passage.want()
        except Exception as error:
            self._passage.fail(error)
            raise
        self._passage.exhaust()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._iterator = self._iterator or aiter(self._stream)
        self._passage.want()
        try:
            async for chunk in self._iterator:
                self._passage.deliver(chunk)
                yield chunk
                self._passage.want()
        except BaseException as error:
            if not isinstance(error, GeneratorExit):  # That only says that the iterator was dropped: the body is open.
                self._passage.break_off(error)
            raise
        self._passage.exhaust()

    def close(self) -> None:
        """Note that the client is done, and close the body."""
        _close(self._passage)
        if hasattr(self._stream, "close"):
            self._stream.close()

    async def aclose(self) -> None:
        """Note that the client is done, and close the body."""
        _close(self._passage)
        if hasattr(self._stream, "aclose"):
            await self._stream.aclose()


async def time_to_leave(passage: Passage, *, cancelled: bool) -> None:
    """Give other tasks turns to cancel the client here, as in the recording: replay itself takes no time for that.

    Args:
        passage: The request.
        cancelled: Whether the client was cancelled when it was recorded. A timeout may do so, which takes its time.
    """
    from anyio import sleep  # Every async client of httpx or httpx2 brings anyio.
    from anyio.lowlevel import checkpoint

    try:
        for _ in range(_TURNS):
            await checkpoint()
        if cancelled:
            await sleep(LONGEST_WAIT)
    except BaseException as error:
        passage.break_off(error)
        raise


def _close(passage: Passage) -> None:
    """Note that a client is done with a body."""
    if in_hand():
        passage.cancel()
    else:
        passage.close(_unparsed())


def _unparsed() -> str | None:
    """Return the text that the client could not parse; None unless it closes the body because of that error."""
    error = sys.exc_info()[1]
    return error.doc if isinstance(error, JSONDecodeError) else None


@functools.cache
def shaped(kind: type, library: ModuleType) -> Any:
    """Return the class with the base classes of httpx or httpx2 added, on which they insist."""
    return type(kind.__name__, (kind, library.SyncByteStream, library.AsyncByteStream), {})
