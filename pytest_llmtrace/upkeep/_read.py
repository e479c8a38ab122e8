"""`read`: what the bytes of each recorded exchange say, fact by fact, with places."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_llmtrace import replay, wire
from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Ambient, Cassette, Exchange, Fact, Outcome, Reading, Recording, State
from pytest_llmtrace.reading import VOCABULARY
from pytest_llmtrace.replay.cassette import plain_of
from pytest_llmtrace.secrets.shapes import masked
from pytest_llmtrace.upkeep._files import files_in, looks_like_cassette

__all__ = ["Entry", "as_json", "as_text", "exchange_of", "read_files"]

_LONGEST = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One recorded interaction, or a file that could not be read (`index` is None).

    Attributes:
        index: Position among all interactions of the file, from 0.
        request: Method, path, and the status of the answer or why there was none.
        reading: What the bytes say; `None` if they are not an LLM call that is known.
        why: Why there is no reading.
        failed: Whether the command fails because of it: the file was named itself, and cannot be read.
    """

    file: str
    index: int | None
    request: str = ""
    reading: Reading | None = None
    why: str = ""
    failed: bool = False


def read_files(paths: Iterable[Path]) -> Iterator[Entry]:
    """Read every interaction of every cassette, in order.

    Raises:
        UsageError: If there is no such file or folder.
    """
    for file in files_in(paths):
        try:
            if file.named or looks_like_cassette(plain_of(file.path.read_bytes(), file.path)):
                yield from _entries(str(file.path), replay.load(file.path))
        except (CassetteError, OSError) as error:
            why = error.in_file if isinstance(error, CassetteError) else f"the file cannot be read: {error.strerror}"
            yield Entry(file=str(file.path), index=None, why=why, failed=file.named)


def exchange_of(cassette: Cassette, recording: Recording) -> Exchange:
    """Return a recording as the exchange that its replay would give."""
    return Exchange(
        index=recording.index,
        request=recording.request,
        response=recording.response,
        outcome=Outcome.ANSWERED,
        origin=cassette.label,
        ambient=Ambient(),
        started=0,
        failure=None if recording.failure is None else recording.failure.value,
    )


def as_json(entries: Iterable[Entry]) -> str:
    """Return one JSON array; values are as they were read, so that they can be compared."""
    return json.dumps([_plain(entry) for entry in entries], indent=1)


def as_text(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield lines for people: absent facts are left out, secrets are masked, long values are cut."""
    file = None
    for entry in entries:
        if entry.file != file:
            yield from ([] if file is None else [""])
            yield entry.file
            file = entry.file
        yield f"  {_title(entry)}"
        if entry.reading is not None:
            yield from _lines(entry.reading)


def _entries(file: str, cassette: Cassette) -> Iterator[Entry]:
    for recording in cassette.recordings:
        exchange = exchange_of(cassette, recording)
        reading = wire.read(exchange)
        why = "" if reading else _why_not(exchange)
        yield Entry(file=file, index=recording.index, request=_asked(recording), reading=reading, why=why)


def _why_not(exchange: Exchange) -> str:
    if wire.fetches(exchange) is not None:
        return "not a call: it fetches a response that another request has asked for"
    name = wire.unread_api(exchange.request)
    if name is not None:
        return f"a call of {name}, which is not supported"
    api = wire.api_of_path(exchange.request)
    if api is None:
        return "not a call to a known LLM API"
    # Some recorders of aiohttp's requests leave the body out.
    body = "is not that of a call" if exchange.request.body else "was not recorded"
    return f"its path is that of {api}, but its body {body}"


def _asked(recording: Recording) -> str:
    answered = recording.response.status if recording.response else recording.failure or "no reply"
    return f"{recording.request.method} {urlsplit(recording.request.url).path}  {answered}"


def _title(entry: Entry) -> str:
    where = "" if entry.index is None else f"interaction {entry.index}  {entry.request}  "
    if entry.reading is None:
        return f"{where}not read: {entry.why}"
    return f"{where}{entry.reading.api}, {entry.reading.gateway}"


def _lines(reading: Reading) -> Iterator[str]:
    for name in _names(reading):
        fact = reading.fact(name)
        if fact.state is not State.ABSENT:
            yield f"    {name:<22} {_said(fact)}"
    yield from (f"    could not be read      {masked(problem)}" for problem in reading.problems)


def _names(reading: Reading) -> Iterator[str]:
    """Yield the names of the facts that the reader looked for, in the order of the vocabulary."""
    return filter(reading.has_place_for, VOCABULARY)


def _said(fact: Fact) -> str:
    if fact.state is State.UNREADABLE:
        return masked(f"unreadable: {fact.note}  ({fact.place})")
    value = "null" if fact.state is State.NULL else json.dumps(fact.value, ensure_ascii=False, default=str)
    value = masked(value)
    shown = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}... ({len(value)} characters)"
    return f"{shown}  ({masked(fact.keys or fact.where)})"


def _plain(entry: Entry) -> dict[str, Any]:
    reading = entry.reading
    return {
        "file": entry.file,
        "index": entry.index,
        "api": reading.api if reading else None,
        "gateway": reading.gateway if reading else None,
        "facts": {name: _plain_fact(reading.fact(name)) for name in _names(reading)} if reading else {},
        "problems": list(reading.problems) if reading else [],
        "why": entry.why or None,
    }


def _plain_fact(fact: Fact) -> dict[str, Any]:
    plain = {"value": fact.value, "place": fact.place or None, "state": fact.state.value}
    return {**plain, "note": fact.note} if fact.note else plain
