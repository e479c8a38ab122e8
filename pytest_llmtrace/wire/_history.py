"""The tool calls and tool results of the conversation before a request, as the request repeats them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from pytest_llmtrace.headers import header
from pytest_llmtrace.model import Request
from pytest_llmtrace.wire._api import request_body
from pytest_llmtrace.wire._facts import Facts
from pytest_llmtrace.wire._json import parse_text

__all__ = ["History", "PastCall", "PastResult", "history", "is_continued", "state_past_calls", "unlisted_calls"]

_WHERE = "request body"


class PastCall(NamedTuple):
    """A tool call that a request repeats; its arguments are as in the request, a JSON value or a text.

    `turn` is the number of results that stand before the call: calls of one turn were asked for together. `where` is
    the place of the call.
    """

    id: str
    name: str
    arguments: Any
    turn: int = 0
    where: str = ""


class PastResult(NamedTuple):
    """A tool result that a request sends: the id of its call, its place, whether the call stands before it, its text.

    The text may be a list of parts; it is None if there is none.
    """

    id: str
    where: str
    called: bool
    said: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """The tools that were used before a request, as the request shows it.

    Attributes:
        calls: The tool calls, in order.
        results: The tool results, in order.
        whole: False if the server keeps a part of the conversation.
    """

    calls: tuple[PastCall, ...] = ()
    results: tuple[PastResult, ...] = ()
    whole: bool = True


_NO_HISTORY = History()


class _Step(NamedTuple):
    """One call or result in a conversation, by its id; a call has a name if the client is to make it.

    `where` is the field of a result's id, or the whole call. `said` is what a result says.
    """

    id: Any
    where: str
    is_result: bool = False
    name: Any = None
    arguments: Any = None
    said: Any = None


def history(request: Request, api: str | None) -> History:
    """Return the tool calls and results of the conversation before a request.

    Args:
        request: The request.
        api: The API that the request calls; APIs without messages have no history.
    """
    steps = _STEPS.get(api or "")
    if steps is None or (b"tool" not in request.body and b"_call" not in request.body and not _is_packed(request)):
        return _NO_HISTORY
    body = request_body(request)
    calls: list[PastCall] = []
    results: list[PastResult] = []
    known: set[str] = set()
    for step in steps(body):
        if not isinstance(step.id, str) or not step.id:
            continue
        if step.is_result:
            results.append(PastResult(step.id, step.where, step.id in known, step.said))
            continue
        known.add(step.id)
        if isinstance(step.name, str):
            calls.append(PastCall(step.id, step.name, step.arguments, len(results), step.where))
    return History(calls=tuple(calls), results=tuple(results), whole=not _is_kept_elsewhere(body))


def state_past_calls(facts: Facts, body: Mapping[str, Any], api: str) -> None:
    """State the tool calls in the messages of a request, but only those that were for the client to make."""
    steps = _STEPS.get(api)
    if steps is None:
        return
    calls = [step for step in steps(body) if not step.is_result and isinstance(step.name, str)]
    if not calls:
        facts.absent("input_tool_calls", _WHERE)
        return
    parts = tuple([(step.where, step.name) for step in calls])
    facts.put("input_tool_calls", list(map(_asked_for, calls)), parts, _WHERE)


def _asked_for(step: _Step) -> Mapping[str, Any]:
    said = step.arguments
    return {
        "id": step.id if isinstance(step.id, str) else None,
        "name": step.name,
        "arguments": parse_text(said) if isinstance(said, str) else said,
    }


def is_continued(request: Request) -> bool:
    """Tell whether a part of the conversation before a request is kept by the server."""
    return _is_kept_elsewhere(request_body(request))


def unlisted_calls(request: Request) -> frozenset[str]:
    """Return the ids of the earlier calls in a request that are not among its tool calls.

    The server has made them, such as a search, or their tools have no name: a computer, a shell, a patch.
    """
    body = request_body(request)
    blocks = (block for message in _dicts(body.get("messages")) for block in _dicts(message.get("content")))
    made = (item for item in chain(blocks, _dicts(body.get("input"))) if _is_unlisted(item.get("type")))
    ids = (identity for item in made for identity in (item.get("id"), item.get("call_id")))
    return frozenset(identity for identity in ids if isinstance(identity, str))


def _is_unlisted(kind: Any) -> bool:
    return isinstance(kind, str) and kind.endswith(("_call", "tool_use")) and kind not in _CLIENTS


def _of_chat(body: Mapping[str, Any]) -> Iterator[_Step]:
    for number, message in enumerate(_list(body.get("messages"))):
        if not isinstance(message, Mapping):
            continue
        if message.get("role") == "tool":
            where, said = f"messages[{number}].tool_call_id", message.get("content")
            yield _Step(message.get("tool_call_id"), where, is_result=True, said=said)
        for place, call in enumerate(_dicts(message["tool_calls"])) if message.get("tool_calls") else ():
            made: Any = next(_dicts([call.get("function"), call.get("custom")]), {})
            where = f"messages[{number}].tool_calls[{place}]"
            arguments = made.get("arguments", made.get("input"))
            yield _Step(call.get("id"), where, name=made.get("name"), arguments=arguments)
        made = message.get("function_call")  # The API's predecessor of `tool_calls`.
        if isinstance(made, Mapping):
            where = f"messages[{number}].function_call"
            yield _Step(None, where, name=made.get("name"), arguments=made.get("arguments"))


def _of_messages(body: Mapping[str, Any]) -> Iterator[_Step]:
    for number, message in enumerate(_list(body.get("messages"))):
        content = message.get("content") if isinstance(message, Mapping) else None
        for place, block in enumerate(_list(content)):
            kind = block.get("type") if isinstance(block, Mapping) else None
            where = f"messages[{number}].content[{place}]"
            if kind == "tool_result":
                yield _Step(block.get("tool_use_id"), f"{where}.tool_use_id", is_result=True, said=block.get("content"))
            elif kind == "tool_use":
                yield _Step(block.get("id"), where, name=block.get("name"), arguments=block.get("input"))
            elif isinstance(kind, str) and kind.endswith("tool_use"):  # A call that the server made.
                yield _Step(block.get("id"), where)


def _of_responses(body: Mapping[str, Any]) -> Iterator[_Step]:
    for number, item in enumerate(_list(body.get("input"))):
        kind = item.get("type") if isinstance(item, Mapping) else None
        where = f"input[{number}]"
        if not isinstance(kind, str):
            continue
        if kind.endswith("_call_output"):
            yield _Step(item.get("call_id"), f"{where}.call_id", is_result=True, said=item.get("output"))
        elif kind.endswith("_call"):
            arguments = item.get("arguments", item.get("input"))
            name = item.get("name") if kind in _CLIENTS else None
            yield _Step(item.get("call_id"), where, name=name, arguments=arguments)


_CLIENTS = frozenset({"custom_tool_call", "function_call", "tool_use"})
"""Types of calls that the client is to make; other calls were made by the server, or have forms of their own."""


_STEPS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[_Step]]] = {
    "chat": _of_chat,
    "messages": _of_messages,
    "responses": _of_responses,
}


def _is_kept_elsewhere(body: Mapping[str, Any]) -> bool:
    thread = body.get("thread")  # Anthropic's: `{"type": "continue", "previous_message_id": ...}`, or "create".
    continued = isinstance(thread, Mapping) and thread.get("previous_message_id")
    kept = body.get("previous_response_id") or body.get("conversation") or continued
    return bool(kept) or any(item.get("type") in _UNSEEN for item in _dicts(body.get("input")))


# Items of the Responses API that stand for others: by their id, or for all before them, in an encrypted form.
_UNSEEN = ("compaction", "compaction_summary", "item_reference")


def _is_packed(request: Request) -> bool:
    return bool(header(request.headers, "content-encoding"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in _list(value) if isinstance(item, Mapping))
