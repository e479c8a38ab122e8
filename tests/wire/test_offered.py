"""The tools that a request offers to the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Reading, State

SCHEMA = {"type": "object", "properties": {}}
DEFINITION = {"description": "Looks.", "parameters": SCHEMA}

# API, request, and the tools: name, type, and the field of each.
OFFERED = [
    pytest.param(
        "chat",
        {
            "tools": [
                {"type": "function", "function": {"name": "look", "parameters": SCHEMA}},
                {"type": "custom", "custom": {"name": "run"}},
                {"name": "hear", "parameters": SCHEMA},
                {"function": {"name": "smell", "parameters": SCHEMA}},
            ]
        },
        [
            ("look", "function", "tools[0]"),
            ("run", "custom", "tools[1]"),
            ("hear", "function", "tools[2]"),
            ("smell", "function", "tools[3]"),
        ],
        id="chat",
    ),
    pytest.param(
        "chat", {"functions": [{"name": "look"}]}, [("look", "function", "functions[0]")], id="chat, as before tools"
    ),
    pytest.param(
        "messages",
        {
            "tools": [
                {"name": "look", "input_schema": SCHEMA},
                {"type": "custom", "name": "hear", "input_schema": SCHEMA},
                {"type": "web_search_20250305", "name": "web_search"},
                {"type": "mcp_toolset", "mcp_server_name": "shop"},
                {"type": "mcp_toolset"},
            ]
        },
        [
            ("look", "function", "tools[0]"),
            ("hear", "function", "tools[1]"),
            ("web_search", "web_search_20250305", "tools[2]"),
            ("shop", "mcp_toolset", "tools[3]"),
            (None, "mcp_toolset", "tools[4]"),
        ],
        id="messages",
    ),
    pytest.param(
        "responses",
        {
            "tools": [
                {"type": "function", "name": "look"},
                {"type": "mcp", "server_label": "shop"},
                {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "find"}]},
            ]
        },
        [
            ("look", "function", "tools[0]"),
            ("shop", "mcp", "tools[1]"),
            ("crm", "namespace", "tools[2]"),
            ("find", "function", "tools[2].tools[0]"),
        ],
        id="responses",
    ),
]


@pytest.mark.parametrize(("api", "asked", "offered"), OFFERED)
def test_the_tools_of_a_request(
    read: Callable[..., Reading], api: str, asked: dict[str, Any], offered: list[tuple[str | None, str, str]]
) -> None:
    """Each tool has its name, if any, and its type, which is `function` for each that the client runs by a schema."""
    fact = read(api, {}, asked=asked).fact("tools")
    assert fact.value == [{"name": name, "type": kind} for name, kind, _ in offered]
    assert fact.parts == tuple((key, name or kind) for name, kind, key in offered)
    assert fact.where == "chat.yaml, exchange 3, request body"


# API, request, the definitions of the tools, and their fields.
DEFINED = [
    pytest.param(
        "chat",
        {
            "tools": [
                {"type": "function", "function": {"name": "look", "strict": True, **DEFINITION}},
                {"type": "custom", "custom": {"name": "run", "description": "Runs.", "format": {"type": "text"}}},
                {"type": "function", "function": {"name": "bare", "description": None, "parameters": []}},
            ],
            "functions": [{"name": "hear", "parameters": SCHEMA}],
        },
        [
            {"name": "look", **DEFINITION},
            {"name": "run", "description": "Runs."},
            {"name": "hear", "parameters": SCHEMA},
        ],
        [
            "tools[0].function.description",
            "tools[0].function.parameters",
            "tools[1].custom.description",
            "functions[0].parameters",
        ],
        id="chat",
    ),
    pytest.param(
        "messages",
        {
            "tools": [
                {"name": "look", "description": "Looks.", "input_schema": SCHEMA},
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 1},
            ]
        },
        [{"name": "look", **DEFINITION}],
        ["tools[0].description", "tools[0].input_schema"],
        id="messages",
    ),
    pytest.param(
        "responses",
        {
            "tools": [
                {"type": "mcp", "server_label": "shop", "server_description": "Sells."},
                {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "look", **DEFINITION}]},
            ]
        },
        [{"name": "look", **DEFINITION}],
        ["tools[1].tools[0].description", "tools[1].tools[0].parameters"],
        id="responses",
    ),
]


@pytest.mark.parametrize(("api", "asked", "defined", "keys"), DEFINED)
def test_the_definitions_of_tools(
    read: Callable[..., Reading], api: str, asked: dict[str, Any], defined: list[dict[str, Any]], keys: list[str]
) -> None:
    """Each tool with a name has its description and its parameters, if they are stated, and their fields."""
    fact = read(api, {}, asked=asked).fact("tool_definitions")
    assert fact.value == defined
    said = [tool[part] for tool in defined for part in tool if part != "name"]
    assert fact.parts == tuple(zip(keys, said, strict=True))
    assert fact.where == "chat.yaml, exchange 3, request body"


def test_the_tools_that_a_response_was_made_with(read: Callable[..., Reading]) -> None:
    """The Responses API repeats the tools, to which it may have added; a value that is not a list says nothing."""
    tools = [{"type": "function", "name": "look", "strict": True, **DEFINITION}]
    [fact] = [one for one in read("responses", {"tools": tools}).others if one.name == "tool_definitions"]
    assert (fact.value, fact.keys) == ([{"name": "look", **DEFINITION}], "tools")
    assert [one.name for one in read("responses", {"tools": "look"}).others] == []


@pytest.mark.parametrize("api", ["chat", "messages", "responses"])
@pytest.mark.parametrize("tools", [None, [], {}, "look", [None, 7, {"type": 1}, {"type": []}]])
def test_a_request_without_tools(read: Callable[..., Reading], tools: Any, api: str) -> None:
    """A value that is not a tool is not read, and APIs without tools have no place for them."""
    reading = read(api, {}, asked={"tools": tools})
    assert {reading.fact(name).state for name in ("tools", "tool_definitions")} == {State.ABSENT}
    assert not read("embeddings", {}, asked={"tools": tools}).has_place_for("tools")
