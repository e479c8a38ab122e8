"""The functions of a `vcr_config` are called on replay as vcrpy calls them."""

import gzip
import re
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Answer, Cassette, Request, Response
from pytest_llmtrace.replay import Player, read_config

URL = "https://a.test/v1"


def player(cassette: Any, **config: object) -> Player:
    return Player(cassette, config=read_config(config))


def served(player: Player, request: Request) -> Answer:
    answer = player.answer(request)
    assert answer is not None
    return answer


def test_before_record_request_on_both_sides(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A function that rewrites requests is applied to the recorded request and to the sent one."""

    def without_id(request: Any) -> Any:
        request.uri = re.sub(r"/\d+", "/ID", request.uri)
        request.headers = {"X": "y"}
        request.body = request.body.replace(b"now", b"then")
        return request

    played = player(tape(post(b"now", url=f"{URL}/1")), before_record_request=without_id)
    assert played.answer(post(b"then", url=f"{URL}/22", headers=[("A", "b")])) is not None


@pytest.mark.parametrize("key", ["before_record_request", "before_record"])
def test_before_record_request_drops(tape: Callable[..., Cassette], post: Callable[..., Request], key: Any) -> None:
    """A request that the function drops is not answered, and a recording of it does not count as unplayed."""

    def no_login(request: Any) -> Any:
        return None if "login" in request.path else request

    played = player(tape(post(url=f"{URL}/login"), post(url=URL)), **{key: [no_login]})
    assert played.answer(post(url=f"{URL}/login")) is None
    assert [recording.index for recording in played.unplayed()] == [1]
    assert played.explain(post(url=f"{URL}/login")) == (
        "hook      the configuration (before_record_request, ignore_hosts) drops this request"
    )


@pytest.mark.parametrize(
    "config", [{"ignore_hosts": ["a.test"]}, {"ignore_hosts": [re.compile(r".*\.test")]}, {"ignore_localhost": True}]
)
def test_ignored_hosts(tape: Callable[..., Cassette], post: Callable[..., Request], config: Any) -> None:
    """A request to an ignored host is not answered, and a recording of it does not count as unplayed."""
    url = "http://localhost:4000/v1" if "ignore_localhost" in config else URL
    played = player(tape(post(url=url)), **config)
    assert played.answer(post(url=url)) is None
    assert played.unplayed() == ()


def gzipped_reply() -> Response:
    headers = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"), ("Set-Cookie", "a"))
    return Response(status=200, reason="OK", headers=headers, chunks=(gzip.compress(b'{"a": 1}'),), offsets=(0.5,))


def test_before_record_response(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A function rewrites the response that is served; its body is decoded first if the configuration says so."""

    def changed(response: Any) -> Any:
        assert response["headers"]["Set-Cookie"] == ["a"]
        response["headers"].pop("Set-Cookie")
        response["status"] = {"code": 201, "message": "Created"}
        response["body"]["string"] = response["body"]["string"].replace(b"1", b"2")
        return response

    played = player(
        tape(post(), response=gzipped_reply()), before_record_response=changed, decode_compressed_response=True
    )
    assert served(played, post()).response == Response(
        status=201, reason="Created", headers=(("Content-Type", "application/json"),), chunks=(b'{"a": 2}',)
    )


def test_a_coding_that_cannot_be_undone_keeps_its_header(
    tape: Callable[..., Cassette], post: Callable[..., Request]
) -> None:
    """A body in the coding of another library keeps its header, as with vcrpy, so that the client can decode it."""
    reply = Response(status=200, headers=(("Content-Encoding", "br"),), chunks=(b"\x0b\x00\x80\x03",))
    played = player(
        tape(post(), response=reply), before_record_response=lambda shown: shown, decode_compressed_response=True
    )
    assert served(played, post()).response == reply


def test_before_record_response_leaves_the_body(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """Chunks and their times stay if the body does; a reply that the function drops does not count as unplayed."""
    played = player(tape(post(), response=gzipped_reply()), before_record_response=lambda response: response)
    assert served(played, post()).response == gzipped_reply()
    assert player(tape(post()), before_record_response=lambda response: None).unplayed() == ()


@pytest.mark.parametrize("value", ["sk-real", lambda request, response: "sk-real"])
def test_sensitive_data_is_put_back(tape: Callable[..., Cassette], post: Callable[..., Request], value: Any) -> None:
    """A placeholder in the file stands for its value, in the request as in the reply."""
    reply = Response(status=200, headers=(("X", "<KEY>"),), chunks=(b"<KEY>!",))
    played = player(tape(post({"user": "<KEY>"}), response=reply), filter_sensitive_data={"<KEY>": value})
    answer = served(played, post({"user": "sk-real"}))
    assert answer.response == Response(status=200, headers=(("X", "sk-real"),), chunks=(b"sk-real!",))


def test_after_load_interaction(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """The function gets request and response, and a third argument if it takes one; None drops the interaction."""
    with_cassette, without = [], []

    def three(request: Any, response: Any, cassette: Any) -> Any:
        with_cassette.append(cassette)
        request.uri += "/x"
        return request, response

    def two(request: Any, response: Any) -> Any:
        without.append(request.uri)
        return None if request.uri.endswith("b/x") else (request, response)

    played = player(tape(post(url=f"{URL}/a"), post(url=f"{URL}/b")), after_load_interaction=[three, two])
    assert (with_cassette, without) == ([None, None], [f"{URL}/a/x", f"{URL}/b/x"])
    assert played.answer(post(url=f"{URL}/a/x")) is not None
    assert played.unplayed() == ()


def test_after_load_interaction_that_returns_something_else(
    tape: Callable[..., Cassette], post: Callable[..., Request]
) -> None:
    """The error names what the function may return."""

    def wrong(request: Any, response: Any) -> Any:
        return request

    with pytest.raises(UsageError, match=r"wrong returned HookRequest, not \(request, response\)"):
        player(tape(post()), after_load_interaction=wrong)


def test_hooks_may_return_an_object_of_their_own(tape: Callable[..., Cassette]) -> None:
    """A function may return any object that has the attributes of a request."""

    class Mine:
        method, uri, headers, body = "GET", URL, {"A": ["b", "c"]}, None

    played = player(tape(Request(method="POST", url="https://b.test")), before_record_request=lambda request: Mine())
    assert played.answer(Request(method="PUT", url="https://c.test")) is not None
