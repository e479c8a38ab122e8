"""An attribute that is missing, and is there under nearly its name: the next step is to rename it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.conventions import profile
from pytest_llmtrace.model import MetricPoint
from pytest_llmtrace.pairing import pair

Make = Callable[..., Any]
Steps = Callable[..., dict[str, str]]

NOW = 1_800_000_000 * 10**9
REPLY = {
    "id": "chatcmpl-1",
    "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "A standard."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
}
GENAI: dict[str, Any] = {
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
}
READ_USAGE = (
    "read the usage of the reply; of a stream, from its last chunks (OpenAI-shaped: ask for it with "
    "stream_options.include_usage)"
)


@pytest.fixture
def steps(make_span: Make, make_exchange: Make) -> Steps:
    """Judge the span of a call; return the next step of each finding, without the advice to waive it."""

    def steps(attributes: Mapping[str, Any], **evidence: Any) -> dict[str, str]:
        exchange = make_exchange(span=1, chunks=(json.dumps(REPLY).encode(),))
        span = make_span(1, name="chat", attributes=dict(attributes), start_ns=NOW, end_ns=NOW + 1)
        seen = Evidence(exchanges=(exchange,), spans=(span,), calls=pair((exchange,), (span,)), now_ns=NOW, **evidence)
        found = verify(seen, {}).findings
        return {finding.check: dict(finding.details)["next"].partition(", or waive:")[0] for finding in found}

    return steps


def _renamed(attributes: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """Return attributes with other names: the keyword is the last word of the name that is replaced."""
    return {names.get(name.rpartition(".")[2], name): value for name, value in attributes.items()}


@pytest.mark.parametrize(
    "name",
    ["gen_ai.usage.input_token", "gen_ai.usage.inputTokens", "gen_ai.usage.input.tokens", "gen_ai.usage.imput_tokens"],
)
def test_a_count_that_is_misspelt_is_named(steps: Steps, name: str) -> None:
    """Whoever reads that the input is missing looks at a span that has it, and does not see why it is not found."""
    found = steps(_renamed(GENAI, input_tokens=name))
    assert found["wire/usage-missing"] == f"the span has {name}: rename it gen_ai.usage.input_tokens"


def test_each_dialect_has_its_own_names(steps: Steps) -> None:
    """A span is read by the names of its dialect, and so these are what its attributes are to be called."""
    found = steps(_renamed(OPENINFERENCE, prompt="llm.token_count.promt"))
    assert found["wire/usage-missing"] == "the span has llm.token_count.promt: rename it llm.token_count.prompt"


def test_both_counts_can_be_misspelt(steps: Steps) -> None:
    """Each of them is named."""
    found = steps(_renamed(GENAI, input_tokens="gen_ai.usage.input_token", output_tokens="gen_ai.usage.output_token"))
    assert found["wire/usage-missing"] == (
        "the span has gen_ai.usage.input_token: rename it gen_ai.usage.input_tokens; "
        "the span has gen_ai.usage.output_token: rename it gen_ai.usage.output_tokens"
    )


def test_what_is_there_under_no_name_keeps_its_advice(steps: Steps) -> None:
    """Of two counts, one is misspelt; the other has to be read from the reply."""
    attributes = _renamed(GENAI, input_tokens="gen_ai.usage.input_token")
    del attributes["gen_ai.usage.output_tokens"]
    assert steps(attributes)["wire/usage-missing"] == (
        f"the span has gen_ai.usage.input_token: rename it gen_ai.usage.input_tokens; {READ_USAGE}"
    )


@pytest.mark.parametrize(
    "others",
    [
        {"gen_ai.usage.cache_read.input_tokens": 3},  # Another attribute of the convention.
        {"gen_ai.usage.output_tokens": 5},
        {"gen_ai.usage.text_input_tokens": 3},  # A part of the input, with a word of its own.
        {"app.input_tokens": 3},  # Not nearly the name of a convention.
    ],
)
def test_another_name_is_not_a_misspelt_one(steps: Steps, others: dict[str, Any]) -> None:
    """The advice to rename an attribute that means something else would make a second fault."""
    attributes = _renamed(GENAI)
    del attributes["gen_ai.usage.input_tokens"]
    assert steps({**attributes, **others})["wire/usage-missing"] == READ_USAGE


def test_a_required_attribute(steps: Steps) -> None:
    """A rule of a convention names what is nearly the attribute that it requires."""
    found = steps(_renamed(OPENINFERENCE, system="llm.sytem"))
    assert found["convention/required"] == "the span has llm.sytem: rename it llm.system"


def test_an_attribute_that_is_required_under_a_condition(steps: Steps) -> None:
    """The same for what a convention requires of some calls only."""
    found = steps(_renamed(OPENINFERENCE, model_name="llm.model-name"), profiles=(profile("openinference"),))
    assert found["convention/conditional"] == "the span has llm.model-name: rename it llm.model_name"


def test_what_opens_openobserve_s_pages(steps: Steps) -> None:
    """The columns of OpenObserve are filled from attributes too."""
    found = steps(_renamed(OPENINFERENCE, kind="openinference.span.type"), openobserve="0.92")
    assert "backend/gate" not in found
    attributes = {**_renamed(GENAI, model="gen_ai.request.modle"), "gen_ai.provider.name": "openai"}
    assert steps(attributes, openobserve="0.92")["backend/model"] == (
        "the span has gen_ai.request.modle: rename it gen_ai.request.model"
    )


def test_a_span_that_is_not_read_as_a_call(steps: Steps) -> None:
    """A span lacks the attribute that makes it an LLM span, and has nearly that one."""
    attributes = {"gen_ai.request.modle": "gpt-4o", "gen_ai.usage.input_tokens": 12}
    assert steps(attributes)["structure/exchange-without-span"] == (
        "if span 'chat' (app) is meant to describe this call, make it an LLM span: "
        "the span has gen_ai.request.modle: rename it gen_ai.request.model"
    )


def test_a_metric(steps: Steps) -> None:
    """The attributes of a measurement are named in the same way."""
    point = MetricPoint(
        name="gen_ai.client.operation.duration",
        unit="s",
        kind="histogram",
        scope="app",
        attributes={"gen_ai.operation.nane": "chat", "gen_ai.provider.name": "openai"},
        count=1,
        value=1.0,
    )
    found = steps(GENAI, metrics=(point,), profiles=(profile("genai-2026-10"),))
    assert found["convention/metric-required"] == (
        "the metric has gen_ai.operation.nane: rename it gen_ai.operation.name"
    )


@pytest.mark.parametrize("name", ["error_type", "errorType", "error.typ"])
def test_the_type_of_an_error(make_span: Make, make_exchange: Make, name: str) -> None:
    """The span of a failed call that has its reason under another name."""
    exchange = make_exchange(span=1, status=429, chunks=(b'{"error": {"message": "slow down"}}',))
    attributes = {**GENAI, name: "RateLimitError"}
    span = make_span(1, name="chat", attributes=attributes, status="ERROR", start_ns=NOW, end_ns=NOW + 1)
    found = verify(Evidence(exchanges=(exchange,), spans=(span,), calls=pair((exchange,), (span,))), {}).findings
    steps = {finding.check: dict(finding.details)["next"] for finding in found}
    assert steps["wire/error-reason"] == (
        f"the span has {name}: rename it error.type, or waive: "
        '@pytest.mark.llmtrace(ignore={"wire/error-reason": "reason"})'
    )
