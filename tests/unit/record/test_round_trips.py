"""What a server sent, byte by byte, is recorded and replayed: the client sees and raises the same both times."""

from __future__ import annotations

import asyncio
import gzip
import json
import socketserver
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace import LLMTrace
from pytest_llmtrace.errors import UnmatchedRequest

try:
    import httpx2 as httpx
except ImportError:
    import httpx  # type: ignore[no-redef]

BODY = b'{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"}}]}'
EVENTS = "content-type: text/event-stream"
STREAM = b'data: {"id":"c","model":"m","choices":[]}\n\ndata: [DONE]\n\n'


class Wire(socketserver.ThreadingTCPServer):
    """A server that answers each request with the next of its replies, which are raw bytes, and hangs up.

    If it `waits`, it hangs up when the test is over.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[bytes] = []
        self.requests: list[bytes] = []
        self.has_replied = threading.Event()
        self.is_closing = threading.Event()
        self.waits = False
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/chat/completions"

    def handle_error(self, *_: object) -> None:
        """Do nothing: a client that hangs up is no error here."""


class Handler(socketserver.StreamRequestHandler):
    server: Wire

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        head += self.rfile.read(int(length.partition(b":")[2]))
        self.server.requests.append(head)
        self.wfile.write(self.server.replies.pop(0))
        self.server.has_replied.set()
        if self.server.waits:
            self.server.is_closing.wait(30)


@pytest.fixture
def server() -> Iterator[Wire]:
    server = Wire()
    yield server
    server.is_closing.set()
    server.shutdown()
    server.server_close()


def reply(body: bytes = BODY, *headers: str, status: str = "200 OK") -> bytes:
    """Return a reply whose body ends where its length says."""
    lines = [f"HTTP/1.1 {status}", "content-type: application/json", *headers, f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*chunks: bytes, headers: tuple[str, ...] = (EVENTS,), end: bytes = b"") -> bytes:
    """Return a reply in chunks, with what follows the last one."""
    lines = ["HTTP/1.1 200 OK", *headers, "transfer-encoding: chunked"]
    pieces = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + b"".join(pieces) + (end or b"0\r\n\r\n")


# --- what a client sees ---

Seen = tuple[Any, ...]


def outcome(response: Any, error: Exception | None) -> Seen:
    if response is None:
        return (None, type(error).__name__)
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in UNSTABLE]
    said = () if error is None else (type(error).__name__, str(error))
    return (response.status_code, response.reason_phrase, headers, *said)


UNSTABLE = {"content-length", "transfer-encoding", "date"}


def see(url: str, method: str = "POST") -> Seen:
    found: Any = None
    try:
        with httpx.Client() as client, client.stream(method, url, json={"model": "m"}) as found:
            return (*outcome(found, None), b"".join(found.iter_bytes()))
    except httpx.HTTPError as error:
        return outcome(found, error)


async def _see_async(url: str, method: str) -> Seen:
    found: Any = None
    try:
        async with httpx.AsyncClient() as client, client.stream(method, url, json={"model": "m"}) as found:
            return (*outcome(found, None), b"".join([part async for part in found.aiter_bytes()]))
    except httpx.HTTPError as error:
        return outcome(found, error)


def see_async(url: str, method: str = "POST") -> Seen:
    return asyncio.run(_see_async(url, method))


def see_whole(url: str, method: str = "POST") -> Seen:
    """Read as SDKs read what is no stream."""
    try:
        response = httpx.request(method, url, json={"model": "m"})
    except httpx.HTTPError as error:
        return (type(error).__name__, str(error))
    return (*outcome(response, None), response.content)


def plain(body: bytes) -> bytes:
    """Return a JSON body as it was before it was laid out."""
    return b"".join(body.split())


WAYS = {"stream": see, "async": see_async, "whole": see_whole}


@pytest.fixture(params=WAYS)
def both(
    request: pytest.FixtureRequest, server: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Seen, Seen]]:
    """Send a request to a server with these replies, and again to the recording; return what was seen both times."""
    monkeypatch.chdir(tmp_path)

    def both(*replies: bytes, method: str = "POST") -> tuple[Seen, Seen]:
        server.replies += replies
        seen = []
        for mode in ("once", "none"):
            with LLMTrace(cassette="x", record=mode, verify=False):
                seen.append(WAYS[request.param](server.url, method))
        return seen[0], seen[1]

    return both


PACKED = gzip.compress(BODY, mtime=0)
CODED = {
    "gzip": reply(PACKED, "content-encoding: gzip"),
    "deflate": reply(zlib.compress(BODY), "content-encoding: deflate"),
    "gzip in chunks": chunked(PACKED[:20], PACKED[20:], headers=("content-encoding: gzip",)),
    "no coding": reply(BODY, "content-encoding: utf-8"),
    "identity": reply(BODY, "content-encoding: identity"),
    "gzip that was cut": reply(PACKED[:-12], "content-encoding: gzip"),
}
MISCODED = {
    "plain gzip": reply(BODY, "content-encoding: gzip"),
    "plain stream": chunked(STREAM[:20], STREAM[20:], headers=(EVENTS, "content-encoding: gzip")),
    "zlib as gzip": reply(zlib.compress(BODY), "content-encoding: gzip"),
    "page as deflate": reply(b"<html>", "content-encoding: deflate"),
    "plain deflate": reply(b" " + BODY, "content-encoding: deflate"),
    "broken gzip": reply(PACKED[:10] + b"\xff" * 20, "content-encoding: gzip"),
    "gzip twice": reply(PACKED, "content-encoding: gzip, gzip"),
}  # fmt: skip


@pytest.mark.parametrize("sent", CODED.values(), ids=CODED)
def test_a_body_in_its_coding(both: Callable[..., tuple[Seen, Seen]], sent: bytes) -> None:
    """A body in the coding that its header names is read as it was, in whichever form it is recorded."""
    recorded, replayed = both(sent)
    assert (recorded[0], replayed[0]) == (200, 200)
    assert plain(recorded[-1]) == plain(replayed[-1])
    assert BODY.startswith(plain(recorded[-1]))


@pytest.mark.parametrize("sent", MISCODED.values(), ids=MISCODED)
def test_a_body_that_is_not_in_its_coding(both: Callable[..., tuple[Seen, Seen]], sent: bytes) -> None:
    """The client raises the error that it raised, since the header and the bytes are those that it got."""
    recorded, replayed = both(sent)
    assert "DecodingError" in recorded
    assert replayed == recorded


def test_a_body_that_is_not_in_its_coding_is_searched(
    server: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written as it was sent, but without keys, and the file says that the server sent it so."""
    monkeypatch.chdir(tmp_path)
    key = "sk-proj-Canary0123456789abcdefCanary"
    server.replies.append(reply(json.dumps({"api_key": key, "b": 1}).encode(), "content-encoding: gzip"))
    with LLMTrace(cassette="x", record="once", verify=False):
        assert see(server.url)[3:] == (
            "DecodingError",
            "Error -3 while decompressing data: incorrect header check",
        )
    text = (tmp_path / "cassettes" / "x.yaml").read_text(encoding="utf-8")
    assert key not in text
    assert r'string: "{\"api_key\": \"[secret]\", \"b\": 1}"' in text
    assert "coding: as-sent\n" in text


# --- oddities of HTTP ---

START = "HTTP/1.1 200 OK\r\n"
ODD = {
    "100 continue": b"HTTP/1.1 100 Continue\r\n\r\n" + reply(b"hi"),
    "103 early hints": b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + reply(b"hi"),
    "trailers": chunked(b"ab", b"cd", end=b"0\r\nx-t: 1\r\n\r\n"),
    "chunk extensions": f"{START}transfer-encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\n\r\n".encode(),
    "no length": f"{START}content-type: text/plain\r\n\r\nhello".encode(),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nhello",
    "204": b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\netag: a\r\ncontent-length: 20\r\n\r\n",
    "equal headers": f"{START}x-a: 1\r\nx-a: 2\r\nx-a: 1\r\ncontent-length: 2\r\n\r\nhi".encode(),
    "Latin-1": f"{START}x-a: caf\xe9\r\nx-b: \xff\r\ncontent-length: 2\r\n\r\nhi".encode("latin-1"),
    "UTF-8": f"{START}x-a: ł😀\r\ncontent-length: 2\r\n\r\nhi".encode(),
    "headers like YAML": (
        f"{START}x-a: 007\r\nx-b: true\r\nx-c: null\r\nx-d: ~\r\nx-e: 2026-01-01\r\nx-f: '\r\nx-g: [a]\r\nx-h:\r\n"
        "x-i: - b\r\nx-j: #c\r\nx-k: 1\t2\r\ncontent-length: 2\r\n\r\nhi"
    ).encode(),
    "reason in Latin-1": "HTTP/1.1 200 caf\xe9 :-)\r\ncontent-length: 2\r\n\r\nhi".encode("latin-1"),
    "unknown status": b"HTTP/1.1 599 Odd\r\ncontent-length: 2\r\n\r\nhi",
    "events with CRLF": chunked(b"data: a\r\n", b"\r\ndata: b\r\n\r", b"\ndata: [DONE]\r\n\r\n"),
    "a mark, and a character, in two chunks": chunked(b"\xef", b"\xbb\xbfdata: \xc3", b"\xa9\n\n"),
    "a long line": reply(b"x" * 300_000),
    "characters that YAML has its own mind about": reply("\0a\x85b\u2028c\ufeffd\r\ne\ufffe \ud7ff\n".encode()),
    "white space": reply(b"  a  \n  b\n\n\n"),
    "a line end": reply(b"\n"),
}


@pytest.mark.parametrize("sent", ODD.values(), ids=ODD)
def test_oddities(both: Callable[..., tuple[Seen, Seen]], sent: bytes) -> None:
    """Whatever HTTP allows is replayed as it was recorded."""
    recorded, replayed = both(sent)
    assert isinstance(recorded[0], int)
    assert replayed == recorded


def test_a_reply_to_head(both: Callable[..., tuple[Seen, Seen]]) -> None:
    """It keeps the headers of the body that does not come."""
    recorded, replayed = both(f"{START}content-length: 863\r\ncontent-encoding: gzip\r\n\r\n".encode(), method="HEAD")
    assert recorded[:3] == (200, "OK", [("content-encoding", "gzip")])
    assert replayed == recorded


CUT = {
    "too short": f"{START}content-length: 50\r\n\r\nhello".encode(),
    "chunk": f"{START}transfer-encoding: chunked\r\n\r\n5\r\nhel".encode(),
    "no number": f"{START}transfer-encoding: chunked\r\n\r\nzz\r\nhel".encode(),
    "a body where there is none": b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nhi",
    "nothing": b"",
    "no HTTP": b"garbage\r\n\r\n",
}


@pytest.mark.parametrize("sent", CUT.values(), ids=CUT)
def test_broken_replies(both: Callable[..., tuple[Seen, Seen]], sent: bytes) -> None:
    """A reply that breaks off, or is no HTTP, raises an error of the same kind at the same place."""
    recorded, replayed = both(sent)
    assert [part for part in replayed if part != replayed[-1]] == [part for part in recorded if part != recorded[-1]]


# --- a client that is cancelled ---


async def cancelled(server: Wire, *, chunks: int = 0) -> list[bytes]:
    """Cancel a request after so many chunks, long after a client that was not cancelled would have gone on."""
    got: list[bytes] = []
    has_come = asyncio.Event()

    async def read() -> None:
        async with (
            httpx.AsyncClient() as client,
            client.stream("POST", server.url, json={"model": "m"}) as response,
        ):
            async for part in response.aiter_raw():
                got.append(part)
                has_come.set()

    task = asyncio.create_task(read())
    await asyncio.to_thread(server.has_replied.wait, 30)
    if chunks:
        await has_come.wait()
    for _ in range(1000):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return got


HALF = chunked(STREAM[:42])[:-5]


@pytest.mark.parametrize(
    ("sent", "got", "said"),
    [
        (b"", [], "; cancelled before any reply: 1"),
        (HALF, [STREAM[:42]], ""),
    ],
    ids=["before any reply", "midway"],
)
def test_a_client_that_is_cancelled_is_cancelled_again(
    server: Wire,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sent: bytes,
    got: list[bytes],
    said: str,
) -> None:
    """That an application cancels a request is no failure of the server: the replay waits until it does so again."""
    monkeypatch.chdir(tmp_path)
    server.waits = True
    server.replies.append(sent)
    for mode in ("once", "none"):
        with LLMTrace(cassette="x", record=mode):
            assert asyncio.run(cancelled(server, chunks=len(got))) == got
    assert len(server.requests) == 1
    assert "failure: cancelled\n" in (tmp_path / "cassettes" / "x.yaml").read_text(encoding="utf-8")
    assert capsys.readouterr().err == f"llmtrace: wrote cassettes/x.yaml: 1 interaction; scrubbed: nothing{said}\n"


@pytest.fixture
def left_early(server: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Record a request that is cancelled before any reply."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pytest_llmtrace.intercept._streams.LONGEST_WAIT", 0.0)
    server.waits = True
    server.replies.append(b"")
    with LLMTrace(cassette="x", record="once", verify=False):
        asyncio.run(cancelled(server))


@pytest.mark.usefixtures("left_early")
@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_is_not_cancelled_again_is_refused(server: Wire, way: str) -> None:
    """Nobody knows what the server would have said, so nothing answers; a server that broke off would be retried."""
    with LLMTrace(cassette="x", verify=False), pytest.raises(UnmatchedRequest) as refused:
        WAYS[way](server.url)
    assert str(refused.value).splitlines()[:2] == [
        f"nothing answered POST {server.url} in this block, and it was not sent",
        (
            "left      cassettes/x.yaml, interaction 0: its client was cancelled before any reply when this was "
            "recorded, and is not cancelled now"
        ),
    ]


@pytest.mark.usefixtures("left_early")
def test_a_request_that_was_cancelled_before_any_reply_need_not_be_made() -> None:
    """Its application may cancel it before it is made, since the other replies come sooner than they did."""
    with LLMTrace(cassette="x"):
        pass
