"""`pytest-llmtrace read`: what the bytes of recorded calls say, with places."""

from __future__ import annotations

import errno
import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.cli import main

KEY = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x"
REPLY = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": f"Your key is {KEY}."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 30, "output_tokens": "five"},
}
ASKED = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}


def interaction(url: str, method: str = "POST") -> dict[str, Any]:
    headers = {"content-type": ["application/json"]}
    return {
        "request": {"method": method, "uri": url, "headers": headers, "body": json.dumps(ASKED)},
        "response": {"status": {"code": 200}, "headers": headers, "body": {"string": json.dumps(REPLY)}},
    }


@pytest.fixture
def tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cassette of a weather request and an LLM call, in the current directory."""
    monkeypatch.chdir(tmp_path)
    calls = [interaction("https://weather.example/v1/now", "GET"), interaction("https://api.anthropic.com/v1/messages")]
    Path("tape.json").write_text(json.dumps({"version": 1, "interactions": calls}), encoding="utf-8")
    return Path("tape.json")


def test_the_text_shows_what_is_there(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Facts that are absent are left out, unreadable ones say why, and secrets are masked."""
    assert main(["read", str(tape)]) == 0
    shown = capsys.readouterr().out
    assert KEY not in shown
    assert shown.splitlines()[:3] == [
        "tape.json",
        "  interaction 0  GET /v1/now  200  not read: not a call to a known LLM API",
        "  interaction 1  POST /v1/messages  200  messages, anthropic",
    ]
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in shown.splitlines()[3:]}
    assert lines["request_model"] == '"claude-sonnet-4-5" (model)'
    assert lines["input_tokens"] == "40 (usage.input_tokens + cache_read_input_tokens)"
    assert lines["output_tokens"].startswith("unreadable: ")
    assert "cache_write_tokens" not in lines


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.0-flash:generateContent",
            "Gemini's generateContent",
        ),
        ("https://a.b/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse", "Gemini's generateContent"),
        ("https://generativelanguage.googleapis.com/v1beta/interactions", "Gemini's Interactions"),
        ("http://localhost:8787/bedrock/model/amazon.nova-micro-v1%3A0/converse", "Bedrock's Converse"),
        ("https://api.openai.com/v1/threads/thread_1/runs", "OpenAI's Assistants"),
        ("https://team.openai.azure.com/openai/v1/realtime/calls", "OpenAI's Realtime"),
        ("https://us.api.openai.com/v1/live/sessions", "OpenAI's Live"),
        ("https://api.openai.com/v1/decisions", "OpenAI's Decisions"),
        ("https://api.openai.com/v1/images/generations", "OpenAI's Images"),
        ("https://api.openai.com/v1/videos", "OpenAI's Videos"),
        ("https://api.mistral.ai/v1/agents/completions", "Mistral's Agents"),
        ("https://api.mistral.ai/v1/ocr", "Mistral's OCR"),
        (
            "https://router.huggingface.co/hf-inference/models/a/b/pipeline/sentence-similarity",
            "Hugging Face's own API",
        ),
    ],
)
def test_a_model_that_is_not_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, name: str
) -> None:
    """A call of a model's API that is not read is named as such, unlike a request to a web service."""
    file = tmp_path / "tape.json"
    file.write_text(json.dumps({"version": 1, "interactions": [interaction(url)]}), encoding="utf-8")
    assert main(["read", "--format", "json", str(file)]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert (entry["api"], entry["why"]) == (None, f"a call of {name}, which is not supported")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (None, "its path is that of messages, but its body was not recorded"),
        ('{"text": "hi"}', "its path is that of messages, but its body is not that of a call"),
    ],
)
def test_a_call_without_its_body_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str | None, why: str
) -> None:
    """A request to an LLM API's path whose body is not one of its calls is told from a request to a web service."""
    call = interaction("https://api.anthropic.com/v1/messages")
    call["request"]["body"] = body
    file = tmp_path / "tape.json"
    file.write_text(json.dumps({"version": 1, "interactions": [call]}), encoding="utf-8")
    assert main(["read", "--format", "json", str(file)]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert (entry["api"], entry["why"]) == (None, why)


def test_files_in_gzip_are_found_in_a_folder(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cassette in gzip is read like any other, also where only its folder is named."""
    main(["read", str(tape)])
    expected = capsys.readouterr().out.replace("tape.json", str(Path("tapes/tape.yaml.gz")))
    Path("tapes").mkdir()
    Path("tapes/tape.yaml.gz").write_bytes(gzip.compress(tape.read_bytes(), mtime=0))
    assert main(["read", "tapes"]) == 0
    assert capsys.readouterr().out == expected


def test_a_response_that_is_fetched_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A request that fetches a response is not a call: the call is the request that asked for it."""
    fetch = interaction("https://api.openai.com/v1/responses/resp_1", "GET")
    fetch["response"]["body"] = {"string": json.dumps({"id": "resp_1", "object": "response", "status": "queued"})}
    file = tmp_path / "tape.json"
    file.write_text(json.dumps({"version": 1, "interactions": [fetch]}), encoding="utf-8")
    assert main(["read", "--format", "json", str(file)]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert (entry["api"], entry["why"]) == (
        None,
        "not a call: it fetches a response that another request has asked for",
    )


def test_json_is_one_array_that_counts_all_interactions(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each interaction has file, index, api, gateway, and its facts with value, place and state, absent ones too."""
    assert main(["read", "--format", "json", str(tape)]) == 0
    weather, call = json.loads(capsys.readouterr().out)
    assert weather == {
        "file": "tape.json",
        "index": 0,
        "api": None,
        "gateway": None,
        "facts": {},
        "problems": [],
        "why": "not a call to a known LLM API",
    }
    assert (call["index"], call["api"], call["gateway"], call["why"]) == (1, "messages", "anthropic", None)
    assert call["facts"]["response_id"] == {
        "value": "msg_1",
        "place": "id, tape.json, exchange 1, response body",
        "state": "present",
    }
    looked_for = {"value": None, "place": "tape.json, exchange 1, response body", "state": "absent"}
    assert call["facts"]["cost"] == looked_for
    assert call["facts"]["output_tokens"]["state"] == "unreadable"
    assert call["facts"]["output_texts"]["value"] == [f"Your key is {KEY}."]


def test_a_file_that_cannot_be_read_is_named(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken file that is named fails the command; in a folder it is an entry among others. The line is named."""
    broken = tape.with_name("broken.yaml")
    broken.write_text("interactions: [", encoding="utf-8")
    assert main(["read", "--format", "json", str(tape.parent)]) == 0
    entry = json.loads(capsys.readouterr().out)[0]
    assert (Path(entry["file"]).name, entry["index"], entry["facts"]) == ("broken.yaml", None, {})
    assert entry["why"].startswith("line 2: this is not valid YAML: while parsing a flow node")
    assert main(["read", str(broken)]) == 1


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_any_terminal_takes_any_answer(monkeypatch: pytest.MonkeyPatch, tape: Path, encoding: str, form: str) -> None:
    """Characters that the encoding of standard output lacks are escaped; lone surrogates are in no encoding."""
    tape.write_text(tape.read_text(encoding="utf-8").replace("Your key", "\u4f60 \\\\ud83d"), encoding="utf-8")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    assert main(["read", "--format", form, str(tape)]) == 0
    text = written.getvalue().decode(encoding)
    assert "\\ud83d is" in text
    assert form == "text" or json.loads(text)[1]["facts"]["output_texts"]["value"] == [f"\u4f60 \ud83d is {KEY}."]


def test_nothing_to_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without cassettes is reported in one line."""
    assert main(["read", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"no interactions in {tmp_path}\n"


def test_a_disk_that_is_full_is_an_error_and_no_traceback(
    tape: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of the system is printed on standard error, and the exit status is 1."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys.stdout, "write", refuse)
    assert main(["read", str(tape)]) == 1
    assert capsys.readouterr().err == "pytest-llmtrace: [Errno 28] No space left on device\n"


def test_what_ships_is_read_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """`builtin:` names the same file as on a marker; a name that does not ship is wrong use, with the nearest names."""
    assert main(["read", "builtin:openrouter/chat"]) == 0
    assert 'request_model          "openai/gpt-oss-20b:free"' in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["read", "builtin:openrouter/chta"])
    assert "builtin:openrouter/chta: there is no such cassette" in capsys.readouterr().err
