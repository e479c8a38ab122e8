"""OpenAI's Responses API: bodies and streams are read whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import wire
from pytest_llmtrace.model import Exchange, Reading, State

DONE = "data: [DONE]\n\n"
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 6},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 15,
}
COUNTS = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "cache_read_tokens": 4, "cache_write_tokens": 6}
COUNTS |= {"reasoning_tokens": 3}
KNOWN = {"truncated": False, "response_id": "r1", "response_model": "m"}
HI = KNOWN | {"finish_reasons": ["completed"], "output_texts": ["hi"]}
MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "h"}, {"type": "output_text", "text": "i"}]}
THOUGHT = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "x"}
CALL = {"type": "function_call", "id": "fc1", "call_id": "t1", "name": "f", "arguments": '{"x": 1}'}
SEARCH = {"type": "web_search_call", "id": "ws1", "status": "completed"}
COMPACTED = {
    "id": "r1",
    "object": "response.compaction",
    "output": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "compaction", "id": "cmp1", "encrypted_content": "x"},
    ],
    "usage": USAGE,
}
CALLS = [{"id": "t1", "name": "f", "arguments": {"x": 1}}]


def response(*output: Any, status: str = "completed", **more: Any) -> dict[str, Any]:
    """Return a response in the form of OpenAI's API reference."""
    return {
        "id": "r1",
        "object": "response",
        "model": "m",
        "status": status,
        "error": None,
        "output": list(output),
        **more,
    }


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (response(MESSAGE, usage=USAGE), HI | COUNTS),
        (
            response(THOUGHT, SEARCH, CALL, {"type": "custom_tool_call", "call_id": "t2", "name": "g", "input": "x"}),
            KNOWN
            | {"finish_reasons": ["completed"], "reasoning_texts": ["hm"]}
            | {"tool_calls": [*CALLS, {"id": "t2", "name": "g", "arguments": "x"}]},
        ),
        (
            response(
                {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "all"}]}, MESSAGE
            ),
            HI | {"reasoning_texts": ["all"]},
        ),
        (
            response({"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}),
            KNOWN | {"finish_reasons": ["completed"], "refusals": ["no"]},
        ),
        (
            response(MESSAGE, status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            HI | {"finish_reasons": ["max_output_tokens"]},
        ),
        (response(MESSAGE, status="incomplete"), HI | {"finish_reasons": ["incomplete"]}),
        (
            response(status="failed", error={"code": "server_error", "message": "sorry"}),
            KNOWN
            | {"finish_reasons": ["failed"]}
            | {"error": {"status": None, "type": None, "code": "server_error", "message": "sorry"}},
        ),
        # A background request: nothing has finished yet.
        (response(status="queued"), KNOWN),
        # The reply of `/responses/compact` repeats what the user said, and names no model.
        (COMPACTED, {"truncated": False, "response_id": "r1"} | COUNTS),
    ],
    ids=[
        "plain",
        "tools",
        "reasoning",
        "refusal",
        "incomplete",
        "incomplete, no reason",
        "failed",
        "queued",
        "compacted",
    ],
)
def test_replies(said: Callable[..., dict[str, Any]], body: dict[str, Any], facts: dict[str, Any]) -> None:
    """A response is read whole, and nothing is read that it does not say."""
    assert said("responses", body) == facts


@pytest.mark.parametrize("name", ["input_tokens", "reasoning_tokens", "output_texts", "tool_calls", "finish_reasons"])
@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_what_runs_in_the_background(read: Callable[..., Reading], name: str, status: str) -> None:
    """Facts that a background response does not have yet are unknown: whoever fetches it may put them on a span."""
    fact = read("responses", response(status=status, usage=None)).fact(name)
    assert (fact.state, fact.note) == (
        State.UNREADABLE,
        f"the response is {status}: the rest comes when it is fetched later",
    )
    assert fact.place == "status, chat.yaml, exchange 3, response body"
    assert read("responses", response(MESSAGE, status=status)).output_texts == ["hi"]


def test_a_usage_that_is_null(read: Callable[..., Reading]) -> None:
    """A usage that is null has no fields to name, so the place of a count is the usage itself."""
    fact = read("responses", response(usage=None)).fact("input_tokens")
    assert (fact.state, fact.parts) == (State.NULL, (("usage", None),))


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **more}


def delta(kind: str, piece: str, **more: Any) -> dict[str, Any]:
    return event(f"{kind}.delta", delta=piece, output_index=more.pop("output_index", 0), **more)


CREATED = event("created", response=response(status="in_progress", usage=None))
PIECES = [
    event("output_item.added", output_index=0, item={"type": "message", "content": []}),
    delta("output_text", "h", content_index=0),
    delta("output_text", "i", content_index=0),
]
COMPLETED = event("completed", response=response(MESSAGE, usage=USAGE))


def named(events: list[Any]) -> list[Any]:
    """Write events as OpenAI does, each with its name."""
    return [item if isinstance(item, str) else (item["type"], item) for item in events]


@pytest.mark.parametrize(
    "events",
    [
        named([CREATED, *PIECES, COMPLETED]),
        # OpenRouter sends no names, but comments and [DONE].
        [": OPENROUTER PROCESSING\n\n", CREATED, *PIECES, COMPLETED, DONE],
        # The last event repeats all, so lost pieces do not matter.
        [COMPLETED],
    ],
    ids=["openai", "openrouter", "only the end"],
)
def test_streams(said: Callable[..., dict[str, Any]], events: list[Any]) -> None:
    """The last event of a stream has the whole response."""
    assert said("responses", events) == HI | COUNTS


def test_a_later_event_that_has_nothing_to_say(read: Callable[..., Reading]) -> None:
    """A null in a later snapshot overrides nothing; a value that is null in all snapshots is null."""
    last = event("completed", response=response(MESSAGE, model=None, usage=None))
    reading = read("responses", [CREATED, last])
    assert (reading.response_model, reading.fact("input_tokens").state) == ("m", State.NULL)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_what_it_was_made_with(read: Callable[..., Reading], streamed: bool) -> None:
    """A response repeats the parameters that it was made with; values of wrong types are passed over."""
    made_with: dict[str, Any] = {
        "temperature": 1.0,
        "top_p": None,
        "max_output_tokens": "many",
        "frequency_penalty": 0.0,
    }
    body = response(MESSAGE, **made_with)
    reading = read("responses", [{"type": "response.completed", "response": body}] if streamed else body)
    assert [(fact.name, fact.value, fact.keys) for fact in reading.others] == [
        ("request_model", "m", "response.model" if streamed else "model"),
        ("temperature", 1.0, "response.temperature" if streamed else "temperature"),
        ("frequency_penalty", 0.0, "response.frequency_penalty" if streamed else "frequency_penalty"),
    ]
    assert reading.temperature is None


@pytest.mark.parametrize(
    ("content", "field"), [([{"type": "reasoning_text", "text": "all"}], "content"), (None, "summary")]
)
def test_where_the_reasoning_is(read: Callable[..., Reading], content: Any, field: str) -> None:
    """The reasoning itself is read, or else its summary, and the place says which."""
    item = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "short"}], "content": content}
    fact = read("responses", response(item, MESSAGE)).fact("reasoning_texts")
    assert (fact.keys, fact.value) == (f"output[].{field}[].text", ["all" if content else "short"])


def test_an_incomplete_stream(said: Callable[..., dict[str, Any]]) -> None:
    """A stream that ends because a limit was reached is whole."""
    last = response(MESSAGE, status="incomplete", incomplete_details={"reason": "max_output_tokens"}, usage=USAGE)
    facts = HI | COUNTS | {"finish_reasons": ["max_output_tokens"]}
    assert said("responses", named([CREATED, *PIECES, event("incomplete", response=last)])) == facts


@pytest.mark.parametrize(
    ("last", "error"),
    [
        (
            event("failed", response=response(status="failed", error={"code": "server_error", "message": "sorry"})),
            {"status": None, "type": None, "code": "server_error", "message": "sorry"},
        ),
        (
            {"type": "error", "code": "429", "message": "slow down", "param": None},
            {"status": 429, "type": None, "code": "429", "message": "slow down"},
        ),
        (
            {"type": "error", "error": {"type": "invalid_request_error", "code": None, "message": "no"}},
            {"status": None, "type": "invalid_request_error", "code": None, "message": "no"},
        ),
        (
            {"error": {"code": 502, "message": "upstream"}},
            {"status": 502, "type": None, "code": 502, "message": "upstream"},
        ),
    ],
    ids=["failed", "error event", "error event with an object", "openrouter"],
)
def test_a_failed_stream(said: Callable[..., dict[str, Any]], last: dict[str, Any], error: dict[str, Any]) -> None:
    """An error in any form ends a stream; what was said before is read."""
    facts = said("responses", [CREATED, *PIECES, last])
    assert (facts["error"], facts["truncated"], facts["output_texts"]) == (error, False, ["hi"])


@pytest.mark.parametrize(
    ("events", "facts"),
    [
        (PIECES, {"output_texts": ["hi"]}),
        (
            [*PIECES, event("output_item.done", output_index=0, item=MESSAGE), *PIECES[1:]],
            {"output_texts": ["hi"]},
        ),
        (
            [*PIECES, event("output_text.done", output_index=0, content_index=0, text="hi, all")],
            {"output_texts": ["hi, all"]},
        ),
        ([delta("refusal", "n", content_index=0), delta("refusal", "o", content_index=0)], {"refusals": ["no"]}),
        (
            [
                delta("reasoning_summary_text", "h", summary_index=0),
                delta("reasoning_summary_text", "m", summary_index=1),
            ],
            {"reasoning_texts": ["hm"]},
        ),
        (
            [
                event("output_item.added", output_index=0, item={"type": "reasoning", "summary": []}),
                delta("reasoning_text", "hm", content_index=0),
            ],
            {"reasoning_texts": ["hm"]},
        ),
        (
            [
                event("output_item.added", output_index=0, item={**CALL, "arguments": ""}),
                delta("function_call_arguments", '{"x"'),
                delta("function_call_arguments", ": 1}"),
            ],
            {"tool_calls": CALLS},
        ),
    ],
    ids=["text", "an item that is whole", "a text that is whole", "refusal", "summary", "reasoning", "arguments"],
)
def test_a_cut_stream(said: Callable[..., dict[str, Any]], events: list[Any], facts: dict[str, Any]) -> None:
    """A stream without its last event was cut; its answer so far is put together from its pieces."""
    cut = {"truncated": True, "response_id": "r1", "response_model": "m"}
    assert said("responses", named([CREATED, *events])) == cut | facts


@pytest.mark.parametrize(
    ("item", "note"),
    [
        (event("output_item.added", output_index=0, item=5), "it has no item object"),
        (delta("output_text", "x", output_index="first"), "'first' is not a valid output_index"),
        (event("completed", response=5), "it has no response object"),
    ],
)
def test_an_event_of_wrong_types(read: Callable[..., Reading], item: dict[str, Any], note: str) -> None:
    """An event that cannot be understood is always reported, and never passed over in silence."""
    reading = read("responses", [CREATED, *PIECES, item])
    assert reading.problems == (
        f"chat.yaml, exchange 3, events 0 to 4 of the response: event 4 cannot be read: {note}",
    )
    assert (reading.response_id, reading.fact("output_texts").state) == ("r1", State.UNREADABLE)


@pytest.mark.parametrize(
    ("output", "ids"),
    [
        ([{"type": kind, "call_id": "c1"} for kind in ("computer_call", "shell_call")], {"c1"}),
        ([{"type": "function_call", "call_id": "c1"}, {"type": "web_search_call", "id": "ws_1"}], set()),
        ([5, {"type": ["computer_call"]}, {"type": "computer_call", "call_id": 5}, {"type": "computer_call"}], set()),
        ("computer_call", set()),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_calls_without_a_name(make: Callable[..., Exchange], output: Any, ids: set[str], streamed: bool) -> None:
    """Calls to a computer, a shell or a patch have ids but no names, and are not among the reading's tool calls."""
    body: dict[str, Any] = {"id": "r1", "model": "m", "status": "completed", "output": output}
    exchange = make("responses", named([event("completed", response=body)]) if streamed else body)
    assert wire.nameless_calls(exchange) == ids
