"""Mutations of bytes, headers and spans; a seeded `Random` makes all decisions."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any

from pytest_llmtrace.dialects._builtin import BUILT_IN
from pytest_llmtrace.model import Headers, SpanEvent, SpanRecord
from tests.fuzz import _frames as frames

__all__ = ["SECRET", "broken_body", "broken_headers", "hostile", "hostile_span", "is_json_body", "replaced", "written"]


_NOISE = "hT7Qb2wLrX9mKd4VzPq8"
SECRET = f"sk-ant-api03-{_NOISE}"
"""A made-up key in the form of a provider's."""


def _deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


_WORDS = (
    "id", "index", "type", "text", "content", "message", "delta", "usage", "error", "code", "status", "name", "input",
    "arguments", "function", "finish_reason", "prompt_tokens", "input_tokens", "cached_tokens", "choices", "",
)  # fmt: skip
_HOSTILE: tuple[Callable[[Random], Any], ...] = (
    lambda _: None,
    lambda _: True,
    lambda random: random.choice([-1, 0, 1, 2**31, 2**63, 2**64, 10**400, -(10**5000)]),
    lambda random: random.choice([0.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf"), 12.0]),
    lambda random: random.choice(
        ["", "12", "-1", "1e3", "null", "NaN", "[DONE]", "\x00\x1b[31m", "\u202e", "\ud800", SECRET]
    ),
    lambda random: random.choice(
        ["stop", "error", "message_stop", "tool_calls", "{", "[" * 500, "x" * 100_000, "y" * 70 + " " + SECRET]
    ),
    lambda random: [hostile(random) for _ in range(random.randrange(4))],
    lambda random: {random.choice(_WORDS): hostile(random) for _ in range(random.randrange(4))},
    lambda random: _deep(random.choice([5, 150, 900])),
)


def hostile(random: Random) -> Any:
    """Return a value that no reader expects."""
    return random.choice(_HOSTILE)(random)


# --- bodies ----------------------------------------------------------------------------------------------------------


def broken_body(random: Random, body: bytes) -> bytes:
    """Return a body with one to three mutations."""
    for _ in range(random.randint(1, 3)):
        breaks = _FRAME_BREAKS if frames.is_framed(body) else _BREAKS
        body = random.choice(breaks)(random, body)
    return body


def _cut(random: Random, body: bytes) -> bytes:
    return body[: random.randrange(len(body) + 1)]


def _junk(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    put = random.choice(
        [b"\xff", b"\xc3", b"\x00", b"\r", b"\n\n", b"data: ", b"data: {}\n\n", b"\xef\xbb\xbf", b'"', b"}"]
    )
    return body[:at] + put + body[at + random.choice([0, 0, 1, 5]) :]


def _flipped(random: Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(min(len(changed), random.randint(1, 5))):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _shuffled(random: Random, body: bytes) -> bytes:
    return b"\n\n".join(_mixed(random, body.split(b"\n\n")))


def _mixed(random: Random, events: list[bytes]) -> list[bytes]:
    what = random.choice(["swap", "twice", "drop", "shuffle", "last first"])
    at, other = random.randrange(len(events)), random.randrange(len(events))
    if what == "swap":
        events[at], events[other] = events[other], events[at]
    elif what == "twice":
        events.insert(other, events[at])
    elif what == "drop":
        del events[at]
    elif what == "shuffle":
        random.shuffle(events)
    else:
        events.insert(0, events.pop())
    return events


def _mistyped(random: Random, body: bytes) -> bytes:
    """Put a hostile value into the JSON of the body, or of one of its events."""
    lines = body.split(b"\n")
    places = [index for index, line in enumerate(lines) if is_json_body(line.removeprefix(b"data: "))]
    if not places:
        return body
    at = random.choice(places)
    head = b"data: " if lines[at].startswith(b"data: ") else b""
    value = replaced(random, json.loads(lines[at].removeprefix(head)))
    lines[at] = head + written(value).encode()
    return b"\n".join(lines)


_BREAKS: tuple[Callable[[Random, bytes], bytes], ...] = (_cut, _junk, _flipped, _shuffled, _mistyped, _mistyped)


# --- Amazon's frames, whose checksums fit: only their content is wrong -----------------------------------------------


def _reordered(random: Random, body: bytes) -> bytes:
    return b"".join(_mixed(random, frames.cut(body)))


def _refilled(random: Random, body: bytes) -> bytes:
    """Put a hostile value into the event of one frame, or into the JSON that wraps the event."""
    parts = frames.cut(body)
    at = random.randrange(len(parts))
    headers, payload = frames.unpacked(parts[at])
    if not is_json_body(payload):
        return body
    held = json.loads(payload)
    said = held.get("bytes")
    if isinstance(said, str) and random.random() < 0.7:
        held["bytes"] = base64.b64encode(broken_body(random, _unwrapped(said))).decode()
    else:
        held = replaced(random, held)
    parts[at] = frames.frame(headers, written(held).encode())
    return b"".join(parts)


def _unwrapped(said: str) -> bytes:
    try:
        return base64.b64decode(said)
    except ValueError:  # An earlier mutation has broken it.
        return said.encode(errors="replace")


def _reheaded(random: Random, body: bytes) -> bytes:
    """Keep none, all or a part of the headers of a frame, and add odd ones."""
    parts = frames.cut(body)
    at = random.randrange(len(parts))
    headers, payload = frames.unpacked(parts[at])
    kept = headers[: random.choice([0, len(headers), random.randrange(len(headers) + 1)])]
    parts[at] = frames.frame(kept + _odd_headers(random), payload)
    return b"".join(parts)


def _broken_off(random: Random, body: bytes) -> bytes:
    """Insert an exception frame anywhere in the stream, with any kind of message."""
    parts = frames.cut(body)
    kind = random.choice([b"throttlingException", b"", b"\n\ndata: {}", SECRET.encode()])
    headers = frames.header(b":message-type", random.choice([b"exception", b"error"]))
    headers += frames.header(random.choice([b":exception-type", b":error-code"]), kind)
    payload = random.choice([b"", b"no luck", written(hostile(random)).encode(), _message(random)])
    parts.insert(random.randrange(len(parts) + 1), frames.frame(headers, payload))
    return b"".join(parts)


def _message(random: Random) -> bytes:
    return written({"message": hostile(random)}).encode()


def _relengthed(random: Random, body: bytes) -> bytes:
    """Let a frame state lengths other than its own."""
    parts = frames.cut(body)
    at = random.randrange(len(parts))
    lengths = [0, 1, 15, 16, 17, len(parts[at]), len(body), 2**24, 2**31, 2**32 - 1]
    parts[at] = frames.relengthed(parts[at][:-4], random.choice(lengths), random.choice(lengths))
    return b"".join(parts)


def _odd_headers(random: Random) -> bytes:
    names = [b":message-type", b":exception-type", b":event-type", b":error-message", b"", b"\xff", b"x" * 255]
    values = [b"event", b"exception", b"", b"\xff", b"\r\nevent: ping", b"y" * 3000, SECRET.encode()]
    return b"".join(
        frames.header(random.choice(names), random.choice(values), random.choice([7, 7, 7, *range(12)]))
        for _ in range(random.randrange(4))
    )


_FRAME_BREAKS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _cut, _junk, _flipped, _reordered, _refilled, _refilled, _refilled, _reheaded, _broken_off, _relengthed,
)  # fmt: skip


def is_json_body(body: bytes) -> bool:
    """Tell whether a body is a single JSON object."""
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def replaced(random: Random, value: Any) -> Any:
    """Return a JSON value in which one value, at any depth, is hostile or missing."""
    if not value or not isinstance(value, dict | list) or random.random() < 0.15:
        return hostile(random)
    keys: Any = list(value) if isinstance(value, dict) else range(len(value))
    at = random.choice(keys)
    changed: Any = dict(value) if isinstance(value, dict) else list(value)
    if random.random() < 0.1:
        del changed[at]
    else:
        changed[at] = replaced(random, value[at])
    return changed


def written(value: Any) -> str:
    """Write a value as JSON; one that Python cannot write becomes an object with a number too long to read."""
    try:
        return json.dumps(value)
    except (ValueError, RecursionError):
        return '{"usage": ' + "9" * 5000 + "}"


def broken_headers(random: Random, headers: Headers) -> Headers:
    """Return headers of which one is replaced, removed or doubled."""
    names = [name for name, _ in headers] + [
        "content-type",
        "content-encoding",
        "retry-after",
        "date",
        "content-length",
    ]
    name = random.choice(names)
    values = ["", "gzip", "deflate", "br", "text/event-stream", "application/json", "nan", "1e999", "-1", "9" * 5000]
    kept = tuple((key, value) for key, value in headers if key != name or random.random() < 0.5)
    return (*kept, (name, random.choice([*values, "Wed, 99 Foo", "\x00", "\u202e"])))


# --- spans -----------------------------------------------------------------------------------------------------------

_KEYS = sorted({key for dialect in BUILT_IN for _, place in dialect.places for key in place.keys})
_PREFIXES = sorted({place.prefix for dialect in BUILT_IN for _, place in dialect.places if place.prefix})
_TAILS = (
    "0.message.content", "0.message.contents.1.message_content.text", "0.message.tool_calls.0.tool_call.function.name",
    "999999999.message.content", "-1.message", "x.message.content", f"{'9' * 5000}.message.content", "", ".", "0",
    "0.embedding.vector", "0.role", "0.content", "0.tool_calls.0.arguments", "0.finish_reason",
)  # fmt: skip
_KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"openinference.span.kind": "LLM"},
    {"gen_ai.operation.name": "chat"},
    {"llm.request.type": "chat"},
    {
        "gen_ai.operation.name": "chat",
        "openinference.span.kind": "LLM",
        "llm.request.type": "chat",
        "request_data": "{",
    },
)


def hostile_span(random: Random, span: SpanRecord) -> SpanRecord:
    """Return a span with hostile attributes of several dialects at once, and odd events, status and times."""
    from dataclasses import replace

    attributes: dict[str, Any] = {**span.attributes, **random.choice(_KINDS)}
    for _ in range(random.randint(1, 6)):
        key = random.choice([*_KEYS, random.choice(list(span.attributes) or ["x"])])
        if _PREFIXES and random.random() < 0.3:
            key = random.choice(_PREFIXES) + random.choice(_TAILS)
        attributes[key] = _attribute(random)
    odd = SpanEvent(
        name=random.choice(["exception", "", "gen_ai.choice"]),
        time_ns=0,
        attributes={"exception.type": hostile(random)},
    )
    return replace(
        span,
        attributes=attributes,
        scope=random.choice([span.scope, "", "com.anthropic.sdk.python", "logfire.openai", "\x1b[2J"]),
        name=random.choice([span.name, "", "\x00\n", "n" * 100_000, SECRET]),
        status=random.choice([span.status, "OK", "ERROR", "", "odd"]),
        status_description=random.choice([None, "", "\x1b[31m\n" * 1000]),
        events=random.choice([span.events, (odd,), (odd,) * 50]),
        ended=random.choice([span.ended, None, 0]),
        end_ns=random.choice([span.end_ns, None, 0]),
    )


def _attribute(random: Random) -> Any:
    value = hostile(random)
    way = random.randrange(5)
    if way == 0:
        return written(value)
    if way == 1:
        return written(value)[:-1]
    if way == 2:
        return random.choice([b"\xff\x00", (), (None,), ("a", 1, b"\xfe"), {"a": {1: 2}}, object()])
    return value
