"""Ways to the network beyond a client's plain request; each is tried guarded, with the host allowed, and without us."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib.util
import json
import os
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from child import BODY, LIVE, OTHER, PATH, PORT, library_named  # type: ignore[import-not-found]

PROXY = f"http://proxy.test:{PORT}"
SECURE = f"https://llm.test:{PORT}{PATH}"
LOCAL = f"http://127.0.0.1:{PORT}{PATH}"
LIBRARIES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]

Way = Callable[[], object]
WAYS: dict[str, Way] = {}
_runner = asyncio.Runner()  # One loop, so that connections can be kept from one test to the next.
_closing: list[Way] = []


def _has(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) for module in modules)


@contextlib.contextmanager
def _proxied() -> Iterator[None]:
    names = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), PROXY)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setitem(os.environ, name, value)
        yield


def _by_proxy(way: Way) -> Way:
    def proxied() -> None:
        with _proxied():
            way()

    return proxied


# --- httpx and httpx2 ------------------------------------------------------------------------------------------------


async def _awaited(result: Coroutine[Any, Any, Any]) -> Any:
    return await result


class _Client:
    """An HTTP library in one mode, sync or async."""

    def __init__(self, library: str, *, is_async: bool) -> None:
        self.library = library_named(library)
        self.is_async = is_async

    def new(self, **options: Any) -> Any:
        return (self.library.AsyncClient if self.is_async else self.library.Client)(**options)

    def do(self, result: Any) -> Any:
        return _runner.run(_awaited(result)) if self.is_async else result

    def post(self, url: str = LIVE, **options: Any) -> None:
        client = self.new(**options)
        try:
            self.do(client.post(url, json=BODY))
        finally:
            self.close(client)

    def close(self, client: Any) -> None:
        self.do(client.aclose() if self.is_async else client.close())

    def kept_alive(self) -> Way:
        client = self.new(limits=self.library.Limits(keepalive_expiry=None))  # It stays open on a slow machine too.
        _closing.append(lambda: self.close(client))
        self.do(client.post(LIVE, json=BODY))
        return lambda: self.do(client.post(LIVE, json=BODY))

    def custom(self) -> Any:
        """Make a custom transport that delegates to the library's own."""
        if self.is_async:
            inner = self.library.AsyncHTTPTransport()

            class Async(self.library.AsyncBaseTransport):  # type: ignore[name-defined,misc]
                async def handle_async_request(self, request: Any) -> Any:
                    return await inner.handle_async_request(request)

                async def aclose(self) -> None:
                    await inner.aclose()

            return Async()
        inner = self.library.HTTPTransport()

        class Sync(self.library.BaseTransport):  # type: ignore[name-defined,misc]
            def handle_request(self, request: Any) -> Any:
                return inner.handle_request(request)

            def close(self) -> None:
                inner.close()

        return Sync()

    def own_sockets(self) -> Any:
        """Make a transport that opens sockets by itself."""
        library = self.library
        if self.is_async:

            class Async(library.AsyncBaseTransport):  # type: ignore[name-defined,misc]
                async def handle_async_request(self, request: Any) -> Any:
                    reader, writer = await asyncio.open_connection(request.url.host, request.url.port)
                    writer.write(b"POST / HTTP/1.0\r\n\r\n")
                    await reader.read()
                    writer.close()
                    return library.Response(200)

            return Async()

        class Sync(library.BaseTransport):  # type: ignore[name-defined,misc]
            def handle_request(self, request: Any) -> Any:
                _by_http_client(request.url.host, request.url.port)
                return library.Response(200)

        return Sync()


def _add_ways_of(library: str, mode: str) -> None:
    client = _Client(library, is_async=mode == "async")
    ways: dict[str, Way] = {
        "plain": client.post,
        "address": lambda: client.post(LOCAL),
        "kept-alive": client.kept_alive(),
        "redirect": lambda: client.post(f"{LIVE}?to={OTHER}", follow_redirects=True),
        "HTTP_PROXY": _by_proxy(client.post),
        "HTTPS_PROXY": _by_proxy(lambda: client.post(SECURE)),
        "custom transport": lambda: client.post(transport=client.custom()),
        "mounted transport": lambda: client.post(mounts={"all://": client.custom()}),
        "transport with sockets of its own": lambda: client.post(transport=client.own_sockets()),
    }
    WAYS.update({f"{library}-{mode}-{name}": way for name, way in ways.items()})


for _library in LIBRARIES:
    for _mode in ("sync", "async"):
        _add_ways_of(_library, _mode)


# --- the SDKs --------------------------------------------------------------------------------------------------------


def _ask_openai(**options: Any) -> None:
    import openai

    with openai.OpenAI(api_key="x", base_url=f"http://llm.test:{PORT}/v1", **options) as client:
        client.chat.completions.create(**BODY)


def _ask_anthropic(**options: Any) -> None:
    import anthropic

    with anthropic.Anthropic(api_key="x", base_url=f"http://llm.test:{PORT}", **options) as client:
        client.messages.create(max_tokens=9, **BODY)


def _ask_openai_by_aiohttp() -> None:
    import openai

    async def ask() -> None:
        http_client = openai.DefaultAioHttpClient()
        async with openai.AsyncOpenAI(
            api_key="x", base_url=f"http://llm.test:{PORT}/v1", http_client=http_client
        ) as client:
            await client.chat.completions.create(**BODY)

    _runner.run(ask())


def _ask_anthropic_by_aiohttp() -> None:
    import anthropic

    async def ask() -> None:
        http_client = anthropic.DefaultAioHttpClient()
        async with anthropic.AsyncAnthropic(
            api_key="x", base_url=f"http://llm.test:{PORT}", http_client=http_client
        ) as client:
            await client.messages.create(max_tokens=9, **BODY)

    _runner.run(ask())


WAYS["openai"] = _ask_openai
WAYS["anthropic"] = _ask_anthropic
if _has("httpx2", "aiohttp"):
    WAYS["openai-aiohttp transport"] = _ask_openai_by_aiohttp
    WAYS["anthropic-aiohttp transport"] = _ask_anthropic_by_aiohttp


# --- no httpx at all -------------------------------------------------------------------------------------------------


def _by_http_client(host: str = "llm.test", port: int = PORT) -> None:
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.request("POST", PATH, body=json.dumps(BODY))
        connection.getresponse().read()
    finally:
        connection.close()


def _by_urllib() -> None:
    urllib.request.urlopen(LIVE, data=b"{}").close()  # noqa: S310


WAYS["http.client"] = _by_http_client
WAYS["urllib.request"] = _by_urllib
WAYS["urllib.request-HTTP_PROXY"] = _by_proxy(_by_urllib)

if _has("requests"):
    import requests

    def _by_requests(url: str = LIVE, **options: Any) -> None:
        with requests.Session() as session:
            session.post(url, json=BODY, **options)

    _session = requests.Session()
    _closing.append(_session.close)
    _session.post(LIVE, json=BODY)
    WAYS |= {
        "requests-plain": _by_requests,
        "requests-kept-alive": lambda: _session.post(LIVE, json=BODY),
        "requests-redirect": lambda: _by_requests(f"{LIVE}?to={OTHER}"),
        "requests-HTTP_PROXY": _by_proxy(_by_requests),
        "requests-HTTPS_PROXY": _by_proxy(lambda: _by_requests(SECURE)),
    }

if _has("urllib3"):
    import urllib3

    def _by_urllib3(pool: Any, url: str = LIVE) -> None:
        with contextlib.closing(pool) if hasattr(pool, "close") else pool:
            pool.request("POST", url, json=BODY, retries=False)

    _pool = urllib3.PoolManager()
    _closing.append(_pool.clear)
    _pool.request("POST", LIVE, json=BODY)
    WAYS |= {
        "urllib3-plain": lambda: _by_urllib3(urllib3.PoolManager()),
        "urllib3-kept-alive": lambda: _pool.request("POST", LIVE, json=BODY, retries=False),
        "urllib3-HTTP_PROXY": lambda: _by_urllib3(urllib3.ProxyManager(PROXY)),
        "urllib3-HTTPS_PROXY": lambda: _by_urllib3(urllib3.ProxyManager(PROXY), SECURE),
    }

if _has("aiohttp"):
    import aiohttp

    def _by_aiohttp(url: str = LIVE) -> None:
        async def ask() -> None:
            async with aiohttp.ClientSession(trust_env=True) as session, session.post(url, json=BODY) as response:
                await response.read()

        _runner.run(ask())

    async def _new_session() -> Any:
        return aiohttp.ClientSession()

    async def _ask_again() -> None:
        async with _kept.post(LIVE, json=BODY) as response:
            await response.read()

    _kept = _runner.run(_new_session())
    _closing.append(lambda: _runner.run(_kept.close()))
    _runner.run(_ask_again())
    WAYS |= {
        "aiohttp-plain": _by_aiohttp,
        "aiohttp-kept-alive": lambda: _runner.run(_ask_again()),
        "aiohttp-redirect": lambda: _by_aiohttp(f"{LIVE}?to={OTHER}"),
        "aiohttp-HTTP_PROXY": _by_proxy(_by_aiohttp),
        "aiohttp-HTTPS_PROXY": _by_proxy(lambda: _by_aiohttp(SECURE)),
    }


# --- the cells -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    for close in _closing:
        close()
    _runner.close()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def _marked_where_a_host_sends_on() -> list[Any]:
    """Allow the host that redirects to another one, so that the guard's refusal is about that other host."""
    mark = pytest.mark.llmtrace(allow_hosts="llm.test")
    return [pytest.param(way, id=name, marks=[mark] if "redirect" in name else []) for name, way in WAYS.items()]


@pytest.mark.parametrize("way", _marked_where_a_host_sends_on())
def test_guarded(llmtrace: Any, way: Way, tally: Any) -> None:
    with tally:
        way()


@pytest.mark.llmtrace(allow_hosts=["llm.test", "other.test", "127.0.0.1"], verify=False)
def test_allowed(way: Way, tally: Any) -> None:
    with tally, contextlib.suppress(Exception):  # The server does not know TLS or Anthropic's API.
        way()


def test_without_llmtrace(way: Way, tally: Any) -> None:
    with tally, contextlib.suppress(Exception):
        way()
