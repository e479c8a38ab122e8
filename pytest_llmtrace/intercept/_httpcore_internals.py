"""What the port relies on inside httpcore and httpcore2.

A connection does not say publicly what it is connected to. A connection over the library's own `MockStream` is the
user's mock and, like any other mock, does not leave the machine; every other connection is the network.

Supported: httpcore 1.x, httpcore2 2.x. Guard: `tests/unit/intercept/test_internals.py`. To be removed when connections
expose their network stream publicly before a request is sent.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

__all__ = ["is_mocked"]


def is_mocked(library: ModuleType, connection: Any) -> bool:
    """Tell whether a connection ends in one of the library's own mock streams."""
    return isinstance(connection._network_stream, (library.MockStream, library.AsyncMockStream))
