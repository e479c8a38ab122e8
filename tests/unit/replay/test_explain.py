"""A request that nothing answers is explained by the nearest recording and the differing parts."""

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Cassette, Request
from pytest_llmtrace.replay import Player, read_config

CHAT = "https://openrouter.ai/api/v1/chat/completions"


def explained(player: Player, request: Any) -> str:
    assert player.answer(request) is None
    return player.explain(request)


def chat(content: str, **more: object) -> dict[str, object]:
    return {
        "model": "m",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": content}],
        **more,
    }


def test_nearest_by_json_path(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """The nearest recording is named, with each differing value by its path."""
    player = Player(tape(post({"input": "x"}), post(chat("Why?", a=1)), post(chat("What is OTel?"))))
    assert explained(player, post(chat("What is OpenTelemetry?"))) == (
        "cassette  tape.yaml: 3 interactions, 3 not yet played\n"
        f"nearest   POST {CHAT}  (interaction 2)\n"
        "differs   body $.messages[1].content: recorded 'What is OTel?', sent 'What is OpenTelemetry?'"
    )


def test_already_played(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A request that was sent too often is told from one that was never recorded, with what lets it be played again."""
    player = Player(tape(post({"q": 1}), post({"q": 1})))
    player.answer(post({"q": 1}))
    player.answer(post({"q": 1}))
    assert explained(player, post({"q": 1})) == (
        "cassette  tape.yaml: 2 interactions, 0 not yet played\n"
        f"nearest   POST {CHAT}  (interaction 1), already played 2 of 2\n"
        "repeat    allow_playback_repeats in vcr_config plays it again"
    )
    assert explained(player, post({"q": 2})) == (
        "cassette  tape.yaml: 2 interactions, 0 not yet played\n"
        f"nearest   POST {CHAT}  (interaction 0), already played 2 of 2\n"
        "differs   body $.q: recorded 1, sent 2"
    )


def test_already_played_with_others_waiting(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """Another recording that is still unplayed is named too: the second request may be the one that has changed."""
    player = Player(tape(post({"q": 1}), post({"q": 2})))
    player.answer(post({"q": 1}))
    assert explained(player, post({"q": 1})) == (
        "cassette  tape.yaml: 2 interactions, 1 not yet played\n"
        f"nearest   POST {CHAT}  (interaction 0), already played 1 of 1\n"
        "repeat    allow_playback_repeats in vcr_config plays it again\n"
        f"unplayed  POST {CHAT}  (interaction 1)\n"
        "differs   body $.q: recorded 2, sent 1"
    )


def test_unplayed_is_preferred(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """Of two equally near recordings, the unplayed one is named."""
    player = Player(tape(post({"q": 1}), post({"q": 2})))
    player.answer(post({"q": 1}))
    assert f"nearest   POST {CHAT}  (interaction 1)\n" in explained(player, post({"q": 3}))


def test_without_a_reply(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A recording without a reply is named as the reason."""
    assert explained(Player(tape(post(), response=None)), post()) == (
        "cassette  tape.yaml: 1 interaction, 0 not yet played\n"
        f"nearest   POST {CHAT}  (interaction 0), recorded without a reply"
    )


def test_empty_cassette(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A cassette without interactions has no nearest recording."""
    assert explained(Player(tape()), post()) == "cassette  tape.yaml: 0 interactions, 0 not yet played"


@pytest.mark.parametrize(
    ("recorded", "sent", "lines"),
    [
        (
            {"url": "https://a.test/v1?x=1&y=2"},
            {"url": "http://b.test:8080/v2?x=3", "method": "GET"},
            [
                "method: recorded POST, sent GET",
                "scheme: recorded https, sent http",
                "host: recorded a.test, sent b.test",
                "port: recorded 443, sent 8080",
                "path: recorded /v1, sent /v2",
                "query x: recorded '1', sent '3'",
                "... and 1 more",
            ],
        ),
        ({"body": {"a": 1}}, {"body": {}}, ["body $.a: recorded 1, not sent"]),
        ({"body": {}}, {"body": {"a b": [1]}}, ["body $['a b']: not recorded, sent [1]"]),
        ({"body": {"a": [1]}}, {"body": {"a": [1, {"b": None}]}}, ['body $.a[1]: not recorded, sent {"b": null}']),
        ({"body": {"a": 1}}, {"body": {"a": True}}, ["body $.a: recorded 1, sent true"]),
        ({"body": {"a": "1"}}, {"body": {"a": 1}}, ["body $.a: recorded '1', sent 1"]),
        ({"body": b"a=1&b=2"}, {"body": b"a=1&b=3"}, ["body field b: recorded '2', sent '3'"]),
        ({"body": b"one"}, {"body": b"two"}, ["body: recorded 'one', sent 'two'"]),
        ({"body": b"\xff"}, {"body": b"\xff\xfe"}, ["body: recorded 1 bytes, sent 2 bytes"]),
        ({"body": {}}, {}, ["body: recorded JSON, sent no body"]),
        (
            {"body": b"--a\r\nX: y\r\n\r\n1\r\n--a--\r\n"},
            {"body": b"--b\r\nX: y\r\n\r\n2\r\n--b--\r\n"},
            ["body part 0: recorded 'X: y\\r\\n\\r\\n1', sent 'X: y\\r\\n\\r\\n2'"],
        ),
        (
            {"body": {"a": "x" * 100 + "old" + "y" * 100}},
            {"body": {"a": "x" * 100 + "new" + "y" * 100}},
            [
                f"body $.a: recorded '...{'x' * 20}old{'y' * 57}...', sent '...{'x' * 20}new{'y' * 57}...'",
            ],
        ),
        ({"body": {}}, {"body": {"a": "x" * 100}}, [f"body $.a: not recorded, sent '{'x' * 80}...'"]),
    ],
)
def test_differing_parts(
    tape: Callable[..., Cassette], post: Callable[..., Request], recorded: Any, sent: Any, lines: Any
) -> None:
    """Each differing part has its own line; the number of lines and the length of values are limited."""
    text = explained(Player(tape(post(**recorded))), post(**sent))
    assert text.split("\n")[2:] == [f"differs   {line}" for line in lines]


def test_own_matcher(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A matcher that refuses is named, with its message."""

    def same_user(sent: Any, recorded: Any) -> None:
        raise AssertionError("user 1 is not 2")

    text = explained(Player(tape(post()), config=read_config({"match_on": ["method", same_user]})), post())
    assert text.endswith("\ndiffers   matcher same_user: user 1 is not 2")
    config = read_config({"match_on": ["method", lambda sent, recorded: False]})
    text = explained(Player(tape(post()), config=config), post())
    assert text.endswith("\ndiffers   matcher <lambda>: returned False")


@pytest.mark.parametrize("match_on", [["uri"], ["headers", "raw_body"], ["method", "path", "query", "body"]])
def test_no_secret_is_printed(tape: Callable[..., Cassette], post: Callable[..., Request], match_on: Any) -> None:
    """Keys are masked wherever they occur: in the address, the headers and the body."""
    keys = [f"sk-{letter * 20}" for letter in "abcdefgh"]
    recorded = post(
        {"q": f"use {keys[0]}", "api_key": keys[1]},
        url=f"https://me:{keys[2]}@a.test/v1?key={keys[3]}&mine={keys[3]}",
        headers=[("Authorization", keys[4]), ("X-Other", f"Bearer {keys[5]}")],
    )
    sent = post({"q": f"use {keys[6]}", "api_key": keys[7]}, url="https://a.test/v1?key=1&mine=2&more=3")
    config = read_config({"match_on": match_on, "filter_query_parameters": ["mine"]})
    text = explained(Player(tape(recorded), config=config), sent)
    assert "differs" in text
    assert not [key for key in keys if key in text]
    assert "https://a.test/v1?key=[secret]&mine=[secret]" in text
