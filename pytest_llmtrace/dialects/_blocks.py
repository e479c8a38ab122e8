"""The parts of a message in the form of Amazon Bedrock's Converse API: objects with one field, named after its type.

Strands writes them into events and results of tools, whichever model it calls.
Source: Amazon Bedrock API reference, ContentBlock and ToolResultContentBlock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmtrace._stdlib import json

__all__ = ["are_blocks", "as_parts"]

_KINDS = frozenset(
    {"audio", "cachePoint", "citationsContent", "document", "guardContent", "image", "json", "reasoningContent"}
    | {"searchResult", "text", "toolResult", "toolUse", "video"}
)


def are_blocks(value: Any) -> bool:
    """Tell whether a value is a list of such parts."""
    return isinstance(value, list) and bool(value) and all(map(_is_block, value))


def _is_block(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and not _KINDS.isdisjoint(value)


def as_parts(blocks: Any) -> list[dict[str, Any]]:
    """Return such parts in the form of OTel GenAI's: only texts, reasoning, tool calls and the results of tools."""
    return list(_parts(blocks)) if are_blocks(blocks) else []


def _parts(blocks: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        [(kind, value)] = block.items()
        if kind == "text":
            yield {"type": "text", "content": value}
        elif kind == "json":
            yield {"type": "text", "content": json.dumps(value, ensure_ascii=False)}
        elif not isinstance(value, Mapping):
            continue
        elif kind == "toolUse":
            yield {
                "type": "tool_call",
                "id": value.get("toolUseId"),
                "name": value.get("name"),
                "arguments": value.get("input"),
            }
        elif kind == "toolResult":
            response = as_parts(value.get("content"))
            yield {"type": "tool_call_response", "id": value.get("toolUseId"), "response": response}
        elif kind == "reasoningContent" and isinstance(value.get("reasoningText"), Mapping):
            yield {"type": "reasoning", "content": value["reasoningText"].get("text")}
