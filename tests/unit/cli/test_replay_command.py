"""`pytest-llmtrace replay`: what becomes of each recorded interaction, and why."""

from __future__ import annotations

import functools
import gzip
import importlib.util
import inspect
import json
from base64 import b64encode
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.resources.messages import Messages

from pytest_llmtrace import LLMTrace, _playback, _sdks
from pytest_llmtrace.capture import instrumentors
from pytest_llmtrace.capture.instrumentors import Instrumentor, Switch
from pytest_llmtrace.cli import main
from pytest_llmtrace.model import Request

ROOT = Path(__file__).parents[3]
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
AZURE = {"messages": CHAT["messages"]}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
COMPACTED = {
    "id": "resp_1",
    "object": "response.compaction",
    "created_at": 1,
    "output": [{"type": "compaction", "id": "cmp_1", "encrypted_content": "x"}],
    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
}


def interaction(url: str, body: Any, reply: Any, *, status: int = 200) -> dict[str, Any]:
    headers = {"content-type": ["application/json"]}
    return {
        "request": {"method": "POST", "uri": url, "headers": headers, "body": json.dumps(body)},
        "response": reply
        and {"status": {"code": status, "message": ""}, "headers": headers, "body": {"string": json.dumps(reply)}},
    }


def write(path: Path, *interactions: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"version": 1, "interactions": interactions}), encoding="utf-8")
    return path


def replayed(capsys: pytest.CaptureFixture[str], *paths: Path, status: int = 0) -> list[dict[str, Any]]:
    assert main(["replay", "--format", "json", *map(str, paths)]) == status
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def one(found: list[dict[str, Any]]) -> tuple[str, str]:
    [result] = found
    return result["outcome"], result["reason"]


@pytest.fixture(scope="module", autouse=True)
def switched_off_again() -> Iterator[None]:
    """Switch the instrumentors off that the command leaves on: other test modules run in this process later."""
    yield
    for found in instrumentors.installed():
        if found.state is Switch.ON:
            [point] = entry_points(group="opentelemetry_instrumentor", name=found.name)
            point.load()().uninstrument()
    instrumentors._switched.clear()
    assert Switch.ON not in {found.state for found in instrumentors.installed()}


INSTRUMENTED = _sdks.installed("openinference-instrumentation-openai") is not None
ANTHROPIC_INSTRUMENTED = _sdks.installed("openinference-instrumentation-anthropic") is not None


def test_a_call_is_sent_again_through_its_sdk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An LLM call goes through the real SDK, and its instrumentor makes a span; without one the reason says so."""
    path = write(tmp_path / "a.json", interaction("https://api.openai.com/v1/chat/completions", CHAT, COMPLETION))
    [result] = replayed(capsys, path)
    if INSTRUMENTED:
        assert (result["outcome"], result["scopes"]) == ("captured", ["openinference.instrumentation.openai"])
    else:
        needed = "pip install openinference-instrumentation-openai"
        assert (result["outcome"], result["reason"]) == ("not captured", f"no instrumentor is installed: {needed}")
    assert (result["gateway"], result["api"], result["index"]) == ("openai", "chat", 0)


@pytest.mark.parametrize(
    ("url", "body", "reply"),
    [
        (
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
            {"messages": []},
            COMPLETION,
        ),
        (
            "https://api.openai.com/v1/embeddings",
            {"model": "e", "input": "hi"},
            {"object": "list", "model": "e", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]},
        ),
        *(
            ("https://api.openai.com/v1/responses/compact", {"model": "m", "input": "hi", **more}, COMPACTED)
            for more in ({}, {"unheard_of": {"x": None}})
        ),
        ("http://localhost:4000/chat/completions", {**CHAT, "unheard_of": {"x": None}}, COMPLETION),
        ("https://api.openai.com/v1/chat/completions", CHAT, {"error": {"message": "no", "type": "t"}}),
    ],
)
def test_the_recorded_body_is_what_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, body: Any, reply: Any
) -> None:
    """The SDK sends the body that was recorded, whatever a typed method would add or require."""
    status = 400 if "error" in reply else 200
    path = write(tmp_path / "a.json", interaction(url, body, reply, status=status))
    assert one(replayed(capsys, path))[0] == ("captured" if INSTRUMENTED else "not captured")


@pytest.mark.parametrize(
    ("url", "body", "reply", "outcome"),
    [
        (
            "https://api.example.com/weather",
            {},
            {"sky": "clear"},
            ("served", "not a call to an LLM API in the form of OpenAI or Anthropic"),
        ),
        ("https://api.openai.com/v1/chat/completions", CHAT, None, ("no reply", "recorded without a reply")),
        ("wss://api.openai.com/v1/realtime", {}, {"a": 1}, ("not HTTP", "not an HTTP request")),
    ],
)
def test_what_is_not_captured_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, body: Any, reply: Any, outcome: tuple[str, str]
) -> None:
    """A request that is not an LLM call, not HTTP, or without a recorded reply is named as such, and is not a fault."""
    assert one(replayed(capsys, write(tmp_path / "a.json", interaction(url, body, reply)))) == outcome


def test_a_recorded_failure_is_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A connection that is recorded as broken breaks again, and the call that it fails is a call like any other."""
    broken = interaction("https://api.openai.com/v1/chat/completions", CHAT, None)
    path = write(tmp_path / "a.json", broken | {"llmtrace": {"failure": "read-timeout"}})
    assert one(replayed(capsys, path))[0] == ("captured" if INSTRUMENTED else "not captured")


@pytest.mark.parametrize(
    ("served", "reason"),
    [
        ((201, b'{"a": 1}'), "status 201 was served, but 200 is recorded"),
        ((200, b'{"a": 2}'), "the 8 bytes that were served differ from the 8 recorded"),
    ],
)
def test_a_reply_that_differs_is_a_fault(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    served: tuple[int, bytes],
    reason: str,
) -> None:
    """Status and bytes are compared with what is recorded, and the exit status is 1 where they differ."""
    monkeypatch.setattr(_playback, "_sent", lambda _client, _request: served)
    path = write(tmp_path / "a.json", interaction("https://api.example.com/", {}, {"a": 1}))
    assert one(replayed(capsys, path, status=1)) == ("refused", reason)


BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-haiku-4-5-v1:0/invoke"
VERTEX = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models"
MESSAGES = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "Hello."}], "usage": {"input_tokens": 5, "output_tokens": 2},
}  # fmt: skip


@pytest.mark.parametrize(
    ("url", "gateway"), [(BEDROCK, "bedrock"), (f"{VERTEX}/claude-haiku-4-5@20251001:rawPredict", "vertex")]
)
def test_a_cloud_has_a_client_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, gateway: str
) -> None:
    """Anthropic's messages on a cloud are sent again through the SDK's client for that cloud, to the same path."""
    [result] = replayed(capsys, write(tmp_path / "a.json", interaction(url, MESSAGES, MESSAGE)))
    native = "open_telemetry" in inspect.signature(anthropic.Anthropic).parameters
    assert result["outcome"] == ("captured" if native or ANTHROPIC_INSTRUMENTED else "not captured")
    assert (result["api"], result["gateway"]) == ("messages", gateway)


def test_a_gateway_may_have_deployments() -> None:
    """Anthropic's messages under a path like that of Azure's deployments are sent by Anthropic's own client."""
    request = Request(method="POST", url="https://gateway.example/deployments/team/v1/messages")
    client = _sdks.anthropic_client(request)
    assert (client.name, client.options["base_url"]) == ("Anthropic", "https://gateway.example/deployments/team")


@pytest.mark.parametrize(
    ("url", "name", "base"),
    [
        (BEDROCK, "AnthropicBedrock", "https://bedrock-runtime.us-east-1.amazonaws.com"),
        (f"{VERTEX}/m:rawPredict", "AnthropicVertex", "https://us-east5-aiplatform.googleapis.com/v1"),
        (
            "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages",
            "AnthropicBedrockMantle",
            "https://bedrock-mantle.us-east-1.api.aws/anthropic",
        ),
    ],
)
def test_the_client_of_a_cloud(url: str, name: str, base: str) -> None:
    """Path and host decide which client makes a call, and what its base URL is."""
    client = _sdks.anthropic_client(Request(method="POST", url=url))
    assert (client.name, client.options["base_url"]) == (name, base)


@pytest.mark.parametrize("url", [BEDROCK, f"{VERTEX}/claude-haiku-4-5@20251001:rawPredict"])
def test_a_cloud_is_asked_as_an_application_asks(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that a cloud's client adds by itself is not passed to its method, where instrumentors would see it."""
    given: dict[str, Any] = {}
    create = functools.wraps(Messages.create)(lambda _, **arguments: given.update(arguments))
    monkeypatch.setattr(Messages, "create", create)
    _sdks.send(Request(method="POST", url=url, body=json.dumps(MESSAGES).encode()), typed=True, native=False)
    said = {name: value for name, value in given.items() if value is not None}
    assert said.pop("model").endswith("20251001" if url != BEDROCK else "v1:0")
    assert said == {name: value for name, value in MESSAGES.items() if name != "anthropic_version"}


def test_what_opens_amazons_frames_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK reads Bedrock's streams with botocore; without it the call is not made, and the reason says so."""
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "botocore" else there(name))
    path = write(tmp_path / "a.json", interaction(f"{BEDROCK}-with-response-stream", MESSAGES, MESSAGE))
    reason = 'botocore is not installed: pip install "anthropic[bedrock]"'
    assert one(replayed(capsys, path)) == ("no SDK", reason)


def test_an_instrumentor_that_refuses_the_sdk_is_no_gap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instrumentor that refuses the SDK's version is named with what it needs, and not reported as having a gap."""
    off = Instrumentor(name="openai", package="o", state=Switch.REFUSED, needs="openai >= 9", found="openai 2")
    monkeypatch.setattr(_sdks, "INSTRUMENTORS", {"openai": "o", "anthropic": "a"})
    monkeypatch.setattr(_sdks, "switch_of", lambda _request: off)
    monkeypatch.setattr(_sdks, "instrumentor_of", lambda _request: "o 1.0")
    monkeypatch.setattr(LLMTrace, "llm_spans", lambda _trace: ())
    path = write(tmp_path / "a.json", interaction("https://api.openai.com/v1/chat/completions", CHAT, COMPLETION))
    assert one(replayed(capsys, path)) == ("not captured", "o 1.0 is refused: it needs openai >= 9, found openai 2")


def test_an_encoded_request_body_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A call whose request was recorded with a content encoding is made again as well."""
    call = interaction("https://api.openai.com/v1/chat/completions", CHAT, COMPLETION)
    packed = b64encode(gzip.compress(json.dumps(CHAT).encode())).decode()
    call["request"] |= {"headers": {"content-encoding": ["gzip"]}, "body": {"base64_string": packed}}
    assert one(replayed(capsys, write(tmp_path / "a.json", call)))[0] == (
        "captured" if INSTRUMENTED else "not captured"
    )


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken file does not stop the others, its line is named, and the exit status is 1."""
    (tmp_path / "broken.yaml").write_text("version: 1\ninteractions: 5\n", encoding="utf-8")
    write(tmp_path / "good.json", interaction("https://api.example.com/", {}, {"a": 1}))
    broken, good = replayed(capsys, tmp_path, status=1)
    assert (broken["outcome"], broken["index"], good["outcome"]) == ("refused", None, "served")
    assert broken["reason"] == "line 1: `interactions` is a number, not a list"


def test_the_text_has_problems_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The text has a line for each file, each problem with its reason, and the counts of each gateway."""
    path = write(
        tmp_path / "a.json",
        interaction("https://api.openai.com/v1/chat/completions", CHAT, None),
        interaction("https://openrouter.ai/api/v1/models", {}, {"data": []}),
    )
    assert main(["replay", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 1 no reply, 1 served",
        "  interaction 0  POST /v1/chat/completions  no reply",
        "    recorded without a reply",
        "",
        "gateway                 served       no reply",
        "openai                       0              1",
        "openrouter                   1              0",
        "all                          1              1",
    ]


def test_a_wrong_path_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a missing path the error names the nearest one, for a broken link its target, and the exit status is 2."""
    write(tmp_path / "chat.json")
    assert main(["replay", str(tmp_path / "chats.json")]) == 2
    assert capsys.readouterr().err == (
        "pytest-llmtrace: unknown file or folder 'chats.json': did you mean 'chat.json'? known: chat.json\n"
    )
    link = tmp_path / "link.json"
    link.symlink_to("nowhere.json")
    assert main(["replay", str(link)]) == 2
    assert capsys.readouterr().err == f"pytest-llmtrace: {link} is a link to nowhere.json, which does not exist\n"


def test_a_folder_without_cassettes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If nothing was played, the output says so in words instead of showing an empty table."""
    assert main(["replay", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"no interactions in {tmp_path}\n"


def test_without_the_sdk_the_rest_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the SDK is missing, the plain replay still runs, and the reason says what to install."""
    monkeypatch.setattr(_sdks, "missing", lambda _request: "openai")
    path = write(tmp_path / "a.json", interaction("https://api.openai.com/v1/chat/completions", CHAT, COMPLETION))
    assert one(replayed(capsys, path)) == (
        "no SDK",
        'openai is not installed: pip install "pytest-llmtrace[openai]"',
    )


def test_each_api_has_its_sdk() -> None:
    """The Messages API is Anthropic's, whoever serves it; all others are OpenAI's."""
    messages = Request(
        method="POST", url="http://localhost:4000/v1/messages", body=b'{"model": "m", "messages": [], "max_tokens": 1}'
    )
    assert _sdks.sdk_of(messages) == "anthropic"
    assert (
        _sdks.sdk_of(Request(method="POST", url="https://x/v1/embeddings", body=b'{"model":"m","input":""}'))
        == "openai"
    )


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "cassettes").iterdir() if path.is_dir()))
def test_our_own_cassettes(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every cassette that ships is served whole, and every call in it can be made through its SDK."""
    results = replayed(capsys, ROOT / "cassettes" / folder)
    assert results
    assert {result["outcome"] for result in results} <= {"captured", "not captured", "served"}


def test_what_keeps_spans_away_is_said_without_being_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an instrumentor the command says, with no option, why there is no span and what to install."""
    monkeypatch.setattr(_sdks, "switch_of", lambda _: None)
    monkeypatch.setattr(_sdks, "instrumentor_of", lambda _: None)
    monkeypatch.setattr(LLMTrace, "llm_spans", lambda *_: ())
    path = write(tmp_path / "a.json", interaction("https://api.openai.com/v1/chat/completions", CHAT, COMPLETION))
    assert main(["replay", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        f"{path}: 1 not captured",
        "  interaction 0  POST /v1/chat/completions  not captured",
        "    no instrumentor is installed: pip install openinference-instrumentation-openai",
    ]
