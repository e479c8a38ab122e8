"""One request, by the standard library alone."""

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
"""What a server says of the certificate that we have, or have not; with TLS 1.3 it does when we have sent all already,
before it looks at that (RFC 8446, 4.4.2.4 and 6.2)."""
_LONGEST: Final = 1 << 16
"""Bytes of an answer that are read."""
_AT_ONCE: Final = 1 << 16
_MALFORMED: Final = "its address or its proxy's is malformed: check HTTP_PROXY and HTTPS_PROXY"
"""Not what is wrong with it: a proxy's address may have a password."""


class NoReplyError(Exception):
    """A server did not answer; the text says why."""


class _Staying(urllib.request.HTTPRedirectHandler):
    """Follows nobody: a token is for one server."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Leave the redirection to the caller."""


def post(to: Destination, body: bytes, *, timeout: float) -> Answer:
    """Post a request of OTLP's, and say what became of it.

    Args:
        to: Where to.
        body: The request, in the form that the destination takes, compressed if it is to be.
        timeout: In seconds, of each wait for the server, and of its answer.
    """
    headers = {**to.headers, "content-type": _TYPES[to.protocol]}
    if to.is_compressed:
        headers["content-encoding"] = "gzip"
    asked = urllib.request.Request(to.url, body, headers)  # noqa: S310  # The settings let only http and https through.
    try:
        reply = _reply(asked, timeout, longest=_LONGEST, tls=to.tls)
        return replace(read(reply), reply=reply)
    except urllib.error.URLError as error:  # Before the whole request was sent.
        why = f"it cannot be reached{_way(asked)}: {_reason(error.reason)}"
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            why += f": check the address, or name who signed the certificate in {to.authority}"
        return Answer(fate=Fate.LATER, why=why)
    except (ValueError, http.client.InvalidURL):  # Before it was connected to.
        return Answer(fate=Fate.REFUSED, why=f"it cannot be reached: {_MALFORMED}", is_final=True)
    except TimeoutError:
        return Answer(fate=Fate.UNKNOWN, why=f"it did not answer within {timeout:.3g} s")
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, ssl.SSLError) and _OURS.search(error.reason or ""):
            why = f"it wants a certificate of ours that it knows: {_reason(error)}"
            return Answer(fate=Fate.REFUSED, why=why, is_final=True)
        return Answer(fate=Fate.UNKNOWN, why=f"the connection broke before an answer: {_reason(error)}")


def ask(url: str, body: bytes, *, headers: Mapping[str, str], timeout: float) -> Reply:
    """Post a question in JSON, and return the answer to it, whatever its status.

    Args:
        url: Where to.
        body: The question.
        headers: Further ones.
        timeout: In seconds, of each wait for the server.

    Raises:
        NoReplyError: There is none.
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
    """Read an answer, or its beginning; one that drips is waited for no longer than one that does not come."""
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
    """Name the proxy that a request went to instead of its server, "" if it did not."""
    return "" if request.host == urlsplit(request.full_url).netloc else f" by the proxy {request.host}"


def _reason(error: object) -> str:
    """Name an error: what the system says, else its text, which may be what a server said, else its type."""
    said = getattr(error, "strerror", None) or in_words(str(error))
    return said or type(error).__name__
