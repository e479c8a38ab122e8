"""What a back end's answer to a request says about the spans in that request.

Sources: OTLP/HTTP 1.x, "OTLP/HTTP Response", and what OpenObserve's releases do: they report rejected spans in the
body, with status 206 for JSON and 200 for protobuf; their errors are JSON of their own, or text.
"""

from __future__ import annotations

import contextlib
import email.utils
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.export._protobuf import fields

__all__ = ["MALFORMED", "Answer", "Fate", "Reply", "accepted", "in_words", "read"]

_SHOWN: Final = 200
"""How many characters of an answer are shown."""
MALFORMED: Final = (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError)
"""The errors that reading a malformed answer may raise; it may be nested too deeply, or say `Infinity` for a count."""
WINDOW: Final = (
    "OpenObserve accepts spans that started at most 5 hours ago or 24 hours ahead; the usual reason is a test that "
    "freezes the time"
)


class Fate(StrEnum):
    """What became of the spans of a request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # not stored, and would not be if sent again as they are
    LATER = "later"  # not stored, and may be if sent again
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An HTTP answer as it was received."""

    status: int
    content_type: str = ""
    retry_after: str = ""
    location: str = ""
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What an answer means.

    Attributes:
        fate: What became of the spans.
        why: The reason in words, unless all spans were accepted.
        rejected: How many spans of the accepted request the back end dropped.
        wait: Seconds that the back end asks to wait, 0 if it does not say how long; `None` if it does not ask.
        is_final: Whether any further request would fail as well, so that sending stops.
        is_too_large: Whether a smaller request may be accepted.
        reply: The HTTP answer as it was received; `None` if there was none, or for gRPC.
    """

    fate: Fate
    why: str = ""
    rejected: int = 0
    wait: float | None = None
    is_final: bool = False
    is_too_large: bool = False
    reply: Reply | None = field(default=None, repr=False, compare=False)


def read(reply: Reply) -> Answer:
    """Return what an HTTP answer means."""
    if 200 <= reply.status < 300:  # noqa: PLR2004  # RFC 9110, 15.3
        return accepted(reply.body, reply.content_type, f"{reply.status}")
    why = f"it answered {reply.status}{_said(reply.body)}"
    match reply.status:
        case 401 | 403:
            return Answer(fate=Fate.REFUSED, why=f"{why}: check the token and the organization", is_final=True)
        case 404 | 405 | 415:
            what = "protocol" if reply.status == 415 else "address"  # noqa: PLR2004  # RFC 9110, 15.5.16
            return Answer(fate=Fate.REFUSED, why=f"{why}: check the {what}", is_final=True)
        case 413:
            return Answer(fate=Fate.REFUSED, why=f"{why}: a single span is too large", is_too_large=True)
        case 429 | 503:
            return Answer(fate=Fate.LATER, why=why, wait=_wait(reply.retry_after))
        case 502 | 504:  # A proxy that has lost the back end does not know whether it stored the spans.
            return Answer(fate=Fate.UNKNOWN, why=why)
        case status if 300 <= status < 400:  # noqa: PLR2004  # RFC 9110, 15.4
            moved = f"it has moved{f' to {in_words(reply.location)}' if reply.location else ''}, check the address"
            return Answer(fate=Fate.REFUSED, why=f"{why}: {moved}", is_final=True)
    return Answer(fate=Fate.REFUSED, why=why)


def accepted(body: bytes, content_type: str, status: str) -> Answer:
    """Return what the answer to an accepted request means; some of its spans may still be rejected.

    Args:
        body: The body of the answer.
        content_type: The media type of the body.
        status: The status of the answer, as text: `200`, or `OK` for gRPC.
    """
    try:
        rejected, message = _partial_success(body, content_type)
    except MALFORMED:
        return Answer(fate=Fate.UNKNOWN, why=f"it answered {status}, but not as OTLP does{_said(body)}")
    if not rejected:
        return Answer(fate=Fate.ACCEPTED)
    hint = f" ({WINDOW})" if "retention" in message else ""
    return Answer(fate=Fate.ACCEPTED, rejected=rejected, why=f"{in_words(message) or 'no reason given'}{hint}")


def in_words(text: str) -> str:
    """Return the beginning of a text from a server, on one line."""
    line = "".join(char if char.isprintable() else " " for char in text[:_SHOWN])
    return " ".join(line.split())


def _partial_success(body: bytes, content_type: str) -> tuple[int, str]:
    """Return how many spans were rejected, and why.

    Raises:
        ValueError: If the body is not an OTLP answer; the other errors of `MALFORMED` may be raised, too.
    """
    if not body:
        return 0, ""
    if content_type.startswith("application/x-protobuf"):
        success = dict(fields(dict(fields(body)).get(1, b"")))
        return int(success.get(1, 0)), bytes(success.get(2, b"")).decode("utf-8", "replace")
    said = json.loads(body)
    partial = said.get("partialSuccess", said.get("partial_success")) or {}
    rejected = partial.get("rejectedSpans", partial.get("rejected_spans"))
    return max(0, int(rejected or 0)), str(partial.get("errorMessage", partial.get("error_message")) or "")


def _said(body: bytes) -> str:
    """Return the message of an error answer in brackets, to end a sentence with; "" if it has none."""
    text = body.decode("utf-8", "replace")
    with contextlib.suppress(*MALFORMED):
        text = str(json.loads(text)["message"])
    words = in_words(text)
    return f" ({words})" if words else ""


def _wait(retry_after: str) -> float:
    """Read `Retry-After`: seconds, or a date (RFC 9110, 10.2.3); 0 for anything else."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0
