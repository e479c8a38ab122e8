"""Routes of respx that take what httpx2 makes as well: respx itself knows the responses and errors of httpx only."""

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

# What a route may raise in the place of an answer, under the same name in both libraries.
_FAILURES = (httpx.NetworkError, httpx.ProtocolError, httpx.ProxyError, httpx.TimeoutException)


class Route(respx.Route):
    """A route of respx; responses and errors of httpx2 are taken for those of httpx, which the port gives back."""

    @property
    def return_value(self) -> httpx.Response | None:
        """What it answers."""
        return respx.Route.return_value.fget(self)  # type: ignore[attr-defined, no-any-return]

    @return_value.setter
    def return_value(self, value: Any) -> None:
        respx.Route.return_value.fset(self, of_httpx(value))  # type: ignore[attr-defined]

    @property
    def side_effect(self) -> Any:
        """What happens instead, one or several."""
        return respx.Route.side_effect.fget(self)  # type: ignore[attr-defined]

    @side_effect.setter
    def side_effect(self, effect: Any) -> None:
        several = isinstance(effect, Iterator | Sequence)
        respx.Route.side_effect.fset(  # type: ignore[attr-defined]
            self, map(_effect, effect) if several and effect else _effect(effect)
        )

    def __mod__(self, response: Any) -> respx.Route:
        """Answer with a status, the fields of a response, or a response."""
        return super().__mod__(of_httpx(response))


def _effect(effect: Any) -> Any:
    """Return a side effect of which all comes from httpx."""
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
    """Return what an error of either library is, as far as it has been imported."""
    httpx2 = sys.modules.get("httpx2")
    return (httpx.HTTPError,) if httpx2 is None else (httpx.HTTPError, httpx2.HTTPError)


def of_httpx(value: Any) -> Any:
    """Return what stands for a response or an error of httpx2 in httpx; all else is what it is."""
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
