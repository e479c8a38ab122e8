"""Leave an asynchronous stream, under asyncio and trio."""

from __future__ import annotations

import asyncio
import gc
import inspect
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.exits._sync import ConsumerError, Take, has, is_stream, refuse_other

if TYPE_CHECKING:
    from pytest_llmtrace.harness import LLMTrace

__all__ = ["is_async", "leave", "run", "take_turns"]

_TURNS: Final = 20
"""How many turns the loop gets, so that it closes the generators that were dropped."""


def is_async(made: Any) -> bool:
    """Tell whether a function has returned something asynchronous."""
    return inspect.isawaitable(made) or has(made, "__aiter__") or has(made, "__aenter__")


def run(coroutine: Coroutine[Any, Any, list[Any]]) -> list[Any]:
    """Run a coroutine in an event loop of its own, and return its result.

    Raises:
        UsageError: If a loop runs already.
    """
    try:
        return asyncio.run(coroutine)
    except RuntimeError as error:
        if not _is_asyncio():
            raise
        coroutine.close()
        raise UsageError("this stream is asynchronous: await llmtrace_exits.arun(...)") from error


async def leave(how: str, take: Take, got: list[Any], trace: LLMTrace) -> None:
    """Leave a stream as a consumer does.

    Args:
        how: What the consumer does: a key of `_LEAVE`, or `cancel`.
        take: Hands over the object that a streaming function has returned.
        got: The list that takes the items that the consumer gets.
        trace: The trace, which watches the context of the task that is cancelled.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # trio warns of dropped generators; here they are intended.
        if how == "cancel":
            await _cancel(take, got, trace)
        else:
            await _LEAVE[how](take, got)
        gc.collect()
        await take_turns()


async def take_turns() -> None:
    """Let the loop close the generators that were dropped."""
    for _ in range(_TURNS):
        await _checkpoint()


async def _drain(take: Take, got: list[Any]) -> None:
    async with await _opened(take(), enters=False) as stream:
        async for item in stream:
            got.append(item)  # noqa: PERF401 - what came before it breaks counts


async def _break(take: Take, got: list[Any]) -> None:
    async with await _opened(take(), closes=True) as stream:
        async for item in stream:
            got.append(item)
            break


async def _close(take: Take, got: list[Any]) -> None:
    async with await _opened(take(), enters=False) as stream:
        got.extend(await _first(stream))
        await _aclose(stream)


async def _drop(take: Take, got: list[Any]) -> None:
    made = await _awaited(take())
    _refuse_other(made)
    stream = made if has(made, "__aiter__") else await made.__aenter__()
    got.extend(await _first(stream))


async def _raise(take: Take, got: list[Any]) -> None:
    with suppress(ConsumerError):
        async with await _opened(take()) as stream:
            async for item in stream:
                got.append(item)
                raise ConsumerError


async def _wrap(take: Take, got: list[Any]) -> None:
    async def wrapper() -> AsyncIterator[Any]:
        async with await _opened(take(), enters=False) as stream:
            async for item in stream:
                yield item

    wrapped = wrapper()
    got.extend(await _first(wrapped))
    await _aclose(wrapped)


_LEAVE: Final[Mapping[str, Callable[[Take, list[Any]], Awaitable[None]]]] = {
    "break": _break,
    "close": _close,
    "drain": _drain,
    "drop": _drop,
    "raise": _raise,
    "wrap": _wrap,
}


# --- cancellation ----------------------------------------------------------------------------------------------------


async def _cancel(take: Take, got: list[Any], trace: LLMTrace) -> None:
    """Cancel a task that waits for the second item of a stream."""
    if _is_asyncio():
        task = asyncio.create_task(_until_cancelled(take, got, _cancel_task, trace))
        with suppress(asyncio.CancelledError):
            await task
        return
    from anyio import CancelScope  # trio has no tasks that could be cancelled one by one.

    with CancelScope() as scope:
        await _until_cancelled(take, got, scope.cancel, trace)


def _cancel_task() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.cancel()


async def _until_cancelled(take: Take, got: list[Any], cancel: Callable[[], object], trace: LLMTrace) -> None:
    with trace.watching_context():
        async with await _opened(take()) as stream:
            async for item in stream:
                if not got:
                    cancel()  # Takes effect where the task waits next, which is for the next chunk.
                got.append(item)
        await _checkpoint()


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _checkpoint() -> None:
    if _is_asyncio():
        await asyncio.sleep(0)
    else:
        from anyio.lowlevel import checkpoint

        await checkpoint()


# --- what a function may return --------------------------------------------------------------------------------------


async def _opened(made: Any, *, enters: bool = True, closes: bool = False) -> AbstractAsyncContextManager[Any]:
    """Return an asynchronous context manager that gives the stream, as in `_sync`; an awaitable is awaited first."""
    made = await _awaited(made)
    _refuse_other(made)
    if has(made, "__aenter__") and (enters or not has(made, "__aiter__")):
        return made  # type: ignore[no-any-return]
    return aclosing(made) if closes and has(made, "aclose") else nullcontext(made)


def _refuse_other(made: Any) -> None:
    if is_stream(made, "__iter__", "__enter__") and not is_stream(made, "__aiter__", "__aenter__"):
        raise UsageError("this stream is synchronous: call llmtrace_exits.run(...), without await")
    refuse_other(made, "__aiter__", "__aenter__")


async def _awaited(made: Any) -> Any:
    return await made if inspect.isawaitable(made) else made


async def _first(stream: Any) -> list[Any]:
    async for item in stream:
        return [item]
    return []


async def _aclose(stream: Any) -> None:
    """Close a stream by its `aclose` or, with the SDKs' streams, its `close`."""
    close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
    if close is not None:
        await close()
