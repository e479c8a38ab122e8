"""No way to the network bypasses the guard: kept-alive connections, redirects, proxies, transports, other clients.

The cells are tests of suites/ways.py, run in one process; the tests here check each cell's outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.installed import has

LIBRARIES = [name for name in ("httpx", "httpx2") if has(name)]
OF_CLIENTS = (
    "plain",
    "address",
    "kept-alive",
    "redirect",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "custom transport",
    "mounted transport",
    "transport with sockets of its own",
)
OF_SDKS = ["openai", "anthropic"]
# The SDKs of this generation have a transport of their own, built on aiohttp.
OF_AIOHTTP_TRANSPORTS = ["openai-aiohttp transport", "anthropic-aiohttp transport"]
OUTSIDE = {
    "http": ("http.client", "urllib.request", "urllib.request-HTTP_PROXY"),
    "requests": ("plain", "kept-alive", "redirect", "HTTP_PROXY", "HTTPS_PROXY"),
    "urllib3": ("plain", "kept-alive", "HTTP_PROXY", "HTTPS_PROXY"),
    "aiohttp": ("plain", "kept-alive", "redirect", "HTTP_PROXY", "HTTPS_PROXY"),
}


THROUGH_HTTPX = [f"{library}-{mode}-{way}" for library in LIBRARIES for mode in ("sync", "async") for way in OF_CLIENTS]
THROUGH_HTTPX += OF_SDKS + (OF_AIOHTTP_TRANSPORTS if has("httpx2", "aiohttp") else [])
OTHERS = [
    way if library == "http" else f"{library}-{way}"
    for library, ways in OUTSIDE.items()
    if has(library)
    for way in ways
]


@pytest.fixture
def result(run_suite: Callable[..., Any]) -> Any:
    return run_suite("ways.py")


def test_the_list_is_whole(result: Any) -> None:
    """Every way that the suite knows is checked here, and where the rarest client is installed, all are."""
    tried = {name.partition("[")[2].removesuffix("]") for name in result.reports}
    assert tried == {*THROUGH_HTTPX, *OTHERS}
    assert all(map(has, OUTSIDE)) or not has("aiohttp")


@pytest.mark.parametrize("way", THROUGH_HTTPX + OTHERS)
def test_guarded_nothing_is_sent(result: Any, way: str) -> None:
    """A request is refused at once, with a finding: no connection is made, and none that is open is used.

    Where an allowed host redirects to another host, only the allowed one is reached.
    """
    cell = f"test_guarded[{way}]"
    reached = 1 if "redirect" in way else 0
    assert result.outcomes[cell] == "failed"
    assert result.properties(cell) == {
        "connections": reached,
        "requests": reached,
        "llmtrace_findings": "replay/unmatched",
    }


@pytest.mark.parametrize("way", THROUGH_HTTPX)
def test_a_client_of_httpx_is_told_what_was_refused(result: Any, way: str) -> None:
    """With the SDKs and aiohttp transports too, the error is ours, complete and unwrapped."""
    cell = f"test_guarded[{way}]"
    scheme = "https" if "HTTPS" in way else "http"
    host = {"redirect": "other.test:1", "address": "127.0.0.1"}.get(way.rpartition("-")[2], "llm.test:1")
    path = "/v1/messages" if way.startswith("anthropic") else "/v1/chat/completions"
    text = result.text(cell)
    if host == "127.0.0.1":
        host = text.partition("http://")[2].partition("/")[0]
        assert host.startswith("127.0.0.1:")
    assert text == (
        "pytest_llmtrace.errors.UnmatchedRequest: "
        f"nothing answered POST {scheme}://{host}{path} in {cell}, and it was not sent\n"
        "nothing   no cassette, gateway or router is active here\n"
        f"default   there is no cassettes/test_ways/{cell}.yaml; --llmtrace-record=once records it\n"
        'next: name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), '
        f'or let the host through with allow_hosts=("{host}",)'
    )


@pytest.mark.parametrize("way", OTHERS)
def test_other_clients_raise_their_own_connection_error(result: Any, way: str) -> None:
    """Other clients raise their own connection error, which carries ours; the finding names the host and the client."""
    cell = f"test_guarded[{way}]"
    library = way.partition("-")[0]
    client = {"requests": "urllib3", "http.client": "test_ways", "urllib.request": "test_ways"}.get(library, library)
    host = "other.test" if "redirect" in way else "llm.test"
    assert f"{client} tried to reach {host}:1 in {cell}, and was blocked" in result.text(cell)
    if way == "http.client":  # It does not wrap our error, so the section would repeat it.
        assert result.text(cell).startswith("pytest_llmtrace.errors.BlockedConnection: ")
        assert result.section(cell) == ""
        return
    assert (
        result.section(cell)
        == f"""\
llmtrace: 1 finding in {cell} (0 exchanges, 0 LLM spans, N checks)

error  replay/unmatched  connection outside httpx
       found  refused {host}:1 ({client})
       why    nothing answered this request, so the test did not run what production runs; it never left the machine
       next   cassettes and scripts can only answer clients built on httpx: use such a client, mock this one, \
or let the host through with allow_hosts=, or waive: \
@pytest.mark.llmtrace(ignore={{"replay/unmatched": "reason"}})

no span and no exchange was seen"""
    )


@pytest.mark.parametrize("way", THROUGH_HTTPX + OTHERS)
def test_unguarded_the_server_is_reached(result: Any, way: str) -> None:
    """The counter-check: without `llmtrace` the server counts the connection, or the request on an open one."""
    cell = f"test_without_llmtrace[{way}]"
    connections, requests = {"redirect": (2, 2), "kept-alive": (0, 1)}.get(_last(way), (1, 1))
    assert result.outcomes[cell] == "passed"
    assert result.properties(cell) == {"connections": connections, "requests": requests}


@pytest.mark.parametrize("way", THROUGH_HTTPX + OTHERS)
def test_an_allowed_host_is_reached(result: Any, way: str) -> None:
    """`allow_hosts` lets the same request through, by a proxy too; a refused connection is opened again."""
    cell = f"test_allowed[{way}]"
    assert result.outcomes[cell] == "passed"
    assert result.properties(cell)["requests"] == (2 if "redirect" in way else 1)


def _last(way: str) -> str:
    return next((name for name in ("redirect", "kept-alive") if way.endswith(name)), "")
