"""The socket guard: it keeps clients other than httpx on this machine.

It guards sockets and name resolution, uvloop's and gevent's own included; and, for connections that are open already
and for proxies, the standard library's HTTP client (requests and urllib3 are built on it) and aiohttp's connector.
Loopback and Unix sockets are free. Each client turns the error, an `OSError`, into its own connection error.
"""

from __future__ import annotations

import asyncio
import functools
import http.client
import socket
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from pytest_llmtrace.intercept._hosts import is_local, names_of, resolved
from pytest_llmtrace.intercept._ledger import current, watching
from pytest_llmtrace.intercept._passage import in_flight
from pytest_llmtrace.intercept._patching import patch

__all__ = ["guard_aiohttp", "guard_gevent", "guard_sockets", "guard_uvloop"]

Function = Callable[..., Any]

_INTERNET = (socket.AF_INET, socket.AF_INET6)


def guard_sockets(module: ModuleType) -> None:
    """Patch the standard library's sockets, name resolution and HTTP client."""
    bare = _standard(object, "_socket", "socket")  # Not by the module's attributes, which gevent replaces.
    _guard_methods(_standard(bare, "socket", "socket"))
    _guard_resolution(module)
    # Checked before the loop hands the name to a thread, which does not know whose request it works for.
    patch(asyncio.BaseEventLoop, "getaddrinfo", _guarding_loop_resolution)
    connection = _standard(object, "http.client", "HTTPConnection")
    patch(connection, "putrequest", _guarding_putrequest)
    patch(connection, "set_tunnel", _guarding_tunnel)


def guard_gevent(module: ModuleType) -> None:
    """Patch gevent's sockets: they do not derive from the standard library's, though they may replace them."""
    _guard_methods(module.socket)
    _guard_resolution(module)


def _guard_resolution(module: ModuleType) -> None:
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        patch(module, name, _guarding_resolution)


def _guard_methods(kind: type) -> None:
    for name in ("connect", "connect_ex", "sendto", "sendmsg"):
        if hasattr(kind, name):
            patch(kind, name, _guarding_address)


def guard_uvloop(module: ModuleType) -> None:
    """Patch uvloop's loop, which resolves and connects without Python's sockets."""
    patch(module.Loop, "create_connection", _guarding_create_connection)
    patch(module.Loop, "getaddrinfo", _guarding_loop_resolution)
    patch(module.Loop, "sock_connect", _guarding_sock_connect)


def guard_aiohttp(module: ModuleType) -> None:
    """Patch aiohttp's connectors, which keep connections open from one test to the next."""
    unix = (module.UnixConnector, module.NamedPipeConnector)
    patch(module.BaseConnector, "connect", functools.partial(_guarding_connector, unix))


@functools.cache
def _standard(base: type, module: str, name: str) -> Any:
    """Return the standard library's own class, even while a mock has put another in its place, as vcrpy does."""
    kinds: list[type] = base.__subclasses__()
    return next(kind for kind in kinds if (kind.__module__, kind.__name__) == (module, name))


def _check(host: object, port: object = None, *, via: str | None = None) -> None:
    """Raise `BlockedConnection` unless the running code may reach a host.

    Args:
        host: Its name or address; None means this machine.
        port: The port or the name of a service; only a number is compared.
        via: The proxy on the way to the host; it may be reached too if the host may.
    """
    if not watching() or host is None or (ledger := current()) is None:
        return
    name = host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host)
    number = int(port) if isinstance(port, (int, str)) and str(port).isdigit() else None
    passage = in_flight()
    if passage is not None and passage.claims(name, number):
        # For httpx clients loopback is not free, even where their transport has its own sockets.
        passage.networked = passage.allowed
        passage.barred = not passage.allowed
        if passage.barred:
            raise ledger.block(name, number, noted=False)
    elif not is_local(name) and not ledger.hosts.allow(name, number):
        if not ledger.live:
            raise ledger.block(name, number)
        if passage is None:  # With a passage, the host may be the proxy of a client that is recorded.
            ledger.note_unrecorded(names_of(name))
    if via is not None:
        ledger.hosts.admit(via)


def _check_address(sock: socket.socket, address: object) -> None:
    if watching() and sock.family in _INTERNET and isinstance(address, tuple):
        _check(*address[:2])


def _guarding_address(original: Function) -> Function:
    """Guard a method of a socket; its last argument, if it is a tuple, is the address."""

    @functools.wraps(original)
    def guarded(self: socket.socket, *args: Any) -> Any:
        if watching() and args:
            _check_address(self, args[-1])
        return original(self, *args)

    return guarded


def _guarding_resolution(original: Function) -> Function:
    @functools.wraps(original)
    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_address(host):
            _check(host, args[0] if args else kwargs.get("port"))
        found = original(host, *args, **kwargs)
        _remember(host, found)
        return found

    return guarded


def _guarding_loop_resolution(original: Function) -> Function:
    @functools.wraps(original)
    async def getaddrinfo(self: Any, host: Any, port: Any, **kwargs: Any) -> Any:
        if not _is_address(host):
            _check(host, port)
        found = await original(self, host, port, **kwargs)
        _remember(host, found)
        return found

    return getaddrinfo


def _guarding_create_connection(original: Function) -> Function:
    @functools.wraps(original)
    async def create_connection(
        self: Any, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any
    ) -> Any:
        _check(host, port)
        return await original(self, protocol_factory, host, port, **kwargs)

    return create_connection


def _guarding_sock_connect(original: Function) -> Function:
    @functools.wraps(original)
    async def sock_connect(self: Any, sock: Any, address: Any) -> Any:
        _check_address(sock, address)
        return await original(self, sock, address)

    return sock_connect


def _guarding_putrequest(original: Function) -> Function:
    """Guard requests on connections that are open already, and requests that a proxy is asked to forward."""

    @functools.wraps(original)
    def putrequest(self: http.client.HTTPConnection, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if watching():
            target = urlsplit(url) if "://" in url[:8] else None
            if target is not None and target.hostname:
                _check(target.hostname, target.port or _default_port(target.scheme), via=self.host)
            elif isinstance(self.sock, socket.socket):
                _check(self.host, self.port)
        return original(self, method, url, *args, **kwargs)

    return putrequest


def _guarding_tunnel(original: Function) -> Function:
    @functools.wraps(original)
    def set_tunnel(self: http.client.HTTPConnection, host: str, *args: Any, **kwargs: Any) -> Any:
        target = urlsplit(f"//{host}")
        port = (args[0] if args else kwargs.get("port")) or target.port or self.default_port
        _check(target.hostname, port, via=self.host)
        return original(self, host, *args, **kwargs)

    return set_tunnel


def _guarding_connector(unix: tuple[type, ...], original: Function) -> Function:
    @functools.wraps(original)
    async def connect(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        if watching() and not isinstance(self, unix):
            _check(req.url.host, req.url.port, via=req.proxy.host if req.proxy else None)
        return await original(self, req, *args, **kwargs)

    return connect


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _is_address(host: object) -> bool:
    """Tell whether a host is None or an address: there is nothing to resolve, and connecting to it is checked."""
    if not isinstance(host, str):
        return host is None
    for family in _INTERNET:
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return True
    return False


def _remember(host: object, found: Any) -> None:
    """Remember what a resolver found: `getaddrinfo` a list, `gethostbyname` an address, `gethostbyname_ex` a triple."""
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str):
        return
    if isinstance(found, str):
        resolved(host, [found])
    elif isinstance(found, tuple):
        resolved(host, found[2])
    else:
        resolved(host, [entry[4][0] for entry in found])
