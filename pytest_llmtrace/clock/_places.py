"""Find where a module has bound a clock early: to a name, in a function (a default, its closure), or in a class."""

from __future__ import annotations

import functools
import time
import timeit
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from types import CellType, FunctionType, ModuleType
from typing import Any, Protocol
from weakref import ref

__all__ = ["Place", "Swap", "places_in"]

Swap = Mapping[int, Callable[[], Any]]
"""The functions to put in, each by the id of the function that it replaces."""


_FUNCTIONS = frozenset({FunctionType, type(functools.lru_cache(len))})
_MODULES = frozenset({id(time), id(timeit)})
_DEEPEST = 16  # decorators around one function


class Place(Protocol):
    """A place that holds a clock; it keeps nothing alive, and is gone with its module, function or class."""

    def swap(self, new: Swap) -> None:
        """Replace the clock there; a clock whose id is not in `new` stays."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A global name of a module."""

    module: ref[ModuleType]
    name: str

    def swap(self, new: Swap) -> None:
        place = _globals_of(self.module())
        if id(place.get(self.name)) in new:
            place[self.name] = new[id(place[self.name])]


@dataclass(frozen=True, slots=True)
class _Function:
    """The defaults of a function's arguments, by position and by keyword, and its closure.

    The closure of a dataclass' `__init__` also holds the factories of the fields.
    """

    function: ref[FunctionType]

    def swap(self, new: Swap) -> None:
        function = self.function()
        if function is None:
            return
        if function.__defaults__:
            function.__defaults__ = tuple(new.get(id(value), value) for value in function.__defaults__)
        by_keyword = function.__kwdefaults__ or {}
        for name, value in by_keyword.items():
            by_keyword[name] = new.get(id(value), value)
        for cell, value in _closure(function):
            if id(value) in new:
                cell.cell_contents = new[id(value)]


@dataclass(frozen=True, slots=True)
class _Attribute:
    """An attribute of a class, which may be a `staticmethod`."""

    owner: ref[type]
    name: str

    def swap(self, new: Swap) -> None:
        owner = self.owner()
        value = None if owner is None else vars(owner).get(self.name)
        clock = new.get(id(_within(value)))
        if owner is not None and clock is not None:
            with suppress(TypeError):  # A class that was made in C cannot be changed.
                # Set by `type`, since a metaclass may have a `__setattr__` of its own.
                type.__setattr__(owner, self.name, staticmethod(clock) if isinstance(value, staticmethod) else clock)


def places_in(module: ModuleType, clocks: AbstractSet[int]) -> Iterator[Place]:
    """Yield the places of a module that hold a clock.

    Functions and classes are searched only if a global of the module is a clock, `time` or `timeit`.

    Args:
        module: The module.
        clocks: The ids of the clocks.
    """
    home = _globals_of(module)
    bound = list(home.items())  # Another thread may import meanwhile.
    ids = {id(value) for _, value in bound}
    if clocks.isdisjoint(ids) and _MODULES.isdisjoint(ids):
        return
    for name, value in bound:
        if id(value) in clocks:
            yield _Name(ref(module), name)
        yield from _inside(value, home, clocks)


def _globals_of(module: ModuleType | None) -> dict[str, Any]:
    """Return the globals of a module, without loading a lazy module by looking at it."""
    found: dict[str, Any] = {} if module is None else object.__getattribute__(module, "__dict__")
    return found


def _inside(value: Any, home: Mapping[str, Any], clocks: AbstractSet[int]) -> Iterator[Place]:
    """Yield the places in a function or a class that belongs to a module."""
    kind = type(value)  # `isinstance` would make a lazy proxy create the object that it stands for.
    if kind in _FUNCTIONS:
        function = _unwrapped(value)
        if type(function) is FunctionType and function.__globals__ is home and _holds(function, clocks):
            yield _Function(ref(function))
    elif issubclass(kind, type) and vars(value).get("__module__") == home.get("__name__"):
        yield from _inside_class(value, home, clocks)


def _inside_class(owner: type, home: Mapping[str, Any], clocks: AbstractSet[int]) -> Iterator[Place]:
    for name, value in list(vars(owner).items()):
        found = _within(value)
        if id(found) in clocks:
            yield _Attribute(ref(owner), name)
        elif type(found) in _FUNCTIONS or _is_nested(found, owner):
            yield from _inside(found, home, clocks)


def _unwrapped(value: Any) -> Any:
    for _ in range(_DEEPEST):
        if type(within := vars(value).get("__wrapped__")) not in _FUNCTIONS:
            break
        value = within
    return value


def _holds(function: FunctionType, clocks: AbstractSet[int]) -> bool:
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    return any(id(value) in clocks for value in (*defaults, *(value for _, value in _closure(function))))


def _closure(function: FunctionType) -> Iterator[tuple[CellType, Any]]:
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # The cell is still empty.
            continue
        yield cell, value


def _within(value: Any) -> Any:
    """Return the function in a `staticmethod` or `classmethod`, any other value as it is."""
    return value.__func__ if type(value) in {staticmethod, classmethod} else value


def _is_nested(value: Any, owner: type) -> bool:
    return issubclass(type(value), type) and value.__qualname__.startswith(f"{owner.__qualname__}.")
