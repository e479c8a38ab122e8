import pytest
from manual_app import provider


@pytest.fixture(scope="session", autouse=True)
def flushed():
    """Write the last spans to the console before pytest takes its stdout away."""
    yield
    provider.force_flush()
