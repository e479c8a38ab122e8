"""A request that nothing answers never leaves the machine, whatever way it would have taken."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import threading
import time
from typing import Any

import anyio
import pytest

from pytest_llmtrace.errors import LLMTraceError, UnmatchedRequest, UsageError
from pytest_llmtrace.model import Outcome, StreamEnd


def test_an_unanswered_request_is_refused(driver: Any, trace: Any, server: Any) -> None:
    """No connection is made, the error says what to do, the ledger notes it; once it is closed, requests are sent."""
    ledger = trace("test_chat")
    with pytest.raises(UnmatchedRequest) as refused:
        driver.post(f"{server.url}/chat?key=s3cret&model=x")
    assert str(refused.value) == (
        f"nothing answered POST {server.url}/chat?key=***&model=x in test_chat, and it was not sent\n"
        "the script has no such path\n"
        'next: name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), '
        f'or let the host through with allow_hosts=("llm.test:{server.port}",)'
    )
    [exchange] = ledger.exchanges()
    assert (exchange.outcome, exchange.response, exchange.failure) == (Outcome.REFUSED, None, str(refused.value))
    assert (exchange.origin, exchange.stream_end) == ("nobody", StreamEnd.FAILED)
    assert (server.connections, ledger.blocked()) == (0, ())
    ledger.close()
    assert (driver.post(server.url).text, server.connections) == ("live", 1)


def test_secrets_and_passwords_are_masked(driver: Any, ledger: Any) -> None:
    """Secrets and passwords are masked, as anybody may be shown the error text."""
    with pytest.raises(UnmatchedRequest) as refused:
        driver.post(f"http://me:pw@llm.test/sk-proj-{'a1B2' * 6}?api_key=1&access_token=2&subscription-key=3&tokens=4")
    first = str(refused.value).partition("\n")[0]
    url = "http://***@llm.test/[secret]?api_key=***&access_token=***&subscription-key=***&tokens=4"
    assert first == f"nothing answered POST {url} in test_x, and it was not sent"


def test_a_port_that_is_none(driver: Any, ledger: Any) -> None:
    """A URL with a port that is too high, which clients of httpx let through, is refused like any other."""
    with pytest.raises(UnmatchedRequest) as refused:
        driver.post("http://llm.test:70000/chat")
    assert str(refused.value).splitlines()[-1] == (
        'next: name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), '
        'or let the host through with allow_hosts=("llm.test",)'
    )


def test_a_fragment_is_not_sent(driver: Any, ledger: Any) -> None:
    """A fragment stays with the client, so it is no part of the request that is noted, compared and recorded."""
    with pytest.raises(UnmatchedRequest) as refused:
        driver.post("http://llm.test/chat?q=1#access_token=canary")
    assert str(refused.value).splitlines()[0] == (
        "nothing answered POST http://llm.test/chat?q=1 in test_x, and it was not sent"
    )
    [exchange] = ledger.exchanges()
    assert exchange.request.url == "http://llm.test/chat?q=1"


def test_a_connection_kept_open_from_before_is_refused(driver: Any, trace: Any, server: Any) -> None:
    """A client of a wider scope has open connections; nothing is sent on them, and they stay usable."""
    client = driver.client()
    driver.post(server.url, client=client)
    ledger = trace()
    with pytest.raises(UnmatchedRequest):
        driver.post(f"{server.url}/again", client=client)
    assert server.requests == ["POST /"]
    ledger.close()
    driver.post(f"{server.url}/later", client=client)
    assert (server.requests, server.connections) == (["POST /", "POST /later"], 1)


def test_a_redirect_to_nowhere_is_refused(driver: Any, trace: Any, script: Any, server: Any) -> None:
    """An answer may redirect to a request that nothing answers, which is refused."""
    from pytest_llmtrace.model import Answer, Response

    script.answers["/moved"] = Answer(
        response=Response(status=302, headers=(("location", f"{server.url}/x"),)), origin="moved"
    )
    ledger = trace()
    with pytest.raises(UnmatchedRequest):
        driver.post("http://other.test/moved", client=driver.client(follow_redirects=True))
    assert [exchange.outcome for exchange in ledger.exchanges()] == [Outcome.ANSWERED, Outcome.REFUSED]
    assert server.connections == 0


@pytest.mark.parametrize("proxy", ["llm.test", "127.0.0.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_of_the_environment_lets_nothing_through(
    driver: Any, trace: Any, server: Any, monkeypatch: pytest.MonkeyPatch, scheme: str, proxy: str
) -> None:
    """Neither a forwarding nor a tunnelling proxy is reached, on this machine or elsewhere; answers still come."""
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy}:{server.port}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}:{server.port}")
    trace()
    assert driver.post(f"{scheme}://api.test/answered").text == "one two"
    with pytest.raises(UnmatchedRequest):
        driver.post(f"{scheme}://api.test/x")
    assert server.connections == 0


def test_a_socks_proxy_lets_nothing_through(driver: Any, ledger: Any, server: Any) -> None:
    """SOCKS connects by the same network backend; without its extra there is no SOCKS at all."""
    refused = UnmatchedRequest if importlib.util.find_spec("socksio") else RuntimeError
    core = driver.core
    proxy_url = f"socks5://127.0.0.1:{server.port}"
    if driver.is_async:

        async def fetch() -> Any:
            async with core.AsyncSOCKSProxy(proxy_url=proxy_url) as pool:
                return await pool.request("GET", "http://api.test/x")

        with pytest.raises(refused):
            driver.do(fetch())
    else:
        with pytest.raises(refused), core.SOCKSProxy(proxy_url=proxy_url) as pool:
            pool.request("GET", "http://api.test/x")
    assert server.connections == 0


def test_a_unix_socket_is_no_way_out(driver: Any, ledger: Any) -> None:
    """A request that nothing answers is refused, also where it would go to a socket file."""
    transport = driver.http_transport(uds="/nowhere.sock")
    with pytest.raises(UnmatchedRequest):
        driver.post("http://docker/x", client=driver.client(transport=transport))


def test_loopback_is_not_free_for_these_clients(driver: Any, ledger: Any, server: Any) -> None:
    """A request to localhost is refused too, since a gateway may run there."""
    with pytest.raises(UnmatchedRequest):
        driver.post(f"http://127.0.0.1:{server.port}")
    assert server.connections == 0


@pytest.mark.parametrize("named", ["llm.test", "llm.test:{port}", "*.test", "LLM.TEST."])
def test_a_named_host_is_let_through(driver: Any, trace: Any, server: Any, named: str) -> None:
    """A request to an allowed host is sent and observed; its origin is the network."""
    ledger = trace(allow_hosts=(named.format(port=server.port),))
    assert driver.post(server.url).text == "live"
    [exchange] = ledger.exchanges()
    assert (exchange.outcome, exchange.origin) == (Outcome.OBSERVED, "the network (host allowed)")
    assert (exchange.response.body, exchange.stream_end) == (b"live", StreamEnd.EXHAUSTED)
    with pytest.raises(UnmatchedRequest):
        driver.post("http://other.example/x")


def test_a_host_is_named_with_its_port(driver: Any, trace: Any, server: Any) -> None:
    """Another port of a named host is refused."""
    trace(allow_hosts=("llm.test:1",))
    with pytest.raises(UnmatchedRequest):
        driver.post(server.url)
    assert server.connections == 0


def test_a_named_host_may_use_its_proxy(driver: Any, trace: Any, server: Any) -> None:
    """A request to an allowed host may go through a proxy that is not allowed itself."""
    trace(allow_hosts=("api.test",))
    client = driver.client(proxy=server.url)
    assert driver.post("http://api.test/x", client=client).text == "live"
    assert server.requests == ["POST http://api.test/x"]


def test_a_url_is_no_host() -> None:
    """A pattern that can never match, such as a URL, is wrong use instead of being ignored."""
    from pytest_llmtrace.intercept._hosts import Hosts

    with pytest.raises(UsageError, match=r"not 'https://api\.openai\.com'$"):
        Hosts(["https://api.openai.com"])


def test_live_sends_what_nothing_answers(driver: Any, trace: Any, server: Any) -> None:
    """While a recording is made, requests with an answer are answered, and the others are sent and observed."""
    ledger = trace(recorder=object)
    assert driver.post("http://llm.test/answered").text == "one two"
    assert driver.post(server.url).text == "live"
    assert [exchange.origin for exchange in ledger.exchanges()] == ["the script", "the network (recording)"]


def test_a_transport_that_wraps_the_error_does_not_hide_it(driver: Any, ledger: Any, server: Any) -> None:
    """The refusal reaches the caller, whatever error a custom transport makes of it."""
    inner = driver.http_transport()

    def handle(request: Any) -> Any:
        try:
            return inner.handle_request(request)
        except LLMTraceError as error:
            raise driver.library.ConnectError("wrapped") from error

    async def handle_async(request: Any) -> Any:
        try:
            return await inner.handle_async_request(request)
        except LLMTraceError as error:
            raise driver.library.ConnectError("wrapped") from error

    transport = driver.transport(handle_async if driver.is_async else handle)
    with pytest.raises(UnmatchedRequest) as refused:
        driver.post(server.url, client=driver.client(transport=transport))
    assert str(refused.value.__cause__) == "wrapped"


@pytest.mark.parametrize("path", ["/answered", "/x"])
def test_a_transport_with_sockets_of_its_own(driver: Any, ledger: Any, server: Any, path: str) -> None:
    """If such a transport is kept from connecting, its request is answered or refused, whatever error it raises."""
    transport = driver.transport(_over_asyncio(driver) if driver.is_async else _over_http_client(driver))
    client = driver.client(transport=transport)
    if path == "/answered":
        assert driver.post(server.url + path, client=client).text == "one two"
    else:
        with pytest.raises(UnmatchedRequest):
            driver.post(server.url + path, client=client)
    assert len(ledger.exchanges()) == 1
    assert (server.connections, ledger.blocked()) == (0, ())


@pytest.mark.parametrize("host", ["llm.test", "127.0.0.1"])
def test_a_transport_that_makes_do_without_its_connection(driver: Any, ledger: Any, server: Any, host: str) -> None:
    """The response of such a transport is observed, and the connection that was blocked is reported."""

    def handle(request: Any) -> Any:
        with contextlib.suppress(driver.library.ConnectError):
            _over_http_client(driver)(request)
        return driver.library.Response(200, text="from its cache")

    async def handle_async(request: Any) -> Any:
        return handle(request)

    client = driver.client(transport=driver.transport(handle_async if driver.is_async else handle))
    assert driver.post(f"http://{host}:{server.port}/x", client=client).text == "from its cache"
    assert ledger.exchanges()[0].outcome is Outcome.OBSERVED
    assert ledger.blocked() == (f"{host}:{server.port} ({driver.library.__name__})",)
    assert server.connections == 0


@pytest.mark.parametrize("path", ["/answered", "/x"])
def test_a_transport_over_another_language_is_not_tried(driver: Any, ledger: Any, path: str) -> None:
    """If a transport's connections cannot be guarded (curl_cffi), its request is answered or refused beforehand."""

    def handle(request: Any) -> Any:
        raise NotImplementedError("it would have left the machine")

    transport = driver.transport(handle)
    type(transport).__module__ = "curl_cffi.something"
    client = driver.client(transport=transport)
    if path == "/answered":
        assert driver.post(f"http://llm.test{path}", client=client).text == "one two"
    else:
        with pytest.raises(UnmatchedRequest):
            driver.post(f"http://llm.test{path}", client=client)
    assert len(ledger.exchanges()) == 1


def test_a_connection_used_without_a_pool_is_refused(driver: Any, ledger: Any, server: Any) -> None:
    """A connection of httpcore that is used without a pool refuses its request too."""
    origin = driver.core.Origin(b"http", b"127.0.0.1", server.port)
    if driver.is_async:

        async def fetch() -> Any:
            async with driver.core.AsyncHTTPConnection(origin) as connection:
                return await connection.request("GET", f"http://127.0.0.1:{server.port}/x")

        with pytest.raises(UnmatchedRequest):
            driver.do(fetch())
    else:
        with driver.core.HTTPConnection(origin) as connection, pytest.raises(UnmatchedRequest):
            connection.request("GET", f"http://127.0.0.1:{server.port}/x")
    assert server.requests == []
    assert ledger.exchanges()[0].outcome is Outcome.REFUSED


@pytest.mark.parametrize("backend", [name for name in ("asyncio", "trio") if importlib.util.find_spec(name)])
def test_every_event_loop_is_guarded(library: str, ledger: Any, server: Any, backend: str) -> None:
    """Under trio the network has a backend of its own, which is guarded too; answers arrive there as well."""
    module = importlib.import_module(library)

    async def fetch() -> None:
        async with module.AsyncClient() as client:
            assert (await client.post("http://llm.test/answered")).text == "one two"
            with pytest.raises(UnmatchedRequest):
                await client.post(server.url)

    anyio.run(fetch, backend=backend)
    assert server.connections == 0


def test_every_kind_of_connection_refuses(driver: Any, ledger: Any) -> None:
    """HTTP/2 connections, which are kept open too, refuse as well; without the h2 extra there are none."""
    core, prefix = driver.core, "Async" if driver.is_async else ""
    stream = (core.AsyncNetworkStream if driver.is_async else core.NetworkStream)()
    request = core.Request("GET", "https://api.test/x")
    kinds = [getattr(core, f"{prefix}HTTP11Connection"), getattr(core, f"{prefix}HTTP2Connection")]
    for kind in kinds[: 2 if importlib.util.find_spec("h2") else 1]:
        connection = kind(request.url.origin, stream)
        send = connection.handle_async_request if driver.is_async else connection.handle_request
        with pytest.raises(UnmatchedRequest):
            driver.do(send(request))


def test_httpcore_s_own_mock_is_no_network(library: str, ledger: Any) -> None:
    """A request over httpcore's mock backend is not refused: that has a connection, but it leads nowhere."""
    core = importlib.import_module(library.replace("httpx", "httpcore"))
    backend = core.MockBackend([b"HTTP/1.1 200 OK\r\n", b"content-length: 4\r\n\r\n", b"mock"])
    with core.ConnectionPool(network_backend=backend) as pool:
        assert pool.request("GET", "http://llm.test/x").content == b"mock"
    assert (ledger.exchanges()[0].outcome, ledger.exchanges()[0].origin) == (Outcome.OBSERVED, "another mock")


def test_a_long_url_is_masked_in_time(driver: Any, ledger: Any) -> None:
    """Of a URL as long as a client takes, with a mark in each second place, the error is there at once, and masked."""
    url = f"http://llm.test/x?a?api_key=zq8&{'?a' * 30_000}"
    started = time.process_time()
    with pytest.raises(UnmatchedRequest, match=r"x\?a\?api_key=\*\*\*&\?a"):
        driver.post(url)
    assert time.process_time() - started < 5


def test_a_late_request_is_refused_and_noted_where_it_belongs(driver: Any, trace: Any, server: Any) -> None:
    """A request from a thread that outlives its test is charged to that test, although another test is running."""
    first, go, errors = trace("test_first"), threading.Event(), []

    def late() -> None:
        go.wait()
        try:
            driver.post(f"{server.url}/answered")
        except UnmatchedRequest as error:
            errors.extend(str(error).splitlines()[1:])

    thread = threading.Thread(target=late)
    thread.start()
    first.close()
    second = trace("test_second")
    go.set()
    thread.join()
    why, step = errors
    assert why == "it came after the end of its test"
    assert step == (
        "next: end the thread or task that sent it within its test; one that works for several tests belongs to none "
        "of them if it is started before, as a module is imported or in a fixture of wider scope"
    )
    assert [exchange.outcome for exchange in first.exchanges()] == [Outcome.REFUSED]
    assert (second.exchanges(), server.connections) == ((), 0)


def _over_http_client(driver: Any) -> Any:
    import http.client

    def handle(request: Any) -> Any:
        connection = http.client.HTTPConnection(request.url.host, request.url.port)
        try:
            connection.request(request.method, request.url.raw_path.decode())
            return driver.library.Response(200, content=connection.getresponse().read())
        except OSError as error:
            raise driver.library.ConnectError(str(error)) from error
        finally:
            connection.close()

    return handle


def _over_asyncio(driver: Any) -> Any:
    import asyncio

    async def handle(request: Any) -> Any:
        _, writer = await asyncio.open_connection(request.url.host, request.url.port)
        writer.close()
        return driver.library.Response(200)

    return handle
