"""OpenAI's Responses API: its streams, and the facts in its responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_llmtrace.reading import NULL, Joined
from pytest_llmtrace.wire._document import Document
from pytest_llmtrace.wire._events import Events, kind_of
from pytest_llmtrace.wire._facts import MISSING, Facts, Misfit, Spot, count, shown, text
from pytest_llmtrace.wire._facts import number as any_number
from pytest_llmtrace.wire._json import parse_text
from pytest_llmtrace.wire._offered import definitions
from pytest_llmtrace.wire._usage import TOKENS, openai_tokens

__all__ = ["UNFINISHED", "fold", "nameless", "state"]

_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_ERRORS = frozenset({"error", "response.error"})
UNFINISHED = ("queued", "in_progress")
# Type of an event that adds to a text, without its `.delta` or `.done` -> where the text stands in its item: the
# field, the type of the part, and the key in the part.
_TEXTS = {
    "response.output_text": ("content", "output_text", "text"),
    "response.refusal": ("content", "refusal", "refusal"),
    "response.reasoning_text": ("content", "reasoning_text", "text"),
    "response.reasoning_summary_text": ("summary", "summary_text", "text"),
}
_ARGUMENTS = {
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
}
# Type of an item that is a call for the client to make -> the field of its arguments. Other calls are made by the
# server, or have no name.
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
# Types of items that are calls for the client to make, with tools that are not functions and have no name.
_NAMELESS = frozenset({"computer_call", "local_shell_call", "shell_call", "apply_patch_call"})


# --- Streams ---------------------------------------------------------------------------------------------------------


def fold(events: Events) -> Document:
    """Return the response that a stream stands for: the last event holds all of it, if that event came."""
    document, ended = events.document(), events.done
    for batch in events.batches():
        for number, name, event in batch:
            kind, snapshot = kind_of(event, name), event.get("response")
            if isinstance(snapshot, dict):
                _keep(document, snapshot, number)
                ended = ended or kind in _LAST
            elif kind in _ERRORS or (event.get("error") and "type" not in event):
                document.error = (event, number)
            elif kind in _LAST:
                events.refuse(number, "it has no response object")
    if not document.body.get("output"):
        output = _Output().put_together(events)
        if output:
            document.body["output"] = output
            document.fields.pop("output", None)
    return events.settle(document, ended=ended)


def _keep(document: Document, snapshot: dict[str, Any], number: int) -> None:
    """Copy the fields of a snapshot of the response; a later value replaces an earlier one, unless it is null."""
    for key, value in snapshot.items():
        if value is not None or key not in document.body:
            document.body[key] = value
            document.fields[key] = ("response.", number)


class _Output:
    """The output of a response, put together from its events: the last event did not come, or lacks the output."""

    def __init__(self) -> None:
        self.items: dict[int, dict[str, Any]] = {}
        self.texts: dict[tuple[int, str, int], tuple[str, str, list[Any]]] = {}
        self.arguments: dict[tuple[int, str], list[Any]] = {}
        self.whole: set[int] = set()

    def put_together(self, events: Events) -> list[dict[str, Any]]:
        for batch in events.batches():
            for number, name, event in batch:
                index = event.get("output_index", 0)
                if not isinstance(index, int):
                    events.refuse(number, f"{shown(index)} is not a valid output_index")
                elif not self.add(kind_of(event, name), index, event):
                    events.refuse(number, "it has no item object")
        for (index, field, _), (kind, key, pieces) in sorted(self.texts.items()):
            if index not in self.whole:
                self._parts(index, field).append({"type": kind, key: _joined(pieces)})
        for (index, key), pieces in self.arguments.items():
            if index not in self.whole and index in self.items:
                self.items[index][key] = _joined(pieces)
        return [self.items[index] for index in sorted(self.items)]

    def _parts(self, index: int, field: str) -> list[Any]:
        """Return the list of an item's parts; create the item if no event has announced it."""
        item = self.items.setdefault(index, {"type": "reasoning" if field == "summary" else "message"})
        if not isinstance(item.get(field), list):
            item[field] = []
        parts: list[Any] = item[field]
        return parts

    def add(self, kind: str, index: int, event: dict[str, Any]) -> bool:
        """Take in an event, and tell whether it could be read."""
        item = event.get("item")
        if kind in {"response.output_item.added", "response.output_item.done"}:
            if isinstance(item, dict):
                self.items[index] = dict(item)
                if kind.endswith("done"):
                    self.whole.add(index)
            return isinstance(item, dict)
        stem, _, last = kind.rpartition(".")
        if stem in _TEXTS:
            field, part, key = _TEXTS[stem]
            position = event.get("summary_index" if field == "summary" else "content_index", 0)
            place = (index, field, position if isinstance(position, int) else 0)
            pieces = self.texts.setdefault(place, (part, key, []))[2]
            _hear(pieces, last, event.get("delta"), event.get(key))
        elif stem in _ARGUMENTS:
            key = _ARGUMENTS[stem]
            _hear(self.arguments.setdefault((index, key), []), last, event.get("delta"), event.get(key))
        return True


def _hear(pieces: list[Any], last: str, delta: Any, whole: Any) -> None:
    if last == "delta" and delta is not None:
        pieces.append(delta)
    elif last == "done" and whole is not None:
        pieces[:] = [whole]


def _joined(pieces: list[Any]) -> Any:
    odd = [piece for piece in pieces if not isinstance(piece, str)]
    return odd[0] if odd else "".join(pieces)


# Settings that a response repeats, whether its request set them or not: fact of the request -> its field and type.
_REPEATED: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "request_model": ("model", text),
    "max_tokens": ("max_output_tokens", count),
    "temperature": ("temperature", any_number),
    "top_p": ("top_p", any_number),
    "frequency_penalty": ("frequency_penalty", any_number),
    "presence_penalty": ("presence_penalty", any_number),
    "tool_definitions": ("tools", definitions),
}

# --- Facts -----------------------------------------------------------------------------------------------------------


def state(facts: Facts, document: Document) -> None:
    """State the facts in the body of a response."""
    openai_tokens(facts, document)
    _state_finish(facts, document)
    for name, (field, kind) in _REPEATED.items():
        facts.repeat(name, kind, document.spot(field))
    spot = document.spot("output")
    key = spot.key
    facts.derive("output_texts", lambda output: _texts(output, "output_text", "text"), spot, f"{key}[].content[].text")
    facts.derive("refusals", lambda output: _texts(output, "refusal", "refusal"), spot, f"{key}[].content[].refusal")
    facts.derive("reasoning_texts", _thoughts, spot, f"{key}[].content[].text")
    if "reasoning_texts" not in facts.found:
        facts.derive("reasoning_texts", _summaries, spot, f"{key}[].summary[].text")
    facts.derive("tool_calls", _calls, spot, f"{key}[type=function_call]")
    if not document.streamed and document.spot("status").value in UNFINISHED:
        _leave_open(facts, document)


def _leave_open(facts: Facts, document: Document) -> None:
    """Mark as unreadable the facts that a background response cannot state yet: clients fetch it later."""
    status = document.spot("status")
    for name in (*TOKENS, *_ANSWERED):
        if name not in facts.found or facts.found[name].state is NULL:
            note = f"the response is {status.value}: the rest comes when it is fetched later"
            facts.unreadable(name, note, status.where, ((status.key, status.value),))


_ANSWERED = ("finish_reasons", "output_texts", "refusals", "reasoning_texts", "tool_calls")


def _state_finish(facts: Facts, document: Document) -> None:
    status, details = document.spot("status"), document.spot("incomplete_details")
    if status.value == "incomplete" and isinstance(details.value, dict) and details.value.get("reason") is not None:
        status = Spot(details.value["reason"], f"{details.key}.reason", details.where)
    elif status.value in UNFINISHED:
        status = status._replace(value=MISSING)
    facts.take("finish_reasons", lambda reason: [text(reason)], [status])


def _items(output: Any, kinds: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(output, list):
        raise Misfit(f"{shown(output)} is not a list of output items", output)
    for item in output:
        if not isinstance(item, dict):
            raise Misfit(f"{shown(item)} is not an output item object", item)
        kind = item.get("type")
        if isinstance(kind, str) and kind in kinds:
            yield item


def _parts(item: dict[str, Any], field: str, kind: str) -> Iterator[dict[str, Any]]:
    parts = item.get(field)
    if parts is None:
        return
    if not isinstance(parts, list):
        raise Misfit(f"{shown(parts)} is not a list of parts", parts)
    for part in parts:
        if not isinstance(part, dict):
            raise Misfit(f"{shown(part)} is not a part object", part)
        if part.get("type") == kind:
            yield part


def _texts(output: Any, kind: str, key: str) -> Any:
    found = [text(part.get(key)) for item in _items(output, {"message"}) for part in _parts(item, "content", kind)]
    return [Joined.of(found)] if found else MISSING


def _thoughts(output: Any) -> Any:
    return _reasoning(output, "content", "reasoning_text")


def _summaries(output: Any) -> Any:
    return _reasoning(output, "summary", "summary_text")


def _reasoning(output: Any, field: str, kind: str) -> Any:
    items = _items(output, {"reasoning"})
    found = [text(part.get("text")) for item in items for part in _parts(item, field, kind)]
    return [Joined.of(found)] if found else MISSING


def summary(document: Document) -> str:
    """Return the summaries of the reasoning."""
    try:
        found = _summaries(document.body.get("output"))
    except Misfit:
        return ""
    return "" if found is MISSING else "".join(found)


def nameless(document: Document) -> frozenset[str]:
    """Return the ids of the calls to tools that have no name."""
    found = [item.get("call_id") for item in _objects(document) if str(item.get("type")) in _NAMELESS]
    return frozenset(identity for identity in found if isinstance(identity, str))


def executed(document: Document) -> tuple[tuple[Any, Any], ...]:
    """Return the names and arguments of the calls that the server has had an MCP server make."""
    return tuple(
        (item.get("name"), item.get("arguments")) for item in _objects(document) if item.get("type") == "mcp_call"
    )


def _objects(document: Document) -> list[dict[str, Any]]:
    output = document.body.get("output")
    return [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []


def _calls(output: Any) -> Any:
    calls = []
    for item in _items(output, _CALLS):
        identity, arguments = item.get("call_id"), item.get(_CALLS[item["type"]])
        calls.append(
            {
                "id": None if identity is None else text(identity),
                "name": text(item.get("name")),
                "arguments": parse_text(arguments) if isinstance(arguments, str) else arguments,
            }
        )
    return calls or MISSING
