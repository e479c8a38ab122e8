"""Which recordings are the same: values that are new on every run do not count, unless the run itself sends them on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace._stdlib import hashlib, json, re
from pytest_llmtrace.model import Failure, Recording, Request
from pytest_llmtrace.replay.payload import belies_coding

__all__ = ["exact", "pairs"]

_IDS = frozenset({"call_id", "id", "item_id", "request_id", "response_id", "tool_call_id", "tool_use_id"})
_RANDOM = re.compile(r"(?=.*\d)[\w.:/+=-]{8,}")
_NEW_EACH_TIME = frozenset(
    {"completion_time", "created", "obfuscation", "prompt_time", "queue_time", "system_fingerprint", "time_info",
     "total_time"}
)  # fmt: skip
_AGO = 10**9
"""A number in a field named `..._at` that is more than this is a time, in seconds since the epoch."""
_OF_THE_MODEL = frozenset({"input"})
"""The field with a tool's arguments: the model has said whatever they hold, so all of it counts."""
_BOUNDARY = re.compile(rb"--[^\r\n]{1,200}?(?=\r?\n)")
_WORD = re.compile(rb"[A-Za-z0-9_-]{8,}")


def pairs(old: Sequence[Recording], new: Sequence[Recording]) -> list[int | None]:
    """Return, for each new recording, the position of an equal old one, or `None`; each old one is used once, in order.

    Equal recordings have the same request, apart from its headers and the boundary of its parts, and the same status,
    reply and failure. Two replies are the same if they differ only in ids, times and padding. An id counts if a request
    of its own run has it too, such as the id of a tool call: an old reply with the old id would not lead to the new
    request.
    """
    if [*map(exact, old)] == [*map(exact, new)]:
        return [*range(len(old))]
    waiting: dict[Any, list[int]] = {}
    for position, key in reversed(list(enumerate(_keys(old)))):
        waiting.setdefault(key, []).append(position)
    return [places.pop() if (places := waiting.get(key)) else None for key in _keys(new)]


def exact(recording: Recording) -> tuple[Request, tuple[int, bytes, bool] | None, Failure | None]:
    """Return what counts of a recording: the request without its headers, the status and the reply, and the failure.

    A reply that is not in the coding which its header names makes a client raise, so it is another one.
    """
    response = recording.response
    said = None
    if response is not None:
        is_belied = bool(response.body) and belies_coding(response.headers, response.body)
        said = response.status, response.body, is_belied
    return replace(recording.request, headers=()), said, recording.failure


def _keys(recordings: Sequence[Recording]) -> list[Any]:
    sent = _words_of(recordings)
    return [
        (_without_boundary(request), said and (said[0], _reply(said[1], sent), said[2]), failure)
        for request, said, failure in map(exact, recordings)
    ]


def _without_boundary(request: Request) -> Request:
    """Return a request without the boundary of a multipart body, which clients make up anew for each request."""
    found = _BOUNDARY.match(request.body)
    return replace(request, body=request.body.replace(found[0], b"--")) if found else request


def _words_of(recordings: Iterable[Recording]) -> frozenset[bytes]:
    """Return the words in the requests that could be ids."""
    asked = (text for one in recordings for text in (one.request.body, one.request.url.encode("utf-8", "replace")))
    return frozenset(found[0] for text in asked for found in _WORD.finditer(text))


def _reply(body: bytes, sent: frozenset[bytes]) -> bytes:
    """Return a digest of a reply, without what is new on every run."""
    digest = hashlib.blake2b(digest_size=16)
    if (whole := _settled(body, sent)) is not None:
        digest.update(whole)
    elif events := [*wire.events(body)]:
        for event in events:
            digest.update(event.name + b"\0" + (_settled(event.data, sent) or event.data) + b"\0")
    else:
        digest.update(body)
    return digest.digest()


def _settled(text: bytes, sent: frozenset[bytes]) -> bytes | None:
    """Return a JSON document without what is new on every run; `None` if the text is not a JSON object or array."""
    if text.lstrip()[:1] not in {b"{", b"["}:
        return None
    try:
        value = json.loads(text)
        return json.dumps(_value(value, sent), sort_keys=True).encode()
    except (ValueError, RecursionError):
        return None


def _value(value: Any, sent: frozenset[bytes]) -> Any:
    if isinstance(value, list):
        return [_value(item, sent) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: item if name in _OF_THE_MODEL else None if _is_new(name, item, sent) else _value(item, sent)
        for name, item in value.items()
    }


def _is_new(name: str, value: Any, sent: frozenset[bytes]) -> bool:
    if name in _IDS and isinstance(value, str) and _RANDOM.fullmatch(value):
        return sent.isdisjoint(_WORD.findall(value.encode()))
    if name.endswith("_at"):
        return isinstance(value, int | float) and value > _AGO
    return name in _NEW_EACH_TIME
