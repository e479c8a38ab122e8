"""Anthropic's Messages API, beta included: its streams, and the facts in its messages."""

from __future__ import annotations

from typing import Any

from pytest_llmtrace.reading import Joined
from pytest_llmtrace.wire._document import Document
from pytest_llmtrace.wire._events import Events, kind_of
from pytest_llmtrace.wire._facts import MISSING, Facts, Misfit, shown, text
from pytest_llmtrace.wire._json import parse_text
from pytest_llmtrace.wire._usage import anthropic_tokens

__all__ = ["end_of", "fold", "state", "summaries"]

# Type of a delta -> its field, and the field of the block that it continues.
_DELTAS = {
    "compaction_delta": ("content", "content"),
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "input"),
}


# --- Streams ---------------------------------------------------------------------------------------------------------


class _Fold:
    """A message while the events of its stream come in."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self.document = events.document()
        self.by_index: dict[Any, tuple[dict[str, Any], dict[str, list[Any]]]] = {}
        self.pieces: list[tuple[dict[str, Any], dict[str, list[Any]]]] = []
        self.stopped = False

    def add(self, number: int, kind: str, event: dict[str, Any]) -> None:
        if self.document.error is not None:  # The SDK raises at an error, and reads no further.
            return
        if kind == "content_block_delta":
            self.delta(event, number)
        elif kind == "content_block_start":
            self.start(event, number)
        elif kind == "message_start":
            self.message(event.get("message"), number)
        elif kind == "message_delta":
            self.message_delta(event, number)
        elif kind == "message_stop":
            self.stopped = True
        elif kind == "error" or event.get("error"):
            self.document.error = (event, number)

    def message(self, message: Any, number: int) -> None:
        if not isinstance(message, dict):
            self.events.refuse(number, "it has no message object")
            return
        body, fields = self.document.body, self.document.fields
        for key, value in message.items():
            if key == "usage":
                self.usage(value, "message.", number)
            elif key != "content":
                body[key] = value
                fields[key] = ("message.", number)

    def message_delta(self, event: dict[str, Any], number: int) -> None:
        delta = event.get("delta")
        if isinstance(delta, dict):
            for key, value in delta.items():
                if value is not None or key not in self.document.body:
                    self.document.body[key] = value
                    self.document.fields[key] = ("delta.", number)
        elif delta is not None:
            self.events.refuse(number, f"{shown(delta)} is not a delta object")
        if "usage" in event:
            self.usage(event["usage"], "", number)

    def usage(self, said: Any, prefix: str, number: int) -> None:
        """Keep the last value of each field: output counts are cumulative, and a server tool restates the input."""
        body, fields = self.document.body, self.document.fields
        if isinstance(said, dict) and isinstance(body.get("usage"), dict):
            known = body["usage"]
        else:
            if said is not None or "usage" not in body:
                body["usage"] = {} if isinstance(said, dict) else said
                fields["usage"] = (prefix, number)
            known = body["usage"]
        if isinstance(said, dict):
            for key, value in said.items():
                if value is not None or key not in known:
                    known[key] = value
                    fields[f"usage.{key}"] = (prefix, number)

    def start(self, event: dict[str, Any], number: int) -> None:
        block = event.get("content_block")
        if not isinstance(block, dict):
            self.events.refuse(number, "it has no content_block object")
            return
        if block.get("type") == "fallback":
            self.fall_back(block.get("to"), number)
        opened: tuple[dict[str, Any], dict[str, list[Any]]] = (dict(block), {})
        self.by_index[_key(event.get("index"))] = opened
        self.pieces.append(opened)

    def fall_back(self, to: Any, number: int) -> None:
        """Keep the model that continues an answer: in the SDK, and without a stream, it is the model of the answer."""
        if isinstance(to, dict) and isinstance(to.get("model"), str):
            self.document.body["model"] = to["model"]
            self.document.fields["model"] = ("content_block.to.", number)

    def delta(self, event: dict[str, Any], number: int) -> None:
        delta = event.get("delta")
        if not isinstance(delta, dict):
            self.events.refuse(number, f"{shown(delta)} is not a delta object")
            return
        known = _DELTAS.get(str(delta.get("type")))
        if known is None:
            return
        found = self.by_index.get(_key(event.get("index")))
        if found is None:
            self.events.refuse(number, "it continues a content block that was never started")
            return
        piece = delta.get(known[0])
        if piece is not None:
            found[1].setdefault(known[1], []).append(piece)

    def whole(self) -> None:
        for block, pieces in self.pieces:
            for key, found in pieces.items():
                try:
                    said = "".join(found)
                except TypeError:
                    block[key] = next(piece for piece in found if not isinstance(piece, str))
                    continue
                if key != "input":
                    before = block.get(key)
                    block[key] = before + said if isinstance(before, str) else said
                elif said:
                    block[key] = parse_text(said)
        if self.pieces or "model" in self.document.body:
            self.document.body["content"] = [block for block, _ in self.pieces]


def _key(index: Any) -> Any:
    return index if isinstance(index, int | str) else None


def fold(events: Events) -> Document:
    """Return the message that a stream stands for."""
    folded = _Fold(events)
    for batch in events.batches():
        for number, name, event in batch:
            folded.add(number, kind_of(event, name), event)
    folded.whole()
    # A message with a stop reason is complete: SDKs hand it out with or without `message_stop`.
    reasoned = isinstance(folded.document.body.get("stop_reason"), str)
    return events.settle(folded.document, ended=folded.stopped or reasoned)


# --- Facts -----------------------------------------------------------------------------------------------------------


def state(facts: Facts, document: Document) -> None:
    """State the facts in the body of a message."""
    anthropic_tokens(facts, document)
    facts.take("finish_reasons", _reason, [document.spot("stop_reason")])
    spot = document.spot("content")
    kinds = _kinds(spot.value)
    for name, kind, read, key in _SAID:
        if kinds is None or kind in kinds:
            facts.derive(name, read, spot, key)
        else:
            facts.absent(name, spot.where)
    facts.absent("refusals", spot.where)


def summaries(document: Document) -> tuple[str, ...]:
    """Return the summaries into which the server has compacted the conversation, as blocks of their own say them."""
    blocks = document.body.get("content")
    compacted = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    said = (block.get("content") for block in compacted if block.get("type") == "compaction")
    return tuple(text for text in said if isinstance(text, str))


def with_encrypted(document: Document) -> str:
    """Return the texts of the thinking and the data of the redacted thinking, in order."""
    blocks = document.body.get("content")
    thoughts = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    said = (block.get(_THOUGHTS[kind]) for block in thoughts if (kind := str(block.get("type"))) in _THOUGHTS)
    return "".join(text for text in said if isinstance(text, str))


_THOUGHTS = {"thinking": "thinking", "redacted_thinking": "data"}


def end_of(blocks: Any) -> tuple[str, str] | None:
    """Return by what the last block of some content can be recognised that has an id or a text; `None` if none has.

    A client that sends content back may leave out reasoning, and white space at the end.
    """
    for block in reversed(blocks) if isinstance(blocks, list) else ():
        if not isinstance(block, dict):
            continue
        for key in ("id", "tool_use_id", "text"):
            said = block.get(key)
            if isinstance(said, str) and said.strip():
                return (key, said.strip())
    return None


def _kinds(blocks: Any) -> list[Any] | None:
    """Return the types of content blocks, or `None` if the value is not a list of blocks."""
    if not isinstance(blocks, list) or not {dict}.issuperset(map(type, blocks)):
        return None
    return [block.get("type") for block in blocks]


def _reason(reason: Any) -> list[str]:
    return [text(reason)]


def _answer(blocks: Any) -> Any:
    return _texts(blocks, "text")


def _thought(blocks: Any) -> Any:
    return _texts(blocks, "thinking")


def _blocks(blocks: Any, kind: str) -> list[dict[str, Any]]:
    if not isinstance(blocks, list):
        raise Misfit(f"{shown(blocks)} is not a list of content blocks", blocks)
    for block in blocks:
        if not isinstance(block, dict):
            raise Misfit(f"{shown(block)} is not a content block object", block)
    return [block for block in blocks if block.get("type") == kind]


def _texts(blocks: Any, kind: str) -> Any:
    found = [text(block.get(kind)) for block in _blocks(blocks, kind)]
    return [Joined.of(found)] if found else MISSING


def _calls(blocks: Any) -> Any:
    calls = [
        {
            "id": None if block.get("id") is None else text(block["id"]),
            "name": text(block.get("name")),
            "arguments": block.get("input"),
        }
        for block in _blocks(blocks, "tool_use")
    ]
    return calls or MISSING


def executed(document: Document) -> tuple[tuple[Any, Any], ...]:
    """Return the names and arguments of the calls that the server has made itself, or had an MCP server make."""
    blocks = document.body.get("content")
    found = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    return tuple((block.get("name"), block.get("input")) for block in found if block.get("type") in _EXECUTED)


_EXECUTED = ("server_tool_use", "mcp_tool_use")


# Fact -> the type of the blocks that state it, the function that reads them, and the name of their field in reports.
_SAID = (
    ("output_texts", "text", _answer, "content[].text"),
    ("reasoning_texts", "thinking", _thought, "content[].thinking"),
    ("tool_calls", "tool_use", _calls, "content[type=tool_use]"),
)
