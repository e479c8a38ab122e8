"""Bodies as they travel: content codings, event streams by the letter of their standard, and unreadable bodies."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable

import pytest

from pytest_llmtrace.model import Reading, State

SSE = (("content-type", "text/event-stream"),)
BODY = b'{"model": "a"}'


def coded(coding: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Encoding", coding),)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((), BODY),
        ((), b"\n\n " + BODY),  # OpenRouter sends this white space while it waits.
        ((), b"\xef\xbb\xbf" + BODY),
        ((), json.dumps({"model": "a"}).encode("utf-16")),
        (coded("gzip"), gzip.compress(BODY, mtime=0)),
        (coded("x-gzip"), gzip.compress(BODY, mtime=0)),
        (coded("deflate"), zlib.compress(BODY)),
        (coded("deflate"), zlib.compress(BODY, wbits=-15)),
        # Clients pass over a coding that is none.
        *((coded(coding), BODY) for coding in ("identity", "utf-8")),
        # WHATWG: comments, data in several lines, three line endings, fields without a space, unused fields.
        (SSE, b": hello\n\ndata: " + BODY + b"\n\n"),
        (SSE, b'data: {"model":\ndata: "a"}\n\n'),
        (SSE, b"data: " + BODY + b"\r\n\r\n"),
        (SSE, b"data: " + BODY + b"\r\r"),
        (SSE, b"id: 1\nretry: 5\ndata:" + BODY + b"\n\n"),
        (SSE, b"\xef\xbb\xbfdata: " + BODY + b"\n\n"),
        # There is no content-type, as in recordings that keep no headers.
        ((), b"data: " + BODY + b"\n\n"),
        ((), b"event: x\ndata: " + BODY + b"\n\n"),
        ((), b": OPENROUTER PROCESSING\n\ndata: " + BODY + b"\n\n"),
        ((), b"id: 1\nretry: 5\ndata: " + BODY + b"\n\n"),
    ],
)
def test_bodies(read: Callable[..., Reading], headers: tuple[tuple[str, str], ...], body: bytes) -> None:
    """A body that a client could read is read, in whichever form it travelled."""
    reading = read("chat", body, headers=headers)
    assert (reading.response_model, reading.problems) == ("a", ())


NO_GZIP = "its bytes are not valid gzip (Error -3 while decompressing data: incorrect header check)"
NO_DEFLATE = "its bytes are not valid deflate (Error -3 while decompressing data: invalid distance too far back)"
NO_BROTLI = "content-encoding br cannot be read: neither brotli nor brotlicffi is installed"
NO_ZSTANDARD = "content-encoding zstd cannot be read: neither backports.zstd nor zstandard is installed"
JSON_NOTE = "it is not JSON (Expecting value, character 0)"


@pytest.mark.parametrize(
    ("headers", "body", "note", "truncated"),
    [
        ((), b"", "it is empty", True),
        ((), b"<html>", JSON_NOTE, False),
        ((), b"[1]", "it is not a JSON object", False),
        ((), b'{"model": \xff}', "it is not text (byte 10: invalid start byte)", False),
        ((), b"[" * 100_000, "it is nested too deeply to read", False),
        ((), b'{"n": ' + b"1" * 5000 + b"}", "it has a number with too many digits to read", False),
        (coded("br"), b"\x0b\x05", NO_BROTLI, False),
        (coded("b" * 5000), b"\x0b\x05", f"content-encoding {'b' * 40} cannot be read", False),
        (
            coded("deflate"),
            b"\xff\xff",
            "its bytes are not valid deflate (Error -3 while decompressing data: invalid block type)",
            False,
        ),
        (
            coded("gzip"),
            b"\x1f\x8b" + b"\xff" * 9,
            "its bytes are not valid gzip (Error -3 while decompressing data: unknown compression method)",
            False,
        ),
        # A client raises at a body that is not in the coding which its header names, even if it could be read without.
        (coded("gzip"), BODY, NO_GZIP, False),
        (coded("gzip"), zlib.compress(BODY), NO_GZIP, False),
        ((*SSE, *coded("gzip")), b"data: " + BODY + b"\n\n", NO_GZIP, False),
        (coded("deflate"), b"\n" + BODY, NO_DEFLATE, False),
        (coded("br"), BODY, NO_BROTLI, False),
        (coded("zstd"), BODY, NO_ZSTANDARD, False),
    ],
    ids=[
        "empty",
        "page",
        "list",
        "no text",
        "deep",
        "digits",
        "br",
        "endless",
        "no deflate",
        "no gzip",
        "plain gzip",
        "zlib",
        "plain stream",
        "plain deflate",
        "plain br",
        "plain zstd",
    ],
)
def test_what_is_no_body(
    read: Callable[..., Reading],
    monkeypatch: pytest.MonkeyPatch,
    headers: tuple[tuple[str, str], ...],
    body: bytes,
    note: str,
    truncated: bool,
) -> None:
    """If a body cannot be read, its facts are unknown, with the reason said once; the request's facts are known."""
    for library in ("brotli", "brotlicffi", "compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, library, None)
    reading = read("chat", body, headers=headers)
    assert reading.problems == (f"chat.yaml, exchange 3, response body: {note}",)
    assert (reading.request_model, reading.truncated) == ("asked", truncated)
    for name in ("response_id", "input_tokens", "cost", "error", "output_texts"):
        fact = reading.fact(name)
        assert (fact.state, fact.note) == (State.UNREADABLE, note)
    assert reading.fact("request_id").state is State.ABSENT


def test_a_bomb(read: Callable[..., Reading], monkeypatch: pytest.MonkeyPatch) -> None:
    """A small body that would fill the memory is not unpacked to its end."""
    monkeypatch.setattr("pytest_llmtrace.codings._LARGEST", 2 * 1024 * 1024)
    bomb = gzip.compress(bytes(3 * 1024 * 1024), mtime=0)
    [problem] = read("chat", bomb, headers=coded("gzip")).problems
    assert problem == "chat.yaml, exchange 3, response body: it inflates to more than 2 MiB"


WHOLE = json.dumps({"model": "a", "id": "x\n", "usage": {"prompt_tokens": -1.5e3, "b": [True, None]}, "c": []}).encode()


@pytest.mark.parametrize("end", range(1, len(WHOLE)))
def test_a_cut_body(read: Callable[..., Reading], end: int) -> None:
    """A JSON body that was cut at any byte is recognised as cut, and not as broken."""
    reading = read("chat", WHOLE[:end])
    assert (reading.truncated, len(reading.problems)) == (True, 1)


def test_a_cut_body_between_the_bytes_of_a_character(read: Callable[..., Reading]) -> None:
    """A body that was cut within a character is recognised as cut as well."""
    assert read("chat", '{"model": "ä'.encode()[:-1]).truncated is True


CHUNK = 'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "%s"}}]}\n\n'


@pytest.mark.parametrize(
    ("bad", "note"),
    [
        (b"data: oops\n\n", "it is not JSON (Expecting value, character 0)"),
        (b"data: [1]\n\n", "it is not a JSON object"),
        (b'data: {"model": "\xff"}\n\n', "it is not text"),
        (b"data: " + b"[" * 100_000 + b"\n\n", "it is nested too deeply to read"),
    ],
    ids=["no JSON", "no object", "no text", "deep"],
)
def test_an_event_that_cannot_be_read(read: Callable[..., Reading], bad: bytes, note: str) -> None:
    """Facts of other events are known; facts that are put together from all events, or may be in a bad one, are not."""
    stream = (CHUNK % "h").encode() + bad + (CHUNK % "i").encode() + b"data: [DONE]\n\n"
    reading = read("chat", stream, headers=SSE)
    said = f"event 1 cannot be read: {note}"
    assert reading.problems == (f"chat.yaml, exchange 3, events 0 to 2 of the response: {said}",)
    assert (reading.response_id, reading.truncated) == ("c", False)
    for name in ("output_texts", "input_tokens", "error"):
        assert (reading.fact(name).state, reading.fact(name).note) == (State.UNREADABLE, said)


def test_many_events_that_cannot_be_read(read: Callable[..., Reading]) -> None:
    """Only the first few unreadable events are named, so that ten thousand of them still make one line."""
    reading = read("chat", b"data: oops\n\n" * 1000, headers=SSE)
    where = "chat.yaml, exchange 3, events 0 to 999 of the response"
    assert reading.problems == (f"{where}: events 0, 1, 2, 3, 4 and 995 more cannot be read: {JSON_NOTE}",)


def test_ten_thousand_chunks(read: Callable[..., Reading]) -> None:
    """A stream of any number of chunks is put together, also across the batches in which it is parsed."""
    stream = "".join(CHUNK % number for number in range(10_000)) + "data: [DONE]\n\n"
    reading = read("chat", stream.encode(), headers=SSE)
    assert reading.output_texts == ["".join(map(str, range(10_000)))]
    assert reading.fact("output_texts").where == "chat.yaml, exchange 3, events 0 to 9999 of the response"
