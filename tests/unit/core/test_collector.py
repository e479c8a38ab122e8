"""Work without collections: pairing and judging make many objects, and no cycle among them."""

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
    """It is off during the work and on again behind it, also if that raises."""
    assert (is_collecting(), gc.isenabled()) == (False, True)
    with pytest.raises(ValueError):
        is_collecting(fails=True)
    assert gc.isenabled()


def test_an_application_that_has_switched_it_off_keeps_it_off() -> None:
    """What was off before stays off."""
    gc.disable()
    assert (is_collecting(), gc.isenabled()) == (False, False)


def test_it_stands_still_for_pairing_and_judging() -> None:
    """Both of what grows with the number of calls are such work."""
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
