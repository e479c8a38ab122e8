"""The text of a body, without its content encoding."""

from __future__ import annotations

from pytest_llmtrace.model import Request, Response
from pytest_llmtrace.replay.payload import decoded, header

__all__ = ["body_text"]

_READABLE = frozenset({"", "deflate", "gzip", "identity", "x-gzip"})


def body_text(message: Request | Response) -> tuple[str | None, str]:
    """Return a body as text and its content encoding; None for a text that is compressed in another way."""
    body, coding = message.body, (header(message.headers, "content-encoding") or "").strip().lower()
    if body.startswith(b"\x1f\x8b"):
        body = decoded(body, "gzip")
    elif coding == "deflate":
        body = decoded(body, "deflate")
    try:
        return body.decode("utf-8", "surrogatepass"), coding
    except UnicodeDecodeError:
        return (body.decode("latin-1") if coding in _READABLE else None), coding
