"""`perf_counter`, `monotonic` and their kin: shifted for the code under test, and real for everybody else."""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FrameType, ModuleType
from typing import Any
from weakref import ref

__all__ = ["REAL", "Functions", "is_exempt"]

Reading = Callable[[], Any]

_NAMES = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")

# Who waits, times out, measures or schedules for real: shifted time would end its waits early, or never.
_EXEMPT = frozenset(
    {
        "_pytest", "aiohttp", "anyio", "execnet", "freezegun", "hypothesis", "pluggy", "pytest", "pytest_asyncio",
        "pytest_timeout", "time_machine", "trio", "urllib3", "uvloop", "xdist",
        *sys.stdlib_module_names,
    }
)  # fmt: skip
_EXEMPT_FAMILIES = ("httpcore", "httpx")


def _real(name: str) -> Reading:
    """Return the function of the standard library, also while freezegun has put its own in the place."""
    found: Reading = getattr(time, name)
    if not isinstance(found, BuiltinFunctionType):
        found = getattr(sys.modules.get("freezegun.api"), f"real_{name}", found)
    return found


REAL: Mapping[str, Reading] = {name: _real(name) for name in _NAMES}
"""The real ones. In a mapping, where the search through the globals of modules does not find them."""

_is_exempt: dict[str, bool] = {}


def is_exempt(module: str) -> bool:
    """Tell whether the code of a module keeps real time."""
    known = _is_exempt.get(module)
    if known is None:
        root = module.partition(".")[0]
        known = _is_exempt[module] = root in _EXEMPT or root.startswith(_EXEMPT_FAMILIES)
    return known


class Functions:
    """The shifted functions, and the places that they take: in `time`, in `timeit`, and where a name was bound early.

    Attributes:
        shift_ns: The shift in nanoseconds.
        shift: The same in seconds.
    """

    def __init__(self) -> None:
        self.shift_ns = 0
        self.shift = 0.0
        self._shifted = {name: self._make(name) for name in _NAMES}
        self._to_shifted = {id(REAL[name]): self._shifted[name] for name in _NAMES}
        self._to_real = {id(self._shifted[name]): REAL[name] for name in _NAMES}
        self._seen: dict[str, ref[ModuleType]] = {}
        self._early: list[tuple[ref[ModuleType], str]] = []

    def replace(self) -> None:
        """Put the shifted functions in the place of the real ones."""
        self._swap(self._to_shifted)

    def restore(self) -> None:
        """Put the real ones back, also in modules that were imported meanwhile."""
        self._swap(self._to_real)

    def keep(self) -> None:
        """Replace again what somebody has put back (freezegun, as it ends); what is not the real one stays."""
        for place, name in _LATE:
            place[name] = self._to_shifted.get(id(place[name]), place[name])

    def _swap(self, new: Mapping[int, Reading]) -> None:
        self._search()
        early = ((_globals_of(module()), name) for module, name in self._early)
        for place, name in (*_LATE, *early):
            if id(place.get(name)) in new:
                place[name] = new[id(place[name])]

    def _search(self) -> None:
        """Find the modules that have bound a function by its name; each module is searched once."""
        seen, wanted = self._seen, {*self._to_shifted, *self._to_real}
        for name, module in list(sys.modules.items()):
            if (known := seen.get(name)) is not None and known() is module:
                continue
            if isinstance(module, ModuleType):
                seen[name] = found = ref(module)
                bound = [] if is_exempt(name) else list(_globals_of(module).items())
                self._early += [(found, key) for key, value in bound if id(value) in wanted]

    def _make(self, name: str) -> Reading:
        real, frame_of = REAL[name], sys._getframe
        if name.endswith("_ns"):

            def shifted() -> Any:
                return real() if _keeps_real_time(frame_of(1)) else real() + self.shift_ns
        else:

            def shifted() -> Any:
                return real() if _keeps_real_time(frame_of(1)) else real() + self.shift

        shifted.__name__ = shifted.__qualname__ = name
        shifted.__module__ = time.__name__
        return shifted


_LATE: tuple[tuple[dict[str, Any], str], ...] = (
    *((vars(time), name) for name in _NAMES),
    (vars(timeit), "default_timer"),
)


def _keeps_real_time(caller: FrameType) -> bool:
    return is_exempt(caller.f_globals.get("__name__", ""))


def _globals_of(module: ModuleType | None) -> dict[str, Any]:
    """Return the globals of a module, without having a lazy one loaded by the look at it."""
    found: dict[str, Any] = {} if module is None else object.__getattribute__(module, "__dict__")
    return found
