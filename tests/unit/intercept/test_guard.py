"""The guard of clients other than httpx: sockets, name resolution, and the clients that are built on them."""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.errors import BlockedConnection
from pytest_llmtrace.intercept import _hosts


def _urllib(url: str) -> str:
    with urllib.request.build_opener().open(url) as response:  # A new opener reads the proxies again.
        return str(response.read().decode())


def _requests(url: str) -> str:
    import requests

    with requests.Session() as session:
        return session.get(url).text


def _urllib3(url: str) -> str:
    import urllib3

    proxy = urllib.request.getproxies().get(url.partition(":")[0])
    with urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager() as pool:
        return pool.request("GET", url).data.decode()


def _aiohttp(url: str) -> str:
    import aiohttp

    async def fetch() -> str:
        async with aiohttp.ClientSession(trust_env=True) as session, session.get(url) as response:
            return await response.text()

    return asyncio.run(fetch())


def _with_aiohttp() -> tuple[Callable[[str], str], type[Exception], str]:
    import aiohttp

    return _aiohttp, aiohttp.ClientConnectionError, "aiohttp"


def _with_requests() -> tuple[Callable[[str], str], type[Exception], str]:
    import requests

    return _requests, requests.ConnectionError, "urllib3"


def _with_urllib3() -> tuple[Callable[[str], str], type[Exception], str]:
    import urllib3

    return _urllib3, urllib3.exceptions.MaxRetryError, "urllib3"


CLIENTS: dict[str, tuple[Callable[[str], str], type[Exception], str]] = {
    "urllib": (_urllib, urllib.error.URLError, "tests"),
    **{
        name: load()
        for name, load in {"requests": _with_requests, "urllib3": _with_urllib3, "aiohttp": _with_aiohttp}.items()
        if importlib.util.find_spec(name)
    },
}


@pytest.mark.parametrize(("fetch", "error", "who"), CLIENTS.values(), ids=CLIENTS)
def test_a_client_that_is_no_httpx_is_refused(
    trace: Any, server: Any, fetch: Any, error: type[Exception], who: str
) -> None:
    """The client gets its own connection error, the ledger notes the connection; a closed ledger lets it through."""
    ledger = trace()
    with pytest.raises(error, match="was blocked: only this machine may be reached"):
        fetch(server.url)
    assert ledger.blocked() == (f"llm.test:{server.port} ({who})",)
    assert server.connections == 0
    ledger.close()
    assert (fetch(server.url), server.connections) == ("live", 1)


@pytest.mark.parametrize(("fetch", "error", "who"), CLIENTS.values(), ids=CLIENTS)
def test_a_named_host_is_let_through(trace: Any, server: Any, fetch: Any, error: Any, who: str) -> None:
    """An allowed host is let through, with its addresses, to which sockets connect; loopback needs no permission."""
    ledger = trace(allow_hosts=("*.test",))
    assert fetch(server.url) == "live"
    assert fetch(f"http://127.0.0.1:{server.port}") == "live"
    assert ledger.blocked() == ()


@pytest.mark.parametrize(("fetch", "error", "who"), CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_on_this_machine_is_no_way_out(
    trace: Any, server: Any, monkeypatch: pytest.MonkeyPatch, fetch: Any, error: Any, who: str, scheme: str
) -> None:
    """Loopback is free, but a proxy that listens there is not: it would pass the request on to another host."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
    ledger = trace()
    with pytest.raises((error, BlockedConnection)):  # urllib lets an error from setting up a tunnel through as it is
        fetch(f"{scheme}://api.test/x")
    assert server.connections == 0
    port = {"http": 80, "https": 443}[scheme]
    assert ledger.blocked() == (f"api.test:{port} ({who})",)


@pytest.mark.parametrize(("fetch", "error", "who"), CLIENTS.values(), ids=CLIENTS)
def test_a_named_host_may_use_its_proxy(
    trace: Any, server: Any, monkeypatch: pytest.MonkeyPatch, fetch: Any, error: Any, who: str
) -> None:
    """A request to an allowed host may go through a proxy that is not allowed itself."""
    monkeypatch.setenv("http_proxy", server.url)
    trace(allow_hosts=("api.test",))
    assert fetch("http://api.test/x") == "live"
    assert server.requests == ["GET http://api.test/x"]


def test_an_open_connection_of_the_standard_library_is_refused(trace: Any, server: Any) -> None:
    """Nothing is sent on a connection that is open already; requests and urllib3 keep theirs from test to test."""
    connection = http.client.HTTPConnection("llm.test", server.port)
    connection.request("GET", "/before")
    connection.getresponse().read()
    ledger = trace()
    with pytest.raises(BlockedConnection) as refused:
        connection.request("GET", "/x")
    assert str(refused.value) == (
        f"tests tried to reach llm.test:{server.port} in test_x, and was blocked: only this machine may be reached\n"
        'next: mock the code that needs it, or let the host through with allow_hosts=("llm.test",)'
    )
    assert (server.requests, ledger.blocked()) == (["GET /before"], (f"llm.test:{server.port} (tests)",))
    connection.close()


def _kept_open_by_requests(url: str) -> tuple[Callable[[], object], Callable[[], None]]:
    import requests

    session = requests.Session()
    return lambda: session.get(url), session.close


def _kept_open_by_aiohttp(url: str) -> tuple[Callable[[], object], Callable[[], None]]:
    import aiohttp

    runner = asyncio.Runner()

    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    session = runner.run(opened())

    async def fetch() -> str:
        async with session.get(url) as response:
            return await response.text()

    def close() -> None:
        runner.run(session.close())
        runner.close()

    return lambda: runner.run(fetch()), close


def _kept_open_by_httplib(url: str) -> tuple[Callable[[], object], Callable[[], None]]:
    connection = http.client.HTTPConnection(url.partition("//")[2])

    def fetch() -> bytes:
        connection.request("GET", "/")
        return connection.getresponse().read()

    return fetch, connection.close


KEPT_OPEN = {
    "http.client": _kept_open_by_httplib,
    **{
        name: kept
        for name, kept in {"requests": _kept_open_by_requests, "aiohttp": _kept_open_by_aiohttp}.items()
        if importlib.util.find_spec(name)
    },
}


@pytest.mark.parametrize("kept_open", KEPT_OPEN.values(), ids=KEPT_OPEN)
def test_a_connection_kept_open_is_refused(trace: Any, server: Any, kept_open: Any) -> None:
    """A connection in a client's own pool is refused as well; a ledger that allows the host lets it be used."""
    fetch, close = kept_open(server.url)
    fetch()
    ledger = trace()
    with pytest.raises(OSError, match="was blocked"):
        fetch()
    assert len(server.requests) == 1
    ledger.close()
    trace(allow_hosts=("llm.test",))
    fetch()
    assert len(server.requests) == 2
    close()


def test_every_call_of_a_socket_is_guarded(trace: Any) -> None:
    """TCP and UDP are guarded, connected or not; the addresses are reserved, so nothing is sent if the guard fails."""
    ledger, away = trace(), ("192.0.2.1", 9)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for call in (
            lambda: udp.connect(away),
            lambda: udp.connect_ex(away),
            lambda: udp.sendto(b"x", away),
            lambda: udp.sendto(b"x", 0, away),
            lambda: udp.sendmsg([b"x"], [], 0, away),
        ):
            with pytest.raises(BlockedConnection):
                call()
    with pytest.raises(BlockedConnection):
        socket.create_connection(away)
    assert ledger.blocked() == ("192.0.2.1:9 (tests)",)


@pytest.mark.parametrize("resolve", [socket.gethostbyname, socket.gethostbyname_ex])
def test_names_are_not_resolved(trace: Any, resolve: Callable[[str], object]) -> None:
    """Resolving a name leaves the machine too; the parameters are the C functions, bound before they were patched."""
    ledger = trace()
    with pytest.raises(BlockedConnection):
        getattr(socket, resolve.__name__)("llm.test")
    assert ledger.blocked() == ("llm.test (tests)",)


def test_this_machine_is_free_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the machine's own name stands for an address of the network, not for loopback, and is free too."""
    monkeypatch.setattr(_hosts, "_names_of", {})
    monkeypatch.setattr(socket, "gethostname", lambda: "3f2b9c")
    assert not _hosts.is_local("192.0.2.7")
    _hosts.resolved("3f2b9c", ["192.0.2.7"])
    assert _hosts.is_local("192.0.2.7")


def test_this_machine_is_free(trace: Any, tmp_path: Any) -> None:
    """Loopback, the resolution of addresses, and Unix sockets are free."""
    ledger = trace()
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    assert socket.getaddrinfo("192.0.2.1", 80, proto=socket.IPPROTO_TCP)
    assert socket.getaddrinfo(None, 80)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        socket.create_connection(listening.getsockname()).close()
    with socket.socket(socket.AF_UNIX) as unix, pytest.raises(FileNotFoundError):
        unix.connect(str(tmp_path / "nobody"))
    assert ledger.blocked() == ()


def test_the_loop_resolves_on_behalf_of_its_task(trace: Any) -> None:
    """The event loop resolves names in threads; the connection is nevertheless charged to the test of the task."""
    ledger = trace()

    async def connect() -> None:
        await asyncio.open_connection("llm.test", 80)

    with pytest.raises(BlockedConnection):
        asyncio.run(connect())
    assert ledger.blocked() == ("llm.test:80 (tests)",)


def test_live_ledgers_pass(trace: Any, server: Any) -> None:
    """While a recording is made, connections reach the network."""
    ledger = trace()
    trace(recorder=object)
    assert _urllib(server.url) == "live"
    assert ledger.blocked() == ()


UVLOOP = """
import asyncio, socket, uvloop
from pytest_llmtrace import intercept, ownership
from pytest_llmtrace.errors import BlockedConnection
from pytest_llmtrace.model import Ambient

async def calls():
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        for call in (
            lambda: loop.create_connection(asyncio.Protocol, "192.0.2.1", 9),
            lambda: loop.getaddrinfo("llm.test", 80),
            lambda: loop.sock_connect(sock, ("192.0.2.1", 9)),
            lambda: asyncio.open_connection("llm.test", 80),
        ):
            try:
                await call()
            except BlockedConnection:
                print("refused")
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(asyncio.Protocol, "localhost", server.sockets[0].getsockname()[1])
    transport.close()
    server.close()

ledger = intercept.open_ledger(ownership.Owner("test_x"), answerer=None, ambient=Ambient)
uvloop.run(calls())
print(*ledger.blocked())
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_uvloop_is_guarded(loop: str) -> None:
    """A loop of uvloop resolves and connects without Python's sockets; if it is not installed, asyncio is used."""
    code = UVLOOP if importlib.util.find_spec("uvloop") and loop == "uvloop" else UVLOOP.replace("uvloop", "asyncio")
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    blocked = "192.0.2.1:9 (__main__) llm.test:80 (__main__)"
    assert (done.stdout.splitlines(), done.stderr) == (["refused"] * 4 + [blocked], "")


GEVENT = """
{before}
import socket, urllib.request
from pytest_llmtrace import intercept, ownership
from pytest_llmtrace.errors import BlockedConnection
from pytest_llmtrace.model import Ambient

ledger = intercept.open_ledger(ownership.Owner("test_x"), answerer=None, ambient=Ambient)
{after}
import gevent.pool, gevent.socket

def refused(call):
    try:
        call()
    except (BlockedConnection, urllib.error.URLError) as error:
        return isinstance(getattr(error, "reason", error), BlockedConnection)

alone = gevent.socket.socket()
calls = [
    lambda: alone.connect(("192.0.2.1", 9)),
    lambda: socket.create_connection(("192.0.2.1", 9)),
    lambda: socket.getaddrinfo("llm.test", 80),
    lambda: urllib.request.urlopen("http://llm.test/v1"),
]
print(gevent.pool.Pool(2).map(refused, calls))
alone.close()
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
print(*ledger.blocked())
"""
PATCH = "from gevent import monkey; monkey.patch_all(ssl=False)"


@pytest.mark.skipif(not importlib.util.find_spec("gevent"), reason="gevent is not installed")
@pytest.mark.parametrize(("before", "after"), [(PATCH, ""), ("", PATCH)], ids=["before", "after"])
def test_gevent_is_guarded(before: str, after: str) -> None:
    """The sockets of gevent are guarded too, whether it patches the standard library before our guard or after."""
    code = GEVENT.format(before=before, after=after)
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (
        "[True, True, True, True]\n192.0.2.1:9 (__main__) llm.test:80 (__main__)\n",
        "",
    )
