"""Respx routes that accept responses and errors of httpx2 as well; respx itself knows only those of httpx."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import httpx
import respx

__all__ = ["Route", "http_errors", "of_httpx"]

# Base classes of the errors that a route may raise instead of answering; both libraries give an error the same name.
_FAILURES = (httpx.NetworkError, httpx.ProtocolError, httpx.ProxyError, httpx.TimeoutException)


class Route(respx.Route):
    """A respx route that turns responses and errors of httpx2 into those of httpx; each client gets its own kind."""

    @property
    def return_value(self) -> httpx.Response | None:
        """The response that this route answers with."""
        return respx.Route.return_value.fget(self)  # type: ignore[attr-defined, no-any-return]

    @return_value.setter
    def return_value(self, value: Any) -> None:
        respx.Route.return_value.fset(self, of_httpx(value))  # type: ignore[attr-defined]

    @property
    def side_effect(self) -> Any:
        """What the route does instead of answering with `return_value`: one side effect, or several in turn."""
        return respx.Route.side_effect.fget(self)  # type: ignore[attr-defined]

    @side_effect.setter
    def side_effect(self, effect: Any) -> None:
        several = isinstance(effect, Iterator | Sequence)
        respx.Route.side_effect.fset(  # type: ignore[attr-defined]
            self, map(_effect, effect) if several and effect else _effect(effect)
        )

    def __mod__(self, response: Any) -> respx.Route:
        """Make the route answer with a status, with a response of these fields, or with this response."""
        return super().__mod__(of_httpx(response))


def _effect(effect: Any) -> Any:
    """Return a side effect that gives only responses and errors of httpx."""
    return _calling(effect) if callable(effect) and not isinstance(effect, type) else of_httpx(effect)


def _calling(effect: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(effect)
    def answer(request: httpx.Request, **captured: Any) -> Any:
        result = effect(request, **captured)
        return _later(result) if inspect.isawaitable(result) else of_httpx(result)

    answer.__signature__ = inspect.signature(effect)  # type: ignore[attr-defined] # respx looks for `route` in it.
    return answer


async def _later(result: Awaitable[Any]) -> Any:
    return of_httpx(await result)


def http_errors() -> tuple[type[Exception], ...]:
    """Return the base class of httpx's errors and, if httpx2 has been imported, that of its errors."""
    httpx2 = sys.modules.get("httpx2")
    return (httpx.HTTPError,) if httpx2 is None else (httpx.HTTPError, httpx2.HTTPError)


def of_httpx(value: Any) -> Any:
    """Return the httpx counterpart of a response or an error of httpx2; return any other value unchanged."""
    httpx2 = sys.modules.get("httpx2")
    if httpx2 is None:
        return value
    if isinstance(value, httpx2.Response):
        return httpx.Response(
            value.status_code, headers=value.headers.raw, content=value.stream, extensions=value.extensions
        )
    kind = _same_error(value if isinstance(value, type) else type(value), httpx2)
    return value if kind is None else kind if isinstance(value, type) else kind(str(value))


def _same_error(kind: type, httpx2: ModuleType) -> Callable[[str], httpx.TransportError] | None:
    if not issubclass(kind, httpx2.TransportError):
        return None
    same = getattr(httpx, kind.__name__, None)
    return same if isinstance(same, type) and issubclass(same, _FAILURES) else None
