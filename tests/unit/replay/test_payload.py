"""Bodies are split into chunks without a byte changed."""

import zlib
from typing import Any

import pytest

from pytest_llmtrace.replay.payload import in_chunks, pieces

SSE = (("Content-Type", "text/event-stream; charset=utf-8"),)


@pytest.mark.parametrize(
    "chunks",
    [
        (b"data: 1\n\n", b"data: 2\n\n"),
        (b"event: a\r\ndata: 1\r\n\r\n", b"data: 2\r\n\r\n"),
        (b"data: 1\r\r", b"data: 2\r\r"),
        (b": OPENROUTER PROCESSING\n\n", b": OPENROUTER PROCESSING\n\n", b"data: 1\n\n"),
        (b": keep-alive\ndata: 1\n\n", b"data: 2\n\n"),
        (b"data: 1\n\n\n", b"data: 2\n\n"),
        (b"data: 1\n\n", b"data: cut off"),
        (b"data: 1\r\n\n", b"data: 2\n\r\n"),
        (b"data: 1\r\ndata: 2",),
    ],
)
def test_event_streams_are_split_after_each_event(chunks: Any) -> None:
    """A stream is split into one chunk per event, comments included, whatever its line ends are."""
    assert in_chunks(b"".join(chunks), SSE) == chunks


def test_gzipped_event_streams_are_split_where_they_were_flushed() -> None:
    """A compressed stream is split after each flush, so that a client can decode each event when it comes."""
    press = zlib.compressobj(wbits=31)
    events = [b"data: %d\n\n" % number for number in range(3)]
    body = b"".join(press.compress(event) + press.flush(zlib.Z_SYNC_FLUSH) for event in events) + press.flush()
    chunks = in_chunks(body, SSE)
    stream = zlib.decompressobj(wbits=31)
    assert [stream.decompress(chunk) for chunk in chunks] == [*events, b""]
    assert b"".join(chunks) == body


@pytest.mark.parametrize(("body", "chunks"), [(b"", ()), (b"a\n\nb", (b"a\n\nb",))])
def test_other_bodies_are_one_chunk(body: Any, chunks: Any) -> None:
    """A body that is not an event stream is one chunk; an empty body has no chunk."""
    assert in_chunks(body, (("content-type", "text/plain"),)) == chunks


@pytest.mark.parametrize(
    ("lengths", "chunks"),
    [([2, 3], (b"he", b"llo")), ([5], (b"hello",)), ([2, 0, 3], (b"he", b"", b"llo")), ([4], None)],
)
def test_recorded_lengths(lengths: Any, chunks: Any) -> None:
    """Recorded lengths cut the body into chunks; lengths that do not add up to it give None."""
    assert pieces(b"hello", lengths) == chunks
