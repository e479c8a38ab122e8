"""A request in the form that is compared: what means the same looks the same, and secrets are left out.

The form of a body is recognised from the body alone, since a scrubbed recording may have lost its `content-type`.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

from pytest_llmtrace._stdlib import hashlib, json, re
from pytest_llmtrace.codings import unpacked
from pytest_llmtrace.model import Request
from pytest_llmtrace.replay import scrub
from pytest_llmtrace.replay.settings import ReplaySettings
from pytest_llmtrace.secrets.body_text import FORM

__all__ = ["Body", "Compared"]

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_FORM = re.compile(FORM.encode())
_BOUNDARY = re.compile(rb"--([^\r\n]{1,200}?)\r?\n")
_PART_NAME = re.compile(rb';\s*name="([^"]*)"', re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A body and its form: `json`, `form` (sorted pairs), `multipart` (parts), `bytes`, or `no body`."""

    form: str
    value: Any

    def key(self) -> Hashable:
        """Return a key that equal bodies share."""
        if self.form != "json":
            return self.form, self.value
        text = json.dumps(self.value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Address:
    scheme: str
    host: str
    port: int | None
    path: str
    query: tuple[tuple[str, str], ...]
    uri: str


class Compared:
    """The parts of a request in the form that is compared, each computed when it is first needed.

    Args:
        request: The request, sent or recorded.
        settings: The settings that say which names are left out.
        scrubbed: Whether to scrub the request first as a recorder does, since some recordings to compare it with are.
    """

    def __init__(self, request: Request, settings: ReplaySettings, *, scrubbed: bool = False) -> None:
        self.request = request
        self._settings = settings
        self._scrubbed = scrubbed

    def part(self, name: str) -> Hashable:
        """Return a part by vcrpy's name for it."""
        match name:
            case "method":
                return self.request.method.upper()
            case "body":
                return self.body_key
            case "raw_body":
                return self.request.body
            case "headers":
                return self.headers
            case _:
                value: Hashable = getattr(self.address, name)
                return value

    @functools.cached_property
    def address(self) -> _Address:
        """The parts of the URL."""
        return _address(self.request.url, self._settings.filter_query, scrubbed=self._scrubbed)

    @functools.cached_property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that may be compared, sorted."""
        pairs = ((name.lower(), value) for name, value in self.request.headers)
        left_out = self._settings.filter_headers | scrub.TRANSPORT_HEADERS
        kept = (pair for pair in pairs if not scrub.is_secret_header(pair[0]) and pair[0] not in left_out)
        return tuple(
            sorted((name, scrub.scrubbed_text(value)) for name, value in kept) if self._scrubbed else sorted(kept)
        )

    @functools.cached_property
    def body(self) -> Body:
        """The body."""
        body = scrub.scrubbed_body(self.request.body) if self._scrubbed else self.request.body
        return _body(body, self._settings)

    @functools.cached_property
    def body_key(self) -> Hashable:
        """The key that equal bodies share."""
        return self.body.key()


@functools.lru_cache(maxsize=1024)
def _address(url: str, left_out: frozenset[str], *, scrubbed: bool) -> _Address:
    if scrubbed:
        url = scrub.scrubbed_url(url)
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        port = parts.port or _PORTS.get(scheme)
    except ValueError:
        return _Address(scheme="", host=url, port=None, path="", query=(), uri=url)
    # When vcrpy filters query parameters, it also drops those that have no value from the URL.
    pairs = parse_qsl(parts.query, keep_blank_values=not left_out)
    query = tuple(pair for pair in pairs if not scrub.is_secret_parameter(pair[0]) and pair[0] not in left_out)
    host, path = (parts.hostname or "").rstrip("."), _path(parts.path)
    return _Address(
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        query=tuple(sorted(query)),
        uri=f"{scheme}://{host}:{port}{path}?{query}",
    )


def _path(path: str) -> str:
    """Return a path with one form of percent-encoding: clients send either `:` or `%3A`. An escaped slash stays."""
    if "%" not in path and path.isascii():
        return path or "/"
    return "%2F".join(quote(unquote_to_bytes(part), safe="/:@!$&'()*+,;=~[]") for part in re.split("(?i:%2f)", path))


def _body(body: bytes, settings: ReplaySettings) -> Body:
    if not body:
        return Body(form="no body", value=None)
    body = unpacked(body)
    start = body.lstrip()[:1]
    if start in {b"{", b"["}:
        return _json_body(body, settings) or Body(form="bytes", value=body)
    if body.startswith(b"--") and (boundary := _BOUNDARY.match(body)):
        return Body(form="multipart", value=_parts(body, boundary[1], settings))
    if _FORM.fullmatch(body):
        pairs = parse_qsl(body.decode("utf-8", "surrogateescape"), keep_blank_values=True)
        kept = (pair for pair in pairs if not _is_left_out(pair[0], settings))
        return Body(form="form", value=tuple(sorted(kept)))
    return Body(form="bytes", value=body)


def _is_left_out(name: str, settings: ReplaySettings) -> bool:
    return scrub.is_secret_field(name) or name in settings.filter_body


def _json_body(body: bytes, settings: ReplaySettings) -> Body | None:
    try:
        value = json.loads(body, parse_float=_number)
        if scrub.may_hold_secret_field(body) or (settings.filter_body and settings.filter_nested):
            value = _without_secrets(value, settings)
    except (ValueError, RecursionError):
        return None
    if settings.filter_body and isinstance(value, dict):
        value = {name: item for name, item in value.items() if name not in settings.filter_body}
    return Body(form="json", value=value)


def _number(text: str) -> float | int:
    """Read 1.0 as 1: clients in JavaScript write 1 where those in Python write 1.0."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _without_secrets(value: Any, settings: ReplaySettings) -> Any:
    """Leave out secret fields at any depth, if text or null; another value is a schema that describes such a field."""
    if isinstance(value, list):
        return [_without_secrets(item, settings) for item in value]
    if not isinstance(value, dict):
        return value
    nested = settings.filter_body if settings.filter_nested else frozenset()
    return {
        name: _without_secrets(item, settings)
        for name, item in value.items()
        if name not in nested and not (isinstance(item, str | None) and scrub.is_secret_field(name))
    }


def _parts(body: bytes, boundary: bytes, settings: ReplaySettings) -> tuple[bytes, ...]:
    """Return the parts of a multipart body without its boundary, which is random, and without left-out fields."""
    parts = [part.strip(b"\r\n") for part in body.split(b"--" + boundary)[1:]]
    names = [_PART_NAME.search(part.partition(b"\r\n\r\n")[0]) for part in parts]
    return tuple(
        part
        for part, name in zip(parts, names, strict=True)
        if name is None or not _is_left_out(name[1].decode("utf-8", "replace"), settings)
    )
