"""A recording whose request was scrubbed is still found by the request as it is sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Cassette, Recording, Request, Response
from pytest_llmtrace.record._scrubbing import Scrubber
from pytest_llmtrace.replay import Player, scrub
from pytest_llmtrace.replay.settings import read_config
from pytest_llmtrace.secrets import urls

KEY = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x"
PART = '--{0}\r\nContent-Disposition: form-data; name="{1}"\r\n\r\n{2}\r\n--{0}--\r\n'


def written(*requests: Request) -> Cassette:
    """Return requests as a recorder writes them."""
    scrubber = Scrubber(read_config({}), {})
    kept = []
    for index, request in enumerate(requests):
        reply = Response(status=200, chunks=(b"reply %d" % index,))
        result = scrubber.scrubbed(Recording(index=index, request=request, response=reply))
        assert result is not None
        kept.append(result.recording)
    return Cassette(label="tape.yaml", recordings=tuple(kept))


@pytest.mark.parametrize(
    ("sent", "other"),
    [
        ({"body": {"a": f"\n{KEY}\tjane@x.io /home/jdoe/x"}}, {"body": {"a": f"\n{KEY}"}}),
        ({"body": {"a": json.dumps({"api_key": "Zq8", "b": "\n/home/jdoe/x"})}}, {"body": {"a": "{}"}}),
        ({"body": b"a=1&client_secret=Zq8&e=jane%40x.io"}, {"body": b"a=2&client_secret=Zq8&e=jane%40x.io"}),
        ({"body": PART.format("b", "a", KEY).encode()}, {"body": PART.format("b", "a", "no key").encode()}),
        ({"body": {"jane@x.io": 1}}, {"body": {"b": 1}}),
        ({"url": f"https://a.test/{KEY}/v1"}, {"url": "https://a.test/other/v1"}),
        (
            {"url": "https://a.test/jane%40x.io?by=jane@x.io&b=1"},
            {"url": "https://a.test/jane%40x.io?by=jane@x.io&b=2"},
        ),
        ({"url": "https://me:pw@a.test/v1?key=Zq8&b=1"}, {"url": "https://me:pw@a.test/v1?key=Zq8&b=2"}),
    ],
)
def test_a_recording_is_found_by_its_request(post: Callable[..., Request], sent: Any, other: Any) -> None:
    """The recording does not hold the secret; it answers the request that does, and no other request."""
    cassette = written(post(**{"body": {}, **sent}), post({"plain": True}))
    [first, _] = cassette.recordings
    assert KEY not in f"{first.request.url} {first.request.body!r}"
    assert first.request != post(**{"body": {}, **sent})
    player = Player(cassette)
    assert player.answer(post(**{"body": {}, **other})) is None
    assert player.answer(post(**{"body": {}, **sent})) is not None
    assert player.answer(post({"plain": True})) is not None
    assert player.unplayed() == ()


def test_pairs_of_a_scrubbed_form_have_no_order(post: Callable[..., Request]) -> None:
    """A form whose secrets were replaced is still compared as a form."""
    player = Player(written(post(f"a=1&client_secret=Zq8&k={KEY}".encode())))
    assert player.answer(post(f"k={KEY}&client_secret=Zq9&a=1".encode())) is not None


def test_a_compressed_request_is_compared_scrubbed(post: Callable[..., Request]) -> None:
    """A compressed request matches the scrubbed recording of the same body, which is written uncompressed."""
    body = json.dumps({"a": KEY}).encode()
    player = Player(written(post(body)))
    assert player.answer(post(gzip.compress(body))) is not None


def test_headers_are_compared_scrubbed(post: Callable[..., Request]) -> None:
    """A header that `match_on` names is compared scrubbed, since it may have held a secret too."""
    sent, other = (post(url=f"https://a.test/{KEY}", headers=[("x-mine", f"{word} {KEY}")]) for word in ("a", "b"))
    player = Player(written(sent), config=read_config({"match_on": ["headers"]}))
    assert player.answer(other) is None
    assert player.answer(sent) is not None


def test_nothing_is_searched_when_nothing_was_taken_out(
    post: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are not searched for secrets if the cassette holds no mask."""
    cassette = written(post({"a": 1}, url="https://never.test/v1"))

    def fail(_: str) -> str:
        raise AssertionError

    for module, name in ((scrub, "edits"), (scrub, "scrubbed_url"), (urls, "hits_in_url")):
        monkeypatch.setattr(module, name, fail)
    assert Player(cassette).answer(post({"a": 1}, url="https://never.test/v1")) is not None
