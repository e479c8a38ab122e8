"""The user's functions of a `vcr_config`, called as vcrpy calls them, on both sides of the comparison."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Headers, Recording, Request, Response
from pytest_llmtrace.replay.payload import decoded, header, in_chunks
from pytest_llmtrace.replay.settings import ReplaySettings

__all__ = ["HookRequest", "filtered", "is_ignored", "prepared"]

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
        """The port, or the scheme's."""
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


def is_ignored(request: Request, settings: ReplaySettings) -> bool:
    """Tell whether `ignore_hosts` or `ignore_localhost` leaves a request to the network."""
    host = HookRequest(request).host or ""
    return any(
        ignored.fullmatch(host) if hasattr(ignored, "fullmatch") else ignored == host
        for ignored in settings.ignore_hosts
    )


def filtered(request: Request, settings: ReplaySettings) -> Request | None:
    """Send a request through `ignore_hosts` and `before_record_request`; None if they drop it."""
    if settings.ignore_hosts and is_ignored(request, settings):
        return None
    if not settings.before_request:
        return request
    shown: HookRequest | None = HookRequest(request)
    for hook in settings.before_request:
        shown = hook(shown)
        if shown is None:
            return None
    return _request_of(shown, request)


def prepared(recording: Recording, settings: ReplaySettings) -> Recording | None:
    """Send a recording through what vcrpy does when it loads one; None if a function drops it."""
    if settings.rewrites:
        changed = _after_load(_restored(recording, settings), settings)
        if changed is None:
            return None
        recording = changed
    request = filtered(recording.request, settings)
    if request is None:
        return None
    response = recording.response
    if response is not None and settings.before_response:
        response = _through_response_hooks(response, settings)
        if response is None:
            return None
    return replace(recording, request=request, response=response)


def _through_response_hooks(response: Response, settings: ReplaySettings) -> Response | None:
    shown = _as_dict(response)
    if settings.decode_response:
        _decode(shown)
    for hook in settings.before_response:
        shown = hook(shown)
        if shown is None:
            return None
    return _from_dict(shown, response)


def _after_load(recording: Recording, settings: ReplaySettings) -> Recording | None:
    for hook in settings.after_load:
        shown = HookRequest(recording.request), _response_dict(recording)
        result = hook(*shown, None) if _takes_cassette(hook) else hook(*shown)
        if result is None:
            return None
        if not isinstance(result, tuple | list) or len(result) != 2:
            name = getattr(hook, "__qualname__", repr(hook))
            raise UsageError(
                f"after_load_interaction: {name} returned {type(result).__name__}, not (request, response)"
            )
        recording = _with(recording, *result)
    return recording


def _takes_cassette(hook: Any) -> bool:
    try:
        inspect.signature(hook).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True


def _restored(recording: Recording, settings: ReplaySettings) -> Recording:
    """Put the values of `filter_sensitive_data` back for their placeholders."""
    for placeholder, value in settings.sensitive:
        shown = HookRequest(recording.request), _response_dict(recording)
        secret = value(*shown) if callable(value) else value
        if secret is None or not str(placeholder) or not str(secret):
            continue
        old, new = str(placeholder), str(secret)
        asked = recording.request
        request = Request(
            method=asked.method,
            url=_swapped(asked.url, old, new),
            headers=_swapped(asked.headers, old, new),
            body=_swapped(asked.body, old, new),
        )
        recording = _with(replace(recording, request=request), None, _swapped(shown[1], old, new))
    return recording


def _swapped(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, bytes):
        return value.replace(old.encode(), new.encode())
    if isinstance(value, dict):
        return {key: _swapped(item, old, new) for key, item in value.items()}
    return type(value)(_swapped(item, old, new) for item in value) if isinstance(value, list | tuple) else value


def _with(recording: Recording, request: Any, response: Any) -> Recording:
    before = recording.response
    return replace(
        recording,
        request=_request_of(request, recording.request),
        response=_from_dict(response, before) if before is not None and isinstance(response, dict) else before,
    )


def _request_of(shown: Any, before: Request) -> Request:
    """Return what a hook has made of a request, be it ours or an object of its own that looks alike."""
    try:
        return Request(
            method=str(shown.method),
            url=str(shown.uri),
            headers=tuple((str(name), str(value)) for name, value in HeaderMap(shown.headers).items()),
            body=_bytes(shown.body),
        )
    except AttributeError:
        return before


def _response_dict(recording: Recording) -> dict[str, Any] | None:
    return None if recording.response is None else _as_dict(recording.response)


def _as_dict(response: Response) -> dict[str, Any]:
    headers: dict[str, list[str]] = {}
    for name, value in response.headers:
        headers.setdefault(name, []).append(value)
    return {
        "status": {"code": response.status, "message": response.reason},
        "headers": headers,
        "body": {"string": response.body},
    }


def _decode(shown: dict[str, Any]) -> None:
    headers: Headers = tuple((name, values[0]) for name, values in shown["headers"].items())
    encoding = header(headers, "content-encoding")
    plain = decoded(shown["body"]["string"], encoding) if encoding else None
    if plain is not None:
        shown["headers"] = {k: v for k, v in shown["headers"].items() if k.lower() != "content-encoding"}
        shown["body"]["string"] = plain


def _from_dict(shown: dict[str, Any], before: Response) -> Response:
    """Return what a response has become; its chunks and their times stay, unless the body has changed."""
    body = _bytes((shown.get("body") or {}).get("string"))
    headers = tuple(
        (name, str(value))
        for name, values in (shown.get("headers") or {}).items()
        for value in (values if isinstance(values, list | tuple) else [values])
    )
    status = shown.get("status") or {}
    changed = replace(
        copy.copy(before),
        status=int(status.get("code", before.status)),
        reason=str(status.get("message") or ""),
        headers=headers,
    )
    return changed if body == before.body else replace(changed, chunks=in_chunks(body, headers), offsets=None)


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
