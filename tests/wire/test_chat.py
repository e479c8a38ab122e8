"""Chat completions and completions, in the form of each gateway: bodies and streams are read whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import wire
from pytest_llmtrace.model import Exchange, Reading, State

DONE = "data: [DONE]\n\n"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
COUNTS = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
HI = {
    "truncated": False,
    "response_id": "c1",
    "response_model": "m1",
    "finish_reasons": ["stop"],
    "output_texts": ["hi"],
}


def reply(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    """Return a reply with one choice, in the form of OpenAI's API reference."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "c1", "model": "m1", "object": "chat.completion", "choices": [choice], **more}


def chunk(
    delta: dict[str, Any] | None = None, finish: str | None = None, *, index: int = 0, **more: Any
) -> dict[str, Any]:
    """Return a chunk of a stream with one choice, in the form of OpenAI's API reference."""
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    return {"id": "c1", "model": "m1", "object": "chat.completion.chunk", "choices": choices, **more}


def details(**counts: int) -> dict[str, Any]:
    return {**USAGE, "prompt_tokens_details": counts}


JSON: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # OpenAI, API reference.
    (
        "openai",
        reply(
            {"content": "hi", "refusal": None},
            usage={
                **details(cached_tokens=4, audio_tokens=2),
                "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 1},
            },
        ),
        HI
        | COUNTS
        | {"cache_read_tokens": 4, "input_audio_tokens": 2, "reasoning_tokens": 3, "output_audio_tokens": 1},
    ),
    ("a refusal", reply({"content": None, "refusal": "no"}), HI | {"refusals": ["no"], "output_texts": None}),
    # Azure reports what was filtered, and why.
    (
        "azure",
        reply({"content": ""}, "content_filter", prompt_filter_results=[{"prompt_index": 0}]),
        HI | {"finish_reasons": ["content_filter"], "output_texts": [""]},
    ),
    # OpenRouter reports the upstream, the cost and reasoning; the numbers are those of its documentation.
    (
        "openrouter",
        reply(
            {"content": "hi", "reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
            provider="Chutes",
            usage={**details(cached_tokens=4, cache_write_tokens=6), "cost": 0.002},
        ),
        HI
        | COUNTS
        | {"provider": "Chutes", "cost": 0.002, "cache_read_tokens": 4, "cache_write_tokens": 6}
        | {"reasoning_texts": ["hm"]},
    ),
    (
        "openrouter, reasoning only in detail",
        reply(
            {
                "content": "hi",
                "reasoning": None,
                "reasoning_details": [{"summary": "a"}, {"text": "b"}, {"type": "reasoning.encrypted", "data": "x"}],
            }
        ),
        HI | {"reasoning_texts": ["ab"]},
    ),
    # LiteLLM Proxy with a model of Anthropic has both generations of cache counts.
    (
        "litellm",
        reply(
            {"content": "hi", "reasoning_content": "hm"},
            usage={**USAGE, "cache_creation_input_tokens": 6, "cache_read_input_tokens": 4},
        ),
        HI | COUNTS | {"cache_read_tokens": 4, "cache_write_tokens": 6, "reasoning_texts": ["hm"]},
    ),
    # Recorded from Together, DeepSeek and Mistral: each has its own name for tokens from a cache.
    ("together", reply({"content": "hi"}, usage={**USAGE, "cached_tokens": 4}), HI | COUNTS | {"cache_read_tokens": 4}),
    (
        "deepseek",
        reply({"content": "hi", "reasoning_content": "hm"}, usage={**USAGE, "prompt_cache_hit_tokens": 4}),
        HI | COUNTS | {"cache_read_tokens": 4, "reasoning_texts": ["hm"]},
    ),
    (
        "mistral",
        reply({"content": "hi"}, usage={**USAGE, "num_cached_tokens": 4}),
        HI | COUNTS | {"cache_read_tokens": 4},
    ),
    (
        "mistral, thinking",
        reply(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "hi"},
                ]
            }
        ),
        HI | {"reasoning_texts": ["hm"]},
    ),
    # xAI, "Consumption and rate limits": reasoning tokens are counted beside the completion, as the total shows.
    (
        "xai",
        reply(
            {"content": "hi", "reasoning_content": "hm"},
            usage={**USAGE, "total_tokens": 18, "completion_tokens_details": {"reasoning_tokens": 3}},
        ),
        HI
        | {
            "input_tokens": 10,
            "output_tokens": 8,
            "total_tokens": 18,
            "reasoning_tokens": 3,
            "reasoning_texts": ["hm"],
        },
    ),
    (
        "reasoning in a total that is no sum",
        reply(
            {"content": "hi"},
            usage={**USAGE, "total_tokens": 99, "completion_tokens_details": {"reasoning_tokens": 3}},
        ),
        HI | COUNTS | {"total_tokens": 99, "reasoning_tokens": 3},
    ),
    # Recorded from Snowflake: empty texts, where other servers write a value or nothing.
    (
        "snowflake",
        {**reply({"content": "hi", "refusal": "", "function_call": {"name": "", "arguments": ""}}, ""), "id": ""},
        HI | {"response_id": "", "finish_reasons": [""]},
    ),
    (
        "pydantic",
        reply({"content": "hi"}, usage={**USAGE, "pydantic_ai_gateway": {"cost_estimate": 0.01}}),
        HI | COUNTS | {"cost": 0.01},
    ),
    # Perplexity states what each part cost, and the total.
    (
        "perplexity",
        reply({"content": "hi"}, usage={**USAGE, "cost": {"output_tokens_cost": 0.01, "total_cost": 0.015}}),
        HI | COUNTS | {"cost": 0.015},
    ),
    # Recorded from Hyper: the cost is in two currencies.
    (
        "hyper",
        reply({"content": "hi"}, usage={**USAGE, "cost": {"usd": 0.015, "hypercredits": 0.3}}),
        HI | COUNTS | {"cost": 0.015},
    ),
    # OpenAI, API reference: the transcript of an answer that was spoken.
    (
        "spoken",
        reply({"content": None, "audio": {"id": "a", "data": "AA==", "expires_at": 1, "transcript": "hi"}}),
        HI,
    ),
    # Recorded from Groq: reasoning beside the answer.
    ("groq", reply({"content": "hi", "reasoning": "hm"}, x_groq={"id": "r"}), HI | {"reasoning_texts": ["hm"]}),
    ("vllm", reply({"content": "hi", "tool_calls": []}, usage=USAGE), HI | COUNTS),
    (
        "several choices, out of order",
        {
            "id": "c1",
            "model": "m1",
            "choices": [
                {"index": 1, "message": {"content": None}, "finish_reason": "length"},
                {"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"},
            ],
        },
        HI | {"finish_reasons": ["stop", "length"], "output_texts": ["hi", None]},
    ),
    (
        "tool calls",
        reply(
            {
                "content": None,
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
                    {"id": "b", "type": "function", "function": {"name": "g", "arguments": ""}},
                    {"id": "c", "type": "custom", "custom": {"name": "h", "input": "print()"}},
                ],
            },
            "tool_calls",
        ),
        HI
        | {
            "output_texts": None,
            "finish_reasons": ["tool_calls"],
            "tool_calls": [
                {"id": "a", "name": "f", "arguments": {"x": 1}},
                {"id": "b", "name": "g", "arguments": ""},
                {"id": "c", "name": "h", "arguments": "print()"},
            ],
        },
    ),
    (
        "a function call of old",
        reply({"content": None, "function_call": {"name": "f", "arguments": "{"}}, "function_call"),
        HI
        | {
            "output_texts": None,
            "finish_reasons": ["function_call"],
            "tool_calls": [{"id": None, "name": "f", "arguments": "{"}],
        },
    ),
]


@pytest.mark.parametrize(("body", "facts"), [row[1:] for row in JSON], ids=[row[0] for row in JSON])
def test_replies(said: Callable[..., dict[str, Any]], body: dict[str, Any], facts: dict[str, Any]) -> None:
    """A reply is read in each gateway's form, and nothing is read that it does not say."""
    assert said("chat", body) == {name: value for name, value in facts.items() if value is not None}


STREAMS: list[tuple[str, list[Any], dict[str, Any]]] = [
    # OpenAI: the transcript of an answer that was spoken.
    (
        "spoken",
        [
            chunk({"role": "assistant", "content": None, "audio": {"id": "a"}}),
            chunk({"audio": {"data": "AA=="}}),
            chunk({"audio": {"transcript": "h"}}),
            chunk({"audio": {"transcript": "i"}}),
            chunk({}, "stop"),
            DONE,
        ],
        HI,
    ),
    # SDKs read nothing after the end.
    ("more behind the end", [chunk({"content": "hi"}), chunk({}, "stop"), DONE, "data: <html>\n\n"], HI),
    # OpenAI sends the usage last, in a chunk without choices, if it was asked for.
    (
        "openai",
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "h"}),
            chunk({"content": "i"}),
            chunk({}, "stop"),
            chunk(usage=USAGE),
            DONE,
        ],
        HI | COUNTS,
    ),
    ("openai, no usage", [chunk({"content": "hi"}, usage=None), chunk({}, "stop", usage=None), DONE], HI),
    # Azure's first chunk says only what was filtered.
    (
        "azure",
        [
            {"id": "", "model": "", "choices": [], "prompt_filter_results": []},
            chunk({"content": "hi"}),
            chunk({}, "stop"),
            DONE,
        ],
        HI,
    ),
    # OpenRouter sends comments, two finish chunks, and the usage in a chunk with choices.
    (
        "openrouter",
        [
            ": OPENROUTER PROCESSING\n\n",
            chunk({"content": "hi", "reasoning": "h"}, provider="Chutes"),
            chunk({"content": "", "reasoning": "m"}, "stop", provider="Chutes"),
            chunk({"content": ""}, "stop", provider="Chutes", usage={**USAGE, "cost": 0.002}),
            DONE,
        ],
        HI | COUNTS | {"provider": "Chutes", "cost": 0.002, "reasoning_texts": ["hm"]},
    ),
    # LiteLLM Proxy sends the usage in a chunk with an empty delta, which is not the last chunk.
    (
        "litellm",
        [chunk({"content": "hi"}), chunk({}, "stop"), chunk({}, usage=USAGE), chunk({}, usage=None), DONE],
        HI | COUNTS,
    ),
    # Groq sends the usage in an object of its own.
    (
        "groq",
        [chunk({"content": "hi"}, x_groq={"id": "r"}), chunk({}, "stop", x_groq={"id": "r", "usage": USAGE}), DONE],
        HI | COUNTS,
    ),
    # Moonshot sends the usage in the finished choice, unless it was asked to send it at the end.
    (
        "moonshot",
        [
            chunk({"content": "hi"}),
            {
                "id": "c1",
                "model": "m1",
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}],
            },
            DONE,
        ],
        HI | COUNTS,
    ),
    # Mistral, z.ai, Together and DeepSeek send the usage in the finish chunk.
    ("mistral", [chunk({"content": "hi"}), chunk({"content": ""}, "stop", usage=USAGE), DONE], HI | COUNTS),
    (
        "mistral, thinking",
        [
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
            chunk({"content": "h"}),
            chunk({"content": "i"}, "stop"),
            DONE,
        ],
        HI | {"reasoning_texts": ["hm"]},
    ),
    (
        "deepseek",
        [
            chunk({"content": None, "reasoning_content": "hm"}),
            chunk({"content": "hi", "reasoning_content": None}, "stop"),
            DONE,
        ],
        HI | {"reasoning_texts": ["hm"]},
    ),
    # Snowflake: an empty finish reason counts as none if there is another.
    ("snowflake", [chunk({"content": "h"}, ""), chunk({"content": "i"}, "stop"), chunk({}, "")], HI),
    # vLLM sends the usage so far in each chunk.
    (
        "vllm",
        [chunk({"content": "hi"}, usage={**USAGE, "completion_tokens": 1}), chunk({}, "stop", usage=USAGE), DONE],
        HI | COUNTS,
    ),
    ("no [DONE]", [chunk({"content": "hi"}), chunk({}, "stop")], HI),
    (
        "a refusal",
        [chunk({"refusal": "n"}), chunk({"refusal": "o"}, "stop"), DONE],
        HI | {"refusals": ["no"], "output_texts": None},
    ),
    (
        "choices interleaved",
        [
            chunk({"content": "o"}, index=1),
            chunk({"content": "h"}),
            chunk({"content": "k"}, "length", index=1),
            chunk({"content": "i"}, "stop"),
            DONE,
        ],
        HI | {"output_texts": ["hi", "ok"], "finish_reasons": ["stop", "length"]},
    ),
    (
        "reasoning only in detail",
        [
            chunk({"content": "hi", "reasoning_details": [{"type": "reasoning.text", "text": "h"}]}),
            chunk({"reasoning_details": [{"type": "reasoning.summary", "summary": "m"}]}, "stop"),
        ],
        HI | {"reasoning_texts": ["hm"]},
    ),
    # The choices of a usage chunk may be null.
    ("choices null", [chunk({"content": "hi"}, "stop"), {"choices": None, "usage": USAGE}, DONE], HI | COUNTS),
    (
        "whole messages",
        [{"id": "c1", "model": "m1", "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}],
        HI,
    ),
    (
        "choices without index",
        [{"id": "c1", "model": "m1", "choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}],
        HI,
    ),
]


@pytest.mark.parametrize(("events", "facts"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
def test_streams(said: Callable[..., dict[str, Any]], events: list[Any], facts: dict[str, Any]) -> None:
    """A stream is read as the reply that it makes up, wherever its gateway puts each value."""
    assert said("chat", events) == {name: value for name, value in facts.items() if value is not None}


def test_usage_in_a_choice(read: Callable[..., Reading]) -> None:
    """Usage in one choice is read with its place, in several choices it is not; the whole stream's is preferred."""
    last = chunk({}, "stop")
    last["choices"][0]["usage"] = USAGE
    fact = read("chat", [chunk({"content": "hi"}), last, DONE]).fact("input_tokens")
    assert (fact.keys, fact.where) == (
        "choices[].usage.prompt_tokens",
        "chat.yaml, exchange 3, event 1 of the response",
    )
    other = {**last, "choices": [{**last["choices"][0], "index": 1}]}
    assert read("chat", [last, other, DONE]).input_tokens is None
    assert read("chat", [last, chunk(usage={**USAGE, "prompt_tokens": 11}), DONE]).input_tokens == 11


def call(**fragment: Any) -> dict[str, Any]:
    return chunk({"tool_calls": [fragment]})


TOOLS = {"tool_calls": [{"id": "a", "name": "f", "arguments": {"x": 1}}, {"id": "b", "name": "g", "arguments": {}}]}


@pytest.mark.parametrize(
    "fragments",
    [
        # OpenAI goes by index; the fragments of parallel calls may alternate.
        [
            call(index=0, id="a", function={"name": "f", "arguments": ""}),
            call(index=1, id="b", function={"name": "g", "arguments": "{"}),
            call(index=0, function={"arguments": '{"x":'}),
            call(index=1, function={"arguments": "}"}),
            call(index=0, function={"arguments": " 1}"}),
        ],
        # Without an index, fragments go by id, and a fragment without an id continues the latest call.
        [
            call(id="a", function={"name": "f", "arguments": '{"x":'}),
            call(id="b", function={"name": "g", "arguments": "{"}),
            call(id="a", function={"arguments": " 1}"}),
            call(function={"arguments": "}"}),
        ],
        # Every call has index 0, as from servers that send calls whole.
        [
            call(index=0, id="a", function={"name": "f", "arguments": '{"x": 1}'}),
            call(index=0, id="b", function={"name": "g", "arguments": "{}"}),
        ],
        # Name and id are repeated in each fragment.
        [
            call(index=0, id="a", function={"name": "f", "arguments": '{"x":'}),
            call(index=0, id="a", function={"name": "f", "arguments": " 1}"}),
            call(index=7, id="b", function={"name": "g", "arguments": "{}"}),
        ],
        # A hostile server sends such indexes.
        [
            call(index=-1, id="a", function={"name": "f", "arguments": '{"x": 1}'}),
            call(index=10**30, id="b", function={"name": "g", "arguments": "{}"}),
        ],
    ],
    ids=["index", "id", "all number 0", "repeated", "hostile"],
)
def test_parallel_tool_calls_of_a_stream(said: Callable[..., dict[str, Any]], fragments: list[Any]) -> None:
    """Tool calls are put together from their fragments, however the server tells them apart."""
    facts = said("chat", [*fragments, chunk({}, "tool_calls"), DONE])
    assert {"tool_calls": facts["tool_calls"]} == TOOLS


@pytest.mark.parametrize("place", [{"index": 0}, {"index": 0, "id": ""}, {}])
def test_tool_calls_without_ids(said: Callable[..., dict[str, Any]], place: dict[str, Any]) -> None:
    """A name after complete arguments begins another call; a name that is repeated or continued does not."""
    fragments = [
        call(**place, function={"name": "f", "arguments": '{"x":'}),
        call(**place, function={"name": "f", "arguments": " 1}"}),
        call(**place, function={"name": "f", "arguments": "\n"}),
        call(**place, function={"name": "f", "arguments": '{"x": 2}'}),
        call(**place, function={"name": "get_", "arguments": ""}),
        call(**place, function={"name": "g", "arguments": "{}"}),
    ]
    calls = said("chat", [*fragments, chunk({}, "tool_calls"), DONE])["tool_calls"]
    assert [(call["name"], call["arguments"]) for call in calls] == [("f", {"x": 1}), ("f", {"x": 2}), ("get_g", {})]


def test_a_function_call_of_old_in_a_stream(said: Callable[..., dict[str, Any]]) -> None:
    """The single function call of the API before tools comes in fragments as well."""
    events = [
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "[1]"}}),
        DONE,
    ]
    assert said("chat", events)["tool_calls"] == [{"id": None, "name": "f", "arguments": [1]}]


def test_a_custom_tool_call_in_a_stream(said: Callable[..., dict[str, Any]]) -> None:
    """A tool without a schema is called with a text, which comes in fragments."""
    fragments = [
        call(index=0, id="a", type="custom", custom={"name": "f", "input": ""}),
        call(index=0, custom={"input": "ls"}),
    ]
    assert said("chat", [*fragments, DONE])["tool_calls"] == [{"id": "a", "name": "f", "arguments": "ls"}]


def test_a_name_in_fragments(said: Callable[..., dict[str, Any]]) -> None:
    """A name may come in fragments as well, like all texts of a delta."""
    fragments = [
        call(index=0, id="a", function={"name": "get_"}),
        call(index=0, function={"name": "it", "arguments": "{}"}),
    ]
    assert said("chat", [*fragments, DONE])["tool_calls"] == [{"id": "a", "name": "get_it", "arguments": {}}]


@pytest.mark.parametrize(
    ("event", "name", "note"),
    [
        (chunk({"content": 5}), "output_texts", "5 is not a string"),
        (chunk({"content": [1]}), "output_texts", "1 is not a content part"),
        (chunk({"refusal": {}}), "refusals", "an object is not a string"),
        (chunk({"tool_calls": 5}), "tool_calls", "5 is not a list of tool calls"),
        (chunk({"tool_calls": [5]}), "tool_calls", "5 is not a tool call object"),
        (chunk({"tool_calls": [{"index": 0, "function": {"name": 5}}]}), "tool_calls", "5 is not a string"),
        (chunk({"tool_calls": [{"index": 0, "function": 5}]}), "tool_calls", "a tool call has no name"),
        (chunk({"tool_calls": [{"index": 0, "id": 5, "function": {"name": "f"}}]}), "tool_calls", "5 is not a string"),
        (chunk({"function_call": 5}), "tool_calls", "a tool call has neither a function object nor a custom one"),
        ({"choices": [{"index": 0, "delta": 5}]}, "output_texts", "5 is not an object"),
        ({"choices": 5}, "output_texts", "5 is not a list of choices"),
        ({"choices": [5]}, "output_texts", "5 is not a choice object"),
        (chunk({}, 5), "finish_reasons", "5 is not a string"),  # type: ignore[arg-type]
        (chunk({}, usage="much"), "input_tokens", "'much' is not an object of counts"),
    ],
)
def test_a_stream_of_wrong_types(read: Callable[..., Reading], event: dict[str, Any], name: str, note: str) -> None:
    """A fragment of a wrong type is never passed over in silence: the value that it belongs to is unreadable."""
    fact = read("chat", [chunk({"content": "hi"}), event, DONE]).fact(name)
    assert (fact.state, fact.note) == (State.UNREADABLE, note)


def test_a_stream_of_another_api(read: Callable[..., Reading]) -> None:
    """Where no event has a field of a chunk, as in Writer's completions, nothing is read, and nothing called cut."""
    reading = read("completions", [{"value": " wanted"}, {"value": "!"}])
    fact = reading.fact("output_texts")
    note = "event 0 cannot be read: it has no field of a chunk of this API"
    assert (fact.state, fact.note, reading.truncated) == (State.UNREADABLE, note, False)
    assert read("completions", [{"value": " wanted"}, {"id": "cmpl-1"}]).problems == ()


def event(body: dict[str, Any]) -> str:
    """Write an event without the blank line that closes it."""
    return f"data: {json.dumps(body)}\n"


FIRST = chunk({"content": "hi"})
LAST = chunk({}, "stop")


@pytest.mark.parametrize(
    ("events", "asked", "truncated"),
    [
        ([FIRST, LAST, DONE], {}, False),
        ([FIRST, LAST], {}, False),
        ([FIRST, DONE], {}, False),
        ([FIRST], {}, True),
        ([": OPENROUTER PROCESSING\n\n"], {}, True),
        # The stream was cut within an event: what follows the finish reason, such as the usage, is lost.
        ([FIRST, LAST, 'data: {"id": "c1", "us'], {}, True),
        ([FIRST, LAST, "data: {"], {}, True),
        # It was cut within its end, or after the usage: nothing is lost.
        *(([FIRST, LAST, f"data: {'[DONE]'[:length]}"], {}, False) for length in (1, 2, 5)),
        ([FIRST, LAST, chunk(usage=USAGE), 'data: {"id": "c1", '], {}, False),
        # It was cut before the blank line that closes an event: no client is given that event.
        ([FIRST, event(LAST)], {}, True),
        ([FIRST, LAST, event(chunk(usage=USAGE))], {}, True),
        ([FIRST, event({"error": {"message": "died"}})], {}, False),
        ([FIRST, 'event: error\ndata: {"error": {"mess'], {}, True),
        ([FIRST, LAST, 'event: error\ndata: {"error": {"mess'], {}, True),
        ([FIRST, "event: error\ndata: died\n"], {}, False),
        ([FIRST, LAST, "data: [DONE]\n"], {}, False),
        ([FIRST, "data: [DONE] or so\n\n"], {}, False),
        ([FIRST, LAST], {"n": 2}, True),
        ([FIRST, LAST, chunk({}, "stop", index=1)], {"n": 2}, False),
        # An error ends a stream as well.
        ([FIRST, {"error": {"message": "died"}}], {}, False),
        ([FIRST, "event: error\ndata: Internal Server Error\n\n"], {}, False),
    ],
)
def test_a_cut_stream(
    said: Callable[..., dict[str, Any]],
    events: list[Any],
    asked: dict[str, Any],
    truncated: bool,
) -> None:
    """A stream that ends without a finish reason, `[DONE]` or an error was cut; what came before is read."""
    assert said("chat", events, asked=asked)["truncated"] is truncated


def test_an_event_that_is_not_closed_says_nothing(said: Callable[..., dict[str, Any]]) -> None:
    """Clients wait for the blank line after an event: a count in an event without one is on no span."""
    found = said("chat", [FIRST, LAST, event(chunk(usage=USAGE))])
    assert "output_tokens" not in found
    assert (found["output_texts"], found["finish_reasons"]) == (["hi"], ["stop"])


@pytest.mark.parametrize("rest", [": ping\n", "event: x\n", "event: x", "id: 7\n", " ", "\n", "retry: 5\r\n"])
@pytest.mark.parametrize("lines", ["\n", "\r\n", "\r"])
def test_what_is_closed_stays_so(said: Callable[..., dict[str, Any]], lines: str, rest: str) -> None:
    """A stream that broke off after a blank line, in what is not an event, has lost nothing of the event before."""
    whole = "".join(f"{event(one)}\n" for one in [FIRST, LAST, chunk(usage=USAGE)]).replace("\n", lines)
    found = said("chat", [whole + rest])
    assert (found["output_texts"], found["finish_reasons"], found["output_tokens"]) == (["hi"], ["stop"], 5)
    assert found["truncated"] is False


@pytest.mark.parametrize("closing", ["\n\r\n", "\r\n\n", "\r\r\n", "\n\r"])
def test_mixed_ends_of_lines_close_an_event(said: Callable[..., dict[str, Any]], closing: str) -> None:
    """Each of the three line endings may follow another, and two of them are a blank line."""
    assert said("chat", [FIRST, event(LAST).rstrip() + closing])["finish_reasons"] == ["stop"]


def test_half_an_error_is_none(read: Callable[..., Reading]) -> None:
    """An error that broke off in the middle of its object reached no client, and says nothing."""
    assert read("chat", [FIRST, 'event: error\ndata: {"error": {"mess']).error is None
    assert read("chat", [FIRST, event({"error": {"message": "died"}})]).fact("error").value["message"] == "died"


def test_an_event_that_is_closed_was_not_cut(read: Callable[..., Reading]) -> None:
    """If a blank line closes half an object, the client raises there, so the stream was not just cut."""
    reading = read("chat", [FIRST, 'data: {"id": "c1", \n\n'])
    assert "event 1 cannot be read" in reading.problems[0]
    assert read("chat", [FIRST, 'data: {"id": "c1", \n']).problems == ()


def test_nothing_is_heard_behind_an_error(said: Callable[..., dict[str, Any]]) -> None:
    """OpenAI's SDK raises at an error and reads no further; a later usage may be on the span of a client that does."""
    counted = chunk({}, usage=USAGE)
    behind = [chunk({"content": "!"}), LAST, chunk(usage=USAGE | {"completion_tokens": 99}), {"error": "again"}]
    found = said("chat", [FIRST, {"error": {"message": "died"}}, *behind])
    assert (found["output_texts"], "finish_reasons" in found) == (["hi"], False)
    assert (found["error"]["message"], found["output_tokens"]) == ("died", 99)
    assert said("chat", [FIRST, counted, {"error": {"message": "died"}}, *behind])["output_tokens"] == 5
    failed = chunk({"content": ""}, "error") | {"error": {"message": "died"}}
    assert said("chat", [FIRST, LAST, failed])["finish_reasons"] == ["stop"]
    assert said("chat", [FIRST, failed])["finish_reasons"] == ["error"]
    # No SDK raises at the error of a choice.
    assert said("chat", [FIRST, {"choices": [{"index": 0, "error": "x"}]}, *behind[:2]])["output_texts"] == ["hi!"]


OPENAI = "https://api.openai.com/v1/chat/completions"
NULL = chunk({"content": "hi"}) | {"usage": None}
WITH_USAGE = {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("events", "how", "truncated"),
    [
        ([FIRST, LAST], {"asked": WITH_USAGE, "url": OPENAI}, True),
        ([FIRST, LAST, DONE], {"asked": WITH_USAGE, "url": OPENAI}, False),
        ([FIRST, LAST, chunk(usage=USAGE)], {"asked": WITH_USAGE, "url": OPENAI}, False),
        ([FIRST, chunk({}, "stop", usage=USAGE)], {"asked": WITH_USAGE, "url": OPENAI}, False),
        ([FIRST, LAST], {"asked": {"stream_options": {"include_usage": False}}, "url": OPENAI}, False),
        ([FIRST, LAST], {"asked": {"stream_options": 5}, "url": OPENAI}, False),
        ([FIRST, LAST], {"url": OPENAI}, False),
        # Some servers send neither usage nor [DONE]; this may be such a server, unless a null announces a usage.
        ([FIRST, LAST], {"asked": WITH_USAGE}, False),
        ([NULL, LAST], {"asked": WITH_USAGE}, True),
        ([NULL, LAST], {}, False),
        ([NULL, LAST, DONE], {"asked": WITH_USAGE}, False),
        ([FIRST, LAST, {"error": {"message": "died"}}], {"asked": WITH_USAGE, "url": OPENAI}, False),
    ],
)
def test_a_stream_that_was_cut_before_its_usage(
    said: Callable[..., dict[str, Any]], events: list[Any], how: dict[str, Any], truncated: bool
) -> None:
    """The requested usage comes after the finish reason; a stream without it, and without its end, was cut."""
    assert said("chat", events, **how)["truncated"] is truncated


def test_completions(said: Callable[..., dict[str, Any]]) -> None:
    """A completion has texts and no messages; two prompts with two choices each make four choices."""
    choices = [{"index": number, "text": str(number), "finish_reason": "stop"} for number in range(4)]
    body = {"id": "c1", "model": "m1", "choices": choices, "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    facts = {
        "truncated": False,
        "response_id": "c1",
        "response_model": "m1",
        "finish_reasons": ["stop"] * 4,
        "output_texts": ["0", "1", "2", "3"],
        "choice_count": 2,
    }
    asked = {"prompt": ["a", "b"], "n": 2}
    assert said("completions", body, asked=asked) == facts | {"input_tokens": 2, "total_tokens": 2}
    events = [{"id": "c1", "model": "m1", "choices": [choice]} for choice in choices]
    assert said("completions", events, asked=asked) == facts
    assert said("completions", events[:3], asked=asked)["truncated"] is True


@pytest.mark.parametrize("arguments", ["{", "NaN", '{"x": Infinity}', "[" * 100_000, "1" * 5000, " "])
def test_arguments_that_are_no_json(said: Callable[..., dict[str, Any]], arguments: str) -> None:
    """Arguments that are not JSON by the letter of its standard are kept as text."""
    calls = [{"id": "a", "function": {"name": "f", "arguments": arguments}}]
    assert said("chat", reply({"tool_calls": calls}))["tool_calls"][0]["arguments"] == arguments


SEARCH = {"index": 0, "type": "search", "arguments": '{"query": "Oslo"}'}


@pytest.mark.parametrize(
    ("said", "calls"),
    [
        (
            reply({"content": "hi", "executed_tools": [SEARCH, {**SEARCH, "arguments": "{}"}]}),
            ((None, '{"query": "Oslo"}'), (None, "{}")),
        ),
        ([chunk({"executed_tools": [SEARCH]}), chunk({"executed_tools": [5]})], ((None, '{"query": "Oslo"}'),)),
        (reply({"content": "hi", "executed_tools": "none"}), ()),
        (reply({"content": "hi"}), ()),
        ({"id": "c1", "choices": 5}, ()),
    ],
)
def test_calls_that_the_server_made_itself(
    make: Callable[..., Exchange], said: Any, calls: tuple[tuple[None, str], ...]
) -> None:
    """Groq's compound systems state the tools that they have used; these are not calls for the client to make."""
    exchange = make("chat", said)
    assert wire.executed_calls(exchange) == calls
    reading = wire.read(exchange)
    assert reading is not None
    assert reading.tool_calls is None
