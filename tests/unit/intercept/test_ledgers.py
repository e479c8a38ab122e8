"""Which test a request is charged to."""

from __future__ import annotations

import gc
import importlib
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pytest_llmtrace import intercept, ownership
from pytest_llmtrace.errors import UnmatchedRequest
from pytest_llmtrace.model import Ambient

pytestmark = pytest.mark.usefixtures("few_objects")
URL = "http://llm.test/answered"


def test_the_innermost_owner_answers(driver: Any, trace: Any, script: Any) -> None:
    """When ledgers are nested, the inner one is asked and charged; the outer one sees nothing of the request."""
    outer, inner_script = trace("outer"), type(script)({})
    inner = trace("inner", answerer=inner_script)
    with pytest.raises(UnmatchedRequest, match="in inner, and it was not sent"):
        driver.post(URL)
    assert (len(outer.exchanges()), len(inner.exchanges())) == (0, 1)
    assert (script.asked, len(inner_script.asked)) == ([], 1)


def test_each_thread_belongs_to_who_started_it(driver: Any, trace: Any) -> None:
    """When two owners run in threads at once, no exchange is charged to the wrong one."""
    ledgers, threads, barrier = [], [], threading.Barrier(2)

    def run() -> None:
        barrier.wait()
        with driver.library.Client() as client:
            for _ in range(20):
                client.post(URL)

    for label in ("first", "second"):
        ledgers.append(trace(label))
        threads.append(threading.Thread(target=run))
        threads[-1].start()
    for thread in threads:
        thread.join()
    for ledger in ledgers:
        exchanges = ledger.exchanges()
        assert [exchange.index for exchange in exchanges] == list(range(20))


def test_what_belongs_to_nobody_is_charged_to_the_active_owner(driver: Any, trace: Any) -> None:
    """A pool that was started before any test works for whichever test is active."""
    intercept.install()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        ledger = trace()
        with driver.library.Client() as client:
            assert pool.submit(lambda: client.post(URL).text).result() == "one two"
    assert len(ledger.exchanges()) == 1


def test_a_pool_belongs_to_nobody_by_its_threads(driver: Any, trace: Any, script: Any) -> None:
    """Work submitted in a context without a test belongs to the active test, not to the one that began the thread.

    `IsolatedAsyncioTestCase` has such a context, and a suite's pool outlives the test that first used it.
    """
    first = intercept.open_ledger(owner := ownership.Owner("first"), answerer=script, ambient=Ambient)
    with ThreadPoolExecutor(1) as pool, driver.library.Client() as client:
        with ownership.belonging_to(owner):
            pool.submit(int).result()
        first.close()
        with ownership.active(owner := ownership.Owner("second")):
            second = intercept.open_ledger(owner, answerer=script, ambient=Ambient)
            try:
                assert pool.submit(lambda: client.post(URL).text).result() == "one two"
            finally:
                second.close()
    assert (len(first.exchanges()), len(second.exchanges())) == (0, 1)


def test_an_owner_without_a_ledger_is_guarded_all_the_same(driver: Any, trace: Any) -> None:
    """While any ledger is open nothing leaves the machine; the ledger opened last is charged."""
    ledger = trace()
    with ownership.belonging_to(ownership.Owner("somebody")), pytest.raises(UnmatchedRequest):
        driver.post("http://llm.test/x")
    assert len(ledger.exchanges()) == 1


def test_a_ledger_keeps_nothing_alive(library: str, script: Any) -> None:
    """An owner and its ledger, once closed and no longer held, are garbage-collected, even while a client lives on."""
    owner = ownership.Owner("test_x")
    ledger = intercept.open_ledger(owner, answerer=script, ambient=Ambient)
    with importlib.import_module(library).Client() as client:
        with ownership.belonging_to(owner):
            client.post(URL)
        ledger.close()
        left: list[weakref.ref[Any]] = [weakref.ref(owner), weakref.ref(ledger)]
        del owner, ledger
        gc.collect()
        assert [ref() for ref in left] == [None, None]


def test_snapshots_do_not_change(driver: Any, ledger: Any) -> None:
    """What was read from a ledger stays as it was read."""
    response = driver.open(URL)
    before = ledger.exchanges()
    driver.take(response.stream)
    driver.close_response(response)
    assert before[0].response.chunks == ()
    assert ledger.exchanges()[0].response.chunks == (b"one ", b"two")
