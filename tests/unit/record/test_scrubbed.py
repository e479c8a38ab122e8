"""No secret gets into a file, whichever place it travels in, and what was scrubbed is still found."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from backports import zstd

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Exchange, Request, StreamEnd
from pytest_llmtrace.record import Recorder
from pytest_llmtrace.replay import Player, load, read_config

CANARY = "sk-proj-Canary0123456789abcdefCanary"
REQUEST_HEADERS = [
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "x-provider-api-key", "cookie", "openai-organization",
    "openai-project", "x-amz-security-token", "x-amz-date", "amz-sdk-invocation-id", "dd-api-key",
    "proxy-authorization", "traceparent", "tracestate", "baggage", "ocp-apim-subscription-key", "x-litellm-api-key",
    "x-functions-key", "x-auth-token", "cf-aig-authorization", "helicone-auth", "x-portkey-virtual-key",
    "x-private-key", "x-master-key", "x-secret-key", "x-credential",
]  # fmt: skip
RESPONSE_HEADERS = [
    "set-cookie", "set-cookie2", "openai-organization", "openai-project", "anthropic-organization-id", "x-request-id",
    "request-id",
    "llm_provider-openai-organization", "x-litellm-key-spend", "x-litellm-model-api-base", "x-amzn-requestid",
]  # fmt: skip
QUERY = [
    "key", "api_key", "access_token", "token", "subscription-key", "apikey", "apiKey", "client_secret", "password",
    "auth_token", "x-api-key", "sig", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "X-Goog-Signature",
]  # fmt: skip
FIELDS = [
    "api_key", "apikey", "client_secret", "refresh_token", "access_token", "id_token", "assertion", "authorization",
    "authorization_token", "auth_token", "private_key", "X-API-Key", "aws_secret_access_key", "aws_session_token",
    "password", "passwd", "passphrase", "client_assertion",
]  # fmt: skip
TEXTS = {
    "password of a URL": ("by http://jane:Zq8canary77@proxy.corp:3128/x", "Zq8canary77"),
    "token of a URL": ("at https://mcp.corp/sse?v=1&token=Zq8canary77, as", "Zq8canary77"),
    "signature of a URL": ("![](https://b.corp/i.png?se=2026&sig=Zq8canary/77%3D) as", "Zq8canary"),
    "masked key": ("Incorrect API key provided: abc***canary. You can", "abc***canary"),
    "realtime secret": ("ek_68a1b2c3d4e5f60718293a4b5c6d7e8f", "ek_68a1b2c3d4e5f60718293a4b5c6d7e8f"),
    "organization": ("in organization org-AbCdEf0123456789abcdefgh on", "org-AbCdEf0123456789abcdefgh"),
    "email": ("write to jane.canary@corp-mail.io", "jane.canary"),
    "email at a reserved name": ("write to jane.canary@example.com", "jane.canary"),
    "email after an escape": ("one\n\tjane.canary@corp-mail.io", "jane.canary"),
    "home": ("at /home/janecanary/project", "janecanary"),
    "home after an escape": ("\n/Users/janecanary/project", "janecanary"),
    "aws": ("arn:aws:bedrock:us-east-1:498765432101:model", "498765432101"),
}


def in_pieces(text: str) -> list[bytes]:
    """Return the events of a stream that brings a text three characters at a time, a chunk each."""
    deltas = [{"choices": [{"index": 0, "delta": {"content": text[at : at + 3]}}]} for at in range(0, len(text), 3)]
    return [f"data: {json.dumps(delta)}\n\n".encode() for delta in deltas]


def joined(chunks: tuple[bytes, ...]) -> str:
    """Return the text that such events bring; each is a chunk still."""
    return "".join(json.loads(chunk[6:])["choices"][0]["delta"]["content"] for chunk in chunks)


def both_cases(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [*names, *(name.title() for name in names)])


@pytest.fixture
def written(recorder: Callable[..., Recorder], tmp_path: Path) -> Callable[..., str]:
    """Record one exchange; prove that its own request finds it again; return the text of the file."""

    def written(exchange: Exchange, **config: Any) -> str:
        said = recorder(**config).save([exchange])
        assert said is not None
        assert sum(said.scrubbed.values()) or config
        path = tmp_path / "chat.yaml"
        player = Player(load(path), config=read_config(config))
        assert player.answer(exchange.request) is not None, player.explain(exchange.request)
        return path.read_text(encoding="utf-8")

    return written


@both_cases(REQUEST_HEADERS)
def test_request_headers(made: Callable[..., Exchange], written: Callable[..., str], name: str) -> None:
    """The name of a secret request header is written, its value is not."""
    text = written(made(headers=((name, CANARY), ("accept", "*/*"))))
    assert "anary" not in text
    assert f'      {name}: ["[secret]"]\n' in text


@both_cases(RESPONSE_HEADERS)
def test_response_headers(made: Callable[..., Exchange], written: Callable[..., str], name: str) -> None:
    """The value of a secret response header is not written."""
    assert "anary" not in written(made(b"{}", b"{}", answer=((name, CANARY),)))


@both_cases(QUERY)
def test_query(made: Callable[..., Exchange], written: Callable[..., str], name: str) -> None:
    """A secret parameter is masked, and a user in the address left out; other parameters stay as they were sent."""
    text = written(made(url=f"https://me:canary@a.test/v1?b=1%2F2&{name}={CANARY}"))
    assert "anary" not in text
    assert f'    uri: "https://a.test/v1?b=1%2F2&{name}=[secret]"\n' in text


@both_cases(FIELDS)
@pytest.mark.parametrize("form", ["json", "nested", "inside", "form", "multipart"])
def test_body_fields(made: Callable[..., Exchange], written: Callable[..., str], name: str, form: str) -> None:
    """Secret fields are masked in JSON at any depth, in JSON that travels as a string, in forms and in multipart."""
    plain = {name: "canary-value-1", "q": "hello"}
    body = {
        "json": json.dumps(plain),
        "nested": json.dumps({"a": [plain]}),
        "inside": json.dumps({"arguments": json.dumps(plain)}),
        "form": f"{name}=canary-value-1&q=hello",
        "multipart": f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\ncanary-value-1\r\n--b--\r\n',
    }[form].encode()
    text = written(made(body, body))
    assert "canary" not in text
    assert "hello" in text or form == "multipart"


@pytest.mark.parametrize("name", ["Ocp-Apim-Subscription-Key", "x-auth-token", "PRIVATE-TOKEN", "Cookie"])
def test_headers_that_a_body_names(made: Callable[..., Exchange], written: Callable[..., str], name: str) -> None:
    """Credential headers in a body, which a provider is to send to an MCP server, are masked; other headers stay."""
    tool = {"type": "mcp", "headers": {name: "canary-value-1", "x-request-id": "r1"}, name: "no header"}
    text = written(made(json.dumps({"tools": [tool]}).encode(), b"{}"))
    assert "canary" not in text
    assert '"r1"' in text
    assert '"no header"' in text


@pytest.mark.parametrize("name", ["speech.mp3", "ü.mp3"])
def test_texts_beside_a_file(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, name: str
) -> None:
    """In multipart the other parts are scrubbed, the file stays byte for byte, and the request is still found."""
    parts = {
        b'name="api_key"': b"canary-value-1",
        b'name="prompt"': "für jane.canary@corp-mail.io".encode(),
        b'name="file"; filename="%s"' % name.encode("latin-1"): b"\xff\xfb a@canary.io \x00",
    }
    body = b"".join(b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % part for part in parts.items())
    exchange = made(body + b"--b--\r\n", b"{}")
    said = recorder().save([exchange])
    assert said is not None
    assert said.scrubbed == {"request body": 2}
    cassette = load(tmp_path / "chat.yaml")
    sent = cassette.recordings[0].request.body
    assert sent == body.replace(b"canary-value-1", b"[secret]").replace(b"jane.canary@corp-mail.io", b"[removed]") + (
        b"--b--\r\n"
    )
    assert Player(cassette).answer(exchange.request) is not None


@pytest.mark.parametrize("form", ["bytes", "file"])
def test_a_key_among_bytes_that_are_no_text(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, form: str
) -> None:
    """A key is recognised by its shape there too; everything else, even what looks like an address, stays unchanged."""
    body = b"\xff\xfe a@canary.io " + CANARY.encode() + b" \x00\xff"
    if form == "file":
        body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + body + b"\r\n--b--\r\n"
    exchange = made(body, b"\xff" + CANARY.encode() + b"\xff")
    said = recorder().save([exchange])
    assert said is not None
    assert said.scrubbed == {"request body": 1, "response body": 1}
    cassette = load(tmp_path / "chat.yaml")
    [recording] = cassette.recordings
    assert recording.request.body == body.replace(CANARY.encode(), b"[secret]")
    assert recording.response is not None
    assert recording.response.body == b"\xff[secret]\xff"
    assert Player(cassette).answer(exchange.request) is not None


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("where", ["request", "response", "stream", "pieces", "compressed"])
def test_texts(
    made: Callable[..., Exchange], written: Callable[..., str], tmp_path: Path, text: str, where: str
) -> None:
    """A secret is masked wherever its text stands; JSON stays JSON, events stay events, chunks end where they did."""
    said, canary = TEXTS[text]
    body = json.dumps({"error": {"message": f"{said}, he said"}}).encode()
    event = b"data: " + body + b"\n\n"
    sse = (("content-type", "text/event-stream"),)
    found = written(
        {
            "request": lambda: made(body, b"{}"),
            "response": lambda: made(b"{}", body),
            "stream": lambda: made(b"{}", event, b"data: [DONE]\n\n", answer=sse),
            "pieces": lambda: made(b"{}", *in_pieces(f"{said}, he said"), answer=sse),
            "compressed": lambda: made(b"{}", gzip.compress(body), answer=(("content-encoding", "gzip"),)),
        }[where]()
    )
    assert canary not in found
    if where == "pieces":
        [recording] = load(tmp_path / "chat.yaml").recordings
        assert recording.response is not None
        found = joined(recording.response.chunks)
        assert canary not in found
    assert "he said" in found
    if where == "stream":
        assert "offsets: [1.0, 2.0]\n" in found


@pytest.mark.parametrize("name", ["location", "Referer"])
@pytest.mark.parametrize(
    "url", ["https://x.test/a?next=1&api_key={}", "https://jane:{}@x.test/a", "https://x.test/?X-Amz-Signature={}"]
)
def test_a_url_in_a_header(made: Callable[..., Exchange], written: Callable[..., str], name: str, url: str) -> None:
    """The URLs in `Location` and `Referer` are scrubbed like the URL of a request."""
    assert "Zq8Canary77" not in written(made(b"{}", answer=((name, url.format("Zq8Canary77")),)))


def test_a_reason_phrase(made: Callable[..., Exchange], written: Callable[..., str]) -> None:
    """A reason phrase is scrubbed like any other text."""
    exchange = made(b"{}")
    assert exchange.response is not None
    answered = replace(exchange, response=replace(exchange.response, reason=f"no such key: {CANARY}"))
    assert CANARY not in written(answered)


@pytest.mark.parametrize(
    ("said", "second"),
    [("gzip, gzip", gzip.compress), ("GZIP , identity,gzip", gzip.compress), ("gzip, zstd", zstd.compress)],
)
def test_a_response_in_several_encodings(
    made: Callable[..., Exchange], written: Callable[..., str], said: str, second: Callable[[bytes], bytes]
) -> None:
    """The body is written without its encodings."""
    body = second(gzip.compress(json.dumps({"access_token": "Zq8Canary77"}).encode()))
    text = written(made(b"{}", body, answer=(("Content-Encoding", said),)))
    assert '"access_token": "[secret]"' in text
    assert "ncoding" not in text


def flushed(text: str, *, end: bool) -> bytes:
    """Return a text in zstandard, with or without its end."""
    packer = zstd.ZstdCompressor()
    return packer.compress(text.encode(), packer.FLUSH_FRAME if end else packer.FLUSH_BLOCK)


@pytest.mark.parametrize(
    ("body", "stream_end", "kept"),
    [
        (flushed("a body", end=True), StreamEnd.EXHAUSTED, b"a body"),
        (flushed("a body", end=False), StreamEnd.EXHAUSTED, flushed("a body", end=False)),
        (flushed("a body", end=False), StreamEnd.CLOSED, b"a body"),
        (flushed(f"with {CANARY}", end=False), StreamEnd.EXHAUSTED, b"with [secret]"),
    ],
    ids=["with its end", "without", "closed", "with a secret"],
)
def test_a_body_that_has_no_end(
    made: Callable[..., Exchange],
    recorder: Callable[..., Recorder],
    tmp_path: Path,
    body: bytes,
    stream_end: StreamEnd,
    kept: bytes,
) -> None:
    """A client raises at the end of such a body, so it is written as it was sent, unless a secret is in it."""
    answer = (("content-encoding", "zstd"), ("content-type", "text/plain"))
    recorder().save([made(b"{}", body, answer=answer, stream_end=stream_end)])
    [recording] = load(tmp_path / "chat.yaml").recordings
    assert recording.response is not None
    assert recording.response.body == kept
    assert (("content-encoding", "zstd") in recording.response.headers) == (kept == body)


def test_openrouters_user_id_in_errors(made: Callable[..., Exchange], written: Callable[..., str]) -> None:
    """The user id in OpenRouter's errors names the account, so it is masked."""
    assert "user_2canary" not in written(
        made(b"{}", b'{"error":{"code":429,"message":"x"},"user_id":"user_2canary9x"}')
    )


def test_a_compressed_request(made: Callable[..., Exchange], written: Callable[..., str]) -> None:
    """A compressed request is written as text, and still found however it is sent."""
    body = gzip.compress(b'{"api_key":"canary","q":"hello"}')
    text = written(made(body, headers=(("content-encoding", "gzip"),)))
    assert "canary" not in text
    assert "hello" in text
    assert "content-encoding" not in text


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"api_key": "Zq8Canary77", "note": CANARY}).encode("utf-16"),
        f"<a api_key='Zq8Canary77'><b>{CANARY}</b></a>".encode(),
        json.dumps({"file": base64.b64encode(f"it is {CANARY}".encode()).decode()}).encode(),
    ],
    ids=["utf-16", "xml", "base64"],
)
def test_hidden_keys(made: Callable[..., Exchange], written: Callable[..., str], tmp_path: Path, body: bytes) -> None:
    """A key in UTF-16, XML or base64 is in no file, and its request finds its recording."""
    written(made(body, body))
    [recording] = load(tmp_path / "chat.yaml").recordings
    assert recording.response is not None
    for kept in (recording.request.body, recording.response.body):
        assert b"Canary" not in kept.replace(b"\0", b"")
        assert b"[secret]" in kept.replace(b"\0", b"")
        assert base64.b64encode(CANARY.encode())[:20] not in kept


# --- what the user has configured ------------------------------------------------------------------------------------


def same_bytes(sent: Any, recorded: Any) -> bool:
    """Compare bodies as a matcher of a suite may."""
    return bool(sent.body == recorded.body)


@pytest.mark.parametrize("matcher", ["raw_body", same_bytes])
def test_a_request_that_is_matched_by_its_bytes(
    made: Callable[..., Exchange], written: Callable[..., str], matcher: Any
) -> None:
    """A request is not laid out if it may be compared byte by byte: it would not find its recording. A reply is.

    One that the file has already, laid out, does not stay so.
    """
    written(made(b'{"a":1}', b'{"b":2}'), match_on=["method", "uri", "body"])
    item = yaml.safe_load(written(made(b'{"a":1}', b'{"b":2}'), match_on=["method", "uri", matcher]))["interactions"][0]
    assert item["request"]["body"] == '{"a":1}'
    assert item["response"]["body"]["string"] == '{\n  "b": 2\n}'


def test_what_looks_personal_may_be_kept(made: Callable[..., Exchange], written: Callable[..., str]) -> None:
    """`scrub_keep` names by a pattern for the whole value what may be kept."""
    body = b'{"to":"bob@example.com","cc":"bob@corp-mail.io","api_key":"bob@example.com"}'
    text = written(made(body, body), scrub_keep=[r".*@example\.com"])
    assert text.count('"to": "bob@example.com"') == 2
    assert text.count('"cc": "[removed]"') == 2


def test_what_may_be_kept_is_kept_in_pieces(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """`scrub_keep` applies to the text that the events of a stream add up to."""
    chunks = in_pieces("to bob@example.com, cc bob@corp-mail.io.")
    recorder(scrub_keep=[r".*@example\.com"]).save([made(b"{}", *chunks)])
    [recording] = load(tmp_path / "chat.yaml").recordings
    assert recording.response is not None
    assert joined(recording.response.chunks) == "to bob@example.com, cc [removed]."


def test_filters_and_functions_of_vcr_config(made: Callable[..., Exchange], written: Callable[..., str]) -> None:
    """`filter_*` with and without a replacement, `before_record_*` and placeholders do what they do in vcrpy."""

    def request(shown: Any) -> Any:
        shown.headers["x-hooked"] = "yes"
        return shown

    def response(shown: Any) -> Any:
        shown["body"]["string"] = shown["body"]["string"].replace(b"internal", b"public")
        return shown

    def both(request: Any, response: Any, cassette: Any) -> Any:
        response["headers"]["x-saved"] = [request.headers["x-hooked"]]
        return request, response

    text = written(
        made(b'{"user":"canary","q":"tenant-canary"}', b'{"text":"internal tenant-canary"}',
             url="https://a.test/v1?trace=canary&b=1",
             headers=(("x-mine", "canary"), ("x-other", "canary"), *made().request.headers)),
        filter_headers=["x-mine", ("X-Other", "replaced")],
        filter_query_parameters=["trace"],
        filter_post_data_parameters=[("user", "somebody")],
        filter_sensitive_data={"<TENANT>": "tenant-canary"},
        before_record_request=request,
        before_record_response=response,
        before_save_interaction=[lambda asked, said: (asked, said), both],
    )  # fmt: skip
    assert "canary" not in text
    assert "internal" not in text
    for part in ("replaced", "somebody", "<TENANT>", "x-hooked", 'x-saved: ["yes"]', "public", "https://a.test/v1?b=1"):
        assert part in text


def test_a_filter_that_raises_is_not_taken_for_vcrpys_fault(
    made: Callable[..., Exchange], written: Callable[..., str]
) -> None:
    """An exception of the user's own replacement function reaches the caller unchanged."""

    def replacement(key: str, value: Any, request: Any) -> Any:
        return value + 1

    with pytest.raises(TypeError, match="can only concatenate str"):
        written(made(url="https://a.test/v1?trace=1"), filter_query_parameters=[("trace", replacement)])


def test_a_filter_that_this_vcrpy_does_not_have(
    made: Callable[..., Exchange], written: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older vcrpy filters only the outermost parameters: recording is refused, so nothing unfiltered is written."""
    monkeypatch.setattr("vcr.filters.replace_post_data_parameters", lambda request, replacements: request)
    with pytest.raises(UsageError) as caught:
        written(
            made(b'{"a": {"user": "canary"}}'),
            filter_post_data_parameters=["user"],
            filter_nested_post_data_parameters=True,
        )
    said = "filter_nested_post_data_parameters is not supported by the installed vcrpy; install a newer one"
    assert str(caught.value) == said


def test_a_filter_of_parameters_beside_some_without_a_value(
    made: Callable[..., Exchange], written: Callable[..., str]
) -> None:
    """Parameters without a value are left out of the file, as vcrpy does, and out of the comparison."""
    text = written(made(url="https://a.test/v1?list&prefix=&trace=canary&b=1"), filter_query_parameters=["trace"])
    assert '"https://a.test/v1?b=1"' in text


def test_headers_are_matched_where_that_is_asked_for(
    made: Callable[..., Exchange], written: Callable[..., str]
) -> None:
    """With headers in `match_on`, those of the connection are neither written nor compared."""
    headers = (("host", "a.test"), ("Content-Length", "2"), ("x-mine", "1"), ("authorization", "Bearer canary"))
    text = written(made(b"{}", b"{}", headers=headers), match_on=["method", "uri", "headers"])
    assert "x-mine" in text
    assert "a.test" not in text


def test_what_a_function_drops_is_not_recorded(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Nothing is recorded if a hook returns None for the request or the response, or if the host is to be ignored."""
    for config in (
        {"before_record_request": lambda _: None},
        {"before_record_response": lambda _: None},
        {"before_save_interaction": lambda *_: None},
        {"ignore_hosts": ["api.openai.com"]},
    ):
        said = recorder(**config).save([made()])
        assert said is not None
        assert (said.recordings, said.dropped) == (0, 1)
    assert not (tmp_path / "chat.yaml").exists()


def test_a_function_that_returns_no_interaction(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """A hook that does not return an interaction is named in the error, and nothing is written."""

    def forgets(request: Any, response: Any) -> Any:
        response["body"] = request.body
        return response

    with pytest.raises(UsageError, match=r"^before_save_interaction: .*forgets returned dict, not \(request, resp"):
        recorder(before_save_interaction=forgets).save([made(b"{}", b"{}")])
    assert [*tmp_path.iterdir()] == []


def test_the_request_is_found_however_the_secret_was_spelt(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """A request with another key, home folder or person is the same request; one with another question is not."""
    ask = '{{"model":"m","input":"key {} of {} in /home/{}/x"}}'
    sent = ask.format("sk-proj-Abcdef0123456789abcdef", "jane@corp-mail.io", "jane").encode()
    recorder().save([made(sent, b"{}")])
    cassette = load(tmp_path / "chat.yaml")
    other = ask.format("sk-ant-api03-Zyxwvu9876543210zyxwvu", "jim@other-mail.io", "jim").encode()
    url = made().request.url
    assert Player(cassette).answer(Request(method="POST", url=url, body=other)) is not None
    assert Player(cassette).answer(Request(method="POST", url=url, body=other.replace(b"in", b"on"))) is None


@pytest.mark.parametrize("form", ["json", "lines"])
def test_a_file_that_is_compressed_in_itself(
    made: Callable[..., Exchange], written: Callable[..., str], form: str
) -> None:
    """A body in gzip that no header speaks of, such as results to download, stays compressed, without its secrets."""
    lines = [json.dumps({"api_key": "canary-value-1", "key": CANARY, "n": n}) for n in range(2)]
    body = gzip.compress((lines[0] if form == "json" else "\n".join(lines)).encode())
    answer = yaml.safe_load(written(made(body, body[:9], body[9:])))["interactions"][0]
    for packed in (answer["request"]["body"], answer["response"]["body"]["string"]):
        text = gzip.decompress(packed).decode()
        assert "anary" not in text
        assert [json.loads(line)["api_key"] for line in text.split("\n")] == ["[secret]"] * text.count("api_key")
    assert answer["response"]["llmtrace"]["chunks"] == [len(answer["response"]["body"]["string"])]
