"""Files are written whole or not at all, and a file that is written again differs only where the recording does."""

from __future__ import annotations

import difflib
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import vcr

from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Exchange, Request
from pytest_llmtrace.record import Recorder, _file
from pytest_llmtrace.replay import read_config
from pytest_llmtrace.replay.cassette import load


def chat(made: Callable[..., Exchange], *texts: str, **changes: Any) -> list[Exchange]:
    return [
        made(
            json.dumps({"q": number}).encode(),
            json.dumps({"text": text}, ensure_ascii=False).encode(),
            index=number,
            **changes,
        )
        for number, text in enumerate(texts)
    ]


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[0] in "+-" and not line.startswith(("+++", "---"))]


def test_what_is_said_of_a_file(made: Callable[..., Exchange], recorder: Callable[..., Recorder]) -> None:
    """The report is one sentence: the file, its number of interactions, and what was scrubbed where."""
    exchanges = chat(made, "one", "two", headers=(("Authorization", "Bearer x"),))
    said = str(recorder().save(exchanges))
    assert said.startswith("wrote ")
    assert said.endswith("chat.yaml: 2 interactions; scrubbed: request header authorization (2)")
    assert str(recorder().save(exchanges)).startswith("unchanged ")
    assert str(recorder("new").save(exchanges[:1])).startswith("appended to ")
    assert recorder().save([]) is None


def test_what_the_configuration_drops_is_counted(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Nobody waits in vain for a recording: the report says what was dropped, also if that was everything."""
    kept, *dropped = made(), *(made(url=f"https://b.test/{number}", index=number) for number in (1, 2))
    said = recorder(ignore_hosts=["b.test"]).save(dropped)
    assert str(said).partition(": ")[2] == (
        "the configuration (before_record_*, before_save_interaction or ignore_hosts) drops all there was, "
        "2 interactions"
    )
    assert str(said).startswith("nothing for ")
    assert not (tmp_path / "chat.yaml").exists()
    said = recorder(ignore_hosts=["b.test"]).save([kept, *dropped])
    assert str(said).endswith("chat.yaml: 1 interaction; scrubbed: nothing; the configuration drops 2 more")


def test_the_file_says_where_it_comes_from(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """A file states its origin, day and versions, and its responses have their chunks and times."""
    recorder().save([made(b"{}", b"data: 1\n\n", b"data: [DONE]\n\n", answer=(("content-type", "text/event-stream"),))])
    cassette = load(tmp_path / "chat.yaml")
    assert cassette.origin["origin"] == "recorded"
    assert cassette.origin["with"].startswith("pytest-llmtrace ")
    response = cassette.recordings[0].response
    assert response is not None
    assert (response.chunks, response.offsets) == ((b"data: 1\n\n", b"data: [DONE]\n\n"), (1.0, 2.0))


@pytest.mark.parametrize("name", ["chat.yaml", "chat.json"])
def test_vcrpy_reads_what_is_written(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, name: str
) -> None:
    """A file has vcrpy's own form; a connection that broke before any reply is skipped there."""
    broken = made(b'{"q":2}', response=None, failure="ConnectError: x", stream_end="failed", index=2)
    recorder(name=name).save([*chat(made, "é 😀", "two"), broken])
    serializer = name.rpartition(".")[2]
    with vcr.use_cassette(str(tmp_path / name), record_mode="none", serializer=serializer) as cassette:
        assert [response["body"]["string"] for response in cassette.responses if response] == [
            '{\n  "text": "é 😀"\n}'.encode(),
            b'{\n  "text": "two"\n}',
        ]
    assert [recording.failure for recording in load(tmp_path / name).recordings] == [None, None, "connect-error"]


@pytest.mark.parametrize("name", ["chat.yaml", "chat.json"])
def test_a_new_reply_beside_one_that_is_new_in_its_ids_only(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, name: str
) -> None:
    """Of two calls that are recorded again, one has new content, and the other stays as it is in the file."""

    def two(number: int, text: str) -> list[Exchange]:
        first = json.dumps({"id": f"chatcmpl-{number}7654321", "created": 10**9 + number, "text": "the same"})
        return [made(b'{"q":1}', first.encode()), made(b'{"q":2}', json.dumps({"text": text}).encode(), index=1)]

    recorder(name=name).save(two(1, "one"))
    assert str(recorder(name=name).save(two(2, "two"))).startswith("wrote ")
    bodies = [json.loads(one.response.body) for one in load(tmp_path / name).recordings if one.response]
    assert [body["text"] for body in bodies] == ["the same", "two"]
    assert bodies[0]["id"] == "chatcmpl-17654321"


@pytest.mark.parametrize("name", ["chat.yaml", "chat.json"])
def test_a_shared_file_that_all_its_tests_record_again(
    made: Callable[..., Exchange], tmp_path: Path, name: str
) -> None:
    """What is the same as before the run stays as it was, also of the tests that come after the first one."""
    path = tmp_path / name

    def record(test: str, mode: Any, number: int, text: str, earlier: bytes | None = None) -> None:
        reply = json.dumps({"id": f"chatcmpl-{number}7654321", "text": text}).encode()
        recorder = Recorder(path, mode=mode, settings=read_config({}), config={}, test=test, earlier=earlier)
        recorder.save([made(json.dumps({"of": test}).encode(), reply)])

    for test, mode in (("a", "all"), ("b", "new"), ("c", "new")):
        record(test, mode, 1, "old")
    before = path.read_bytes()
    for test, mode, text in (("a", "all", "old"), ("b", "new", "new"), ("c", "new", "old")):
        record(test, mode, 2, text, None if mode == "all" else before)
    read = [(one.test, json.loads(one.response.body)) for one in load(path).recordings if one.response]
    assert [(test, body["id"], body["text"]) for test, body in read] == [
        ("a", "chatcmpl-17654321", "old"),
        ("b", "chatcmpl-27654321", "new"),
        ("c", "chatcmpl-17654321", "old"),
    ]


def test_the_order_of_different_requests_is_no_content(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Threads send their requests in another order on every run; it matters to replay where they are matched alike."""
    asked = [("a", "1"), ("b", "2"), ("a", "3")]
    exchanges = [made(f'{{"q":"{q}"}}'.encode(), f'{{"t":"{text}"}}'.encode()) for q, text in asked]
    recorder().save(exchanges)
    before = (tmp_path / "chat.yaml").read_bytes()
    first, between, last = exchanges
    assert str(recorder().save([between, first, last])).startswith("unchanged ")
    assert (tmp_path / "chat.yaml").read_bytes() == before
    assert str(recorder(match_on=["method", "uri"]).save([between, first, last])).startswith("wrote ")
    assert str(recorder().save([last, between, first])).startswith("wrote ")
    assert str(recorder().save([first, between])).startswith("wrote ")


def test_a_boundary_is_no_content(made: Callable[..., Exchange], recorder: Callable[..., Recorder]) -> None:
    """An upload that is recorded again stays as it is in the file, although its boundary is a new one."""
    for boundary, part, said in (("b1", "hello", "wrote "), ("b2", "hello", "unchanged "), ("b3", "other", "wrote ")):
        body = f'--{boundary}\r\nContent-Disposition: form-data; name="f"\r\n\r\n{part}\r\n--{boundary}--\r\n'
        headers = (("content-type", f"multipart/form-data; boundary={boundary}"),)
        assert str(recorder().save([made(body.encode(), b"{}", headers=headers)])).startswith(said)


def test_the_length_of_a_reply_without_a_body_stays(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """A reply to HEAD states the length that a GET would have; it is recorded and replayed with that."""
    asked = Request(method="HEAD", url="https://a.test/models")
    recorder().save([made(request=asked, answer=(("content-length", "1000"),))])
    [recording] = load(tmp_path / "chat.yaml").recordings
    assert recording.response is not None
    assert recording.response.headers == (("content-length", "1000"),)


@pytest.mark.parametrize("name", ["chat.yaml", "chat.json"])
@pytest.mark.parametrize("mode", ["new", "all"])
def test_line_ends_stay(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, name: str, mode: str
) -> None:
    """A file that was checked out with the line ends of Windows keeps them, in old and in new interactions."""
    path = tmp_path / name
    recorder(name=name).save(chat(made, "one"))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert str(recorder(name=name).save(chat(made, "one"))).startswith("unchanged ")
    recorder(mode, name=name).save(chat(made, "two", "three"))
    content = path.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") > 0
    bodies = [one.response.body for one in load(path).recordings if one.response]
    assert bodies[-2:] == [b'{\n  "text": "two"\n}', b'{\n  "text": "three"\n}']


@pytest.mark.parametrize("name", ["chat.yaml", "chat.json"])
def test_all_changes_only_what_has_changed(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, name: str
) -> None:
    """An interaction that says the same stays as it stands in the file, with its headers, times and comments."""
    path = tmp_path / name
    recorder(name=name).save(chat(made, "one", "two", "three"))
    before = path.read_text(encoding="utf-8")
    if name == "chat.yaml":
        before = before.replace("- request:\n", "- request:  # kept by hand\n")
        path.write_text(before, encoding="utf-8")
    again = chat(made, "one", "other", "three", answer=(("date", "tomorrow"), ("content-type", "application/json")))
    recorder(name=name).save(again)
    after = path.read_text(encoding="utf-8")
    assert [recording.response.body for recording in load(path).recordings if recording.response] == [
        b'{\n  "text": "one"\n}', b'{\n  "text": "other"\n}', b'{\n  "text": "three"\n}',
    ]  # fmt: skip
    if name == "chat.yaml":
        changed = changed_lines(before, after)
        assert len(changed) < 10, changed
        assert after.count("# kept by hand") == 2
        assert after.count("tomorrow") == 1


def test_notes_on_a_file_stay(made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path) -> None:
    """Notes that somebody wrote under `llmtrace` stay when the file is recorded again; origin and day are replaced."""
    path = tmp_path / "chat.yaml"
    path.write_text("llmtrace: {origin: written, shows: a price}\n" + INDENTED, encoding="utf-8")
    recorder().save(chat(made, "one"))
    origin = load(path).origin
    assert (origin["shows"], origin["origin"]) == ("a price", "recorded")


@pytest.mark.parametrize("mode", ["once", "all", "new"])
@pytest.mark.parametrize("exists", [False, True])
def test_a_recorder_that_saves_again(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, mode: str, exists: bool
) -> None:
    """A recorder adds to what it has written itself, and overwrites nothing that another process has written since."""
    path = tmp_path / "chat.yaml"
    if exists:
        recorder().save(chat(made, "old"))
    texts = ["one", "two", "three"]
    ours = recorder(mode)
    for count in (1, 3, 3):
        ours.save(chat(made, *texts[:count]))
    found = [json.loads(one.response.body)["text"] for one in load(path).recordings if one.response]
    assert found == (["old", *texts] if exists and mode == "new" else texts)
    recorder("new").save(chat(made, "another's"))
    before = path.read_bytes()
    with pytest.raises(CassetteError, match="another process has written this file"):
        ours.save(chat(made, *texts, "four"))
    assert path.read_bytes() == before


INDENTED = """\
# made by hand
interactions:
  - request:
      method: GET
      uri: https://a.test/
    response:
      status: {code: 200}
      body: {string: hello}
  # the last one
version: 1
# the end
"""


def test_new_appends_and_touches_nothing_else(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Mode `new` appends interactions and changes nothing else, whatever the layout of the file."""
    path = tmp_path / "chat.yaml"
    path.write_text(INDENTED, encoding="utf-8")
    recorder("new").save(chat(made, "one\ntwo"))
    after = path.read_text(encoding="utf-8")
    assert [line for line in changed_lines(INDENTED, after) if line.startswith("-")] == []
    assert [recording.request.method for recording in load(path).recordings] == ["GET", "POST"]
    assert after.startswith(INDENTED[:100])


@pytest.mark.parametrize(
    "text",
    [
        "interactions: []\nversion: 1\n",
        "interactions: [{request: {method: GET, uri: x}, response: null}]\nversion: 1\n",
    ],
)
def test_new_refuses_a_form_that_it_cannot_append_to(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, text: str
) -> None:
    """The error says what to do, and the file stays as it is."""
    path = tmp_path / "chat.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CassetteError, match="cannot be appended to a file of this form; --llmtrace-record=all writes"):
        recorder("new").save(chat(made, "one"))
    assert path.read_text(encoding="utf-8") == text


def test_a_file_that_cannot_be_read_is_replaced_by_all(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Mode `all` replaces a file that cannot be read, since it holds nothing to keep."""
    (tmp_path / "chat.yaml").write_bytes(b"\xff not a cassette")
    recorder().save(chat(made, "one"))
    assert len(load(tmp_path / "chat.yaml").recordings) == 1


# --- when it goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("call", ["fsync", "open", "mkdir"])
def test_a_disk_that_is_full_or_cannot_be_written(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    exists: bool, call: str,
) -> None:  # fmt: skip
    """A failed write is one error that says what to do; the file is as it was, and nothing else is left behind."""
    path = tmp_path / "chat.yaml"
    if exists:
        recorder().save(chat(made, "one"))
    before = path.read_bytes() if exists else None

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    failing = recorder()
    monkeypatch.setattr(Path if call == "mkdir" else os, call, fail)
    with pytest.raises(CassetteError) as caught:
        failing.save(chat(made, "two"))
    monkeypatch.undo()
    kept = "the file was not changed" if exists else "no file was created"
    assert str(caught.value) == (
        f"{path}: the recording could not be written: No space left on device; {kept}. "
        "Next: free disk space or make the folder writable, and record again"
    )
    assert (path.read_bytes() if path.exists() else None) == before
    assert [*tmp_path.iterdir()] == ([path] if exists else [])


@pytest.mark.parametrize("length", [243, 244, 250])
def test_a_name_that_is_nearly_as_long_as_a_name_may_be(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, length: int
) -> None:
    """A name that the file system takes can be recorded, although nothing can be added to it; nothing else is left."""
    path = tmp_path / f"{'n' * length}.yaml"
    recorder(name=path.name).save(chat(made, "one"))
    assert [*tmp_path.iterdir()] == [path]


KILLED = """
import os, pathlib, sys
from pytest_llmtrace.record import _file

def make(found):
    print("writing", flush=True)
    sys.stdin.read()

_file.write(pathlib.Path(sys.argv[1]), make)
"""


def test_killed_in_the_middle_of_writing(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path,
    child_environ: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The good file stays; while a process writes no other does, and what a killed process leaves is taken over."""
    path = tmp_path / "chat.yaml"
    recorder().save(chat(made, "one"))
    before = path.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", KILLED, str(path)], env=child_environ(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        monkeypatch.setattr(_file, "PATIENCE", 0.1)
        unfinished = tmp_path / ".chat.yaml.recording"
        os.utime(unfinished, (2**33, 2**33))  # A recent time means that the process is still at work.
        with pytest.raises(CassetteError, match="another process is writing it; the file was not changed"):
            recorder().save(chat(made, "two"))
        other.send_signal(signal.SIGKILL)
    assert path.read_bytes() == before
    assert unfinished.exists()
    os.utime(unfinished, (0, 0))
    recorder().save(chat(made, "two"))
    assert b"two" in path.read_bytes()
    assert [*tmp_path.iterdir()] == [path]


def test_another_process_that_begins_at_once(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a process has put its file in place, an unfinished file is another's, and stays."""
    unfinished = tmp_path / ".chat.yaml.recording"
    replace = Path.replace

    def replace_and_begin(path: Path, target: Path) -> None:
        replace(path, target)
        path.write_bytes(b"another's")

    monkeypatch.setattr(Path, "replace", replace_and_begin)
    recorder().save(chat(made, "one"))
    assert unfinished.read_bytes() == b"another's"


def test_two_processes_that_record_one_file(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """The second process gets an error, and the recording of the first stays; with `new` both are kept."""
    path = tmp_path / "chat.yaml"
    first, second, third = recorder(), recorder(), recorder("new")
    first.save(chat(made, "first"))
    with pytest.raises(CassetteError) as caught:
        second.save(chat(made, "second"))
    assert str(caught.value) == (
        f"{path}: another process has written this file since the recording began; it was left as it is. "
        "Next: record each cassette from one process at a time"
    )
    assert len(load(path).recordings) == 1
    third.save(chat(made, "third"))
    assert len(load(path).recordings) == 2


@pytest.mark.parametrize("content", [b"ours", None])
def test_who_was_taken_for_dead_touches_nothing(tmp_path: Path, content: bytes | None) -> None:
    """If another process has taken a slow one for dead and started over, its half-written file is not put in place."""
    path, unfinished = tmp_path / "chat.yaml", tmp_path / ".chat.yaml.recording"
    path.write_bytes(b"before")

    def make(_: bytes | None) -> bytes | None:
        unfinished.unlink()
        unfinished.write_bytes(b"half of thei")
        return content

    if content is None:
        assert not _file.write(path, make)
    else:
        with pytest.raises(CassetteError, match="another process is writing it; the file was not changed"):
            _file.write(path, make)
    assert (path.read_bytes(), unfinished.read_bytes()) == (b"before", b"half of thei")


def test_the_mode_of_a_file_stays(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """A file that is written again keeps its permissions."""
    recorder().save(chat(made, "one"))
    (tmp_path / "chat.yaml").chmod(0o640)
    recorder().save(chat(made, "two"))
    assert (tmp_path / "chat.yaml").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_one(made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path) -> None:
    """The target of a link is written, so that other links to it have the recording too."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "chat.yaml").symlink_to(Path("elsewhere", "shared.yaml"))
    for texts in (["one"], ["one", "two"]):
        recorder().save(chat(made, *texts))
        assert (tmp_path / "chat.yaml").is_symlink()
        assert len(load(tmp_path / "elsewhere" / "shared.yaml").recordings) == len(texts)


def test_bytes_in_a_json_cassette(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Bytes are written as base64, in a form that this package reads."""
    recorder(name="chat.json").save([made(b"\xff\x00", b"\xfe")])
    [recording] = load(tmp_path / "chat.json").recordings
    assert recording.response is not None
    assert (recording.request.body, recording.response.body) == (b"\xff\x00", b"\xfe")


def test_a_large_body(made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path) -> None:
    """Text and bytes of two megabytes are written and read back."""
    text = json.dumps({"text": "lorem ipsum 😀 " * 150_000}, ensure_ascii=False).encode()
    recorder().save([made(b"{}", text), made(b"[]", b"\xff\x00" * 1_000_000, index=1)])
    one, two = (recording.response for recording in load(tmp_path / "chat.yaml").recordings)
    assert one is not None
    assert json.loads(one.body) == json.loads(text)
    assert two is not None
    assert two.body == b"\xff\x00" * 1_000_000


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("name", ["chat.yaml", "chat.json"])
def test_the_version_of_http(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, version: str, name: str
) -> None:
    """It is written if it is not HTTP/1.1, and read again; vcrpy passes over it."""
    exchange = made(b"{}", b"{}")
    assert exchange.response is not None
    recorder(name=name).save([replace(exchange, response=replace(exchange.response, http_version=version))])
    [recording] = load(tmp_path / name).recordings
    assert recording.response is not None
    assert recording.response.http_version == version
    assert ("http_version" in (tmp_path / name).read_text(encoding="utf-8")) == (version != "HTTP/1.1")
    serializer = name.rpartition(".")[2]
    with vcr.use_cassette(str(tmp_path / name), serializer=serializer, record_mode="none") as cassette:
        assert len(cassette.responses) == 1


def test_a_server_that_has_learned_its_coding(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """The same body is another reply if a client raised at it: what was recorded before does not stay."""
    coded = (("content-type", "text/plain"), ("content-encoding", "gzip"))
    recorder().save([made(b"{}", b"hello", answer=coded)])
    assert str(recorder().save([made(b"{}", b"hello", answer=coded)])).startswith("unchanged ")
    recorder().save([made(b"{}", b"hello", answer=coded[:1])])
    assert "content-encoding" not in (tmp_path / "chat.yaml").read_text(encoding="utf-8")
