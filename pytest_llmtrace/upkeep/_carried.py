"""The secrets that the interactions of a cassette carry in places of their own, which may stand elsewhere as well.

A key in a header is known by that place alone: once the header is scrubbed, nothing tells that the same text in a reply
is a key. So a command looks for them in the whole file, as the recorder does before it writes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_llmtrace.canaries import Search, Sought
from pytest_llmtrace.checks import secrets_of
from pytest_llmtrace.codings import unpacked
from pytest_llmtrace.headers import header
from pytest_llmtrace.model import Cassette, Recording, Request, Response
from pytest_llmtrace.secrets.body_text import assembled
from pytest_llmtrace.secrets.hits import Hit
from pytest_llmtrace.secrets.shapes import is_stand_in
from pytest_llmtrace.secrets.wide import text_of
from pytest_llmtrace.upkeep._read import exchange_of

__all__ = ["Carried", "said"]

# They give no access by themselves.
_NO_KEYS = frozenset({"the organization", "the project"})
_SHORTEST_COOKIE = 16
"""Shorter ones are settings, such as a language or a region, and stand in other places for themselves."""


class Carried:
    """The secrets of the interactions of a cassette."""

    def __init__(self, cassette: Cassette) -> None:
        exchanges = [exchange_of(cassette, recording) for recording in cassette.recordings]
        self._search = Search(filter(_is_key, secrets_of(exchanges)))

    def __bool__(self) -> bool:
        return bool(self._search)

    def hits(self, text: str) -> Iterator[Hit]:
        """Yield where the secrets stand in a text, apart from those that are encoded or in pieces."""
        for start, end, one in self._search.places(text) if self else ():
            yield Hit(start, end, "", "field", said(one), text[start:end])

    def within(self, texts: Iterable[str]) -> Iterator[Sought]:
        """Yield the secrets that are in texts, in whatever form, each once."""
        yield from dict.fromkeys(one for text in texts for one in self._search.within(text)) if self else ()

    def masked(self, text: str) -> str:
        """Return a text without the secrets, in whatever form they are in it."""
        return self._search.masked(text) if any(self.within([text])) else text

    def asked_in(self, recording: Recording) -> Iterator[Sought]:
        """Yield the secrets in the parts of a request by which it is compared: no mask can stand there."""
        request = recording.request
        yield from self.within([request.url, _text(request)])

    def answered_in(self, recording: Recording) -> Iterator[Sought]:
        """Yield the secrets in the body of a reply, also over several events."""
        if recording.response is not None:
            body = _text(recording.response)
            yield from self.within([body, *assembled(body)])


def said(one: Sought) -> str:
    """Return what a secret is and where it is known from, in the words of a report on a cassette."""
    return f"{one.what} ({one.where.replace('exchange', 'interaction')})"


def _text(message: Request | Response) -> str:
    return text_of(unpacked(message.body, header(message.headers, "content-encoding")))


def _is_key(one: Sought) -> bool:
    is_short_cookie = one.what == "a cookie" and len(one.value) < _SHORTEST_COOKIE
    return one.what not in _NO_KEYS and not is_short_cookie and not is_stand_in(one.value)
