"""Tell whether a cancellation made a client leave a stream."""

from __future__ import annotations

import asyncio
import math
import sys
from typing import Any

__all__ = ["in_hand", "is_cancellation", "only_closes"]


def is_cancellation(error: BaseException | None) -> bool:
    """Tell whether an exception is the one that cancels a task of asyncio or trio."""
    trio = sys.modules.get("trio")
    return isinstance(error, asyncio.CancelledError if trio is None else (asyncio.CancelledError, trio.Cancelled))


def in_hand() -> bool:
    """Tell whether the running code cleans up after a cancellation.

    Code that cleans up after an exception sees it in `sys.exc_info()`. If it cleans up by closing a generator, the code
    of the generator sees `GeneratorExit` instead, and only the task knows that it was cancelled.
    """
    error = sys.exc_info()[1]
    if only_closes():
        return False
    return _task_is_cancelled() if isinstance(error, GeneratorExit) else is_cancellation(error)


def only_closes() -> bool:
    """Tell whether the running task of asyncio only closes an asynchronous generator that somebody has dropped.

    The event loop makes such a task, and cancels it if it ends itself; but whoever read the stream had left it before.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:  # No loop runs in this thread.
        return False
    # The type has no public name, and an object of it would be one more generator that the loop watches.
    return task is not None and type(task.get_coro()).__name__ == "async_generator_athrow"


def _task_is_cancelled() -> bool:
    trio: Any = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return bool(trio.current_effective_deadline() == -math.inf)
    try:
        task = asyncio.current_task()
    except RuntimeError:  # No loop runs in this thread.
        return False
    return task is not None and task.cancelling() > 0
