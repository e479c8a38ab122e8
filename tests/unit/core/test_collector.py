"""Pairing and judging run without the garbage collector: they make many objects, and no cycles."""

from __future__ import annotations

import gc
from collections import UserDict
from collections.abc import Iterator

import pytest

from pytest_llmtrace import checks, pairing
from pytest_llmtrace._collector import uncollected
from pytest_llmtrace.model import Exchange


@pytest.fixture(autouse=True)
def _collecting() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


@uncollected
def is_collecting(*, fails: bool = False) -> bool:
    if fails:
        raise ValueError
    return gc.isenabled()


def test_the_collector_stands_still_meanwhile() -> None:
    """The collector is off during the work and on again after it, even if the work raises."""
    assert (is_collecting(), gc.isenabled()) == (False, True)
    with pytest.raises(ValueError):
        is_collecting(fails=True)
    assert gc.isenabled()


def test_an_application_that_has_switched_it_off_keeps_it_off() -> None:
    """A collector that was off before stays off."""
    gc.disable()
    assert (is_collecting(), gc.isenabled()) == (False, False)


def test_it_stands_still_for_pairing_and_judging() -> None:
    """Pairing and judging, whose work grows with the number of calls, both run without the collector."""
    noted: list[bool] = []

    class Ignore(UserDict[str, str]):
        def __iter__(self) -> Iterator[str]:
            noted.append(gc.isenabled())
            return super().__iter__()

    def exchanges() -> Iterator[Exchange]:
        noted.append(gc.isenabled())
        yield from ()

    pairing.match(exchanges(), ())
    checks.verify(checks.Evidence(), Ignore())
    assert noted
    assert not any(noted)
