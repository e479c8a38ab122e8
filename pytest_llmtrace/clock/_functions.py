"""`perf_counter`, `monotonic` and related functions: shifted for the code under test, and real for everybody else."""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable, Mapping
from functools import cache
from types import BuiltinFunctionType, FrameType, ModuleType
from typing import Any
from weakref import ref

from pytest_llmtrace.clock._places import Place, Swap, places_in

__all__ = ["NAMES", "REAL", "Functions", "is_clock"]

_Function = Callable[[], Any]

NAMES = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
"""The clocks that do not tell the time of day."""

# Modules that wait, time out, measure or schedule in real time: shifted time would end their waits early, or never.
_EXEMPT = frozenset(
    {
        "_pytest", "aiohttp", "anyio", "execnet", "freezegun", "hypothesis", "pluggy", "pytest", "pytest_asyncio",
        "pytest_timeout", "time_machine", "trio", "urllib3", "uvloop", "xdist",
        *sys.stdlib_module_names,
    }
)  # fmt: skip
_EXEMPT_FAMILIES = ("httpcore", "httpx")


def _real(name: str) -> _Function:
    """Return the standard library's function, even while freezegun has put its own in its place."""
    found: _Function = getattr(time, name)
    if not isinstance(found, BuiltinFunctionType):
        found = getattr(sys.modules.get("freezegun.api"), f"real_{name}", found)
    return found


REAL: Mapping[str, _Function] = {name: _real(name) for name in NAMES}
"""The real clocks. They are in a mapping, so that the search through the globals of modules does not find them."""


@cache
def _is_exempt(module: str) -> bool:
    """Tell whether the code of a module keeps real time."""
    root = module.partition(".")[0]
    return root in _EXEMPT or root.startswith(_EXEMPT_FAMILIES)


class _Shifted:
    """A clock that is ahead for callers that do not keep real time.

    Like the built-in clock, and unlike a Python function, it does not become a method of a class that has it as an
    attribute.
    """

    def __init__(self, name: str) -> None:
        self.__name__ = self.__qualname__ = name
        self.__module__ = time.__name__
        self.__wrapped__ = REAL[name]
        self.shift: Any = 0

    def __call__(self) -> Any:
        return self.__wrapped__() + (0 if _keeps_real_time(sys._getframe(1)) else self.shift)


def is_clock(function: object) -> bool:
    """Tell whether a function is Python's own clock or a shifted one, and not one of freezegun's or a mock's."""
    return isinstance(function, BuiltinFunctionType | _Shifted)


class Functions:
    """The shifted clocks, and the places that they take: in `time`, in `timeit`, and where a clock was bound early.

    Attributes:
        shift: Seconds by which they are ahead.
    """

    def __init__(self) -> None:
        self.shift = 0.0
        self._shifted = {name: _Shifted(name) for name in NAMES}
        self._to_shifted: Swap = {id(REAL[name]): self._shifted[name] for name in NAMES}
        self._to_real: Swap = {id(self._shifted[name]): REAL[name] for name in NAMES}
        self._seen: dict[str, ref[ModuleType]] = {}
        self._early: list[Place] = []

    def move(self, shift: float) -> None:
        """Set the number of seconds by which they are ahead."""
        self.shift = shift
        for name, shifted in self._shifted.items():
            shifted.shift = round(shift * 1e9) if name.endswith("_ns") else shift

    def replace(self) -> None:
        """Replace the real clocks with the shifted ones."""
        self._swap(self._to_shifted)

    def restore(self) -> None:
        """Put the real clocks back, also in modules that were imported meanwhile."""
        self._swap(self._to_real)

    def keep(self) -> None:
        """Replace a real clock again that somebody has put back (freezegun, as it ends); any other clock stays."""
        for place, name in _LATE:
            place[name] = self._to_shifted.get(id(place[name]), place[name])

    def _swap(self, new: Swap) -> None:
        self._search()
        for place, name in _LATE:
            place[name] = new.get(id(place[name]), place[name])
        for early in self._early:
            early.swap(new)

    def _search(self) -> None:
        """Find where a clock was bound early; each module is searched once."""
        seen, wanted = self._seen, {*self._to_shifted, *self._to_real}
        for name, module in list(sys.modules.items()):
            if (known := seen.get(name)) is not None and known() is module:
                continue
            # By type(): a library of cffi pretends to be a module, and knows no weak references.
            if issubclass(type(module), ModuleType):
                seen[name] = ref(module)
                self._early += [] if _is_exempt(name) else places_in(module, wanted)


_LATE: tuple[tuple[dict[str, Any], str], ...] = (
    *((vars(time), name) for name in NAMES),
    (vars(timeit), "default_timer"),
)


def _keeps_real_time(caller: FrameType) -> bool:
    return _is_exempt(caller.f_globals.get("__name__", ""))
