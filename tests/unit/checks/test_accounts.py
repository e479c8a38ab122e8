"""How much of its call a span can know, and how facts are put into words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.checks._account import Extent, accounts
from pytest_llmtrace.checks._words import error_in_words, said, shown
from pytest_llmtrace.model import Call, Fact, Finding, Outcome, State, StreamEnd
from pytest_llmtrace.report import render

Judged = Callable[..., list[Finding]]

EVENT = (b"data: {}\n\n",)
BLOCK = (b"data: {}\n\ndata: [DONE]\n\n",)
CRLF_BLOCK = (b"data: {}\r\n\r\ndata: [DONE]\r\n\r\n",)


@pytest.mark.parametrize(
    ("truth", "exchange", "extent"),
    [
        ({"streaming": False, "truncated": False}, {}, Extent.WHOLE),
        ({"streaming": False, "truncated": False}, {"stream_end": StreamEnd.CLOSED}, Extent.WHOLE),
        ({"streaming": True, "truncated": False}, {"chunks": EVENT}, Extent.WHOLE),
        ({"streaming": True, "truncated": True}, {"chunks": EVENT}, Extent.WHOLE),
        ({"streaming": True, "truncated": False}, {"chunks": BLOCK}, Extent.UNKNOWN),
        ({"streaming": True, "truncated": False}, {"chunks": CRLF_BLOCK}, Extent.UNKNOWN),
        ({"streaming": True, "truncated": False}, {"chunks": BLOCK, "outcome": Outcome.OBSERVED}, Extent.WHOLE),
        ({"streaming": True, "truncated": False}, {"chunks": EVENT, "stream_end": StreamEnd.CLOSED}, Extent.WHOLE),
        ({"streaming": True, "truncated": False}, {"chunks": BLOCK, "stream_end": StreamEnd.CLOSED}, Extent.UNKNOWN),
        ({"streaming": True, "truncated": True}, {"chunks": EVENT, "stream_end": StreamEnd.CLOSED}, Extent.BEGUN),
        ({"streaming": True, "truncated": True}, {"chunks": EVENT, "stream_end": StreamEnd.OPEN}, Extent.BEGUN),
        ({"streaming": True}, {"chunks": (), "stream_end": StreamEnd.CLOSED}, Extent.BEGUN),
        # The whole answer has come if only the usage was to follow, but not if one of two choices is missing.
        (
            {"streaming": True, "truncated": True, "finish_reasons": ["stop"]},
            {"chunks": EVENT, "stream_end": StreamEnd.CLOSED},
            Extent.WHOLE,
        ),
        (
            {"streaming": True, "truncated": True, "finish_reasons": ["stop"], "choice_count": 2},
            {"chunks": EVENT, "stream_end": StreamEnd.CLOSED},
            Extent.BEGUN,
        ),
        ({"streaming": True}, {"stream_end": StreamEnd.FAILED}, Extent.WHOLE),
        ({}, {"response": None, "stream_end": StreamEnd.FAILED, "outcome": Outcome.FAILED}, Extent.WHOLE),
        ({}, {"stream_end": StreamEnd.FAILED, "failure": "CancelledError: "}, Extent.BEGUN),
        ({}, {"response": None, "stream_end": StreamEnd.OPEN, "ended": None}, Extent.BEGUN),
    ],
)
def test_extent(make_call: Callable[..., Call], truth: Any, exchange: Any, extent: Extent) -> None:
    """A span can know what its client has read; if the end came in one block with the rest, it is unknown how much."""
    [account] = accounts([make_call(truth, {}, exchange=exchange)])
    assert (account.extent, account.sure) == (extent, True)


@pytest.mark.parametrize("fact", [{"finish_reasons": ["stop"]}, {"finish_reason": "stop"}])
def test_who_states_a_finish_reason_has_seen_the_end(make_call: Callable[..., Call], fact: Any) -> None:
    """A finish reason comes at the end: what such a span states is judged, but what it leaves out is not."""
    [account] = accounts([make_call({"streaming": True, "truncated": False}, fact, exchange={"chunks": BLOCK})])
    assert (account.extent, account.sure) == (Extent.WHOLE, False)


def test_refused_calls_have_no_account(make_call: Callable[..., Call]) -> None:
    """A request that nothing answered is reported by `replay/unmatched` alone."""
    assert accounts([make_call({}, {}, exchange={"outcome": Outcome.REFUSED})]) == ()


def test_messages_state_their_input_first(judged: Judged) -> None:
    """When an Anthropic stream is left early, input and cache counts and finish reason are judged, but not output."""
    wire = {"input_tokens": 60, "cache_read_tokens": 30, "output_tokens": 1, "streaming": True, "truncated": True}
    span = {"input_tokens": 10, "cache_read_tokens": 0, "output_tokens": 9, "finish_reasons": ["stop"]}
    early = {"stream_end": StreamEnd.CLOSED, "chunks": EVENT}
    found = judged(wire, span, api="messages", exchange=early)
    told = ["wire/input-tokens", "wire/cache-read-tokens", "wire/finish-reasons"]
    assert [finding.check for finding in found] == told
    assert [finding.check for finding in judged(wire, span, api="chat", exchange=early)] == ["wire/finish-reasons"]


def test_each_place_is_judged(judged: Judged) -> None:
    """A span that states a fact twice, once wrongly, has one finding, which names the wrong place."""
    other = Fact(name="input_tokens", value=9, state=State.PRESENT, parts=(("llm.token_count.prompt", 9),))
    [finding] = judged({"input_tokens": 10}, {"input_tokens": 10}, others=(other,))
    assert finding.details[0] == ("span", "llm.token_count.prompt = 9")


def test_one_fact_is_one_finding(judged: Judged) -> None:
    """A span that states a fact twice, and wrongly both times, has one finding with a line for each place."""
    other = Fact(name="input_tokens", value=8, state=State.PRESENT, parts=(("llm.token_count.prompt", 8),))
    [finding] = judged({"input_tokens": 10}, {"input_tokens": 9}, others=(other,))
    assert finding.details[0] == ("span", "gen_ai.input_tokens = 9\nllm.token_count.prompt = 8")


def test_the_text_of_the_design(make_call: Callable[..., Call]) -> None:
    """The whole text of the finding on cached tokens that were left out."""
    parts = (("usage.input_tokens", 10), ("cache_creation_input_tokens", 20), ("cache_read_input_tokens", 30))
    wire = {"input_tokens": Fact(name="input_tokens", value=60, state=State.PRESENT, parts=parts)}
    key = (("gen_ai.usage.input_tokens", 10),)
    span = {"input_tokens": Fact(name="input_tokens", value=10, state=State.PRESENT, parts=key)}
    call = make_call(wire, span, api="messages", record={"kind": "CLIENT"})
    evidence = Evidence(calls=(call,), exchanges=call.exchanges, spans=call.spans)
    headline, finding, _ = render("test_chat", evidence, verify(evidence, {})).split("\n\n")
    assert headline.startswith("llmtrace: 1 finding in test_chat (1 exchange, 1 LLM span, ")
    assert finding == (
        "error  wire/input-tokens  span 'chat' (app)\n"
        "       span   gen_ai.usage.input_tokens = 10\n"
        "       wire   usage.input_tokens 10 + cache_creation_input_tokens 20 + cache_read_input_tokens 30 = 60\n"
        "              cassettes/chat.yaml, interaction 0, exchange 0, response body\n"
        "       why    input counts include cached tokens (OTel GenAI, Anthropic); cost dashboards will be too low\n"
        "       next   fix the instrumentation, or waive: "
        '@pytest.mark.llmtrace(ignore={"wire/input-tokens": "reason"})'
    )


# --- Words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's", '"it\'s"'),
        ("x" * 2000, f"'{'x' * 80}'... (2,000 characters)"),
        (list(range(9)), "[0, 1, 2, 3, 4, 5, and 3 more]"),
        ({"a": [1]}, "{'a': [1]}"),
        (True, "True"),
        (None, "None"),
        (0.00125, "0.00125"),
        (b"x" * 200, f"{b'x' * 200!r}"[:80] + "..."),
    ],
)
def test_values_are_shown_short(value: Any, text: str) -> None:
    """Any value is shown on one line, cut if it is long."""
    assert shown(value) == text


def test_a_number_that_python_refuses_to_write() -> None:
    """An integer of thousands of digits is shown as its size in bits."""
    assert shown(1 << 20000) == "an integer of 20001 bits"


def test_many_places_are_counted() -> None:
    """A fact with many parts is shown with its first three keys, and the number of the others."""
    parts = tuple((f"choices[{index}].finish_reason", "stop") for index in range(5))
    fact = Fact(name="finish_reasons", value=["stop"] * 5, state=State.PRESENT, parts=parts)
    keys = "choices[0].finish_reason, choices[1].finish_reason, choices[2].finish_reason and 2 more"
    assert said(fact, "finish reasons") == f"{keys} = ['stop', 'stop', 'stop', 'stop', 'stop']"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"status": 429, "type": "rate_limit_error", "code": "429", "message": "Slow"}, "429 rate_limit_error 'Slow'"),
        ({"status": None, "type": None, "code": None, "message": None}, "an error without a message"),
        ({"type": ["odd"], "code": {"x": 1}, "message": 7}, "['odd'] {'x': 1} 7"),
    ],
)
def test_errors_in_words(error: Any, text: str) -> None:
    """An error is shown by its status, type, code and message, each once, whatever values they have."""
    assert error_in_words(error) == text
