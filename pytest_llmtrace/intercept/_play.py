"""Turn answers and refusals into responses and exceptions of the library that asked."""

from __future__ import annotations

import functools
import itertools
from types import ModuleType
from typing import Any

from pytest_llmtrace.errors import UnmatchedRequest
from pytest_llmtrace.intercept._passage import Head, Passage
from pytest_llmtrace.intercept._streams import Played, shaped, time_to_leave
from pytest_llmtrace.intercept._timetable import Timetable, timetable
from pytest_llmtrace.model import LEFT, Answer, Failure, Headers, Response

__all__ = ["arrive", "arrive_async", "decoded", "encoded", "play_in_client", "play_in_pool", "refusal_as_reply"]

# The names are the same in httpx and httpcore; httpx maps the exceptions that the pool raises to its own.
_EXCEPTIONS = {
    Failure.CONNECT_ERROR: "ConnectError",
    Failure.CONNECT_TIMEOUT: "ConnectTimeout",
    Failure.POOL_TIMEOUT: "PoolTimeout",
    Failure.PROXY_ERROR: "ProxyError",
    Failure.WRITE_ERROR: "WriteError",
    Failure.WRITE_TIMEOUT: "WriteTimeout",
    Failure.READ_ERROR: "ReadError",
    Failure.READ_TIMEOUT: "ReadTimeout",
    Failure.DISCONNECT: "RemoteProtocolError",
    Failure.ABORTED: "RemoteProtocolError",
    Failure.CANCELLED: "RemoteProtocolError",
}
_SAID = {
    Failure.ABORTED: "the client closed this stream when it was recorded, so the rest of it is not known",
    Failure.CANCELLED: "the client was cancelled here when this was recorded, so the rest of it is not known",
}
_LEFT = "left      {}: its client was cancelled before any reply when this was recorded, and is not cancelled now"


def arrive(library: ModuleType, passage: Passage, answer: Answer) -> None:
    """Wait until the first byte of an answer is due. Before that there is no response, and the SDK may try again.

    Raises:
        Exception: The library's `ReadTimeout`, if the byte is due later than the client waits or never comes.
    """
    table = _until_first_byte(library, passage, answer)
    if table is not None:
        table.wait(0)


async def arrive_async(library: ModuleType, passage: Passage, answer: Answer) -> None:
    """Do what `arrive` does, in a task; a client that left before any response may be cancelled here."""
    table = _until_first_byte(library, passage, answer)
    if table is not None:
        await table.wait_async(0)
    if _left_before_any_reply(answer):
        await time_to_leave(passage, cancelled=True)


def play_in_pool(library: ModuleType, passage: Passage, answer: Answer) -> Any:
    """Return an answer as httpcore's response, or raise httpcore's exception."""
    stream = _played(Played, library, passage, answer)
    response, extensions = answer.response, _extensions(answer.response)
    return library.Response(response.status, headers=encoded(response.headers), content=stream, extensions=extensions)


def play_in_client(library: ModuleType, passage: Passage, answer: Answer) -> Any:
    """Return an answer as httpx's response, or raise httpx's exception: for transports that have no pool."""
    stream = _played(shaped(Played, library), library, passage, answer)
    response, extensions = answer.response, _extensions(answer.response)
    return library.Response(response.status, headers=encoded(response.headers), stream=stream, extensions=extensions)


def refusal_as_reply(library: ModuleType, refusal: UnmatchedRequest) -> Any:
    """Return a refusal as a reply that no SDK retries."""
    headers = {"content-type": "text/plain; charset=utf-8", "x-should-retry": "false"}
    return library.Response(418, headers=headers, text=str(refusal))


def encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return header lines as bytes: Latin-1, or UTF-8 where Latin-1 cannot encode them."""
    return list(itertools.starmap(_line_in_bytes, headers))


def decoded(raw: list[tuple[bytes, bytes]]) -> Headers:
    """Return header lines as text: UTF-8 where a line is valid UTF-8, else Latin-1."""
    return tuple(itertools.starmap(_line, raw))


# Most requests of a client have the same header lines, and so have most answers of a gateway. A long trace keeps them
# all: with a cache, equal lines are the same objects.
@functools.lru_cache(maxsize=256)
def _line_in_bytes(name: str, value: str) -> tuple[bytes, bytes]:
    return _to_bytes(name), _to_bytes(value)


@functools.lru_cache(maxsize=256)
def _line(name: bytes, value: bytes) -> tuple[str, str]:
    try:
        return name.decode(), value.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1"), value.decode("latin-1")


def _has_come(answer: Answer) -> bool:
    """Tell whether an answer has a response head, even if the body breaks off after it."""
    return answer.response.status > 0


def _left_before_any_reply(answer: Answer) -> bool:
    """Tell whether the client was cancelled before any reply when this was recorded: no server has failed."""
    return answer.failure in LEFT and not _has_come(answer)


def _until_first_byte(library: ModuleType, passage: Passage, answer: Answer) -> Timetable | None:
    if _has_come(answer) and answer.failure is not None and not answer.response.chunks:
        return None  # The first byte never came, but the head did.
    return timetable(library, passage, answer, _failure_of(library, answer))


def _played(kind: type[Played], library: ModuleType, passage: Passage, answer: Answer) -> Played:
    failure = _begin(library, passage, answer)
    table = timetable(library, passage, answer, failure)
    return kind(passage, answer.response.chunks, failure, table, left=answer.failure)


def _begin(library: ModuleType, passage: Passage, answer: Answer) -> Exception | None:
    """Raise the failure of an answer if there is no response; else note the response and return the failure."""
    if _left_before_any_reply(answer):
        raise passage.refuse(_LEFT.format(answer.origin))
    response, failure = answer.response, _failure_of(library, answer)
    if failure is not None and not _has_come(answer):
        passage.fail(failure)
        raise failure
    passage.respond(Head(response.status, response.headers, response.reason, response.http_version))
    return failure


def _failure_of(library: ModuleType, answer: Answer) -> Exception | None:
    if answer.failure is None:
        return None
    said = _SAID.get(answer.failure, answer.failure.value)
    # For a fault that a test has planned, the origin already says it.
    text = answer.origin if said in answer.origin else f"{answer.origin}: {said}"
    error: Exception = getattr(library, _EXCEPTIONS[answer.failure])(text)
    return error


def _extensions(response: Response) -> dict[str, bytes]:
    extensions = {"http_version": response.http_version.encode("ascii")}
    if response.reason:
        extensions["reason_phrase"] = response.reason.encode("ascii", "ignore")
    return extensions


def _to_bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
