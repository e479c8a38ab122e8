"""Which clocks virtual time shifts, for which modules, and that all of it is undone."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import threading
import time
import timeit
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
import time_machine
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_llmtrace import UsageError, clock
from pytest_llmtrace.clock._places import places_in
from tests.unit.clock.conftest import HELD

HOUR = 3600.0
EARLY = ("time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "default_timer")
BOUND = [
    *(("early", name) for name in EARLY),
    *(("late", name) for name in (*EARLY, "now")),
    *(("held", name) for name in HELD),
]

# Each stands for an exempt package; the code of a module with that name must see real time.
REAL_FOR = [
    "asyncio.base_events", "threading", "concurrent.futures", "anyio._core", "trio._core", "httpx._client",
    "httpx2._client", "httpcore._sync", "httpcore2._sync", "urllib3.util", "aiohttp.client", "uvloop.loop",
    "_pytest.runner", "pytest_timeout", "pluggy", "xdist.remote", "execnet.gateway", "time_machine.cli",
    "hypothesis.core",
    "freezegun.api",
]  # fmt: skip


def seconds(module: ModuleType, how: str, name: str) -> float:
    value: float = getattr(module, how)[name]()
    return value / 1e9 if name.endswith("_ns") else value


@pytest.mark.parametrize(("how", "name"), BOUND)
def test_every_clock_of_the_application_is_virtual(
    make_module: Callable[[str], ModuleType], how: str, name: str
) -> None:
    """Each clock, however it was bound, shows that an hour has passed once the virtual clock was moved by an hour."""
    app, virtual = make_module("an_app.tracing"), clock.Clock("recorded")
    real = seconds(app, how, name)
    virtual.start()
    try:
        before = seconds(app, how, name)
        virtual.advance(HOUR)
        after = seconds(app, how, name)
    finally:
        virtual.stop()
    assert after - before == pytest.approx(HOUR, abs=60)
    assert seconds(app, how, name) - real == pytest.approx(0, abs=60)


@pytest.mark.parametrize("name", REAL_FOR)
def test_who_waits_for_real_has_real_monotonic_time(make_module: Callable[[str], ModuleType], name: str) -> None:
    """Loops, pools, timeouts and pytest itself would end their waits early, or never, in virtual time."""
    module, virtual = make_module(name), clock.Clock("recorded")
    virtual.start()
    try:
        before = {(how, reading): seconds(module, how, reading) for how, reading in BOUND if "time" not in reading}
        virtual.advance(HOUR)
        after = {(how, reading): seconds(module, how, reading) for how, reading in before if reading != "now"}
    finally:
        virtual.stop()
    assert after == {key: pytest.approx(before[key], abs=60) for key in after}


def test_everything_is_put_back(make_module: Callable[[str], ModuleType]) -> None:
    """Functions of the standard library are restored, and so are references in modules imported before or meanwhile."""
    names = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
    real = [getattr(time, name) for name in names]
    before, virtual = make_module("app_before"), clock.Clock("recorded")
    held = list(map(_within, before.places()))
    virtual.start()
    assert time.perf_counter is not real[2]
    meanwhile = make_module("app_meanwhile")
    assert meanwhile.__dict__["perf_counter"] is time.perf_counter
    virtual.stop()
    for module in (time, before, meanwhile):
        assert [getattr(module, name) for name in names] == real
    for module in (before, meanwhile):
        assert list(map(_within, module.places())) == held
    assert timeit.default_timer is real[2]
    assert time_machine.traveller_stack == []


def _within(place: Any) -> Any:
    return place.__func__ if isinstance(place, staticmethod) else place


def test_what_the_test_has_put_there_stays(
    make_module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that the suite has replaced itself is left alone, in the standard library and in the application."""
    app, virtual = make_module("app_with_a_mock"), clock.Clock("recorded")
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    vars(app)["perf_counter"] = lambda: 8.0
    read = app.late["monotonic"], app.early["perf_counter"], app.held["static"], app.held["default"]
    virtual.start()
    app.Stopwatch.static = staticmethod(lambda: 9.0)
    app.default.__defaults__ = (lambda: 10.0,)
    virtual.advance(HOUR)
    assert [reading() for reading in read] == [7.0, 8.0, 9.0, 10.0]
    virtual.stop()
    assert [reading() for reading in read] == [7.0, 8.0, 9.0, 10.0]


def test_a_module_is_searched_once(virtual: clock.Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that had bound no clock is not searched again, however often virtual time begins."""
    looked_at, look = [], places_in

    def noted(module: ModuleType, clocks: Any) -> Any:
        looked_at.append(module)
        return look(module, clocks)

    monkeypatch.setattr("pytest_llmtrace.clock._functions.places_in", noted)
    virtual.stop()
    app = ModuleType("app_that_came_late")
    monkeypatch.setitem(sys.modules, app.__name__, app)
    virtual.start()
    virtual.stop()
    virtual.start()
    assert looked_at.count(app) == 1


def test_what_pretends_to_be_a_module_is_passed_over(virtual: clock.Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries of cffi (PyNaCl's, for example) are in `sys.modules` as if they were modules."""

    class Lib:
        __slots__ = ()
        __class__ = property(lambda self: ModuleType)

    monkeypatch.setitem(sys.modules, "_sodium.lib", Lib())
    before = time.time()
    virtual.advance(HOUR)
    assert time.time() - before >= HOUR


def test_nested_clocks_are_one(virtual: clock.Clock) -> None:
    """There is only one wall clock: virtual time ends when the outermost clock ends it."""
    inner = clock.Clock("recorded")
    inner.start()
    inner.advance(HOUR)
    inner.stop()
    assert virtual.elapsed == pytest.approx(HOUR, abs=60)


def test_a_travel_that_ends_after_ours_is_left_alone() -> None:
    """The suite's own time-machine may begin in the test and end in a fixture: each of the two ends its own."""
    virtual, now = clock.Clock("recorded"), time.time()
    virtual.start()
    virtual.advance(HOUR)
    travel = time_machine.travel(dt.datetime(2020, 1, 1, tzinfo=dt.UTC), tick=False)
    travel.start()
    virtual.stop()
    assert dt.datetime.now(dt.UTC).year == 2020
    travel.stop()
    assert time.time() == pytest.approx(now, abs=60)
    assert time_machine.traveller_stack == []


def test_the_suite_s_own_travel_around_it_is_kept() -> None:
    """Virtual time begins at the time that the suite has travelled to."""
    with time_machine.travel(dt.datetime(2020, 1, 1, tzinfo=dt.UTC), tick=False):
        virtual = clock.Clock("recorded")
        virtual.start()
        virtual.advance(HOUR)
        assert virtual.now().replace(microsecond=0) == dt.datetime(2020, 1, 1, 1, tzinfo=dt.UTC)
        virtual.stop()
        assert virtual.time() == 1577836800


# --- what must not be disturbed --------------------------------------------------------------------------------------


def test_timeouts_of_asyncio_are_real(virtual: clock.Clock) -> None:
    """A timeout of a minute does not fire when an hour of virtual time passes."""

    async def work() -> str:
        virtual.advance(HOUR)
        await asyncio.sleep(0)
        return "done"

    async def main() -> str:
        async with asyncio.timeout(60):
            return await asyncio.wait_for(work(), 60)

    assert asyncio.run(main()) == "done"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_timeouts_of_anyio_are_real(virtual: clock.Clock, backend: str) -> None:
    """`fail_after` counts real seconds under both loops."""
    import anyio

    async def main() -> str:
        with anyio.fail_after(60):
            virtual.advance(HOUR)
            await anyio.sleep(0.001)
            return "done"

    assert anyio.run(main, backend=backend) == "done"


def test_timeouts_of_pools_and_locks_are_real(virtual: clock.Clock) -> None:
    """`ThreadPoolExecutor.map(timeout=)` counts real time, and a lock is waited for its full timeout."""
    lock = threading.Lock()
    lock.acquire()

    def work(_: int) -> str:
        virtual.advance(HOUR)
        return "done"

    with ThreadPoolExecutor(1) as pool:
        assert list(pool.map(work, range(2), timeout=60)) == ["done", "done"]
        with pytest.raises(TimeoutError):
            pool.submit(lock.acquire, timeout=60).result(timeout=0.01)
        lock.release()


def test_batches_of_spans_are_exported_in_real_time(virtual: clock.Clock) -> None:
    """The batch processor waits for its delay in real time; the spans that it holds have virtual times."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=HOUR * 1000))
    with provider.get_tracer("app").start_as_current_span("an hour"):
        virtual.advance(2 * HOUR)
    assert exporter.get_finished_spans() == ()
    assert provider.force_flush()
    [span] = exporter.get_finished_spans()
    assert ((span.end_time or 0) - (span.start_time or 0)) / 1e9 == pytest.approx(2 * HOUR, abs=60)
    provider.shutdown()


# --- what users hold -------------------------------------------------------------------------------------------------


def test_there_is_no_virtual_time_unless_it_was_asked_for() -> None:
    """The clock returns the time in any case; moving it without virtual time is an error that names the timing."""
    instant = clock.Clock("instant")
    instant.start()
    assert instant.time() == pytest.approx(time.time(), abs=60)
    assert instant.perf_counter() == pytest.approx(time.perf_counter(), abs=60)
    text = "clock.{} needs virtual time, which timing=\"recorded\" switches on; here timing is 'instant'"
    with pytest.raises(UsageError, match=f"^{text.format('advance..')}$"):
        instant.advance(1)
    with pytest.raises(UsageError, match=f"^{text.format('elapsed')}$"):
        _ = instant.elapsed


def test_virtual_time_is_on_during_the_test_only() -> None:
    """In fixtures there is no virtual time, and the error says so."""
    with pytest.raises(UsageError) as raised:
        clock.Clock("recorded").advance(1)
    assert str(raised.value) == (
        "clock.advance() needs virtual time, which is off: "
        "it is on only while the test itself, or the block, runs, and not in fixtures"
    )


@pytest.mark.parametrize("amount", [-1.0, float("nan"), float("inf")])
def test_virtual_time_goes_forward(virtual: clock.Clock, amount: float) -> None:
    """The clock is moved by a finite number of seconds, and never back."""
    with pytest.raises(UsageError, match=r"^clock.advance\(\) takes a number of seconds, 0 or more, got "):
        virtual.advance(amount)


@pytest.mark.parametrize("amount", [1e12, 1e300])
def test_virtual_time_ends_where_dates_end(virtual: clock.Clock, amount: float) -> None:
    """What no date can hold is refused, and does not move the clock."""
    with pytest.raises(UsageError) as raised:
        virtual.advance(amount)
    assert str(raised.value) == f"clock.advance({amount!r}) leads beyond the year 9999, where Python's dates end"
    virtual.advance(1e11)
    assert 1e11 <= virtual.elapsed < 1e11 + 60
    assert dt.datetime.now(dt.UTC).year > 5000


@pytest.mark.parametrize(
    ("timing", "text"),
    [
        ("record", "unknown value of timing= 'record': did you mean 'recorded'? known: instant, real, recorded"),
        (None, "unknown value of timing= None: known: instant, real, recorded"),
    ],
)
def test_unknown_timings(timing: Any, text: str) -> None:
    """An unknown timing is a usage error that names the nearest known one."""
    with pytest.raises(UsageError) as raised:
        clock.refuse_timing(timing)
    assert str(raised.value) == text


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only recorded timing needs time-machine; without it, one sentence says how to install it."""
    monkeypatch.setitem(sys.modules, "time_machine", None)
    clock.refuse_timing("instant")
    clock.refuse_timing("real")
    with pytest.raises(UsageError) as raised:
        clock.refuse_timing("recorded")
    assert str(raised.value) == 'timing="recorded" needs time-machine: pip install "pytest-llmtrace[timing]"'
