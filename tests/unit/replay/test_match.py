"""Which recorded requests a sent request matches."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Cassette, Request
from pytest_llmtrace.replay import Player
from pytest_llmtrace.replay.settings import read_config

URL = "https://a.test/v1/chat?b=2&a=1"
COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def multipart(boundary: str, *parts: tuple[str, str]) -> bytes:
    lines = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts
    )
    return f"{lines}--{boundary}--\r\n".encode()


def matches(tape: Callable[..., Cassette], recorded: Request, sent: Request, **config: object) -> bool:
    return Player(tape(recorded), config=read_config(config)).answer(sent) is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://a.test/v1/chat?a=1&b=2",
        "https://A.test:443/v1/chat?b=2&a=1",
        "https://me:pass@a.test/v1/chat?b=2&a=1",
        "https://a.test/v1/ch%61t?b=2&a=1#top",
        "https://a.test/v1/chat?b=2&a=1&key=other&token=t",
    ],
)
def test_same_address(tape: Callable[..., Cassette], post: Callable[..., Request], url: Any) -> None:
    """Host case, default port, escapes, credentials, parameter order and secret parameters make no difference."""
    assert matches(tape, post(url=URL), post(url=url))


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", URL),
        ("POST", "http://a.test/v1/chat?b=2&a=1"),
        ("POST", "https://b.test/v1/chat?b=2&a=1"),
        ("POST", "https://a.test:8443/v1/chat?b=2&a=1"),
        ("POST", "https://a.test/v1/chat/?b=2&a=1"),
        ("POST", "https://a.test/v1/chat?b=2&a=3"),
        ("POST", "https://a.test/v1/chat?b=2"),
        ("POST", "https://a.test/v1/chat?b=2&a=1&a=1"),
        ("POST", "https://[broken/v1"),
    ],
)
def test_other_address(tape: Callable[..., Cassette], post: Callable[..., Request], method: Any, url: Any) -> None:
    """Method, scheme, host, port, path and each parameter must be the same."""
    assert not matches(tape, post(url=URL), post(method=method, url=url))


def test_an_escaped_slash_is_not_a_slash(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A percent escape is undone only where the URL then means the same; an empty path is the root."""
    assert not matches(tape, post(url="https://a.test/a%2Fb"), post(url="https://a.test/a/b"))
    assert matches(tape, post(url="https://a.test/arn%3Aaws"), post(url="https://a.test/arn:aws"))
    assert matches(tape, post(url="https://a.test"), post(url="https://a.test/"))


@pytest.mark.parametrize(
    ("recorded", "sent", "same"),
    [
        pytest.param(b'{"a": 1, "b": [1, 2]}', b'{"b":[1,2],"a":1}', True, id="order and white space"),
        pytest.param(b'{"a": [1, 2]}', b'{"a": [2, 1]}', False, id="order of a list"),
        pytest.param(b'{"t": 1}', b'{"t": 1.0}', True, id="whole numbers"),
        pytest.param(b'{"t": 1}', b'{"t": true}', False, id="true is no number"),
        pytest.param(b'{"t": 0.1}', b'{"t": 0.2}', False, id="numbers"),
        pytest.param(b'{"t": null}', b"{}", False, id="null is not absence"),
        pytest.param(
            json.dumps({"t": COMPOSED}).encode(),
            json.dumps({"t": DECOMPOSED}, ensure_ascii=False).encode(),
            True,
            id="unicode form and escapes",
        ),
        pytest.param(b'{"api_key": "a", "x": 1}', b'{"api_key": "b", "x": 1}', True, id="secret field"),
        pytest.param(b'{"x": {"apiKey": "a"}}', b'{"x": {}}', True, id="secret field, nested and removed"),
        pytest.param(b'{"api_key": {"type": "a"}}', b'{"api_key": {"type": "b"}}', False, id="schema of a secret"),
        pytest.param(b'{"a": 1}', b'{"a": 1', False, id="broken JSON"),
        pytest.param(b'{"a": 1', b'{"a": 1', True, id="broken alike"),
        pytest.param(b"[" * 5000, b"[" * 5000, True, id="nested without end"),
        pytest.param(b'{"a": 1}', gzip.compress(b'{"a": 1}', mtime=9), True, id="compressed"),
        pytest.param(b"a=1&b=x%20y", b"b=x+y&a=1", True, id="form"),
        pytest.param(b"a=1&client_secret=x", b"a=1&client_secret=y", True, id="secret in a form"),
        pytest.param(b"a=1", b"a=2", False, id="other form"),
        pytest.param(multipart("one", ("f", "x")), multipart("two", ("f", "x")), True, id="random boundary"),
        pytest.param(multipart("one", ("f", "x")), multipart("two", ("f", "y")), False, id="other part"),
        pytest.param(
            multipart("one", ("f", "x"), ("api_key", "a")), multipart("two", ("f", "x")), True, id="secret part"
        ),
        pytest.param(b"\xff\x00", b"\xff\x00", True, id="bytes"),
        pytest.param(b"\xff\x00", b"\xff\x01", False, id="other bytes"),
        pytest.param(b"", b"{}", False, id="no body"),
    ],
)
def test_bodies(
    tape: Callable[..., Cassette], post: Callable[..., Request], recorded: Any, sent: Any, same: Any
) -> None:
    """JSON is compared as JSON, forms as forms, multipart without boundary, the rest as bytes; secrets are left out."""
    assert matches(tape, post(recorded), post(sent)) is same
    assert matches(tape, post(sent), post(recorded)) is same


def test_headers_are_not_matched_unless_asked_for(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """Headers change with every run, so only a `match_on` that names them compares them, without the secret ones."""
    recorded = post(headers=[("X-A", "1"), ("Authorization", "one"), ("traceparent", "00-1")])
    other = post(headers=[("x-a", "2")])
    secret = post(headers=[("x-a", "1"), ("authorization", "two")])
    assert matches(tape, recorded, other)
    assert not matches(tape, recorded, other, match_on=["method", "headers"])
    assert matches(tape, recorded, secret, match_on=["method", "headers"])
    assert matches(tape, recorded, other, match_on=["headers"], filter_headers=["X-A"])


@pytest.mark.parametrize(
    ("match_on", "sent", "same"),
    [
        (["method", "uri"], {"body": b"{}"}, True),
        (["method", "url"], {"url": "https://a.test/v1/chat?a=1&b=2"}, False),
        (["path"], {"url": "http://b.test/v1/chat", "method": "PUT"}, True),
        (["host", "query"], {"url": "http://a.test/other?a=1&b=2"}, True),
        (["scheme"], {"url": "http://a.test/v1/chat?b=2&a=1"}, False),
        (["port"], {"url": "https://b.test:443/"}, True),
        (["body"], {"body": b'{"a":1}', "url": "http://b.test/"}, True),
        (["raw_body"], {"body": b'{"a":1}'}, False),
    ],
)
def test_match_on(
    tape: Callable[..., Cassette], post: Callable[..., Request], match_on: Any, sent: Any, same: Any
) -> None:
    """Only the parts that `match_on` names are compared."""
    recorded = post(b'{"a": 1}', url=URL)
    request = post(**{"body": b'{"a": 1}', "url": URL, **sent})
    assert matches(tape, recorded, request, match_on=match_on) is same


def test_own_matchers(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A matcher gets the sent and the recorded request; `None` or a true value is a match, a failed assertion not."""
    seen = []

    def asserting(sent: Any, recorded: Any) -> None:
        seen.append((sent, recorded))
        assert sent.headers["x-a"] == recorded.headers["X-A"]

    recorded, same, other = (post(b"{}", url=URL, headers=[("X-A", value)]) for value in "112")
    assert matches(tape, recorded, same, match_on=["method", asserting])
    assert not matches(tape, recorded, other, match_on=["method", asserting])
    assert not matches(tape, recorded, same, match_on=[lambda sent, recorded: False])
    assert not matches(tape, recorded, post(method="GET"), match_on=["method", asserting])
    assert len(seen) == 2, "the function is asked about the bucket of the named parts only"
    sent = seen[0][0]
    assert (sent.method, sent.uri, sent.url, sent.body, sent.protocol) == ("POST", URL, URL, b"{}", "https")
    assert (sent.scheme, sent.host, sent.port, sent.path) == ("https", "a.test", 443, "/v1/chat")
    assert sent.query == [("a", "1"), ("b", "2")]


def test_a_dropped_body_fits_any(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A recording whose body the file has dropped answers any body, after the recordings that match in full."""
    import dataclasses

    cassette = tape(post(), post({"a": 1}), post())
    first, *others = cassette.recordings
    player = Player(dataclasses.replace(cassette, recordings=(dataclasses.replace(first, any_body=True), *others)))
    answers = [player.answer(post({"a": 1})) for _ in range(2)]
    assert [answer and answer.origin for answer in answers] == ["tape.yaml, interaction 1", "tape.yaml, interaction 0"]
    assert player.answer(post({"a": 1})) is None


def test_the_same_bytes_to_another_address_are_another_request(
    tape: Callable[..., Cassette], post: Callable[..., Request]
) -> None:
    """Equal bodies alone are not a match: the address is compared too, and headers if `match_on` names them."""
    urls = ["https://a.test/one", "https://a.test/two", "https://a.test/one"]
    player = Player(tape(*(post(b"{}", url=url) for url in urls)))
    answers = [player.answer(post(b"{}", url=url)) for url in [*reversed(urls), "https://a.test/three"]]
    origins = [answer and answer.origin.removeprefix("tape.yaml, interaction ") for answer in answers]
    assert origins == ["0", "1", "2", None]
    recorded, other = (post(b"{}", headers=[("X-A", value)]) for value in "12")
    assert not matches(tape, recorded, other, match_on=["body", "headers"])
    assert matches(tape, recorded, recorded, match_on=["body", "headers"])


def test_a_body_in_the_recorded_bytes_is_not_read(
    tape: Callable[..., Cassette], post: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body is parsed as JSON only if its bytes differ from the recorded body, which is then parsed too, once."""
    from pytest_llmtrace.replay import canonical, match

    index = match.Index(tape(post(b'{"a":1,"b":2}')).recordings, read_config({}))
    read = []
    original = canonical._body

    def reading(body: bytes, settings: Any) -> Any:
        read.append(body)
        return original(body, settings)

    monkeypatch.setattr(canonical, "_body", reading)
    for body in (b'{"a":1,"b":2}', b'{"b": 2, "a": 1}', b'{"a":1,"b":2}', b'{"a":1, "b":2}'):
        sent = index.compared(post(body))
        assert sent is not None
        assert list(index.buckets(sent)) == [list(index.entries)]
    assert read == [b'{"a":1,"b":2}', b'{"b": 2, "a": 1}', b'{"a":1, "b":2}']


@pytest.mark.parametrize(
    ("config", "recorded", "sent", "same"),
    [
        ({"filter_query_parameters": ["id"]}, {"url": "https://a.test/?id=1"}, {"url": "https://a.test/?id=2"}, True),
        (
            {"filter_query_parameters": [("id", "X")]},
            {"url": "https://a.test/?id=X"},
            {"url": "https://a.test/?id=2"},
            True,
        ),
        ({"filter_post_data_parameters": ["id"]}, {"body": b"id=1&a=2"}, {"body": b"a=2&id=3"}, True),
        ({"filter_post_data_parameters": [("id", "X")]}, {"body": b'{"id": "X"}'}, {"body": b'{"id": 7}'}, True),
        ({"filter_post_data_parameters": ["id"]}, {"body": b'{"a": {"id": 1}}'}, {"body": b'{"a": {"id": 2}}'}, False),
        (
            {"filter_post_data_parameters": ["id"], "filter_nested_post_data_parameters": True},
            {"body": b'{"a": {"id": 1}}'},
            {"body": b'{"a": {"id": 2}}'},
            True,
        ),
    ],
)
def test_filters_hold_for_both_sides(
    tape: Callable[..., Cassette], post: Callable[..., Request], config: Any, recorded: Any, sent: Any, same: Any
) -> None:
    """A value that a filter keeps out of the file is not compared in the live request either."""
    assert matches(tape, post(**recorded), post(**sent), **config) is same
