"""A body that is shown, compared or searched is unpacked whole or not at all; for clients' reads see `tests/wire`."""

import gzip
import re
import sys
import zlib
from collections.abc import Callable

import brotli
import pytest
from backports import zstd

from pytest_llmtrace import codings, wire
from pytest_llmtrace.codings import decoded_chunks, unpacked
from pytest_llmtrace.model import Exchange, Response

RAW = zlib.compressobj(wbits=-15)
GZIP = gzip.compress(b"hi", mtime=0)


@pytest.mark.parametrize(
    ("body", "coding", "plain"),
    [
        (GZIP, "gzip", b"hi"),
        (GZIP, "", b"hi"),
        (GZIP, "br", b"hi"),
        (zlib.compress(b"hi"), " Deflate", b"hi"),
        (RAW.compress(b"hi") + RAW.flush(), "deflate", b"hi"),
        (brotli.compress(b"hi"), "br", b"hi"),
        (zstd.compress(b"hi"), "ZSTD", b"hi"),
        (zstd.compress(b"h") + zstd.compress(b"i"), "zstd", b"hi"),
        (gzip.compress(b"", mtime=0), "gzip", b""),
        (zlib.compress(b""), "deflate", b""),
        *((body, coding, body) for body in (b"", b"hi", GZIP[:-9]) for coding in ("", "gzip", "deflate", "br", "no")),
        *((body, "", body) for body in (zlib.compress(b"hi"), brotli.compress(b"hi"), zstd.compress(b"hi"))),
        (zlib.compress(b"hi")[:-5], "deflate", zlib.compress(b"hi")[:-5]),
        (brotli.compress(b"hi")[:-1], "br", brotli.compress(b"hi")[:-1]),
        (zstd.compress(b"hi")[:-1], "zstd", zstd.compress(b"hi")[:-1]),
    ],
)
def test_unpacked(body: bytes, coding: str, plain: bytes) -> None:
    """Gzip is recognised by its bytes, others by their header; a body that is cut or in none stays as it is."""
    assert unpacked(body, coding) == plain


LINES = [f"line {number}\n".encode() for number in range(40)]


def flushed_brotli() -> list[bytes]:
    packer = brotli.Compressor()
    return [*(packer.process(line) + packer.flush() for line in LINES), packer.finish()]


def flushed_zstd() -> list[bytes]:
    packer = zstd.ZstdCompressor()
    return [*(packer.compress(line, packer.FLUSH_BLOCK) for line in LINES), packer.flush()]


@pytest.mark.parametrize(
    ("coding", "chunks"),
    [("br", flushed_brotli()), ("zstd", flushed_zstd()), ("zstd", [zstd.compress(line) for line in LINES])],
    ids=["br", "zstd", "zstd in frames"],
)
def test_what_each_chunk_lets_a_client_read(coding: str, chunks: list[bytes]) -> None:
    """A stream that the server flushes is undone as it comes; one that is cut gives what is there."""
    assert decoded_chunks(chunks, coding)[: len(LINES)] == LINES
    assert decoded_chunks(chunks[:7], coding) == LINES[:7]
    assert LINES[0].startswith(b"".join(decoded_chunks([chunks[0][:-1]], coding)))


@pytest.mark.parametrize("names", [("brotli",), ("brotlicffi",)])
def test_each_library_for_brotli(monkeypatch: pytest.MonkeyPatch, names: tuple[str]) -> None:
    """Either library of a client undoes it."""
    monkeypatch.setitem(codings._LIBRARIES, "br", names)
    assert decoded_chunks(flushed_brotli(), "br")[: len(LINES)] == LINES


@pytest.mark.parametrize("names", [("backports.zstd",), ("zstandard",)])
def test_each_library_for_zstandard(monkeypatch: pytest.MonkeyPatch, names: tuple[str]) -> None:
    """Either library of a client undoes it, also in several frames."""
    monkeypatch.setitem(codings._LIBRARIES, "zstd", names)
    for chunks in (flushed_zstd(), [zstd.compress(line) for line in LINES], [b"".join(map(zstd.compress, LINES))]):
        assert b"".join(decoded_chunks(chunks, "zstd")) == b"".join(LINES)


@pytest.mark.parametrize(
    ("coding", "bomb"),
    [
        ("gzip", gzip.compress(bytes(2048), mtime=0)),
        ("br", brotli.compress(bytes(2048))),
        ("zstd", zstd.compress(bytes(2048))),
    ],
)
def test_what_is_too_large_stays(monkeypatch: pytest.MonkeyPatch, coding: str, bomb: bytes) -> None:
    """A small body that would unpack to more than the limit stays as it is."""
    monkeypatch.setattr(codings, "_LARGEST", 1024)
    assert unpacked(bomb, coding) is bomb


@pytest.mark.parametrize(
    ("coding", "problem"),
    [
        ("br", "content-encoding br cannot be read: neither brotli nor brotlicffi is installed"),
        ("zstd", "content-encoding zstd cannot be read: neither backports.zstd nor zstandard is installed"),
    ],
)
def test_without_a_library(monkeypatch: pytest.MonkeyPatch, coding: str, problem: str) -> None:
    """Without a library for a coding, the body stays as it is, and whoever has to read it learns what to install."""
    for name in codings._LIBRARIES[coding]:
        monkeypatch.setitem(sys.modules, name, None)
    body = brotli.compress(b"hi") if coding == "br" else zstd.compress(b"hi")
    assert unpacked(body, coding) is body
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        decoded_chunks([body], coding)


@pytest.mark.parametrize(("coding", "names"), [("br", ("brotlicffi",)), ("zstd", ("zstandard",))])
def test_a_body_that_is_said_to_be_complete(monkeypatch: pytest.MonkeyPatch, coding: str, names: tuple[str]) -> None:
    """If such a body is cut, this raises where a client does; with `brotli`, a client takes what is there."""
    cut = (flushed_brotli() if coding == "br" else flushed_zstd())[:3]
    assert decoded_chunks(flushed_brotli(), "br", ended=True)[:3] == decoded_chunks(
        flushed_brotli()[:3], "br", ended=True
    )
    monkeypatch.setitem(codings._LIBRARIES, coding, names)
    assert decoded_chunks(cut, coding) == LINES[:3]
    with pytest.raises(ValueError, match=f"^its {coding} ends too early$"):
        decoded_chunks(cut, coding, ended=True)


NO_ZSTD = "its bytes are not valid zstd (Unable to decompress Zstandard data: Unknown frame descriptor)"


@pytest.mark.parametrize(
    ("coding", "body", "problem"),
    [
        ("br", brotli.compress(b'{"model": "a"}'), ""),
        ("zstd", zstd.compress(b'{"model": "a"}'), ""),
        ("br, gzip", gzip.compress(brotli.compress(b'{"model": "a"}'), mtime=0), ""),  # The last one is undone first.
        ("br", b'{"model": "a"}', "its bytes are not valid br (brotli: decoder failed)"),
        ("zstd", b'{"model": "a"}', NO_ZSTD),
    ],
)
def test_a_reply_is_read(make_exchange: Callable[..., Exchange], coding: str, body: bytes, problem: str) -> None:
    """The reading of a reply is that of the reply without its coding, or it says why there is none."""
    headers = (("content-type", "application/json"), ("content-encoding", coding))
    exchange = make_exchange(response=Response(status=200, headers=headers, chunks=(body,)))
    reading = wire.read(exchange)
    assert reading is not None
    assert (reading.response_model, reading.problems) == (
        (None, (f"cassettes/chat.yaml, interaction 0, exchange 0, response body: {problem}",)) if problem else ("a", ())
    )
