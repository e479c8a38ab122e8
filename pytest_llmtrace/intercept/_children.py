"""Has the code of a ledger made other processes? What they ask and record, nobody sees here.

A fork is noticed as Python tells of it; any other process by what the system counts of those that have ended, once they
were waited for: so it costs nothing where there are none.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from os import getpid
from typing import Literal

try:
    import resource
except ImportError:  # Windows has none.
    resource = None  # type: ignore[assignment]

__all__ = ["Children", "tell_of_forks"]


class Children:
    """The child processes that have been made since.

    Attributes:
        has_forked: Whether this process was forked.
        are_unrecorded: Whether something recorded where it was.
    """

    def __init__(self) -> None:
        self._process = getpid()
        self._ended = _ended()
        self.has_forked = False
        self.are_unrecorded = False

    @property
    def is_copy(self) -> bool:
        """Whether this is a copy in such a child."""
        return getpid() != self._process

    def made(self) -> Literal["", "forked", "started"]:
        """Say whether this process was forked, or some other one was started and has ended; empty if neither."""
        return "forked" if self.has_forked else "started" if _ended() != self._ended else ""


@functools.cache
def tell_of_forks(note: Callable[[], None]) -> None:
    """Have a function called after each fork from now on, by whoever has forked."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_parent=note)


def _ended() -> int:
    """Return how many pages the children that have ended have asked for: each needs some. 0 where nobody counts."""
    return 0 if resource is None else resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
