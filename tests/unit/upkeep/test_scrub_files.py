"""`cassettes scrub` replaces secrets; everything else stays as it is written."""

from __future__ import annotations

import gzip
import json
import os
import sys
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import brotli
import pytest
import yaml
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmtrace import replay
from pytest_llmtrace.codings import unpacked
from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.headers import header
from pytest_llmtrace.model import Request
from pytest_llmtrace.replay import cassette as cassettes
from pytest_llmtrace.replay import scrub
from pytest_llmtrace.secrets.shapes import is_stand_in
from pytest_llmtrace.upkeep import _scrub, _scrub_many
from pytest_llmtrace.upkeep._scrub import scrubbed

Write = Callable[..., Path]
Tool = Callable[..., str]

KEY = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x"
SLACK = "xoxb-1a2b3c4d5e6f7g8h9i0"
TAPE = f"""\
# by hand, keep
version: 1
interactions:
  - request:   # the call
      method: POST
      uri: "https://me:pw@a.example/v1/chat?key=9f8e7d6c5b4a&b=1"
      headers: {{Authorization: ["Bearer {KEY}"], accept: ['*/*'], Content-Length: ['57']}}
      body: '{{"model": "it''s", "api_key": "Zq8-77-bb",
        "messages": []}}'
    response:
      status: {{code: 200, message: OK}}
      headers:
        Set-Cookie:
        - >-
          __cf_bm=8sFjK2l9;
          path=/
        - __cf_bm=REDACTED; path=/
      body:
        string: |
          data: {{"error": "your key {KEY} is\\nwrong"}}

          data: [DONE]
      llmtrace: {{chunks: [72, 13], offsets: [0.1, 0.2]}}
"""


def interaction(request: dict[str, Any] | None = None, response: dict[str, Any] | None = None) -> dict[str, Any]:
    asked = {"method": "POST", "uri": "https://a.example/v1", "headers": {}, "body": "{}"}
    said = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "{}"}}
    return {"request": asked | (request or {}), "response": said | (response or {})}


def document(*interactions: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "interactions": list(interactions)}


def secret() -> dict[str, Any]:
    return document(interaction({"headers": {"authorization": [f"Bearer {KEY}"]}}))


SECRET_DIFF = """\
--- tape.yaml
+++ tape.yaml
@@ -3,7 +3,7 @@
     body: '{}'
     headers:
       authorization:
-      - Bearer …(39 characters)
+      - '[secret]'
     method: POST
     uri: https://a.example/v1
   response:
"""


def test_only_what_is_secret_changes(write: Write, tool: Tool) -> None:
    """Comments, order, quotes, folding and chunks stay, and right sizes stay right; a second run finds nothing."""
    path = write("tape.yaml", TAPE)
    before = replay.load(path).recordings[0]
    tool("scrub", "--yes", "tape.yaml")
    wanted = (
        TAPE.replace("me:pw@", "")
        .replace("9f8e7d6c5b4a", "[secret]")
        .replace(f"Bearer {KEY}", "[secret]")
        .replace("Zq8-77-bb", "[secret]")
        .replace("['57']", "['56']")
        .replace(">-\n          __cf_bm=8sFjK2l9;\n          path=/", "'[secret]'")
        .replace(KEY, "[secret]")
        .replace("[72, 13]", "[48, 13]")
    )
    assert path.read_text(encoding="utf-8") == wanted
    after = replay.load(path).recordings[0]
    assert before.response is not None
    assert after.response is not None
    assert [len(chunk) for chunk in before.response.chunks] == [72, 13]
    assert (after.response.chunks[1], after.response.offsets) == (before.response.chunks[1], before.response.offsets)
    assert tool("scrub", "--check", "tape.yaml") == "nothing to scrub in 1 file\n"


def test_the_diff_shows_kind_and_length_of_a_secret_and_no_more(write: Write, tool: Tool) -> None:
    """The whole diff of a file with a secret in each kind of value, of which only kind and length are shown."""
    write("tape.yaml", TAPE)
    said = tool("scrub", "--check", "tape.yaml", status=1)
    assert said == (
        "--- tape.yaml\n"
        "+++ tape.yaml\n"
        "@@ -3,21 +3,19 @@\n"
        " interactions:\n"
        "   - request:   # the call\n"
        "       method: POST\n"
        '-      uri: "https://…(6 characters)a.example/v1/chat?key=…(12 characters)&b=1"\n'
        "-      headers: {Authorization: [\"Bearer …(39 characters)\"], accept: ['*/*'], Content-Length: ['57']}\n"
        '-      body: \'{"model": "it\'\'s", "api_key": "…(9 characters)",\n'
        '+      uri: "https://a.example/v1/chat?key=[secret]&b=1"\n'
        "+      headers: {Authorization: [\"[secret]\"], accept: ['*/*'], Content-Length: ['56']}\n"
        '+      body: \'{"model": "it\'\'s", "api_key": "[secret]",\n'
        '         "messages": []}\'\n'
        "     response:\n"
        "       status: {code: 200, message: OK}\n"
        "       headers:\n"
        "         Set-Cookie:\n"
        "-        - …(24 characters)\n"
        "-          …\n"
        "-          …\n"
        "+        - '[secret]'\n"
        "         - __cf_bm=REDACTED; path=/\n"
        "       body:\n"
        "         string: |\n"
        '-          data: {"error": "your key sk-…(32 characters) is\\nwrong"}\n'
        '+          data: {"error": "your key [secret] is\\nwrong"}\n'
        " \n"
        "           data: [DONE]\n"
        "-      llmtrace: {chunks: [72, 13], offsets: [0.1, 0.2]}\n"
        "+      llmtrace: {chunks: [48, 13], offsets: [0.1, 0.2]}\n"
        "5 values in 1 file to scrub; nothing was written\n"
    )


def test_a_long_line_is_cut_to_what_is_near(write: Write, tool: Tool) -> None:
    """A cassette on one line makes a diff that can be read."""
    write("tape.json", json.dumps(document(interaction({"headers": {"x-api-key": KEY}, "body": "x" * 500}))))
    assert tool("scrub", "--check", "tape.json", status=1) == (
        "--- tape.json\n"
        "+++ tape.json\n"
        "@@ -1,1 +1,1 @@\n"
        '-{"version": 1, "interactions": [{"reques…a.example/v1", "headers": {"x-api-key": "sk-…(32 characters)"}, '
        '"body": "xxxxxxxxxxxxxxxxxxxxxxxxxxxx…\n'
        '+{"version": 1, "interactions": [{"reques…a.example/v1", "headers": {"x-api-key": "[secret]"}, '
        '"body": "xxxxxxxxxxxxxxxxxxxxxxxxxxxx…\n'
        "1 value in 1 file to scrub; nothing was written\n"
    )


def test_without_a_terminal_nothing_is_written_unasked(write: Write, tool: Tool) -> None:
    """Without a terminal to ask at, the diff is shown and the exit status is 1."""
    path = write("tape.yaml", yaml.dump(secret()))
    content = path.read_bytes()
    assert tool("scrub", "tape.yaml", status=1) == (
        f"{SECRET_DIFF}1 value in 1 file to scrub; nothing was written: use --yes to write\n"
    )
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("answer", "said", "status"),
    [
        ("y", "scrubbed 1 value in 1 file; withdraw the keys if they were pushed\n", 0),
        ("", "nothing was written\n", 1),
    ],
)
def test_at_a_terminal_one_is_asked(
    write: Write, tool: Tool, monkeypatch: pytest.MonkeyPatch, answer: str, said: str, status: int
) -> None:
    """The question is asked once, after the diff; the file is written only if the answer is yes."""
    path = write("tape.yaml", yaml.dump(secret()))
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", ask)
    assert tool("scrub", "tape.yaml", status=status) == SECRET_DIFF + said
    assert asked == ["Scrub 1 value in 1 file? [y/N] "]
    assert (KEY in path.read_text(encoding="utf-8")) is (status == 1)


def test_what_a_request_is_found_by_goes_and_it_is_still_found(write: Write, tool: Tool) -> None:
    """Keys and personal values in a path, a parameter or a prompt are replaced; their request finds its recording."""
    sent = {"messages": [{"role": "user", "content": f"is {SLACK} a key?"}], "metadata": {"user_id": "u-4711-ab"}}
    uri = "https://a.example/hf_a1B2c3a1B2c3a1B2c3a1B2c3a1B2c3a1B2c3/jane.doe%40acme-research.com?by=jane@acme-research.com"
    path = write("tape.json", json.dumps(document(interaction({"body": json.dumps(sent), "uri": uri}))))
    tool("scrub", "--yes", "tape.json")
    cassette = replay.load(path)
    written = cassette.recordings[0].request
    assert written.url == "https://a.example/[secret]/[removed]?by=[removed]"
    assert json.loads(written.body) == {
        "messages": [{"role": "user", "content": "is [secret] a key?"}],
        "metadata": {"user_id": "[removed]"},
    }
    assert tool("lint", "--strict", "tape.json") == "1 file, 1 interaction: 0 errors, 0 warnings, 0 infos\n"
    player = replay.Player(cassette)
    assert player.answer(Request(method="POST", url=uri.replace("by=", "to="), body=json.dumps(sent).encode())) is None
    assert player.answer(Request(method="POST", url=uri, body=json.dumps(sent).encode())) is not None


@pytest.mark.parametrize(
    "response",
    [
        {"body": {"string": json.dumps({"key": f"\n{KEY}", "client_secret": "Zq8-77-bb"})}},
        {"body": {"string": gzip.compress(json.dumps({"a": KEY, "idToken": "Zq8-77-bb"}).encode())}},
        *(
            {"headers": {"Content-Encoding": [name]}, "body": {"string": pack(json.dumps({"a": KEY}).encode())}}
            for name, pack in (("deflate", zlib.compress), ("br", brotli.compress), ("zstd", zstd.compress))
        ),
        {"body": {"base64_string": b64encode(gzip.compress(json.dumps({"a": [KEY, "Zq8"]}).encode())).decode()}},
        {"body": {"string": b64encode(f"key {KEY}".encode()).decode(), "encoding": "base64"}},
        {"body": {"type": "json", "content": {"a": [{"apiKey": "Zq8-77-bb", "b": f"x {KEY}"}]}}},
        {"body": {"type": "binary", "content": f"key {KEY}".encode().hex()}},
        {"body": {"type": "text", "content": f"key {KEY}"}},
        {"body": None, "parsed_body": {"a": [{"apiKey": "Zq8-77-bb", "b": f"x {KEY}"}]}},
        {"body": None, "content": f"key {KEY}", "status": 200},
        {"headers": [["Set-Cookie", f"a={KEY}"], ["X-Mine", [f"b {KEY}"]]]},
    ],
    ids=[
        "text",
        "gzip",
        "deflate",
        "br",
        "zstd",
        "base64",
        "encoding",
        "json",
        "hex",
        "typed",
        "parsed",
        "content",
        "pairs",
    ],
)
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_each_form_of_file_is_scrubbed(write: Write, tool: Tool, response: dict[str, Any], form: str) -> None:
    """Wherever a cassette may hold a secret it is replaced, compressed or not, and the form stays (packed as gzip)."""
    value = document(interaction(response=response))
    if form == "json" and isinstance(value["interactions"][0]["response"].get("body"), dict):
        packed = value["interactions"][0]["response"]["body"]
        if isinstance(packed.get("string"), bytes):
            packed["base64_string"] = b64encode(packed.pop("string")).decode()
    path = write(f"tape.{form}", yaml.dump(value) if form == "yaml" else json.dumps(value))
    shape = _shape_of(path)
    tool("scrub", "-y", path.name)
    said = replay.load(path).recordings[0].response
    assert said is not None
    text = unpacked(said.body).decode() + str(said.headers)
    assert header(said.headers, "content-encoding") in {"", "gzip"}
    assert [word for word in (KEY, "Zq8-77-bb") if word in text] == []
    assert "[secret]" in text
    assert _shape_of(path) == shape
    assert tool("scrub", "--check", path.name) == "nothing to scrub in 1 file\n"


def _shape_of(path: Path) -> Any:
    """Return a file's keys and types without its values."""

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(item) for key, item in value.items()}
        return [shape(item) for item in value] if isinstance(value, list) else type(value)

    return shape(yaml.safe_load(path.read_text(encoding="utf-8")))


NAMES = {
    "request header": scrub.REQUEST_HEADERS,
    "response header": scrub.RESPONSE_HEADERS,
    "query": scrub.QUERY_PARAMETERS,
    "request field": scrub.BODY_FIELDS,
    "response field": scrub.BODY_FIELDS,
}


@pytest.mark.parametrize(("place", "name"), [(place, name) for place, names in NAMES.items() for name in sorted(names)])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_each_name_that_replay_leaves_out_is_scrubbed(
    write: Write, tool: Tool, place: str, name: str, case: Callable[[str], str]
) -> None:
    """Values that a comparison leaves out are replaced, in any case of their name; lint then finds nothing."""
    name, canary = case(name), "Canary-9f8e7d6c5b4a"
    body = json.dumps({"a": [{name: canary}]})
    changes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "request header": ({"headers": {name: [canary]}}, {}),
        "response header": ({}, {"headers": {name: canary}}),
        "query": ({"uri": f"https://a.example/v1?{name}={canary}&b=1"}, {}),
        "request field": ({"body": body}, {}),
        "response field": ({}, {"body": {"string": body}}),
    }
    path = write("tape.yaml", yaml.dump(document(interaction(*changes[place]))))
    tool("scrub", "-y", "tape.yaml")
    assert canary not in path.read_text(encoding="utf-8")
    assert tool("lint", "--strict", "tape.yaml") == "1 file, 1 interaction: 0 errors, 0 warnings, 0 infos\n"


PLAIN = "window-seat-4711"
"""A key that does not look like one: only the header that holds it tells what it is."""
CARRIED = {"headers": {"authorization": [f"Bearer {PLAIN}"]}}


@pytest.mark.parametrize(
    "response",
    [
        {"body": {"string": json.dumps({"error": f"no such key: {PLAIN}."})}},
        {"body": {"string": f"no such key: {PLAIN}."}},
        {"body": {"base64_string": b64encode(f"no such key: {PLAIN}".encode()).decode()}},
        {"headers": {"x-note": [f"key {PLAIN}"]}},
        {"status": {"code": 401, "message": f"no {PLAIN}"}},
        {"parsed_body": {"error": f"no such key: {PLAIN}"}},
    ],
    ids=["json", "text", "base64", "header", "reason", "tree"],
)
def test_a_key_of_a_header_is_taken_out_of_replies(write: Write, tool: Tool, response: dict[str, Any]) -> None:
    """A key that a reply repeats goes with the header that tells that it is one, also in another interaction."""
    other = interaction({"uri": "https://a.example/v2"}, response)
    path = write("tape.yaml", yaml.dump(document(interaction(CARRIED), other)))
    tool("scrub", "-y", "tape.yaml")
    text = path.read_text(encoding="utf-8")
    assert PLAIN not in text
    assert b64encode(PLAIN.encode()).decode()[:12] not in text
    assert tool("lint", "--strict", "tape.yaml") == "1 file, 2 interactions: 0 errors, 0 warnings, 0 infos\n"


PIECES = "".join(
    f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': part}}]})}\n\n"
    for part in ("window-", "seat-4711")
)


@pytest.mark.parametrize(
    ("request_", "response", "where"),
    [
        ({"body": json.dumps({"text": f"my key is {PLAIN}"})}, {}, "request, where a mask would match nothing"),
        ({"uri": f"https://a.example/{PLAIN}/v1"}, {}, "request, where a mask would match nothing"),
        ({}, {"body": {"string": PIECES}}, "reply, where it is encoded or in pieces"),
    ],
    ids=["request body", "url", "pieces"],
)
def test_a_key_of_a_header_that_cannot_be_taken_out(
    write: Write, tool: Tool, request_: dict[str, Any], response: dict[str, Any], where: str
) -> None:
    """Where the key cannot be masked, the file stays: without its header nothing would tell that it is a key."""
    path = write("tape.yaml", yaml.dump(document(interaction(CARRIED | request_, response))))
    before = path.read_bytes()
    assert tool("scrub", "-y", "tape.yaml", status=1).splitlines()[0] == (
        "pytest-llmtrace: tape.yaml:2: the API key (request header authorization, interaction 0) is also in the "
        f"{where} (interaction 0); nothing was written. Take it out of the test, and record it again"
    )
    assert path.read_bytes() == before


def test_what_is_no_key_is_not_carried_on(write: Write, tool: Tool) -> None:
    """Stand-ins, names of organizations and short cookies may stand elsewhere."""
    headers = {
        "authorization": ["Bearer test-key-1"],
        "openai-organization": ["acme-corp-7"],
        "cookie": ["r=us-east-1"],
    }
    said = {"text": "test-key-1 of acme-corp-7 in us-east-1"}
    path = write(
        "tape.yaml", yaml.dump(document(interaction({"headers": headers}, {"body": {"string": json.dumps(said)}})))
    )
    tool("scrub", "-y", "tape.yaml")
    [recording] = cassettes.parse(path.read_bytes(), path).recordings
    assert recording.response is not None
    assert json.loads(recording.response.body) == said


def test_escapes_of_json_stay_whole(write: Write, tool: Tool) -> None:
    """A body that is JSON stays JSON, wherever in a string a secret or a personal value stands."""
    said = {"a": f"\t{KEY}\n{KEY}", "b": "\tjane.doe@acme-research.com\n/home/jdoe/x"}
    path = write("tape.json", json.dumps(document(interaction(response={"body": {"string": json.dumps(said)}}))))
    tool("scrub", "-y", "tape.json")
    response = replay.load(path).recordings[0].response
    assert response is not None
    assert json.loads(response.body) == {"a": "\t[secret]\n[secret]", "b": "\t[removed]\n/home/[removed]/x"}


def test_shared_and_doubled_values(write: Write, tool: Tool) -> None:
    """An anchored value is replaced once for all its uses, a value hidden by a second key of the same name as well."""
    value = (
        yaml.dump(secret()).replace("- Bearer", "- &key Bearer").replace("  response:", "  again: *key\n  response:")
    )
    value = value.replace("    method: POST", "      cookie: a=8sFjK2l9\n      cookie: [b=Zq8-77-bb]\n    method: POST")
    path = write("tape.yaml", value)
    tool("scrub", "-y", "tape.yaml")
    wanted = value.replace(f"&key Bearer {KEY}", "&key '[secret]'").replace("a=8sFjK2l9", "'[secret]'")
    assert path.read_text(encoding="utf-8") == wanted.replace("b=Zq8-77-bb", "'[secret]'")


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_ends_of_lines_and_byte_order_mark_stay(write: Write, tool: Tool, ending: str, mark: bytes) -> None:
    """The bytes around a change stay, with line ends and byte order mark."""
    content = mark + yaml.dump(secret()).replace("\n", ending).encode()
    path = write("tape.yaml", content)
    tool("scrub", "-y", "tape.yaml")
    assert path.read_bytes() == content.replace(f"Bearer {KEY}".encode(), b"'[secret]'")


def test_mode_and_link_stay(write: Write, tool: Tool, tmp_path: Path) -> None:
    """A file keeps its mode, and a link stays a link to the file that is written; nothing else is left behind."""
    path = write("real.yaml", yaml.dump(secret()))
    path.chmod(0o640)
    (tmp_path / "link.yaml").symlink_to(path)
    tool("scrub", "-y", "link.yaml")
    assert (tmp_path / "link.yaml").is_symlink()
    assert KEY not in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]


def test_a_write_that_fails_leaves_the_file_as_it_was(
    write: Write, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is reported in one sentence; the old file is whole, and no other file is left behind."""
    path = write("tape.yaml", yaml.dump(secret()))
    content = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    said = tool("scrub", "-y", "tape.yaml", status=1).removeprefix(SECRET_DIFF)
    assert said == (
        f"pytest-llmtrace: {Path('tape.yaml')}: it cannot be written (No space left on device); it is as it was\n"
        "scrubbed 0 values in 0 files; withdraw the keys if they were pushed\n"
    )
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["tape.yaml"]


def test_a_file_that_changed_meanwhile_is_not_written(write: Write) -> None:
    """A file that somebody else has written since it was read is not overwritten."""
    path = write("tape.yaml", yaml.dump(secret()))
    result = scrubbed(path)
    path.write_text("interactions: []\n", encoding="utf-8")
    with pytest.raises(CassetteError) as caught:
        result.write()
    assert str(caught.value) == f"{path}: it was changed while it was read; nothing was written, try again"
    assert path.read_text(encoding="utf-8") == "interactions: []\n"


def test_a_change_that_would_change_more_is_refused(write: Write, tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new text did not read as the old one with just these values replaced, nothing is written."""
    path = write("tape.yaml", yaml.dump(secret()))
    content = path.read_bytes()
    monkeypatch.setattr(_scrub, "patched", lambda text, _: text.replace("POST", "GET"))
    assert tool("scrub", "-y", "tape.yaml", status=1) == (
        "pytest-llmtrace: tape.yaml: its secrets cannot be replaced in place without changing something else; nothing "
        "was written. Record it again, or take them out by hand\n"
        "nothing to scrub in 0 files\n"
    )
    assert path.read_bytes() == content


def test_a_request_that_would_not_be_found_any_more_is_refused(
    write: Write, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request is compared before and after, as replay compares it; if they differ, nothing is written."""
    write("tape.yaml", yaml.dump(document(interaction({"body": json.dumps({"prompt": KEY})}))))
    monkeypatch.setattr(scrub, "is_scrubbed", lambda _: False)
    assert tool("scrub", "-y", "tape.yaml", status=1) == (
        "pytest-llmtrace: tape.yaml:2: interaction 0 would no longer be found by its request (body); nothing was "
        "written. Take its secrets out of the test, and record it again\n"
        "nothing to scrub in 0 files\n"
    )


def test_a_key_in_a_request_that_is_no_text_goes_and_it_is_still_found(write: Write, tool: Tool) -> None:
    """A key among bytes other than text is replaced; its request still finds its recording, and lint finds nothing."""
    sent = "Größe ".encode("latin-1") + KEY.encode()
    path = write("tape.yaml", yaml.dump(document(interaction({"body": sent}))))
    tool("scrub", "--yes", "tape.yaml")
    [recording] = replay.load(path).recordings
    assert recording.request.body == "Größe [secret]".encode("latin-1")
    assert replay.Player(replay.load(path)).answer(replace(recording.request, body=sent)) is not None
    assert tool("lint", "--strict", "tape.yaml") == "1 file, 1 interaction: 0 errors, 0 warnings, 0 infos\n"


PROMPT = f"is {KEY} the key of jane.doe@acme-research.com in /home/jdoe/app? Use hf_hub_download and sk-test-1234."


@pytest.mark.parametrize("form", ["string", "parsed_body"])
def test_a_scrubbed_request_finds_its_recording(write: Write, tool: Tool, form: str) -> None:
    """Values that were taken out of a prompt do not matter to replay; text that only looks like them stays."""
    sent = {"messages": [{"role": "user", "content": PROMPT}], "api_key": "Zq8-77-bb"}
    body = {"body": json.dumps(sent)} if form == "string" else {"body": None, "parsed_body": sent}
    path = write("tape.yaml", yaml.dump(document(interaction(body), interaction())))
    tool("scrub", "-y", "tape.yaml")
    cassette = replay.load(path)
    said = json.loads(cassette.recordings[0].request.body)["messages"][0]["content"]
    assert said == "is [secret] the key of [removed] in /home/[removed]/app? Use hf_hub_download and sk-test-1234."
    player = replay.Player(cassette)
    for asked in ({**sent, "api_key": "another"}, {}):
        request = Request(method="POST", url="https://a.example/v1", body=json.dumps(asked).encode())
        assert player.answer(request) is not None
    assert player.unplayed() == ()


@pytest.mark.parametrize("name", ["tape.yaml", "tape.json"])
def test_a_key_in_pieces_goes(write: Write, tool: Tool, name: str) -> None:
    """The replacement comes with the first piece; the other events stay, and each is still a chunk of its own."""
    deltas = ["is ", KEY[:9], KEY[9:20], KEY[20:] + "?"]
    events = [f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}}]})}\n\n" for text in deltas]
    sizes = {"chunks": [len(event) for event in events], "offsets": [0.1, 0.2, 0.3, 0.4]}
    tape = document(interaction(response={"body": {"string": "".join(events)}, "llmtrace": sizes}))
    path = write(name, yaml.dump(tape) if name == "tape.yaml" else json.dumps(tape))
    tool("scrub", "-y", name)
    [recording] = replay.load(path).recordings
    assert recording.response is not None
    found = [json.loads(chunk[6:])["choices"][0]["delta"]["content"] for chunk in recording.response.chunks]
    assert found == ["is ", "[secret]", "", "?"]
    assert tool("lint", name).splitlines()[0].startswith("1 file")


def test_broken_files_do_not_stop_the_others(write: Write, tool: Tool) -> None:
    """A file that cannot be read is reported in one line, the others are scrubbed, and the exit status is 1."""
    write("tapes/a.yaml", "interactions: [")
    good = write("tapes/b.yaml", yaml.dump(secret()))
    write("tapes/c.json", "[]")
    said = tool("scrub", "-y", "tapes", status=1).splitlines()
    assert said[0] == (
        f"pytest-llmtrace: {Path('tapes/a.yaml')}:2: this is not valid YAML: while parsing a flow node, did not find "
        "expected node content"
    )
    assert said[-1] == "scrubbed 1 value in 1 file; withdraw the keys if they were pushed"
    assert KEY not in good.read_text(encoding="utf-8")


def test_all_is_shown_before_anything_is_written(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one question for all files, after all diffs."""
    paths = [write(f"{name}.yaml", yaml.dump(secret())) for name in "ab"]
    said: list[str] = []

    def ask(question: str) -> bool:
        said.append(question)
        return all(KEY in path.read_text(encoding="utf-8") for path in paths)

    assert _scrub_many.scrub_all(paths, mode="ask", say=said.append, ask=ask) == 0
    assert [line for line in said if line.startswith(("---", "Scrub"))] == [
        "--- a.yaml",
        "--- b.yaml",
        "Scrub 2 values in 2 files? [y/N] ",
    ]


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t\"'\\ :#"), max_size=30).filter(
    lambda text: not is_stand_in(f"Zq8-77-bb{text}")
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=TEXTS,
    style=st.sampled_from([None, "'", '"', "|", ">", "json"]),
    width=st.sampled_from([20, 80, 1000]),
    spaces=st.integers(0, 2),
    ascii_only=st.booleans(),
)
def test_any_text_around_a_secret_stays(
    tmp_path: Path, text: str, style: str | None, width: int, spaces: int, ascii_only: bool
) -> None:
    """In whatever style a file is written, only the secrets in it change, and no secret is left."""
    gap = " " * spaces
    reply = {"text": f"{text} {KEY} {gap}{text}", "api_key": f"Zq8-77-bb{text}", "more": [text]}
    sent = {"client-secret": f"Zq8-77-bb{text}", "prompt": text}
    value = document(
        interaction(
            {"headers": {"Authorization": f"Bearer {KEY}"}, "body": json.dumps(sent, ensure_ascii=ascii_only)},
            {"body": {"string": f"data: {json.dumps(reply, ensure_ascii=ascii_only)}\r\n\r\ndata: [DONE]\r\n\r\n"}},
        )
    )
    written = (
        json.dumps(value, ensure_ascii=ascii_only)
        if style == "json"
        else yaml.dump({"interactions": value["interactions"]}, default_style=style, width=width, allow_unicode=True)
    )
    path = tmp_path / ("tape.json" if style == "json" else "tape.yaml")
    path.write_bytes(written.encode())
    result = scrubbed(path)
    recording = cassettes.parse(result.new, path).recordings[0]
    assert recording.response is not None
    assert json.loads(recording.request.body) == sent | {"client-secret": "[secret]"}
    said = json.loads(recording.response.body.decode().partition("\r\n")[0].removeprefix("data: "))
    assert said == reply | {"text": f"{text} [secret] {gap}{text}", "api_key": "[secret]"}
    assert dict(recording.request.headers) == {"Authorization": "[secret]"}
    assert "Zq8-77-bb" not in result.new.decode() + "\n".join(result.diff())
    path.write_bytes(result.new)
    assert scrubbed(path).patches == ()
