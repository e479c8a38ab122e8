"""The prompt as a correct instrumentation writes it: messages and tools, in each convention's form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

from tests.truth._answer import Asked, ToolCall

__all__ = ["flattened", "genai", "langfuse", "openinference"]

Attributes = dict[str, Any]


class _Message(NamedTuple):
    """One message: its role, its content as the API has it (a text or parts), and its tool calls.

    A tool's result has the id of the call that it answers.
    """

    role: str
    content: Any
    calls: tuple[ToolCall, ...] = ()
    answers: str | None = None

    @property
    def texts(self) -> list[str]:
        """The texts in the content."""
        if isinstance(self.content, str):
            return [self.content]
        parts = self.content if isinstance(self.content, list) else []
        return [part if isinstance(part, str) else part["text"] for part in parts if _is_text(part)]


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and isinstance(part.get("text"), str))


def _messages(asked: Asked) -> Iterator[_Message]:
    said = asked.arguments
    for name in ("system", "instructions"):
        if said.get(name):
            yield _Message("system", said[name])
    for name in ("input", "prompt"):
        if isinstance(said.get(name), str):
            yield _Message("user", said[name])
    listed = said.get("messages", said.get("input"))
    for message in listed if isinstance(listed, list) else ():
        if isinstance(message, dict):
            yield from _turn(message)
        elif isinstance(message, str):
            yield _Message("user", message)


def _turn(message: dict[str, Any]) -> Iterator[_Message]:
    """Yield a message, with the results of tools in it as messages of their own before it."""
    content = message.get("content", message.get("output"))
    parts = content if isinstance(content, list) else []
    results = [part for part in parts if isinstance(part, dict) and part.get("type") == "tool_result"]
    for result in results:
        yield _Message("tool", result.get("content"), answers=result["tool_use_id"])
    calls = tuple(_calls(message))
    if (content or calls) and len(results) < max(1, len(parts)):
        rest = [part for part in parts if part not in results]
        role = "tool" if "output" in message else message.get("role", "assistant" if calls else "user")
        answers = message.get("tool_call_id") or (message.get("call_id") if role == "tool" else None)
        yield _Message(role, rest or content, calls, answers)


def _calls(message: dict[str, Any]) -> Iterator[ToolCall]:
    """Yield the tool calls of a message: beside its content, as parts of it, or as the item that it is."""
    listed = message.get("tool_calls") or [{"function": message.get("function_call")}]
    for made in [{**(one.get("function") or {}), "id": one.get("id")} for one in listed]:
        if made.get("name"):
            yield ToolCall(id=made["id"], name=made["name"], arguments=made["arguments"])
    parts = message.get("content") if isinstance(message.get("content"), list) else []
    for part in parts or ():
        if isinstance(part, dict) and part.get("type") == "tool_use":
            yield ToolCall(id=part["id"], name=part["name"], arguments=json.dumps(part["input"]))
    if message.get("type") in ("function_call", "custom_tool_call"):
        arguments = message["arguments" if "arguments" in message else "input"]
        yield ToolCall(id=message["call_id"], name=message["name"], arguments=arguments)


def _tools(asked: Asked) -> list[Attributes]:
    """Return the tools, each as the API has it, with `type` and `name` added."""
    offered = [*(asked.arguments.get("tools") or ()), *(asked.arguments.get("functions") or ())]
    own = [(tool, tool.get(tool.get("type", "function"), tool)) for tool in offered]
    return [{**tool, "type": tool.get("type", "function"), "name": said.get("name")} for tool, said in own]


def _defined(tool: Attributes) -> Attributes:
    """Return a tool's description and the schema of its parameters, as far as the API has them."""
    own = tool.get(tool["type"], tool)
    said = {"description": own.get("description"), "parameters": own.get("parameters", own.get("input_schema"))}
    return {name: value for name, value in said.items() if value is not None}


def openinference(asked: Asked) -> Attributes:
    """Write flattened messages, with parts if a message has several texts."""
    said = [message for message in _messages(asked) if message.texts or message.calls]
    if asked.api == "embeddings":
        return {f"embedding.embeddings.{index}.embedding.text": one.texts[0] for index, one in enumerate(said)}
    if asked.api == "completions":
        return {f"llm.prompts.{index}.prompt.text": one.texts[0] for index, one in enumerate(said)}
    found: Attributes = {
        f"llm.tools.{index}.tool.json_schema": json.dumps(tool) for index, tool in enumerate(_tools(asked))
    }
    for index, message in enumerate(said):
        prefix = f"llm.input_messages.{index}.message."
        found[f"{prefix}role"] = message.role
        found |= {f"{prefix}tool_call_id": message.answers} if message.answers else {}
        for number, made in enumerate(message.calls):
            call = f"{prefix}tool_calls.{number}.tool_call."
            found |= {f"{call}id": made.id, f"{call}function.name": made.name}
            found[f"{call}function.arguments"] = made.arguments
        if len(message.texts) == 1:
            found[f"{prefix}content"] = message.texts[0]
            continue
        for number, text in enumerate(message.texts):
            found[f"{prefix}contents.{number}.message_content.type"] = "text"
            found[f"{prefix}contents.{number}.message_content.text"] = text
    return found


def genai(asked: Asked) -> Attributes:
    """Write the convention's JSON: the messages, and apart from them the instructions, if the API has them apart."""
    apart = [name for name in ("system", "instructions") if asked.arguments.get(name)]
    said = [message for message in _messages(asked) if message.texts or message.calls]
    instructions = [{"type": "text", "content": text} for one in said[: len(apart)] for text in one.texts]
    messages = [{"role": one.role, "parts": _genai_parts(one)} for one in said[len(apart) :]]
    tools = [{"type": tool["type"], "name": tool["name"] or tool["type"], **_defined(tool)} for tool in _tools(asked)]
    return {
        "gen_ai.tool.definitions": json.dumps(tools) if tools else None,
        "gen_ai.system_instructions": json.dumps(instructions) if instructions else None,
        "gen_ai.input.messages": json.dumps(messages) if messages else None,
    }


def _genai_parts(message: _Message) -> list[Attributes]:
    if message.role == "tool":
        return [{"type": "tool_call_response", "id": message.answers, "response": text} for text in message.texts]
    texts = ({"type": "text", "content": text} for text in message.texts)
    return [*texts, *({"type": "tool_call", **asdict(call)} for call in message.calls)]


def flattened(asked: Asked) -> Attributes:
    """Write OpenLLMetry's flattened prompts, each as a text or as the JSON of its parts."""
    functions = [{"name": tool["name"], **_defined(tool)} for tool in _tools(asked) if tool["name"]]
    found: Attributes = {
        f"llm.request.functions.{index}.{name}": value if isinstance(value, str) else json.dumps(value)
        for index, function in enumerate(functions)
        for name, value in function.items()
    }
    for index, message in enumerate(_messages(asked)):
        plain = isinstance(message.content, str | None)
        found[f"gen_ai.prompt.{index}.role"] = message.role
        found[f"gen_ai.prompt.{index}.content"] = message.content if plain else json.dumps(message.content)
        found |= {f"gen_ai.prompt.{index}.tool_call_id": message.answers} if message.answers else {}
        for number, made in enumerate(message.calls):
            for name in ("id", "name", "arguments"):
                found[f"gen_ai.prompt.{index}.tool_calls.{number}.{name}"] = getattr(made, name)
    return found


def langfuse(asked: Asked) -> str:
    """Write the input of an observation: the messages, which begin with the instructions."""
    messages = [
        {
            "role": one.role,
            "content": one.content,
            "tool_calls": list(map(asdict, one.calls)),
            "tool_call_id": one.answers,
        }
        for one in _messages(asked)
    ]
    tools = asked.arguments.get("tools")
    return json.dumps({"tools": tools, "messages": messages} if tools else messages)
