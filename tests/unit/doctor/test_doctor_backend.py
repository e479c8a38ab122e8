"""The doctor's checks of a back end: settings, connection, and one span sent and read back."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Callable

import pytest

from pytest_llmtrace.doctor._backend import Wait, backend
from tests.receiver import TOKEN, Receiver, Request

Look = Callable[..., list[str]]
AT = "OpenObserve at URL, organization default, stream default"
SET = [
    f"ok       settings of --llmtrace-export openobserve: well-formed, {AT}",
    "ok       connection to openobserve: the server accepts connections",
]
SENT = "ok       a span to openobserve: it accepted 'pytest-llmtrace doctor', trace ID"


@pytest.fixture
def look(receiver: Receiver) -> Look:
    """Return a function that checks a back end and returns the lines, with address and ids replaced."""

    def look(name: str = "openobserve", *, is_wanted: bool = False, sends: bool = True, **more: str) -> list[str]:
        time = itertools.count()
        wait = Wait(3, now=lambda: float(next(time)), sleep=lambda _: None)
        environ = {**(receiver.environ if name == "openobserve" else {}), **more}
        found = backend(name, environ, is_wanted=is_wanted, sends=sends, wait=wait)
        port = receiver.url.rpartition(":")[2]
        lines = [str(diagnosis).replace(receiver.url, "URL").replace(port, "PORT") for diagnosis in found]
        assert TOKEN.split()[1] not in "".join(lines)
        return [re.sub(r"\b[0-9a-f]{32}\b", "ID", line) for line in lines]

    return look


def answering(path: str, status: int, body: bytes, kind: str = "application/json") -> Callable[[Request], bool]:
    def fault(request: Request) -> bool:
        if path in request.path:
            request.answer(status, body, kind)
        return path in request.path

    return fault


def test_all_is_well(look: Look, receiver: Receiver) -> None:
    """One span is sent and found again; it has no attributes."""
    assert look() == [
        *SET,
        SENT,
        "ok       the span read back from openobserve: its search API found it in stream default",
    ]
    assert [(span["name"], span["attributes"]) for span in receiver.spans] == [("pytest-llmtrace doctor", [])]


def test_nothing_is_sent_unless_wanted(look: Look, receiver: Receiver) -> None:
    """`--no-send` only connects, and sends no request."""
    assert look(sends=False) == [*SET, "unknown  a span to openobserve: not sent (--no-send)"]
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"OPENOBSERVE_AUTH_TOKEN": ""},
            "--llmtrace-export openobserve needs OPENOBSERVE_AUTH_TOKEN, in the environment or .env",
        ),
        (
            {"OPENOBSERVE_AUTH_TOKEN": "no-scheme-secret"},
            (
                "OPENOBSERVE_AUTH_TOKEN must be `Basic ` and the base64 of `email:token`, or `Bearer ` and a token; "
                "its value is neither"
            ),
        ),
        (
            {"OPENOBSERVE_URL": "o2.example.com"},
            (
                "OPENOBSERVE_URL must be an http(s) address without a user name, such as http://localhost:5080; its "
                "value is not"
            ),
        ),
    ],
)
def test_settings_that_are_wrong(look: Look, environ: dict[str, str], said: str) -> None:
    """A missing or malformed setting is a problem, and nothing is sent."""
    about = "problem  settings of --llmtrace-export openobserve"
    assert look(**environ) == [f"{about}: {said}; correct it in the environment or .env"]


@pytest.mark.parametrize(
    ("is_wanted", "said"),
    [
        (False, "unknown  {}; set OPENOBSERVE_URL in the environment or .env if you export there"),
        (True, "problem  {}; set OPENOBSERVE_URL in the environment or .env"),
    ],
)
def test_nothing_set(look: Look, is_wanted: bool, said: str) -> None:
    """A back end without settings is a problem only if the user asked for it."""
    found = "settings of --llmtrace-export openobserve: neither OPENOBSERVE_URL nor OPENOBSERVE_AUTH_TOKEN is set"
    assert look(is_wanted=is_wanted, OPENOBSERVE_URL="", OPENOBSERVE_AUTH_TOKEN="") == [said.format(found)]


def test_otlp(look: Look, receiver: Receiver) -> None:
    """A span is sent by OTLP, and the report does not claim that it can be read back."""
    assert look("otlp", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_EXPORTER_OTLP_HEADERS=header(TOKEN)) == [
        "ok       settings of --llmtrace-export otlp: well-formed, OTLP at URL/v1/traces",
        "ok       connection to otlp: the server accepts connections",
        "ok       a span to otlp: it accepted 'pytest-llmtrace doctor', trace ID",
        "unknown  the span read back from otlp: OTLP has no way to read spans back",
    ]
    assert len(receiver.spans) == 1


def header(token: str) -> str:
    return f"authorization={token.replace(' ', '%20').replace('=', '%3D')}"


def test_nobody_listens(look: Look, receiver: Receiver) -> None:
    """A server that is down is reported, and nothing is sent."""
    receiver.close()
    assert look() == [
        SET[0],
        (
            "problem  connection to openobserve: port PORT of 127.0.0.1 refuses the connection: nothing listens "
            "there; check the address, and that the server runs and can be reached from here"
        ),
    ]


def test_behind_a_proxy(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """If requests go through a proxy, a connection of our own would prove nothing; only the span does."""
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"http": "http://user:secret@127.0.0.1:9"})
    monkeypatch.setattr("urllib.request.proxy_bypass", lambda _: False)
    assert look(sends=False)[1] == (
        "unknown  connection to openobserve: requests go through the proxy that is set in the environment, "
        "which was not checked"
    )


def test_credentials_that_are_not_accepted(look: Look) -> None:
    """OpenObserve's 401 as text means wrong credentials or a wrong organization, without saying which."""
    wrong = f"Basic {base64.b64encode(b'ci@example.com:another-secret').decode()}"
    assert look(OPENOBSERVE_AUTH_TOKEN=wrong) == [
        *SET,
        (
            "problem  a span to openobserve: it answered 401 as to credentials that it does not accept; "
            "check OPENOBSERVE_AUTH_TOKEN and OPENOBSERVE_ORG: the answer does not tell which of them is wrong"
        ),
    ]


def test_credentials_that_do_not_arrive(look: Look, receiver: Receiver) -> None:
    """OpenObserve's 401 as JSON means a request without credentials: something on the way has removed them."""
    receiver.faults.append(answering("/v1/traces", 401, b'{"code":401,"message":"Unauthorized Access"}'))
    assert look() == [
        *SET,
        (
            "problem  a span to openobserve: it answered 401 as to a request without an Authorization header, "
            "although one was sent; look for what removes the header on the way, such as a proxy"
        ),
    ]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            206,
            b'{"partialSuccess":{"rejectedSpans":1,"errorMessage":"out of time"}}',
            (
                "it accepted the request and dropped the span: out of time; check this machine's clock and the "
                "stream's pipelines: OpenObserve gives the same reason for both"
            ),
        ),
        (
            503,
            b'{"code":503,"message":"overloaded"}',
            "it answered 503 (overloaded); nothing was stored; try again later",
        ),
        (
            200,
            b"<html>",
            ("it answered 200, but not as OTLP does (<html>); it may or may not have been stored; check the address"),
        ),
        (
            403,
            f"not {TOKEN}".encode(),
            ("it answered 403 (not [secret]): check the token and the organization; nothing was stored"),
        ),
    ],
)
def test_a_span_that_is_not_taken(look: Look, receiver: Receiver, status: int, body: bytes, said: str) -> None:
    """The back end's answer is the reason, without the token, and the span is not looked up."""
    receiver.faults.append(answering("/v1/traces", status, body))
    assert look() == [*SET, f"problem  a span to openobserve: {said}"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_may_not_read(look: Look, receiver: Receiver, status: int) -> None:
    """A token for ingestion can send, but cannot search for what it has sent."""
    receiver.faults.append(answering("_search", status, b""))
    assert look() == [
        *SET,
        SENT,
        (
            "unknown  the span read back from openobserve: the token may send but not read, as is usual for "
            f"ingestion tokens (it answered {status}); with it `pytest-llmtrace push` cannot look up spans that "
            "are in doubt"
        ),
    ]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b"", "it answered 500"),
        (200, b"<html>", "it did not answer as the search API does"),
        (200, b'{"hits":[1]}', "it did not answer as the search API does"),
        (200, b"[" * 60_000, "it did not answer as the search API does"),
    ],
)
def test_a_search_that_fails(look: Look, receiver: Receiver, status: int, body: bytes, said: str) -> None:
    """If the search fails, it stays unknown whether the span is there."""
    receiver.faults.append(answering("_search", status, body))
    assert look()[2:] == [
        SENT,
        f"unknown  the span read back from openobserve: the search API gave no usable answer: {said}",
    ]


def test_a_span_that_is_seen_late(look: Look, receiver: Receiver) -> None:
    """The search is repeated for a while, since a back end may index later than it accepts."""
    receiver.times(answering("_search", 200, b'{"hits":[]}'), 2)  # The span's own request counts as the first.
    assert look()[3] == "ok       the span read back from openobserve: its search API found it in stream default"
    assert sum("_search" in path for path in receiver.requests) == 2


def test_a_span_that_is_not_seen(look: Look, receiver: Receiver) -> None:
    """The doctor stops waiting for the span after a while."""
    receiver.faults.append(answering("_search", 200, b'{"hits":[]}'))
    assert look()[3] == (
        "unknown  the span read back from openobserve: its search API did not find it within 3 s; look for the trace "
        "on its web pages"
    )
    assert sum("_search" in path for path in receiver.requests) == 3
