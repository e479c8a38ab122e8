"""Put a fault on a reply: cut it, delay it, or change its events or its body."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pytest_llmtrace import wire
from pytest_llmtrace._lines import counted
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.faults._pieces import Piece, as_sent, data_of, in_pieces, in_tune, is_event, with_pieces
from pytest_llmtrace.faults._plan import Fault
from pytest_llmtrace.headers import without
from pytest_llmtrace.model import Answer, Failure, Headers, Response

__all__ = ["Inapplicable", "put_on"]

Break = Callable[[int], Sequence[bytes]]
"""Returns the events with which a gateway breaks off a stream, given the number of events sent before."""


class Inapplicable(Exception):
    """A fault cannot happen to a reply; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Spoilt:
    """A reply that a fault was put on, and what happened, in words."""

    response: Response
    words: str
    failure: Failure | None = None
    stalls: bool = False


def put_on(answer: Answer, fault: Fault, broken_off: Break) -> Answer:
    """Return a reply with a fault.

    Args:
        answer: The reply as it was recorded or scripted.
        fault: A fault that does not come instead of a reply.
        broken_off: Returns the events that break off a stream, in the form of its gateway.

    Raises:
        Inapplicable: If the fault cannot happen to this reply.
    """
    response = answer.response if fault.kind.name in _AS_SENT else _plain(answer.response)
    spoilt = _MAKERS[fault.kind.name](fault, response, broken_off)
    return replace(
        answer,
        response=spoilt.response,
        origin=f"{answer.origin}, fault: {spoilt.words}",
        failure=spoilt.failure or (answer.failure if spoilt.stalls else None),
        stalls=spoilt.stalls,
    )


_AS_SENT: Final = frozenset({"slow-first-byte"})
"""The faults that change neither bytes nor headers, so that a reply keeps its content encoding and its length."""


def _plain(response: Response) -> Response:
    try:
        return wire.plain(response)
    except ValueError as error:
        raise Inapplicable(str(error)) from None


# --- cut -------------------------------------------------------------------------------------------------------------


def _disconnect(fault: Fault, response: Response, _: Break) -> _Spoilt:
    return _cut(fault, response, Failure.DISCONNECT)


def _read_timeout(fault: Fault, response: Response, _: Break) -> _Spoilt:
    return _cut(fault, response, Failure.READ_TIMEOUT)


def _truncate(fault: Fault, response: Response, _: Break) -> _Spoilt:
    return _cut(fault, response, None)


def _cut(fault: Fault, response: Response, failure: Failure | None) -> _Spoilt:
    pieces = in_pieces(response)
    if fault.after is None and len(pieces) == 1:
        half = pieces[0]._replace(chunk=pieces[0].chunk[: len(pieces[0].chunk) // 2])
        return _Spoilt(
            response=with_pieces(response, [half]), words=f"{fault.name} after half of the body", failure=failure
        )
    count = _count(fault, pieces, most=len(pieces) if failure else len(pieces) - 1)
    kept = with_pieces(response, pieces[:count])
    if failure and not count:  # If it breaks off before the first byte, there is no reply at all.
        kept = replace(kept, status=0)
    return _Spoilt(response=kept, words=_after(fault, count), failure=failure)


def _count(fault: Fault, pieces: Sequence[Piece], *, most: int) -> int:
    """Return how many pieces come before a fault; half of them if the fault does not say."""
    count = len(pieces) // 2 if fault.after is None else fault.after
    if count > most:
        raise Inapplicable(f"the reply had {counted(len(pieces), 'chunk')}")
    return count


def _after(fault: Fault, count: int) -> str:
    return f"{fault.name} after {counted(count, 'chunk')}"


# --- events ----------------------------------------------------------------------------------------------------------


def _error_in_stream(fault: Fault, response: Response, broken_off: Break) -> _Spoilt:
    pieces = _events(response)
    count = _count(fault, pieces, most=len(pieces))
    kept, ends_at = pieces[:count], pieces[count - 1].offset if count else 0.0
    sent = sum(is_event(piece.chunk) for piece in kept)
    added = [Piece(in_tune(event, pieces), ends_at) for event in broken_off(sent)]
    return _Spoilt(response=with_pieces(response, [*kept, *added]), words=_after(fault, count))


def _malformed_sse(fault: Fault, response: Response, _: Break) -> _Spoilt:
    if wire.is_framed(response):
        raise Inapplicable("the reply was a stream of frames, not of server-sent events")
    pieces = _events(response)
    count = _count(fault, pieces, most=len(pieces) - 1)
    broken = next((index for index in range(count, len(pieces)) if data_of(pieces[index].chunk) is not None), None)
    if broken is None:
        raise Inapplicable(f"no event with JSON came after {count} chunks")
    text = pieces[broken].chunk
    cut = _LAST_LINE.sub(lambda line: line[1] + line[2][: len(line[2]) // 2] + line[3], text, count=1)
    pieces[broken] = pieces[broken]._replace(chunk=cut)
    return _Spoilt(response=with_pieces(response, pieces), words=_after(fault, broken))


_LAST_LINE: Final = re.compile(rb"(data: ?)([^\r\n]*)(\r?\n)")


def _events(response: Response) -> list[Piece]:
    if not wire.is_stream(response):
        raise Inapplicable("the reply was not a stream of events")
    return in_pieces(response)


# --- waits -----------------------------------------------------------------------------------------------------------


def _stall(fault: Fault, response: Response, _: Break) -> _Spoilt:
    pieces = in_pieces(response)
    count = _count(fault, pieces, most=len(pieces) - 1)
    return _late(
        response, pieces, count, fault.seconds, f"stall of {fault.seconds:g} s after {counted(count, 'chunk')}"
    )


def _slow_first_byte(fault: Fault, response: Response, _: Break) -> _Spoilt:
    return _late(response, as_sent(response), 0, fault.seconds, f"{fault.name} of {fault.seconds:g} s")


def _late(response: Response, pieces: Sequence[Piece], first: int, seconds: float, words: str) -> _Spoilt:
    late = [piece._replace(offset=piece.offset + seconds) for piece in pieces[first:]]
    delayed = with_pieces(response, [*pieces[:first], *late], timed=True)
    return _Spoilt(response=delayed, words=words, stalls=True)


# --- whole bodies ----------------------------------------------------------------------------------------------------


def _invalid_json(fault: Fault, response: Response, _: Break) -> _Spoilt:
    if wire.is_stream(response) or b":" not in response.body:
        raise Inapplicable("the reply was not a JSON object")
    body = response.body.replace(b":", b"", 1)
    return _Spoilt(response=replace(response, chunks=(body,), offsets=None), words=fault.name)


def _wrong_content_type(fault: Fault, response: Response, _: Break) -> _Spoilt:
    headers = _with(response.headers, "content-type", "text/html; charset=utf-8")
    return _Spoilt(response=replace(response, headers=headers), words=fault.name)


def _empty_body(fault: Fault, response: Response, _: Break) -> _Spoilt:
    headers = _with(response.headers, "content-length", "0")
    headers = without(headers, "transfer-encoding")
    return _Spoilt(response=replace(response, headers=headers, chunks=(), offsets=None), words=fault.name)


def _with(headers: Headers, name: str, value: str) -> Headers:
    return (*without(headers, name), (name, value))


_MAKERS: Final[Mapping[str, Callable[[Fault, Response, Break], _Spoilt]]] = {
    "disconnect": _disconnect,
    "empty-body": _empty_body,
    "error-in-stream": _error_in_stream,
    "invalid-json": _invalid_json,
    "malformed-sse": _malformed_sse,
    "read-timeout": _read_timeout,
    "slow-first-byte": _slow_first_byte,
    "stall": _stall,
    "truncate": _truncate,
    "wrong-content-type": _wrong_content_type,
}
