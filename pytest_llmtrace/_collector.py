"""Python's collector of cycles, kept from work that makes none."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["uncollected"]

P = ParamSpec("P")
T = TypeVar("T")


def uncollected(work: Callable[P, T]) -> Callable[P, T]:
    """Let a function run without collections.

    What makes many objects, keeps them, and has no cycle among them, as the readings of ten thousand calls, makes the
    collector look at the whole heap of the process again and again, and find nothing. What is no longer needed is freed
    meanwhile as ever, by its count of references.
    """

    @functools.wraps(work)
    def uncollected(*args: P.args, **kwargs: P.kwargs) -> T:
        if not gc.isenabled():  # By the application, or by a caller.
            return work(*args, **kwargs)
        gc.disable()
        try:
            return work(*args, **kwargs)
        finally:
            gc.enable()

    return uncollected
