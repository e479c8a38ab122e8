"""The matrix's cells for one mock, which the environment names: each library, sync and async, answered or not."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from child import BODY, CHAT, LIVE, MOCKED, PATH, library_named, run, said, span  # type: ignore[import-not-found]

MOCK = os.environ["CHILD_MOCK"]
LIBRARIES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]


def _marks() -> list[pytest.MarkDecorator]:
    if MOCK in {"vcr", "cassetter"}:  # pytest-recording and cassetter have the same marker.
        return [pytest.mark.vcr("answered.yaml")]
    if MOCK == "pytest-httpx":
        let_pass = {"should_mock": lambda request: request.url.host != "llm.test"}
        return [pytest.mark.httpx_mock(assert_all_responses_were_requested=False, **let_pass)]
    if MOCK == "respx":
        return [pytest.mark.respx(assert_all_called=False)]
    return [pytest.mark.httpx2(assert_all_called=False)] if MOCK == "pytest-httpx2" else []


pytestmark = _marks()

_cassette = Path(__file__).parent / "cassettes" / Path(__file__).stem / "answered.yaml"
_cassette.parent.mkdir(parents=True)
_cassette.write_text(f"""\
version: 1
interactions:
- request: {{method: POST, uri: '{MOCKED}', body: null, headers: {{}}}}
  response:
    status: {{code: 200, message: OK}}
    headers: {{content-type: [application/json]}}
    body: {{string: '{CHAT}'}}
""")

Send = Callable[[str], Any]


@pytest.fixture(scope="module")
def vcr_config() -> dict[str, Any]:
    """Let vcrpy and cassetter pass requests to the server, which the cassette has no recordings of."""
    return {"ignore_hosts": ["llm.test"], "match_on": ["method", "uri"]}


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Any:
    return library_named(request.param)


@pytest.fixture(params=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "async")


@pytest.fixture
def mock(request: pytest.FixtureRequest, library: Any, is_async: bool) -> dict[str, Any]:
    """Start the mock, which answers at MOCKED and lets LIVE pass; return the client's options for it."""
    options: dict[str, Any] = {}
    if MOCK == "pytest-httpx":
        request.getfixturevalue("httpx_mock").add_response(url=MOCKED, text=CHAT, is_reusable=True, is_optional=True)
    elif MOCK in {"respx", "pytest-httpx2"}:
        router = request.getfixturevalue("respx_mock" if MOCK == "respx" else "httpx2_mock")
        router.post(MOCKED).respond(text=CHAT)
        router.route(host="llm.test").pass_through()
    elif MOCK == "MockTransport":
        answer = library.MockTransport(lambda request: library.Response(200, text=CHAT))
        options = {"mounts": {"http://mocked.test": answer}}
    elif MOCK == "ASGI":
        options = {"transport": _in_process(library, is_async=is_async)}
    return options


@pytest.fixture
def send(library: Any, is_async: bool, mock: dict[str, Any]) -> Send:
    if not is_async and MOCK == "ASGI" and library.__name__ == "httpx2":
        return _through_test_client
    return lambda url: _send(library, url, is_async=is_async, **mock)


def _send(library: Any, url: str, *, is_async: bool, **options: Any) -> Any:
    """Post with the library, and return the text of the answer."""
    if not is_async:
        with library.Client(**options) as client:
            return said(client.post(url, json=BODY))

    async def post() -> Any:
        async with library.AsyncClient(**options) as client:
            return said(await client.post(url, json=BODY))

    return run(post())


def _in_process(library: Any, *, is_async: bool) -> Any:
    """Return a transport to an application that answers at MOCKED itself, and calls LIVE for any other host."""
    if is_async:

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            if dict(scope["headers"])[b"host"] != b"mocked.test":
                with _forwarding():
                    async with library.AsyncClient() as client:
                        said(await client.post(LIVE, json=BODY))
            await _reply(send)

        return library.ASGITransport(asgi)

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        if environ["HTTP_HOST"] != "mocked.test":
            with _forwarding():
                _send(library, LIVE, is_async=False)
        start_response("200 OK", [("content-type", "application/json")])
        return [CHAT.encode()]

    return library.WSGITransport(wsgi)


def _forwarding() -> contextlib.AbstractContextManager[Any]:
    """The span of the application's own call: it only has one if its caller has a span."""
    from opentelemetry import trace

    return span("forwarded") if trace.get_current_span().is_recording() else contextlib.nullcontext()


def _through_test_client(url: str) -> Any:
    """Post with FastAPI's TestClient, a client of httpx2, to an application that may itself call LIVE with httpx2."""
    from fastapi import FastAPI, Request, Response
    from fastapi.testclient import TestClient

    app = FastAPI()

    def chat(request: Any) -> Response:
        if request.url.hostname != "mocked.test":
            with _forwarding():
                _send(library_named("httpx2"), LIVE, is_async=False)
        return Response(CHAT, media_type="application/json")

    chat.__annotations__ = {"request": Request}
    app.post(PATH)(chat)
    return said(TestClient(app, base_url=url.removesuffix(PATH)).post(url, json=BODY))


async def _reply(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": CHAT.encode()})


@pytest.fixture
def script(request: pytest.FixtureRequest) -> None:
    """Without a mock, let our own gateway answer."""
    if MOCK == "nothing":
        request.getfixturevalue("llmtrace").gateway("openai").chat(text="mocked")


def test_answered(llmtrace: Any, script: None, send: Send, note: Any) -> None:
    with span():
        assert send(MOCKED) == "mocked"
    (exchange,) = llmtrace.exchanges()
    assert exchange.response.status == 200
    assert exchange.truth.response_model == "gpt-4o-2024-08-06"
    assert [found.name for found in exchange.spans] == ["chat"]
    note("seen", f"{exchange.record.outcome}: {exchange.record.origin}")


def test_answered_without_span(llmtrace: Any, script: None, send: Send) -> None:
    with span("work", llm=False):
        assert send(MOCKED) == "mocked"


def test_unanswered(llmtrace: Any, send: Send, tally: Any) -> None:
    with tally:
        send(LIVE)


@pytest.mark.llmtrace(allow_hosts="llm.test")
def test_allowed(llmtrace: Any, send: Send, tally: Any, note: Any) -> None:
    with tally, span():
        send(LIVE)
    exchange = llmtrace.exchanges()[-1]
    note("seen", f"{exchange.record.outcome}: {exchange.record.origin}")


def test_without_llmtrace(send: Send, tally: Any) -> None:
    with tally:
        send(LIVE)
