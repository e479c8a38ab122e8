"""2,000 tests that do nothing: what pytest itself keeps of so many."""

from __future__ import annotations

import os

import pytest


@pytest.mark.parametrize("number", range(int(os.environ["SOAK_TESTS"])))
def test_empty(number: int) -> None:
    """Do nothing."""
