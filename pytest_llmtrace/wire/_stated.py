"""Single fields of a request or a response whose values spans copy unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmtrace.model import Response
from pytest_llmtrace.wire._body import is_stream, readable
from pytest_llmtrace.wire._document import where_of
from pytest_llmtrace.wire._events import Events
from pytest_llmtrace.wire._json import parse
from pytest_llmtrace.wire._responses import UNFINISHED

__all__ = ["answers", "replied_texts", "reply_body", "value_at"]


def value_at(value: Any, path: str) -> Any:
    """Return what stands in a JSON value at a path, such as `reasoning.effort`; `None` if nothing does."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def reply_body(response: Response | None) -> Mapping[str, Any]:
    """Return the JSON object in the body of a response that is not a stream; an empty one if there is none."""
    if response is None or is_stream(response):
        return {}
    try:
        body = parse(readable(response))
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def answers(response: Response | None) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the JSON object in the body of a response, or in each event of a stream, with its place.

    An event that has the whole response so far yields that: such a response begins with a service tier of `auto`, and
    its later events have another one. A response that is not a stream says nothing while it is queued or in progress.
    """
    try:
        said = readable(response) if response is not None else b""
    except ValueError:
        return
    if response is not None and is_stream(response):
        for batch in Events(said).batches():
            for number, _, event in batch:
                snapshot = event.get("response")
                yield (snapshot if isinstance(snapshot, dict) else event), where_of(number)
        return
    body = parse(said)
    if isinstance(body, dict) and body.get("status") not in UNFINISHED:
        yield body, "response body"


def replied_texts(response: Response | None) -> Sequence[str]:
    """Return the texts anywhere in a response, one for each field; those of a field in a stream's events are joined."""
    found: dict[tuple[str, ...], list[str]] = {}
    for body, _ in answers(response):
        pending: list[tuple[tuple[str, ...], Any]] = [((), body)]
        while pending:
            path, value = pending.pop()
            if isinstance(value, str):
                found.setdefault(path, []).append(value)
            elif isinstance(value, Mapping):
                pending += [((*path, key), inner) for key, inner in reversed([*value.items()])]
            elif isinstance(value, list):
                pending += [(path, inner) for inner in reversed(value)]
    return ["".join(pieces) for pieces in found.values()]
