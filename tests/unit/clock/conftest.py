"""Modules that read every clock, and waits that work the same in threads and in tasks."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from types import ModuleType
from typing import Any

import pytest
import trio

from pytest_llmtrace import clock
from pytest_llmtrace.clock._shift import real

HELD = (
    "default", "keyword", "cached", "attribute", "attribute of the class", "static", "method", "class method",
    "nested", "field", "factory", "closure",
)  # fmt: skip
READINGS = ("time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns")

APP = f"""
import dataclasses
import datetime as dt
import functools
import time as clocks
import timeit
from time import {", ".join(READINGS)}
from timeit import default_timer

def now():
    return dt.datetime.now().timestamp()

late = {{name: (lambda name=name: getattr(clocks, name)()) for name in {READINGS!r}}}
late["default_timer"] = lambda: timeit.default_timer()
late["now"] = now
early = {{name: (lambda name=name: globals()[name]()) for name in ({", ".join(map(repr, READINGS))}, "default_timer")}}

def default(now=clocks.monotonic):
    return now()

def keyword(*, other=7, now=perf_counter):
    return now()

length = functools.lru_cache(len)  # Of nothing that has defaults.
length.__wrapped__ = length

@functools.lru_cache(maxsize=0)
def cached(now=clocks.monotonic):
    return now()

class Stopwatch:
    attribute = clocks.perf_counter
    static = staticmethod(clocks.monotonic)

    def method(self, now=timeit.default_timer):
        return now()

    @classmethod
    def class_method(cls, now=clocks.monotonic):
        return now()

    class Nested:
        attribute = clocks.monotonic

@dataclasses.dataclass
class Timer:
    field: object = clocks.perf_counter
    factory: float = dataclasses.field(default_factory=clocks.monotonic)

def make_closure():
    now = clocks.perf_counter
    return lambda: now() if now else never
    never = None  # Its cell stays empty.

closure = make_closure()

held = {{
    "default": default,
    "keyword": keyword,
    "cached": cached,
    "attribute": lambda: Stopwatch().attribute(),
    "attribute of the class": lambda: Stopwatch.attribute(),
    "static": lambda: Stopwatch().static(),
    "method": lambda: Stopwatch().method(),
    "class method": lambda: Stopwatch.class_method(),
    "nested": lambda: Stopwatch.Nested().attribute(),
    "field": lambda: Timer().field(),
    "factory": lambda: Timer().factory,
    "closure": closure,
}}
places = lambda: [
    *default.__defaults__, *keyword.__kwdefaults__.values(), *cached.__wrapped__.__defaults__,
    *map(vars(Stopwatch).get, ("attribute", "static")), *Stopwatch.method.__defaults__,
    *Stopwatch.class_method.__defaults__, vars(Stopwatch.Nested)["attribute"], Timer.field,
    *Timer.__init__.__defaults__, *(cell.cell_contents for cell in Timer.__init__.__closure__),
    closure.__closure__[1].cell_contents,
]
"""
"""The code of a module that reads every clock: bound by name, looked up at each read, and held by its objects."""


@pytest.fixture
def make_module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Make a module that reads every clock, as if it had been imported under that name."""

    def make(name: str) -> ModuleType:
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(APP, vars(module))  # noqa: S102
        return module

    return make


class Runner:
    """Runs functions at the same time: in threads, in tasks of asyncio, or in tasks of trio."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pace = clock.pace("recorded")

    def wait_until(self, *dues: float) -> Callable[[], Any]:
        """Return a function that waits for some moments in turn, and returns the virtual time at each of them."""
        if self.kind == "threads":
            return functools.partial(self._wait, dues)
        return functools.partial(self._wait_async, dues)

    def run(self, *works: Callable[[], Any]) -> list[Any]:
        """Run functions at the same time, and return their results in order."""
        results: list[Any] = [None] * len(works)
        if self.kind == "threads":
            self._in_threads(works, results)
        elif self.kind == "asyncio":
            asyncio.run(self._in_asyncio(works, results))
        else:
            trio.run(self._in_trio, works, results)
        return results

    def _wait(self, dues: Sequence[float]) -> list[float]:
        self.pace.begin()
        seen = []
        for due in dues:
            self.pace.wait(due)
            seen.append(clock.now())
        self.pace.leave()
        return seen

    async def _wait_async(self, dues: Sequence[float]) -> list[float]:
        self.pace.begin()
        seen = []
        for due in dues:
            await self.pace.wait_async(due)
            seen.append(clock.now())
        self.pace.leave()
        return seen

    def _in_threads(self, works: Sequence[Callable[[], Any]], results: list[Any]) -> None:
        together = threading.Barrier(len(works))

        def work(index: int) -> None:
            together.wait()
            results[index] = works[index]()

        threads = [threading.Thread(target=work, args=(index,)) for index in range(len(works))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    async def _in_asyncio(self, works: Sequence[Callable[[], Awaitable[Any]]], results: list[Any]) -> None:
        results[:] = await asyncio.gather(*(work() for work in works))

    async def _in_trio(self, works: Sequence[Callable[[], Awaitable[Any]]], results: list[Any]) -> None:
        async def keep(index: int) -> None:
            results[index] = await works[index]()

        async with trio.open_nursery() as nursery:
            for index in range(len(works)):
                nursery.start_soon(keep, index)


@pytest.fixture(params=["threads", "asyncio", "trio"])
def runner(request: pytest.FixtureRequest) -> Runner:
    return Runner(request.param)


@pytest.fixture
def tasks() -> Runner:
    return Runner("asyncio")


@pytest.fixture
def real_seconds() -> Callable[[], float]:
    """Return a function that returns the real seconds since the test began."""
    began = real()
    return lambda: real() - began
