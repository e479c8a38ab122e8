"""Leave a synchronous stream. Each way drops the stream when it returns, as a function drops its local variables."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from typing import Any, Final

from pytest_llmtrace.errors import UsageError

__all__ = ["LEAVE", "ConsumerError", "Take", "has", "is_stream", "refuse_other"]

Take = Callable[[], Any]
"""Hands over the object that a streaming function has returned, and keeps no reference to it."""


class ConsumerError(Exception):
    """The exception that a consumer raises in the middle of a stream."""


def _drain(take: Take, got: list[Any]) -> None:
    with _opened(take(), enters=False) as stream:
        for item in stream:
            got.append(item)  # noqa: PERF402 - what came before it breaks counts


def _break(take: Take, got: list[Any]) -> None:
    with _opened(take(), closes=True) as stream:
        for item in stream:
            got.append(item)
            break


def _close(take: Take, got: list[Any]) -> None:
    with _opened(take(), enters=False) as stream:
        got.extend(_first(stream))
        if has(stream, "close"):
            stream.close()


def _drop(take: Take, got: list[Any]) -> None:
    made = take()
    refuse_other(made, "__iter__", "__enter__")
    stream = made if has(made, "__iter__") else made.__enter__()
    got.extend(_first(stream))
    del made, stream
    gc.collect()


def _raise(take: Take, got: list[Any]) -> None:
    with suppress(ConsumerError), _opened(take()) as stream:
        for item in stream:
            got.append(item)
            raise ConsumerError


def _wrap(take: Take, got: list[Any]) -> None:
    def wrapper() -> Iterator[Any]:
        with _opened(take(), enters=False) as stream:
            for item in stream:  # noqa: UP028 - `yield from` would close the stream, which most wrappers do not
                yield item

    wrapped = wrapper()
    got.extend(_first(wrapped))
    wrapped.close()  # type: ignore[attr-defined]


LEAVE: Final[Mapping[str, Callable[[Take, list[Any]], None]]] = {
    "break": _break,
    "close": _close,
    "drain": _drain,
    "drop": _drop,
    "raise": _raise,
    "wrap": _wrap,
}
"""What a consumer does with the object that a streaming function has returned; the items it gets go into the list."""


def _opened(made: Any, *, enters: bool = True, closes: bool = False) -> AbstractContextManager[Any]:
    """Return a context manager that gives the stream.

    Args:
        made: The object that a streaming function has returned.
        enters: Whether a stream that is also a context manager is entered; a mere context manager always is.
        closes: Whether a stream that is not entered is closed at the end.
    """
    refuse_other(made, "__iter__", "__enter__")
    if has(made, "__enter__") and (enters or not has(made, "__iter__")):
        return made  # type: ignore[no-any-return]
    return closing(made) if closes and has(made, "close") else nullcontext(made)


def refuse_other(made: Any, *names: str) -> None:
    """Refuse an object that is not a stream: a function that reads its stream itself leaves nothing to exit from."""
    if not is_stream(made, *names):
        raise UsageError(
            f"a streaming function must return an iterable, a generator or a context manager; this one returned "
            f"{made!r}: let it yield or return its stream"
        )


def is_stream(made: Any, *names: str) -> bool:
    """Tell whether an object has one of these methods, and is not what was read from a stream."""
    return not isinstance(made, _READ) and any(has(made, name) for name in names)


_READ = (bytes, dict, list, set, str, tuple)


def has(made: Any, name: str) -> bool:
    """Tell whether an object has a method, apart from any wrapper that an instrumentor has put around it.

    Such wrappers have all methods by name, synchronous and asynchronous, and fail only when these are called.
    """
    return hasattr(inspect.unwrap(made), name)


def _first(stream: Any) -> list[Any]:
    """Return a list with the first item, if there is one; the iterator of the stream is not kept."""
    for item in stream:
        return [item]
    return []
