"""Sending the spans of a spool; the time is virtual."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from time import time as clock
from typing import Any, NoReturn
from urllib.parse import quote

import pytest

from pytest_llmtrace.export import Destination, Outcome, Push, Spool, destination, present
from pytest_llmtrace.export._spool import Batch
from tests.receiver import CERTIFICATE, KEY, TOKEN, Receiver, Request

RequestOf = Callable[..., bytes]


def resources(request: bytes) -> list[dict[str, Any]]:
    return list(json.loads(request)["resourceSpans"])


class Time:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> float:
        return sum(self.waits)

    def sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def push(to: Destination, spool: Spool, time: Time) -> Push:
    return Push(to, spool, budget=10, now=time.now, sleep=time.sleep)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the proxy for all HTTP requests."""

    def proxied(proxy: str) -> None:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", proxy)

    return proxied


def answering(status: int, **headers: str) -> Callable[[Request], bool]:
    def fault(request: Request) -> bool:
        request.answer(status, b"", **headers)
        return True

    return fault


def test_waits_as_long_as_it_is_asked_to(
    push: Push, receiver: Receiver, spool: Spool, request_of: RequestOf, time: Time
) -> None:
    """`Retry-After` is honoured; without it, each wait is twice as long as the one before."""
    spool.put("run", request_of(0))
    receiver.times(answering(429, retry_after="4"), 1)
    receiver.times(answering(503), 2)
    assert push.run() == Outcome(sent=1)
    assert time.waits == [4, 0.2, 0.4]


def test_does_not_wait_beyond_its_budget(
    push: Push, receiver: Receiver, spool: Spool, request_of: RequestOf, time: Time
) -> None:
    """A wait that is longer than what is left of the budget ends the push at once."""
    spool.put("run", request_of(0))
    receiver.faults.append(answering(429, retry_after="6"))
    assert push.run() == Outcome(problems={"it answered 429, and asks to wait 6 s": None})
    assert time.waits == [6]
    assert spool.waiting() == 1


def test_gives_up_on_one_that_is_down(
    push: Push, receiver: Receiver, spool: Spool, request_of: RequestOf, time: Time
) -> None:
    """A back end that cannot be reached is tried four times, not until the budget is spent."""
    spool.put("run", request_of(0))
    receiver.close()
    assert push.run() == Outcome(problems={"it cannot be reached: Connection refused": None})
    assert time.waits == [0.1, 0.2, 0.4]


def test_one_bad_request_does_not_keep_the_others(
    to: Destination, receiver: Receiver, spool: Spool, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that a back end cannot read stays, and the rest is sent."""
    monkeypatch.setattr("pytest_llmtrace.export._spool.MOST_SPANS", 1)
    for number in range(3):
        spool.put("run", request_of(number))
    receiver.times(answering(400), 1)
    told: list[int] = []
    assert Push(to, spool, budget=10, tell=lambda done: told.append(done.sent)).run() == Outcome(
        sent=2, problems={"it answered 400": None}
    )
    assert told == [0, 1, 2]
    assert (spool.waiting(), spool.in_doubt(), receiver.counts().total()) == (1, 0, 2)


@pytest.mark.parametrize("spoilt", [b"#", b"\xff"], ids=["json", "utf-8"])
@pytest.mark.parametrize("state", ["json", "json.doubt"])
@pytest.mark.parametrize("kind", ["openobserve", "otlp"])
def test_a_damaged_file_does_not_keep_the_others(
    kind: str, state: str, spoilt: bytes, receiver: Receiver, spool: Spool, request_of: RequestOf
) -> None:
    """A file that a disk or an editor has spoilt is put aside and named, and the rest is sent."""
    for run in ("a", "b", "c"):
        spool.put(run, request_of(0, run=run))
    [path] = spool.path.glob("b-*")
    path.write_bytes(path.read_bytes().replace(b'"scopeSpans"', spoilt + b'"scopeSpans"', 1))
    path.rename(path.with_suffix(f".{state}"))
    headers = f"authorization={quote(TOKEN)}"
    otlp = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_HEADERS": headers}
    to = destination(kind, {**receiver.environ, **otlp})
    push = Push(to, spool, budget=10)
    assert push.resolve(lambda _: set())
    aside = path.with_suffix(".json.damaged")
    assert push.run() == Outcome(sent=2, damaged={str(aside): None})
    assert (spool.waiting(), spool.in_doubt(), receiver.counts().total()) == (0, 0, 2)
    assert spoilt in aside.read_bytes()
    assert Push(to, spool, budget=10).run() == Outcome()


def test_stops_when_nobody_answers(
    to: Destination, receiver: Receiver, spool: Spool, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two requests that may or may not have arrived, the rest is not sent."""
    monkeypatch.setattr("pytest_llmtrace.export._spool.MOST_SPANS", 1)
    for number in range(4):
        spool.put("run", request_of(number))
    receiver.faults.append(answering(502))
    assert Push(to, spool, budget=10).run() == Outcome(problems={"it answered 502": None})
    assert (len(receiver.requests), spool.in_doubt(), spool.waiting()) == (2, 2, 2)


def test_a_test_that_is_too_large_is_parted(
    to: Destination, receiver: Receiver, spool: Spool, request_of: RequestOf
) -> None:
    """A single test is sent in parts that the back end takes; if one part is lost, only the rest is in doubt."""
    spool.put("run", request_of(*range(8)))
    receiver.largest = 3
    seen = iter(range(100))

    def third_part_is_lost(request: Request) -> bool:
        if next(seen) < 5:
            return False
        request.hang_up()
        return True

    receiver.faults.append(third_part_is_lost)
    outcome = Push(to, spool, budget=10).run()
    assert (outcome.sent, spool.waiting(), spool.in_doubt()) == (4, 0, 4)
    receiver.faults.clear()
    later = Push(to, spool, budget=10)
    assert later.resolve(lambda resources: present(to, resources))
    assert later.run() == Outcome(sent=4)
    assert set(receiver.counts().values()) == {1}
    assert receiver.counts().total() == 8


def test_only_the_same_test_of_the_same_run_counts_as_there(
    to: Destination, receiver: Receiver, spool: Spool, request_of: RequestOf
) -> None:
    """A suite may give each test the same ids: spans of another test or run are not proof."""
    for test, run in (("test", "run"), ("other", "run"), ("test", "older")):
        spool.put("run", request_of(0, test=test, run=run))
        Push(to, spool, budget=10).run()
    assert receiver.counts().total() == 3
    del receiver.spans[0]
    assert present(to, resources(request_of(0))) == set()
    assert len(present(to, resources(request_of(0, test="other"))) or ()) == 1


def test_nothing_is_concluded_where_nobody_tells(to: Destination, receiver: Receiver, request_of: RequestOf) -> None:
    """If a back end may not be searched, is down or answers in another form, nothing is concluded."""
    receiver.may_search = False
    assert present(to, resources(request_of(0))) is None
    receiver.faults.append(answering(200))
    assert present(to, resources(request_of(0))) is None
    receiver.close()
    assert present(to, resources(request_of(0))) is None


def test_two_that_ask_at_once_send_once(
    to: Destination, receiver: Receiver, spool: Spool, request_of: RequestOf
) -> None:
    """While one push asks what became of a file, another neither asks nor sends it."""
    spool.put("run", request_of(0, 1))
    Batch(tuple(kept for batch in spool.claim() for kept in batch.files)).doubt()
    others: list[Outcome] = []

    def asked(resources: list[dict[str, Any]]) -> set[str] | None:
        other = Push(to, Spool(spool.path), budget=10)
        assert other.resolve(lambda resources: present(to, resources))
        others.append(other.run())
        return present(to, resources)

    push = Push(to, spool, budget=10)
    assert push.resolve(asked)
    assert (push.run(), others) == (Outcome(sent=2), [Outcome()])
    assert receiver.counts().total() == 2


def test_what_waits_for_the_back_end_is_not_left_behind(
    to: Destination, receiver: Receiver, spool: Spool, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a push waits as it is asked to, its file does not count as left behind; a minute after the wait it does."""
    later = clock() + 300
    found: list[int] = []

    def sleep(seconds: float) -> None:
        assert seconds == 300
        for more in (0, 70):
            with monkeypatch.context() as patch:
                patch.setattr("time.time", lambda more=more: later + more)
                found.append(len(list(spool.doubtful())))

    spool.put("run", request_of(0))
    receiver.times(answering(429, retry_after="300"), 1)
    assert Push(to, spool, budget=1000, sleep=sleep).run() == Outcome(sent=1)
    assert found == [0, 1]


@pytest.mark.parametrize("proxy", ["http://user:hunter2@localhost:port", "http:/user:hunter2@localhost:3128"])
def test_a_proxy_without_an_address(
    push: Push,
    to: Destination,
    receiver: Receiver,
    spool: Spool,
    request_of: RequestOf,
    proxied: Callable[[str], None],
    proxy: str,
) -> None:
    """A malformed proxy variable is reported without its password; nothing was sent, so nothing is in doubt."""
    proxied(proxy)
    spool.put("run", request_of(0))
    why = "it cannot be reached: its address or its proxy's is malformed: check HTTP_PROXY and HTTPS_PROXY"
    assert push.run() == Outcome(problems={why: None})
    assert (spool.waiting(), spool.in_doubt(), receiver.requests) == (1, 0, [])
    assert present(to, resources(request_of(0))) is None


def test_a_proxy_that_is_down(
    push: Push, receiver: Receiver, spool: Spool, request_of: RequestOf, proxied: Callable[[str], None]
) -> None:
    """If a proxy cannot be reached, the error names the proxy, without its password."""
    gone = Receiver()
    gone.close()
    address = gone.url.partition("//")[2]
    proxied(f"http://user:hunter2@{address}")
    spool.put("run", request_of(0))
    [why] = push.run().problems
    assert why.startswith(f"it cannot be reached by the proxy {address}: ")
    assert receiver.requests == []


def test_tls(spool: Spool, request_of: RequestOf, time: Time) -> None:
    """A server is trusted by the certificate that the environment names, and not without it."""
    receiver = Receiver(has_tls=True)
    spool.put("run", request_of(0))
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={TOKEN.replace(' ', '%20').replace('=', '%3D')}",
    }
    [why] = Push(destination("otlp", environ), spool, budget=10, now=time.now, sleep=time.sleep).run().problems
    assert why.startswith("it cannot be reached: [SSL: CERTIFICATE_VERIFY_FAILED]")
    assert why.endswith(
        ": check the address, or set OTEL_EXPORTER_OTLP_CERTIFICATE to a file with the CA of its certificate"
    )
    environ["OTEL_EXPORTER_OTLP_CERTIFICATE"] = str(CERTIFICATE)
    assert Push(destination("otlp", environ), spool, budget=10).run() == Outcome(sent=1)
    receiver.close()


def test_a_server_that_wants_a_certificate(spool: Spool, request_of: RequestOf, time: Time) -> None:
    """Without a client certificate that it knows, the server has read nothing, so nothing is in doubt."""
    receiver = Receiver(has_tls=True, wants_certificate=True)
    spool.put("run", request_of(0))
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={TOKEN.replace(' ', '%20').replace('=', '%3D')}",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(CERTIFICATE),
    }
    outcome = Push(destination("otlp", environ), spool, budget=10, now=time.now, sleep=time.sleep).run()
    assert (outcome.sent, spool.waiting(), spool.in_doubt()) == (0, 1, 0)
    own = {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(CERTIFICATE), "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(KEY)}
    assert Push(destination("otlp", {**environ, **own}), spool, budget=10).run() == Outcome(sent=1)
    receiver.close()


def test_a_server_that_says_so_late(
    push: Push, spool: Spool, request_of: RequestOf, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TLS 1.3 a server may refuse only when the whole request was sent; even then nothing is in doubt."""
    error = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
    error.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"

    def late(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr("pytest_llmtrace.export._http._reply", late)
    spool.put("run", request_of(0))
    said = "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"
    assert list(push.run().problems) == [f"it requires a client certificate that it accepts: {said}"]
    assert (spool.waiting(), spool.in_doubt(), time.waits) == (1, 0, [])


def test_what_a_server_says_out_of_order_is_one_line(
    push: Push, receiver: Receiver, spool: Spool, request_of: RequestOf
) -> None:
    """An answer that is not HTTP, like that of gRPC's server, is shown in one line, without control characters."""

    def shouting(request: Request) -> bool:
        request.wfile.write(b"\x00\x1b[31mno\r\n\r\n")
        request.hang_up()
        return True

    receiver.faults.append(shouting)
    spool.put("run", request_of(0))
    assert list(push.run().problems) == ["the connection broke before an answer: [31mno"]


def test_a_disk_that_is_full_while_a_file_is_parted(
    push: Push, receiver: Receiver, spool: Spool, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If arrived spans cannot be taken out of a file, it is in doubt at once; a file that was not under way waits."""
    receiver.largest = 1
    spool.put("run", request_of(0, 1))
    Spool(spool.path).put("sun", request_of(2))
    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", full_disk)
        with pytest.raises(OSError, match="No space left on device"):
            push.run()
    assert (spool.in_doubt("run"), spool.waiting("sun")) == (2, 1)
    assert sorted(path.suffix for path in spool.path.glob("*un-*")) == [".doubt", ".json"]
    assert push.resolve(lambda tests: present(push_to(receiver), tests))
    push.run()
    assert set(receiver.counts().values()) == {1}
    assert receiver.counts().total() == 3


def full_disk(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content[:1])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def push_to(receiver: Receiver) -> Destination:
    return destination("openobserve", receiver.environ)


def test_an_answer_that_drips(receiver: Receiver, spool: Spool, request_of: RequestOf) -> None:
    """An answer is waited for no longer than the timeout, however often some bytes of it arrive."""

    def dripping(request: Request) -> bool:
        request.send_response(200)
        request.send_header("content-length", "1000000")
        request.end_headers()
        with contextlib.suppress(OSError):
            while not receiver.closed.wait(0.01):
                request.wfile.write(b" ")
        return True

    receiver.faults.append(dripping)
    spool.put("run", request_of(0))
    to = destination("openobserve", {**receiver.environ, "OPENOBSERVE_TIMEOUT": "0.2"})
    outcome = Push(to, spool, budget=10).run()
    assert (list(outcome.problems), spool.in_doubt()) == (["it did not answer within 0.2 s"], 1)
    assert present(to, resources(request_of(0))) is None
