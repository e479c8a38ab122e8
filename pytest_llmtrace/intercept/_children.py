"""Find out whether the code of a ledger has made other processes, whose requests and spans cannot be seen here.

Python announces a fork. Any other child process shows in what the system counts for children, once it has ended and was
waited for. So tests without child processes pay nothing for this.
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
    """The child processes that have been made since this object was made.

    Attributes:
        has_forked: Whether this process has forked.
        are_unrecorded: Whether something was recording at a fork: it does not see what the child does.
    """

    def __init__(self) -> None:
        self._process = getpid()
        self._ended = _ended()
        self.has_forked = False
        self.are_unrecorded = False

    @property
    def is_copy(self) -> bool:
        """Whether this object is a copy in a forked child."""
        return getpid() != self._process

    def made(self) -> Literal["", "forked", "started"]:
        """Return "forked" if this process has forked, "started" if another child was started and has ended, else ""."""
        return "forked" if self.has_forked else "started" if _ended() != self._ended else ""


@functools.cache
def tell_of_forks(note: Callable[[], None]) -> None:
    """Have a function called after each fork from now on, in the parent and in the thread that forked."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_parent=note)


def _ended() -> int:
    """Return the page faults of all children that have ended: each child has some. 0 where the system counts none."""
    return 0 if resource is None else resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
