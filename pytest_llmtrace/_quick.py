"""Faster replacements for what is slow in Python 3.11 only; to be dropped when 3.11 is no longer supported.

Verifying a plain call takes some hundred look-ups of these kinds, which took a twentieth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["lazy", "quick"]

E = TypeVar("E", bound=type[Enum])
S = TypeVar("S")
T = TypeVar("T")


def quick(kind: E) -> E:
    """Let the members of an enumeration be looked up like any other attribute of a class; return the enumeration.

    In Python 3.11 each member is behind a descriptor, and its look-up takes as long as the call of a function.
    """
    for name, member in kind.__members__.items():
        type.__setattr__(kind, name, member)  # The enumeration's own `__setattr__` refuses to.
    return kind


class lazy(Generic[S, T]):  # noqa: N801 - a decorator, as `property`
    """An attribute that is made at its first use and kept: `functools.cached_property` without the lock of 3.11.

    Two threads that ask at once may both make it.
    """

    def __init__(self, make: Callable[[S], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type[S], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, of: None, owner: type[S]) -> Self: ...
    @overload
    def __get__(self, of: S, owner: type[S]) -> T: ...
    def __get__(self, of: S | None, owner: type[S]) -> Self | T:
        if of is None:
            return self
        kept: dict[str, Any] = of.__dict__
        made = kept[self._name] = self._make(of)
        return made
