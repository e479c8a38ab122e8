"""What the tests of correct and faulty instrumentations share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The modules of this folder import each other by their names below the project, wherever pytest was started.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.truth._calls import Caller


@pytest.fixture(scope="session", params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Make calls with clients that live as long as the run."""
    caller = Caller(asynchronous=request.param == "async")
    yield caller
    caller.close()
