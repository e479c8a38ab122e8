"""The prompt of a request: texts, and the tool calls among its messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Reading, State

TEXT, MORE = {"type": "text", "text": "Is it cold"}, {"type": "text", "text": "in Oslo?"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

# API, request, and the texts that the model is given: role, text, field, and for a tool's result the id of its call.
ASKED = [
    pytest.param(
        "chat",
        {
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [TEXT, IMAGE, MORE]},
                {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "look"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "-4 degrees"},
                {"role": "user", "content": ""},
            ]
        },
        [
            ("developer", "Be brief.", "messages[0].content"),
            ("user", "Is it cold", "messages[1].content[0].text"),
            ("user", "in Oslo?", "messages[1].content[2].text"),
            ("tool", "-4 degrees", "messages[3].content", "c"),
        ],
        id="chat",
    ),
    pytest.param(
        "messages",
        {
            "system": [TEXT, {"type": "text", "text": "Cached.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}, MORE]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t1", "content": "plain"},
                        {"type": "tool_result", "tool_use_id": "t2", "content": [TEXT, {"type": "image"}]},
                        {"type": "tool_result", "tool_use_id": "t3"},
                        MORE,
                    ],
                },
            ],
        },
        [
            ("system", "Is it cold", "system[0].text"),
            ("system", "Cached.", "system[1].text"),
            ("user", "Hi", "messages[0].content"),
            ("assistant", "in Oslo?", "messages[1].content[1].text"),
            ("tool", "plain", "messages[2].content[0].content", "t1"),
            ("tool", "Is it cold", "messages[2].content[1].content[0].text", "t2"),
            ("user", "in Oslo?", "messages[2].content[3].text"),
        ],
        id="messages",
    ),
    pytest.param(
        "responses",
        {
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Is it cold?"}]},
                {"type": "reasoning", "id": "r", "summary": [TEXT]},
                {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "-4 degrees"},
                {"type": "custom_tool_call_output", "call_id": "d", "output": [{"type": "input_text", "text": "x"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is."}]},
                {"type": "item_reference", "id": "i"},
            ],
        },
        [
            ("system", "Be brief.", "instructions"),
            ("user", "Is it cold?", "input[0].content[0].text"),
            ("tool", "-4 degrees", "input[3].output", "c"),
            ("tool", "x", "input[4].output[0].text", "d"),
            ("assistant", "It is.", "input[5].content[0].text"),
        ],
        id="responses",
    ),
    pytest.param("responses", {"input": "Hi"}, [("user", "Hi", "input")], id="responses, a text"),
    pytest.param("completions", {"prompt": "Once"}, [("user", "Once", "prompt")], id="completions"),
    pytest.param(
        "completions",
        {"prompt": ["Once", "Twice"]},
        [("user", "Once", "prompt[0]"), ("user", "Twice", "prompt[1]")],
        id="completions, several",
    ),
    pytest.param("embeddings", {"input": "one"}, [("user", "one", "input")], id="embeddings"),
    pytest.param(
        "embeddings",
        {"input": ["one", "two"]},
        [("user", "one", "input[0]"), ("user", "two", "input[1]")],
        id="embeddings, several",
    ),
]


@pytest.mark.parametrize(("api", "asked", "given"), ASKED)
def test_what_a_model_is_given(
    read: Callable[..., Reading], api: str, asked: dict[str, Any], given: list[tuple[str, ...]]
) -> None:
    """Each text has its role and its field; images, calls, references and earlier reasoning are not texts.

    A tool's result has the id of its call.
    """
    fact = read(api, {}, asked=asked).fact("input_messages")
    said = [
        {"role": role, "text": text, **({"answers": answers[0]} if answers else {})}
        for role, text, _, *answers in given
    ]
    assert fact.value == said
    assert fact.parts == tuple((key, text) for _, text, key, *_ in given)
    assert fact.where == "chat.yaml, exchange 3, request body"


@pytest.mark.parametrize(
    ("api", "asked"),
    [
        ("embeddings", {"input": [[1, 2], [3]]}),
        ("completions", {"prompt": [1, 2]}),
        ("chat", {"messages": [None, 1, [], {"role": 1}, {"role": "user", "content": {"text": "x"}}]}),
        ("messages", {"messages": [{"role": "user", "content": [None, {"type": "text", "text": 1}]}], "system": 1}),
        ("responses", {"input": [None, {"type": []}, {"type": "message", "content": 7}], "instructions": {}}),
    ],
)
def test_a_request_without_texts(read: Callable[..., Reading], api: str, asked: dict[str, Any]) -> None:
    """Tokens are not texts, and texts in places that the API does not have are not read."""
    assert read(api, {}, asked=asked).fact("input_messages").state is State.ABSENT


CHAT_CALLS = [
    {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at": "Oslo"}'}},
    {"id": "d", "type": "custom", "custom": {"name": "run", "input": "print(1)"}},
]
USED = {"type": "tool_use", "id": "t", "name": "look", "input": {"at": "Oslo"}}
RUN = {"type": "custom_tool_call", "call_id": "d", "name": "run", "input": "print(1)"}
LOOK: dict[str, Any] = {"name": "look", "arguments": {"at": "Oslo"}}

# API, request, and the tool calls that the model is told to have made, each with its field.
TOLD = [
    pytest.param(
        "chat",
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": CHAT_CALLS}]},
        [
            ({"id": "c", **LOOK}, "messages[1].tool_calls[0]"),
            ({"id": "d", "name": "run", "arguments": "print(1)"}, "messages[1].tool_calls[1]"),
        ],
        id="chat",
    ),
    pytest.param(
        "chat",
        {"messages": [{"role": "assistant", "function_call": {"name": "look", "arguments": '{"at": "Oslo"}'}}]},
        [({"id": None, **LOOK}, "messages[0].function_call")],
        id="chat, as before tools",
    ),
    pytest.param(
        "messages",
        {
            "messages": [
                {"role": "assistant", "content": [{"type": "text", "text": "Hm."}, USED]},
                {"role": "assistant", "content": [{**USED, "type": "server_tool_use", "id": "srvtoolu_1"}]},
            ]
        },
        [({"id": "t", **LOOK}, "messages[0].content[1]")],
        id="messages",
    ),
    pytest.param(
        "responses",
        {
            "input": [
                {"type": "function_call", "call_id": "c", "id": "fc", "name": "look", "arguments": '{"at": "Oslo"}'},
                RUN,
                {"type": "mcp_call", "id": "m", "name": "look", "arguments": "{}"},
                {"type": "web_search_call", "id": "w"},
            ]
        },
        [
            ({"id": "c", **LOOK}, "input[0]"),
            ({"id": "d", "name": "run", "arguments": "print(1)"}, "input[1]"),
        ],
        id="responses",
    ),
]


@pytest.mark.parametrize(("api", "asked", "told"), TOLD)
def test_which_calls_a_model_is_told_of(
    read: Callable[..., Reading], api: str, asked: dict[str, Any], told: list[tuple[dict[str, Any], str]]
) -> None:
    """Each call has its id, if any, its name and its parsed arguments; calls that the server ran are passed over."""
    fact = read(api, {}, asked=asked).fact("input_tool_calls")
    assert fact.value == [call for call, _ in told]
    assert fact.parts == tuple((key, call["name"]) for call, key in told)
    assert fact.where == "chat.yaml, exchange 3, request body"


@pytest.mark.parametrize("api", ["chat", "messages", "responses"])
def test_a_request_without_calls(read: Callable[..., Reading], api: str) -> None:
    """The APIs with messages look for tool calls and find none; those without messages do not look."""
    assert read(api, {}, asked={"messages": [{"role": "user", "content": "Hi"}]}).has_place_for("input_tool_calls")
    assert not read("completions", {}, asked={"prompt": "Hi"}).has_place_for("input_tool_calls")
