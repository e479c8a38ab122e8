"""Was it a cancellation that made a client leave a stream?"""

from __future__ import annotations

import asyncio
import math
import sys
from typing import Any

__all__ = ["in_hand", "is_cancellation"]


def is_cancellation(error: BaseException | None) -> bool:
    """Tell whether an exception is what a task of asyncio or trio is cancelled by."""
    trio = sys.modules.get("trio")
    return isinstance(error, asyncio.CancelledError if trio is None else (asyncio.CancelledError, trio.Cancelled))


def in_hand() -> bool:
    """Tell whether the running code cleans up after a cancellation.

    Whoever cleans up has the exception in hand. If it does so by closing a generator, that has its own in hand, and
    only the task knows.
    """
    error = sys.exc_info()[1]
    return _task_is_cancelled() if isinstance(error, GeneratorExit) else is_cancellation(error)


def _task_is_cancelled() -> bool:
    trio: Any = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return bool(trio.current_effective_deadline() == -math.inf)
    try:
        task = asyncio.current_task()
    except RuntimeError:  # No loop runs in this thread.
        return False
    return task is not None and task.cancelling() > 0
