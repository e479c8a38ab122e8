"""What the port relies on inside httpcore and httpcore2.

A connection does not say publicly what it is connected to. One over the library's own `MockStream` is the user's mock
and leaves the machine as little as any other mock does; every other is the network.

Supported: httpcore 1.x, httpcore2 2.x. Guard: `tests/unit/intercept/test_internals.py`. To be removed when connections
tell their network stream publicly before a request is sent.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

__all__ = ["is_mocked"]


def is_mocked(library: ModuleType, connection: Any) -> bool:
    """Tell whether a connection ends in a mock backend of the library's own."""
    return isinstance(connection._network_stream, (library.MockStream, library.AsyncMockStream))
