"""Leave a synchronous stream. Each way drops what it holds when it returns, as a function that is done does."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from typing import Any, Final

from pytest_llmtrace.errors import UsageError

__all__ = ["LEAVE", "ConsumerError", "Take", "has", "refuse_other"]

Take = Callable[[], Any]
"""Gives what a streaming function has returned, and keeps no hold of it."""


class ConsumerError(Exception):
    """What a consumer raises in the middle of a stream."""


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
"""What a consumer does with what a streaming function has returned; what it gets goes into the list."""


def _opened(made: Any, *, enters: bool = True, closes: bool = False) -> AbstractContextManager[Any]:
    """Return what gives the stream: a context manager, or the stream itself.

    Args:
        made: What a streaming function has returned.
        enters: Whether a stream that is a context manager too is entered; what gives none otherwise always is.
        closes: Whether a stream that is no context manager is closed at the end.
    """
    refuse_other(made, "__iter__", "__enter__")
    if has(made, "__enter__") and (enters or not has(made, "__iter__")):
        return made  # type: ignore[no-any-return]
    return closing(made) if closes and has(made, "close") else nullcontext(made)


def refuse_other(made: Any, *names: str) -> None:
    """Refuse what is no stream: a function that reads it itself, and returns what it read, has nothing to leave."""
    if isinstance(made, str) or not any(has(made, name) for name in names):
        raise UsageError(
            f"a streaming function returns an iterable, a generator or a context manager, and is left while it runs; "
            f"this one has returned {made!r}: let it yield or return its stream"
        )


def has(made: Any, name: str) -> bool:
    """Tell whether an object can do something, within whatever an instrumentor has wrapped around it.

    Its wrappers have all methods by name, synchronous and asynchronous, and fail only when they are called.
    """
    return hasattr(inspect.unwrap(made), name)


def _first(stream: Any) -> list[Any]:
    """Return the first item; of an iterable that is no iterator, the iterator is not kept either."""
    for item in stream:
        return [item]
    return []
