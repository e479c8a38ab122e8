"""Find what is wrong with one interaction of a cassette, for `lint`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pytest_llmtrace.model import Headers, Recording, Request, Response
from pytest_llmtrace.replay import scrub
from pytest_llmtrace.secrets.body_text import Hit, alarming, assembled, hits_in_body
from pytest_llmtrace.secrets.personal import REQUEST_ID, shown_personal
from pytest_llmtrace.secrets.shapes import shapes_in, shown
from pytest_llmtrace.secrets.urls import hits_in_header, hits_in_url, keys_in_host
from pytest_llmtrace.upkeep._carried import Carried, said
from pytest_llmtrace.upkeep._headers import is_left, is_volatile, kind_of
from pytest_llmtrace.upkeep._kinds import KEPT, SCRUB
from pytest_llmtrace.upkeep._texts import body_text

__all__ = ["Trouble", "troubles_in"]


class Trouble(NamedTuple):
    """One thing that is wrong; `value` is compared, never printed; if `next` is empty, the kind says what to do."""

    kind: str
    place: str
    found: str
    value: str
    next: str = ""

    def same(self) -> tuple[str, ...]:
        """Return what two troubles must have in common to be reported as one finding."""
        volatile = self.kind == "volatile"
        return (self.kind, self.place) if volatile else (self.kind, self.place, self.found, self.next)


def troubles_in(recording: Recording, carried: Carried) -> Iterator[Trouble]:
    """Yield what is wrong with an interaction, request before response.

    Args:
        recording: The interaction.
        carried: The secrets of the whole cassette, to be found in other places.
    """
    yield from _by_itself(recording)
    yield from _elsewhere(recording, carried)


def _by_itself(recording: Recording) -> Iterator[Trouble]:
    request, response = recording.request, recording.response
    yield from _url(request.url)
    yield from _headers("request", request.headers)
    yield from _body("request", request)
    if response is not None:
        for hit in alarming(hits_in_body(response.reason)):
            yield _of_hit("response.status.message", hit)
        yield from _headers("response", response.headers)
        yield from _body("response", response)
    elif recording.failure is None:
        yield Trouble("no-reply", "response", f"{request.method} was recorded without a reply", "")


def _elsewhere(recording: Recording, carried: Carried) -> Iterator[Trouble]:
    """Yield the secrets that stand in a place where nothing but another place of the cassette tells what they are."""
    for place, text in _texts(recording) if carried else ():
        is_reply = place == "response.body"
        # What is left of a text without the secrets that it shows by itself is only looked at if it has any.
        if not any(carried.within([text, *(assembled(text) if is_reply else ())])):
            continue
        left = scrub.scrubbed_url(text) if place == "request.uri" else scrub.scrubbed_text(text)
        following = KEPT if place in {"request.uri", "request.body"} else ""
        for one in carried.within([left, *(assembled(left) if is_reply else ())]):
            yield Trouble("secret", place, f"{shown(one.value)}, {said(one)}", one.value, following)


def _texts(recording: Recording) -> Iterator[tuple[str, str]]:
    request, response = recording.request, recording.response
    yield "request.uri", request.url
    for side, message in (("request", request), ("response", response)):
        if message is None:
            continue
        for name, value in message.headers:
            if not scrub.is_secret_header(name):
                yield f"{side}.headers.{name.lower()}", value
        yield f"{side}.body", body_text(message)[0] or ""


def _url(url: str) -> Iterator[Trouble]:
    for hit in alarming(hits_in_url(url)):
        yield _of_hit("request.uri", hit)
    for hit in keys_in_host(url):
        yield _of_hit("request.uri host", hit)._replace(next=KEPT)


def _headers(side: str, headers: Headers) -> Iterator[Trouble]:
    for name, value in headers:
        low = name.lower()
        place = f"{side}.headers.{low}"
        if scrub.is_secret_header(name):
            if not is_left(name, value):
                yield _named(kind_of(low), place, value)
        elif is_volatile(name, value):
            yield Trouble("volatile", place, "", "")
        else:
            for hit in alarming(hits_in_header(name, value)):
                yield _of_hit(place, hit)


def _named(kind: str, place: str, value: str) -> Trouble:
    """Return the trouble with a header that is scrubbed because of its name."""
    if kind == "volatile":
        return Trouble(kind, place, "", "")
    shape = next(shapes_in(value), None)
    found = shown(value) + (f", {shape.looks_like}" if shape else "")
    return Trouble(kind, place, found, value, "" if kind == "secret" else SCRUB)


def _body(side: str, message: Request | Response) -> Iterator[Trouble]:
    text, coding = body_text(message)
    if text is None:
        yield Trouble("opaque", f"{side}.body", f"the body is compressed with {coding}", "")
        return
    for hit in alarming(hit for hit in hits_in_body(text) if not hit.continues):
        yield _of_hit(f"{side}.body {hit.place}".rstrip(), hit)


def _of_hit(place: str, hit: Hit) -> Trouble:
    if hit.what == REQUEST_ID:
        return Trouble("volatile", place, "", "")
    if hit.by == "personal":
        return Trouble("personal", place, f"{shown_personal(hit.value)}, {hit.what}", hit.value)
    return Trouble("secret", place, f"{shown(hit.value)}, {hit.what}", hit.value)
