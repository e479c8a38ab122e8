"""The tools that a model was offered, as each convention writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.dialects.conftest import Reader

CHAT = {"gen_ai.operation.name": "chat"}
LLM = {"openinference.span.kind": "LLM"}
REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CUSTOM = {"type": "custom", "custom": {"name": "run"}}
FLAT = {"name": "hear", "input_schema": {"type": "object"}}
READ = [
    {"name": "look", "type": "function"},
    {"name": "run", "type": "custom"},
    {"name": "hear", "type": None},
    {"name": None, "type": "mcp"},
]
TOOLS: list[Any] = [FUNCTION, CUSTOM, FLAT, {"type": "mcp", "server_label": "shop"}]

# Attributes, the scope if it matters, and what is read.
OFFERED = [
    pytest.param({**CHAT, "gen_ai.tool.definitions": json.dumps(TOOLS)}, "", READ, id="OTel GenAI"),
    pytest.param({**CHAT, "gen_ai.tool.definitions": tuple(map(json.dumps, TOOLS))}, "", READ, id="a list of texts"),
    pytest.param(
        {**LLM, **{f"llm.tools.{index}.tool.json_schema": json.dumps(tool) for index, tool in enumerate(TOOLS)}},
        "",
        READ,
        id="OpenInference",
    ),
    pytest.param(
        {**LLM, "llm.tools.0.tool.json_schema": json.dumps(FLAT), "llm.tools.1.tool.json_schema": '{"name": "lo'},
        "",
        [READ[2], {"name": None, "type": None}],
        id="OpenInference, one that a limit has cut",
    ),
    pytest.param(
        {
            "llm.request.type": "chat",
            "llm.request.functions.0.name": "look",
            "llm.request.functions.0.parameters": "{}",
        },
        "",
        [{"name": "look", "type": None}],
        id="OpenLLMetry",
    ),
    pytest.param(
        {**CHAT, "request_data": json.dumps({**REQUEST, "tools": TOOLS})}, "logfire.openai", READ, id="logfire"
    ),
    pytest.param(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.input": json.dumps({**REQUEST, "tools": TOOLS}),
        },
        "",
        READ,
        id="Langfuse",
    ),
    pytest.param(
        {"langfuse.observation.type": "generation", "langfuse.observation.input": json.dumps({"tools": TOOLS})},
        "",
        None,
        id="Langfuse, a function of the application's",
    ),
    pytest.param(
        {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.spanInputs": json.dumps({**REQUEST, "tools": TOOLS})},
        "",
        READ,
        id="MLflow",
    ),
    pytest.param(
        {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.chat.tools": json.dumps(TOOLS)}, "", READ, id="MLflow, apart"
    ),
    pytest.param({**CHAT, "gen_ai.tool.definitions": '[{"name": "lo'}, "", None, id="cut by a limit"),
    pytest.param({**CHAT, "gen_ai.tool.definitions": "[]"}, "", None, id="none"),
    pytest.param({**CHAT, "gen_ai.tool.definitions": "[7, {}, null]"}, "", None, id="no tools"),
]


@pytest.mark.parametrize(("attributes", "scope", "offered"), OFFERED)
def test_the_tools_that_a_model_was_offered(
    read: Reader, attributes: dict[str, Any], scope: str, offered: list[dict[str, str | None]] | None
) -> None:
    """Each is read with its name and its type, in whichever form of whichever API it stands there."""
    reading = read(attributes, scope=scope)
    assert (reading.tools, reading.problems) == (offered, ())
