"""Which exchanges are observed, and who answers their requests."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest

from pytest_llmtrace.model import Ambient, Answer, Failure, Outcome, Request, Response, SpanKey, StreamEnd

URL = "http://llm.test/answered"


def test_an_answer_is_noted_with_all_its_circumstances(driver: Any, ledger: Any) -> None:
    """Request, response, ticks, times and what was current: everything that a report needs is on the exchange."""
    response = driver.post(f"{URL}?a=1", content=b"hello", headers={"x-test": "1"})
    [exchange] = ledger.exchanges()
    assert (response.text, response.reason_phrase, response.http_version) == ("one two", "Fine", "HTTP/1.1")
    assert exchange.request.url == f"{URL}?a=1"
    assert (exchange.request.method, exchange.request.body) == ("POST", b"hello")
    assert ("x-test", "1") in exchange.request.headers
    assert exchange.response.chunks == (b"one ", b"two")
    assert (exchange.response.status, exchange.response.reason) == (200, "Fine")
    assert exchange.response.headers == (("content-type", "text/plain"),)
    assert (exchange.index, exchange.outcome, exchange.origin) == (0, Outcome.ANSWERED, "the script")
    assert exchange.ambient == Ambient(span=SpanKey(1, 2), recording=True)
    ticks = [exchange.started, *exchange.chunk_ticks, exchange.ended]
    assert ticks == sorted(set(ticks))
    assert exchange.started_ns <= exchange.ended_ns
    assert (exchange.stream_end, exchange.failure) == (StreamEnd.EXHAUSTED, None)


def test_equal_header_lines_are_one_object(driver: Any, ledger: Any) -> None:
    """Equal header lines are one object, since a long trace keeps the headers of all its requests."""
    for number in range(2):
        driver.post(URL, headers={"x-test": "the same", "x-number": str(number)})
    first, second = ({id(line) for line in exchange.request.headers} for exchange in ledger.exchanges())
    assert len(first - second) == 1


def test_elapsed_time_works(driver: Any, ledger: Any) -> None:
    """`elapsed` is set: the library's own wrapping of the response stays in place."""
    assert driver.post(URL).elapsed.total_seconds() >= 0


def test_a_generated_body_is_read_whole(driver: Any, ledger: Any, script: Any) -> None:
    """The answerer sees the whole body, even one that can be iterated only once."""

    async def async_parts() -> Any:
        yield b"one "
        yield b"two"

    driver.post(URL, content=async_parts() if driver.is_async else iter([b"one ", b"two"]))
    assert script.asked[0].body == b"one two"


def test_each_hop_of_a_redirect_is_an_exchange(driver: Any, trace: Any, script: Any) -> None:
    """Each request that follows a redirect is a further exchange."""
    location = (("location", "http://elsewhere.test/answered"),)
    script.answers["/moved"] = Answer(response=Response(status=307, headers=location), origin="a redirect")
    ledger = trace()
    driver.post("http://llm.test/moved", client=driver.client(follow_redirects=True), content=b"body")
    first, second = ledger.exchanges()
    assert (first.origin, first.response.status) == ("a redirect", 307)
    assert second.request == Request(
        method="POST", url="http://elsewhere.test/answered", headers=second.request.headers, body=b"body"
    )


def test_each_header_line_is_read_in_its_own_encoding(driver: Any, ledger: Any) -> None:
    """Each header line is read as UTF-8 if it is valid UTF-8, else as Latin-1, whatever the other lines are."""
    headers = [(b"x-utf-8", "\u00e9".encode()), (b"x-latin-1", "\u00e9".encode("latin-1")), (b"x-plain", b"e")]
    driver.post("http://llm.test/answered", headers=headers)
    [exchange] = ledger.exchanges()
    assert exchange.request.headers[-3:] == (("x-utf-8", "\u00e9"), ("x-latin-1", "\u00e9"), ("x-plain", "e"))


def test_an_encoded_body_is_handed_over_as_it_travels(driver: Any, trace: Any, script: Any) -> None:
    """The client decodes; the exchange holds the bytes as recorded."""
    import gzip

    packed = gzip.compress(b"plain")
    headers = (("content-encoding", "gzip"),)
    script.answers["/packed"] = Answer(response=Response(status=200, headers=headers, chunks=(packed,)), origin="gzip")
    ledger = trace()
    assert driver.post("http://llm.test/packed").content == b"plain"
    assert ledger.exchanges()[0].response.body == packed


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (Failure.CONNECT_ERROR, "ConnectError"),
        (Failure.CONNECT_TIMEOUT, "ConnectTimeout"),
        (Failure.POOL_TIMEOUT, "PoolTimeout"),
        (Failure.PROXY_ERROR, "ProxyError"),
        (Failure.WRITE_ERROR, "WriteError"),
        (Failure.WRITE_TIMEOUT, "WriteTimeout"),
        (Failure.READ_ERROR, "ReadError"),
        (Failure.READ_TIMEOUT, "ReadTimeout"),
        (Failure.DISCONNECT, "RemoteProtocolError"),
    ],
)
def test_a_failure_without_a_response(driver: Any, trace: Any, script: Any, failure: Failure, name: str) -> None:
    """The client gets its own library's exception, and the exchange has no response."""
    script.answers["/broken"] = Answer(response=Response(status=0), origin="the script", failure=failure)
    ledger = trace()
    with pytest.raises(getattr(driver.library, name), match=rf"^the script: {failure.value}$"):
        driver.post("http://llm.test/broken")
    [exchange] = ledger.exchanges()
    assert (exchange.outcome, exchange.response, exchange.stream_end) == (Outcome.FAILED, None, StreamEnd.FAILED)
    assert exchange.failure == f"{name}: the script: {failure.value}"
    assert exchange.origin == "the script"


def test_a_failure_after_the_head(driver: Any, trace: Any, script: Any) -> None:
    """The response arrives, so no SDK retries; its body breaks, which a client that does not read it never notices."""
    script.answers["/broken"] = Answer(response=Response(status=200), origin="the script", failure=Failure.DISCONNECT)
    ledger = trace()
    response = driver.open("http://llm.test/broken")
    assert response.status_code == 200
    with pytest.raises(driver.library.RemoteProtocolError, match=r"^the script: disconnect$"):
        driver.take(response.stream)
    driver.close_response(driver.open("http://llm.test/broken"))
    read, left = ledger.exchanges()
    assert (read.outcome, read.response.chunks, read.stream_end) == (Outcome.ANSWERED, (), StreamEnd.FAILED)
    assert (left.outcome, left.stream_end) == (Outcome.ANSWERED, StreamEnd.CLOSED)


@pytest.mark.parametrize(
    "response",
    [Response(status=0), Response(status=200), Response(status=200, chunks=(b"half",))],
    ids=["before the head", "after it", "midway"],
)
def test_a_client_that_left_has_time_to_leave(library: str, trace: Any, script: Any, response: Response) -> None:
    """A request that the client left when it was recorded waits to be cancelled again, and raises no failure."""
    http = importlib.import_module(library)
    script.answers["/left"] = Answer(response=response, origin="the script", failure=Failure.ABORTED)
    ledger = trace()

    async def race() -> None:
        async with http.AsyncClient() as client:
            slow, quick = (asyncio.ensure_future(client.post(url)) for url in ("http://llm.test/left", URL))
            done, _ = await asyncio.wait([slow, quick], return_when=asyncio.FIRST_COMPLETED)
            assert done == {quick}
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow

    asyncio.run(race())
    assert [exchange.stream_end for exchange in ledger.exchanges()] == [StreamEnd.CANCELLED, StreamEnd.EXHAUSTED]


def test_a_failure_after_chunks_breaks_the_stream(driver: Any, trace: Any, script: Any) -> None:
    """The chunks arrive, then the exception of the client's own library."""
    broken = Response(status=200, chunks=(b"half",))
    script.answers["/broken"] = Answer(response=broken, origin="the script", failure=Failure.DISCONNECT)
    ledger = trace()
    with pytest.raises(driver.library.RemoteProtocolError, match=r"^the script: disconnect$"):
        driver.post("http://llm.test/broken")
    [exchange] = ledger.exchanges()
    assert (exchange.outcome, exchange.response.chunks) == (Outcome.ANSWERED, (b"half",))
    assert exchange.stream_end is StreamEnd.FAILED


def test_a_mock_transport_answers_for_itself(driver: Any, ledger: Any, script: Any) -> None:
    """An in-process transport is never refused and answers itself; a response that is read already is noted too."""
    mock = driver.library.MockTransport(lambda request: driver.library.Response(201, content=b"mocked"))
    assert driver.post("http://llm.test/nothing", client=driver.client(transport=mock)).text == "mocked"
    [exchange] = ledger.exchanges()
    assert (exchange.outcome, exchange.origin) == (Outcome.OBSERVED, "the test's own mock (MockTransport)")
    assert (exchange.response.status, exchange.response.chunks) == (201, (b"mocked",))
    assert exchange.stream_end is StreamEnd.EXHAUSTED
    assert script.asked == []


def test_a_mock_that_streams_is_tapped_chunk_by_chunk(driver: Any, ledger: Any) -> None:
    """The stream of a mock's response is observed as it is read."""

    async def async_chunks() -> Any:
        yield b"a"
        yield b"b"

    def respond(request: Any) -> Any:
        return driver.library.Response(200, content=async_chunks() if driver.is_async else iter([b"a", b"b"]))

    mock = driver.library.MockTransport(respond)
    response = driver.open("http://llm.test/nothing", client=driver.client(transport=mock))
    assert driver.take(response.stream, 1) == [b"a"]
    [exchange] = ledger.exchanges()
    assert (exchange.response.chunks, exchange.stream_end) == ((b"a",), StreamEnd.OPEN)
    assert driver.take(response.stream) == [b"b"]
    assert ledger.exchanges()[0].stream_end is StreamEnd.EXHAUSTED
    driver.close_response(response)


def test_a_decoded_response_loses_its_content_encoding(driver: Any, ledger: Any) -> None:
    """If a transport has read and decoded the body, only the decoded bytes can be noted."""
    import gzip

    class Body(driver.library.SyncByteStream, driver.library.AsyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Any:
            yield gzip.compress(b"plain")

        async def __aiter__(self) -> Any:
            yield gzip.compress(b"plain")

    def response() -> Any:
        return driver.library.Response(200, headers={"content-encoding": "gzip", "x-a": "1"}, stream=Body())

    def handle(request: Any) -> Any:
        (done := response()).read()
        return done

    async def handle_async(request: Any) -> Any:
        await (done := response()).aread()
        return done

    transport = driver.transport(handle_async if driver.is_async else handle)
    assert driver.post("http://llm.test/x", client=driver.client(transport=transport)).text == "plain"
    [exchange] = ledger.exchanges()
    assert (exchange.response.headers, exchange.response.body) == ((("x-a", "1"),), b"plain")


def test_an_application_in_process_answers_for_itself(driver: Any, ledger: Any) -> None:
    """An ASGI or WSGI application in the process answers its requests, whatever host they name."""

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"app"]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"app"})

    library = driver.library
    transport = library.ASGITransport(app=asgi) if driver.is_async else library.WSGITransport(app=wsgi)
    assert driver.post("http://testserver/x", client=driver.client(transport=transport)).text == "app"
    [exchange] = ledger.exchanges()
    kind = "ASGITransport" if driver.is_async else "WSGITransport"
    assert (exchange.outcome, exchange.origin) == (Outcome.OBSERVED, f"an in-process application ({kind})")
    assert exchange.response.body == b"app"


def test_a_transport_s_exception_is_noted_and_raised(driver: Any, ledger: Any) -> None:
    """A user's mock may raise: the exchange failed, and the exception is the mock's own."""

    def handle(request: Any) -> Any:
        raise driver.library.ReadTimeout("too slow", request=request)

    with pytest.raises(driver.library.ReadTimeout, match=r"^too slow$"):
        driver.post("http://llm.test/x", client=driver.client(transport=driver.library.MockTransport(handle)))
    [exchange] = ledger.exchanges()
    assert (exchange.outcome, exchange.failure) == (Outcome.FAILED, "ReadTimeout: too slow")


def test_a_transport_that_retries_is_answered_each_time(driver: Any, trace: Any, script: Any) -> None:
    """A recording has each attempt of a retrying transport; the second attempt is a second exchange."""
    script.answers["/busy"] = Answer(response=Response(status=503), origin="busy")
    inner = driver.http_transport()

    def handle(request: Any) -> Any:
        inner.handle_request(request).close()
        return inner.handle_request(request)

    async def handle_async(request: Any) -> Any:
        await (await inner.handle_async_request(request)).aclose()
        return await inner.handle_async_request(request)

    ledger = trace()
    transport = driver.transport(handle_async if driver.is_async else handle)
    assert driver.post("http://llm.test/busy", client=driver.client(transport=transport)).status_code == 503
    assert [exchange.origin for exchange in ledger.exchanges()] == ["busy", "busy"]


def test_the_pool_used_without_a_client_is_answered_too(driver: Any, ledger: Any) -> None:
    """A pool of the core library is a client of its own, and its requests are answered too."""
    if driver.is_async:

        async def fetch() -> Any:
            async with driver.core.AsyncConnectionPool() as pool:
                return await pool.request("POST", URL, content=b"hello")

        response = driver.do(fetch())
    else:
        with driver.core.ConnectionPool() as pool:
            response = pool.request("POST", URL, content=b"hello")
    [exchange] = ledger.exchanges()
    assert response.content == b"one two"
    assert (exchange.request.url, exchange.request.body) == (URL, b"hello")
    assert (exchange.outcome, exchange.stream_end) == (Outcome.ANSWERED, StreamEnd.EXHAUSTED)


def test_nothing_is_noted_while_no_ledger_is_open(driver: Any, ledger: Any, server: Any) -> None:
    """Without a ledger everything passes untouched."""
    ledger.close()
    assert driver.post(server.url).text == "live"
    assert ledger.exchanges() == ()
