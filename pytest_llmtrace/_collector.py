"""Python's collector of reference cycles, switched off during work that makes no cycles."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["uncollected"]

P = ParamSpec("P")
T = TypeVar("T")


def uncollected(work: Callable[P, T]) -> Callable[P, T]:
    """Let a function run without garbage collections.

    Work that makes many objects, keeps them, and has no cycle among them, such as reading ten thousand calls, makes the
    collector look at the whole heap of the process again and again, and find nothing. Objects that are no longer needed
    are freed meanwhile as usual, by their count of references.
    """

    @functools.wraps(work)
    def uncollected(*args: P.args, **kwargs: P.kwargs) -> T:
        if not gc.isenabled():  # Already off: by the application, or by a caller.
            return work(*args, **kwargs)
        gc.disable()
        try:
            return work(*args, **kwargs)
        finally:
            gc.enable()

    return uncollected
