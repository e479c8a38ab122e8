"""The `backend/` checks judge how OpenObserve will show spans, in the release profile that the team names, if any."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, refuse_backend, verify
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Finding, SpanKey
from pytest_llmtrace.pairing import pair

Make = Callable[..., Any]
Judge = Callable[..., list[Finding]]

NOW = 1_800_000_000 * 10**9
REPLY = {
    "id": "chatcmpl-1",
    "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "A standard."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
}
GOOD: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 5,
}
OPENINFERENCE: dict[str, Any] = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o",
    "llm.token_count.prompt": 12,
    "llm.token_count.completion": 5,
    "input.value": "What is a span?",
}


@pytest.fixture
def judged(make_span: Make, make_exchange: Make) -> Judge:
    """Judge a call whose span is inside another span, by the checks of the family `backend/`."""

    def judged(attributes: dict[str, Any], around: dict[str, Any] | None = None, **evidence: Any) -> list[Finding]:
        exchange = make_exchange(span=2, chunks=(json.dumps(REPLY).encode(),))
        outer = make_span(1, name="agent", attributes=around or {}, start_ns=NOW, end_ns=NOW + 1)
        inner = make_span(2, parent=1, attributes=attributes, start_ns=NOW, end_ns=NOW + 1)
        seen = Evidence(
            exchanges=(exchange,),
            spans=(outer, inner),
            calls=pair((exchange,), (outer, inner)),
            **{"openobserve": "0.92", "now_ns": NOW, **evidence},
        )
        assert seen.calls[0].spans == (inner,)
        return [finding for finding in verify(seen, {}).findings if finding.check.startswith("backend/")]

    return judged


def said(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.check, str(finding.severity), dict(finding.details)["stored"]) for finding in findings]


SERVER = "OpenObserve 0.92 (v0.92.0 and later, as of August 2026)"


@pytest.mark.parametrize("profile", ["0.70", "0.90", "0.91", "0.92"])
def test_a_good_span(judged: Judge, profile: str) -> None:
    """A span with everything in OTel GenAI's names has no finding in any release."""
    assert judged(GOOD, openobserve=profile) == []


def test_who_does_not_use_it_sees_nothing(judged: Judge) -> None:
    """Without a profile, no check of the family looks at anything."""
    assert judged(SPANS["gate"][0], openobserve=None) == []


def test_openinference(judged: Judge) -> None:
    """A right OpenInference span lacks only the provider, which is the server's gap and so a note, not a failure."""
    expected = f"gen_ai_provider_name is empty: OpenObserve does not read what the span says\n{SERVER}"
    assert said(judged(OPENINFERENCE)) == [("backend/provider", "info", expected)]


SPANS: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "gate": (
        {"gen_ai.response.model": "gpt-4o", "gen_ai.usage.input_tokens": 12},
        [("backend/gate", "error", SERVER)],
    ),
    "a kind that comes first": (
        {**OPENINFERENCE, "gen_ai.system": "openai", "traceloop.span.kind": "task"},
        [("backend/operation", "warning", f"gen_ai_operation_name = 'task'\n{SERVER}")],
    ),
    "no model": (
        {key: value for key, value in GOOD.items() if key != "gen_ai.request.model"},
        [("backend/model", "warning", f"gen_ai_response_model is empty\n{SERVER}")],
    ),
    "two counts": (
        {**GOOD, "llm.token_count.prompt": 20},
        [("backend/tokens", "warning", f"gen_ai_usage_total_tokens = 25\n{SERVER}")],
    ),
    "cached tokens beside": (
        {**GOOD, "cache_read_input_tokens": 8},
        [("backend/tokens", "warning", f"gen_ai_usage_total_tokens = 25\n{SERVER}")],
    ),
    "clash": (
        {**GOOD, "team.name": "a", "team_name": "b"},
        [("backend/clash", "warning", "team.name and team_name become one column: team_name")],
    ),
    "clash with the status": (
        {**GOOD, "status.code": "x"},
        [("backend/clash", "warning", "status.code and the status of the span become one column: status_code")],
    ),
    "base column": (
        {**GOOD, "duration": 3},
        [("backend/base-column", "info", "duration is stored as attr_duration\nOpenObserve 0.92")],
    ),
}


@pytest.mark.parametrize(("attributes", "expected"), SPANS.values(), ids=SPANS.keys())
def test_faults_of_a_span(judged: Judge, attributes: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    """Each fault is one finding, with what the server shows."""
    assert said(judged(attributes)) == expected


def test_an_overwritten_base_column(judged: Judge) -> None:
    """Before 0.91, an attribute with the name of a base column takes the column's place."""
    found = said(judged({**GOOD, "operation_name": "mine"}, openobserve="0.90"))
    expected = "operation_name has the value of the attribute operation_name\nOpenObserve 0.90"
    assert found == [("backend/base-column", "warning", expected)]


def test_overwritten_usage(judged: Judge) -> None:
    """0.91 overwrites a count that the client sent under the column's own name with its own count."""
    found = said(judged({**GOOD, "llm.token_count.prompt": 20}, openobserve="0.91"))
    shown = "gen_ai_usage_input_tokens = 20\ngen_ai_usage_total_tokens = 25"
    assert found == [("backend/tokens", "warning", f"{shown}\nOpenObserve 0.91 (v0.91.0 to v0.91.5)")]


def test_a_sum_that_counts_twice(judged: Judge) -> None:
    """An agent that repeats the counts of its calls doubles the sum of the column; one without counts does not."""
    agent = {"gen_ai.operation.name": "invoke_agent"}
    counts = {"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 5}
    expected = "gen_ai_usage_total_tokens = 17, and 1 span inside it has 17\nOpenObserve 0.92"
    assert said(judged(GOOD, {**agent, **counts})) == [("backend/double-count", "warning", expected)]
    assert judged(GOOD, agent) == []


def test_a_sum_that_is_told_already(judged: Judge) -> None:
    """A count on a span that says no more about itself is found by another check, for all back ends."""
    assert judged(GOOD, {"gen_ai.request.max_tokens": 5, "gen_ai.usage.input_tokens": 12}) == []


@pytest.mark.parametrize(("hours", "drops"), [(-4, False), (-6, True), (23, False), (25, True)])
def test_the_time_window(judged: Judge, hours: int, drops: bool) -> None:
    """The server drops spans that start more than 5 hours before now or more than 24 hours after."""
    found = judged(GOOD, now_ns=NOW - hours * 3600 * 10**9)
    assert [finding.check for finding in found] == ["backend/dropped"] * drops


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llm_model_name", []),
        ("llm_usage_tokens_input", ["backend/empty-column"]),
        ("input_value", ["backend/removed"]),
        ("llm_token_count_prompt", ["backend/text"]),
        ("gen_ai_usage_cost", []),
    ],
)
def test_named_columns(judged: Judge, name: str, expected: list[str]) -> None:
    """The report says which of the team's named columns are empty, removed or text; the server computes the price."""
    found = judged({**OPENINFERENCE, "gen_ai.system": "openai"}, openobserve_columns=(name,))
    assert [finding.check for finding in found] == expected


@pytest.mark.parametrize(("profile", "expected"), [("0.92", []), ("0.90", ["backend/text"])])
def test_a_count_that_is_a_number_in_the_stream(judged: Judge, profile: str, expected: list[str]) -> None:
    """A count on a span that is no call is text, unless a call gives the stream its types, as from 0.91 on."""
    name, task = "gen_ai_usage_input_tokens", {"gen_ai.usage.input_tokens": 12}
    found = judged(GOOD, task, openobserve=profile, openobserve_columns=(name,))
    assert [finding.check for finding in found if finding.check == "backend/text"] == expected


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gen_ai_response_modl", "; did you mean gen_ai_response_model?"),
        ("llm_observation_type", "; did you mean gen_ai_operation_name?"),
        ("llm_usage_cost_total", "; did you mean gen_ai_usage_cost?"),
        ("_o2_llm_model_parameters_max_tokens", "; did you mean gen_ai_request_max_tokens?"),
        ("llm_completion_start_time", ""),
    ],
)
def test_a_named_column_of_another_name(judged: Judge, name: str, meant: str) -> None:
    """The finding suggests this release's name for a column of other releases, or else the nearest name."""
    found = judged({**GOOD, "gen_ai.request.max_tokens": 5}, openobserve_columns=(name,))
    assert said(found) == [
        ("backend/empty-column", "warning", f"2 spans stored, none with this column{meant}\nOpenObserve 0.92")
    ]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"openobserve": "0.5"}, r"unknown OpenObserve profile '0\.5'"),
        ({"openobserve_columns": "one"}, "takes a list of names"),
    ],
)
def test_what_has_no_meaning(said: dict[str, Any], error: str) -> None:
    """An unknown profile and columns that are not a list are refused."""
    with pytest.raises(UsageError, match=error):
        refuse_backend(**said)


def test_keys_are_of_spans(judged: Judge) -> None:
    """A finding names its span by the span's key."""
    assert judged(SPANS["gate"][0])[0].span == SpanKey(1, 2)


def test_a_number_that_nobody_writes(judged: Judge) -> None:
    """Python refuses to write a number with thousands of digits; the finding gives its size in bits."""
    (finding,) = judged({**GOOD, "gen_ai.usage.input_tokens": 2**20_000})
    assert finding.check == "backend/tokens"
    assert "gen_ai.usage.input_tokens = an integer of 20001 bits" in dict(finding.details)["span"]


def test_an_attribute_that_looks_moved(judged: Judge) -> None:
    """An attribute whose name begins with `attr` is not a sign that another one was moved out of its column."""
    assert judged({**GOOD, "kind": "a", "attr.kind": "b"}) == []


def test_the_column_of_arrival(judged: Judge) -> None:
    """A dashboard may name this column, since the server fills it."""
    assert judged(GOOD, openobserve_columns=["_o2_ingest_ts"]) == []


@pytest.mark.parametrize("profile", ["0.70", "0.90", "0.91", "0.92"])
def test_an_attribute_of_the_name_of_a_status(judged: Judge, profile: str) -> None:
    """The server overwrites such an attribute with the span's own status, in every release."""
    found = said(judged({**GOOD, "status_code": 200}, openobserve=profile))
    lost = f"status_code has the status of the span, not the value of the attribute\nOpenObserve {profile}"
    assert found == [("backend/base-column", "warning", lost)]
