"""A body that is shown, compared or searched is unpacked whole or not at all; for clients' reads see `tests/wire`."""

import gzip
import zlib

import pytest

from pytest_llmtrace.codings import unpacked

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
        (gzip.compress(b"", mtime=0), "gzip", b""),
        (zlib.compress(b""), "deflate", b""),
        *((body, coding, body) for body in (b"", b"hi", GZIP[:-9]) for coding in ("", "gzip", "deflate", "br", "no")),
        (zlib.compress(b"hi"), "", zlib.compress(b"hi")),
        (zlib.compress(b"hi")[:-5], "deflate", zlib.compress(b"hi")[:-5]),
    ],
)
def test_unpacked(body: bytes, coding: str, plain: bytes) -> None:
    """Gzip is recognised by its bytes, deflate by its header; a body that is cut or in neither stays as it is."""
    assert unpacked(body, coding) == plain


def test_what_is_too_large_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small body that would unpack to more than the limit stays as it is."""
    monkeypatch.setattr("pytest_llmtrace.codings._LARGEST", 1024)
    bomb = gzip.compress(bytes(2048), mtime=0)
    assert unpacked(bomb) is bomb
