"""The last check of a recording: no value that its trace knows to be secret is written, whatever it looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.canaries import Glance, Search, Sought
from pytest_llmtrace.codings import unpacked
from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Headers, Recording, Response
from pytest_llmtrace.record._scrubbing import Scrubbed
from pytest_llmtrace.replay.payload import with_length
from pytest_llmtrace.secrets.body_text import assembled
from pytest_llmtrace.secrets.names import MASK
from pytest_llmtrace.secrets.shapes import masked, shapes_in
from pytest_llmtrace.secrets.urls import host_of, keys_in_host
from pytest_llmtrace.secrets.wide import text_of

__all__ = ["Guard"]


class Guard:
    """Masks known secrets where scrubbing has left them, and refuses a recording if one of them cannot be masked.

    Nothing is masked in the URL and the body of a request: requests are compared by them, and if only the file had them
    masked, the request would match nothing.

    Args:
        path: The file, to be named in errors.
        known: The secrets of the trace: those that its exchanges carry, and canaries.
        keep: Patterns of values that stay, as in a scrubber.
    """

    def __init__(self, path: Path, known: Iterable[Sought], keep: tuple[re.Pattern[str], ...]) -> None:
        self._path = path
        self._keep = keep
        sought = [one for one in known if not any(kept.fullmatch(one.value) for kept in keep)]
        self._search = Search(sought)
        # Clients write hosts in lower case, and some servers paths.
        self._in_lower = Search(replace(one, value=one.value.lower()) for one in sought)

    def knows(self, text: str) -> bool:
        """Tell whether a text has a known secret in it."""
        return bool(self._found(text))

    def refuse_name(self) -> None:
        """Refuse a file whose name has a secret in it, as that of a test's default cassette may.

        Raises:
            CassetteError: If the name holds a known secret, or a text that looks like a key.
        """
        name = self._path.name
        if self.knows(name) or next(shapes_in(name), None) is not None:
            raise CassetteError(
                self._path.with_name(self._search.masked(masked(name))),
                "nothing was written, since a secret is in the name of the file, which the parameters of a test are "
                "part of. Next: give the parameter an id, pytest.param(..., id=...), or name a cassette",
            )

    def checked(self, scrubbed: Scrubbed) -> Scrubbed:
        """Return a recording without known secrets.

        Raises:
            CassetteError: If a known secret stands where it cannot be masked.
        """
        places = scrubbed.places.copy()
        recording = scrubbed.recording
        request, response = recording.request, recording.response
        recording = replace(
            recording,
            request=replace(request, headers=self._headers(request.headers, "request header", places)),
            response=response and self._response(response, places),
        )
        self._refuse(recording)
        return Scrubbed(recording=recording, places=places)

    def _response(self, response: Response, places: Counter[str]) -> Response:
        headers = self._headers(response.headers, "response header", places)
        chunks = tuple(self._body(chunk, places) for chunk in response.chunks)
        whole = self._body(b"".join(chunks), places)
        if whole != b"".join(chunks):  # A secret began in one chunk and ended in another.
            offsets = response.offsets and response.offsets[-1:]
            return replace(response, headers=with_length(headers, len(whole)), chunks=(whole,), offsets=offsets)
        if chunks != response.chunks:
            headers = with_length(headers, len(whole))
        return replace(response, headers=headers, chunks=chunks)

    def _headers(self, headers: Headers, what: str, places: Counter[str]) -> Headers:
        return tuple((name, self._masked(value, f"{what} {name.lower()}", places)) for name, value in headers)

    def _body(self, body: bytes, places: Counter[str]) -> bytes:
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return body
        masked = self._masked(text, "response body", places)
        # A body that is only a mask would not be a reply: it stays as it is, and `_refuse` refuses it.
        return body if masked == MASK else masked.encode("utf-8")

    def _masked(self, text: str, place: str, places: Counter[str]) -> str:
        found = self._found(text)
        if found:
            places[place] += len(found)
        return Search(found).masked(text) if found else text

    def _found(self, text: str) -> tuple[Sought, ...]:
        return self._search.within(text) if self._search and self._search.may_be_in(Glance([text])) else ()

    def _refuse(self, recording: Recording) -> None:
        for place, what in self._left(recording):
            request = recording.request
            host = host_of(request.url)
            url = request.url.replace(host, MASK, 1) if place == "host" else request.url
            raise CassetteError(
                self._path,
                f"nothing was written, since {what} is in the {place} of {request.method} {self._masked_url(url)}, "
                "where it cannot be masked. Next: take it out of the call, or out of the file with "
                "before_record_request or before_record_response; or let it stay with scrub_keep",
            )

    def _masked_url(self, url: str) -> str:
        return self._in_lower.masked(self._search.masked(url))

    def _left(self, recording: Recording) -> Iterator[tuple[str, str]]:
        """Yield the secrets that a recording still has: the place, and what it is."""
        for place, text in _texts(recording):
            yield from ((place, f"{sought.what} ({sought.where})") for sought in self._found(text))
        host = host_of(recording.request.url)
        yield from (("host", f"{sought.what} ({sought.where})") for sought in self._in_lower.within(host))
        url = recording.request.url.lower()
        yield from (("URL", f"{sought.what} ({sought.where})") for sought in self._in_lower.within(url))
        for hit in keys_in_host(recording.request.url):
            if not any(kept.fullmatch(hit.value) for kept in self._keep):
                yield "host", hit.what


def _texts(recording: Recording) -> Iterator[tuple[str, str]]:
    """Yield every text of a recording that is written, each after its place."""
    request, response = recording.request, recording.response
    yield "URL", request.url
    yield from (("request headers", f"{name}: {value}") for name, value in request.headers)
    yield "request body", text_of(unpacked(request.body))
    if response is not None:
        yield "reason phrase", response.reason
        yield from (("response headers", f"{name}: {value}") for name, value in response.headers)
        body = text_of(unpacked(response.body))
        yield "response body", body
        yield from (("response body, over several events,", text) for text in assembled(body))
