"""A respx router that answers at the plugin's own HTTP port, for httpx and httpx2 alike, without patching anything.

Importing this module imports respx, so it happens only when a test asks for the router.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Coroutine
from typing import Any, TypeVar

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Answer, Failure, Request, Response

try:
    import httpx
    import respx
    from respx.models import AllMockedAssertionError, PassThrough

    from pytest_llmtrace.replay._routes import Route, http_errors, of_httpx
except ImportError as missing:
    raise UsageError(f'llmtrace.router needs respx ({missing}): pip install "pytest-llmtrace[respx]"') from None

__all__ = ["Router"]

_T = TypeVar("_T")

_ORDER = ("method", "scheme", "host", "port", "path", "url", "params", "headers")
_NO_RESPONSE = Response(status=0)

# The first class that fits an error counts, so subclasses come before their base classes.
_FAILURES: tuple[tuple[type[Exception], Failure], ...] = (
    (httpx.ConnectTimeout, Failure.CONNECT_TIMEOUT),
    (httpx.PoolTimeout, Failure.POOL_TIMEOUT),
    (httpx.WriteTimeout, Failure.WRITE_TIMEOUT),
    (httpx.TimeoutException, Failure.READ_TIMEOUT),
    (httpx.ConnectError, Failure.CONNECT_ERROR),
    (httpx.ProxyError, Failure.PROXY_ERROR),
    (httpx.WriteError, Failure.WRITE_ERROR),
    (httpx.NetworkError, Failure.READ_ERROR),
    (httpx.ProtocolError, Failure.DISCONNECT),
)


class Router(respx.Router):
    """A respx router: routes, side effects, patterns and call statistics are respx's own.

    A side effect may be an `async def`, as long as it does not wait for anything: the port needs the answer at once. A
    route that was never called is reported as unplayed, which takes the place of respx's `assert_all_called`. An
    exception that is not a connection error reaches the code under test. Responses and errors may be those of httpx or
    httpx2.
    """

    def route(self, *patterns: Any, name: str | None = None, **lookups: Any) -> respx.Route:
        """Add a route, as respx does."""
        return self.add(Route(*patterns, **lookups), name=name)

    @property
    def origin(self) -> str:
        """The name of this router in reports."""
        return "respx router"

    @property
    def total(self) -> int:
        """The number of routes."""
        return len(self.routes)

    def answer(self, request: Request) -> Answer | None:
        """Return the answer of the route that matches; None if no route does, or if it passes the request through.

        Raises:
            UsageError: If a side effect waits for something.
        """
        asked = _to_httpx(request)
        try:
            resolved = _in_one_go(self.aresolve(asked))
        except (AllMockedAssertionError, PassThrough):
            return None
        except http_errors() as error:
            return Answer(response=_NO_RESPONSE, failure=_failure(error), origin=self._origin_of(asked))
        if not isinstance(resolved.response, httpx.Response):
            return None
        response, failure = _from_httpx(resolved.response)
        return Answer(response=response, failure=failure, origin=self._origin_of(asked))

    def explain(self, request: Request) -> str:
        """Return text that names the nearest route to a request, and what differs."""
        if not self.routes:
            return f"the {self.origin} has no routes"
        asked = _to_httpx(request)
        nearest = min(self.routes, key=lambda route: len(_misses(route, asked)))
        misses = _misses(nearest, asked)
        why = "; ".join(misses) if misses else "it matches, but passes the request through or its side effect declined"
        return f"the {self.origin} has no match among {len(self.routes)}; nearest {_described(nearest)}: {why}"

    def unplayed(self) -> tuple[str, ...]:
        """Describe the routes that were never called, in order."""
        return tuple(_described(route) for route in self.routes if not route.called)

    def _origin_of(self, asked: httpx.Request) -> str:
        called = (route for route in self.routes if route.called and route.calls.last.request is asked)
        route = next(called, None)
        return self.origin if route is None else f"respx {_described(route)}"


def _in_one_go(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of a coroutine that never waits; the thread may have a running event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    coroutine.close()
    raise UsageError("a side effect of llmtrace.router waits (await); it must return its response without waiting")


def _failure(error: Exception) -> Failure:
    for kind, failure in _FAILURES:
        if isinstance(of_httpx(error), kind):
            return failure
    raise error


def _to_httpx(request: Request) -> httpx.Request:
    return httpx.Request(request.method, request.url, headers=list(request.headers), content=request.body)


def _from_httpx(response: httpx.Response) -> tuple[Response, Failure | None]:
    """Convert a response, keeping its chunks; if its stream breaks, return the chunks before that, and the failure."""
    chunks: list[bytes] = []
    failure = None
    try:
        if isinstance(response.stream, httpx.SyncByteStream):
            chunks.extend(response.stream)
        else:
            _in_one_go(_collect(response.stream, chunks))
    except http_errors() as error:
        failure = _failure(error)
    taken = Response(
        status=response.status_code,
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw),
        chunks=tuple(filter(None, chunks)),
        reason=response.reason_phrase,
        http_version=response.http_version,
    )
    return taken, failure


async def _collect(stream: AsyncIterable[bytes], chunks: list[bytes]) -> None:
    async for chunk in stream:
        chunks.append(chunk)  # noqa: PERF401 - what came before a failure is kept


def _parts(route: respx.Route) -> list[Any]:
    """Return the single patterns of a route, in the order of a request line, without patterns that match anything."""
    rank = {key: number for number, key in enumerate(_ORDER)}
    return sorted(filter(None, route.pattern), key=lambda part: rank.get(part.key, len(rank)))


def _described(route: respx.Route) -> str:
    """Write a route in respx's own lookup syntax, with its name if it has one."""
    lookups = ", ".join(f"{_lookup(part)}={part.value!r}" for part in _parts(route))
    return f"route({lookups})" + (f" named {route.name!r}" if route.name else "")


def _lookup(part: Any) -> str:
    return str(part.key) if part.lookup.value == "eq" else f"{part.key}__{part.lookup.value}"


def _misses(route: respx.Route, asked: httpx.Request) -> list[str]:
    return [
        f"{_lookup(part)} is {part.value!r}, the request has {_found(part, asked)}"
        for part in _parts(route)
        if not part.match(asked)
    ]


def _found(part: Any, asked: httpx.Request) -> str:
    try:
        return repr(part.parse(asked))
    except Exception:  # noqa: BLE001 - a body that is not JSON, for one: respx's patterns raise what they like
        return "nothing that can be compared"
