"""Logfire describes a stream by a span and a second record beside it, its note."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_llmtrace.compare._run import run as compared

STREAMS = """
import logfire
import openai
import pytest

logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_openai()
ASKED = {"model": "gpt-4o-mini", "stream": True}

def chat():
    messages = [{"role": "user", "content": "hi"}]
    usage = {"include_usage": True}
    return openai.OpenAI(api_key="x").chat.completions.create(messages=messages, stream_options=usage, **ASKED)

def responses():
    return openai.OpenAI(api_key="x").responses.create(input="hi", **ASKED)

@pytest.mark.llmtrace(verify=False)
@pytest.mark.parametrize("ask", [chat, responses])
def test_stream(llmtrace, ask):
    getattr(llmtrace.gateway("openai"), ask.__name__)(text="A standard.")
    for _ in ask():
        pass
    assert [finding.check for finding in llmtrace.findings()] == ["structure/ended-before-stream"]
    [exchange] = llmtrace.exchanges()
    [call] = [span.call for span in exchange.spans]
    for name in ("response_id", "response_model", "input_tokens", "output_tokens", "output_texts"):
        assert getattr(call, name) == getattr(exchange.truth, name), name
    assert call.fact("input_tokens").where.startswith("span 'streaming response from ")
"""


def test_a_stream_is_read_with_its_note(run: Callable[..., Any], installed: Callable[..., None]) -> None:
    """All facts of the answer are read from the note; the span itself ends too early, which is the only finding."""
    installed("logfire")
    result = run({"test_it.py": STREAMS})
    assert result.outcomes == dict.fromkeys(("test_stream[chat]", "test_stream[responses]"), "call passed"), result.out


def test_it_is_compared_with_the_others(installed: Callable[..., None]) -> None:
    """The comparison switches logfire on by itself, and reads its spans and its notes."""
    installed("logfire")
    [result] = compared(["logfire"], ["scripted:openai/chat-plain"])
    for case in result.clients["sync"] + result.clients["async"]:
        assert case["raised"] is None
        assert case["facts"]["wire/output-tokens"] == "right"
        streamed = case["case"].endswith("-stream")
        assert [one["check"] for one in case["findings"]] == ["structure/ended-before-stream"] * streamed
