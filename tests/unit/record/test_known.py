"""Values that a trace knows to be secret are searched for before a file is written, and masked or refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.canaries import Sought
from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Exchange
from pytest_llmtrace.record import Recorder
from pytest_llmtrace.replay import Player, load, read_config

PLAIN = "window-seat-4711"
"""A secret that neither looks like a key nor has a telling field name: only the trace knows that it is secret."""
ENCODED = base64.b64encode(f"At the {PLAIN}.".encode()).decode()
KNOWN = (Sought(value=PLAIN, what="a cookie", where="request header cookie, exchange 0", kind="secret"),)
SSE = (("content-type", "text/event-stream"),)


def event(text: str) -> bytes:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}}]})}\n\n".encode()


@pytest.fixture
def written(recorder: Callable[..., Recorder], tmp_path: Path) -> Callable[..., str]:
    """Return a function that records an exchange, checks that its request finds it, and returns report and file."""

    def written(exchange: Exchange, **config: Any) -> str:
        said = str(recorder(**config).save([exchange], KNOWN))
        path = tmp_path / "chat.yaml"
        player = Player(load(path), config=read_config(config))
        assert player.answer(exchange.request) is not None, player.explain(exchange.request)
        return f"{said.partition('; ')[2]}\n{path.read_text(encoding='utf-8')}"

    return written


@pytest.mark.parametrize(
    ("place", "fields"),
    [
        ("request header x-note", {"headers": (("x-note", f"at {PLAIN}"),)}),
        ("response header x-note", {"answer": (("x-note", f"at {PLAIN}"),)}),
        ("response body", {"chunks": [json.dumps({"said": f"At {PLAIN}."}).encode()]}),
        ("response body", {"chunks": [b'{"said": "At window-', b'seat-4711."}']}),
        ("response body", {"chunks": [json.dumps({"said": ENCODED}).encode()]}),
        ("response body", {"chunks": [event(f"At {PLAIN}."), event("Done.")], "answer": SSE}),
    ],
    ids=["request header", "response header", "body", "two chunks", "base64", "event"],
)
def test_what_can_be_masked_is(
    made: Callable[..., Exchange], written: Callable[..., str], place: str, fields: dict[str, Any]
) -> None:
    """A header and a reply are written with a mask, whatever form the secret has there, and the place is named."""
    chunks = fields.pop("chunks", [])
    text = written(made(b"{}", *chunks, **fields))
    assert text.startswith(f"scrubbed: {place}\n")
    assert PLAIN not in text
    assert "seat-4711" not in text
    assert ENCODED not in text


def test_a_stream_keeps_its_chunks(made: Callable[..., Exchange], written: Callable[..., str], tmp_path: Path) -> None:
    """Chunks and their offsets stay if no secret spans two of them; the length is that of the new body."""
    answer = (*SSE, ("content-length", "9"))
    written(made(b"{}", event("Hi."), event(f"At {PLAIN}."), event("Done."), answer=answer))
    [recording] = load(tmp_path / "chat.yaml").recordings
    assert recording.response is not None
    assert recording.response.chunks == (event("Hi."), event("At [secret]."), event("Done."))
    assert recording.response.offsets == (1.0, 2.0, 3.0)
    assert ("content-length", str(len(recording.response.body))) in recording.response.headers


def refusal(path: Path, place: str) -> str:
    return (
        f"{path}: nothing was written, since a cookie (request header cookie, exchange 0) is in the {place} of "
        "POST https://api.openai.com/v1/chat/completions, where it cannot be masked. Next: take it out of the call, "
        "or out of the file with before_record_request or before_record_response; or let it stay with scrub_keep"
    )


@pytest.mark.parametrize(
    ("place", "body", "chunks"),
    [
        ("request body", json.dumps({"note": PLAIN}).encode(), []),
        ("request body", json.dumps({"note": ENCODED}).encode(), []),
        ("response body, over several events,", b"{}", [event("At window-"), event("seat-4711.")]),
        ("response body", b"{}", [b"\xff " + PLAIN.encode()]),
        ("response body", b"{}", [ENCODED.encode()]),
    ],
    ids=["request body", "request body, base64", "over several events", "no text", "nothing else"],
)
def test_what_cannot_be_masked_is_refused(
    made: Callable[..., Exchange],
    recorder: Callable[..., Recorder],
    tmp_path: Path,
    place: str,
    body: bytes,
    chunks: list[bytes],
) -> None:
    """A masked request would match nothing, and a mask alone is not a reply: the error says where the secret is."""
    with pytest.raises(CassetteError) as raised:
        recorder().save([made(body, *chunks, answer=SSE)], KNOWN)
    assert str(raised.value) == refusal(tmp_path / "chat.yaml", place)
    assert not (tmp_path / "chat.yaml").exists()


def test_a_secret_in_the_url_is_not_printed(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """The error that names the request has the mask in its URL."""
    with pytest.raises(CassetteError) as raised:
        recorder().save([made(url=f"https://api.openai.com/v1/{PLAIN}/chat")], KNOWN)
    assert "is in the URL of POST https://api.openai.com/v1/[secret]/chat, where" in str(raised.value)


def test_a_secret_in_a_url_in_lower_case_is_not_written(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder]
) -> None:
    """A path that somebody has put into lower case still gives the secret away."""
    with pytest.raises(CassetteError) as raised:
        recorder().save([made(url=f"https://api.openai.com/v1/{PLAIN}/chat")], [replace(KNOWN[0], value=PLAIN.title())])
    assert "is in the URL of POST https://api.openai.com/v1/[secret]/chat, where" in str(raised.value)


def test_what_is_to_stay_stays(made: Callable[..., Exchange], written: Callable[..., str]) -> None:
    """A value that `scrub_keep` names is not secret, and stays."""
    text = written(made(json.dumps({"note": PLAIN}).encode()), scrub_keep=["window-.*"])
    assert text.startswith("scrubbed: nothing\n")
    assert PLAIN in text


@pytest.mark.parametrize("secret", [PLAIN, "sk-proj-" + "Zq7Wx2Lm9P" * 4])
def test_a_secret_in_the_name_of_the_file(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, secret: str
) -> None:
    """A key among the parameters of a test is part of the name of its default cassette: no such file is written."""
    with pytest.raises(CassetteError) as raised:
        recorder(name=f"test_ask[{secret}].yaml").save([made()], KNOWN)
    assert str(raised.value) == (
        f"{tmp_path / 'test_ask[[secret]].yaml'}: nothing was written, since a secret is in the name of the file, "
        "which the parameters of a test are part of. Next: give the parameter an id, pytest.param(..., id=...), or "
        "name a cassette"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("https://window-seat-4711.proxy.test/v1", "a cookie (request header cookie, exchange 0)"),
        ("https://sk-proj-zq8canary0123456789abcdef.proxy.test/v1", "an OpenAI key"),
    ],
)
def test_a_secret_in_the_host_is_refused(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, url: str, what: str
) -> None:
    """Clients write hosts in lower case, and a mask in a host would be no host: the error does not print it."""
    known = [replace(KNOWN[0], value="Window-Seat-4711")]
    with pytest.raises(CassetteError) as raised:
        recorder().save([made(url=url)], known)
    assert str(raised.value).startswith(
        f"{tmp_path / 'chat.yaml'}: nothing was written, since {what} is in the host of POST https://[secret]/v1, where"
    )
    assert not (tmp_path / "chat.yaml").exists()
    kept = recorder(scrub_keep=["(?i)window-seat.*", "sk-proj-.*"]).save([made(url=url)], known)
    assert kept is not None


def test_a_file_in_gzip_is_not_recorded_into(recorder: Callable[..., Recorder], tmp_path: Path) -> None:
    """LangChain's form is only read."""
    with pytest.raises(CassetteError) as raised:
        recorder(name="chat.yaml.gz")
    assert str(raised.value) == (
        f"{tmp_path / 'chat.yaml.gz'}: a file in gzip is only read; record with another name, such as one with .yaml"
    )
