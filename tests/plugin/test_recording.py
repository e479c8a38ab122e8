"""`--llmtrace-record` and `record(name)`: recording from a server, then replaying without it."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

KEY = "sk-proj-Canary0123456789abcdefCanary"
WORDS = ["Hel", "lo ", "😀"]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers like OpenAI; certain paths make it break off a stream, or send what is not HTTP."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests += 1
        if "invalid" in self.path:
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            self.close_connection = True
        elif "refusing" in self.path:
            self.send(429, {"error": {"message": "slow down", "code": "rate_limit"}})
        elif self.path.endswith("_tokens"):
            self.send(200, {"input_tokens": 14})
        elif asked.get("stream"):
            self.stream()
        else:
            said = {"role": "assistant", "content": f"reply {self.server.requests}"}
            self.send(200, {"id": "c", "model": "m", "choices": [{"index": 0, "message": said}]})

    def do_GET(self) -> None:
        self.server.release.set()
        self.send(200, {})

    def send(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("set-cookie", f"id={KEY}")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, word in enumerate(WORDS):
            if "waits" in self.path and number:
                self.server.release.wait(10)
            self.chunk("data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": word}}]}) + "\n\n")
            if "breaks" in self.path:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
        self.chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, text: str) -> None:
        body = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Be silent."""


class Server(http.server.ThreadingHTTPServer):
    """Counts requests; its stream at `/waits` goes on after a GET request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = 0
        self.release = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Do nothing: a client that disconnects is not an error here."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def record(run: Any, server: Server) -> Callable[..., Any]:
    """Run the suite with options; its helper `ask` calls the server."""

    def record(source: str, *options: str, **more: Any) -> Any:
        return run(HEAD + source, options=options, PORT=str(server.server_port), **more)

    return record


@pytest.fixture
def cassettes(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "test_it"


HEAD = f"""
import asyncio, os, urllib.request
import pytest
import importlib, importlib.util
http = importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") else "httpx")
BASE = f"http://127.0.0.1:{{os.environ['PORT']}}"
HEADERS = {{"authorization": "Bearer {KEY}"}}

def ask(text="hi", path="/v1/chat/completions", **more):
    body = {{"model": "m", "messages": [{{"role": "user", "content": text}}], **more}}
    reply = http.post(BASE + path, json=body, headers=HEADERS)
    return reply.json()["choices"][0]["message"]["content"] if reply.status_code == 200 else reply.status_code

def chunks(path="/v1/chat/completions", most=9):
    found = []
    with http.stream("POST", BASE + path, json={{"model": "m", "stream": True}}, headers=HEADERS) as reply:
        for chunk in reply.iter_raw() if most else ():
            found.append(chunk)
            if len(found) == most:
                break
    return found

async def achunks(path="/v1/chat/completions", most=9):
    found = []
    async with http.AsyncClient() as client:
        async with client.stream("POST", BASE + path, json={{"model": "m", "stream": True}}, headers=HEADERS) as reply:
            if not most:
                return found
            async for chunk in reply.aiter_raw():
                found.append(chunk)
                if len(found) == most:
                    break
    return found

@pytest.fixture
def llmtrace_config():
    return {{"ignore": {{"capture/nothing": "this suite is about the recorder"}}}}

"""

ALL = """
def test_chat(llmtrace):
    assert ask() == "reply 1"
    assert ask() == "reply 2"

@pytest.mark.parametrize("mode", ["sync", "async"])
def test_stream(llmtrace, mode):
    found = chunks() if mode == "sync" else asyncio.run(achunks())
    assert len(found) == 4
    [exchange] = llmtrace.exchanges()
    assert exchange.response.body == b"".join(found)

@pytest.mark.parametrize("mode", ["sync", "async"])
def test_aborted(llmtrace, mode):
    assert len(chunks(most=2) if mode == "sync" else asyncio.run(achunks(most=2))) == 2

@pytest.mark.parametrize("mode", ["sync", "async"])
def test_head_only(llmtrace, mode):
    assert (chunks(most=0) if mode == "sync" else asyncio.run(achunks(most=0))) == []

@pytest.mark.parametrize("mode", ["sync", "async"])
def test_broken(llmtrace, mode):
    with pytest.raises(http.RemoteProtocolError):
        chunks("/v1/breaks") if mode == "sync" else asyncio.run(achunks("/v1/breaks"))

def test_invalid(llmtrace):
    with pytest.raises(http.RemoteProtocolError):
        ask(path="/v1/invalid")

def test_refused(llmtrace):
    assert ask(path="/v1/refusing") == 429
"""
PASSED = {
    "test_chat": "passed", "test_stream[sync]": "passed", "test_stream[async]": "passed",
    "test_aborted[sync]": "passed", "test_aborted[async]": "passed",
    "test_head_only[sync]": "passed", "test_head_only[async]": "passed",
    "test_broken[sync]": "passed", "test_broken[async]": "passed",
    "test_invalid": "passed", "test_refused": "passed",
}  # fmt: skip


def test_what_was_recorded_replays_without_the_server(
    record: Callable[..., Any], server: Server, cassettes: Path
) -> None:
    """Replies, streams, streams left early, broken connections and invalid HTTP all replay, in their order."""
    recorded = record(ALL, "--llmtrace-record=once")
    assert recorded.outcomes == PASSED, recorded.out
    assert {path.name for path in cassettes.iterdir()} == {f"{name}.yaml" for name in PASSED}
    assert not any(KEY in path.read_text(encoding="utf-8") for path in cassettes.iterdir())
    line = next(line for line in recorded.summary() if "test_chat.yaml" in line)
    assert line == (
        "  recorded     wrote cassettes/test_it/test_chat.yaml: 2 interactions; scrubbed: "
        "request header authorization (2), response header set-cookie (2)"
    )
    files = {path: path.read_bytes() for path in cassettes.iterdir()}
    server.close()
    for options in ([], ["--llmtrace-record=once"]):
        replayed = record(ALL, *options)
        assert replayed.outcomes == PASSED, replayed.out
        assert "  replayed     2  cassettes/test_it/test_chat.yaml" in replayed.summary()
    assert {path: path.read_bytes() for path in cassettes.iterdir()} == files


def test_reading_on_where_the_client_had_left(record: Callable[..., Any]) -> None:
    """The error says that the rest of the reply is unknown; the stream does not seem to end normally."""
    leaving = "def test_one(llmtrace):\n    assert len(chunks(most={})) == 2\n"
    assert record(leaving.format(2), "--llmtrace-record=once").outcomes == {"test_one": "passed"}
    read_on = record(leaving.format(9))
    assert read_on.outcomes == {"test_one": "failed"}
    assert read_on.text("test_one").endswith(
        "RemoteProtocolError: cassettes/test_it/test_one.yaml, interaction 0: "
        "the client closed this stream when it was recorded, so the rest of it is not known"
    )


def test_a_stream_passes_while_it_is_recorded(record: Callable[..., Any]) -> None:
    """The server sends the second chunk only after the client has received the first one."""
    done = record(
        """
def test_one(llmtrace):
    with http.stream("POST", BASE + "/v1/waits", json={"stream": True}, headers=HEADERS) as reply:
        parts = reply.iter_raw()
        assert b"Hel" in next(parts)
        urllib.request.urlopen(BASE).read()
        assert len(list(parts)) == 3
""",
        "--llmtrace-record=once",
    )
    assert done.outcomes == {"test_one": "passed"}, done.out


TWO = """
def test_one(llmtrace):
    assert ask("{}").startswith("reply")
"""


def test_modes(record: Callable[..., Any], server: Server, cassettes: Path) -> None:
    """`none` and `once` replay a cassette and refuse other requests, `new` adds them, `all` records everything."""
    path = cassettes / "test_one.yaml"
    assert record(TWO.format("a")).outcomes == {"test_one": "failed"}
    assert (server.requests, path.exists()) == (0, False)
    record(TWO.format("a"), "--llmtrace-record=new")
    before = path.read_text(encoding="utf-8")
    assert server.requests == 1
    for mode in ("none", "once"):
        assert record(TWO.format("b"), f"--llmtrace-record={mode}").outcomes == {"test_one": "failed"}
    assert (server.requests, path.read_text(encoding="utf-8")) == (1, before)
    added = record(TWO.format("b"), "--llmtrace-record=new")
    assert added.outcomes == {"test_one": "passed"}, added.out
    assert any(
        line.startswith("  recorded     appended to cassettes/test_it/test_one.yaml: 1 inter")
        for line in added.summary()
    )
    assert path.read_text(encoding="utf-8").startswith(before.removesuffix("version: 1\n"))
    assert server.requests == 2
    record(TWO.format("b"), "--llmtrace-record=all")
    assert server.requests == 3
    assert "reply 3" in path.read_text(encoding="utf-8")
    assert "reply 1" not in path.read_text(encoding="utf-8")


def test_one_file_for_several_tests(record: Callable[..., Any], tmp_path: Path, server: Server) -> None:
    """Within one run, in any mode, the tests of a shared file add to it; the next run replays."""
    suite = """
@pytest.mark.llmtrace(cassette="shared")
@pytest.mark.parametrize("text", ["a", "b"])
def test_one(llmtrace, text):
    assert ask(text).startswith("reply")
"""
    for mode in ("once", "all"):
        assert record(suite, f"--llmtrace-record={mode}").outcomes == {"test_one[a]": "passed", "test_one[b]": "passed"}
        assert (tmp_path / "cassettes" / "shared.yaml").read_text(encoding="utf-8").count("- request:") == 2
    before = server.requests
    assert record(suite).outcomes == {"test_one[a]": "passed", "test_one[b]": "passed"}
    assert server.requests == before == 4


SHARED = """
pytestmark = pytest.mark.llmtrace(cassette="shared")

def test_one(llmtrace):
    assert [ask("a"), ask("b")] == ["reply 1", "reply 2"]

def test_two(llmtrace):
    assert [ask("b"), ask("c")] == ["reply 2", "reply 3"]

def test_same(llmtrace):
    assert ask("a") == "reply 1"

@pytest.mark.parametrize("key", ["sk-proj-abcDEF123456789012345"])
def test_secret(llmtrace, key):
    assert ask("d") == "reply 4"
"""
RECORDED_BY = ["test_it.py::test_one", "test_it.py::test_one", "test_it.py::test_two"]


def recorded_by(tmp_path: Path) -> list[str]:
    text = (tmp_path / "cassettes" / "shared.yaml").read_text(encoding="utf-8")
    return [line.removeprefix("    test: ") for line in text.splitlines() if line.startswith("    test: ")]


def test_of_a_file_that_several_share_each_plays_what_it_has_recorded(
    record: Callable[..., Any], tmp_path: Path
) -> None:
    """Each test replays its own recordings, run alone or together; a name with a secret in it is not written."""
    recorded = record(SHARED, "--llmtrace-record=once")
    names = {"test_one", "test_two", "test_same", "test_secret[sk-proj-abcDEF123456789012345]"}
    assert recorded.outcomes == dict.fromkeys(names, "passed"), recorded.out
    assert recorded_by(tmp_path) == RECORDED_BY
    assert record(SHARED).outcomes == recorded.outcomes
    for name in ("one", "two", "same", "secret"):
        alone = record(SHARED, "-k", f"test_{name}")
        assert alone.code == 0, alone.out


def test_of_a_file_that_several_share_each_misses_what_it_has_recorded(
    record: Callable[..., Any], tmp_path: Path
) -> None:
    """Only a test's own recordings can be unplayed for it; a test that recorded nothing misses nothing."""
    record(SHARED, "--llmtrace-record=once")
    lost = record(SHARED.replace('[ask("a"), ask("b")] == ["reply 1", "reply 2"]', 'ask("a") == "reply 1"'))
    assert [name for name, outcome in lost.outcomes.items() if outcome == "failed"] == ["test_one"], lost.out
    assert (
        "error  replay/unplayed  cassettes/shared.yaml\n"
        "       wire   1 of 2 never requested\n"
        "              POST /v1/chat/completions  (interaction 1)\n"
    ) in lost.text("test_one")
    idle = record(SHARED.replace('ask("a") == "reply 1"', "True"))
    assert idle.code == 0, idle.out


def test_a_renamed_test_plays_the_whole_of_its_file(record: Callable[..., Any]) -> None:
    """The test that the file names no longer exists, so the renamed test takes over its recordings."""
    alone = '@pytest.mark.llmtrace(cassette="mine")\ndef test_one(llmtrace):\n    ask("a")\n    ask("b")\n'
    record(alone, "--llmtrace-record=once")
    renamed = record(alone.replace("test_one", "test_other").replace('    ask("b")\n', ""))
    assert renamed.outcomes == {"test_other": "failed"}
    assert (
        "error  replay/unplayed  cassettes/mine.yaml\n"
        "       wire   1 of 2 never requested\n"
        "              POST /v1/chat/completions  (interaction 1, recorded by test_it.py::test_one)\n"
    ) in renamed.text("test_other")


def test_mocks_until_the_end_of_a_test_that_records(record: Callable[..., Any], cassettes: Path) -> None:
    """The recording is written even if a wider fixture undoes the test's mocks only after our fixture has ended."""
    source = """
import pytest

@pytest.fixture(scope="module", autouse=True)
def patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch

def test_one(llmtrace, patch):
    ask()

    def boom(*args, **kwargs):
        raise RuntimeError("mocked")

    for name in ("builtins.open", "hashlib.blake2b", "json.dumps", "os.getcwd", "re.compile", "time.monotonic"):
        patch.setattr(name, boom)
"""
    assert record(source, "--llmtrace-record=once").code == 0
    assert (cassettes / "test_one.yaml").exists()


PARAMETERS = """
@pytest.mark.llmtrace(cassette="mine")
@pytest.mark.parametrize("model", ["old"])
def test_one(model):
    ask("a")
    ask("b")

@pytest.mark.llmtrace(cassette="shared")
@pytest.mark.parametrize("model", ["old", "older"])
def test_two(model):
    ask(model[:3])
    if model == "older":
        ask("more")
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_test_whose_parameters_are_renamed_plays_the_whole_of_its_file(
    record: Callable[..., Any], workers: list[str]
) -> None:
    """The collected tests show which still exist; in a shared file, recordings of vanished tests are listed as gone."""
    record(PARAMETERS, "--llmtrace-record=once")
    renamed = PARAMETERS.replace('["old"', '["new"').replace('    ask("b")\n', "").replace('ask("more")', "pass")
    renamed = renamed.replace("ask(model[:3])", 'ask("old")')
    done = record(renamed, *workers, plugins=["xdist"] * bool(workers))
    assert done.outcomes == {"test_one[new]": "failed", "test_two[new]": "passed", "test_two[older]": "failed"}
    assert (
        "       wire   1 of 2 never requested\n"
        "              POST /v1/chat/completions  (interaction 1, recorded by test_it.py::test_one[old])\n"
    ) in done.text("test_one[new]")
    assert [line for line in done.summary() if line.startswith("  gone")] == [
        f"  gone         cassettes/{file}[old], which this run does not have; if that test is gone, record the "
        "file again (--llmtrace-record=all)"
        for file in (
            "mine.yaml: 2 recordings of test_it.py::test_one",
            "shared.yaml: 1 recording of test_it.py::test_two",
        )
    ]


@pytest.mark.parametrize("options", [["test_it.py::test_one[new]"], ["--lf"]])
def test_a_run_of_single_parameters_does_not_know_the_others(record: Callable[..., Any], options: list[str]) -> None:
    """Other parameters of the test may still exist, so no other test has to play what they have recorded."""
    record(PARAMETERS, "--llmtrace-record=once")
    renamed = PARAMETERS.replace('["old"]', '["old", "new"]')
    renamed = renamed.replace('ask("b")', 'ask("b") if model == "old" else None')
    both = record(renamed)
    assert both.outcomes["test_one[new]"] == "passed", both.out
    alone = record(renamed, *options)
    assert alone.outcomes["test_one[new]"] == "passed", alone.out
    assert not [line for line in alone.summary() if line.startswith("  gone")]


def test_a_renamed_test_records_under_its_new_name(record: Callable[..., Any], server: Server, tmp_path: Path) -> None:
    """Replay works with the old name in the file; recording again writes the new name."""
    record(SHARED, "--llmtrace-record=once")
    renamed = SHARED.replace("test_two", "test_other")
    assert record(renamed).code == 0
    server.requests = 0
    assert record(renamed, "--llmtrace-record=all").code == 0
    assert recorded_by(tmp_path) == [*RECORDED_BY[:2], "test_it.py::test_other"]


def test_a_file_of_the_tests_own_names_nobody(record: Callable[..., Any], cassettes: Path) -> None:
    """A test's own default file does not name the test; a default that a mark names may be shared, so it does."""
    record("def test_one(llmtrace):\n    ask()\n", "--llmtrace-record=once")
    assert "test: " not in (cassettes / "test_one.yaml").read_text(encoding="utf-8")
    named = '@pytest.mark.default_cassette("named")\ndef test_one(llmtrace):\n    ask()\n'
    record(named, "--llmtrace-record=once", files={"pytest.ini": "[pytest]\nmarkers = default_cassette\n"})
    assert "    test: test_it.py::test_one\n" in (cassettes / "named.yaml").read_text(encoding="utf-8")


ALIKE = """
@pytest.mark.parametrize("path", ["docs/a.md", "docs:a.md"])
def test_one(llmtrace, path):
    assert ask(path).startswith("reply")

class TestA:
    class TestInner:
        def test_two(self, llmtrace):
            assert ask("a").startswith("reply")

class TestB:
    class TestInner:
        def test_two(self, llmtrace):
            assert ask("b").startswith("reply")
"""


def test_tests_whose_default_file_has_one_name(record: Callable[..., Any], cassettes: Path) -> None:
    """The name of the file tells neither `/` from `:` nor one outer class from another, so the file names the tests."""
    for options in (["--llmtrace-record=once"], [], ["-k", "TestB"]):
        run = record(ALIKE, *options)
        assert run.code == 0, run.out
    found = {path.name: path.read_text(encoding="utf-8").count("    test: ") for path in cassettes.iterdir()}
    assert found == {"TestInner.test_two.yaml": 2, "test_one[docs-a.md].yaml": 2}


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_who_has_recorded_before_stays_unknown(record: Callable[..., Any], tmp_path: Path, suffix: str) -> None:
    """Recordings added to a file without test names get none either: all of it belongs to one test, as before."""
    suite = f"""
@pytest.mark.llmtrace(cassette="old.{suffix}")
def test_one(llmtrace):
    ask("a")
    ask("b")
"""
    path = tmp_path / "cassettes" / f"old.{suffix}"
    assert record(suite.replace('    ask("b")\n', ""), "--llmtrace-record=once").code == 0
    named = path.read_text(encoding="utf-8")
    unnamed = named.replace("  llmtrace:\n    test: test_it.py::test_one\n", "").replace(
        ',\n   "llmtrace": {\n    "test": "test_it.py::test_one"\n   }', ""
    )
    assert unnamed != named
    path.write_text(unnamed, encoding="utf-8")
    assert record(suite, "--llmtrace-record=new").code == 0
    added = path.read_text(encoding="utf-8")
    assert added != unnamed
    assert "test_it.py::" not in added
    assert record(suite).code == 0
    assert record(suite.replace('    ask("b")\n', "")).code == pytest.ExitCode.TESTS_FAILED


ENDS = {"failed": "assert False", "skipped": "pytest.skip('x')", "xfailed": "pytest.xfail('x')"}
INTERRUPTED = {"interrupted": "raise KeyboardInterrupt"}


def ending(ends: dict[str, str]) -> str:
    """Return a suite with one test for each named outcome, which calls the model and ends in that way."""
    return "".join(f'def test_{name}(llmtrace):\n    ask("a")\n    {end}\n\n' for name, end in ends.items())


@pytest.mark.parametrize("ends", [ENDS, INTERRUPTED], ids=["tests", "run"])
def test_a_good_cassette_survives_a_run_that_does_not_end_well(
    record: Callable[..., Any], cassettes: Path, ends: dict[str, str]
) -> None:
    """A test that fails, is skipped or is interrupted may have recorded only half of its calls."""
    record(ending(dict.fromkeys(ends, "pass")), "--llmtrace-record=all")
    before = {path: path.read_bytes() for path in cassettes.iterdir()}
    assert {path.stem for path in before} == {f"test_{name}" for name in ends}
    done = record(ending(ends), "--llmtrace-record=all")
    assert {path: path.read_bytes() for path in cassettes.iterdir()} == before
    if ends is ENDS:
        assert done.outcomes == {f"test_{name}": name for name in ends}
        said = "  recorded     not written, since the test did not pass: the recording of test_it.py::test_{}"
        assert {said.format(name) for name in ends} <= {*done.summary()}
    else:
        assert done.code == pytest.ExitCode.INTERRUPTED


def test_a_subtest_that_fails_leaves_the_file_alone(record: Callable[..., Any], cassettes: Path) -> None:
    """A failed subtest fails its test without an exception; nothing is written, so the next `once` records again."""
    suite = """
import unittest

@pytest.mark.llmtrace
class TestIt(unittest.TestCase):
    def test_one(self):
        with self.subTest("first"):
            assert ask("a") == {!r}
"""
    assert record(suite.format("odd"), "--llmtrace-record=once").code == pytest.ExitCode.TESTS_FAILED
    assert not cassettes.exists()
    assert record(suite.format("reply 2"), "--llmtrace-record=once").code == pytest.ExitCode.OK
    assert (cassettes / "TestIt.test_one.yaml").exists()


def test_what_fails_by_our_own_verdict_is_written(record: Callable[..., Any], cassettes: Path) -> None:
    """The recording is complete, and the instrumentation can then be fixed offline."""
    bare = record("@pytest.fixture\ndef llmtrace_config():\n    return {}\n" + TWO.format("b").replace("one", "two"),
                  "--llmtrace-record=once")  # fmt: skip
    assert bare.outcomes == {"test_two": "failed"}
    assert bare.properties("test_two") == {"llmtrace_findings": "capture/nothing"}
    assert (cassettes / "test_two.yaml").exists()


def test_fixtures_are_recorded_with_their_test(record: Callable[..., Any], cassettes: Path, server: Server) -> None:
    """Requests of fixtures before and after the test are in the same file."""
    suite = """
@pytest.fixture
def around(llmtrace):
    ask("before")
    yield
    ask("after")

def test_one(llmtrace, around):
    ask("within")
"""
    assert record(suite, "--llmtrace-record=once").outcomes == {"test_one": "passed"}
    text = (cassettes / "test_one.yaml").read_text(encoding="utf-8")
    assert [word for word in ("before", "within", "after") if word in text] == ["before", "within", "after"]


def test_a_block_records_into_its_own_file(record: Callable[..., Any], tmp_path: Path, server: Server) -> None:
    """`record(name)` follows the option; requests outside the block belong to the test's own cassette."""
    suite = """
def test_one(llmtrace):
    with llmtrace.record("mine"):
        assert ask("a").startswith("reply")
    assert ask("b").startswith("reply")
"""
    refused = record(suite)
    assert refused.outcomes == {"test_one": "failed"}
    assert "mine: there is no such cassette" in refused.text("test_one")
    assert server.requests == 0
    assert record(suite, "--llmtrace-record=once").outcomes == {"test_one": "passed"}
    assert {path.name for path in tmp_path.rglob("*.yaml")} == {"mine.yaml", "test_one.yaml"}
    assert record(suite).outcomes == {"test_one": "passed"}
    assert server.requests == 2


@pytest.mark.parametrize("mode", ["once", "new", "all"])
def test_blocks_of_one_name_go_on_with_one_file(
    record: Callable[..., Any], tmp_path: Path, server: Server, mode: str
) -> None:
    """Requests of all blocks with a name are in one file, and replay in order; the terminal names the file once."""
    suite = """
def test_one(llmtrace):
    with llmtrace.record("mine"):
        assert ask("a") == "reply 1"
        with llmtrace.record("inner"):
            assert ask("b") == "reply 2"
    with llmtrace.record("mine"):
        assert ask("a") == "reply 3"
"""
    recorded = record(suite, f"--llmtrace-record={mode}")
    assert recorded.outcomes == {"test_one": "passed"}, recorded.out
    assert "\n".join(line for line in recorded.summary() if "recorded" in line) == (
        "  recorded     wrote cassettes/mine.yaml: 2 interactions; scrubbed: request header authorization (2), "
        "response header set-cookie (2)\n"
        "  recorded     wrote cassettes/inner.yaml: 1 interaction; scrubbed: request header authorization, "
        "response header set-cookie"
    )
    assert {path.name for path in tmp_path.rglob("*.yaml")} == {"mine.yaml", "inner.yaml"}
    replayed = record(suite)
    assert replayed.outcomes == {"test_one": "passed"}, replayed.out
    assert server.requests == 3


def test_blocks_may_end_in_any_order(record: Callable[..., Any], server: Server) -> None:
    """Blocks of concurrent tasks may overlap: the end of one leaves the other's cassette open."""
    suite = """
def test_one(llmtrace):
    first, second = llmtrace.record("first", {mode}), llmtrace.record("second", {mode})
    first.__enter__()
    ask("a")
    second.__enter__()
    first.__exit__(None, None, None)
    ask("b")
    second.__exit__(None, None, None)
"""
    recorded = record(suite.format(mode="'once'"))
    assert recorded.outcomes == {"test_one": "passed"}, recorded.out
    replayed = record(suite.format(mode=None))
    assert replayed.outcomes == {"test_one": "passed"}, replayed.out
    assert server.requests == 2


AT_ONCE = """
import asyncio, concurrent.futures, threading

POOL = concurrent.futures.ThreadPoolExecutor(1)

def asked_in_pool(word):
    return POOL.submit(ask, word).result()

def steps(trace, name, asked):
    with trace.record(name, {mode}):
        yield
        if name == "first":
            asked("same")
        yield
        if name == "second":
            asked("same")
        yield
    yield
    if name == "second":
        with trace.record(name, {mode}):
            asked("more")

def tasks(trace, asked):
    async def walk(name, meeting):
        for _ in steps(trace, name, asked):
            await meeting.wait()

    async def both():
        meeting = asyncio.Barrier(2)
        await asyncio.gather(walk("first", meeting), walk("second", meeting))

    asyncio.run(both())

def threads(trace, asked):
    meeting = threading.Barrier(2, timeout=10)

    def walk(name):
        for _ in steps(trace, name, asked):
            meeting.wait()

    both = [threading.Thread(target=walk, args=(name,)) for name in ("first", "second")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

def test_one(llmtrace):
    {means}(llmtrace, {asked})
"""


@pytest.mark.parametrize("asked", ["ask", "asked_in_pool"])
@pytest.mark.parametrize("means", ["tasks", "threads"])
def test_blocks_at_the_same_time_keep_their_own(
    record: Callable[..., Any], server: Server, tmp_path: Path, means: str, asked: str
) -> None:
    """A request is recorded, and later answered, by the block whose code makes it, whichever block began last."""
    recorded = record(AT_ONCE.format(mode="'once'", means=means, asked=asked))
    assert recorded.outcomes == {"test_one": "passed"}, recorded.out
    held = {path.stem: path.read_text().count("method: POST") for path in tmp_path.rglob("*.yaml")}
    assert held == {"first": 1, "second": 2}
    replayed = record(AT_ONCE.format(mode=None, means=means, asked=asked))
    assert replayed.outcomes == {"test_one": "passed"}, replayed.out
    assert server.requests == 3


def test_a_block_that_fails_as_expected_is_recorded(record: Callable[..., Any], tmp_path: Path) -> None:
    """The error may be what the test is about; the outcome of the test decides whether the recording is kept."""
    suite = """
def test_one(llmtrace):
    with pytest.raises(ValueError), llmtrace.record("mine"):
        raise ValueError(ask(path="/v1/refusing"))
"""
    assert record(suite, "--llmtrace-record=once").outcomes == {"test_one": "passed"}
    assert {path.name for path in tmp_path.rglob("*.yaml")} == {"mine.yaml"}
    assert record(suite).outcomes == {"test_one": "passed"}


def test_what_is_added_to_is_not_reported_as_unplayed(record: Callable[..., Any], tmp_path: Path) -> None:
    """With `new`, unplayed recordings of the extended file are not findings until it is replayed."""
    suite = """
def test_one(llmtrace):
    with llmtrace.record("mine"):
        ask("{}")
"""
    record(suite.format("a"), "--llmtrace-record=once")
    added = record(suite.format("b"), "--llmtrace-record=new")
    assert added.outcomes == {"test_one": "passed"}, added.out
    assert (tmp_path / "cassettes" / "mine.yaml").read_text(encoding="utf-8").count("- request:") == 2
    assert record(suite.format("b")).properties("test_one") == {"llmtrace_findings": "replay/unplayed"}
    beside = suite.format("c") + "    with llmtrace.replay('mine'):\n        pass\n"
    others = record(beside.replace('record("mine")', 'record("other")'), "--llmtrace-record=new")
    assert others.properties("test_one") == {"llmtrace_findings": "replay/unplayed"}


def test_a_configuration_that_recording_cannot_follow(record: Callable[..., Any], server: Server) -> None:
    """`drop_unused_requests` with `new` is refused if something would be recorded; in other cases it has no effect."""
    suite = "@pytest.fixture\ndef vcr_config():\n    return dict(drop_unused_requests=True)\n" + TWO
    assert record(suite.format("a"), "--llmtrace-record=once").outcomes == {"test_one": "passed"}
    refused = record(suite.format("b"), "--llmtrace-record=new")
    assert refused.text("test_one") == (
        "Failed: llmtrace: drop_unused_requests cannot be used with the mode `new`, which adds interactions and "
        "drops none; "
        "--llmtrace-record=all writes a file with only those that the test requests"
    )
    assert server.requests == 1
    assert record(suite.format("b"), "--llmtrace-record=all").outcomes == {"test_one": "passed"}
    assert record(suite.format("b")).outcomes == {"test_one": "passed"}


def test_outside_pytest(record: Callable[..., Any], server: Server, tmp_path: Path) -> None:
    """`LLMTrace(record=...)` writes when its block ends without an error, and prints that it did."""
    suite = """
from pytest_llmtrace import LLMTrace

def test_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError), LLMTrace(cassette="x", record="once", verify=False):
        ask(); 1 / 0
    assert not (tmp_path / "cassettes").exists()
    for _ in range(2):
        with LLMTrace(cassette="x", record="once", verify=False):
            assert ask() == "reply 2"
    assert (tmp_path / "cassettes" / "x.yaml").exists()
    assert capsys.readouterr().err.startswith("llmtrace: wrote cassettes/x.yaml: 1 interaction; scrubbed: ")
"""
    done = record(suite)
    assert done.outcomes == {"test_one": "passed"}, done.out


UNSEEN = """
import socket
from pytest_llmtrace import LLMTrace

def unknown(*args, **options):
    raise socket.gaierror(socket.EAI_NONAME, "no such host")

socket.getaddrinfo = unknown  # No name server is asked.

def go():
    with pytest.raises(OSError):
        urllib.request.urlopen("http://api.invalid:9/v1", timeout=1)

@pytest.mark.llmtrace(ignore={"capture/nothing": "no call"})
def test_one(llmtrace):
    go()
    go()

def test_seen(llmtrace):
    async def go():
        async with http.AsyncClient() as client:
            with pytest.raises(http.ConnectError):
                await client.get("http://api.invalid:9/v1")
    asyncio.run(go())
    with pytest.raises(http.ConnectError):
        http.get("http://api.invalid:9/v1")

def test_block(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with LLMTrace(cassette="x", record="once", verify=False):
        go()
    said = "llmtrace: not recorded: the requests of this block to api.invalid, by a client that is not built on httpx"
    assert capsys.readouterr().err == said + chr(10)
"""


def test_what_other_clients_ask_is_told(record: Callable[..., Any], tmp_path: Path) -> None:
    """Only clients built on httpx are recorded; each host that others reached is reported once as not recorded."""
    done = record(UNSEEN, "--llmtrace-record=once")
    assert done.outcomes == dict.fromkeys(("test_one", "test_seen", "test_block"), "passed"), done.out
    said = "not recorded: the requests of test_it.py::test_one to api.invalid, by a client that is not built on httpx"
    assert [line for line in done.out.splitlines() if "not recorded" in line] == [f"  recorded     {said}"]
    assert [path.stem for path in tmp_path.rglob("*.yaml")] == ["test_seen"]


def test_hosts_that_are_let_through_are_not_recorded(record: Callable[..., Any], tmp_path: Path) -> None:
    """An allowed host is also allowed at replay."""
    suite = "@pytest.mark.llmtrace(allow_hosts='127.0.0.1')" + TWO.format("a")
    assert record(suite, "--llmtrace-record=all").outcomes == {"test_one": "passed"}
    assert [*tmp_path.rglob("*.yaml")] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["-p", "xdist", "-n", "2", "--llmtrace-record=new"],
            (
                "ERROR: llmtrace: cannot record under xdist: two processes could write one cassette; "
                "record without -n, then replay with it"
            ),
        ),
        (
            ["-o", "llmtrace_record=alll"],
            "ERROR: llmtrace: unknown value of llmtrace_record 'alll': did you mean 'all'? known: all, new, none, once",
        ),
    ],
)
def test_wrong_use(record: Callable[..., Any], options: list[str], said: str) -> None:
    """Wrong values are reported before any test runs."""
    assert record(TWO.format("a"), *options).usage_error() == said


def test_played_cassettes_are_written_down(record: Callable[..., Any], tmp_path: Path) -> None:
    """The list for `cassettes lint --played` has the files that a run has played, relative to its root directory."""
    record(TWO.format("a"), "--llmtrace-record=once")
    record(TWO.format("a"), "--llmtrace-played=played.json")
    assert json.loads((tmp_path / "played.json").read_text()) == {
        "version": 1,
        "played": ["cassettes/test_it/test_one.yaml"],
    }


COUNTS = """
@pytest.fixture
def llmtrace_config():
    return {}

@pytest.mark.parametrize("path", ["/v1/responses/input_tokens", "/v1/messages/count_tokens"])
def test_count(llmtrace, path):
    from opentelemetry import trace
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "input": "hi"}
    with trace.get_tracer("app").start_as_current_span("count"):
        assert http.post(BASE + path, json=body, headers=HEADERS).json() == {"input_tokens": 14}
    [exchange] = llmtrace.exchanges()
    assert exchange.truth is None and exchange.spans == ()
"""


def test_counts_of_tokens_are_recorded_and_are_no_calls(
    record: Callable[..., Any], server: Server, cassettes: Path
) -> None:
    """A request that only counts tokens is recorded and played like any other, and needs no span of an LLM call."""
    recorded = record(COUNTS, "--llmtrace-record=once")
    assert set(recorded.outcomes.values()) == {"passed"}, recorded.out
    assert len([*cassettes.iterdir()]) == 2
    asked = server.requests
    played = record(COUNTS)
    assert set(played.outcomes.values()) == {"passed"}, played.out
    assert server.requests == asked == 2
    assert not any("found" in line for line in (*recorded.summary(), *played.summary()))
