"""The conversation so far, as a request repeats it: the user's texts, tool calls and tool results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmtrace.model import Request
from pytest_llmtrace.wire import history, is_continued, prompts

ASKED = "How warm is it?"


def request(body: Any) -> Request:
    return Request(method="POST", url="https://api.openai.com/v1/x", body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("api", "body"),
    [
        ("chat", {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": ASKED}]}),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "text", "text": ASKED}, {"type": "image"}]}]}),
        ("responses", {"input": ASKED}),
        ("responses", {"input": [{"role": "user", "content": [{"type": "input_text", "text": ASKED}]}]}),
        ("completions", {"prompt": ASKED}),
        ("embeddings", {"input": [ASKED]}),
        ("embeddings", {"input": [[1, 2], ASKED]}),
    ],
)
def test_what_the_user_said(api: str, body: dict[str, Any]) -> None:
    """The user's texts are read from each API's form."""
    assert prompts(request(body), api) == (ASKED,)


def test_custom_tools_and_the_servers_own() -> None:
    """A call to a custom tool is read; a call that the server made is not among the calls that may be repeated."""
    custom = {"id": "a", "type": "custom", "custom": {"name": "run", "input": "ls"}}
    chat = history(request({"messages": [{"role": "assistant", "tool_calls": [custom]}]}), "chat")
    assert [(call.id, call.name, call.arguments) for call in chat.calls] == [("a", "run", "ls")]
    used = {"type": "mcp_tool_use", "id": "b", "name": "x"}
    messages = history(request({"messages": [{"role": "assistant", "content": [used]}]}), "messages")
    assert messages.calls == ()
    responses = history(request({"input": [{"type": "web_search_call", "call_id": "c"}]}), "responses")
    assert (responses.calls, responses.whole) == ((), True)


def test_what_has_no_history() -> None:
    """A request for embeddings has no history, nor has a body that cannot be read."""
    assert history(request({"input": "a tool_call"}), "embeddings").results == ()
    broken = Request(method="POST", url="https://x.test/v1/messages", body=b'{"messages": [{"tool')
    assert history(broken, "messages").calls == ()
    assert prompts(broken, "messages") == ()


KEYS = st.sampled_from(
    ["messages", "input", "role", "content", "type", "tool_calls", "id", "call_id", "tool_call_id", "function", "name"]
)
WORDS = st.sampled_from(
    ["tool", "assistant", "user", "tool_use", "tool_result", "function_call", "function_call_output"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(
    body=st.dictionaries(KEYS, VALUES), api=st.sampled_from(["chat", "messages", "responses", "embeddings", "", None])
)
def test_nothing_raises(body: dict[str, Any], api: str | None) -> None:
    """Any JSON has a history, although it may be empty."""
    found = history(request(body), api)
    ids = [call.id for call in found.calls] + [result.id for result in found.results]
    assert all(isinstance(each, str) for each in ids)
    assert all(isinstance(text, str) for text in prompts(request(body), api))


@pytest.mark.parametrize(
    ("item", "continued"),
    [
        ({"type": "compaction", "id": "cmp_1", "encrypted_content": "..."}, True),
        ({"type": "item_reference", "id": "msg_1"}, True),
        ({"role": "user", "content": "Well?"}, False),
    ],
)
def test_what_stands_for_the_conversation_before_it(item: dict[str, Any], continued: bool) -> None:
    """A request does not tell what a compacted conversation contained, nor an item that it only refers to."""
    asked = request({"model": "m", "input": [item, {"role": "user", "content": "hi"}]})
    assert is_continued(asked) is continued
