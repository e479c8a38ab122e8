"""Some ways to leave a stream collect garbage."""

from __future__ import annotations

import gc

import pytest


@pytest.fixture(scope="module", autouse=True)
def few_objects() -> None:
    """Keep the collector from walking each time through what the tests before have left in caches."""
    gc.collect()
    gc.freeze()
