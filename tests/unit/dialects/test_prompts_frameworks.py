"""Prompts on the spans of frameworks and platforms, in their own forms, as measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Reading

Reader = Callable[..., Reading]

GENAI = {"gen_ai.operation.name": "chat"}
LANGFUSE = {"langfuse.observation.type": "generation"}
MLFLOW = {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.message.format": '"langchain"'}
OPENINFERENCE = {"openinference.span.kind": "LLM"}
BRIEF = {"role": "system", "text": "Be brief."}
HI = {"role": "user", "text": "hi"}
BARE = {"role": None, "text": "hi"}


def prompt(reading: Reading) -> Any:
    """Return the prompt that the span shows."""
    return reading.fact("input_messages").value


@pytest.mark.parametrize(
    ("text", "said"),
    [("hi", [BARE]), ('[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]', [BRIEF, HI])],
    ids=["a text", "messages"],
)
def test_a_prompt_in_one_attribute(read: Reader, text: str, said: list[Any]) -> None:
    """`gen_ai.prompt` once held the full prompt, as a text or as JSON."""
    assert prompt(read({**GENAI, "gen_ai.prompt": text})) == said


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"result": {"deg": 22, "sky": "grau und trüb"}}, '{"deg": 22, "sky": "grau und trüb"}'),
        ({"result": [{"type": "missing", "loc": ["city"]}]}, '[{"type": "missing", "loc": ["city"]}]'),
        ({"result": 22}, "22"),
        ({"response": {"deg": 22}}, '{"deg": 22}'),
        ({"response": [{"type": "text", "text": "22 degrees"}]}, "22 degrees"),
        ({"response": "22 degrees"}, "22 degrees"),
    ],
    ids=["an object", "a list that looks like parts", "a number", "an object as a response", "parts", "a text"],
)
def test_the_result_of_a_tool_may_be_any_json(read: Reader, part: dict[str, Any], text: str) -> None:
    """Pydantic AI writes what a tool returned as `result`; the conventions write a response, which may be parts."""
    messages = [{"role": "user", "parts": [{"type": "tool_call_response", "id": "call", **part}]}]
    said = {"role": "tool", "text": text, "answers": "call"}
    assert prompt(read({**GENAI, "gen_ai.input.messages": json.dumps(messages)})) == [said]


def test_pydantic_ai_shows_what_it_embeds(read: Reader) -> None:
    """Pydantic AI writes the texts that it embeds in an attribute of their own, without roles."""
    attributes = {"gen_ai.operation.name": "embeddings", "inputs": '["hi"]'}
    assert prompt(read(attributes, scope="pydantic-ai")) == [BARE]


def test_parts_of_dspy(read: Reader) -> None:
    """OpenInference's instrumentation of DSPy flattens a content with parts under names of its own."""
    content = "llm.input_messages.0.message.content."
    attributes = {
        "llm.input_messages.0.message.role": "user",
        f"{content}0.type": "text",
        f"{content}0.text": "hi",
        f"{content}1.type": "image_url",
        f"{content}1.image_url.url": "https://example.com/a.png",
    }
    assert prompt(read({**OPENINFERENCE, **attributes})) == [HI]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompt": "hi"}, [BARE]),
        ({"instructions": "Be brief.", "input": "hi"}, [BRIEF, BARE]),
        ([{"role": "user", "content": "hi"}], [HI]),
        ({"question": "hi"}, None),
    ],
    ids=["a prompt", "with instructions", "messages", "anything"],
)
def test_a_text_in_langfuse_is_no_message(read: Reader, asked: Any, said: Any) -> None:
    """Users write what they like on a generation: a prompt that is a text may be only a part of a message."""
    assert prompt(read({**LANGFUSE, "langfuse.observation.input": json.dumps(asked)})) == said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]}, [BRIEF, HI]),
        (
            [
                [
                    {"type": "system", "content": "Be brief."},
                    {"type": "human", "content": [{"type": "text", "text": "hi"}]},
                ]
            ],
            [BRIEF, {"role": "human", "text": "hi"}],
        ),
        (["hi"], [BARE]),
    ],
    ids=["messages", "messages in LangChain's form", "a prompt"],
)
def test_langchain_in_mlflow(read: Reader, asked: Any, said: Any) -> None:
    """MLflow's handler writes the messages, or LangChain's own ones if it cannot convert one of them."""
    assert prompt(read({**MLFLOW, "mlflow.spanInputs": json.dumps(asked)})) == said


def test_a_function_in_mlflow_may_have_any_arguments(read: Reader) -> None:
    """Arguments of a traced function need not be what is sent to a model."""
    attributes = {"mlflow.spanType": '"LLM"', "mlflow.spanInputs": '{"messages": [{"role": "user", "content": "hi"}]}'}
    assert prompt(read(attributes)) is None


@pytest.mark.parametrize(
    "told",
    [
        {"input": '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]'},
        {
            "events": '[{"event.name": "gen_ai.system.message", "content": "Be brief.", "role": "system"},'
            ' {"event.name": "gen_ai.user.message", "content": "hi", "role": "user"},'
            ' {"event.name": "gen_ai.assistant.message", "content": "Hello.", "role": "assistant"}]'
        },
    ],
    ids=["chat", "responses"],
)
def test_openai_agents_in_logfire(read: Reader, told: dict[str, str]) -> None:
    """The events of openai-agents are those of the prompt, and then those of the answer."""
    assert prompt(read({**GENAI, **told}, scope="logfire.openai_agents")) == [BRIEF, HI]
