"""Observe each request in the method with which a client of httpx or httpx2 sends it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_llmtrace.headers import without
from pytest_llmtrace.intercept import _pool_tap, _refusal
from pytest_llmtrace.intercept._httpx_internals import SINGLE_REQUEST, StandIn, next_after
from pytest_llmtrace.intercept._ledger import Ledger, current, watching
from pytest_llmtrace.intercept._passage import Head, Passage, carrying, in_flight
from pytest_llmtrace.intercept._patching import patch
from pytest_llmtrace.intercept._play import arrive, arrive_async, decoded, play_in_client, refusal_as_reply
from pytest_llmtrace.intercept._streams import Tapped, shaped
from pytest_llmtrace.model import Answer, Request

__all__ = ["tap"]

# Transports over an HTTP client that is not written in Python: nothing below them can be seen, so their requests are
# answered or refused here, before the transport gets them.
_OPAQUE = {"curl_cffi", "httpx_curl_cffi", "pyreqwest"}


def tap(library: ModuleType) -> None:
    """Patch the clients of a library."""
    patch(library.Client, SINGLE_REQUEST, functools.partial(_tapping, library))
    patch(library.AsyncClient, SINGLE_REQUEST, functools.partial(_tapping_async, library))


def _tapping(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    tapped = functools.partial(_Tap, library)

    @functools.wraps(original)
    def send_single_request(self: Any, request: Any) -> Any:
        return original(StandIn(self, tapped) if watching() else self, request)

    return send_single_request


def _tapping_async(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    tapped = functools.partial(_Tap, library)

    @functools.wraps(original)
    async def send_single_request(self: Any, request: Any) -> Any:
        return await original(StandIn(self, tapped) if watching() else self, request)

    return send_single_request


class _Tap:
    """A transport that notes what passes through the one that the client chose."""

    def __init__(self, library: ModuleType, transport: Any) -> None:
        self._library = library
        self._transport = transport

    def handle_request(self, request: Any) -> Any:
        if _is_in_flight(request) or (ledger := current()) is None:
            return self._transport.handle_request(request)
        passage = self._begin(ledger, request, request.read())
        try:
            answer = self._answer_at_once(passage, "handle_request")
            if answer is not None:
                arrive(self._library, passage, answer)
                response = play_in_client(self._library, passage, answer)
            else:
                with carrying(passage):
                    response = self._transport.handle_request(request)
        except BaseException as error:
            response = self._recover(passage, error)
            if response is None:
                raise
        return self._observe(passage, response)

    async def handle_async_request(self, request: Any) -> Any:
        if _is_in_flight(request) or (ledger := current()) is None:
            return await self._transport.handle_async_request(request)
        passage = self._begin(ledger, request, await request.aread())
        try:
            answer = self._answer_at_once(passage, "handle_async_request")
            if answer is not None:
                await arrive_async(self._library, passage, answer)
                response = play_in_client(self._library, passage, answer)
            else:
                with carrying(passage):
                    response = await self._transport.handle_async_request(request)
        except BaseException as error:
            response = self._recover(passage, error)
            if response is None:
                raise
        return self._observe(passage, response)

    def _begin(self, ledger: Ledger, request: Any, body: bytes) -> Passage:
        headers = decoded(request.headers.raw)
        url = str(request.url).partition("#")[0]  # A fragment stays with the client (RFC 9110, 4.2.5).
        noted = Request(method=request.method, url=url, headers=headers, body=body)
        patience = request.extensions.get("timeout", {}).get("read")
        return ledger.begin(noted, library=self._library.__name__, source=request, patience=patience)

    def _origin(self) -> str:
        """Return what answers if we do not, in a report's words."""
        kind = type(self._transport)
        root = kind.__module__.partition(".")[0]
        if isinstance(self._transport, self._library.MockTransport):
            return f"the test's own mock ({kind.__name__})"
        if self._is_in_process():
            return f"an in-process application ({kind.__name__})"
        if root in {"httpx", "httpx2"}:
            return "another mock"
        return f"another mock or the network ({root}: {kind.__name__})"

    def _is_in_process(self) -> bool:
        own = (self._library.ASGITransport, self._library.WSGITransport)
        return isinstance(self._transport, own) or type(self._transport).__module__ == "starlette.testclient"

    def _answer_at_once(self, passage: Passage, method: str) -> Answer | None:
        """Return the answer if it can be given here: no mock comes before the pool, or the transport is opaque."""
        is_next = _pool_tap.asks_first(next_after(self._transport, self._library, method))
        is_opaque = not is_next and self._is_opaque()
        answer = passage.ask() if is_next or is_opaque else None
        if answer is not None:
            return answer
        if is_opaque and not passage.allowed:
            raise passage.refuse()
        passage.origin = self._origin()
        return None

    def _is_opaque(self) -> bool:
        return any(kind.__module__.partition(".")[0] in _OPAQUE for kind in type(self._transport).__mro__)

    def _recover(self, passage: Passage, error: BaseException) -> Any:
        """Answer or refuse a request for which the transport raised, if we had refused its connection or the request.

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
        if passage.barred:  # the transport has responded although its connection was refused
            passage.ledger.note(f"{passage.host}:{passage.port} ({self._library.__name__})")
        self._tap_body(passage, response)
        return response

    def _tap_body(self, passage: Passage, response: Any) -> None:
        reason = response.extensions.get("reason_phrase", b"").decode("ascii", "ignore")
        headers = decoded(response.headers.raw)
        try:
            content = response.content
        except self._library.ResponseNotRead:
            passage.respond(Head(response.status_code, headers, reason, response.http_version))
            response.stream = shaped(Tapped, self._library)(passage, response.stream)
            return
        # The body was read already, so its stream is never iterated. Mocks keep the bytes as sent, others only decoded.
        if isinstance(response.stream, self._library.ByteStream):
            content = b"".join(response.stream)
        else:
            headers = without(headers, "content-encoding")
        passage.respond(Head(response.status_code, headers, reason, response.http_version))
        if content:
            passage.deliver(content)
        passage.exhaust()


def _is_in_flight(request: Any) -> bool:
    """Tell whether an outer tap has noted this request: a mock started over a tap may leave two taps in place."""
    passage = in_flight()
    return passage is not None and passage.source is request
