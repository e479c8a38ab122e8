"""One HTTP request, made with the standard library alone."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.export._answers import Answer, Fate, Reply, in_words, read
from pytest_llmtrace.export._destination import HTTP_JSON, HTTP_PROTOBUF, Destination
from pytest_llmtrace.export._tls import context

__all__ = ["NoReplyError", "ask", "post"]

_TYPES: Final = {HTTP_JSON: "application/json", HTTP_PROTOBUF: "application/x-protobuf"}
_OURS: Final = re.compile("ALERT.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)")
"""The TLS alerts by which a server refuses our client certificate, or the lack of one. With TLS 1.3 an alert may arrive
after the whole request was sent; the server has not looked at the request then (RFC 8446, 4.4.2.4 and 6.2)."""
_LONGEST: Final = 1 << 16
"""Bytes of an answer after which no more of it is read."""
_AT_ONCE: Final = 1 << 16
_MALFORMED: Final = "its address or its proxy's is malformed: check HTTP_PROXY and HTTPS_PROXY"
"""The message for a malformed address; it does not quote that, since a proxy's address may have a password."""


class NoReplyError(Exception):
    """A server did not answer; the text says why."""


class _Staying(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a token is meant for one server."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Return no new request, so that the redirect itself is the answer."""


def post(to: Destination, body: bytes, *, timeout: float) -> Answer:
    """Post an OTLP request, and return what became of its spans.

    Args:
        to: The destination.
        body: The request in the form that the destination takes, compressed if the destination wants that.
        timeout: Limit for each wait for the server, and for the whole of its answer, in seconds.
    """
    headers = {**to.headers, "content-type": _TYPES[to.protocol]}
    if to.is_compressed:
        headers["content-encoding"] = "gzip"
    asked = urllib.request.Request(to.url, body, headers)  # noqa: S310  # The settings let only http and https through.
    try:
        reply = _reply(asked, timeout, longest=_LONGEST, tls=to.tls)
        return replace(read(reply), reply=reply)
    except urllib.error.URLError as error:  # It is raised before the whole request was sent.
        why = f"it cannot be reached{_way(asked)}: {_reason(error.reason)}"
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            why += f": check the address, or set {to.authority} to a file with the CA of its certificate"
        return Answer(fate=Fate.LATER, why=why)
    except (ValueError, http.client.InvalidURL):  # They are raised before there is a connection.
        return Answer(fate=Fate.REFUSED, why=f"it cannot be reached: {_MALFORMED}", is_final=True)
    except TimeoutError:
        return Answer(fate=Fate.UNKNOWN, why=f"it did not answer within {timeout:.3g} s")
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, ssl.SSLError) and _OURS.search(error.reason or ""):
            why = f"it requires a client certificate that it accepts: {_reason(error)}"
            return Answer(fate=Fate.REFUSED, why=why, is_final=True)
        return Answer(fate=Fate.UNKNOWN, why=f"the connection broke before an answer: {_reason(error)}")


def ask(url: str, body: bytes, *, headers: Mapping[str, str], timeout: float) -> Reply:
    """Post a request in JSON, and return the answer to it, whatever its status.

    Args:
        url: The address to post to.
        body: The JSON.
        headers: Request headers besides the content type.
        timeout: Limit for each wait for the server, and for the whole of its answer, in seconds.

    Raises:
        NoReplyError: If the server does not answer.
    """
    request = urllib.request.Request(url, body, {**headers, "content-type": "application/json"})  # noqa: S310
    try:
        return _reply(request, timeout, longest=None)
    except urllib.error.URLError as error:
        raise NoReplyError(f"it cannot be reached{_way(request)}: {_reason(error.reason)}") from error
    except (ValueError, http.client.InvalidURL):
        raise NoReplyError(f"it cannot be reached: {_MALFORMED}") from None
    except (OSError, http.client.HTTPException) as error:
        raise NoReplyError(f"it did not answer: {_reason(error)}") from error


def _reply(
    request: urllib.request.Request, timeout: float, *, longest: int | None, tls: Mapping[str, str] | None = None
) -> Reply:
    handlers = [_Staying(), *([urllib.request.HTTPSHandler(context=context(tls))] if tls else [])]
    try:
        opened = urllib.request.build_opener(*handlers).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        opened = error
    with opened:
        return Reply(
            status=opened.status,
            content_type=opened.headers.get("content-type", ""),
            retry_after=opened.headers.get("retry-after", ""),
            location=opened.headers.get("location", ""),
            body=_body(opened, longest, time.monotonic() + timeout),
        )


def _body(opened: Any, longest: int | None, deadline: float) -> bytes:
    """Return the body of an answer, or its beginning; one that drips in gets no more time than one that never comes."""
    body = bytearray()
    while longest is None or len(body) < longest:
        part = opened.read1(_AT_ONCE)
        if not part:
            break
        body += part
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body)


def _way(request: urllib.request.Request) -> str:
    """Return words that name the proxy that a request was sent to; "" if it went to the server itself."""
    return "" if request.host == urlsplit(request.full_url).netloc else f" by the proxy {request.host}"


def _reason(error: object) -> str:
    """Return an error in words: the system's message, else its text, which may come from a server, else its type."""
    said = getattr(error, "strerror", None) or in_words(str(error))
    return said or type(error).__name__
