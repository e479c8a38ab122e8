"""Answer in the connection pool, refuse at connect: in httpcore and httpcore2."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from pytest_llmtrace.intercept._httpcore_internals import is_mocked
from pytest_llmtrace.intercept._ledger import Ledger, current, watching
from pytest_llmtrace.intercept._passage import Head, Passage, carrying, in_flight
from pytest_llmtrace.intercept._patching import is_plain, patch
from pytest_llmtrace.intercept._play import arrive, arrive_async, decoded, play_in_pool
from pytest_llmtrace.intercept._streams import Tapped
from pytest_llmtrace.model import Request

__all__ = ["asks_first", "tap"]

Function = Callable[..., Any]


def tap(library: ModuleType) -> None:
    """Patch the pools, the connections and the network backends of a library."""
    patch(library.ConnectionPool, "handle_request", functools.partial(_answering, library))
    patch(library.AsyncConnectionPool, "handle_async_request", functools.partial(_answering_async, library))
    # Without h2, anyio or trio the library has stubs instead of these classes, with nothing to patch.
    for connection in (library.HTTP11Connection, library.HTTP2Connection):
        if hasattr(connection, "handle_request"):
            patch(connection, "handle_request", functools.partial(_refusing, library))
    for connection in (library.AsyncHTTP11Connection, library.AsyncHTTP2Connection):
        if hasattr(connection, "handle_async_request"):
            patch(connection, "handle_async_request", functools.partial(_refusing_async, library))
    for backend in (library.SyncBackend, library.AnyIOBackend, library.TrioBackend):
        if hasattr(backend, "connect_tcp"):
            patch(backend, "connect_tcp", _refusing_tcp)
            patch(backend, "connect_unix_socket", _refusing_unix)


def asks_first(method: Any) -> bool:
    """Tell whether a pool's method is our patch with no mock around it, so that no mock has a turn before us."""
    return is_plain(method, __name__)


def _answering(library: ModuleType, original: Function) -> Function:
    @functools.wraps(original)
    def handle_request(self: Any, request: Any) -> Any:
        if (ledger := _ledger()) is None:
            return original(self, request)
        passage = _sent_by_client()
        if passage is None:
            body = b"".join(request.stream)
            request = _reread(library, request, body)
            passage = _begin(library, ledger, request, body)
        answer = passage.ask()
        if answer is not None:
            arrive(library, passage, answer)
            return play_in_pool(library, passage, answer)
        with carrying(passage), _noting_failure(passage):
            return _observed(passage, original(self, request))

    return handle_request


def _answering_async(library: ModuleType, original: Function) -> Function:
    @functools.wraps(original)
    async def handle_async_request(self: Any, request: Any) -> Any:
        if (ledger := _ledger()) is None:
            return await original(self, request)
        passage = _sent_by_client()
        if passage is None:
            body = b"".join([part async for part in request.stream])
            request = _reread(library, request, body)
            passage = _begin(library, ledger, request, body)
        answer = passage.ask()
        if answer is not None:
            await arrive_async(library, passage, answer)
            return play_in_pool(library, passage, answer)
        with carrying(passage), _noting_failure(passage):
            return _observed(passage, await original(self, request))

    return handle_async_request


def _refusing(library: ModuleType, original: Function) -> Function:
    @functools.wraps(original)
    def handle_request(self: Any, request: Any) -> Any:
        _let_send(library, self, request)
        return original(self, request)

    return handle_request


def _refusing_async(library: ModuleType, original: Function) -> Function:
    @functools.wraps(original)
    async def handle_async_request(self: Any, request: Any) -> Any:
        _let_send(library, self, request)
        return await original(self, request)

    return handle_async_request


def _refusing_tcp(original: Function) -> Function:
    # Fits coroutine functions as well: it only looks at the arguments before it calls the original.
    @functools.wraps(original)
    def connect_tcp(self: Any, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        _let_connect(host, port)
        return original(self, host, port, *args, **kwargs)

    return connect_tcp


def _refusing_unix(original: Function) -> Function:
    @functools.wraps(original)
    def connect_unix_socket(self: Any, path: str, *args: Any, **kwargs: Any) -> Any:
        _let_connect(None, None)
        return original(self, path, *args, **kwargs)

    return connect_unix_socket


def _ledger() -> Ledger | None:
    return current() if watching() else None


def _sent_by_client() -> Passage | None:
    """Return the request that a client is sending, if any; not a settled one: if sent again, it counts as a new one."""
    passage = in_flight()
    return None if passage is None or passage.settled else passage


def _begin(library: ModuleType, ledger: Ledger, request: Any, body: bytes) -> Passage:
    url = request.url
    host = url.host.decode("ascii")
    port = "" if url.port is None else f":{url.port}"
    noted = Request(
        method=request.method.decode("ascii"),
        url=f"{url.scheme.decode()}://{f'[{host}]' if ':' in host else host}{port}{url.target.decode('ascii')}",
        headers=decoded(request.headers),
        body=body,
    )
    patience = request.extensions.get("timeout", {}).get("read")
    return ledger.begin(noted, library=library.__name__, patience=patience)


def _reread(library: ModuleType, request: Any, body: bytes) -> Any:
    """Return a new request in place of one whose body has been read."""
    return library.Request(
        request.method, request.url, headers=request.headers, content=body, extensions=request.extensions
    )


@contextmanager
def _noting_failure(passage: Passage) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if not passage.by_client:
            passage.fail(error)
        raise


def _observed(passage: Passage, response: Any) -> Any:
    """Return a response, tapped if no client's tap will see it."""
    if not passage.by_client and not passage.settled:
        extensions = response.extensions
        reason = extensions.get("reason_phrase", b"").decode("ascii", "ignore")
        version = extensions.get("http_version", b"HTTP/1.1").decode("ascii", "replace")
        passage.respond(Head(response.status, decoded(response.headers), reason, version))
        response.stream = Tapped(passage, response.stream)
    return response


def _let_send(library: ModuleType, connection: Any, request: Any) -> None:
    """Refuse a request that would go out on a network connection, even one that was open before the test."""
    if (ledger := _ledger()) is None or is_mocked(library, connection):
        return
    passage = in_flight() or _begin(library, ledger, request, b"")
    if not passage.allowed:
        raise _refused(passage)
    passage.networked = True


def _let_connect(host: str | None, port: int | None) -> None:
    """Refuse to connect for a request; a connection for no request is left to the socket guard."""
    passage = in_flight()
    if passage is None or _ledger() is None:
        return
    if not passage.allowed:
        raise _refused(passage)
    passage.networked = True
    if host is not None:
        passage.ledger.hosts.admit(host, port)  # It may be a proxy on the way to an allowed host.


def _refused(passage: Passage) -> Exception:
    """Return the error that refuses a request.

    A mock that keeps the library's own method, as vcrpy 8 does, calls it without passing our patch of the pool, where
    we answer. Then the client's tap asks for the answer once it gets the error, which says that there is no connection.
    """
    if passage.asked or not passage.by_client:
        return passage.refuse()
    passage.barred = True
    return passage.ledger.block(passage.host, passage.port, noted=False)
