"""What the port relies on inside httpx and httpx2.

Every request passes once through `Client._send_single_request` or `AsyncClient._send_single_request`, including
redirects and authentication, whatever the transport. Neither library has a public hook there: event hooks see requests
before a transport is chosen and cannot see the body being read, and transports are chosen per URL.

The original runs with a stand-in for the client, so that the library's own wrapping of the response (elapsed time,
cookies, logging) stays in place. It uses three attributes of the client only: `_transport_for_url`, `cookies` and
`_default_encoding`.

Supported: httpx 0.23 to 0.28, httpx2 2.x. Guard: `tests/unit/intercept/test_internals.py`. To be removed when the
libraries offer a public way to wrap the transport that a client chose.

The library's own transports keep their connection pool in `_pool`, and hand it each request through the pool's method
of the same name as their own. To be removed when a transport exposes its pool publicly.
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
    """Return the pool's method that the transport's method of this name calls; None if that is not known.

    It is not known if a subclass, a mock or an instrumentation has replaced the transport's method, or without a pool.
    """
    if not is_plain(getattr(transport, name, None), library.__name__):
        return None
    return getattr(getattr(transport, "_pool", None), name, None)
