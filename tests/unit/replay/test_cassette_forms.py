"""Every form of cassette is read into the same records."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import vcr.cassette

from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Cassette, Failure, Recording, Request, Response
from pytest_llmtrace.replay.cassette import load
from pytest_llmtrace.replay.forms import Forms
from pytest_llmtrace.replay.yaml_safe import parse_yaml

REQUEST = '{method: POST, uri: "https://a.test/v1", headers: {}, body: "{}"}'
RESPONSE = "{status: {code: 200, message: OK}, headers: {}, body: {string: hi}}"


def interaction(request: str = REQUEST, response: str = RESPONSE) -> str:
    return f"interactions:\n- request: {request}\n  response: {response}\nversion: 1\n"


def replies(cassette: Cassette) -> list[Response]:
    return [recording.response for recording in cassette.recordings if recording.response is not None]


def read_response(write: Callable[..., Path], response: str) -> Response:
    return replies(load(write(interaction(response=response))))[0]


def test_vcrpy_yaml(write: Callable[..., Path]) -> None:
    """In vcrpy's own form header values are lists, with one header for each value; each recording knows its line."""
    path = write("""interactions:
- request:
    body: '{"model": "m"}'
    headers:
      Accept: [application/json]
    method: POST
    uri: https://a.test/v1
  response:
    body:
      string: '{"id": "1"}'
    headers:
      Set-Cookie:
      - a=1
      - b=2
      X-One: plain
    status:
      code: 201
      message: Created
version: 1
""")
    cassette = load(path, label="a/tape.yaml")
    assert cassette.label == "a/tape.yaml"
    assert cassette.origin == {}
    assert cassette.recordings == (
        Recording(
            index=0,
            request=Request(
                method="POST",
                url="https://a.test/v1",
                headers=(("Accept", "application/json"),),
                body=b'{"model": "m"}',
            ),
            response=Response(
                status=201,
                reason="Created",
                headers=(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-One", "plain")),
                chunks=(b'{"id": "1"}',),
            ),
            line=2,
        ),
    )


def test_label_is_the_path_below_the_current_directory(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a label a cassette is named by its path, relative to the current directory where it is below that."""
    path = write(interaction(), "sub/tape.yaml")
    assert load(path).label == path.as_posix()
    monkeypatch.chdir(tmp_path)
    assert load(path).label == "sub/tape.yaml"


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"version": 1, "interactions": [0]}, id="vcrpy"),
        pytest.param({"interactions": [0]}, id="without-version"),
        pytest.param(0, id="one-a-file"),
    ],
)
@pytest.mark.parametrize("name", ["tape.json", "tape.yaml"])
def test_json_files(write: Callable[..., Path], document: Any, name: Any) -> None:
    """JSON is read whatever the suffix: vcrpy's document, or one request and response per file with `url` for `uri`."""
    item = {
        "request": {"method": "POST", "url": "https://a.test/v1", "headers": {"A": "b"}, "body": "{}"},
        "response": {"status": {"code": 200, "message": "OK"}, "headers": {"C": "d"}, "body": "hi"},
    }
    document = item if document == 0 else {**document, "interactions": [item]}
    (recording,) = load(write(json.dumps(document), name)).recordings
    assert recording.request == Request(method="POST", url="https://a.test/v1", headers=(("A", "b"),), body=b"{}")
    assert recording.response == Response(status=200, reason="OK", headers=(("C", "d"),), chunks=(b"hi",))


def test_marked_bytes_of_the_test_agent(write: Callable[..., Path]) -> None:
    """Datadog's test agent marks bytes with `base64:`; in any other form of cassette this mark is plain text."""
    marked = "base64:AP8="
    item = {
        "request": {"method": "POST", "url": "https://a.test/v1", "headers": {}, "body": marked},
        "response": {"status": {"code": 200, "message": ""}, "headers": {}, "body": marked},
    }
    (recording,) = load(write(json.dumps(item), "agent.json")).recordings
    assert (recording.request.body, recording.response and recording.response.body) == (b"\0\xff", b"\0\xff")
    (recording,) = load(write(json.dumps({"version": 1, "interactions": [item]}), "vcr.json")).recordings
    assert recording.request.body == marked.encode()


def test_marked_bytes_that_are_none(write: Callable[..., Path]) -> None:
    """A marked body that is not base64 is an error of the file."""
    item = {"request": {"method": "POST", "url": "u", "body": "base64:?"}, "response": {"status": 200}}
    path = write(json.dumps(item), "agent.json")
    with pytest.raises(CassetteError) as error:
        load(path)
    assert error.value.reason == ("the body of the request of interaction 0 cannot be decoded")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("body: {string: hé}", "hé".encode()),
        ("body: hi", b"hi"),
        ("body: {string: !!binary aGk=}", b"hi"),
        ("body: !!binary aGk=", b"hi"),
        ("body: {base64_string: aGk=}", b"hi"),
        ("body: {base64: aGk=}", b"hi"),
        ("body: {encoding: base64, string: aGk=}", b"hi"),
        ("body: {encoding: utf-8, string: hi}", b"hi"),
        ("content: hi", b"hi"),
        ("parsed_body: {b: [1, 2.5, null, true], a: é, date: 2026-01-01}", None),
        ("body: {type: json, content: {a: 1}}", b'{"a":1}'),
        ("body: {type: text, content: hi}", b"hi"),
        ("body: {type: binary, content: fffe00}", b"\xff\xfe\0"),
        ("body: {type: none}", b""),
        ("body: {a: 1}", b'{"a":1}'),
        ("body: null", b""),
        ("body: {}", b""),
        ("body: {string: null}", b""),
    ],
)
def test_forms_of_a_body(write: Callable[..., Path], body: Any, expected: Any) -> None:
    """A body is read in every form, in requests and responses alike; a JSON value is written compactly."""
    if expected is None:
        expected = '{"b":[1,2.5,null,true],"a":"é","date":"2026-01-01"}'.encode()
    request = f"{{method: GET, uri: u, {body}}}"
    path = write(interaction(request, f"{{status: {{code: 200}}, {body}}}"))
    cassette = load(path)
    assert cassette.recordings[0].request.body == expected
    assert replies(cassette)[0].body == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("status: {code: 429, message: Slow down}", (429, "Slow down")),
        ("status: {code: '429', message: null}", (429, "")),
        ("status: 429", (429, "")),
        ("status_code: 429", (429, "")),
        ("status_code: 429, reason: Slow down", (429, "Slow down")),
    ],
)
def test_forms_of_a_status(write: Callable[..., Path], status: Any, expected: Any) -> None:
    """The status is a mapping, a number, or `status_code`."""
    response = read_response(write, f"{{{status}, content: x, http_version: HTTP/2}}")
    assert (response.status, response.reason) == expected
    assert response.http_version == "HTTP/2"


def test_tags_that_mean_text(write: Callable[..., Path]) -> None:
    """A tag of a string-like Python type is read as its text."""
    request = """
    method: !!python/object/apply:http.HTTPMethod [POST]
    uri: !!python/unicode https://a.test/v1
    headers:
      ? !!python/object/apply:multidict._multidict.istr
      - Accept
      : [!!python/str a/b]
      ? !!python/object/new:multidict._multidict.istr
        args: [X-Two]
      : c
      X-Bytes: !!binary ZA==
"""
    (recording,) = load(write(interaction(request))).recordings
    assert recording.request == Request(
        method="POST", url="https://a.test/v1", headers=(("Accept", "a/b"), ("X-Two", "c"), ("X-Bytes", "d"))
    )


def test_tags_that_mean_a_file(write: Callable[..., Path]) -> None:
    """A body that vcrpy has written as a file in memory is read as the whole content, wherever it had been read to."""
    request = """
    method: POST
    uri: https://a.test/v1
    body: !!python/object/new:_io.BytesIO
      state: !!python/tuple
      - !!binary eyJhIjogMX0=
      - 3
      - null
"""
    response = """
    status: 200
    content: !!python/object/new:_io.StringIO
      state: !!python/tuple [said, "\\n", 0, null]
"""
    (recording,) = load(write(interaction(request, response))).recordings
    assert (recording.request.body, recording.response and recording.response.body) == (b'{"a": 1}', b"said")


def test_an_interaction_is_read_before_the_file_is() -> None:
    """Interactions become recordings one by one, except those with an anchor and their aliases, which stay values."""
    text = """interactions:
- {request: {method: GET, uri: a}, response: {status: 200}}
- &again {request: {method: GET, uri: b}, response: {status: 201}}
- *again
- {<<: *again, response: {status: 202}}
version: 1
"""
    path, seen = Path("tape.yaml"), []
    forms = Forms(path)

    def early(index: int, item: Any) -> Any:
        seen.append(index)
        return forms.early(index, item)

    found = forms.recordings(parse_yaml(text, path, interaction=early))
    assert [(one.index, one.request.url, one.response and one.response.status) for one in found] == [
        (0, "a", 200),
        (1, "b", 201),
        (2, "b", 201),
        (3, "b", 202),
    ]
    assert seen == [0, 3]
    assert found == Forms(path).recordings(parse_yaml(text, path))


def test_anchors_and_merge_keys(write: Callable[..., Path]) -> None:
    """Anchors of a hand-written cassette are followed, merge keys too."""
    path = write("""interactions:
- request: &asked {method: GET, uri: u, headers: &headers {A: b}}
  response: {status: 200, headers: *headers, body: one}
- request: {<<: *asked, uri: v}
  response: {status: 200, headers: {<<: [*headers, {A: c, D: e}]}, body: two}
version: 1
""")
    cassette = load(path)
    assert cassette.recordings[1].request == Request(method="GET", url="v", headers=(("A", "b"),))
    assert [reply.headers for reply in replies(cassette)] == [(("A", "b"),), (("A", "b"), ("D", "e"))]


def test_last_of_duplicated_keys_wins(write: Callable[..., Path]) -> None:
    """Of a key that occurs twice the last value counts, as in PyYAML and json."""
    path = write(interaction(request="{method: GET, uri: u, uri: v, headers: {A: b, A: c}}"))
    assert load(path).recordings[0].request == Request(method="GET", url="v", headers=(("A", "c"),))


PLAIN = b'{"usage": {"prompt_tokens": 12345}}'
RAW_DEFLATE = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    ("encoding", "body", "kept"),
    [
        ("gzip", gzip.compress(PLAIN, mtime=0), True),
        ("gzip", PLAIN, False),
        ("GZIP", gzip.compress(PLAIN, mtime=0), True),
        ("deflate", zlib.compress(PLAIN), True),
        ("deflate", RAW_DEFLATE.compress(PLAIN) + RAW_DEFLATE.flush(), True),
        ("deflate", PLAIN, False),
        ("zstd", b"\x28\xb5\x2f\xfd\x00\x00", True),
        ("zstd", PLAIN, False),
        ("br", b"\x0b\x02\x80\xff\xfe\x03", True),
        ("br", PLAIN, False),
        ("br, gzip", gzip.compress(b"\xff", mtime=0), True),
        ("identity", PLAIN, True),
    ],
)
def test_content_encoding_that_the_body_belies(write: Callable[..., Path], encoding: Any, body: Any, kept: Any) -> None:
    """`content-encoding` stays if the body is so encoded, and is dropped if a recorder has decoded the body."""
    text = base64.b64encode(body).decode()
    response = read_response(
        write, f"{{status: 200, headers: {{Content-Encoding: ['{encoding}']}}, body: {{string: !!binary {text}}}}}"
    )
    assert response.headers == ((("Content-Encoding", encoding),) if kept else ())
    assert response.body == body


@pytest.mark.parametrize("body", [PLAIN, b""])
def test_content_encoding_that_the_server_belied(write: Callable[..., Path], body: bytes) -> None:
    """`content-encoding` stays if the file says that the server sent the body so."""
    text = base64.b64encode(body).decode()
    said = f"body: {{string: !!binary '{text}'}}, llmtrace: {{coding: as-sent}}"
    response = read_response(write, f"{{status: 200, headers: {{Content-Encoding: [gzip]}}, {said}}}")
    assert (response.headers, response.body) == ((("Content-Encoding", "gzip"),), body)


@pytest.mark.parametrize(
    ("method", "status", "length"), [("GET", 200, "2"), ("HEAD", 200, "863"), ("GET", 304, "863"), ("GET", 204, "863")]
)
def test_wrong_content_length(write: Callable[..., Path], method: Any, status: Any, length: Any) -> None:
    """A wrong `content-length` is corrected, except in a reply that has no body whatever its headers say."""
    request = f"{{method: {method}, uri: u}}"
    path = write(interaction(request, f"{{status: {status}, headers: {{content-length: ['863']}}, body: hi}}"))
    assert replies(load(path))[0].headers == (("content-length", length),)


@pytest.mark.parametrize(
    ("request_", "any_body"),
    [
        ("{method: POST, uri: u}", True),
        ("{method: GET, uri: u}", False),
        ("{method: POST, uri: u, body: null}", False),
        ("{method: POST, uri: u, body: ''}", False),
        ("{method: POST, uri: u, body: null, headers: {Content-Length: ['0']}}", False),
        ("{method: POST, uri: u, body: null, headers: {Content-Length: ['12']}}", True),
        ("{method: POST, uri: u, body: '{}', headers: {Content-Length: ['12']}}", False),
    ],
)
def test_dropped_request_bodies(write: Callable[..., Path], request_: Any, any_body: Any) -> None:
    """A request body counts as dropped if the file has no key for it, or if `content-length` says there was one."""
    assert load(write(interaction(request_))).recordings[0].any_body is any_body


def test_recorded_without_a_reply(write: Callable[..., Path]) -> None:
    """A request without a reply is kept, with None for the reply."""
    text = f"interactions:\n- request: {REQUEST}\n  response: null\n- request: {REQUEST}\nversion: 1\n"
    assert [recording.response for recording in load(write(text)).recordings] == [None, None]


def test_no_interactions(write: Callable[..., Path]) -> None:
    """A cassette may be empty."""
    assert load(write("interactions: []\nversion: 1\n")).recordings == ()


# --- what this package adds ------------------------------------------------------------------------------------------

ADDED = """interactions:
- request: {method: POST, uri: 'https://a.test/v1', headers: {}, body: '{}'}
  response:
    status: {code: 200, message: OK}
    headers: {content-type: [text/event-stream]}
    body: {string: "data: é\\n\\ndata: 2\\n\\n"}
    llmtrace: {chunks: [4, 8, 7], offsets: [0.25, 0.5, 1], failure: disconnect}
- request: {method: POST, uri: 'https://a.test/v1', headers: {}, body: '{"a": 1}'}
  response: null
  llmtrace: {failure: connect-timeout, test: "test_it.py::test_one"}
version: 1
llmtrace: {origin: written, after: the documentation}
"""


def test_additions_are_read(write: Callable[..., Path]) -> None:
    """Chunks, their times, failures, names of tests and the file's origin are read from `llmtrace`."""
    cassette = load(write(ADDED))
    stream, broken = cassette.recordings
    assert cassette.origin == {"origin": "written", "after": "the documentation"}
    (reply,) = replies(cassette)
    assert reply.chunks == (b"data", ": é\n\nda".encode(), b"ta: 2\n\n")
    assert reply.offsets == (0.25, 0.5, 1.0)
    assert stream.failure is Failure.DISCONNECT
    assert broken.response is None
    assert (broken.failure, broken.test) == (Failure.CONNECT_TIMEOUT, "test_it.py::test_one")


def test_vcrpy_reads_a_file_with_additions(write: Callable[..., Path]) -> None:
    """A cassette with our additions loads in vcrpy, except for an interaction that broke before a response."""
    cassette = vcr.cassette.Cassette.load(path=str(write(ADDED)))
    assert [request.uri for request in cassette.requests] == ["https://a.test/v1"]
    assert cassette.responses[0]["body"]["string"] == "data: é\n\ndata: 2\n\n".encode()


def test_chunks_of_an_edited_body_are_ignored(write: Callable[..., Path]) -> None:
    """Lengths that do not add up to the body show that it was edited; it is split as if no lengths were recorded."""
    response = read_response(write, "{status: 200, body: hello, llmtrace: {chunks: [1, 2], offsets: [0.1, 0.2]}}")
    assert (response.chunks, response.offsets) == ((b"hello",), None)


@pytest.mark.parametrize("offsets", ["[0.1]", "[0.1, 0.2, 0.3]", "[0.2, 0.1]", "[.inf, 1]", "[-1, 0.1]"])
def test_offsets_that_tell_no_time_are_no_error(write: Callable[..., Path], offsets: str) -> None:
    """Unusable offsets are read as they are; only a replay in recorded time reports them."""
    response = read_response(write, f"{{status: 200, body: hello, llmtrace: {{chunks: [2, 3], offsets: {offsets}}}}}")
    assert response.chunks == (b"he", b"llo")
    assert response.offsets == tuple(map(float, offsets.strip("[]").replace(".inf", "inf").split(",")))


# --- LangChain's form -------------------------------------------------------------------------------------------------

PAIRED = """\
requests:
- body: &body !!binary eyJtb2RlbCI6Im0ifQ==
  headers: {accept: ['**REDACTED**'], content-type: ['**REDACTED**']}
  method: POST
  uri: https://api.openai.com/v1/chat/completions
- body: *body
  headers: {}
  method: POST
  uri: https://api.openai.com/v1/chat/completions
responses:
- body: {string: '{"id":"a"}'}
  headers: {content-length: '**REDACTED**', content-encoding: '**REDACTED**', transfer-encoding: '**REDACTED**'}
  status: {code: 200, message: OK}
- body: {string: !!binary eyJpZCI6ImIifQ==}
  headers: {}
  status: {code: 429, message: Too Many Requests}
"""


def test_requests_and_responses_apart(tmp_path: Path) -> None:
    """A file in gzip that lists requests and responses apart, as those of LangChain's tests, is read in order."""
    path = tmp_path / "test_invoke.yaml.gz"
    path.write_bytes(gzip.compress(PAIRED.encode(), mtime=0))
    first, second = load(path).recordings
    assert [one.request.body for one in (first, second)] == [b'{"model":"m"}'] * 2
    assert first.request.headers == (("accept", "**REDACTED**"), ("content-type", "**REDACTED**"))
    assert first.response is not None
    assert (first.response.status, first.response.body) == (200, b'{"id":"a"}')
    assert first.response.headers == (("content-length", "10"), ("transfer-encoding", "**REDACTED**"))
    assert second.response is not None
    assert (second.response.status, second.response.reason, second.response.body) == (
        429,
        "Too Many Requests",
        b'{"id":"b"}',
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(PAIRED.encode(), mtime=0)[:-9], "this file in gzip is cut off or broken, so it cannot be read"),
        (gzip.compress(b"requests: [{}, {}]\nresponses: [{}]\n", mtime=0), "it lists 2 requests and 1 responses"),
        (b"requests: [{}, {}]\n", "it lists 2 requests and no responses"),
        (gzip.compress(b"requests: !!python/object:os.system {}\n", mtime=0), "!!python/object:os.system"),
    ],
    ids=["cut off", "a response less", "no responses", "an object"],
)
def test_requests_and_responses_that_are_none(tmp_path: Path, content: bytes, reason: str) -> None:
    """A file that is cut off, or has a request without a response, is refused, and nothing in it is built."""
    path = tmp_path / "test_invoke.yaml.gz"
    path.write_bytes(content)
    with pytest.raises(CassetteError) as refused:
        load(path)
    assert reason in str(refused.value)
