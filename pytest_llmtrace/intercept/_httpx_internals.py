"""What the port relies on inside httpx and httpx2.

`Client._send_single_request` and `AsyncClient._send_single_request` are where every request passes once, redirects and
authentication included, whatever the transport. Neither library has a public hook there: event hooks see requests
before a transport is chosen and cannot see the body being read, and transports are chosen per URL.

The original runs with a stand-in for the client, so that the library's own wrapping of the response (elapsed time,
cookies, logging) stays in place. It uses three attributes of the client only: `_transport_for_url`, `cookies` and
`_default_encoding`.

Supported: httpx 0.23 to 0.28, httpx2 2.x. Guard: `tests/unit/intercept/test_internals.py`. To be removed when the
libraries offer a public way to wrap the transport that a client chose.

A transport of the library's own keeps its connection pool in `_pool`, and hands it each request by the method that it
has itself. To be removed when a transport tells its pool publicly.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_llmtrace.intercept._patching import is_plain

__all__ = ["SINGLE_REQUEST", "USED_BY_IT", "StandIn", "next_after"]

SINGLE_REQUEST = "_send_single_request"
USED_BY_IT = frozenset({"_transport_for_url", "cookies", "_default_encoding"})


class StandIn:
    """A client whose transports are wrapped; everything else is the client's own."""

    def __init__(self, client: Any, wrap: Callable[[Any], Any]) -> None:
        self._stood_for = client
        self._wrap = wrap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stood_for, name)

    def _transport_for_url(self, url: Any) -> Any:
        return self._wrap(self._stood_for._transport_for_url(url))


def next_after(transport: Any, library: ModuleType, name: str) -> Any:
    """Return the method of the pool that the transport's method of that name calls, None if that is not known.

    It is known unless a subclass, a mock or an instrumentation has put a method of its own in the transport's place.
    """
    if not is_plain(getattr(transport, name, None), library.__name__):
        return None
    return getattr(getattr(transport, "_pool", None), name, None)
