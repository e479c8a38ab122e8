"""Anthropic's Messages API: bodies and streams are read whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import wire
from pytest_llmtrace.model import Exchange, Reading, State

HI = {
    "truncated": False,
    "response_id": "m1",
    "response_model": "m",
    "finish_reasons": ["end_turn"],
    "output_texts": ["hi"],
}


def message(*content: Any, usage: Any = None, stop: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    """Return a message in the form of Anthropic's API reference."""
    body = {"id": "m1", "type": "message", "model": "m", "content": list(content), "stop_reason": stop, **more}
    return body if usage is None else {**body, "usage": usage}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def tool(**more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "t1", "name": "f", "input": {}, **more}


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (
            message(text("hi"), usage={"input_tokens": 10, "output_tokens": 5}),
            HI | {"input_tokens": 10, "output_tokens": 5},
        ),
        # `input_tokens` leaves out tokens that were read from a cache or written to one.
        (
            message(
                text("h"),
                text("i"),
                usage={
                    "input_tokens": 10,
                    "cache_creation_input_tokens": 20,
                    "cache_read_input_tokens": 30,
                    "output_tokens": 5,
                    "output_tokens_details": {"thinking_tokens": 2},
                },
            ),
            HI
            | {"input_tokens": 60, "cache_write_tokens": 20, "cache_read_tokens": 30, "output_tokens": 5}
            | {"reasoning_tokens": 2},
        ),
        (
            message(
                text("hi"),
                usage={"input_tokens": 10, "cache_creation_input_tokens": None, "cache_read_input_tokens": None},
            ),
            HI | {"input_tokens": 10},
        ),
        # A cache count alone makes no input count.
        (message(text("hi"), usage={"cache_read_input_tokens": 30}), HI | {"cache_read_tokens": 30}),
        (
            message(
                {"type": "thinking", "thinking": "hm", "signature": "x"},
                {"type": "redacted_thinking", "data": "x"},
                text("hi"),
            ),
            HI | {"reasoning_texts": ["hm"]},
        ),
        # The server's own tool calls are not calls for the client.
        (
            message(
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
                text("hi"),
                tool(input={"x": 1}),
                {"type": "mcp_tool_use", "id": "x1", "name": "g", "input": {}},
                stop="tool_use",
            ),
            HI | {"finish_reasons": ["tool_use"], "tool_calls": [{"id": "t1", "name": "f", "arguments": {"x": 1}}]},
        ),
    ],
    ids=["plain", "cached", "null counts", "no input count", "thinking", "tools"],
)
def test_replies(said: Callable[..., dict[str, Any]], body: dict[str, Any], facts: dict[str, Any]) -> None:
    """A message is read whole, and nothing is read that it does not say."""
    assert said("messages", body) == facts


def start(**usage: Any) -> tuple[str, dict[str, Any]]:
    return "message_start", {"type": "message_start", "message": message(usage=usage, stop=None)}


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[Any]:
    opened = {"type": "content_block_start", "index": index, "content_block": content}
    said = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [(event["type"], event) for event in [opened, *said, {"type": "content_block_stop", "index": index}]]


def said_text(*pieces: str) -> list[Any]:
    return block(0, text(""), *({"type": "text_delta", "text": piece} for piece in pieces))


def end(stop: str = "end_turn", **usage: Any) -> tuple[str, dict[str, Any]]:
    return "message_delta", {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": usage}


STOP = ("message_stop", {"type": "message_stop"})
PING = ("ping", {"type": "ping"})
STREAMS: list[tuple[str, list[Any], dict[str, Any]]] = [
    # Output counts are cumulative, and the first is a placeholder; cache counts come with the first event only.
    (
        "cached",
        [
            start(input_tokens=10, cache_creation_input_tokens=20, cache_read_input_tokens=30, output_tokens=1),
            PING,
            *said_text("h", "i"),
            end(output_tokens=5),
            STOP,
        ],
        HI | {"input_tokens": 60, "cache_write_tokens": 20, "cache_read_tokens": 30, "output_tokens": 5},
    ),
    # With a server tool the model reads more than was sent.
    (
        "restated input",
        [start(input_tokens=2039, output_tokens=1), *said_text("hi"), end(input_tokens=10423, output_tokens=5), STOP],
        HI | {"input_tokens": 10423, "output_tokens": 5},
    ),
    (
        "null restates nothing",
        [start(input_tokens=10, output_tokens=1), *said_text("hi"), end(input_tokens=None, output_tokens=5), STOP],
        HI | {"input_tokens": 10, "output_tokens": 5},
    ),
    (
        "thinking and tools",
        [
            start(input_tokens=10, output_tokens=1),
            *block(
                0,
                {"type": "thinking", "thinking": ""},
                {"type": "thinking_delta", "thinking": "hm"},
                {"type": "signature_delta", "signature": "x"},
            ),
            *block(1, text("h"), {"type": "text_delta", "text": "i"}, {"type": "citations_delta", "citation": {}}),
            *block(
                2,
                tool(),
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"x":'},
                {"type": "input_json_delta", "partial_json": " 1}"},
            ),
            *block(3, tool(id="t2", name="g")),
            *block(4, tool(id="t3"), {"type": "input_json_delta", "partial_json": "{oops"}),
            *block(5, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
            end("tool_use", output_tokens=5),
            STOP,
        ],
        HI
        | {"input_tokens": 10, "output_tokens": 5, "reasoning_texts": ["hm"], "finish_reasons": ["tool_use"]}
        | {
            "tool_calls": [
                {"id": "t1", "name": "f", "arguments": {"x": 1}},
                {"id": "t2", "name": "g", "arguments": {}},
                {"id": "t3", "name": "f", "arguments": "{oops"},
            ]
        },
    ),
    (
        "a dead upstream",
        [
            start(input_tokens=10, output_tokens=1),
            *said_text("hi"),
            ("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        ],
        {"truncated": False, "response_id": "m1", "response_model": "m", "output_texts": ["hi"], "input_tokens": 10}
        | {"output_tokens": 1}
        | {"error": {"status": None, "type": "overloaded_error", "code": None, "message": "Overloaded"}},
    ),
    (
        "what stands behind an error",
        [
            start(input_tokens=10, output_tokens=1),
            *said_text("hi"),
            ("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            *said_text("!"),
            end(output_tokens=5),
        ],
        {"truncated": False, "response_id": "m1", "response_model": "m", "output_texts": ["hi"], "input_tokens": 10}
        | {"output_tokens": 1}
        | {"error": {"status": None, "type": "overloaded_error", "code": None, "message": "Overloaded"}},
    ),
    (
        "what stands behind an error that is not an object",
        [
            start(input_tokens=10, output_tokens=1),
            *said_text("hi"),
            "event: error\ndata: died\n\n",
            *said_text("!"),
            end(output_tokens=5),
        ],
        {"truncated": False, "response_id": "m1", "response_model": "m", "output_texts": ["hi"], "input_tokens": 10}
        | {"output_tokens": 1}
        | {"error": {"status": None, "type": None, "code": None, "message": "died"}},
    ),
    (
        "events that the SDK does not parse",
        [
            start(input_tokens=10, output_tokens=1),
            "data: no JSON\n\n",
            *said_text("hi"),
            "event: ping\ndata: pong\n\n",
            "event: content_block_delta\ndata:\n\n",
            end(output_tokens=5),
        ],
        HI | {"input_tokens": 10, "output_tokens": 5},
    ),
    (
        "cut before its stop reason",
        [start(input_tokens=10, output_tokens=1), *said_text("hi")],
        {"truncated": True, "response_id": "m1", "response_model": "m", "output_texts": ["hi"], "input_tokens": 10}
        | {"output_tokens": 1},
    ),
    (
        "cut before its reason",
        [start(input_tokens=10, output_tokens=1), *said_text("hi")],
        {key: value for key, value in HI.items() if key != "finish_reasons"}
        | {"truncated": True, "input_tokens": 10, "output_tokens": 1},
    ),
    (
        "another model that goes on with it",
        [
            start(input_tokens=10, output_tokens=1),
            ("content_block_start", {"index": 0, "content_block": {"type": "fallback", "to": {"model": "other"}}}),
            ("content_block_start", {"index": 1, "content_block": {"type": "fallback", "to": 7}}),
            *said_text("hi"),
            end(output_tokens=5),
        ],
        HI | {"response_model": "other", "input_tokens": 10, "output_tokens": 5},
    ),
    (
        "cut in the event that closes it",
        [
            start(input_tokens=10, output_tokens=1),
            *said_text("hi"),
            end(output_tokens=5),
            "event: message_stop\ndata: {",
        ],
        HI | {"input_tokens": 10, "output_tokens": 5},
    ),
    (
        "cut before the blank line behind it",
        [start(input_tokens=10, output_tokens=1), *said_text("hi"), 'data: {"type": "message_stop"}\n'],
        {key: value for key, value in HI.items() if key != "finish_reasons"} | {"input_tokens": 10, "output_tokens": 1},
    ),
    (
        "without the event that closes it",
        [start(input_tokens=10, output_tokens=1), *said_text("hi"), end(output_tokens=5)],
        HI | {"input_tokens": 10, "output_tokens": 5},
    ),
]


@pytest.mark.parametrize(("events", "facts"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
def test_streams(said: Callable[..., dict[str, Any]], events: list[Any], facts: dict[str, Any]) -> None:
    """A stream is read as the message that it makes up; of each count the last that was stated is read."""
    assert said("messages", events) == facts


@pytest.mark.parametrize(
    "body",
    [
        message({"type": "compaction", "content": "They spoke."}, {"type": "compaction", "content": None}, text("hi")),
        [
            start(),
            *block(0, {"type": "compaction", "content": None}, {"type": "compaction_delta", "content": "They spoke."}),
            *block(1, text(""), {"type": "text_delta", "text": "hi"}),
            end(),
            STOP,
        ],
    ],
    ids=["plain", "stream"],
)
def test_summaries_of_the_conversation(make: Callable[..., Exchange], body: Any) -> None:
    """A summary into which the conversation was compacted is not text of the answer, but the reply has it."""
    exchange = make("messages", body)
    assert wire.summaries(exchange) == ("They spoke.",)
    reading = wire.read(exchange)
    assert reading is not None
    assert reading.output_texts == ["hi"]


@pytest.mark.parametrize("content", ["hi", [5, {"type": "compaction", "content": 5}], []])
def test_other_contents_have_no_summaries(make: Callable[..., Exchange], content: Any) -> None:
    """A content of another form, which the reading reports, has no summary."""
    assert wire.summaries(make("messages", {**message(), "content": content})) == ()


def test_a_stream_without_event_names(said: Callable[..., dict[str, Any]]) -> None:
    """An event is recognised by the type in its data as well as by its name."""
    events = [start(input_tokens=10, output_tokens=1), *said_text("hi"), end(output_tokens=5), STOP]
    assert said("messages", [event for _, event in events]) == said("messages", events)


def test_counts_of_a_stream_have_places(read: Callable[..., Reading]) -> None:
    """A sum of counts from several events names each count, and the events."""
    events = [
        start(input_tokens=1, cache_read_input_tokens=30),
        *said_text("hi"),
        end(input_tokens=10, output_tokens=5),
        STOP,
    ]
    fact = read("messages", events).fact("input_tokens")
    assert (fact.value, fact.parts, fact.where) == (
        40,
        (("usage.input_tokens", 10), ("cache_read_input_tokens", 30)),
        "chat.yaml, exchange 3, events 0 and 4 of the response",
    )


@pytest.mark.parametrize("field", ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"])
def test_a_count_that_is_none_spoils_the_sum(read: Callable[..., Reading], field: str) -> None:
    """If one part of the input count cannot be read, the sum cannot."""
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3, field: "ten"}
    fact = read("messages", message(text("hi"), usage=usage)).fact("input_tokens")
    assert (fact.state, fact.value, fact.note) == (State.UNREADABLE, None, "'ten' is not a number")
    assert fact.parts == ((f"usage.{field}", "ten"),)


@pytest.mark.parametrize(
    ("event", "note"),
    [
        ({"type": "message_start", "message": 5}, "it has no message object"),
        ({"type": "content_block_start", "index": 0}, "it has no content_block object"),
        ({"type": "content_block_delta", "index": 0, "delta": 5}, "5 is not a delta object"),
        (
            {"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta", "text": "x"}},
            "it continues a content block that was never started",
        ),
        ({"type": "message_delta", "delta": 5}, "5 is not a delta object"),
    ],
)
def test_an_event_of_wrong_types(read: Callable[..., Reading], event: dict[str, Any], note: str) -> None:
    """An event that cannot be understood is always reported, and never passed over in silence."""
    reading = read("messages", [start(input_tokens=10, output_tokens=1), *said_text("hi"), event, STOP])
    assert reading.problems == (
        f"chat.yaml, exchange 3, events 0 to 5 of the response: event 4 cannot be read: {note}",
    )
    assert (reading.response_id, reading.fact("output_texts").state) == ("m1", State.UNREADABLE)


ODD = "event: content_block_delta\ndata: no JSON\n\n"
CACHED = {"input_tokens": 10, "cache_read_input_tokens": 30, "output_tokens": 1}
FIRST_COUNTS = {"input_tokens": 40, "cache_read_tokens": 30, "cache_write_tokens": None, "output_tokens": None}
NO_COUNTS = dict.fromkeys(FIRST_COUNTS)


@pytest.mark.parametrize(
    ("events", "counts", "written"),
    [
        ([start(**CACHED), ODD], FIRST_COUNTS, (("message.usage.output_tokens", 1),)),
        ([start(**CACHED), ODD, end(output_tokens=5), STOP], FIRST_COUNTS, (("usage.output_tokens", 5),)),
        # A server tool has read more, which may have been stated in the event that cannot be read, too.
        ([start(**CACHED), ODD, end(input_tokens=99, output_tokens=5)],
         NO_COUNTS | {"cache_read_tokens": 30}, (("usage.output_tokens", 5),)),
        ([start(**CACHED), ODD, end(cache_read_input_tokens=99, output_tokens=5)],
         NO_COUNTS, (("usage.output_tokens", 5),)),
        ([start(output_tokens=1), ODD], NO_COUNTS, (("message.usage.output_tokens", 1),)),
        ([ODD, end(output_tokens=5)], NO_COUNTS, (("usage.output_tokens", 5),)),
    ],
)  # fmt: skip
def test_what_was_read_is_fixed_by_the_first_event(
    read: Callable[..., Reading], events: list[Any], counts: dict[str, int | None], written: Any
) -> None:
    """If some event cannot be read, the input counts first stated are known, but the output count is not."""
    reading = read("messages", events)
    assert {name: reading.fact(name).value for name in counts} == counts
    assert (reading.fact("output_tokens").state, reading.fact("output_tokens").parts) == (State.UNREADABLE, written)


@pytest.mark.parametrize(
    ("delta", "note"),
    [
        ({"type": "text_delta", "text": 5}, "5 is not a string"),
        ({"type": "text_delta", "text": ["x"]}, "a list is not a string"),
    ],
)
def test_a_piece_of_a_wrong_type(read: Callable[..., Reading], delta: dict[str, Any], note: str) -> None:
    """A text with a piece of a wrong type is unreadable."""
    reading = read("messages", [start(output_tokens=1), *block(0, text("h"), delta), STOP])
    assert (reading.fact("output_texts").state, reading.fact("output_texts").note) == (State.UNREADABLE, note)


def test_usage_that_is_no_object(read: Callable[..., Reading]) -> None:
    """A usage that is not an object has no counts that can be read."""
    reading = read("messages", [start(output_tokens=1), {"type": "message_delta", "usage": "much"}, STOP])
    assert reading.fact("output_tokens").note == "'much' is not an object of counts"


ITERATION = {"type": "message", "input_tokens": 10, "output_tokens": 5}
COMPACTION = {"type": "compaction", "input_tokens": 100, "output_tokens": 30, "cache_read_input_tokens": 7}
BILLED = {
    "input_tokens": 117,
    "output_tokens": 35,
    "total_tokens": 152,
    "cache_read_tokens": 7,
    "cache_write_tokens": 0,
}


@pytest.mark.parametrize(
    ("iterations", "billed"),
    [
        ([COMPACTION, ITERATION], BILLED),
        ([ITERATION], {}),
        ([], {}),
        (None, {}),
        ([COMPACTION, 5], {}),
        ("two", {}),
        (
            [COMPACTION, {**ITERATION, "output_tokens": "five"}],
            {key: BILLED[key] for key in ("input_tokens", "cache_read_tokens", "cache_write_tokens")},
        ),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_all_iterations_are_billed(
    make: Callable[..., Exchange], iterations: Any, billed: dict[str, int], streamed: bool
) -> None:
    """A reply may list its iterations; those that compact the conversation are in no other count of it."""
    usage = {"input_tokens": 10, "output_tokens": 5, "iterations": iterations}
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
    said = [start(input_tokens=10, output_tokens=1), delta] if streamed else message(text("hi"), usage=usage)
    assert wire.billed_tokens(make("messages", said)) == billed


def test_only_anthropics_api_bills_iterations(make: Callable[..., Exchange]) -> None:
    """Replies of other APIs have no such list, and a request without a reply has none."""
    assert wire.billed_tokens(make("chat", {"usage": {"iterations": [COMPACTION, ITERATION]}})) == {}


# --- Turns that are continued ----------------------------------------------------------------------------------------

FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}


@pytest.mark.parametrize(
    ("content", "end"),
    [
        ([text("a"), text("b ")], ("text", "b")),
        ([text("a"), tool(id="srvtoolu_1")], ("id", "srvtoolu_1")),
        ([tool(id="srvtoolu_1"), FOUND], ("tool_use_id", "srvtoolu_1")),
        ([text("a"), {"type": "thinking", "thinking": "hm"}], ("text", "a")),
        ([text("a"), text(" "), 1], ("text", "a")),
        ([{"type": "thinking", "thinking": "hm"}], None),
        ([], None),
        (None, None),
    ],
)
def test_what_a_reply_ends_with(make: Callable[..., Exchange], content: Any, end: tuple[str, str] | None) -> None:
    """A reply that a request sends back is recognised by its last text or id; reasoning may be left out."""
    exchange = make("messages", {**message(stop="pause_turn"), "content": content})
    assert wire.paused_at(exchange) == end
    again = {"model": "m", "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": content}]}
    assert wire.resumed_at(make("messages", {}, asked=again).request) == end


@pytest.mark.parametrize(
    ("messages", "end"),
    [
        ([{"role": "assistant", "content": "a\n"}], ("text", "a")),
        ([{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}], None),
        (["a"], None),
        ([], None),
    ],
    ids=["a text", "not the last", "no message", "none"],
)
def test_only_a_last_message_is_continued(
    make: Callable[..., Exchange], messages: Any, end: tuple[str, str] | None
) -> None:
    """A request continues what the model has said in its last message."""
    assert wire.resumed_at(make("messages", {}, asked={"model": "m", "messages": messages}).request) == end


def test_other_apis_have_no_turns_to_continue(make: Callable[..., Exchange]) -> None:
    """Only Anthropic's API pauses a turn."""
    messages = [{"role": "assistant", "content": "a"}]
    exchange = make("chat", message(text("a"), stop="pause_turn"), asked={"model": "m", "messages": messages})
    assert (wire.paused_at(exchange), wire.resumed_at(exchange.request)) == (None, None)
