"""The tools that a model was offered are read from each convention's own form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.dialects.conftest import Reader

CHAT = {"gen_ai.operation.name": "chat"}
LLM = {"openinference.span.kind": "LLM"}
REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
SCHEMA = {"type": "object"}
FUNCTION = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}}
CUSTOM = {"type": "custom", "custom": {"name": "run"}}
FLAT = {"name": "hear", "input_schema": SCHEMA}
READ = [
    {"name": "look", "type": "function"},
    {"name": "run", "type": "custom"},
    {"name": "hear", "type": None},
    {"name": None, "type": "mcp"},
]
DEFINED = [{"name": "look", "description": "Looks.", "parameters": SCHEMA}, {"name": "hear", "parameters": SCHEMA}]
TOOLS: list[Any] = [FUNCTION, CUSTOM, FLAT, {"type": "mcp", "server_label": "shop"}]

# Attributes, the scope if it matters, the tools that are read, and their definitions.
OFFERED = [
    pytest.param({**CHAT, "gen_ai.tool.definitions": json.dumps(TOOLS)}, "", READ, DEFINED, id="OTel GenAI"),
    pytest.param(
        {**CHAT, "gen_ai.tool.definitions": tuple(map(json.dumps, TOOLS))}, "", READ, DEFINED, id="a list of texts"
    ),
    pytest.param(
        {**LLM, **{f"llm.tools.{index}.tool.json_schema": json.dumps(tool) for index, tool in enumerate(TOOLS)}},
        "",
        READ,
        DEFINED,
        id="OpenInference",
    ),
    pytest.param(
        {**LLM, "llm.tools.0.tool.json_schema": json.dumps(FLAT), "llm.tools.1.tool.json_schema": '{"name": "lo'},
        "",
        [READ[2], {"name": None, "type": None}],
        DEFINED[1:],
        id="OpenInference, one that a limit has cut",
    ),
    pytest.param(
        {
            "llm.request.type": "chat",
            "llm.request.functions.0.name": "look",
            "llm.request.functions.0.description": "Looks.",
            "llm.request.functions.0.parameters": json.dumps(SCHEMA),
        },
        "",
        [{"name": "look", "type": None}],
        DEFINED[:1],
        id="OpenLLMetry",
    ),
    pytest.param(
        {**CHAT, "request_data": json.dumps({**REQUEST, "tools": TOOLS})}, "logfire.openai", READ, DEFINED, id="logfire"
    ),
    pytest.param(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.input": json.dumps({**REQUEST, "tools": TOOLS}),
        },
        "",
        READ,
        DEFINED,
        id="Langfuse",
    ),
    pytest.param(
        {"langfuse.observation.type": "generation", "langfuse.observation.input": json.dumps({"tools": TOOLS})},
        "",
        None,
        None,
        id="Langfuse, a function of the application's",
    ),
    pytest.param(
        {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.spanInputs": json.dumps({**REQUEST, "tools": TOOLS})},
        "",
        READ,
        DEFINED,
        id="MLflow",
    ),
    pytest.param(
        {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.chat.tools": json.dumps(TOOLS)},
        "",
        READ,
        DEFINED,
        id="MLflow, apart",
    ),
    pytest.param(
        {**CHAT, "gen_ai.tool.definitions": json.dumps([{"type": "namespace", "name": "all", "tools": TOOLS}])},
        "",
        [{"name": "all", "type": "namespace"}, *READ],
        DEFINED,
        id="in a namespace",
    ),
    pytest.param({**CHAT, "gen_ai.tool.definitions": '[{"name": "lo'}, "", None, None, id="cut by a limit"),
    pytest.param({**CHAT, "gen_ai.tool.definitions": "[]"}, "", None, None, id="none"),
    pytest.param({**CHAT, "gen_ai.tool.definitions": "[7, {}, null]"}, "", None, None, id="no tools"),
]


@pytest.mark.parametrize(("attributes", "scope", "offered", "defined"), OFFERED)
def test_the_tools_that_a_model_was_offered(
    read: Reader,
    attributes: dict[str, Any],
    scope: str,
    offered: list[dict[str, str | None]] | None,
    defined: list[dict[str, Any]] | None,
) -> None:
    """Each tool is read with its name, its type and its definition, in each convention's form for each API."""
    reading = read(attributes, scope=scope)
    assert (reading.tools, reading.tool_definitions, reading.problems) == (offered, defined, ())


# A tool, and the schema of its parameters that is read.
SCHEMAS: list[tuple[dict[str, Any], Any]] = [
    ({"inputSchema": {"json": SCHEMA}, "outputSchema": {}}, SCHEMA),
    ({"inputSchema": SCHEMA}, SCHEMA),
    ({"parameters": {"json": SCHEMA, "type": "object"}}, {"json": SCHEMA, "type": "object"}),
    ({"parameters": json.dumps(SCHEMA)}, SCHEMA),
    ({"parameters": '{"type": "obj'}, None),
    ({"parameters": "null", "input_schema": SCHEMA}, SCHEMA),
    ({"parameters": [], "description": 7}, None),
]


@pytest.mark.parametrize(("tool", "schema"), SCHEMAS)
def test_what_a_tool_takes(read: Reader, tool: dict[str, Any], schema: Any) -> None:
    """A schema stands under several names, within `json`, or as JSON; another value, or a cut schema, is not read."""
    reading = read({**CHAT, "gen_ai.tool.definitions": json.dumps([{"name": "look", **tool}])})
    assert reading.tool_definitions == ([{"name": "look", "parameters": schema}] if schema else None)
