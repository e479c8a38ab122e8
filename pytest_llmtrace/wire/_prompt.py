"""The prompt of a request: the texts of its messages, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pytest_llmtrace.model import Request
from pytest_llmtrace.wire._api import request_body
from pytest_llmtrace.wire._facts import Facts

__all__ = ["prompts", "sent_values", "state_prompt"]

_WHERE = "request body"


class _Piece(NamedTuple):
    """One text of a prompt.

    Attributes:
        said: The text in the vocabulary's form: its role, its text, and the id of the call that a
            tool's result answers.
        key: The field that holds the text.
    """

    said: dict[str, str]
    key: str


def state_prompt(facts: Facts, body: Mapping[str, Any], api: str) -> None:
    """State the texts that a request gives the model, each with its role."""
    pieces = list(_PIECES[api](body))
    if not pieces:
        facts.absent("input_messages", _WHERE)
        return
    parts = tuple([(key, said["text"]) for said, key in pieces])
    facts.put("input_messages", [said for said, _ in pieces], parts, _WHERE)


def prompts(request: Request, api: str | None) -> tuple[str, ...]:
    """Return the texts that a request sends in the role of the user."""
    pieces = _PIECES.get(api or "")
    given = pieces(request_body(request)) if pieces else ()
    return tuple(said["text"] for said, _ in given if said["role"] == "user")


def sent_values(request: Request) -> Iterator[Any]:
    """Yield the body of a request, and every text, list and object in it."""
    open_: list[Any] = [request_body(request)]
    while open_:
        value = open_.pop()
        yield value
        inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        open_ += [item for item in inner if isinstance(item, str | list | Mapping)]


# --- The APIs: each function yields the pieces of a request's body ---------------------------------------------------


def _of_chat(body: Mapping[str, Any]) -> Iterator[_Piece]:
    for key, message in _mappings(body.get("messages"), "messages"):
        yield from _content(_role(message), message.get("content"), f"{key}.content", message.get("tool_call_id"))


def _of_messages(body: Mapping[str, Any]) -> Iterator[_Piece]:
    yield from _content("system", body.get("system"), "system")
    yield from _of_chat(body)


def _of_responses(body: Mapping[str, Any]) -> Iterator[_Piece]:
    yield from _content("system", body.get("instructions"), "instructions")
    asked = body.get("input")
    if isinstance(asked, str):
        yield from _content("user", asked, "input")
    for key, item in _mappings(asked, "input"):
        kind = item.get("type", "message")
        if kind == "message":
            yield from _content(_role(item), item.get("content"), f"{key}.content")
        elif isinstance(kind, str) and kind.endswith("_call_output"):
            yield from _content("tool", item.get("output"), f"{key}.output", item.get("call_id"))


def _of_completions(body: Mapping[str, Any]) -> Iterator[_Piece]:
    return _content("user", body.get("prompt"), "prompt")


def _of_embeddings(body: Mapping[str, Any]) -> Iterator[_Piece]:
    return _content("user", body.get("input"), "input")


_PIECES: Mapping[str, Callable[[Mapping[str, Any]], Iterator[_Piece]]] = {
    "chat": _of_chat,
    "completions": _of_completions,
    "embeddings": _of_embeddings,
    "messages": _of_messages,
    "responses": _of_responses,
}


def _content(role: str, content: Any, key: str, answers: Any = None) -> Iterator[_Piece]:
    """Yield the texts of a content: a text, or a list of parts, in which the result of a tool has a content of its own.

    Documents, images and the model's earlier reasoning are not texts of a message.
    """
    if isinstance(content, str):
        if content:
            yield _piece(role, content, key, answers)
        return
    for number, part in enumerate(content if isinstance(content, list) else ()):
        place = f"{key}[{number}]"
        if isinstance(part, str):
            yield from _content(role, part, place, answers)
        elif isinstance(part, Mapping) and part.get("type") == "tool_result":
            yield from _content("tool", part.get("content"), f"{place}.content", part.get("tool_use_id"))
        elif isinstance(part, Mapping) and isinstance(part.get("text"), str) and part["text"]:
            yield _piece(role, part["text"], f"{place}.text", answers)


def _piece(role: str, text: str, key: str, answers: Any) -> _Piece:
    said = {"role": role, "text": text}
    if isinstance(answers, str) and answers:
        said["answers"] = answers
    return _Piece(said, key)


def _mappings(value: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, Mapping):
            yield f"{key}[{number}]", item


def _role(message: Mapping[str, Any]) -> str:
    role = message.get("role")
    return role if isinstance(role, str) else "user"
