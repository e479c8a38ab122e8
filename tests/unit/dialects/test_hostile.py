"""Whatever attributes a span has, reading it ends, raises nothing, and gives values that can be shown and compared."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmtrace import dialects
from pytest_llmtrace.dialects._builtin import BUILT_IN
from pytest_llmtrace.model import Reading, SpanKey, SpanRecord, State
from pytest_llmtrace.reading import VOCABULARY

Reader = Callable[..., Reading]

KEYS = sorted({key for dialect in BUILT_IN for _, place in dialect.places for key in place.keys})
PREFIXES = sorted({place.prefix for dialect in BUILT_IN for _, place in dialect.places if place.prefix})
SCOPES = ["app", "com.anthropic.sdk.python", "logfire.anthropic", "logfire.openai", *PREFIXES]
OPENINGS: list[dict[str, Any]] = [
    {"openinference.span.kind": "LLM"},
    {"llm.request.type": "chat"},
    {"gen_ai.operation.name": "chat"},
    {"gen_ai.operation.name": "chat", "openinference.span.kind": "LLM", "gen_ai.latency_ms": 1},
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4)
words = st.sampled_from(
    ["parts", "type", "text", "content", "tool_call", "arguments", "id", "name", "finish_reason", "message", "usage"]
)
nested = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=12,
)
dumped = nested.map(lambda value: json.dumps(value, default=str))
values = nested | dumped | dumped.map(lambda text: text[:-1])
steps = st.sampled_from(["0", "1", "-1", "999999999", "9" * 5000, "\N{SUPERSCRIPT TWO}", "", "message", "contents"])
tails = st.lists(
    steps | st.sampled_from(["content", "tool_calls", "tool_call", "function", "arguments", "embedding", "vector"]),
    max_size=6,
).map(".".join)
keys = st.sampled_from(KEYS) | st.builds(str.__add__, st.sampled_from(PREFIXES), tails)


@settings(max_examples=400)
@given(
    opening=st.sampled_from(OPENINGS),
    scope=st.sampled_from(SCOPES),
    attributes=st.dictionaries(keys, values, max_size=8),
)
def test_nothing_is_raised(opening: dict[str, Any], scope: str, attributes: dict[str, Any]) -> None:
    """Any values under any of the keys are read; each fact is in one of the four states, and can be shown."""
    span = SpanRecord(key=SpanKey(1, 1), name="chat", scope=scope, attributes={**attributes, **opening})
    reading = dialects.read(span)
    assert reading is not None
    for fact in (*reading.facts.values(), *reading.others):
        assert fact.name in VOCABULARY
        assert (fact.value is None) == (fact.state is not State.PRESENT)
        assert bool(fact.note) == (fact.state is State.UNREADABLE)
        assert fact.place.endswith(" on span 'chat'")
        repr(fact)


@settings(max_examples=100)
@given(attributes=st.dictionaries(st.text(max_size=5) | keys, values, max_size=8))
def test_recognising_raises_nothing(attributes: dict[str, Any]) -> None:
    """`is_llm` and `read` always agree on whether a span is an LLM span."""
    span = SpanRecord(key=SpanKey(1, 1), name="chat", attributes=attributes)
    assert dialects.is_llm(span) is (dialects.read(span) is not None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("openinference.span.kind", ["LLM"]),
        ("gen_ai.operation.name", {"chat": 1}),
        ("llm.request.type", ["chat"]),
    ],
)
def test_kinds_that_are_no_text(key: str, value: Any) -> None:
    """A span whose kind is not a string is not an LLM span."""
    assert not dialects.is_llm(SpanRecord(key=SpanKey(1, 1), name="chat", attributes={key: value}))


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, "[" * 5000 + "]" * 5000, "9" * 10_000, '"' + "\\ud800" * 1000 + '"'],
    ids=["opened", "objects", "deep", "number", "surrogates"],
)
@pytest.mark.parametrize("key", ["llm.invocation_parameters", "llm.output_messages.0.message.content"])
def test_texts_that_are_much(read: Reader, key: str, text: str) -> None:
    """JSON of any depth and length is read, or reported as unreadable in a short note."""
    reading = read({"openinference.span.kind": "LLM", key: text})
    assert all(len(fact.note) < 200 for fact in reading.facts.values())
    assert all(len(problem) < 200 for problem in reading.problems)


def test_numbers_that_are_huge(read: Reader) -> None:
    """A number that Python refuses to print is unreadable, and shown by its size, even inside a structured value."""
    call = {"type": "tool_call", "arguments": {"a": 10**5000}}
    reading = read(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 10**5000,
            "gen_ai.output.messages": [{"parts": [call]}],
        }
    )
    fact = reading.fact("input_tokens")
    assert fact.parts == (("gen_ai.usage.input_tokens", "a number of 16610 bits"),)
    assert (fact.state, fact.note) == (State.UNREADABLE, "a number of 16610 bits is too large")
    assert reading.problems == ("gen_ai.output.messages on span 'chat': it cannot be shown",)


def test_structures_that_are_deep(read: Reader) -> None:
    """A structured value that is nested too deeply to be compared is unreadable."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    reading = read({"gen_ai.operation.name": "chat", "gen_ai.output.messages": deep})
    assert reading.problems == ("gen_ai.output.messages on span 'chat': it is nested more than 200 levels deep",)


def test_arguments_that_are_deep_stay_text(read: Reader) -> None:
    """Arguments of a tool call that are nested too deeply are kept as text."""
    text = "[" * 300 + "]" * 300
    reading = read({"openinference.span.kind": "LLM", "llm.output_messages.0.message.tool_calls.0.tool_call.id": "a"})
    assert reading.tool_calls == [{"id": "a", "name": None, "arguments": None}]
    key = "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments"
    assert read({"openinference.span.kind": "LLM", key: text}).tool_calls == [
        {"id": None, "name": None, "arguments": text}
    ]


def test_indexes(read: Reader) -> None:
    """Messages are in the order of their indexes, which may have gaps; a segment other than an index is skipped."""
    out = "llm.output_messages"
    reading = read(
        {
            "openinference.span.kind": "LLM",
            f"{out}.999999999.message.content": "last",
            f"{out}.10.message.content": "second",
            f"{out}.9.message.content": "first",
            f"{out}.{'9' * 5000}.message.content": "nowhere",
            f"{out}.x.message.content": "nowhere",
            f"{out}.\N{ARABIC-INDIC DIGIT THREE}.message.content": "nowhere",
            f"{out}.": "nowhere",
        }
    )
    assert reading.output_texts == ["first", "second", "last"]


def test_linear(read: Reader) -> None:
    """Ten times the attributes take about ten times as long, not a hundred times."""
    assert _seconds(read, 4000) < 40 * _seconds(read, 400)


def _seconds(read: Reader, size: int) -> float:
    prefix = "llm.output_messages.0.message.tool_calls"
    attributes: dict[str, Any] = {"openinference.span.kind": "LLM"}
    for index in range(size):
        attributes[f"llm.output_messages.{index}.message.content"] = "hi"
        attributes[f"llm.input_messages.{index}.message.content"] = "hi"
        attributes[f"{prefix}.{index}.tool_call.function.name"] = "weather"

    def once() -> float:
        started = time.process_time()
        read(attributes)
        return time.process_time() - started

    return min(once() for _ in range(3))
