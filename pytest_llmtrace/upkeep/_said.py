"""Label the messages, content blocks and tools in requests and replies of the OpenAI and Anthropic APIs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["Part", "asked", "parts_of", "settings_of", "tools_of"]


class Part(NamedTuple):
    """A part of what was said: a label, which names who said it or what it is, and the text."""

    label: str
    text: str


_CONVERSATION = frozenset({"functions", "input", "instructions", "messages", "prompt", "system", "tools"})
_MEDIA = frozenset({"document", "file", "image", "image_url", "input_audio", "input_file", "input_image"})


def asked(body: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the parts of a request, in the order in which the model reads them."""
    for name in ("system", "instructions"):
        if body.get(name):
            yield Part("system", _text(body[name]))
    for name in ("messages", "input", "prompt"):
        said = body.get(name)
        if isinstance(said, list) and all(isinstance(item, Mapping) for item in said):
            for item in said:
                yield from parts_of(item)
        elif said is not None:
            yield Part("user" if name == "input" else name, _text(said))


def settings_of(body: Mapping[str, Any]) -> str:
    """Return the rest of a request in one line: `max_tokens 100, stream`."""
    words = []
    for name, value in body.items():
        if name in _CONVERSATION or name == "model" or value is None or value is False:
            continue
        words.append(name if value is True else f"{name} {_compact(value)}")
    return ", ".join(words)


def tools_of(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tools of a request: `get_weather(city, unit)`."""
    for tool in [*_list(body.get("tools")), *_list(body.get("functions"))]:
        if not isinstance(tool, Mapping):
            continue
        inner = tool["function"] if isinstance(tool.get("function"), Mapping) else tool
        schema = inner.get("parameters", inner.get("input_schema"))
        fields = schema.get("properties") if isinstance(schema, Mapping) else None
        names = ", ".join(fields) if isinstance(fields, Mapping) else ""
        yield f"{inner['name']}({names})" if inner.get("name") else str(tool.get("type"))


def parts_of(item: Any) -> list[Part]:
    """Return the parts of a message, a content block or an item of the responses API."""
    if not isinstance(item, Mapping):
        return [Part("", _text(item))]
    kind = item.get("type")
    if "role" in item:
        return _of_message(item, str(item["role"]))
    known = _of_block(item, str(kind))
    return known if known is not None else [Part(str(kind or "item"), _compact(item))]


def _of_message(item: Mapping[str, Any], role: str) -> list[Part]:
    label = f"{role} {item['tool_call_id']}" if item.get("tool_call_id") else role
    parts = [Part("reasoning", item[name]) for name in ("reasoning", "reasoning_content") if _is_text(item.get(name))][
        :1
    ]
    content = item.get("content")
    if isinstance(content, list):
        for block in content:
            for part in parts_of(block):
                parts.append(part._replace(label=part.label or label))
    elif content:
        parts.append(Part(label, _text(content)))
    if _is_text(item.get("refusal")):
        parts.append(Part("refusal", item["refusal"]))
    calls = _list(item.get("tool_calls"))
    parts += [_call(call) for call in calls if isinstance(call, Mapping)]
    return parts or [Part(label, "")]


def _of_block(item: Mapping[str, Any], kind: str) -> list[Part] | None:
    match kind:
        case "text" | "input_text" | "output_text":
            return [Part("", str(item.get("text") or ""))]
        case "thinking":
            return [Part("thinking", str(item.get("thinking") or ""))]
        case "reasoning":
            summary = [str(part.get("text") or "") for part in _list(item.get("summary")) if isinstance(part, Mapping)]
            return [Part("reasoning", "\n".join(summary))]
        case "refusal":
            return [Part("refusal", str(item.get("refusal") or ""))]
        case "tool_use" | "server_tool_use" | "function_call":
            label = f"tool call {item.get('name')} {item.get('call_id') or item.get('id') or ''}".rstrip()
            return [Part(label, _text(item.get("input", item.get("arguments", ""))))]
        case "tool_result" | "function_call_output":
            label = f"tool result {item.get('tool_use_id') or item.get('call_id') or ''}".rstrip()
            return [Part(label, _said_in(item.get("content", item.get("output"))))]
        case _ if kind in _MEDIA:
            return [Part(kind, _media(item))]
    return None


def _call(call: Mapping[str, Any]) -> Part:
    function = call["function"] if isinstance(call.get("function"), Mapping) else {}
    label = f"tool call {function.get('name')} {call.get('id') or ''}".rstrip()
    return Part(label, _text(function.get("arguments", "")))


def _said_in(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part.text for item in content for part in parts_of(item))
    return _text(content)


def _media(item: Mapping[str, Any]) -> str:
    """Describe a picture, a sound or a document: its address, or its size."""
    found = []
    for value in _leaves(item):
        if value.startswith(("http://", "https://")):
            found.append(value)
        elif len(value) > 100:  # noqa: PLR2004
            head, _, data = value.rpartition(",")
            found.append(f"{head.removeprefix('data:').partition(';')[0]} {len(data):,} characters of base64".lstrip())
        elif "/" in value:
            found.append(value)
    return ", ".join(found)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, str):
        yield value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "text" in item for item in value):
        return "\n".join(str(item["text"]) for item in value)
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
