"""A request as vcrpy shows it to the functions of a `vcr_config`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pytest_llmtrace.model import Headers, Request

__all__ = ["HeaderMap", "HookRequest"]

_PORTS = {"http": 80, "https": 443}


class HeaderMap(MutableMapping[str, str]):
    """Headers by name in any case, one value each (the first), as vcrpy shows them."""

    def __init__(self, headers: Mapping[str, Any] | Headers = ()) -> None:
        self._values: dict[str, tuple[str, str]] = {}
        pairs: Iterable[tuple[str, Any]] = headers.items() if isinstance(headers, Mapping) else headers
        for name, value in pairs:
            if name.lower() not in self._values:
                self[name] = value[0] if isinstance(value, list | tuple) and value else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()][1]

    def __setitem__(self, name: str, value: str) -> None:
        kept, _ = self._values.get(name.lower(), (name, ""))
        self._values[name.lower()] = (kept, value)

    def __delitem__(self, name: str) -> None:
        del self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(dict(self))

    def copy(self) -> HeaderMap:
        """Return a copy."""
        return HeaderMap(self)


class HookRequest:
    """A request as vcrpy shows it to matchers and `before_record_request`; it may be changed in place."""

    def __init__(self, request: Request) -> None:
        self._headers = HeaderMap(request.headers)
        self.method = request.method
        self.uri = request.url
        self.body: Any = request.body

    @property
    def headers(self) -> HeaderMap:
        """The headers."""
        return self._headers

    @headers.setter
    def headers(self, value: Mapping[str, Any]) -> None:
        self._headers = value if isinstance(value, HeaderMap) else HeaderMap(value)

    @property
    def url(self) -> str:
        """The same as `uri`."""
        return self.uri

    @property
    def parsed_uri(self) -> SplitResult:
        """The parts of the URI."""
        return urlsplit(self.uri)

    @property
    def scheme(self) -> str:
        """The scheme."""
        return self.parsed_uri.scheme

    protocol = scheme

    @property
    def host(self) -> str | None:
        """The host, in lower case."""
        return self.parsed_uri.hostname

    @property
    def port(self) -> int | None:
        """The port, or the default port of the scheme."""
        return self.parsed_uri.port or _PORTS.get(self.scheme)

    @property
    def path(self) -> str:
        """The path, as it was sent."""
        return self.parsed_uri.path

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's parameters, sorted."""
        return sorted(parse_qsl(self.parsed_uri.query))

    def __repr__(self) -> str:
        return f"<Request ({self.method}) {self.uri}>"
