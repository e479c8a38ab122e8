"""Write cassettes of made-up calls: `python tools/made_up.py FOLDER [--calls 40] [--seed TEXT]`.

Requests and replies are made from the types of the installed SDKs, with the kinds of messages, content and tools that
these types know, also those of which there is no recording. What only a server can have is left out: items that stand
for others, compaction, fallbacks, containers. `python tools/recordings.py FOLDER` then verifies correct
instrumentations on these calls, and `pytest-llmtrace replay FOLDER` an instrumentor.
"""

from __future__ import annotations

import argparse
import inspect
import json
import random
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Required, TypeVar, Union, get_args, get_origin

import pydantic
from anthropic.types import ContentBlock, Message, MessageParam, ToolUnionParam
from anthropic.types.beta import BetaContentBlock, BetaMessage, BetaMessageParam
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from openai.types.chat.chat_completion import Choice
from openai.types.chat.chat_completion_tool_union_param import ChatCompletionToolUnionParam
from openai.types.responses import Response, ResponseOutputItem
from openai.types.responses.response_input_param import ResponseInputItemParam
from openai.types.responses.tool_param import ToolParam
from typing_extensions import get_type_hints, is_typeddict

Body = dict[str, Any]
Event = tuple[str, Body]
Fields = dict[str, tuple[Any, bool]]  # Each with its type, and whether it must be there.
Call = tuple[Body, Body | list[Event]]  # A request, and its reply or the events of its stream.

# --- Values of a type ------------------------------------------------------------------------------------------------

_WRAPPERS = (Annotated, Required, NotRequired)
_DEEP = 6  # From here on, values that need no others are preferred, and lists are empty.
_RARE, _SOMETIMES = 0.4, 0.6
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "flint", "grove", "haven", "iris", "jade", "knoll", "lark")
_SECRETS = ("authorization",)  # A tool's token on a span is a finding, and a true one.
_IDS = {
    "code_interpreter_call": "ci",
    "file_search_call": "fs",
    "image_generation_call": "ig",
    "mcp_approval_request": "mcpr",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcpl",
    "mcp_tool_use": "mcptoolu",
    "server_tool_use": "srvtoolu",
    "tool_search_call": "tsc",
    "web_search_call": "ws",
}
"""The prefixes of the ids by which spans of calls that a provider runs itself are known."""


class Values:
    """Makes random values of types; the same ones for the same seed."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self._numbers = count(1)

    def word(self) -> str:
        """Return a word that occurs nowhere else."""
        return f"{self.random.choice(_WORDS)}{next(self._numbers)}"

    def text(self) -> str:
        """Return a few words."""
        return " ".join(self.word() for _ in range(self.random.randint(1, 5)))

    def several(self, kind: Any, least: int, most: int) -> list[Any]:
        """Return several values of a type."""
        return [self.of(kind) for _ in range(self.random.randint(least, most))]

    def happens(self, chance: float) -> bool:
        """Tell whether something happens that does with this chance."""
        return self.random.random() < chance

    def of(self, kind: Any, name: str = "", depth: int = 0) -> Any:
        """Return a value of a type, for a field of that name."""
        origin, inner = get_origin(kind), get_args(kind)
        if origin in _WRAPPERS:
            return self.of(inner[0], name, depth)
        if origin is Literal:
            return self.random.choice(inner)
        if origin in (Union, types.UnionType):
            return self._one_of(inner, name, depth)
        if kind in _PLAIN:
            return _PLAIN[kind](self, name)
        if origin is not None:
            return self._many(origin, inner[-1], name, depth)
        fields = _fields(kind)
        return self._json() if fields is None else self._object(fields, depth)

    def _many(self, origin: Any, kind: Any, name: str, depth: int) -> Any:
        """Return a mapping, or a list, which has many names."""
        values = [
            self.of(kind, name, depth + 1) for _ in range(self.random.choice((0, 1, 1, 2)) if depth < _DEEP else 0)
        ]
        is_mapping = inspect.isclass(origin) and issubclass(origin, Mapping)
        return {self.word(): value for value in values} if is_mapping else values

    def _one_of(self, kinds: Sequence[Any], name: str, depth: int) -> Any:
        if type(None) in kinds and (depth > _DEEP or self.happens(_RARE)):
            return None
        there = [kind for kind in kinds if kind is not type(None) and not _is_of_code(kind)]
        if depth >= _DEEP:
            there = [kind for kind in there if kind in _PLAIN or get_origin(kind) is Literal] or there
        return self.of(self.random.choice(there), name, depth)

    def _object(self, fields: Fields, depth: int) -> Body:
        made: Body = {}
        for name, (kind, needed) in fields.items():
            if needed or (self.happens(_RARE) and name not in _SECRETS):
                value = self.of(kind, name, depth + 1)
                if value is not None or needed:
                    made[name] = value
        if isinstance(made.get("id"), str) and made.get("type") in _IDS:
            made["id"] = f"{_IDS[made['type']]}_{made['id']}"
        return made

    def _text_for(self, name: str) -> str:
        if name == "arguments":
            return json.dumps({self.word(): self._json(1) for _ in range(self.random.randint(0, 2))})
        if "data" in name:
            return "aGVsbG8="
        return f"https://example.test/{self.word()}.png" if name.endswith("url") else self._named(name)

    def _named(self, name: str) -> str:
        return self.word() if name in {"name", "id"} or name.endswith("_id") else self.text()

    def _json(self, depth: int = 0) -> Any:
        form = self.random.random() if depth < 2 else 0  # noqa: PLR2004
        if form < _RARE:
            return self.random.choice((self.text(), self.random.randint(0, 99), True, 1.5))
        if form < _SOMETIMES:
            return {self.word(): self._json(depth + 1) for _ in range(self.random.randint(0, 2))}
        return [self._json(depth + 1) for _ in range(self.random.randint(0, 2))]


_PLAIN: dict[Any, Callable[[Values, str], Any]] = {
    str: Values._text_for,
    int: lambda values, _: values.random.randint(0, 500),
    float: lambda values, _: round(values.random.random(), 2),
    bool: lambda values, _: values.happens(0.5),
    type(None): lambda _, __: None,
}


def _fields(kind: Any) -> Fields | None:
    """Return the fields of a model of pydantic or of a typed dictionary; `None` if a type is neither."""
    if inspect.isclass(kind) and issubclass(kind, pydantic.BaseModel):
        return {
            field.alias or name: (field.annotation, field.is_required()) for name, field in kind.model_fields.items()
        }
    if not is_typeddict(kind):
        return None
    hints = get_type_hints(kind, include_extras=True)
    marked: Any = NotRequired if kind.__total__ else Required
    return {name: (each, (get_origin(each) is marked) != kind.__total__) for name, each in hints.items()}


def _is_of_code(kind: Any) -> bool:
    """Tell whether a type is for values that are made in Python and are not JSON, such as open files."""
    return kind is bytes or isinstance(kind, TypeVar) or any(word in str(kind) for word in ("IO", "PathLike", "Omit"))


# --- Chat ------------------------------------------------------------------------------------------------------------


def chat(values: Values, *, stream: bool) -> Call:
    """Make up a chat completion."""
    asked: Body = {"model": "gpt-5", "messages": _with_results(values, list(_chat_messages(values)))}
    if values.happens(_SOMETIMES):
        asked["tools"] = values.several(ChatCompletionToolUnionParam, 1, 2)
    reply = {**values.of(ChatCompletion), "model": "gpt-5-2026", "created": 1, "usage": _openai_usage(values, "prompt")}
    reply.pop("moderation", None)
    reply["choices"] = [_choice(values, number, stream=stream) for number in range(values.random.randint(1, 2))]
    if len(reply["choices"]) > 1:
        asked["n"] = len(reply["choices"])
    if not stream:
        return asked, reply
    return {**asked, "stream": True, "stream_options": {"include_usage": True}}, list(_chat_events(values, reply))


def _chat_messages(values: Values) -> Iterator[Body]:
    yield {"role": "user", "content": values.text()}
    for message in values.several(ChatCompletionMessageParam, 0, 4):
        if message["role"] not in {"function", "tool"}:
            yield _spoken(values, {name: value for name, value in message.items() if name not in _GONE})


_GONE = ("audio", "function_call")  # An older message cannot be spoken without an id that the API has given.


def _spoken(values: Values, message: Body) -> Body:
    """Let a message of the assistant have calls, a refusal, or a text."""
    if message["role"] == "assistant":
        if not message.get("tool_calls"):
            message.pop("tool_calls", None)
        if message.get("refusal"):
            message["content"] = None
        elif not message.get("content") and "tool_calls" not in message:
            message["content"] = values.text()
    return message


def _with_results(values: Values, messages: list[Body]) -> list[Body]:
    """Add the result of each tool call."""
    found: list[Body] = []
    for message in messages:
        found.append(message)
        ids = [call["id"] for call in message.get("tool_calls") or ()]
        found += [{"role": "tool", "tool_call_id": identity, "content": values.text()} for identity in ids]
    return found


def _choice(values: Values, number: int, *, stream: bool) -> Body:
    made: Body = values.of(Choice)
    message = {name: value for name, value in made["message"].items() if name not in _GONE}
    if stream:  # The SDK has no type for the other calls in a stream.
        message["tool_calls"] = [call for call in message.get("tool_calls") or () if call["type"] == "function"]
    message = _spoken(values, {**message, "role": "assistant"})
    reason = "tool_calls" if "tool_calls" in message else values.random.choice(("stop", "length", "content_filter"))
    return {**made, "index": number, "message": message, "finish_reason": reason}


def _chat_events(values: Values, reply: Body) -> Iterator[Event]:
    head = {**{name: value for name, value in reply.items() if name not in {"choices", "usage"}}}
    head["object"] = "chat.completion.chunk"
    for choice in reply["choices"]:
        deltas = [{"role": "assistant"}, *_deltas(values, choice["message"]), {}]
        for number, delta in enumerate(deltas, 1):
            reason = choice["finish_reason"] if number == len(deltas) else None
            yield "", {**head, "choices": [{"index": choice["index"], "delta": delta, "finish_reason": reason}]}
    yield "", {**head, "choices": [], "usage": reply["usage"]}


def _deltas(values: Values, message: Body) -> Iterator[Body]:
    for name in ("content", "refusal"):
        yield from ({name: piece} for piece in _pieces(values, message.get(name) or ""))
    for index, call in enumerate(message.get("tool_calls") or ()):
        made = call["function"]
        begun = {"index": index, "id": call["id"], "type": "function", "function": {**made, "arguments": ""}}
        yield {"tool_calls": [begun]}
        for piece in _pieces(values, made["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _pieces(values: Values, text: str) -> Iterator[str]:
    while text:
        size = values.random.randint(1, 6)
        yield text[:size]
        text = text[size:]


def _openai_usage(values: Values, asked: Literal["prompt", "input"]) -> Body:
    answered = {"prompt": "completion", "input": "output"}[asked]
    read, written = values.random.randint(5, 900), values.random.randint(1, 500)
    return {
        f"{asked}_tokens": read,
        f"{asked}_tokens_details": {"cached_tokens": values.random.randint(0, read)},
        f"{answered}_tokens": written,
        f"{answered}_tokens_details": {"reasoning_tokens": values.random.randint(0, written)},
        "total_tokens": read + written,
    }


# --- Responses -------------------------------------------------------------------------------------------------------


def responses(values: Values, *, stream: bool) -> Call:
    """Make up a response."""
    asked: Body = {"model": "gpt-5", "input": list(_input_items(values))}
    if values.happens(_SOMETIMES):
        asked["tools"] = values.several(ToolParam, 1, 3)
    reply = {
        name: value for name, value in values.of(Response).items() if name in {"id", "object", "parallel_tool_calls"}
    }
    reply |= {"model": "gpt-5-2026", "created_at": 1, "tool_choice": "auto", "tools": asked.get("tools", [])}
    output = [{**item, **({"status": "completed"} if "status" in item else {})}
              for item in values.several(ResponseOutputItem, 1, 3)]  # fmt: skip
    reply |= {"status": "completed", "error": None, "output": output, "usage": _openai_usage(values, "input")}
    return ({**asked, "stream": True}, list(_response_events(reply))) if stream else (asked, reply)


_ALONE = ("compaction", "compaction_trigger", "item_reference")
"""Items of the input that stand for others, which only the server has."""
_CALLS = ("custom_tool_call", "function_call")


def _input_items(values: Values) -> Iterator[Body]:
    yield {"role": "user", "content": values.text()}
    for item in values.several(ResponseInputItemParam, 0, 4):
        kind = str(item.get("type"))
        if kind in _ALONE or kind.endswith("_output"):
            continue
        yield item
        if kind in _CALLS:
            yield {"type": f"{kind}_output", "call_id": item["call_id"], "output": values.text()}


def _response_events(reply: Body) -> Iterator[Event]:
    begun = {**reply, "status": "in_progress", "output": [], "usage": None}
    yield _event("response.created", response=begun)
    for index, item in enumerate(reply["output"]):
        yield _event("response.output_item.added", output_index=index, item=item)
        yield _event("response.output_item.done", output_index=index, item=item)
    yield _event("response.completed", response=reply)


def _event(kind: str, **fields: Any) -> Event:
    return kind, {"type": kind, "sequence_number": 0, **fields}


# --- Messages --------------------------------------------------------------------------------------------------------


def messages(values: Values, *, stream: bool, beta: bool = False) -> Call:
    """Make up a message."""
    asked = {"model": "claude-sonnet-4-5", "max_tokens": 1024, "messages": _turns(values, beta=beta)}
    if values.happens(_SOMETIMES):
        asked["tools"] = values.several(ToolUnionParam, 1, 2)
    if values.happens(_RARE):
        asked["system"] = values.random.choice((values.text(), [{"type": "text", "text": values.text()}]))
    made = values.of(BetaMessage if beta else Message)
    content = _answered(values, values.several(BetaContentBlock if beta else ContentBlock, 1, 3))
    calls = any(block["type"] == "tool_use" for block in content)
    reason = "tool_use" if calls else values.random.choice(("end_turn", "max_tokens", "refusal"))
    usage = {name: values.random.randint(1, 400) for name in ("input_tokens", "output_tokens")}
    usage |= {name: values.random.randint(0, 90) for name in _CACHED if values.happens(_SOMETIMES)}
    reply = {"id": made["id"], "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-2026"}
    reply |= {"content": content, "stop_reason": reason, "stop_sequence": None, "usage": usage}
    return ({**asked, "stream": True}, list(_message_events(values, reply))) if stream else (asked, reply)


_CACHED = ("cache_creation_input_tokens", "cache_read_input_tokens")
_OF_USERS = ("document", "image", "search_result", "text")
_OF_SERVERS = ("mcp_tool_use", "server_tool_use")
_OTHERWISE = ("compaction", "container_upload", "fallback", "mid_conv_system")
"""Blocks that stand for others, or that change who answers."""


def _turns(values: Values, *, beta: bool) -> list[Body]:
    found: list[Body] = [{"role": "user", "content": values.text()}]
    for made in values.several(BetaMessageParam if beta else MessageParam, 0, 4):
        content = made.get("content")
        if made["role"] == "system" or not content:
            continue
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if found[-1]["role"] == "user":
            said = _answered(values, [block for block in blocks if block["type"] not in {*_OF_USERS, "tool_result"}])
            found.append({"role": "assistant", "content": said})
        else:
            found.append({"role": "user", "content": [block for block in blocks if block["type"] in _OF_USERS]})
            _answer(values, found[-2], found[-1])
    if found[-1]["role"] == "assistant":
        found.append({"role": "user", "content": []})
        _answer(values, found[-2], found[-1])
    return found


def _answer(values: Values, asked: Body, turn: Body) -> None:
    """Put the results of the tool calls of one turn before what the next one says."""
    ids = [block["id"] for block in asked["content"] if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": identity, "content": values.text()} for identity in ids]
    turn["content"] = [*results, *turn["content"]] or [{"type": "text", "text": values.text()}]


def _answered(values: Values, blocks: list[Body]) -> list[Body]:
    """Give each result of a server's tool the id of a call before it; leave out a result without a call."""
    found, ids = [], list[str]()
    for block in blocks:
        if block["type"] in _OTHERWISE:
            continue
        if block["type"] in _OF_SERVERS:
            ids.append(block["id"])
        elif block["type"].endswith("_tool_result"):
            if not ids:
                continue
            block["tool_use_id"] = ids.pop(0)
        found.append(block)
    return found or [{"type": "text", "text": values.text()}]


def _message_events(values: Values, reply: Body) -> Iterator[Event]:
    begun = {**reply, "content": [], "stop_reason": None, "usage": {**reply["usage"], "output_tokens": 1}}
    yield _part("message_start", message=begun)
    for index, block in enumerate(reply["content"]):
        start, deltas = _block_deltas(values, block)
        yield _part("content_block_start", index=index, content_block=start)
        yield from (_part("content_block_delta", index=index, delta=delta) for delta in deltas)
        yield _part("content_block_stop", index=index)
    ended = {"stop_reason": reply["stop_reason"], "stop_sequence": None}
    yield _part("message_delta", delta=ended, usage={"output_tokens": reply["usage"]["output_tokens"]})
    yield _part("message_stop")


def _part(kind: str, **fields: Any) -> Event:
    return kind, {"type": kind, **fields}


def _block_deltas(values: Values, block: Body) -> tuple[Body, list[Body]]:
    """Return a block as it starts, and what is added to it."""
    if block["type"] in {"tool_use", *_OF_SERVERS}:
        pieces = _pieces(values, json.dumps(block["input"]))
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    kind = block["type"]
    if kind not in {"text", "thinking"}:
        return block, []
    deltas = [{"type": f"{kind}_delta", kind: piece} for piece in _pieces(values, block[kind])]
    if kind == "text":
        deltas += [{"type": "citations_delta", "citation": cited} for cited in block.get("citations") or ()]
        return {"type": kind, "text": ""}, deltas
    return {**block, kind: "", "signature": ""}, [*deltas, {"type": "signature_delta", "signature": block["signature"]}]


# --- Cassettes -------------------------------------------------------------------------------------------------------

_OPENAI, _ANTHROPIC = "https://api.openai.com/v1", "https://api.anthropic.com/v1"
_APIS: dict[str, tuple[str, Callable[..., Call]]] = {
    "beta": (f"{_ANTHROPIC}/messages?beta=true", partial(messages, beta=True)),
    "chat": (f"{_OPENAI}/chat/completions", chat),
    "messages": (f"{_ANTHROPIC}/messages", messages),
    "responses": (f"{_OPENAI}/responses", responses),
}


def cassette(url: str, call: Call) -> Body:
    """Return a call as a cassette of vcrpy."""
    asked, reply = call
    is_stream = isinstance(reply, list)
    kind = "text/event-stream" if is_stream else "application/json"
    request = {"method": "POST", "uri": url, "headers": {}, "body": json.dumps(asked)}
    body = _streamed(reply) if isinstance(reply, list) else json.dumps(reply)
    response = {"status": {"code": 200, "message": "OK"}, "headers": {"content-type": [kind]}, "body": {"string": body}}
    return {"version": 1, "interactions": [{"request": request, "response": response}]}


def _streamed(events: list[Event]) -> str:
    lines = ((f"event: {name}\n" if name else "") + f"data: {json.dumps(body)}\n\n" for name, body in events)
    return "".join(lines) + ("" if events[0][0] else "data: [DONE]\n\n")


def main() -> None:
    """Write the cassettes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calls", type=int, default=40, help="calls of each API, plain and as streams (default: 40)")
    parser.add_argument("--seed", default="", help="any text; another one makes other calls")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, (url, make) in _APIS.items():
        for stream in (False, True):
            for number in range(given.calls):
                title = f"{name}-{'stream' if stream else 'plain'}-{number}"
                made = cassette(url, make(Values(f"{given.seed}/{title}"), stream=stream))
                (given.folder / f"{title}.json").write_text(json.dumps(made), encoding="utf-8")


if __name__ == "__main__":
    main()
