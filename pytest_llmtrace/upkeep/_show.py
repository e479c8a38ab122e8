"""`show`: lay out an exchange for people to read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace._lines import counted
from pytest_llmtrace.headers import header
from pytest_llmtrace.model import LEFT, LOWEST_ERROR, Cassette, Headers, Recording, Request, Response
from pytest_llmtrace.replay import scrub
from pytest_llmtrace.secrets.body_text import alarming, hits_in_body
from pytest_llmtrace.secrets.edits import edits_of
from pytest_llmtrace.secrets.shapes import masked
from pytest_llmtrace.secrets.urls import hits_in_header, hits_in_url
from pytest_llmtrace.upkeep._carried import Carried
from pytest_llmtrace.upkeep._headers import kind_of
from pytest_llmtrace.upkeep._read import exchange_of
from pytest_llmtrace.upkeep._said import Part, asked, settings_of, tools_of
from pytest_llmtrace.upkeep._talk import Reply, reply_of, reply_of_stream
from pytest_llmtrace.upkeep._texts import body_text

__all__ = ["ShowSettings", "shown_cassette"]

LONGEST_TEXT = 1_200
LONGEST_LINES = 24
LONGEST_BASE64 = 200

_BASE64 = re.compile(f"[A-Za-z0-9+/_-]{{{LONGEST_BASE64},}}={{0,2}}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_WORTH_SHOWING = re.compile(
    r"(?x) content-encoding | location | retry-after | x-should-retry | anthropic-(?:beta|version) | openai-beta"
    r"| (?:x-|apim-)?request-id | x-litellm-(?:model-id|model-group|model-name|response-cost|attempted-.*)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowSettings:
    """How an exchange is laid out.

    Attributes:
        raw: Print bodies as they are, without their content encoding, instead of laying them out.
        full: Cut nothing.
        colour: Use the terminal's colours.
    """

    raw: bool = False
    full: bool = False
    colour: bool = False


def shown_cassette(cassette: Cassette, index: int | None, settings: ShowSettings) -> Iterator[str]:
    """Yield the lines for a whole cassette, or for one interaction of it. Secrets are masked."""
    about = ", ".join([counted(len(cassette.recordings), "interaction"), *_origin(cassette.origin)])
    yield _safe(f"{cassette.label}: {about}")
    carried = Carried(cassette)
    for recording in cassette.recordings if index is None else [cassette.recordings[index]]:
        yield ""
        yield from map(carried.masked, _Sheet(cassette, recording, settings).lines())


def _origin(origin: Mapping[str, Any]) -> Iterator[str]:
    for name, value in origin.items():
        if isinstance(value, str | int | float):
            yield f"{name} {masked(str(value))}"


class _Sheet:
    """Lays out one interaction as lines."""

    def __init__(self, cassette: Cassette, recording: Recording, settings: ShowSettings) -> None:
        self.recording = recording
        self.settings = settings
        self.reading = wire.read(exchange_of(cassette, recording))

    def lines(self) -> Iterator[str]:
        yield self.bold(f"interaction {self.recording.index}{self.call()}")
        if self.recording.test:
            yield f"  recorded by {_safe(masked(self.recording.test))}"
        yield from self.request(self.recording.request)
        yield ""
        if self.recording.response is not None:
            yield from self.response(self.recording.response)
        if self.recording.failure is not None:
            what = "the client left" if self.recording.failure in LEFT else "the connection broke"
            yield f"  {what}: {self.recording.failure}"
        elif self.recording.response is None:
            yield "  no reply was recorded"

    def call(self) -> str:
        reading = self.reading
        if reading is None:
            return ""
        model = f", model {_safe(masked(reading.request_model))}" if reading.request_model else ""
        return f"  {reading.gateway} {reading.api}{model}"

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.settings.colour else text

    def status(self, response: Response) -> str:
        text = f"{response.status} {_without_secrets(response.reason)}".rstrip()
        if not self.settings.colour:
            return text
        return f"\x1b[{32 if response.status < LOWEST_ERROR else 31}m{text}\x1b[0m"

    # --- the two messages ---

    def request(self, request: Request) -> Iterator[str]:
        yield f"  {self.bold(request.method)} {_safe(_url(request.url))}"
        yield from _key_lines(request.headers)
        yield from _header_lines(request.headers)
        text, coding = body_text(request)
        body = wire.request_body(request)
        if self.settings.raw or self.reading is None:
            yield from self.body(text, coding, request.headers)
            return
        if settings := settings_of(body):
            yield from self.part(Part("with", settings))
        if tools := ", ".join(tools_of(body)):
            yield from self.part(Part("tools", tools))
        for part in asked(body):
            yield from self.part(part)

    def response(self, response: Response) -> Iterator[str]:
        kind = _kind(response.headers)
        yield f"  {self.status(response)}  {kind}".rstrip()
        yield from _header_lines(response.headers)
        text, coding = body_text(response)
        reply = None if text is None or self.settings.raw else self.reply(text, kind)
        if reply is None or not reply.is_known:
            yield from self.body(text, coding, response.headers)
        else:
            yield from self.said(reply)
        yield from self.timing(response)

    def reply(self, text: str, kind: str) -> Reply:
        if self.reading is not None and kind.lower() == "text/event-stream":
            return reply_of_stream(text)
        try:
            return reply_of(json.loads(text))
        except (ValueError, RecursionError):
            return Reply(is_known=False)

    def said(self, reply: Reply) -> Iterator[str]:
        for part in reply.parts:
            yield from self.part(part)
        if reply.error:
            error = reply.error if isinstance(reply.error, str) else json.dumps(reply.error, ensure_ascii=False)
            yield from self.part(Part("error", error))
        model = (self.reading.response_model if self.reading else None) or reply.model
        for label, text in (("model", model), ("finish", ", ".join(dict.fromkeys(reply.finish)))):
            if text:
                yield f"    {label:<7} {_safe(masked(text))}"
        if reply.usage:
            yield f"    usage   {', '.join(_usage(reply.usage))}"
        if reply.events is not None:
            end = "" if reply.finish or reply.error else "; it ends without a finish reason: it was cut off"
            yield f"    stream  {counted(reply.events, 'event')}{end}"

    def timing(self, response: Response) -> Iterator[str]:
        if response.offsets:
            first, last = response.offsets[0], response.offsets[-1]
            chunks = counted(len(response.offsets), "chunk")
            yield f"    timing  {chunks}, the first after {first:.3f} s, the last after {last:.3f} s"

    # --- texts ---

    def part(self, part: Part) -> Iterator[str]:
        yield f"    {self.bold(_safe(masked(part.label or 'text')))}"
        yield from self.text(_pretty(part.text) if part.label.startswith("tool call") else part.text)

    def body(self, text: str | None, coding: str, headers: Headers) -> Iterator[str]:
        if text is None:
            yield f"    a body that is compressed with {coding}"
        elif _is_binary(text):
            yield f"    {len(text):,} bytes of {_kind(headers) or 'binary data'}"
        elif text:
            secrets_out = _without_secrets(text)
            yield from self.text(secrets_out if self.settings.raw else _pretty(secrets_out))

    def text(self, text: str) -> Iterator[str]:
        text = masked(_without_secrets(text)).replace("\r\n", "\n").strip("\n")
        cut, note = (text, "") if self.settings.full else _cut(text)
        for line in cut.split("\n") if cut else ():
            yield f"      {_safe(line)}".rstrip()
        if note:
            yield f"      {note}"


def _key_lines(headers: Headers) -> Iterator[str]:
    """Yield the headers by which a request has authenticated itself, masked."""
    for name, _ in headers:
        if scrub.is_secret_header(name) and kind_of(name.lower()) == "secret":
            yield f"    {name.lower()}: {scrub.MASK}"


def _kind(headers: Headers) -> str:
    return header(headers, "content-type").partition(";")[0]


def _header_lines(headers: Headers) -> Iterator[str]:
    for name, value in headers:
        if _WORTH_SHOWING.fullmatch(name.lower()):
            found = (hit for hit in alarming(hits_in_header(name, value)) if hit.by != "personal")
            yield f"    {name.lower()}: {_safe(masked(scrub.applied(value, edits_of(found))))}"


def _url(url: str) -> str:
    return scrub.applied(url, edits_of(hit for hit in alarming(hits_in_url(url)) if hit.by != "personal"))


def _usage(usage: Mapping[str, Any]) -> Iterator[str]:
    """Yield counts, those of a group in brackets behind its name; zeros in groups are left out."""
    for name, value in usage.items():
        if isinstance(value, Mapping):
            inner = ", ".join(f"{key} {item}" for key, item in value.items() if item)
            if inner:
                yield f"{name} ({inner})"
        elif value is not None:
            yield f"{name} {value}"


def _without_secrets(text: str) -> str:
    return scrub.applied(text, edits_of(hit for hit in alarming(hits_in_body(text)) if hit.by != "personal"))


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def _cut(text: str) -> tuple[str, str]:
    """Return a text, cut if it is long, and a note on that; long base64 is always cut."""
    short = _BASE64.sub(lambda found: f"{found[0][:20]}…({len(found[0]):,} characters)", text)
    lines = short[:LONGEST_TEXT].split("\n")[:LONGEST_LINES]
    cut = "\n".join(lines)
    if len(cut) == len(short):
        return short, ""
    return cut, f"… cut here: --full shows all {len(text):,} characters"


def _is_binary(text: str) -> bool:
    return "\0" in text[:1000] or sum(map(str.isprintable, text[:200])) < len(text[:200].replace("\n", "")) * 0.7


def _safe(text: str) -> str:
    """Return a text that cannot steer a terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
