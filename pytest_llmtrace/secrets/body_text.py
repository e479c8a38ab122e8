"""Find secret and personal values in the text of a body, each with its exact place."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.secrets.hits import Hit, alarming, moved
from pytest_llmtrace.secrets.json_text import JsonString, Unescaped, json_strings, parsed
from pytest_llmtrace.secrets.markup import is_markup, named_values
from pytest_llmtrace.secrets.names import (
    FIELD_NAMES,
    MASK,
    PERSON,
    is_credential_header,
    is_mask,
    is_secret_field,
    is_secret_parameter,
)
from pytest_llmtrace.secrets.packed import packed_keys
from pytest_llmtrace.secrets.percent import Unquoted
from pytest_llmtrace.secrets.personal import is_personal_field, personal_in
from pytest_llmtrace.secrets.pieces import Stream, Streams
from pytest_llmtrace.secrets.shapes import is_stand_in, shapes_in
from pytest_llmtrace.secrets.wide import Wide, order_of

__all__ = [
    "FORM",
    "Hit",
    "Steps",
    "alarming",
    "as_bytes",
    "as_text",
    "assembled",
    "hits_in_body",
    "hits_in_text",
    "hits_in_value",
    "is_all_text",
    "moved",
]

Steps = tuple[str | int, ...]


_WORD = r"(?:[^\s=&{}\[\]<>\"]++|" + f"{re.escape(MASK)}|{re.escape(PERSON)})*+"
FORM = rf"(?=[^=]){_WORD}={_WORD}(?:&(?=[^=]){_WORD}={_WORD})*+"
"""A pattern for a form, such as `a=1&b=2`. A form still matches when masks have replaced its values."""

_FORM = re.compile(FORM)
_PAIR = re.compile(r"([^=&]+)=([^&]*)")
_BOUNDARY = re.compile(r"(?:\r?\n)?--([^\r\n]{1,200}?)\r?\n(?i:content-)")
_PART_NAME = re.compile(r';\s*+name=(?:"([^"]*)"|([^\s;"]++))', re.IGNORECASE)
_GAP = re.compile(r"\r?\n\r?\n")
_NO_TEXT = re.compile("[\udc80-\udcff]")
_LINE = re.compile(r"(data: ?)?([^\r\n]+)")
_STREAM_START = re.compile(r"\s*+(?:data|event|id|retry)?:")
# A field within a text, as in a cut-off or quoted JSON text, or in the query of a URL.
_NAMED = re.compile(
    rf"""(?x)
      "(?P<field>{FIELD_NAMES})(?P<slashes>\\{{0,7}})"\s*+:\s*+(?P=slashes)"(?P<quoted>[^"\\\r\n]++)
    | (?:^|(?<=[?&]))(?P<name>{FIELD_NAMES})=(?P<query>(?=[A-Za-z._~%+/=-]*+\d)[A-Za-z0-9._~%+/=-]{{8,}}+)
    """
)
# A URL in a text, its query and its parameters: only there do names such as `key` or `sig` mean a secret. One without a
# query matches too: else a long run of joined URLs would be read again from each of them.
_URL = re.compile(r"://[^\s?#\"'<>\\]++(?P<query>\?[^\s#\"'<>\\]++)?")
_PARAMETER = re.compile(r"[?&;]([^\s=&?;]++)=((?=[A-Za-z._~%+/=-]*+\d)[A-Za-z0-9._~%+/=-]{8,}+)")
_HEADERS = frozenset({"default_headers", "extra_headers", "headers"})
_NESTED = 6
_SHORTEST = 6
"""The length of `a@b.co`: a shorter text identifies nobody."""


def as_text(body: bytes) -> str:
    """Return a body as text.

    Bytes that are not UTF-8, such as those of a file in a multipart body, become lone surrogates, as `surrogateescape`
    reads and writes them. A body or part that contains any is searched only for the shapes of keys: names and personal
    data are recognised by the text around them, which may be anything there.
    """
    return body.decode("utf-8", "surrogateescape")


def is_all_text(text: str) -> bool:
    """Tell whether `as_text` has read only text, and no bytes that are not UTF-8."""
    return not _NO_TEXT.search(text)


def as_bytes(text: str) -> bytes:
    """Return the bytes that `as_text` has read."""
    return text.encode("utf-8", "surrogateescape")


def hits_in_body(text: str) -> Iterator[Hit]:
    """Yield the hits in a body, in order; what form the body has is recognised from its text alone."""
    if order := order_of(text):
        wide = Wide(text, order)
        found = [hit._replace(wide=order) for hit in moved(wide, hits_in_body(wide.value))]
        yield from sorted([*found, *_keys_in(text, "")])  # Other bytes may begin like a text in UTF-16.
    elif not is_all_text(text) and not _BOUNDARY.match(text):
        yield from _keys_in(text, "")
    elif (value := parsed(text)) is not None:
        yield from _in_json(text, value, "", _NESTED)
    elif _STREAM_START.match(text) and "data:" in text:
        yield from _in_stream(text)
    elif boundary := _BOUNDARY.match(text):
        yield from _in_parts(text, boundary[1])
    elif _FORM.fullmatch(text):
        yield from _in_form(text)
    elif text.lstrip()[:1] in {"{", "["}:  # JSON lines, or JSON that is cut off
        yield from _in_stream(text)
    elif is_markup(text):
        yield from _in_markup(text)
    else:
        yield from _nested(text, "", 0)


def assembled(text: str) -> Iterator[str]:
    """Yield the texts that the events of a stream add up to; a body that is not a stream has none."""
    streams = Streams(text)
    if _STREAM_START.match(text) and "data:" in text:
        deque(_in_events(text, streams), maxlen=0)  # Only run to fill `streams`.
    yield from (stream.text for stream in streams if stream.text)


def hits_in_text(text: str, place: str = "") -> Iterator[Hit]:
    """Yield the hits that are recognised by their looks, in order, without those that lie within an earlier hit."""
    if len(text) < _SHORTEST:
        return
    end = 0
    for hit in sorted(_by_looks(text, place), key=lambda hit: (hit.start, -hit.end)):
        if hit.end > end:
            yield hit
            end = hit.end


def _by_looks(text: str, place: str) -> Iterator[Hit]:
    for found in _NAMED.finditer(text):
        group = found.lastgroup or ""
        if _is_secret(found["field"] or found["name"], found[group]) and not is_mask(found[group]):
            yield _by_name(*found.span(group), place, "a field that is secret by its name", found[group])
    if "://" in text:
        yield from _in_urls(text, place)
    yield from _keys_in(text, place)
    for start, end, what, value, is_nobody in personal_in(text):
        yield Hit(start, end, place, "personal", what, value, is_nobody)


def _in_urls(text: str, place: str) -> Iterator[Hit]:
    for url in _URL.finditer(text):
        if url["query"] is None:
            continue
        for found in _PARAMETER.finditer(text, *url.span()):
            if is_secret_parameter(unquote_plus(found[1])):
                yield _by_name(*found.span(2), place, f"the parameter {found[1]} of a URL", found[2])


def _keys_in(text: str, place: str) -> Iterator[Hit]:
    for start, end, looks_like in shapes_in(text):
        yield Hit(start, end, place, "shape", looks_like, text[start:end])
    for start, end, looks_like, value in packed_keys(text):
        yield Hit(start, end, place, "shape", f"{looks_like}, in base64", value)


def _by_name(start: int, end: int, place: str, what: str, value: str) -> Hit:
    return Hit(start, end, place, "field", what, value, is_stand_in(value))


def hits_in_value(value: str, steps: Steps, *, of_error: bool = False) -> Iterator[Hit]:
    """Yield the hits in a string of a JSON body; where they start and end is counted within the string.

    Args:
        value: The string.
        steps: The keys and positions that lead to it.
        of_error: Whether the body reports an error.
    """
    yield from _in_value(value, steps, "", _NESTED, of_error=of_error)


def _in_json(text: str, value: Any, prefix: str, depth: int) -> Iterator[Hit]:
    yield from _in_strings(json_strings(text), value, prefix, depth)


def _in_strings(strings: Iterable[JsonString], value: Any, prefix: str, depth: int) -> Iterator[Hit]:
    of_error = isinstance(value, dict) and "error" in value
    for string in strings:
        if string.is_key:
            if len(string.raw) >= _SHORTEST:
                yield from moved(string, hits_in_text(string.value, f"{prefix}{_path(string.steps)}, a key"))
        else:
            yield from moved(string, _in_value(string.value, string.steps, prefix, depth, of_error=of_error))


def _in_value(value: str, steps: Steps, prefix: str, depth: int, *, of_error: bool) -> Iterator[Hit]:
    key = steps[-1] if steps else None
    if isinstance(key, str) and (_is_secret(key, value) or _is_credential(steps)):
        if not is_mask(value):
            yield _by_name(0, len(value), f"{prefix}{_path(steps)}", f"the field {key}", value)
    # Only in the body itself: in JSON that is itself a string, a field of such a name is an application's own.
    elif depth == _NESTED and is_personal_field(steps, value, of_error=of_error):
        what = "the id of a user or an account"
        yield Hit(0, len(value), f"{prefix}{_path(steps)}", "personal", what, value)
    elif len(value) >= _SHORTEST:
        yield from _nested(value, f"{prefix}{_path(steps)}", depth)


def _nested(value: str, place: str, depth: int) -> Iterator[Hit]:
    """Look into JSON that travels as a string, such as a tool call's arguments, or into a text that quotes JSON."""
    if depth and (inner := parsed(value)) is not None:
        yield from _in_json(value, inner, f"{place} ", depth - 1)
    elif "\\" not in value:
        yield from hits_in_text(value, place)
    else:  # JSON that is cut off or quoted; or plain backslashes, as in C:\Users.
        plain = Unescaped(value)
        both = {*hits_in_text(value, place), *moved(plain, hits_in_text(plain.value, place))}
        yield from sorted(both)


def _in_stream(text: str) -> Iterator[Hit]:
    streams = Streams(text)
    in_events = list(_in_events(text, streams))
    known = {hit[:2] for hit in in_events}
    added = [hit for stream in streams for hit in _in_pieces(stream, known)]
    of_added, end = set(map(id, added)), 0
    for hit in sorted([*added, *in_events], key=lambda hit: (hit.start, -hit.end)) if added else in_events:
        if id(hit) in of_added:
            end = hit.end
            yield hit
        elif hit.end > end:  # Else it lies within a hit in the assembled text.
            yield hit


def _in_pieces(stream: Stream, known: Container[tuple[int, int]]) -> Iterator[Hit]:
    """Yield hits that no single event holds as a whole, or that are secret only because of what other events hold."""
    for hit in _nested(stream.text, _path(stream.steps), _NESTED):
        parts = list(stream.parts(hit.start, hit.end))
        if len(parts) == 1 and parts[0][:2] in known:
            continue
        place = f"events {parts[0].event} to {parts[-1].event} {hit.place}"
        for index, (start, end, _) in enumerate(parts):
            yield hit._replace(start=start, end=end, place=place, continues=index > 0)


def _in_events(text: str, streams: Streams) -> Iterator[Hit]:
    number = -1
    for line in _LINE.finditer(text):
        place = ""
        if line[1] is not None:
            number += 1
            place = f"event {number}"
        content = Unescaped("", line.start(2))  # There is nothing to decode, only positions to move.
        if (value := parsed(line[2])) is not None:
            strings = list(json_strings(line[2]))
            if line[1] is not None:  # Else the line is a document of its own, as in JSON lines.
                streams.add(value, strings, line.start(2), number)
            yield from moved(content, _in_strings(strings, value, f"{place} ".lstrip(), _NESTED))
        else:
            yield from moved(content, _nested(line[2], place, 0))


def _in_parts(text: str, boundary: str) -> Iterator[Hit]:
    at = 0
    for part in text.split(f"--{boundary}"):
        gap = _GAP.search(part)
        head = part[: gap.start()] if gap else part
        found = _PART_NAME.search(head)
        field = (found[1] or found[2] or "") if found else ""
        yield from moved(Unescaped("", at), hits_in_text(head, f"part {field}".rstrip()))
        content = part[gap.end() :].removesuffix("\n").removesuffix("\r") if gap else ""
        if not is_all_text(content):
            yield from moved(Unescaped("", at + gap.end() if gap else at), _keys_in(content, f"part {field}".rstrip()))
        elif gap:
            yield from moved(Unescaped("", at + gap.end()), _named(field, content, f"part {field}".rstrip()))
        at += len(part) + len(boundary) + 2


def _in_form(text: str) -> Iterator[Hit]:
    for pair in _PAIR.finditer(text):
        name = unquote_plus(pair[1])
        content = Unquoted(pair[2], pair.start(2), plus=True)
        yield from moved(content, _named(name, content.value, f"field {name}"))


def _in_markup(text: str) -> Iterator[Hit]:
    named = [
        _by_name(start, end, f"<{name}>", f"the field {name}", text[start:end])
        for name, start, end in named_values(text)
        if is_secret_field(name) and _is_secret(name, text[start:end]) and not is_mask(text[start:end])
    ]
    yield from sorted([*named, *hits_in_text(text)], key=lambda hit: (hit.start, -hit.end))


def _named(name: str, value: str, place: str) -> Iterator[Hit]:
    if not _is_secret(name, value):
        yield from _nested(value, place, _NESTED - 1)
    elif not is_mask(value):
        yield _by_name(0, len(value), place, f"the field {name}", value)


def _is_secret(name: str, value: str) -> bool:
    """Tell whether a field is a secret.

    An `authorization` that is a mere word (`"granted"`) is a status, and a `password` of several words is a sentence
    about one (`"must have 8 characters"`), as validators write it.
    """
    if not is_secret_field(name):
        return False
    name = name.lower()
    return not (value.isalpha() if name == "authorization" else name in _SIGN_IN and " " in value.strip())


def _is_credential(steps: Steps) -> bool:
    """Tell whether a field is a credential header that the provider is to send, for example to an MCP server."""
    return len(steps) > 1 and steps[-2] in _HEADERS and is_credential_header(str(steps[-1]))


_SIGN_IN = frozenset({"passwd", "password"})
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@lru_cache(maxsize=4096)  # A stream may have a million events, all with the same paths.
def _path(steps: Steps) -> str:
    parts = ["$"]
    for step in steps:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif next(hits_in_text(step), None) is not None:
            parts.append("[…]")
        else:
            parts.append(f".{step}" if _SIMPLE.fullmatch(step) else f"[{step!r}]")
    return "".join(parts)
