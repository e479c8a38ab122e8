import gc

import pytest
from manual_app import provider


def pytest_collection_finish():
    """Whoever leaves a stream collects garbage, and so does llmtrace where a span is open: not through the SDK as well."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def flushed():
    """Write the last spans to the console before pytest takes its stdout away."""
    yield
    provider.force_flush()
