"""Undo the content encoding of a body, to show or search its text."""

from __future__ import annotations

from pytest_llmtrace.codings import unpacked
from pytest_llmtrace.headers import header
from pytest_llmtrace.model import Request, Response
from pytest_llmtrace.secrets.body_text import as_text
from pytest_llmtrace.secrets.wide import Wide, order_of

__all__ = ["body_text"]

_READABLE = frozenset({"", "deflate", "gzip", "identity", "x-gzip"})


def body_text(message: Request | Response) -> tuple[str | None, str]:
    """Return a body as text, and its content encoding; the text is `None` if that encoding cannot be undone."""
    coding = header(message.headers, "content-encoding").strip().lower()
    body = unpacked(message.body, coding)
    text = as_text(body)
    if order := order_of(text):
        return Wide(text, order).value, coding
    try:
        return body.decode("utf-8", "surrogatepass"), coding
    except UnicodeDecodeError:
        is_readable = coding in _READABLE or body is not message.body
        return (body.decode("latin-1") if is_readable else None), coding
