import gc

import pytest
from manual_app import provider


def pytest_collection_finish():
    """Let the collector of garbage pass over the SDK: it runs where a stream is left, and where a span is open."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def flushed():
    """Write the last spans to the console before pytest takes its stdout away."""
    yield
    provider.force_flush()
