"""The object that the fixture `llmtrace_exits` hands out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_llmtrace.errors import LLMTraceError, UsageError
from pytest_llmtrace.exits import _async, _sync
from pytest_llmtrace.exits._ways import Way, way_of

if TYPE_CHECKING:
    from pytest_llmtrace.harness import LLMTrace

__all__ = ["Exits"]


class Exits:
    """Runs a streaming function and leaves its stream in one way. The trace verifies what that does to the spans.

    Args:
        trace: The open trace.
        way: One of `ASYNC_WAYS`.

    Attributes:
        trace: The open trace.
        is_used: Whether it was given a function to run.

    Raises:
        UsageError: If there is no such way.
    """

    def __init__(self, trace: LLMTrace, way: str) -> None:
        self.trace = trace
        self.is_used = False
        self._way = way_of(way)

    def __repr__(self) -> str:
        return f"Exits({self.way!r})"

    @property
    def way(self) -> str:
        """How the stream is left."""
        return self._way.name

    def run(self, source: Callable[[], Any]) -> list[Any]:
        """Begin a stream and leave it.

        Args:
            source: The streaming function. It returns an iterable, a generator, or a context manager that gives one, as
                the SDKs' streams do; or an asynchronous one of these, which is run in a loop of its own.

        Returns:
            The items that the consumer got before it left.

        Raises:
            UsageError: If the way is to cancel and the stream is synchronous, if the stream is asynchronous and a loop
                runs already (use `arun`), or if `source` is not a function that returns a stream.
            Exception: Whatever the stream raised. If the server broke the stream off, only errors that no application
                raises on purpose (`AttributeError`, `LookupError`, `NameError`, `TypeError`): they show that a wrapper
                cannot cope with it.
        """
        self._begin(source)
        made = [source()]  # The code that leaves it takes it out of the list: nothing else may hold a dropped stream.
        if _async.is_async(made[0]):
            return _async.run(self._leave(made.pop))
        if self._way.leave == "cancel":
            raise UsageError("a synchronous stream cannot be cancelled: use this way for asynchronous streams only")
        got: list[Any] = []
        with _let_break(self._way):
            _sync.LEAVE[self._way.leave](made.pop, got)
        return got

    async def arun(self, source: Callable[[], Any]) -> list[Any]:
        """Begin an asynchronous stream and leave it, in a coroutine test under any runner; otherwise like `run`.

        Args:
            source: The streaming function. It returns an asynchronous iterable, generator or context manager, or an
                awaitable that gives one.
        """
        self._begin(source)
        return await self._leave(source)

    async def _leave(self, take: Callable[[], Any]) -> list[Any]:
        got: list[Any] = []
        with self.trace.watching_context(), _let_break(self._way):
            await _async.leave(self._way.leave, take, got, self.trace)
        return got

    def _begin(self, source: Any) -> None:
        self.is_used = True
        _refuse_call(source)
        if self._way.fault:
            self.trace.fault(self._way.fault, **self._way.options)


def _refuse_call(source: Any) -> None:
    if not callable(source):
        raise UsageError(
            f"run takes the streaming function itself, not {source!r}: run(stream_chat), or run(lambda: ...)"
        )


_MISTAKES = (AttributeError, LookupError, NameError, TypeError)
"""Errors that no application raises to say that a stream broke."""


@contextmanager
def _let_break(way: Way) -> Iterator[None]:
    """Ignore any error of a stream that the server has broken off, except mistakes and this package's own errors."""
    try:
        yield
    except (LLMTraceError, *_MISTAKES):
        raise
    except Exception:
        if not way.breaks:
            raise
