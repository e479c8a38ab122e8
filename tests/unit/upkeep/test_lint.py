"""`cassettes lint` reports what is wrong with cassette files, each finding with place, reason and next step."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]
Tool = Callable[..., str]

KEY = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x"
TROUBLED = f"""\
interactions:
- request:
    method: POST
    uri: https://openrouter.ai/api/v1/chat/completions?key=9f8e7d6c5b4a
    headers:
      Authorization: [Bearer {KEY}]
      traceparent: [00-8974239b780e7fccdaf7fc2ed6da3d09-969f58bb703a7f00-01]
    body: '{{"model": "m", "messages": [{{"role": "user", "content": "my key is {KEY}"}}], "metadata": {{"user_id":
      "u-4711-ab"}}}}'
  response:
    status: {{code: 429, message: Too Many Requests}}
    headers:
      Set-Cookie: [__cf_bm=8sFjK2l9; path=/, __cf_bm=REDACTED; path=/]
      Date: ['Tue, 31 Mar 2026 13:31:01 GMT']
      openai-organization: [acme-research-4]
    body:
      string: '{{"error": {{"message": "ask jane.doe@acme-research.com"}}, "user_id": "user_2aBcDeF9"}}'
- request: {{method: GET, uri: 'https://a.example/v1/models', headers: {{}}, body: null}}
  response: null
version: 1  # recorded with hf_{"a1B2c3" * 6}
"""
TROUBLES = """\
error    secret  tape.yaml:2  interaction 0
         place  request.uri
         found  …(12 characters), the parameter key
         why    whoever reads the file can use it
         next   pytest-llmtrace cassettes scrub tape.yaml; if the file was ever pushed, withdraw the key

error    secret  tape.yaml:2  interaction 0
         place  request.headers.authorization
         found  Bearer …(39 characters), a bearer token
         why    whoever reads the file can use it
         next   pytest-llmtrace cassettes scrub tape.yaml; if the file was ever pushed, withdraw the key

error    secret  tape.yaml:2  interaction 0
         place  request.body $.messages[0].content
         found  sk-…(32 characters), an OpenAI key
         why    whoever reads the file can use it
         next   pytest-llmtrace cassettes scrub tape.yaml; if the file was ever pushed, withdraw the key

warning  personal  tape.yaml:2  interaction 0
         place  request.body $.metadata.user_id
         found  …(9 characters), the id of a user or an account
         why    it identifies a person, an account or a machine, and stays in the repository's history
         next   pytest-llmtrace cassettes scrub tape.yaml; or say that it is fine: --allow REGEX

error    secret  tape.yaml:2  interaction 0
         place  response.headers.set-cookie
         found  …(24 characters)
         why    whoever reads the file can use it
         next   pytest-llmtrace cassettes scrub tape.yaml; if the file was ever pushed, withdraw the key

warning  personal  tape.yaml:2  interaction 0
         place  response.headers.openai-organization
         found  …(15 characters)
         why    it identifies a person, an account or a machine, and stays in the repository's history
         next   pytest-llmtrace cassettes scrub tape.yaml

warning  personal  tape.yaml:2  interaction 0
         place  response.body $.error.message
         found  …@acme-research.com, an email address
         why    it identifies a person, an account or a machine, and stays in the repository's history
         next   pytest-llmtrace cassettes scrub tape.yaml; or say that it is fine: --allow REGEX

warning  personal  tape.yaml:2  interaction 0
         place  response.body $.user_id
         found  user_…(13 characters), the id of a user or an account
         why    it identifies a person, an account or a machine, and stays in the repository's history
         next   pytest-llmtrace cassettes scrub tape.yaml; or say that it is fine: --allow REGEX

warning  no-reply  tape.yaml:18  interaction 1
         place  response
         found  GET was recorded without a reply
         why    the recording was broken off: nothing can be played for this request
         next   record it again, or remove the interaction

error    secret  tape.yaml:20
         place  line 20
         found  hf_…(39 characters), a Hugging Face token
         why    whoever reads the file can use it
         next   remove it by hand, as it is outside of what is replayed; then withdraw the key

1 file, 2 interactions: 5 errors, 5 warnings, 2 infos (-v shows them)
recorded from 2026-03-31 (tape.yaml) to 2026-03-31
"""


def cassette(request: dict[str, Any] | None = None, response: dict[str, Any] | None = None, **more: Any) -> str:
    """Return a cassette of one interaction, harmless except for the parts that are given."""
    asked = {"method": "POST", "uri": "https://api.openai.com/v1/chat/completions", "headers": {}, "body": "{}"}
    said = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "{}"}}
    interaction = {"request": asked | (request or {}), "response": said | (response or {})}
    return json.dumps({"version": 1, **more, "interactions": [interaction]})


def findings(tool: Tool, *arguments: str, status: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(tool("lint", "--format", "json", *arguments, status=status))["findings"]
    return found


def test_each_trouble_has_place_reason_and_next_step(write: Write, tool: Tool) -> None:
    """The whole text is right for a file with many kinds of trouble, and no secret value is in it."""
    write("tape.yaml", TROUBLED)
    assert tool("lint", "tape.yaml", status=1) == TROUBLES


def test_no_form_of_output_holds_a_secret(write: Write, tool: Tool) -> None:
    """Neither the verbose text nor the JSON has a secret or a personal value in it."""
    write("tape.yaml", TROUBLED)
    said = tool("lint", "-v", "tape.yaml", status=1) + tool("lint", "--format", "json", "tape.yaml", status=1)
    secrets = (KEY, "9f8e7d6c5b4a", "8sFjK2l9", "acme-research-4", "jane.doe", "2aBcDeF9", "u-4711-ab", "a1B2c3")
    assert [secret for secret in secrets if secret in said] == []


def test_infos_are_shown_when_asked_for(write: Write, tool: Tool) -> None:
    """A header that is new on every run is one info for each file, however many interactions have it."""
    one = json.loads(cassette(response={"headers": {"CF-Ray": ["939c1836de294a26-NRT"]}}))
    one["interactions"] += [json.loads(json.dumps(one["interactions"][0])) for _ in range(9)]
    for number, item in enumerate(one["interactions"]):
        item["request"]["body"] = f'{{"n": {number}}}'
    write("tape.json", json.dumps(one))
    assert tool("lint", "-v", "tape.json") == (
        "info     volatile  tape.json  interactions 0, 1, 2, 3, 4, 5, 6, 7 and 2 more\n"
        "         place  response.headers.cf-ray\n"
        "         why    it is new on every run, so each new recording is a larger diff\n"
        "         next   nothing, or leave it out when recording\n"
        "\n"
        "1 file, 10 interactions: 0 errors, 0 warnings, 1 info\n"
    )


@pytest.mark.parametrize(
    "value",
    [
        "REDACTED",
        "DUMMY",
        "Bearer DUMMY",
        "Bearer sk-test",
        "sk-test-1234",
        "test-api-key",
        "your-api-key-here",
        "<API_KEY>",
        "[secret]",
        "${OPENAI_API_KEY}",
        "AUTHORIZATION-XXX",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-1234567890abcdef1234567890abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "********",
        "",
        "ollama",
        "not-a-real-key",
        "ACCESS_TOKEN",
        "test_set_cookie",
    ],
)
def test_stand_ins_are_no_secrets(write: Write, tool: Tool, value: str) -> None:
    """A value that is evidently not a secret is not reported, whether in a header, a field or a text."""
    body = json.dumps({"api_key": value, "text": f"use {value} as the key"})
    request = {"headers": {"authorization": [value], "x-api-key": value}, "body": body}
    write("tape.json", cassette(request, {"body": {"string": body}, "headers": {"set-cookie": [f"a={value}; path=/"]}}))
    assert findings(tool, "tape.json") == []
    assert tool("scrub", "--check", "tape.json") == "nothing to scrub in 1 file\n"


@pytest.mark.parametrize(
    "text",
    [
        "from huggingface_hub import hf_hub_download, hf_model_metadata_index",
        "a risk-averse, task-based sk-learn-pipeline-for-beginners and fw_something_else",
        "mail support@openai.com, jane@example.com, a@b.test, logo@2x.png, me@localhost or no-reply@acme.io",
        "/home/user/app /Users/runner/work /home/<name>/x https://a.dev/home/pages/x C:\\Users\\you\\x",
        "arn:aws:bedrock:us-east-1:123456789012:model/x org-myaccount user_identifier_of_something",
        "git clone git@github.com:a/b and pip install pkg@1.2.3 and https://u@host.io/x",
    ],
)
def test_plain_texts_are_no_secrets(write: Write, tool: Tool, text: str) -> None:
    """Words that begin like a key, addresses reserved for examples and general home folders are not reported."""
    body = json.dumps({"messages": [{"role": "user", "content": text}]})
    write("tape.json", cassette({"body": body}, {"body": {"string": body}}))
    assert findings(tool, "tape.json") == []


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("write to jane.doe@acme-research.com now", "personal", "…@acme-research.com, an email address"),
        ("open /home/jdoe/app.py", "personal", "/home/…(10 characters), a home folder"),
        ("open C:\\Users\\jdoe\\app.py", "personal", "C:\\Users\\…(13 characters), a home folder"),
        (
            "limit reached for org-GKgUkEpTs8iJbqUCqnL6JW5H on tokens",
            "personal",
            "org-…(28 characters), the id of a user, an organization or a project",
        ),
        ("arn:aws:iam::846215739046:user/x", "personal", "arn:…(26 characters), the number of an AWS account"),
        (f"it is\n{KEY}", "secret", "sk-…(32 characters), an OpenAI key"),
        ("Incorrect API key provided: sk-abcd9*****7fQz.", "secret", "sk-…(17 characters), a masked OpenAI key"),
        ("ek_68a1b2c3d4e5f60718", "secret", "ek_…(21 characters), an OpenAI Realtime secret"),
        ('{"api_key": "Zq8-77-bb"}', "secret", "…(9 characters), the field api_key"),
    ],
)
@pytest.mark.parametrize("form", ["plain", "gzip", "binary", "parsed", "event"])
def test_texts_are_looked_through_in_each_form(
    write: Write, tool: Tool, text: str, kind: str, found: str, form: str
) -> None:
    """A secret or a personal value is found in any text of a reply, compressed or not."""
    document = {"choices": [{"message": {"content": text}}]}
    plain = json.dumps(document)
    forms: dict[str, dict[str, Any]] = {
        "plain": {"body": {"string": plain}},
        "gzip": {"body": {"base64_string": b64encode(gzip.compress(plain.encode())).decode()}},
        "binary": {"body": {"type": "binary", "content": plain.encode().hex()}},
        "parsed": {"body": None, "parsed_body": document},
        "event": {"body": {"string": f"event: x\r\ndata: {plain}\r\n\r\ndata: [DONE]\r\n\r\n"}},
    }
    write("tape.json", cassette(response=forms[form]))
    [finding] = findings(tool, "tape.json", status=1 if kind == "secret" else 0)
    place = f"response.body {'event 0 ' if form == 'event' else ''}$.choices[0].message.content"
    inside = " $.api_key" if found.endswith("the field api_key") else ""
    assert (finding["kind"], finding["place"], finding["found"]) == (kind, f"{place}{inside}", found)


@pytest.mark.parametrize(
    ("body", "place", "found"),
    [
        (json.dumps({"a": KEY}).encode("utf-16"), " $.a", "sk-…(32 characters), an OpenAI key"),
        (b"<a><apiKey>Zq8-77-bb</apiKey></a>", " <apiKey>", "…(9 characters), the field apiKey"),
        (json.dumps({"a": b64encode(f"x {KEY}".encode()).decode()}).encode(), " $.a",
         "sk-…(32 characters), an OpenAI key, in base64"),
    ],
)  # fmt: skip
def test_hidden_keys_are_found(write: Write, tool: Tool, body: bytes, place: str, found: str) -> None:
    """A key in UTF-16, XML or base64 is found, and `scrub` takes it out."""
    write("tape.json", cassette(response={"body": {"base64_string": b64encode(body).decode()}}))
    [finding] = findings(tool, "tape.json", status=1)
    assert (finding["kind"], finding["place"], finding["found"]) == ("secret", f"response.body{place}", found)
    tool("scrub", "--yes", "tape.json")
    assert findings(tool, "tape.json", status=0) == []


def test_files_in_gzip_are_read_and_not_written(write: Write, tool: Tool) -> None:
    """A file in LangChain's form is searched; `scrub` says that it cannot take anything out of it."""
    request = {"method": "POST", "uri": "https://a.example/v1", "headers": {}, "body": KEY}
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "{}"}}
    content = gzip.compress(json.dumps({"requests": [request], "responses": [response]}).encode())
    path = write("tapes/tape.yaml.gz", "")
    path.write_bytes(content)
    [finding] = findings(tool, "tapes", status=1)
    assert (finding["kind"], finding["place"]) == ("secret", "request.body")
    assert "a file in gzip is only read" in tool("scrub", "--yes", "tapes/tape.yaml.gz", status=1)
    assert path.read_bytes() == content


def test_a_key_in_a_host_is_found(write: Write, tool: Tool) -> None:
    """It cannot be masked, so the finding says to record again without it."""
    write("tape.json", cassette(request={"uri": f"https://{KEY.lower()}.proxy.test/v1"}))
    [finding] = findings(tool, "tape.json", status=1)
    assert (finding["place"], finding["found"]) == ("request.uri host", "sk-…(32 characters), an OpenAI key")
    assert finding["next"].startswith("take it out of the test, as a mask there would match nothing")


def test_urls_in_headers_and_reasons_are_looked_through(write: Write, tool: Tool) -> None:
    """The target of a redirect is searched as a URL, like that of the request, and a reason phrase as a text."""
    headers = {"Location": ["https://u:Zq8-77@h.test/x?api_key=Zq8-77-bb"]}
    status = {"code": 302, "message": f"no such key: {KEY}"}
    path = write("tape.json", cassette(response={"status": status, "headers": headers, "body": {"string": "{}"}}))
    said = tool("lint", "tape.json", status=1)
    places = [line.split()[1] for line in said.splitlines() if line.strip().startswith("place ")]
    assert places == ["response.status.message", "response.headers.location", "response.headers.location"]
    assert "Zq8" not in said
    tool("scrub", "--yes", "tape.json")
    text = path.read_text(encoding="utf-8")
    assert "https://h.test/x?api_key=[secret]" in text
    assert "no such key: [secret]" in text
    assert "no such key: [secret]" in tool("show", "tape.json")


def test_what_a_server_tells_every_browser_is_no_secret(write: Write, tool: Tool) -> None:
    """The address for reports in a policy has a key that whoever opens the page gets; lint and scrub leave it."""
    policy = (
        "default-src 'none'; report-uri https://intake.test/logs?dd-api-key=pub9c2a1b7e6d5f4a3b2c1d0e9f8a7b6c5d&v=1"
    )
    write("tape.json", cassette(response={"headers": {"Content-Security-Policy": [policy]}, "body": {"string": "{}"}}))
    assert findings(tool, "tape.json", status=0) == []
    assert tool("scrub", "tape.json") == "nothing to scrub in 1 file\n"


def test_a_key_in_pieces_is_found(write: Write, tool: Tool) -> None:
    """A key that a stream sends token by token is found in the joined text of the events."""
    events = [{"choices": [{"index": 0, "delta": {"content": KEY[at : at + 5]}}]} for at in range(0, len(KEY), 5)]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    write("tape.json", cassette(response={"body": {"string": body}}))
    [finding] = findings(tool, "tape.json", status=1)
    assert (finding["place"], finding["found"]) == (
        "response.body events 0 to 6 $.choices[0].delta.content",
        "sk-…(32 characters), an OpenAI key",
    )


def test_forms_and_parts_are_read(write: Write, tool: Tool) -> None:
    """Secret fields are found in form and multipart bodies as well."""
    write("form.json", cassette({"body": "grant_type=refresh&refresh_token=Zq8-77-bb"}))
    parts = '--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nZq8-77-bb\r\n--b--\r\n'
    write("parts.json", cassette({"body": parts}))
    assert [(finding["place"], finding["found"]) for finding in findings(tool, ".", status=1)] == [
        ("request.body field refresh_token", "…(9 characters), the field refresh_token"),
        ("request.body part api_key", "…(9 characters), the field api_key"),
    ]


def test_a_compressed_body_that_cannot_be_read_is_said(write: Write, tool: Tool) -> None:
    """A body that cannot be decompressed, and so not searched, is reported as an info."""
    packed = {"base64_string": b64encode(b"\x8b\x02\x80\xff\xfe").decode()}
    write("tape.json", cassette(response={"headers": {"content-encoding": ["br"]}, "body": packed}))
    [finding] = findings(tool, "tape.json")
    assert (finding["kind"], finding["found"]) == ("opaque", "the body is compressed with br")


def test_a_key_of_a_header_is_found_elsewhere(write: Write, tool: Tool) -> None:
    """A key that does not look like one is known by its header; the finding names that, and what to do there."""
    asked = {"headers": {"authorization": "Bearer window-seat-4711"}, "body": '{"q": "at window-seat-4711"}'}
    write("tape.json", cassette(asked, {"body": {"string": '{"a": "at window-seat-4711"}'}}))
    found = findings(tool, "tape.json", status=1)
    where = "the API key (request header authorization, interaction 0)"
    assert [(one["place"], one["found"]) for one in found] == [
        ("request.headers.authorization", "Bearer …(23 characters)"),
        ("request.body", f"…(16 characters), {where}"),
        ("response.body", f"…(16 characters), {where}"),
    ]
    scrub = "pytest-llmtrace cassettes scrub tape.json; if the file was ever pushed, withdraw the key"
    kept = "take it out of the test, as a mask there would match nothing, and record it again; then withdraw the key"
    assert [one["next"] for one in found] == [scrub, kept, scrub]


def test_files_that_cannot_be_read_are_errors(write: Write, tool: Tool) -> None:
    """A cut-off or empty cassette is an error with its line; other files of the folder are passed over."""
    write("tapes/cut.yaml", "interactions:\n- request: {method: GET\n")
    write("tapes/empty.yaml", "")
    write("tapes/compose.yaml", "services: {}\n")
    write("tapes/package.json", '{"name": "x", "scripts": {"request": 1, "response": 2}}')
    write("tapes/ruby.yml", "---\nhttp_interactions:\n- request: {}\n  response: {body: {string: !binary aGk=}}\n")
    assert tool("lint", "tapes", status=1) == (
        "error    unreadable  tapes/cut.yaml:3\n"
        "         found  this is not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'\n"
        "         why    a test that names the file fails\n"
        "         next   record it again, or delete it\n"
        "\n"
        "error    unreadable  tapes/empty.yaml\n"
        "         found  the file is empty; record it again, or delete it\n"
        "         why    a test that names the file fails\n"
        "         next   record it again, or delete it\n"
        "\n"
        "2 files, 0 interactions: 2 errors, 0 warnings, 0 infos\n"
        "passed over, not a cassette: tapes/compose.yaml and 2 more\n"
    )


def test_files_that_nobody_can_play_are_not_passed_over(write: Write, tool: Tool) -> None:
    """A pointer of Git LFS whose file was not fetched, and a cassette in UTF-16, are errors in a folder too."""
    write("tapes/big.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    write("tapes/wide.yaml", cassette().encode("utf-16"))
    assert tool("lint", "tapes", status=1) == (
        "error    unreadable  tapes/big.yaml\n"
        "         found  this is a pointer of Git LFS, which has not fetched the file\n"
        "         why    a test that names the file fails\n"
        "         next   git lfs pull\n"
        "\n"
        "error    unreadable  tapes/wide.yaml:1\n"
        "         found  byte 0xff is not UTF-8, so this is not a cassette\n"
        "         why    a test that names the file fails\n"
        "         next   record it again, or delete it\n"
        "\n"
        "2 files, 0 interactions: 2 errors, 0 warnings, 0 infos\n"
    )


def test_a_named_file_that_is_no_cassette_is_an_error(write: Write, tool: Tool) -> None:
    """A file that is named must be a cassette, while other files of a folder are passed over."""
    write("compose.yaml", "services: {}\n")
    [finding] = findings(tool, "compose.yaml", status=1)
    assert finding["kind"] == "unreadable"


def test_doubles(write: Write, tool: Tool) -> None:
    """A repeated exchange in a file is an info; a repeated file is a warning on the second one."""
    double = json.loads(cassette())
    double["interactions"] *= 2
    write("a.json", json.dumps(double))
    write("b.json", json.dumps(double))
    assert [(f["kind"], f["file"], f["interactions"], f["found"]) for f in findings(tool, ".")] == [
        ("repeated", "a.json", [0, 1], "2 times POST with the same body and the same reply"),
        ("repeated", "b.json", [0, 1], "2 times POST with the same body and the same reply"),
        ("same-file", "b.json", [], "the same bytes as a.json"),
    ]


@pytest.mark.parametrize(
    ("more", "date", "day"),
    [
        ({"llmtrace": {"origin": "recorded", "recorded_at": "2020-02-03T10:00:00Z"}}, "2021-01-01", "2020-02-03"),
        ({}, "Wed, 01 Jan 2020 10:00:00 GMT", "2020-01-01"),
    ],
)
def test_age_is_what_the_file_says(write: Write, tool: Tool, more: Any, date: str, day: str) -> None:
    """A file's own date takes precedence over its headers; without --max-age it is in the summary only."""
    write("tape.json", cassette(response={"headers": {"Date": [date]}}, **more))
    assert tool("lint", "tape.json").splitlines()[-1] == f"recorded from {day} (tape.json) to {day}"
    [finding] = [finding for finding in findings(tool, "tape.json", "--max-age", "30") if finding["kind"] == "old"]
    assert finding["severity"] == "warning"
    assert finding["found"].startswith(f"recorded {day}, ")
    assert finding["found"].endswith(" days ago; --max-age is 30")


def test_orphans(write: Write, tool: Tool) -> None:
    """A file that none of the runs has played is an orphan; paths are relative to the rootdir."""
    for name in ("a", "b", "c"):
        write(f"suite/tapes/{name}.json", cassette({"body": f'"{name}"'}))
    write("one.json", json.dumps({"version": 1, "played": ["tapes/a.json"]}))
    write("two.json", json.dumps({"version": 1, "played": ["tapes/c.json", "tapes/gone.json"]}))
    said = tool("lint", "suite", "--played", "one.json", "--played", "two.json", "--rootdir", "suite")
    assert said == (
        "warning  orphan  suite/tapes/b.json\n"
        "         found  no test of the run played it\n"
        "         why    no test notices if it is wrong\n"
        "         next   delete it, if the run was of all tests: git rm suite/tapes/b.json\n"
        "\n"
        "3 files, 3 interactions: 0 errors, 1 warning, 0 infos\n"
    )


MODULE = """
import pytest
class TestOwn:
    def test_method(self): ...
class TestHeir(TestOwn): ...
test_made = lambda: None
def test_function(): ...
"""


@pytest.mark.parametrize(
    ("test", "is_gone"),
    [
        ("tests/test_a.py::test_function", False),
        ("tests/test_a.py::test_function[a::b]", False),
        ("tests/test_a.py::test_made", False),
        ("tests/test_a.py::TestOwn::test_method", False),
        ("tests/test_a.py::TestHeir::test_inherited", False),
        ("tests/test_a.py", False),
        ("tests/test_star.py::test_anything", False),
        ("tests/test_broken.py::test_anything", False),
        ("docs/guide.md::guide.md", False),
        ("tests/test_a.py::test_func", True),
        ("tests/test_a.py::TestOwn::test_other[1]", True),
        ("tests/test_gone.py::test_function", True),
    ],
)
def test_recordings_of_tests_that_are_gone(write: Write, tool: Tool, test: str, is_gone: bool) -> None:
    """A test is reported as gone only if that is certain: its module is missing, or cannot define or make it."""
    write("suite/tests/test_a.py", MODULE)
    write("suite/tests/test_star.py", "from base import *\n")
    write("suite/tests/test_broken.py", "def (\n")
    interactions = [
        {**json.loads(cassette())["interactions"][0], "llmtrace": {"test": name}}
        for name in ("tests/test_a.py::test_function", test)
    ]
    write("suite/tape.json", json.dumps({"version": 1, "interactions": interactions}))
    told = [f for f in findings(tool, "suite/tape.json", "--rootdir", "suite") if f["kind"] == "gone"]
    found = [(f["severity"], f["interactions"], f["found"]) for f in told]
    assert found == [("warning", [1], f"recorded by {test}, which does not exist")] * is_gone
    elsewhere = [f for f in findings(tool, "suite/tape.json") if f["kind"] == "gone"]
    assert elsewhere == []  # No module that they name is there, so this is not the rootdir.


WANTED = 'expected {"version": 1, "played": ["path", ...]}, as pytest writes it'


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("[]", f"played.json: this is not a list of played cassettes; {WANTED}"),
        ('{"version": 2, "played": []}', f"played.json: this is not a list of played cassettes; {WANTED}"),
        ('{"version": 1, "played": [1]}', f"played.json: this is not a list of played cassettes; {WANTED}"),
        ("{", f"played.json: this is not valid JSON; {WANTED}"),
        ("[" * 100_000, f"played.json: this is not valid JSON; {WANTED}"),
        (None, "played.json: it cannot be read (No such file or directory)"),
        (
            '{"version": 1, "played": ["x.yaml"]}',
            (
                "played.json: none of the 1 files that it names exists below .; run this in pytest's rootdir, or name "
                "that with --rootdir"
            ),
        ),
    ],
)
def test_a_list_of_played_that_is_none_is_wrong_use(write: Write, tool: Tool, content: str | None, text: str) -> None:
    """A wrong list would make every file an orphan, so it is refused."""
    write("tape.json", cassette())
    if content is not None:
        write("played.json", content)
    assert tool("lint", "tape.json", "--played", "played.json", status=2) == f"pytest-llmtrace: {text}\n"


def test_exit_status_and_relaxations(write: Write, tool: Tool) -> None:
    """Warnings fail only with --strict; --ignore leaves a kind out, and --allow accepts a value."""
    text = json.dumps({"c": "jane.doe@acme-research.com"})
    write("tape.json", cassette(response={"body": {"string": text}}))
    tool("lint", "tape.json", status=0)
    tool("lint", "--strict", "tape.json", status=1)
    tool("lint", "--strict", "--ignore", "personal", "tape.json", status=0)
    tool("lint", "--strict", "--allow", r"[a-z.]+@acme-research\.com", "tape.json", status=0)
    tool("lint", "--strict", "--allow", "jane", "tape.json", status=1)
    assert tool("lint", "--allow", "(", "tape.json", status=2) == (
        "pytest-llmtrace: --allow '(' is not a valid regular expression: missing ), unterminated subpattern at "
        "position 0\n"
    )
    assert tool("lint", "tapes.json", status=2) == (
        "pytest-llmtrace: unknown file or folder 'tapes.json': did you mean 'tape.json'? known: tape.json\n"
    )


def test_our_own_cassettes_are_clean(tool: Tool) -> None:
    """The cassettes that we ship have no errors and no warnings."""
    folder = Path(__file__).parents[3] / "cassettes"
    assert ": 0 errors, 0 warnings, " in tool("lint", "--strict", str(folder))
    assert tool("scrub", "--check", str(folder)).startswith("nothing to scrub in ")
