"""Which test does the running code belong to?

Spans and requests come from threads, tasks and pools, and a late one must go to the test that caused it, not to the
one that happens to run. The rule, in this order: the context variable (tasks copy it), the owner of the thread (who
started it), the active test.

With the owner, a thread or a work item of a pool inherits the causes (the spans that were current where it was started)
and the block in which it was started.
"""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from pytest_llmtrace.telemetry import SpanKey, Worker

__all__ = [
    "Block",
    "Causes",
    "Owner",
    "active",
    "belonging_to",
    "blocks",
    "carry_over_threads",
    "causes",
    "current",
    "heir",
    "note_causes",
    "within",
    "worker",
]


class Owner:
    """The owner of spans and requests: a test, or a `with LLMTrace()` block. Compared by identity.

    Args:
        label: Its name, in words.
        stands_in: Whether it stands for code that belongs to no trace: its requests are refused, and its spans have no
            owner, so that a child of such a span belongs to the test in which the child starts.

    Attributes:
        outer: The owner whose code made this one, as when a test has a `with LLMTrace()` block; None if there is none.
        at_work: The work items of thread pools that its code has submitted and that are not done.
    """

    def __init__(self, label: str, *, stands_in: bool = False) -> None:
        self.label = label
        self.stands_in = stands_in
        self.outer = _inherited()
        self.at_work: set[Future[Any]] = set()

    def __repr__(self) -> str:
        return f"Owner({self.label!r})"

    def is_within(self, other: Owner) -> bool:
        """Tell whether it was made by the code of the other owner, directly or through further owners."""
        outer = self.outer
        return outer is not None and (outer is other or outer.is_within(other))


class Block:
    """A part of an owner's code to which something applies, such as a cassette, but not to the code around it.

    Compared by identity.

    Attributes:
        outer: The block in which it was made; None if it was made in no block.
        ended: Whether it is over, though code that began in it may still run.
    """

    def __init__(self) -> None:
        self.outer = _innermost()
        self.ended = False


class Causes(NamedTuple):
    """The current span in OpenTelemetry's context, and the one in a context that a platform keeps for itself."""

    shared: SpanKey | None = None
    own: SpanKey | None = None


class _Origin(NamedTuple):
    """The owner (None if there was none), the current spans and the block where a thread or work item was started."""

    owner: Owner | None
    causes: Causes
    block: Block | None


_NONE = Causes()
_in_context: ContextVar[Owner | None] = ContextVar("llmtrace_owner", default=None)
_in_block: ContextVar[Block | None] = ContextVar("llmtrace_block", default=None)
_of_thread: weakref.WeakKeyDictionary[threading.Thread, _Origin] = weakref.WeakKeyDictionary()
_working = threading.local()  # Not a context variable: a work item may run in a context that was copied elsewhere.
_active: list[Owner] = []
_patched = threading.Lock()
_current_spans: Callable[[], Causes] | None = None


def current() -> Owner | None:
    """Return the owner of the running code, None if there is none and no test is active."""
    owner = _inherited()
    if owner is not None:
        return owner
    return _active[-1] if _active else None


def heir(owner: Owner) -> Owner:
    """Return the owner of a span whose parent belongs to an owner: as a rule, the same one.

    But an owner that was made within that one owns what its own code does, under whichever span.
    """
    own = _inherited()
    return own if own is not None and not own.stands_in and own.is_within(owner) else owner


def causes() -> Causes:
    """Return the spans that were current where the running thread, or its work item, was started."""
    origin = _of_work()
    return origin.causes if origin else _NONE


def blocks() -> Iterator[Block]:
    """Yield the blocks that the running code is in and that have not ended, the innermost first."""
    block = _innermost()
    while block is not None:
        yield block
        block = _not_ended(block.outer)


def worker() -> Worker:
    """Name the running thread, and the asyncio task if there is one."""
    asyncio = sys.modules.get("asyncio")
    try:
        task = asyncio.current_task() if asyncio else None
    except RuntimeError:  # No loop runs in this thread.
        task = None
    return Worker(threading.get_ident(), None if task is None else id(task))


def note_causes(current_spans: Callable[[], Causes]) -> None:
    """Set the function that returns the spans which are current where a thread or a work item is started."""
    global _current_spans  # noqa: PLW0603
    _current_spans = current_spans


@contextmanager
def belonging_to(owner: Owner | None) -> Iterator[None]:
    """Let the code in this context, and the tasks and threads that it starts, belong to an owner; None sets none."""
    before = _in_context.get()
    _in_context.set(owner)
    try:
        yield
    finally:
        # Not ContextVar.reset: pytest may finalise a fixture in another context than it was set up in.
        _in_context.set(before)


@contextmanager
def within(inner: Block) -> Iterator[None]:
    """Let the code in this context, and the tasks and threads that it starts, be in a block."""
    _in_block.set(inner)
    try:
        yield
    finally:
        inner.ended = True
        _in_block.set(_not_ended(_in_block.get()))  # Not the block from before: blocks may end in any order.


@contextmanager
def active(owner: Owner) -> Iterator[None]:
    """Make an owner the active one: whatever has no owner belongs to it."""
    _active.append(owner)
    try:
        yield
    finally:
        _active.remove(owner)


def carry_over_threads() -> None:
    """Let threads and work items of thread pools inherit the owner of the code that starts them; done once only."""
    if not _patched.acquire(blocking=False):
        return
    threading.Thread.start = _noting_owner(threading.Thread.start)  # type: ignore[method-assign,assignment]
    ThreadPoolExecutor.submit = _carrying_owner(ThreadPoolExecutor.submit)  # type: ignore[method-assign]


def _inherited() -> Owner | None:
    owner = _in_context.get()
    if owner is None and (origin := _of_work()) is not None:
        return origin.owner
    return owner


def _innermost() -> Block | None:
    block = _not_ended(_in_block.get())
    if block is None and (origin := _of_work()) is not None:
        return _not_ended(origin.block)
    return block


def _not_ended(block: Block | None) -> Block | None:
    """Return a block or, if it has ended, the first around it that has not; None if all have."""
    while block is not None and block.ended:
        block = block.outer
    return block


def _of_work() -> _Origin | None:
    """Return the origin of the running work item, else of the thread: a pool's threads outlive what started them."""
    origin: _Origin | None = getattr(_working, "on", None) or _of_thread.get(threading.current_thread())
    return origin


def _origin() -> _Origin:
    owner = _inherited()
    return _Origin(owner, _NONE if owner is None or _current_spans is None else _current_spans(), _innermost())


def _noting_owner(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @functools.wraps(start)
    def start_with_owner(self: threading.Thread) -> None:
        origin = _origin()
        if origin.owner is not None:
            _of_thread[self] = origin
        start(self)

    return start_with_owner


def _carrying_owner(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    @functools.wraps(submit)
    def submit_with_owner(
        self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        origin = _origin()

        @functools.wraps(fn)
        def run(*args: Any, **kwargs: Any) -> Any:
            with belonging_to(origin.owner), _working_on(origin):
                return fn(*args, **kwargs)

        future = submit(self, run, *args, **kwargs)
        if origin.owner is not None:
            origin.owner.at_work.add(future)
            future.add_done_callback(origin.owner.at_work.discard)
        return future

    return submit_with_owner


@contextmanager
def _working_on(origin: _Origin) -> Iterator[None]:
    before = getattr(_working, "on", None)
    _working.on = origin
    try:
        yield
    finally:
        _working.on = before
