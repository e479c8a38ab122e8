"""States, places and notes of facts, and the facts of requests and headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import wire
from pytest_llmtrace.model import Ambient, Exchange, Outcome, Reading, Request, State
from pytest_llmtrace.reading import VOCABULARY

STEM = "chat.yaml, exchange 3"
GIVEN = {"max_tokens": 5, "temperature": 0, "top_p": 0.5, "top_k": -1, "seed": -7, "n": 2, "stop": ["a", "b"]}


@pytest.mark.parametrize(
    ("asked", "facts"),
    [
        (
            {**GIVEN, "frequency_penalty": -1.5, "presence_penalty": 2, "stream": True},
            {"max_tokens": 5, "temperature": 0, "top_p": 0.5, "top_k": -1, "seed": -7, "choice_count": 2}
            | {"stop": ["a", "b"], "frequency_penalty": -1.5, "presence_penalty": 2, "streaming": True},
        ),
        (
            {"max_completion_tokens": 5, "max_tokens": 9, "stop": "a"},
            {"max_tokens": 5, "stop": ["a"], "streaming": False},
        ),
        ({"seed": 7.0, "max_tokens": 5.0}, {"seed": 7, "max_tokens": 5, "streaming": False}),
        ({"max_output_tokens": 5, "stream": None}, {"max_tokens": 5, "streaming": False}),
        ({"stop_sequences": ["a"], "random_seed": 7, "stream": False}, {"stop": ["a"], "seed": 7, "streaming": False}),
    ],
    ids=["all", "openai", "whole floats", "responses", "others"],
)
def test_what_a_request_asks_for(read: Callable[..., Reading], asked: dict[str, Any], facts: dict[str, Any]) -> None:
    """The parameters of a request are read under any of their names, with the values that stand there."""
    found = read("chat", {}, asked=asked).facts
    there = {
        name: fact.value
        for name, fact in found.items()
        if fact.where == f"{STEM}, request body" and fact.state == "present"
    }
    assert there == facts | {"request_model": "asked"}


def test_an_azure_deployment_is_a_model(read: Callable[..., Reading]) -> None:
    """If the body names no model, the path of an Azure deployment does."""
    url = "https://r.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=1"
    fact = read("chat", {}, asked={"model": None}, url=url).fact("request_model")
    assert (fact.value, fact.place) == ("my gpt", f"deployments, {STEM}, request URL")


@pytest.mark.parametrize(
    ("name", "asked", "note"),
    [
        ("temperature", {"temperature": "hot"}, "'hot' is not a number"),
        ("temperature", {"temperature": float("nan")}, "nan is not a finite number"),
        ("max_tokens", {"max_tokens": 1.5}, "1.5 is not a whole number"),
        ("max_tokens", {"max_tokens": 10**30}, "1000000000000000000000000000000 is out of range for a count"),
        ("stop", {"stop": ["a", 1]}, "1 is not a string"),
        ("stop", {"stop": {}}, "an object is neither a string nor a list of strings"),
        ("streaming", {"stream": "true"}, "'true' is neither true nor false"),
        ("seed", {"seed": True}, "true is not a number"),
        ("seed", {"seed": 0.5}, "0.5 is not a whole number"),
        ("request_model", {"model": ["a"]}, "a list is not a string"),
    ],
)
def test_a_request_of_wrong_types(read: Callable[..., Reading], name: str, asked: dict[str, Any], note: str) -> None:
    """A value of a wrong type is never converted; the fact says what stood there."""
    fact = read("chat", {}, asked=asked).fact(name)
    assert (fact.state, fact.value, fact.note) == (State.UNREADABLE, None, note)
    assert [key for key, _ in fact.parts] == list(asked)


@pytest.mark.parametrize(
    ("count", "state", "value", "note"),
    [
        (10, State.PRESENT, 10, ""),
        (0, State.PRESENT, 0, ""),
        (12.0, State.PRESENT, 12, ""),
        (None, State.NULL, None, ""),
        (12.5, State.UNREADABLE, None, "12.5 is not a whole number"),
        ("12", State.UNREADABLE, None, "'12' is not a number"),
        (True, State.UNREADABLE, None, "true is not a number"),
        (-1, State.UNREADABLE, None, "-1 is out of range for a count"),
        (2**63, State.UNREADABLE, None, "9223372036854775808 is out of range for a count"),
        (1e300, State.UNREADABLE, None, "1e+300 is out of range for a count"),
        ([1], State.UNREADABLE, None, "a list is not a number"),
        ("x" * 50, State.UNREADABLE, None, f"'{'x' * 40}'... is not a number"),
    ],
)
def test_counts(read: Callable[..., Reading], count: Any, state: State, value: int | None, note: str) -> None:
    """A count is a whole number of at least 0; null and other values are told apart."""
    fact = read("chat", {"usage": {"prompt_tokens": count}}).fact("input_tokens")
    assert (fact.state, fact.value, fact.note) == (state, value, note)
    assert fact.parts == (("usage.prompt_tokens", count),)


@pytest.mark.parametrize(
    ("body", "name", "state", "note"),
    [
        ({}, "input_tokens", State.ABSENT, ""),
        ({"usage": None}, "input_tokens", State.NULL, ""),
        ({"usage": "much"}, "input_tokens", State.UNREADABLE, "'much' is not an object of counts"),
        (
            {"usage": {"prompt_tokens_details": []}},
            "cache_read_tokens",
            State.UNREADABLE,
            "a list is not an object of counts",
        ),
        ({"id": 7}, "response_id", State.UNREADABLE, "7 is not a string"),
        ({"model": None}, "response_model", State.NULL, ""),
        ({"choices": None}, "output_texts", State.NULL, ""),
        ({"choices": []}, "output_texts", State.ABSENT, ""),
        ({"choices": {}}, "output_texts", State.UNREADABLE, "an object is not a list of choices"),
        ({"choices": [1]}, "finish_reasons", State.UNREADABLE, "1 is not a choice object"),
        ({"choices": [{"finish_reason": None}]}, "finish_reasons", State.NULL, ""),
        ({"choices": [{"finish_reason": 1}]}, "finish_reasons", State.UNREADABLE, "1 is not a string"),
        ({"choices": [{"message": 1}]}, "output_texts", State.UNREADABLE, "1 is not an object"),
        ({"choices": [{"message": {"content": 1}}]}, "output_texts", State.UNREADABLE, "1 is not a string"),
        ({"choices": [{"message": {"content": [1]}}]}, "output_texts", State.UNREADABLE, "1 is not a content part"),
        ({"choices": [{"message": {"content": None}}]}, "output_texts", State.NULL, ""),
        ({"choices": [{"message": {"tool_calls": None}}]}, "tool_calls", State.NULL, ""),
        (
            {"choices": [{"message": {"tool_calls": {}}}]},
            "tool_calls",
            State.UNREADABLE,
            "an object is not a list of tool calls",
        ),
        (
            {"choices": [{"message": {"tool_calls": [1]}}]},
            "tool_calls",
            State.UNREADABLE,
            "1 is not a tool call object",
        ),
        (
            {"choices": [{"message": {"tool_calls": [{}]}}]},
            "tool_calls",
            State.UNREADABLE,
            "a tool call has neither a function object nor a custom one",
        ),
        (
            {"choices": [{"message": {"reasoning_details": {}}}]},
            "reasoning_texts",
            State.UNREADABLE,
            "an object is not a list",
        ),
        ({"choices": [{"message": {"reasoning_details": [1]}}]}, "reasoning_texts", State.ABSENT, ""),
        ({"usage": {"cost": "0.1"}}, "cost", State.UNREADABLE, "'0.1' is not a number"),
    ],
)
def test_states(read: Callable[..., Reading], body: dict[str, Any], name: str, state: State, note: str) -> None:
    """Absent, null and unreadable are three states; null has no value, and unreadable says why."""
    fact = read("chat", body).fact(name)
    assert (fact.state, fact.value, fact.note) == (state, None, note)


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ({"content": {}}, "an object is not a list of content blocks"),
        ({"content": [1]}, "1 is not a content block object"),
        ({"content": [{"type": "text", "text": 1}]}, "1 is not a string"),
    ],
)
def test_blocks_of_wrong_types(read: Callable[..., Reading], body: dict[str, Any], note: str) -> None:
    """A message whose content has a wrong type has no text, and says why."""
    assert read("messages", body).fact("output_texts").note == note


@pytest.mark.parametrize(
    ("output", "note"),
    [
        ({}, "an object is not a list of output items"),
        ([1], "1 is not an output item object"),
        ([{"type": "message", "content": {}}], "an object is not a list of parts"),
        ([{"type": "message", "content": [1]}], "1 is not a part object"),
    ],
)
def test_items_of_wrong_types(read: Callable[..., Reading], output: Any, note: str) -> None:
    """A response whose output has a wrong type has no text, and says why."""
    assert read("responses", {"output": output}).fact("output_texts").note == note


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("response_model", "model"),
        ("input_tokens", "usage.prompt_tokens"),
        ("cache_read_tokens", "usage.prompt_tokens_details.cached_tokens"),
        ("output_texts", "choices[0].message.content"),
        ("finish_reasons", "choices[0].finish_reason"),
    ],
)
def test_places(read: Callable[..., Reading], name: str, place: str) -> None:
    """Each fact names the field that it was read from, and the body."""
    usage = {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 0}}
    choice = {"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}
    fact = read("chat", {"model": "m", "usage": usage, "choices": [choice]}).fact(name)
    assert fact.place == f"{place}, {STEM}, response body"


def test_places_of_a_stream(read: Callable[..., Reading]) -> None:
    """A fact from one event names that event; a fact from all of them names them all."""
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]}
    reading = read("chat", [chunk, {**chunk, "x_groq": {"usage": {"prompt_tokens": 1}}}])
    assert reading.fact("response_id").place == f"id, {STEM}, event 0 of the response"
    assert reading.fact("input_tokens").place == f"x_groq.usage.prompt_tokens, {STEM}, event 1 of the response"
    assert reading.fact("output_texts").place == f"choices[0].delta.content, {STEM}, events 0 to 1 of the response"


LITELLM = (
    ("x-litellm-call-id", "call-1"),
    ("X-LiteLLM-Model-Name", "openai/gpt-4o-mini"),
    ("x-litellm-response-cost", "1.5e-05"),
    ("llm_provider-x-ratelimit-limit-requests", "9"),
    ("x-ratelimit-remaining-requests", "7"),
)


@pytest.mark.parametrize(
    ("api", "headers", "facts"),
    [
        (
            "chat",
            LITELLM,
            {"request_id": "call-1", "served_model": "openai/gpt-4o-mini", "cost": 1.5e-05}
            | {"rate_limit": {"x-ratelimit-remaining-requests": "7"}},
        ),
        ("chat", (("X-Request-Id", "r1"), ("apim-request-id", "r2")), {"request_id": "r1"}),
        ("messages", (("x-request-id", "r2"), ("Request-Id", "r1")), {"request_id": "r1"}),
        (
            "messages",
            (("Anthropic-RateLimit-Tokens-Limit", "5"), ("anthropic-organization-id", "o")),
            {"rate_limit": {"anthropic-ratelimit-tokens-limit": "5"}},
        ),
        ("chat", (("x-inference-provider", "together"),), {"provider": "together"}),
        ("chat", (("retry-after", "2"),), {"retry_after": 2.0}),
        ("chat", (("retry-after", "2"), ("retry-after-ms", "1500")), {"retry_after": 1.5}),
        (
            "chat",
            (("date", "Wed, 21 Oct 2026 07:28:00 GMT"), ("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")),
            {"retry_after": 30.0},
        ),
        (
            "chat",
            (("date", "Wed, 21 Oct 2026 07:28:00 GMT"), ("retry-after", "Wed, 21 Oct 2026 07:00:00 GMT")),
            {"retry_after": 0.0},
        ),
    ],
    ids=["litellm", "openai", "anthropic", "limits", "router", "seconds", "milliseconds", "date", "past"],
)
def test_headers(
    said: Callable[..., dict[str, Any]], api: str, headers: tuple[tuple[str, str], ...], facts: dict[str, Any]
) -> None:
    """Values that a gateway states in headers are read, in whichever letter case the names are written."""
    assert said(api, {}, headers=headers) == {"truncated": False} | facts


@pytest.mark.parametrize(
    ("headers", "note"),
    [
        ((("retry-after", "soon"),), "'soon' is not a time to wait"),
        ((("retry-after", "-1"),), "'-1' is not a time to wait"),
        ((("retry-after-ms", "nan"),), "'nan' is not a time to wait"),
        (
            (("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT"),),
            "'Wed, 21 Oct 2026 07:28:30 GMT' is a date, but the response has no date of its own to count from",
        ),
    ],
)
def test_no_time_to_wait(read: Callable[..., Reading], headers: tuple[tuple[str, str], ...], note: str) -> None:
    """A `retry-after` that is not a time to wait is unreadable."""
    fact = read("chat", {}, status=429, headers=headers).fact("retry_after")
    assert (fact.state, fact.note) == (State.UNREADABLE, note)


def test_no_response() -> None:
    """If no response came, its facts are absent, but the request is read."""
    exchange = Exchange(
        index=3,
        request=Request(method="POST", url="https://x/v1/chat/completions", body=b'{"model": "m", "messages": []}'),
        response=None,
        outcome=Outcome.FAILED,
        origin="chat.yaml",
        ambient=Ambient(),
        started=1,
    )
    reading = wire.read(exchange)
    assert reading is not None
    assert (set(reading.facts), reading.problems) == ({"request_model", "streaming"}, ())
    assert reading.fact("error").where == f"{STEM}, no response"


@pytest.mark.parametrize("api", ["chat", "completions", "messages", "responses"])
def test_every_fact_is_looked_for(read: Callable[..., Reading], api: str) -> None:
    """A call that makes text has a place for all facts but those of embeddings and steps, summaries, and times."""
    sums = {"model", "finish_reason", "tool_call_count", "tool_call_names", "error_type"}
    embeddings = {"dimensions", "embedding_count", "embedding_dimensions"}
    steps = {"tool_call_id", "tool_name", "tool_arguments", "tool_result"}
    of_messages = {"input_tool_calls", "tools", "tool_definitions"} if api == "completions" else set()
    looked_for = {name for name in VOCABULARY if read(api, {}).has_place_for(name)}
    assert looked_for == VOCABULARY.keys() - sums - embeddings - steps - of_messages - {
        "time_to_first_token",
        "latency",
    }
