"""The respx router as an answerer: routes and statistics are respx's own, requests and responses are ours."""

import asyncio
import importlib
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import respx

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Failure, Request
from pytest_llmtrace.replay.router import Router

# httpx, and httpx2 where it is installed: respx itself knows only httpx.
LIBRARIES = [httpx, *([importlib.import_module("httpx2")] if importlib.util.find_spec("httpx2") else [])]
libraries = pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
URL = "https://api.openai.com/v1/chat/completions"
HEADERS = (("host", "api.openai.com"), ("content-type", "application/json"))
REQUEST = Request(method="POST", url=URL, headers=HEADERS, body=b'{"model": "gpt-4o", "n": 1}')


def test_a_route_answers_and_counts_its_calls() -> None:
    """`route.called`, the calls and their contents are respx's own."""
    router = Router()
    route = router.post(URL, json={"model": "gpt-4o", "n": 1}, name="chat").respond(201, json={"ok": True})
    answer = router.answer(REQUEST)
    assert answer is not None
    response = answer.response
    assert (response.status, response.reason, response.body) == (201, "Created", b'{"ok":true}')
    assert ("Content-Type", "application/json") in response.headers
    assert isinstance(router, respx.Router)
    assert (route.called, route.call_count, router["chat"] is route) == (True, 1, True)
    assert json.loads(route.calls.last.request.content) == {"model": "gpt-4o", "n": 1}
    assert router.calls.last.response.status_code == 201


def test_an_answer_names_its_route() -> None:
    """Reports say which route answered, in respx's lookup syntax."""
    router = Router()
    router.post(path__startswith="/v1/", name="any").respond(200)
    answer = router.answer(REQUEST)
    assert answer is not None
    assert answer.origin == "respx route(method='POST', path__startswith='/v1/') named 'any'"


@libraries
def test_side_effects_run_one_after_the_other(library: Any) -> None:
    """A list of side effects is played in order."""
    router = Router()
    router.post(URL).side_effect = [library.Response(429), library.ConnectError("no"), library.Response(200)]
    answers = [router.answer(REQUEST) for _ in range(3)]
    assert [(answer.response.status, answer.failure) for answer in answers if answer] == [
        (429, None),
        (0, Failure.CONNECT_ERROR),
        (200, None),
    ]


@libraries
@pytest.mark.parametrize("inside_loop", [False, True])
def test_a_side_effect_may_be_async_and_take_what_the_path_captures(library: Any, inside_loop: bool) -> None:
    """An async side effect runs to its end at once, whether or not the caller's thread has a running loop."""

    async def reply(request: httpx.Request, model: str) -> Any:
        return library.Response(200, json={"model": model, "sent": json.loads(request.content)["n"]})

    async def in_loop() -> bytes:
        return ask()

    def ask() -> bytes:
        answer = router.answer(REQUEST)
        assert answer is not None
        return answer.response.body

    router = Router()
    router.post(path__regex=r"/v1/(?P<model>\w+)/").mock(side_effect=reply)
    body = asyncio.run(in_loop()) if inside_loop else ask()
    assert json.loads(body) == {"model": "chat", "sent": 1}


@libraries
def test_a_side_effect_may_take_its_route(library: Any) -> None:
    """A side effect may take `route` as respx passes it, whichever library its response is from."""

    def reply(_: httpx.Request, route: respx.Route) -> Any:
        return library.Response(200, text=f"after {route.call_count}")

    router = Router()
    router.post(URL).mock(side_effect=reply)
    answers = [router.answer(REQUEST) for _ in range(2)]
    assert [answer.response.body for answer in answers if answer] == [b"after 0", b"after 1"]


@libraries
@pytest.mark.parametrize("how", ["return_value", "%"])
def test_a_response_that_is_given_again_and_again(library: Any, how: str) -> None:
    """A route that has a response gives it to every request, whichever library made the response."""
    router, response = Router(), library.Response(201, headers={"x-request-id": "r"}, json={"ok": True})
    route = router.post(URL)
    if how == "%":
        route %= response
    else:
        route.return_value = response
    answers = [router.answer(REQUEST) for _ in range(2)]
    assert [(a.response.status, a.response.reason, a.response.body) for a in answers if a] == [
        (201, "Created", b'{"ok":true}')
    ] * 2
    assert ("x-request-id", "r") in [(name.lower(), value) for a in answers if a for name, value in a.response.headers]


def test_a_side_effect_that_waits_is_refused() -> None:
    """A side effect that waits is refused: the router is called synchronously and needs the answer at once."""

    async def reply(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return httpx.Response(200)

    router = Router()
    router.post(URL).mock(side_effect=reply)
    with pytest.raises(UsageError) as caught:
        router.answer(REQUEST)
    assert str(caught.value) == (
        "a side effect of llmtrace.router waits (await); it must return its response without waiting"
    )


def _chunks(error: Exception | None) -> Iterator[bytes]:
    yield b"data: 1\n\n"
    yield b"data: 2\n\n"
    if error is not None:
        raise error


async def _async_chunks(error: Exception | None) -> AsyncIterator[bytes]:
    for chunk in _chunks(error):
        yield chunk


@libraries
@pytest.mark.parametrize("source", [_chunks, _async_chunks])
@pytest.mark.parametrize(("failing", "failure"), [(False, None), (True, Failure.READ_ERROR)])
def test_chunks_stay_apart_up_to_a_failure(
    library: Any, source: Callable[..., Any], failing: bool, failure: Failure | None
) -> None:
    """A stream keeps its chunks; if it breaks, the chunks before remain, and the failure says how it broke."""
    router = Router()
    error = library.ReadError("gone") if failing else None
    router.post(URL).mock(return_value=library.Response(200, content=source(error)))
    answer = router.answer(REQUEST)
    assert answer is not None
    assert answer.response.chunks == (b"data: 1\n\n", b"data: 2\n\n")
    assert answer.failure is failure


@libraries
@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ("ConnectError", Failure.CONNECT_ERROR),
        ("ProxyError", Failure.PROXY_ERROR),
        ("ConnectTimeout", Failure.CONNECT_TIMEOUT),
        ("PoolTimeout", Failure.POOL_TIMEOUT),
        ("ReadTimeout", Failure.READ_TIMEOUT),
        ("WriteTimeout", Failure.WRITE_TIMEOUT),
        ("ReadError", Failure.READ_ERROR),
        ("WriteError", Failure.WRITE_ERROR),
        ("RemoteProtocolError", Failure.DISCONNECT),
    ],
)
def test_a_connection_error_is_a_failure_before_any_response(library: Any, error: str, failure: Failure) -> None:
    """The exceptions of either library become a `Failure`, for which each client then raises its own exception."""
    router = Router()
    route = router.post(URL).mock(side_effect=getattr(library, error))
    answer = router.answer(REQUEST)
    assert answer is not None
    assert (answer.failure, answer.response.status, answer.response.chunks) == (failure, 0, ())
    assert answer.origin == (
        "respx route(method='POST', scheme='https', host='api.openai.com', path='/v1/chat/completions')"
    )
    assert route.called


def test_any_other_exception_goes_through() -> None:
    """Any other exception of a side effect, such as a failed assertion, reaches the test."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.method} is not expected here")

    router = Router()
    router.post(URL).mock(side_effect=refuse)
    with pytest.raises(AssertionError, match="POST is not expected here"):
        router.answer(REQUEST)


def test_a_request_that_no_route_takes_is_left_to_others_and_explained() -> None:
    """The nearest route is the one with the fewest differences, and each difference is named."""
    router = Router()
    router.get(URL).respond(200)
    router.post("https://api.openai.com/v1/responses", json={"model": "gpt-5"}).respond(200)
    assert router.answer(REQUEST) is None
    assert router.explain(REQUEST) == (
        "the respx router has no match among 2; nearest route(method='GET', scheme='https', host='api.openai.com', "
        "path='/v1/chat/completions'): method is 'GET', the request has 'POST'"
    )
    assert router.calls.call_count == 0


def test_a_part_that_cannot_be_read_is_a_difference() -> None:
    """A body that is not JSON differs from any JSON that a route asks for."""
    router = Router()
    router.post(json={"model": "gpt-5"}).respond(200)
    explanation = router.explain(Request(method="POST", url=URL, body=b"not json"))
    assert explanation == (
        """the respx router has no match among 1; nearest route(method='POST', json='{"model": "gpt-5"}'): """
        """json is '{"model": "gpt-5"}', the request has nothing that can be compared"""
    )


def test_a_router_without_routes_says_so() -> None:
    """A router without routes answers nothing and leaves nothing unplayed."""
    router = Router()
    assert router.answer(REQUEST) is None
    assert router.explain(REQUEST) == "the respx router has no routes"
    assert (router.unplayed(), router.total, router.origin) == ((), 0, "respx router")


@pytest.mark.parametrize("declining", ["pass_through", "side_effect"])
def test_a_route_may_leave_a_request_to_others(declining: str) -> None:
    """A route that passes through, or whose side effect returns None, gives no answer."""
    router = Router()
    route = router.post(path="/v1/chat/completions")
    if declining == "pass_through":
        route.pass_through()
    else:
        route.mock(side_effect=lambda request: None)
    assert router.answer(REQUEST) is None
    assert router.explain(REQUEST) == (
        "the respx router has no match among 1; nearest route(method='POST', path='/v1/chat/completions'): "
        "it matches, but passes the request through or its side effect declined"
    )


def test_routes_that_were_not_called_are_unplayed() -> None:
    """Routes that were not called are unplayed, in order; this takes the place of respx's `assert_all_called`."""
    router = Router()
    router.post(URL).respond(200)
    router.get("https://api.openai.com/v1/models", name="models").respond(200)
    router.route().respond(204)
    router.answer(REQUEST)
    assert router.unplayed() == (
        "route(method='GET', scheme='https', host='api.openai.com', path='/v1/models') named 'models'",
        "route()",
    )
    assert router.total == 3


def test_nothing_is_patched() -> None:
    """A router that answers here leaves httpx's own transports alone."""
    before = httpx.HTTPTransport.handle_request
    router = Router()
    router.post(URL).respond(200)
    router.answer(REQUEST)
    assert httpx.HTTPTransport.handle_request is before
    assert router not in [known for mocker in _mockers() for known in mocker.routers]


def _mockers() -> list[type[respx.mocks.Mocker]]:
    return list(respx.mocks.Mocker.registry.values())


@pytest.mark.parametrize("missing", ["respx", "httpx"])
def test_a_missing_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without respx, or the httpx that it needs, one sentence says what to install."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("respx", "httpx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "pytest_llmtrace.replay.router")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        UsageError, match=r'^llmtrace\.router needs respx \(.*\): pip install "pytest-llmtrace\[respx\]"$'
    ):
        importlib.import_module("pytest_llmtrace.replay.router")
