"""Replies that are in no cassette and no script: special forms of some gateways, and failures in transport."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmtrace.compare._cases import Case
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Cassette, Failure, Recording, Request, Response
from tests.truth._calls import ENDINGS

__all__ = ["ODD_CASES"]

_ASKED: Mapping[str, Mapping[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "Hi"}], "seed": 7, "stop": "END", "frequency_penalty": 0.1},
    "completions": {"prompt": "Hi", "max_tokens": 16},
    "responses": {"input": "Hi"},
    "messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 16, "top_k": 4},
}
_USAGE = {"prompt_tokens": 30, "completion_tokens": 20, "total_tokens": 50}
_SPENT = {"input_tokens": 5, "cache_creation_input_tokens": 6, "cache_read_input_tokens": 7, "output_tokens": 1}


def _case(
    name: str, api: str, body: bytes, *, failure: Failure | None = None, url: str | None = None, **asked: Any
) -> Case:
    """Make a case of one recording; `name` begins with the gateway, and arguments that are None are left out."""
    host = "https://api.anthropic.com" if api == "messages" else "https://api.example.com/v1"
    said = {"model": "team-model", **_ASKED[api], **asked}
    sent = json.dumps({key: value for key, value in said.items() if value is not None}).encode()
    headers = (("content-type", "application/json"),)
    request = Request(method="POST", url=url or f"{host}{ENDINGS[api]}", headers=headers, body=sent)
    kind = "text/event-stream" if asked.get("stream") else "application/json"
    chunks = tuple(event + b"\n\n" for event in body.split(b"\n\n") if event) if asked.get("stream") else (body,)
    response = Response(status=200, headers=(("content-type", kind),), chunks=chunks)
    recording = Recording(index=0, request=request, response=response, failure=failure)
    cassette = Cassette(label=f"odd:{name}", recordings=(recording,))

    def prepare(trace: LLMTrace) -> Any:
        return trace.replay(cassette)

    return Case(id=f"odd:{name}", request=request, prepare=prepare)


def _data(events: Iterable[Mapping[str, Any]], *, done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def _named(events: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def _reply(*choices: Mapping[str, Any], **fields: Any) -> bytes:
    """Write a chat completion."""
    listed = [{"index": index, **choice} for index, choice in enumerate(choices)]
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "served-model"}
    return json.dumps({**head, "choices": listed, "usage": _USAGE, **fields}).encode()


def _chunk(delta: Mapping[str, Any] | None = None, index: int = 0, finish: str | None = None, **more: Any) -> Any:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "served-model"}
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    return {**head, "choices": choices, **more}


def _piece(arguments: str, index: int, **named: Any) -> Mapping[str, Any]:
    """Write a fragment of a tool call."""
    function = {"arguments": arguments, **({"name": named["name"]} if named else {})}
    return {"tool_calls": [{"index": index, "function": function, **({"id": named["id"]} if named else {})}]}


def _message(content: Any, **fields: Any) -> Mapping[str, Any]:
    return {"message": {"role": "assistant", "content": content, **fields}, "finish_reason": "stop"}


def _call(number: int, name: str, arguments: str) -> Mapping[str, Any]:
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _chats() -> Iterable[Case]:
    usage = _chunk(usage=_USAGE)
    stream: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    yield _case(
        "openai/choices-with-tools",
        "chat",
        _reply(
            {
                **_message(None, tool_calls=[_call(1, "look", '{"at": 1}'), _call(2, "look", '{"at": 2}')]),
                "finish_reason": "tool_calls",
            },
            _message("No tool."),
        ),
        n=2,
    )
    yield _case(
        "openai/choices-with-tools-stream",
        "chat",
        _data(
            [
                _chunk(_piece("", 0, id="call_1", name="look"), 0),
                _chunk(_piece("", 0, id="call_2", name="hear"), 1),
                _chunk(_piece('{"at"', 0), 0),
                _chunk(_piece("", 1, id="call_3", name="look"), 0),
                _chunk(_piece('{"for": "rain"}', 0), 1),
                _chunk(_piece(": 1}", 0), 0),
                _chunk(_piece('{"at": 2}', 1), 0),
                _chunk({}, 1, "tool_calls"),
                _chunk({}, 0, "length"),
                usage,
            ]
        ),
        n=2,
        **stream,
    )
    legacy = {"name": "look", "arguments": '{"at": 1}'}
    yield _case(
        "openai/function-call",
        "chat",
        _reply({**_message(None, function_call=legacy), "finish_reason": "function_call"}),
    )
    yield _case(
        "openai/function-call-stream",
        "chat",
        _data(
            [
                _chunk({"function_call": {"name": "look", "arguments": ""}}),
                _chunk({"function_call": {"arguments": '{"at": 1}'}}),
                _chunk({}, 0, "function_call"),
                usage,
            ]
        ),
        **stream,
    )
    yield _case("openai/one-refusal-of-two", "chat", _reply(_message("Yes."), _message(None, refusal="I won't.")), n=2)
    yield _case(
        "openai/refusal-stream",
        "chat",
        _data([_chunk({"refusal": "I "}), _chunk({"refusal": "won't."}), _chunk({}, 0, "stop"), usage]),
        **stream,
    )
    yield _case("openai/cut-stream", "chat", _data([_chunk({"content": "Half "})], done=False), **stream)
    yield _case(
        "openai/broken-stream",
        "chat",
        _data([_chunk({"content": "Half "}), _chunk({"content": "an"})], done=False),
        failure=Failure.DISCONNECT,
        **stream,
    )


def _gateways() -> Iterable[Case]:
    stream: dict[str, Any] = {"stream": True}
    nothing = {"refusal": "", "function_call": {"name": "", "arguments": ""}, "tool_calls": None}
    yield _case("snowflake/empties", "chat", _reply({**_message("Four.", **nothing), "finish_reason": ""}, id=""))
    yield _case(
        "groq/usage-of-its-own-stream",
        "chat",
        _data([_chunk({"content": "Hi."}), _chunk({}, 0, "stop", x_groq={"id": "req_1", "usage": _USAGE})]),
        **stream,
    )
    yield _case(
        "deepseek/reasoning-stream",
        "chat",
        _data(
            [
                _chunk({"content": None, "reasoning_content": "Let me "}),
                _chunk({"content": None, "reasoning_content": "think."}),
                _chunk({"content": "Hi.", "reasoning_content": None}),
                _chunk({"content": ""}, 0, "stop", usage={**_USAGE, "prompt_cache_hit_tokens": 25}),
            ]
        ),
        **stream,
    )
    yield _case(
        "azure/filtered-stream",
        "chat",
        _data(
            [
                {**_chunk(), "id": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]},
                _chunk({"content": "Well"}),
                _chunk({}, 0, "content_filter"),
                _chunk(usage=_USAGE),
            ]
        ),
        **stream,
    )
    yield _case(
        "openrouter/finished-twice-stream",
        "chat",
        b": OPENROUTER PROCESSING\n\n"
        + _data(
            [
                _chunk({"content": "Hi."}, provider="Google AI Studio"),
                _chunk({"content": ""}, 0, "stop"),
                _chunk({"content": ""}, 0, "stop", usage={**_USAGE, "cost": 0.00042}),
            ]
        ),
        **stream,
    )
    error = {"message": "Provider returned error", "code": 429, "metadata": {"provider_name": "Google"}}
    yield _case("openrouter/error-in-200", "chat", b"\n  " + json.dumps({"error": error, "user_id": "u"}).encode())
    said = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Hi."}]
    yield _case("mistral/thinking", "chat", _reply(_message(said), usage={**_USAGE, "num_cached_tokens": 10}))


def _completions() -> Iterable[Case]:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "served-model"}
    one, two = ({"index": index, "text": text, "finish_reason": "stop"} for index, text in enumerate(("One", "Two")))
    whole = {**head, "choices": [one, two], "usage": _USAGE}
    yield _case("openai/completions", "completions", json.dumps(whole).encode(), n=2)
    pieces = [
        {**head, "choices": [{**one, "text": "O", "finish_reason": None}]},
        {**head, "choices": [{**one, "text": "ne"}]},
    ]
    usage = {**head, "choices": [], "usage": _USAGE}
    yield _case("openai/completions-stream", "completions", _data([*pieces, usage]), stream=True)


def _responses() -> Iterable[Case]:
    fields = {"created_at": 1, "object": "response", "model": "served-model", "parallel_tool_calls": True, "tools": []}
    response = {"id": "resp_1", **fields, "tool_choice": "auto", "status": "in_progress", "output": [], "error": None}
    spent = {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 10},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 50,
    }
    delta = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": "Hi"}
    begun = {"type": "response.created", "response": response}
    failed = {**response, "status": "failed", "error": {"code": "server_error", "message": "Oh."}, "usage": None}
    item = {"id": "m", "type": "message", "role": "assistant", "status": "completed"}
    parts = [{"type": "output_text", "text": "Hi.", "annotations": []}, {"type": "refusal", "refusal": "No more."}]
    thought = {"id": "r", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    searched = {"id": "w", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}
    called = {"id": "f", "type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
    output = [thought, searched, {**item, "content": parts}, called]
    whole = {**response, "status": "completed", "output": output, "usage": spent}
    yield _case("openai/items", "responses", json.dumps(whole).encode())
    events: tuple[Mapping[str, Any], ...] = (begun, delta)
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    last = {"type": "response.completed", "response": whole, "sequence_number": 2}
    yield _case("openai/items-stream", "responses", _named([*numbered, last]), stream=True)
    last = {"type": "response.failed", "response": failed, "sequence_number": 2}
    yield _case("openai/failed-stream", "responses", _named([*numbered, last]), stream=True)
    yield _case("openai/responses-cut-stream", "responses", _named(numbered), stream=True)
    yield _case("openai/failed", "responses", json.dumps(failed).encode())


def _messages() -> Iterable[Case]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "served-model", "content": []}
    start: Mapping[str, Any] = {"type": "message_start", "message": {**message, "stop_reason": None, "usage": _SPENT}}
    stop = {"type": "message_stop"}

    def block(index: int, opened: Mapping[str, Any], *deltas: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        pieces = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        opening = {"type": "content_block_start", "index": index, "content_block": opened}
        return [opening, *pieces, {"type": "content_block_stop", "index": index}]

    def ended(reason: str, **usage: int) -> Mapping[str, Any]:
        return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}

    text = block(0, {"type": "text", "text": ""}, *({"type": "text_delta", "text": said} for said in ("Let ", "me.")))
    server = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    tools = [
        block(number, {"type": "tool_use", "id": f"toolu_{number}", "name": "look", "input": {}}, *pieces)
        for number, pieces in (
            (3, [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"at"', ": 1}")]),
            (4, [{"type": "input_json_delta", "partial_json": ""}]),
        )
    ]
    events: list[Mapping[str, Any]] = [
        start,
        {"type": "ping"},
        *text,
        *block(1, server, {"type": "input_json_delta", "partial_json": '{"query": "x"}'}),
        *block(2, found),
        *tools[0],
        *tools[1],
        ended("tool_use", input_tokens=2039, output_tokens=17),
        ended("tool_use", input_tokens=10423, output_tokens=44),
        stop,
    ]
    yield _case("anthropic/server-tools-stream", "messages", _named(events), stream=True)
    yield _case("anthropic/cut-stream", "messages", _named([start, *text]), stream=True)
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    yield _case("anthropic/error-stream", "messages", _named([start, *text, overloaded]), stream=True)
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    said = [thinking, {"type": "text", "text": "Part one."}, {"type": "text", "text": " Part two."}]
    spent = {"input_tokens": 5, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}
    whole = {**message, "content": said, "stop_reason": "end_turn", "usage": spent}
    yield _case("anthropic/blocks", "messages", json.dumps(whole).encode())
    yield _case(
        "anthropic/refused", "messages", json.dumps({**whole, "content": [], "stop_reason": "refusal"}).encode()
    )


def _clouds() -> Iterable[Case]:
    """Yield Anthropic's messages from clouds; Bedrock's streams are missing, since they need botocore."""
    version: Mapping[str, Any] = {"model": None, "anthropic_version": "cloud-2023-10-16"}
    vertex = (
        "https://us-east5-aiplatform.googleapis.com/v1/projects/team/locations/us-east5/publishers/anthropic/models"
    )
    bedrock = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-haiku-4-5-v1:0"
    spent = {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 9}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": None}
    text = {"type": "text", "text": "Hello."}
    whole = json.dumps({**message, "content": [text], "stop_reason": "end_turn", "usage": spent}).encode()
    yield _case("bedrock/message", "messages", whole, url=f"{bedrock}/invoke", **version)
    yield _case("vertex/message", "messages", whole, url=f"{vertex}/claude-haiku-4-5@20251001:rawPredict", **version)
    events: list[Mapping[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "usage": {**spent, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {**text, "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    streamed = f"{vertex}/claude-haiku-4-5@20251001:streamRawPredict"
    yield _case("vertex/stream", "messages", _named(events), url=streamed, stream=True, **version)


def _lost() -> Iterable[Case]:
    """Yield calls that get no answer."""
    for failure in (Failure.CONNECT_ERROR, Failure.READ_TIMEOUT):
        for api, gateway in (("chat", "openai"), ("messages", "anthropic")):
            yield _case(f"{gateway}/{failure}", api, b"", failure=failure)


_LOOKED = ((1, "Bergen", "2 degrees"), (2, "Oslo", "-4 degrees"))


def _use(number: int, name: str, **given: Any) -> Mapping[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def _result(number: int, text: str) -> Mapping[str, Any]:
    return {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": [{"type": "text", "text": text}]}


def _conversations() -> Iterable[Case]:
    """Yield calls with a conversation: instructions, a question in two parts, two tools' results, another question."""
    question = [{"type": "text", "text": "Is it cold"}, {"type": "text", "text": "in Oslo?"}]
    answer, more = {"role": "assistant", "content": "It is."}, {"role": "user", "content": "And in Rome?"}
    yield _case(
        "openai/conversation",
        "chat",
        _reply(_message("No.")),
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": question},
            *(
                turn
                for number, place, found in _LOOKED
                for turn in (
                    {**_message("")["message"], "tool_calls": [_call(number, "look", json.dumps({"at": place}))]},
                    {"role": "tool", "tool_call_id": f"call_{number}", "content": found},
                )
            ),
            answer,
            more,
        ],
    )
    reply = {"id": "msg_1", "type": "message", "role": "assistant", "model": "served-model", "usage": _SPENT}
    yield _case(
        "anthropic/conversation",
        "messages",
        json.dumps({**reply, "content": [{"type": "text", "text": "No."}], "stop_reason": "end_turn"}).encode(),
        system=[{"type": "text", "text": "Be brief."}],
        messages=[
            {"role": "user", "content": question},
            *(
                turn
                for number, place, found in _LOOKED
                for turn in (
                    {"role": "assistant", "content": [_use(number, "look", at=place)]},
                    {"role": "user", "content": [_result(number, found)]},
                )
            ),
            answer,
            more,
        ],
    )
    item = {"id": "m", "type": "message", "role": "assistant", "status": "completed"}
    output = [{**item, "content": [{"type": "output_text", "text": "No.", "annotations": []}]}]
    yield _case(
        "openai/responses-conversation",
        "responses",
        json.dumps(
            {"id": "resp_1", "created_at": 1, "object": "response", "model": "served-model", "output": output}
            | {"parallel_tool_calls": True, "tools": [], "tool_choice": "auto", "status": "completed", "error": None}
        ).encode(),
        instructions="Be brief.",
        input=[
            {"role": "user", "content": [{**part, "type": "input_text"} for part in question]},
            *(
                item
                for number, place, found in _LOOKED
                for item in (
                    {"type": "function_call", "name": "look", "arguments": json.dumps({"at": place})}
                    | {"call_id": f"call_{number}"},
                    {"type": "function_call_output", "call_id": f"call_{number}", "output": found},
                )
            ),
            answer,
            more,
        ],
    )


ODD_CASES: tuple[Case, ...] = (
    *_conversations(),
    *_chats(),
    *_gateways(),
    *_completions(),
    *_responses(),
    *_messages(),
    *_clouds(),
    *_lost(),
)
