"""The duration of a trace: real and virtual time, whatever a test does to the time of day."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from pytest_llmtrace import clock
from pytest_llmtrace.harness import LLMTrace


def test_virtual_time_counts_after_its_end_too() -> None:
    """Metrics are read after virtual time has ended, and its length still counts."""
    outer = clock.Watch()
    with LLMTrace(timing="recorded", verify=False) as trace:
        trace.clock.advance(60)
    assert 60 <= outer.seconds < 70
    with LLMTrace(timing="recorded", verify=False) as trace:
        inner = clock.Watch()
        trace.clock.advance(5)
        assert 5 <= inner.seconds < 15
    assert 65 <= outer.seconds < 85


def test_the_reading_at_its_opening_is_the_applications() -> None:
    """The reading of the clock is the one that the code under test sees, virtual time included."""
    with LLMTrace(timing="recorded", verify=False) as trace:
        trace.clock.advance(5000)
        assert 0 <= time.perf_counter() - clock.Watch().opened_at + 1 < 2


def test_a_time_of_day_that_is_moved_does_not_count() -> None:
    """A moved time of day only changes when the watch was opened, as the code under test sees it."""
    freezegun = pytest.importorskip("freezegun")
    with freezegun.freeze_time(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)) as frozen:
        watch = clock.Watch()
        frozen.tick(3600)
    assert watch.opened_ns == 1_704_067_200_000_000_000
    assert 0 < watch.seconds < 10


@pytest.mark.parametrize("name", ["perf_counter", "monotonic", "time", "time_ns"])
def test_nobody_can_tell_with_another_clock(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a test replaces one of Python's clocks, no duration can be known, and it is 0."""
    watch = clock.Watch()
    monkeypatch.setattr(time, name, lambda: 7)
    seconds = watch.seconds
    monkeypatch.undo()
    assert seconds == 0
