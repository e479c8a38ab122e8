"""The prompt is read from each convention's own form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.dialects.conftest import Reader

CHAT = {"gen_ai.operation.name": "chat"}
LLM = {"openinference.span.kind": "LLM"}
IN, CONTENTS = "llm.input_messages", "llm.input_messages.0.message.contents"
MODEL, USER = {"model": "m"}, [{"role": "user", "content": "Hi"}]


def texts(*said: tuple[str | None, ...]) -> list[dict[str, str | None]]:
    """Write texts as the vocabulary does: role, text, and for a tool's result the id of its call."""
    return [dict(zip(("role", "text", "answers"), one, strict=False)) for one in said]


PARTS = json.dumps([{"type": "text", "text": "Hi"}, {"type": "image_url"}])

# Attributes, the scope if it matters, and the prompt that is read.
WRITTEN = [
    pytest.param(
        {
            **CHAT,
            "gen_ai.input.messages": json.dumps(
                [
                    {"role": "user", "parts": [{"type": "text", "content": "Hi"}, {"type": "uri", "uri": "a.png"}]},
                    {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm."}, {"type": "tool_call"}]},
                    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "-4"}]},
                    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "d", "response": {"at": 1}}]},
                ]
            ),
        },
        "",
        texts(("user", "Hi"), ("tool", "-4", "c"), ("tool", '{"at": 1}', "d")),
        id="OTel GenAI",
    ),
    pytest.param(
        {**CHAT, "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief."}]'},
        "",
        texts(("system", "Be brief.")),
        id="OTel GenAI, instructions alone",
    ),
    pytest.param(
        {**CHAT, "gen_ai.input.messages": "Is it cold?"}, "", texts((None, "Is it cold?")), id="OTel GenAI, a text"
    ),
    pytest.param({**CHAT, "gen_ai.input.messages": json.dumps(USER)}, "", texts(("user", "Hi")), id="as the API does"),
    pytest.param(
        {
            **LLM,
            f"{IN}.0.message.role": "system",
            f"{IN}.0.message.content": "Be brief.",
            f"{IN}.10.message.role": "user",
            f"{IN}.10.message.contents.0.message_content.type": "text",
            f"{IN}.10.message.contents.0.message_content.text": "Is it cold",
            f"{IN}.10.message.contents.1.message_content.type": "image",
            f"{IN}.10.message.contents.2.message_content.text": "in Oslo?",
            f"{IN}.2.message.role": "user",
            f"{IN}.2.message.tool_call_id": "c",
            f"{IN}.2.message.content": "-4",
        },
        "",
        texts(("system", "Be brief."), ("tool", "-4", "c"), ("user", "Is it cold"), ("user", "in Oslo?")),
        id="OpenInference",
    ),
    pytest.param(
        {
            **LLM,
            f"{IN}.0.message.role": "user",
            f"{IN}.0.message.content": "Hi",
            f"{CONTENTS}.0.message_content.type": "text",
            f"{CONTENTS}.0.message_content.text": "Hi",
        },
        "",
        texts(("user", "Hi")),
        id="OpenInference, a text that stands twice",
    ),
    pytest.param(
        {**LLM, "llm.prompts.0.prompt.text": "Once", "llm.prompts.1.prompt.text": "Twice"},
        "",
        texts((None, "Once"), (None, "Twice")),
        id="OpenInference, completions",
    ),
    pytest.param(
        {
            "llm.request.type": "chat",
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": PARTS,
            "gen_ai.prompt.2.role": "user",
            "gen_ai.prompt.2.content": "[1, 2] is a list",
        },
        "",
        texts(("system", "Be brief."), ("user", PARTS), ("user", "[1, 2] is a list")),
        id="OpenLLMetry",
    ),
    pytest.param(
        {**CHAT, "request_data": json.dumps({**MODEL, "system": "Be brief.", "messages": USER})},
        "logfire.anthropic",
        texts(("system", "Be brief."), ("user", "Hi")),
        id="logfire",
    ),
    pytest.param(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.input": json.dumps({"messages": USER, "tools": []}),
        },
        "",
        texts(("user", "Hi")),
        id="Langfuse",
    ),
    pytest.param(
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.spanInputs": json.dumps(
                {
                    **MODEL,
                    "instructions": "Be brief.",
                    "input": [{"role": "user", "content": "Hi"}, {"type": "function_call_output", "output": "-4"}],
                }
            ),
        },
        "",
        texts(("system", "Be brief."), ("user", "Hi"), ("tool", "-4")),
        id="MLflow",
    ),
]


@pytest.mark.parametrize(("attributes", "scope", "given"), WRITTEN)
def test_what_a_model_was_given(
    read: Reader, attributes: dict[str, Any], scope: str, given: list[dict[str, str | None]]
) -> None:
    """Each text is read with its role, and JSON as it is written; images, tool calls and reasoning are passed over."""
    reading = read(attributes, scope=scope)
    assert (reading.input_messages, reading.problems) == (given, ())


@pytest.mark.parametrize(
    ("attributes", "scope"),
    [
        ({**CHAT, "gen_ai.input.messages": "[]"}, ""),
        ({**CHAT, "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "te'}, ""),
        ({**CHAT, "gen_ai.input.messages": "__REDACTED__"}, ""),
        ({"langfuse.observation.type": "generation", "langfuse.observation.input": '"What about it?"'}, ""),
        ({"langfuse.observation.type": "generation", "langfuse.observation.input": '{"question": "Why?"}'}, ""),
        ({"mlflow.spanType": '"LLM"', "mlflow.spanInputs": '{"prompt": "Why?"}'}, ""),
        ({**CHAT, "request_data": json.dumps(MODEL)}, "logfire.openai"),
    ],
    ids=["no message", "cut", "masked", "a text of one's own", "one's own form", "a function's arguments", "none"],
)
def test_no_prompt(read: Reader, attributes: dict[str, Any], scope: str) -> None:
    """A prompt that was cut or masked says nothing, nor do the arguments of an arbitrary function."""
    reading = read(attributes, scope=scope)
    assert (reading.input_messages, reading.problems) == (None, ())


def test_messages_that_are_encoded_twice(read: Reader) -> None:
    """JSON within JSON is a text to a back end, not a list of messages."""
    reading = read({**CHAT, "gen_ai.input.messages": json.dumps(json.dumps(USER))})
    assert reading.problems == (
        "gen_ai.input.messages on span 'chat': it was written as JSON twice, so it is a string and not a list",
    )


LOOK = {"id": "c", "name": "look", "arguments": {"at": "Oslo"}}
WRITTEN_LOOK = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at": "Oslo"}'}}
TURN = {"role": "assistant", "content": None, "tool_calls": [WRITTEN_LOOK]}
CALL, PART = f"{IN}.0.message.tool_calls.0.tool_call", f"{CONTENTS}.0.tool_call"


def flat_call(prefix: str) -> dict[str, str]:
    """Write a tool call as OpenInference does."""
    return {f"{prefix}.id": "c", f"{prefix}.function.name": "look", f"{prefix}.function.arguments": '{"at": "Oslo"}'}


# Attributes, the scope if it matters, and the tool calls that are read.
TOLD = [
    pytest.param(
        {
            **CHAT,
            "gen_ai.input.messages": json.dumps(
                [
                    {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
                    {"role": "assistant", "parts": [{"type": "tool_call", **LOOK}, {"type": "tool_call", "id": "d"}]},
                ]
            ),
        },
        "",
        [LOOK],
        id="OTel GenAI",
    ),
    pytest.param({**CHAT, "gen_ai.input.messages": json.dumps([TURN])}, "", [LOOK], id="as the chat API does"),
    pytest.param(
        {
            **CHAT,
            "gen_ai.input.messages": json.dumps(
                [{"role": "assistant", "function_call": {"name": "look", "arguments": "{}"}}]
            ),
        },
        "",
        [{"id": None, "name": "look", "arguments": {}}],
        id="as the chat API did before",
    ),
    pytest.param(
        {
            **CHAT,
            "request_data": json.dumps(
                {
                    **MODEL,
                    "messages": [
                        {
                            "role": "assistant",
                            "content": [{"type": "tool_use", "id": "c", "name": "look", "input": {"at": "Oslo"}}],
                        }
                    ],
                }
            ),
        },
        "logfire.anthropic",
        [LOOK],
        id="logfire, Anthropic's form",
    ),
    pytest.param(
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.spanInputs": json.dumps(
                {
                    **MODEL,
                    "input": [
                        {
                            "type": "function_call",
                            "id": "fc",
                            "call_id": "c",
                            "name": "look",
                            "arguments": '{"at": "Oslo"}',
                        }
                    ],
                }
            ),
        },
        "",
        [LOOK],
        id="MLflow, an item of the Responses API",
    ),
    pytest.param(
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.message.format": '"langchain"',
            "mlflow.spanInputs": json.dumps(
                [[{"type": "ai", "content": "", "tool_calls": [{"name": "look", "args": {"at": "Oslo"}, "id": "c"}]}]]
            ),
        },
        "",
        [LOOK],
        id="MLflow, LangChain's messages",
    ),
    pytest.param({**LLM, **flat_call(CALL)}, "", [LOOK], id="OpenInference"),
    pytest.param({**LLM, **flat_call(PART)}, "", [LOOK], id="OpenInference, in the parts"),
    pytest.param({**LLM, **flat_call(CALL), **flat_call(PART)}, "", [LOOK], id="OpenInference, twice"),
    pytest.param(
        {
            **LLM,
            f"{IN}.0.message.function_call_name": "look",
            f"{IN}.0.message.function_call_arguments_json": '{"at": "Oslo"}',
        },
        "",
        [{**LOOK, "id": None}],
        id="OpenInference, as the chat API was before",
    ),
    pytest.param(
        {
            "llm.request.type": "chat",
            "gen_ai.prompt.1.role": "assistant",
            "gen_ai.prompt.1.tool_calls.0.id": "c",
            "gen_ai.prompt.1.tool_calls.0.name": "look",
            "gen_ai.prompt.1.tool_calls.0.arguments": '{"at": "Oslo"}',
        },
        "",
        [LOOK],
        id="OpenLLMetry",
    ),
    pytest.param(
        {"langfuse.observation.type": "generation", "langfuse.observation.input": json.dumps({"messages": [TURN]})},
        "",
        [LOOK],
        id="Langfuse",
    ),
    pytest.param(
        {**CHAT, "gen_ai.input.messages": json.dumps([{**TURN, "tool_calls": [{"id": 1, "name": "look"}, 7, {}]}])},
        "",
        None,
        id="what is no call",
    ),
]


@pytest.mark.parametrize(("attributes", "scope", "told"), TOLD)
def test_which_calls_a_model_was_told_of(
    read: Reader, attributes: dict[str, Any], scope: str, told: list[dict[str, Any]] | None
) -> None:
    """Each tool call in the messages is read once, with its arguments parsed, in each convention's form."""
    reading = read(attributes, scope=scope)
    assert (reading.input_tool_calls, reading.problems) == (told, ())
