"""The parts of a reply, whole or put together from the events of a stream.

The form of a reply is recognised from the reply itself, not from its request: recordings of gateways mix the forms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_llmtrace import wire
from pytest_llmtrace.upkeep._said import Part, parts_of

__all__ = ["Part", "Reply", "reply_of", "reply_of_stream"]


@dataclass(kw_only=True, slots=True)
class Reply:
    """What a model said, and what the response says about that."""

    parts: list[Part] = field(default_factory=list)
    model: str | None = None
    finish: list[str] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    error: Any = None
    events: int | None = None
    is_known: bool = True


class _Piece(NamedTuple):
    """A piece of a stream's text, with the key and the label of the part that it belongs to."""

    key: tuple[Any, ...]
    label: str
    text: str


def reply_of_stream(text: str) -> Reply:
    """Return the reply that is put together from the events of a stream."""
    reply, pieces = Reply(events=0), dict[tuple[Any, ...], list[str]]()
    labels: dict[tuple[Any, ...], str] = {}
    for event in wire.events(text.encode("utf-8", "surrogatepass")):
        reply.events = (reply.events or 0) + 1
        document = _object(event.data)
        for piece in _pieces(document, reply):
            pieces.setdefault(piece.key, []).append(piece.text)
            labels[piece.key] = labels.get(piece.key) or piece.label
    whole = reply.parts
    reply.parts = whole or [
        Part(labels[key], "".join(texts)) for key, texts in pieces.items() if any(texts) or labels[key]
    ]
    return reply


def _object(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def reply_of(document: Any) -> Reply:
    """Return the reply in one JSON object."""
    reply = Reply()
    if not isinstance(document, Mapping):
        reply.is_known = False
        return reply
    _common(document, reply)
    if isinstance(document.get("choices"), list):
        _choices(document["choices"], reply)
    elif isinstance(document.get("output"), list):
        reply.parts += [part for item in document["output"] for part in parts_of(item)]
        _finish(reply, document.get("status"))
    elif document.get("type") == "message" or isinstance(document.get("content"), list):
        reply.parts += parts_of(document)
        _finish(reply, document.get("stop_reason"))
    elif _is_embeddings(document.get("data")):
        reply.parts.append(_embeddings(document["data"]))
    else:
        reply.is_known = reply.error is not None
    return reply


def _is_embeddings(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], Mapping) and "embedding" in data[0]


def _embeddings(data: list[Any]) -> Part:
    first = data[0]["embedding"]
    size = f"{len(first)} numbers each" if isinstance(first, list) else f"{len(first)} characters of base64 each"
    return Part("embeddings", f"{len(data)}, {size}")


def _choices(choices: list[Any], reply: Reply) -> None:
    for choice in choices:
        if not isinstance(choice, Mapping):
            continue
        message = choice.get("message")
        reply.parts += (
            parts_of(message) if isinstance(message, Mapping) else [Part("text", str(choice.get("text") or ""))]
        )
        _finish(reply, choice.get("finish_reason"))


def _common(document: Mapping[str, Any], reply: Reply) -> None:
    """Copy into the reply what any of its documents may say: model, usage, error."""
    for holder in (document, document.get("message"), document.get("response"), document.get("x_groq")):
        if not isinstance(holder, Mapping):
            continue
        if isinstance(holder.get("model"), str) and holder["model"]:
            reply.model = reply.model or holder["model"]
        if isinstance(holder.get("usage"), Mapping):
            reply.usage |= {name: value for name, value in holder["usage"].items() if value is not None}
        if holder.get("error"):
            reply.error = holder["error"]


def _finish(reply: Reply, value: Any) -> None:
    if isinstance(value, str) and value:
        reply.finish.append(value)


# --- events ----------------------------------------------------------------------------------------------------------


def _pieces(document: dict[str, Any], reply: Reply) -> Iterator[_Piece]:
    _common(document, reply)
    kind = document.get("type")
    if isinstance(document.get("choices"), list):
        for choice in document["choices"]:
            if isinstance(choice, Mapping):
                yield from _of_choice(choice, reply)
    elif isinstance(kind, str) and kind.startswith("response."):
        yield from _of_response(kind, document, reply)
    elif isinstance(kind, str):
        yield from _of_messages(kind, document, reply)


def _of_choice(choice: Mapping[str, Any], reply: Reply) -> Iterator[_Piece]:
    number = choice.get("index", 0)
    if choice.get("finish_reason") not in reply.finish:
        _finish(reply, choice.get("finish_reason"))
    delta = choice.get("delta")
    delta = delta if isinstance(delta, Mapping) else choice
    for name, label in (
        ("reasoning", "reasoning"),
        ("reasoning_content", "reasoning"),
        ("content", "assistant"),
        ("text", "text"),
        ("refusal", "refusal"),
    ):
        if isinstance(delta.get(name), str) and delta[name]:
            yield _Piece((number, name), label, delta[name])
    for position, call in enumerate(_mappings(delta.get("tool_calls"))):
        function = call.get("function")
        function = function if isinstance(function, Mapping) else {}
        label = f"tool call {function['name']}" if function.get("name") else ""
        yield _Piece((number, "call", call.get("index", position)), label, str(function.get("arguments") or ""))


def _of_response(kind: str, document: Mapping[str, Any], reply: Reply) -> Iterator[_Piece]:
    response = document.get("response")
    if kind in {"response.completed", "response.incomplete", "response.failed"} and isinstance(response, Mapping):
        reply.parts = reply_of(response).parts
        _finish(reply, response.get("status"))
    delta = document.get("delta")
    labels = {
        "response.output_text.delta": "assistant",
        "response.refusal.delta": "refusal",
        "response.reasoning_summary_text.delta": "reasoning",
        "response.reasoning_text.delta": "reasoning",
        "response.function_call_arguments.delta": "tool call",
    }
    if kind in labels and isinstance(delta, str):
        key = (document.get("output_index"), document.get("content_index"), kind)
        yield _Piece(key, labels[kind], delta)


def _of_messages(kind: str, document: Mapping[str, Any], reply: Reply) -> Iterator[_Piece]:
    block, delta, number = document.get("content_block"), document.get("delta"), document.get("index")
    if kind == "content_block_start" and isinstance(block, Mapping):
        for part in parts_of(block):
            begun = "" if str(block.get("type")).endswith("tool_use") and part.text == "{}" else part.text
            yield _Piece((number,), part.label or "assistant", begun)
    elif kind == "content_block_delta" and isinstance(delta, Mapping):
        for name in ("text", "partial_json", "thinking"):
            if isinstance(delta.get(name), str):
                yield _Piece((number,), "", delta[name])
    elif kind == "message_delta" and isinstance(delta, Mapping):
        _finish(reply, delta.get("stop_reason"))


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else iter(())
