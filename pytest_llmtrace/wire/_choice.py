"""A choice of a chat completion, put together from the deltas of a stream."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pytest_llmtrace.wire._facts import MISSING
from pytest_llmtrace.wire._json import parse_text

__all__ = ["Choice", "joined"]

# Texts of a delta that are sent in fragments.
_TEXTS = frozenset({"content", "refusal", "reasoning_content", "reasoning"})
_OTHERS = frozenset({"audio", "executed_tools", "function_call", "reasoning_details", "tool_calls"})


def joined(pieces: list[Any]) -> Any:
    """Join fragments: texts into a text, lists of parts into a list; otherwise return the first that is not a text."""
    found = [piece for piece in pieces if piece is not None]
    if not found:
        return None if pieces else MISSING
    try:
        return "".join(found)
    except TypeError:
        pass
    if all(isinstance(piece, str | list) for piece in found):
        return [part for piece in found for part in _parts(piece)]
    return next(piece for piece in found if not isinstance(piece, str))


def _parts(piece: str | list[Any]) -> list[Any]:
    return piece if isinstance(piece, list) else [{"type": "text", "text": piece}]


class _Call:
    """A tool call while its fragments come in."""

    __slots__ = ("arguments", "braces", "id", "kind", "name")

    def __init__(self) -> None:
        self.id: Any = None
        self.name: Any = MISSING
        self.kind = "function"
        self.arguments: list[Any] = []
        self.braces = 0  # How many are open: the arguments are joined and parsed only when none is.

    def add(self, fragment: dict[str, Any]) -> None:
        if fragment.get("id"):
            self.id = fragment["id"]
        for kind, field in (("function", "arguments"), ("custom", "input")):
            said = fragment.get(kind)
            if isinstance(said, dict):
                self.kind = kind
                self.say(said, field)

    def is_another(self, fragment: dict[str, Any]) -> bool:
        """Tell whether a fragment with a name begins another call: some servers give all parallel calls the index 0.

        If both have an id, the ids decide. Otherwise it does if the arguments of this call are complete, and the
        fragment has another name or has arguments.
        """
        if fragment.get("id") and self.id:
            return bool(fragment["id"] != self.id)
        said = fragment.get("function") or fragment["custom"]
        more = said.get("arguments", said.get("input"))
        has_more = bool(more.strip() if isinstance(more, str) else more)
        return (said["name"] != self.name or has_more) and self.is_whole()

    def is_whole(self) -> bool:
        """Tell whether the arguments so far are a JSON object."""
        said = joined(self.arguments) if self.arguments and self.braces == 0 else None
        return isinstance(said, str) and isinstance(parse_text(said), dict)

    def say(self, said: dict[str, Any], field: str) -> None:
        name = said.get("name")
        if name is not None and name != self.name:
            both = isinstance(self.name, str) and isinstance(name, str)
            self.name = self.name + name if both else name
        if field in said:
            piece = said[field]
            self.arguments.append(piece)
            self.braces += piece.count("{") - piece.count("}") if isinstance(piece, str) else 0

    def spoken(self, field: str) -> dict[str, Any]:
        values = {"name": self.name, field: joined(self.arguments)}
        return {key: value for key, value in values.items() if value is not MISSING}

    def whole(self) -> dict[str, Any]:
        field = "input" if self.kind == "custom" else "arguments"
        return {"id": self.id, "type": self.kind, self.kind: self.spoken(field)}


class Choice:
    """A choice while its deltas come in."""

    __slots__ = ("calls", "details", "error", "executed", "finish", "function", "keyed", "strange", "texts", "usage")

    def __init__(self) -> None:
        self.texts: dict[str, list[Any]] = defaultdict(list)
        self.calls: list[_Call] = []
        self.keyed: dict[Any, _Call] = {}
        self.function: _Call | None = None
        self.details: list[Any] = []
        self.executed: list[Any] = []
        self.finish: Any = MISSING
        self.error: Any = None
        self.strange: dict[str, Any] = {}
        self.usage: tuple[Any, int] | None = None

    def add(self, choice: dict[str, Any], number: int) -> None:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self.hear(delta)
        elif delta is not None:
            self.strange["message"] = delta
        elif isinstance(choice.get("message"), dict):  # A server that streams whole messages.
            self.hear(choice["message"])
        if "text" in choice:
            self.texts["text"].append(choice["text"])
        finish = choice.get("finish_reason", self.finish)
        # The last finish reason counts, but an empty one does not replace another. The reason `error` after another one
        # is not about this choice: gateways give the error the index 0, in a chunk at which the SDK raises.
        if self.finish is MISSING or self.finish is None or (finish and (finish != "error" or not self.finish)):
            self.finish = finish
            if finish and choice.get("usage"):
                self.usage = choice["usage"], number
        if "error" in choice:
            self.error = choice["error"] or self.error

    def hear(self, delta: dict[str, Any]) -> None:
        for key, value in delta.items():
            if key in _TEXTS:
                self.texts[key].append(value)
            elif value is not None and key in _OTHERS:
                self.hear_other(key, value)

    def hear_other(self, key: str, value: Any) -> None:
        if key == "tool_calls":
            self.call(value)
        elif key == "audio":
            if isinstance(value, dict) and "transcript" in value:
                self.texts["transcript"].append(value["transcript"])
        elif key == "reasoning_details" and isinstance(value, list):
            self.details.extend(value)
        elif key == "executed_tools" and isinstance(value, list):
            self.executed.extend(value)
        elif key == "function_call" and isinstance(value, dict):
            self.function = self.function or _Call()
            self.function.say(value, "arguments")
        else:
            self.strange[key] = value

    def call(self, fragments: Any) -> None:
        if not isinstance(fragments, list):
            self.strange["tool_calls"] = fragments
            return
        for fragment in fragments:
            if isinstance(fragment, dict):
                self.meant(fragment).add(fragment)
            else:
                self.strange["tool_calls"] = fragments

    def meant(self, fragment: dict[str, Any]) -> _Call:
        """Return the call that a fragment continues: by index, else by id, else the latest; if none, open a new one."""
        index, identity = fragment.get("index"), fragment.get("id")
        key = ("index", index) if isinstance(index, int) else ("id", identity) if isinstance(identity, str) else None
        call = self.keyed.get(key) if key else (self.calls[-1] if self.calls else None)
        if call is None or (_names(fragment) and call.is_another(fragment)):
            call = _Call()
            self.calls.append(call)
        if key:
            self.keyed[key] = call
        return call

    def whole(self, index: Any) -> dict[str, Any]:
        message: dict[str, Any] = {
            key: value for key, pieces in self.texts.items() if (value := joined(pieces)) is not MISSING
        }
        body: dict[str, Any] = {"index": index}
        if "text" in message:
            body["text"] = message.pop("text")
        if "transcript" in message:
            message["audio"] = {"transcript": message.pop("transcript")}
        if self.calls:
            message["tool_calls"] = [call.whole() for call in self.calls]
        if self.function:
            message["function_call"] = self.function.spoken("arguments")
        if self.details:
            message["reasoning_details"] = self.details
        if self.executed:
            message["executed_tools"] = self.executed
        message.update({key: value for key, value in self.strange.items() if key != "message"})
        body["message"] = self.strange.get("message", message)
        if self.finish is not MISSING:
            body["finish_reason"] = self.finish
        if self.error:
            body["error"] = self.error
        return body


def _names(fragment: dict[str, Any]) -> bool:
    said = fragment.get("function") or fragment.get("custom")
    return isinstance(said, dict) and bool(said.get("name"))
