"""How long a trace lasts: real and virtual time, whatever a test does with the time of day."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from pytest_llmtrace import clock
from pytest_llmtrace.harness import LLMTrace


def test_virtual_time_counts_after_its_end_too() -> None:
    """Metrics are read when virtual time is over; what was measured in it was that long."""
    outer = clock.Watch()
    with LLMTrace(timing="recorded", verify=False) as trace:
        trace.clock.advance(60)
    assert 60 <= outer.seconds < 70
    with LLMTrace(timing="recorded", verify=False) as trace:
        inner = clock.Watch()
        trace.clock.advance(5)
        assert 5 <= inner.seconds < 15
    assert 65 <= outer.seconds < 85


def test_a_time_of_day_that_is_moved_does_not_count() -> None:
    """It tells when the watch was opened, as the code under test has it."""
    freezegun = pytest.importorskip("freezegun")
    with freezegun.freeze_time(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)) as frozen:
        watch = clock.Watch()
        frozen.tick(3600)
    assert watch.opened_ns == 1_704_067_200_000_000_000
    assert 0 < watch.seconds < 10


@pytest.mark.parametrize("name", ["perf_counter", "monotonic", "time", "time_ns"])
def test_nobody_can_tell_with_another_clock(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that puts a clock of its own in the place of Python's says how long everything takes."""
    watch = clock.Watch()
    monkeypatch.setattr(time, name, lambda: 7)
    seconds = watch.seconds
    monkeypatch.undo()
    assert seconds == 0
