"""Which test does the running code belong to?

Spans and requests come from threads, tasks and pools, and a late one must go to the test that caused it, not to the
one that happens to run. The rule, in this order: the context variable (tasks copy it), the owner of the thread (who
started it), the active test.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["Owner", "active", "belonging_to", "carry_over_threads", "current"]


class Owner:
    """Whom spans and requests belong to: a test, or a `with LLMTrace()` block. Compared by identity.

    Args:
        label: In words.
        stands_in: Nobody in fact: its requests are refused, and its spans belong to none, so that a child of theirs
            belongs to the test in which it starts.
    """

    def __init__(self, label: str, *, stands_in: bool = False) -> None:
        self.label = label
        self.stands_in = stands_in

    def __repr__(self) -> str:
        return f"Owner({self.label!r})"


_in_context: ContextVar[Owner | None] = ContextVar("llmtrace_owner", default=None)
_of_thread: weakref.WeakKeyDictionary[threading.Thread, Owner] = weakref.WeakKeyDictionary()
_active: list[Owner] = []
_patched = threading.Lock()


def current() -> Owner | None:
    """Return the owner of the running code, None if there is none and no test is active."""
    owner = _in_context.get() or _of_thread.get(threading.current_thread())
    if owner is not None:
        return owner
    return _active[-1] if _active else None


@contextmanager
def belonging_to(owner: Owner) -> Iterator[None]:
    """Let the code in this context, and the tasks and threads that it starts, belong to an owner."""
    before = _in_context.get()
    _in_context.set(owner)
    try:
        yield
    finally:
        # Not ContextVar.reset: pytest may finalise a fixture in another context than it was set up in.
        _in_context.set(before)


@contextmanager
def active(owner: Owner) -> Iterator[None]:
    """Make an owner the active one: whatever belongs to nobody belongs to it."""
    _active.append(owner)
    try:
        yield
    finally:
        _active.remove(owner)


def carry_over_threads() -> None:
    """Let threads and the work items of thread pools inherit the owner of the code that starts them. Once."""
    if not _patched.acquire(blocking=False):
        return
    threading.Thread.start = _noting_owner(threading.Thread.start)  # type: ignore[method-assign,assignment]
    ThreadPoolExecutor.submit = _carrying_owner(ThreadPoolExecutor.submit)  # type: ignore[method-assign]


def _noting_owner(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @functools.wraps(start)
    def start_with_owner(self: threading.Thread) -> None:
        owner = _in_context.get() or _of_thread.get(threading.current_thread())
        if owner is not None:
            _of_thread[self] = owner
        start(self)

    return start_with_owner


def _carrying_owner(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    @functools.wraps(submit)
    def submit_with_owner(
        self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        owner = _in_context.get() or _of_thread.get(threading.current_thread())
        if owner is None:
            return submit(self, fn, *args, **kwargs)

        @functools.wraps(fn)
        def run(*args: Any, **kwargs: Any) -> Any:
            with belonging_to(owner):
                return fn(*args, **kwargs)

        return submit(self, run, *args, **kwargs)

    return submit_with_owner
