"""Observe: at the single request of a client of httpx or httpx2."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_llmtrace.intercept import _refusal
from pytest_llmtrace.intercept._httpx_internals import SINGLE_REQUEST, StandIn
from pytest_llmtrace.intercept._ledger import current, watching
from pytest_llmtrace.intercept._passage import Head, Passage, carrying, in_flight
from pytest_llmtrace.intercept._patching import patch
from pytest_llmtrace.intercept._play import decoded, play_in_client, refusal_as_reply
from pytest_llmtrace.intercept._streams import Tapped, shaped
from pytest_llmtrace.model import Request

__all__ = ["tap"]

# Transports over an HTTP client that is no Python: nothing below them can be seen, so they are asked for at once.
_OPAQUE = {"curl_cffi", "httpx_curl_cffi", "pyreqwest"}


def tap(library: ModuleType) -> None:
    """Patch the clients of a library."""
    if not hasattr(library, "AsyncClient"):  # still being imported; patched when that is done
        return
    patch(library.Client, SINGLE_REQUEST, functools.partial(_tapping, library))
    patch(library.AsyncClient, SINGLE_REQUEST, functools.partial(_tapping_async, library))


def _tapping(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def send_single_request(self: Any, request: Any) -> Any:
        if not watching():
            return original(self, request)
        return original(StandIn(self, functools.partial(_Tap, library)), request)

    return send_single_request


def _tapping_async(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def send_single_request(self: Any, request: Any) -> Any:
        if not watching():
            return await original(self, request)
        return await original(StandIn(self, functools.partial(_Tap, library)), request)

    return send_single_request


class _Tap:
    """A transport that notes what passes through the one that the client chose."""

    def __init__(self, library: ModuleType, transport: Any) -> None:
        self._library = library
        self._transport = transport

    def handle_request(self, request: Any) -> Any:
        if _is_in_flight(request) or (ledger := current()) is None:
            return self._transport.handle_request(request)
        passage = ledger.begin(_noted(request, request.read()), **self._description(), source=request)
        with carrying(passage):
            try:
                response = self._answer_at_once(passage) or self._transport.handle_request(request)
            except BaseException as error:
                response = self._recover(passage, error)
                if response is None:
                    raise
        return self._observe(passage, response)

    async def handle_async_request(self, request: Any) -> Any:
        if _is_in_flight(request) or (ledger := current()) is None:
            return await self._transport.handle_async_request(request)
        passage = ledger.begin(_noted(request, await request.aread()), **self._description(), source=request)
        with carrying(passage):
            try:
                response = self._answer_at_once(passage) or await self._transport.handle_async_request(request)
            except BaseException as error:
                response = self._recover(passage, error)
                if response is None:
                    raise
        return self._observe(passage, response)

    def _description(self) -> dict[str, str]:
        kind = type(self._transport)
        root = kind.__module__.partition(".")[0]
        if isinstance(self._transport, self._library.MockTransport):
            origin = f"the test's own mock ({kind.__name__})"
        elif self._is_in_process():
            origin = f"an in-process application ({kind.__name__})"
        elif root in {"httpx", "httpx2"}:
            origin = "another mock"
        else:
            origin = f"another mock or the network ({root}: {kind.__name__})"
        return {"library": self._library.__name__, "origin": origin}

    def _is_in_process(self) -> bool:
        own = (self._library.ASGITransport, self._library.WSGITransport)
        return isinstance(self._transport, own) or type(self._transport).__module__ == "starlette.testclient"

    def _answer_at_once(self, passage: Passage) -> Any:
        if not any(kind.__module__.partition(".")[0] in _OPAQUE for kind in type(self._transport).__mro__):
            return None
        passage.barred = not passage.allowed
        answer = passage.ask()
        if answer is not None:
            return play_in_client(self._library, passage, answer)
        if passage.barred:
            raise passage.refuse()
        return None

    def _recover(self, passage: Passage, error: BaseException) -> Any:
        """Answer or refuse what a transport with sockets of its own could not send.

        Returns:
            A response, or None if the transport's exception stands.
        """
        if not isinstance(error, Exception):
            passage.fail(error)
            return None
        if passage.barred and not passage.settled:
            answer = passage.ask()
            if answer is not None:
                return play_in_client(self._library, passage, answer)
            passage.refuse()
        if passage.refusal is None:
            passage.fail(error)
            return None
        if _refusal.wants_reply(passage.request.headers):
            return refusal_as_reply(self._library, passage.refusal)
        if error is passage.refusal:
            return None
        raise passage.refusal from error

    def _observe(self, passage: Passage, response: Any) -> Any:
        if passage.settled:  # answered in the pool, or refused
            return response
        if passage.barred:  # the transport made do without its connection
            passage.ledger.note(f"{passage.host}:{passage.port} ({self._library.__name__})")
        self._tap_body(passage, response)
        return response

    def _tap_body(self, passage: Passage, response: Any) -> None:
        reason = response.extensions.get("reason_phrase", b"").decode("ascii", "replace")
        headers = decoded(response.headers.raw, response.headers.encoding)
        try:
            content = response.content
        except self._library.ResponseNotRead:
            passage.respond(Head(response.status_code, headers, reason, response.http_version))
            response.stream = shaped(Tapped, self._library)(passage, response.stream)
            return
        # Read already: its stream is never iterated. Mocks keep the bytes as they travel, others only the decoded ones.
        if isinstance(response.stream, self._library.ByteStream):
            content = b"".join(response.stream)
        else:
            headers = tuple(line for line in headers if line[0].lower() != "content-encoding")
        passage.respond(Head(response.status_code, headers, reason, response.http_version))
        if content:
            passage.deliver(content)
        passage.exhaust()


def _is_in_flight(request: Any) -> bool:
    """Tell whether a tap above has noted this request: a mock that was patched over a tap may leave two in place."""
    passage = in_flight()
    return passage is not None and passage.source is request


def _noted(request: Any, body: bytes) -> Request:
    headers = decoded(request.headers.raw, request.headers.encoding)
    return Request(method=request.method, url=str(request.url), headers=headers, body=body)
