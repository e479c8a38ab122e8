"""Fixtures of the port's tests: an answerer, a server that must not be reached, and clients of every kind."""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import http.server
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_llmtrace import intercept, ownership
from pytest_llmtrace.model import Ambient, Answer, Request, Response, SpanKey
from tests.serving import Serving

LIBRARIES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]
assert LIBRARIES, "the port cannot be tested without httpx or httpx2"


class Script:
    """An answerer with one answer per path, which it gives as often as it is asked."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[Request] = []

    def answer(self, request: Request) -> Answer | None:
        self.asked.append(request)
        path = "/" + request.url.split("://", 1)[1].partition("/")[2].partition("?")[0]
        return self.answers.get(path)

    def explain(self, request: Request) -> str:
        return "the script has no such path"


class Server(Serving):
    """A server that counts the connections that reach it, and remembers their requests."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.requests.append(f"{self.command} {self.path}")
                self.send_response(200)
                self.send_header("content-length", "4")
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(b"live")

            do_POST = do_CONNECT = do_GET  # noqa: N815

        super().__init__(Handler)
        self.url = f"http://llm.test:{self.port}"


class Driver:
    """A client library in one mode: the same calls, sync or async."""

    def __init__(self, name: str, mode: str) -> None:
        self.library = importlib.import_module(name)
        self.core = importlib.import_module(name.replace("httpx", "httpcore"))
        self.is_async = mode == "async"
        self._runner = asyncio.Runner()
        self._clients: list[Any] = []

    def client(self, **options: Any) -> Any:
        kind = self.library.AsyncClient if self.is_async else self.library.Client
        self._clients.append(kind(**options))
        return self._clients[-1]

    def do(self, result: Any) -> Any:
        """Return what a client returned, awaited if the client is async."""
        return self._runner.run(_awaited(result)) if self.is_async else result

    def post(self, url: str, *, client: Any = None, **options: Any) -> Any:
        return self.do((client or self.client()).post(url, **options))

    def open(self, url: str, *, client: Any = None) -> Any:
        client = client or self.client()
        return self.do(client.send(client.build_request("POST", url), stream=True))

    def take(self, stream: Any, chunks: int | None = None) -> list[bytes]:
        """Return the chunks of a raw stream, at most `chunks` of them."""
        taken: list[bytes] = []
        if not self.is_async:
            for chunk in stream:
                taken.append(chunk)
                if len(taken) == chunks:
                    break
            return taken

        async def take() -> list[bytes]:
            async for chunk in stream:
                taken.append(chunk)
                if len(taken) == chunks:
                    break
            return taken

        return self._runner.run(take())

    def close_response(self, response: Any) -> None:
        self.do(response.aclose() if self.is_async else response.close())

    def transport(self, handle: Callable[[Any], Any]) -> Any:
        """Make a custom transport from a function of the request; in async mode it is awaited."""
        if self.is_async:

            class Async(self.library.AsyncBaseTransport):  # type: ignore[name-defined,misc]
                async def handle_async_request(self, request: Any) -> Any:
                    return await handle(request)

            return Async()

        class Sync(self.library.BaseTransport):  # type: ignore[name-defined,misc]
            def handle_request(self, request: Any) -> Any:
                return handle(request)

        return Sync()

    def http_transport(self, **options: Any) -> Any:
        return (self.library.AsyncHTTPTransport if self.is_async else self.library.HTTPTransport)(**options)

    def close(self) -> None:
        for client in self._clients:
            self.do(client.aclose() if self.is_async else client.close())
        self._runner.close()


async def _awaited(result: Any) -> Any:
    return await result


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def driver(library: str, mode: str) -> Iterator[Driver]:
    driver = Driver(library, mode)
    yield driver
    driver.close()


@pytest.fixture
def script() -> Script:
    response = Response(status=200, headers=(("content-type", "text/plain"),), chunks=(b"one ", b"two"), reason="Fine")
    return Script({"/answered": Answer(response=response, origin="the script")})


@pytest.fixture
def trace(script: Script) -> Iterator[Callable[..., intercept.Ledger]]:
    """Yield a function that opens ledgers, each for an owner that is active until the end of the test."""
    with contextlib.ExitStack() as stack:

        def open_ledger(label: str = "test_x", answerer: Script = script, **options: Any) -> intercept.Ledger:
            owner = ownership.Owner(label)
            ambient = Ambient(span=SpanKey(1, 2), recording=True)
            ledger = intercept.open_ledger(owner, answerer=answerer, ambient=lambda: ambient, **options)
            stack.callback(ledger.close)
            stack.enter_context(ownership.active(owner))
            stack.enter_context(ownership.belonging_to(owner))
            return ledger

        yield open_ledger


@pytest.fixture
def ledger(trace: Callable[..., intercept.Ledger]) -> intercept.Ledger:
    return trace()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve at llm.test, a name that only the resolver below the guard knows."""
    resolve = _socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        return resolve("127.0.0.1" if host in {"llm.test", b"llm.test"} else host, *args, **kwargs)

    monkeypatch.setattr(_socket, "getaddrinfo", getaddrinfo)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    server = Server()
    yield server
    server.close()
