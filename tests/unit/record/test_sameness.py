"""A file that is recorded again changes only where the server has said something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.model import Exchange
from pytest_llmtrace.record import Recorder
from pytest_llmtrace.replay.cassette import load

SSE = (("content-type", "text/event-stream"),)


def sse(*events: Any) -> list[bytes]:
    return [f"data: {json.dumps(event)}\n\n".encode() for event in events] + [b"data: [DONE]\n\n"]


def chat(run: int, text: str = "hi") -> list[bytes]:
    """Return a stream of chat completions as the server sends it in a run."""
    head = {"id": f"chatcmpl-A1b2C3d4{run}", "created": 1760000000 + run, "system_fingerprint": f"fp_{run}"}
    deltas = [{"role": "assistant", "content": ""}, {"content": text}]
    timing = {"x_groq": {"id": f"req_01jexample{run}", "usage": {"queue_time": 0.1 * run, "total_tokens": 3}}}
    events = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    comment = [b": PROCESSING\n\n"] * run
    return [*comment, *sse(*events, {**head, **timing, "choices": []})]


def messages(run: int, text: str = "hi") -> list[bytes]:
    start = {"type": "message_start", "message": {"id": f"msg_01AbCdEfGh{run}", "content": []}}
    return sse(start, {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def responses(run: int, text: str = "hi") -> list[bytes]:
    response = {"id": f"resp_68a1b2c3{run}", "created_at": 1760000000 + run, "completed_at": 1760000001.5 + run}
    delta = {"type": "response.output_text.delta", "item_id": f"msg_68a1b2c3{run}", "delta": text}
    return sse({"type": "response.created", "response": response}, {**delta, "obfuscation": "x" * run})


def plain(run: int, text: str = "hi") -> list[bytes]:
    return [json.dumps({"id": f"chatcmpl-A1b2C3d4{run}", "created": 1760000000 + run, "text": text}).encode()]


@pytest.mark.parametrize("form", [chat, messages, responses, plain])
def test_ids_and_times_are_no_difference(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, form: Callable[..., list[bytes]]
) -> None:
    """If only ids and times differ, the file stays as it is, byte for byte; another word is another recording."""
    recorder().save([made(b"{}", *form(1), answer=SSE)])
    before = (tmp_path / "chat.yaml").read_bytes()
    same = recorder().save([made(b"{}", *form(2), answer=SSE)])
    assert same is not None
    assert (same.what, (tmp_path / "chat.yaml").read_bytes()) == ("unchanged", before)
    other = recorder().save([made(b"{}", *form(2, "hello"), answer=SSE)])
    assert other is not None
    assert other.what == "wrote"
    assert b"hello" in (tmp_path / "chat.yaml").read_bytes()


@pytest.mark.parametrize("field", ["id", "call_id"])
def test_an_id_that_the_run_goes_on_with_counts(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, field: str
) -> None:
    """If a request sends an id of a reply back, both are recorded with the new id, so that they fit together."""

    def turns(run: int, last: str) -> list[Exchange]:
        name = f"call_A1b2C3d4{run}"
        call, answer = {"tool_calls": [{field: name}], "id": f"chatcmpl-{run}2345678"}, {"text": "done"}
        return [
            made(b'{"q":1}', json.dumps(call).encode(), index=0),
            made(json.dumps({"tool_call_id": name, "q": last}).encode(), json.dumps(answer).encode(), index=1),
        ]

    path = tmp_path / "chat.yaml"
    recorder().save(turns(1, "a"))
    recorder().save(turns(2, "b"))
    text = path.read_text(encoding="utf-8")
    assert ("call_A1b2C3d41" in text, text.count("call_A1b2C3d42")) == (False, 2)
    recorder().save(turns(3, "b")[:1])
    assert "call_A1b2C3d43" in path.read_text(encoding="utf-8")
    recorder().save(turns(4, "b")[:1])  # Neither the recording nor this run sends the id back.
    assert "call_A1b2C3d43" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"input": {"id": "order-2025-0001"}}, {"input": {"id": "order-2025-0002"}}),
        ({"id": "short-1"}, {"id": "short-2"}),
        ({"arrived_at": "noon"}, {"arrived_at": "dusk"}),
        ({"usage": {"total": 1}}, {"usage": {"total": 2}}),
        ([{"n": 1}], [{"n": 2}]),
        ("one", "two"),
    ],
)
def test_what_the_model_says_counts(
    made: Callable[..., Exchange], recorder: Callable[..., Recorder], tmp_path: Path, old: Any, new: Any
) -> None:
    """Changed arguments of tools, names, words and numbers are recorded again, whatever their fields are called."""
    recorder().save([made(b"{}", json.dumps(old).encode())])
    recorder().save([made(b"{}", json.dumps(new).encode())])
    [recording] = load(tmp_path / "chat.yaml").recordings
    assert recording.response is not None
    assert json.loads(recording.response.body) == new
