"""Errors: as a status, as the whole body of a 200, or in mid-stream; in every shape that providers give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmtrace.model import LOWEST_ERROR
from pytest_llmtrace.wire._document import Document, where_of
from pytest_llmtrace.wire._facts import MISSING, Facts

__all__ = ["state_error"]

_STATUSES = range(100, 600)


def state_error(facts: Facts, document: Document, headers: Mapping[str, str], status: int) -> None:
    """State the error of a response, as absent if it has none.

    Args:
        facts: The facts of the response.
        document: The body of the response.
        headers: Its headers, by name in lower case: Amazon's services name the type of an error in one of them.
        status: The HTTP status of the response.
    """
    failed = status >= LOWEST_ERROR
    said, key, where = _find(document, failed=failed)
    if said is MISSING and not failed:
        facts.absent("error", document.where)
        return
    details = {name: _detail(said, name) for name in ("type", "code", "message")}
    if isinstance(said, str):
        details["message"] = said
    details["type"] = details["type"] or (_named(headers.get("x-amzn-errortype", "")) if failed else None)
    value = {"status": status if failed else _stated_status(said), **details}
    parts = [("status", status)] if failed else []
    if said is not MISSING:
        parts.append((key, said))
    facts.put("error", value, tuple(parts), where or "status of the response")


def _find(document: Document, *, failed: bool) -> tuple[Any, str, str]:
    """Return the value that describes the error (`MISSING` if none does), its key, and its place."""
    if document.error is not None:
        said, number = document.error
        return (*_inner(said), where_of(number))
    if document.plain and failed:
        return document.plain, "body", document.where
    body = document.body
    if body.get("error"):
        spot = document.spot("error")
        return body["error"], spot.key, spot.where
    choices = body.get("choices")
    if isinstance(choices, list):  # OpenRouter puts the error into the choice that failed.
        for choice in choices:
            if isinstance(choice, dict) and choice.get("error"):
                return choice["error"], "choices[].error", document.where
    if body.get("type") == "error" or body.get("object") == "error":  # The body is the error: Mistral, vLLM.
        return body, "", document.where
    return (*_inner(body), document.where) if failed and body else (MISSING, "", "")


def _inner(said: Any) -> tuple[Any, str]:
    """Return an error and its key: inside `{"error": ...}`, FastAPI's `{"detail": ...}`, a failed response, or bare."""
    if not isinstance(said, dict):
        return said, "data"
    for key in ("error", "detail"):
        if said.get(key):
            return said[key], key
    response = said.get("response")
    if isinstance(response, dict) and response.get("error"):
        return response["error"], "response.error"
    return said, "message" if "message" in said else ""


def _detail(said: Any, name: str) -> Any:
    value = said.get(name) if isinstance(said, dict) else None
    if name == "type" and value == "error":
        return None  # This is the type of the event or of the body, not of the error.
    if name == "type" and value is None and isinstance(said, dict):
        value = _word(said.get("status"))
    fits = isinstance(value, str) or (name == "code" and isinstance(value, int) and not isinstance(value, bool))
    return value if fits else None


def _word(status: Any) -> str | None:
    """Return Google's name for an error, such as `RESOURCE_EXHAUSTED`, from a field where others have a number."""
    return status if isinstance(status, str) and status.isupper() else None


def _named(header: str) -> str | None:
    """Return the exception in `x-amzn-errortype`, without the namespace before it and the address after it."""
    return header.partition(":")[0].rpartition("#")[2].strip() or None


def _stated_status(said: Any) -> int | None:
    """Return the status that an error states itself: in mid-stream, the response's own status has been sent already."""
    if not isinstance(said, dict):
        return None
    for key in ("code", "status_code", "status"):
        value = said.get(key)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:  # noqa: PLR2004
            value = int(value)
        if isinstance(value, int) and value in _STATUSES:
            return value
    return None
