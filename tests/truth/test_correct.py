"""Correct instrumentations, written by hand in each convention, give no finding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

import pytest

from pytest_llmtrace import wire
from pytest_llmtrace.checks import Evidence
from pytest_llmtrace.compare._cases import Case, every_case
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Reading, Settings, State
from tests.truth._calls import Caller, Instrumentation
from tests.truth._dialects import DIALECTS
from tests.truth._odd_cases import ODD_CASES

# Some cassettes name models that are deprecated now.
pytestmark = pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")

CASES: Final = (*every_case(), *ODD_CASES)

# Facts that a convention has no attribute for; our reader looks for them nevertheless, since others write them.
UNSAID: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(facts.split())
    for name, facts in {
        "openinference": "response_model",  # The convention has one place for the model.
        "otel-genai": "total_tokens cost",
        "otel-genai, older names": "streaming total_tokens cost reasoning_tokens input_audio_tokens output_audio_tokens"
        " input_messages input_tool_calls tools tool_definitions output_texts tool_calls refusals reasoning_texts"
        " embedding_dimensions",
        "openllmetry": "cost input_audio_tokens output_audio_tokens embedding_dimensions choice_count refusals seed",
        "logfire": "embedding_dimensions",
        "langfuse": "finish_reasons",
        "mlflow": "",
        "hand-written": "streaming response_id finish_reasons output_texts tool_calls cost temperature top_p top_k stop"
        " input_messages input_tool_calls tools tool_definitions reasoning_texts reasoning_tokens",
        "anthropic-native": "finish_reasons output_texts tool_calls cost reasoning_texts reasoning_tokens"
        " input_messages input_tool_calls tools tool_definitions",
    }.items()
}


def groups() -> Mapping[str, tuple[Case, ...]]:
    """Group the cases by source, gateway and API: `scripted openai chat`."""
    found: defaultdict[str, list[Case]] = defaultdict(list)
    for case in CASES:
        found[f"{case.id.partition(':')[0]} {case.gateway} {wire.identify(case.request)}"].append(case)
    return {name: tuple(cases) for name, cases in found.items()}


GROUPS: Final = groups()
SPOKEN: Final = [
    pytest.param(dialect, group, id=f"{dialect}-{group}")
    for dialect, writer in DIALECTS.items()
    for group in GROUPS
    if group.rpartition(" ")[2] in writer.apis
]


def play(caller: Caller, instrumentation: Instrumentation, case: Case) -> tuple[Evidence, str]:
    """Make one call; return the evidence, and the report if there is any finding."""
    with LLMTrace(settings=Settings(label=case.id, verify=False)) as trace, case.prepare(trace):
        caller.call(instrumentation, case.request)
        evidence, verdict = trace.judge()
        return evidence, trace.report() if verdict.findings else ""


@pytest.mark.parametrize(("dialect", "group"), SPOKEN)
def test_no_finding(caller: Caller, dialect: str, group: str) -> None:
    """A true span in any convention has no finding, and states all that the convention asks for."""
    instrumentation = Instrumentation(writer=DIALECTS[dialect])
    for case in GROUPS[group]:
        evidence, report = play(caller, instrumentation, case)
        assert report == ""
        (account,) = evidence.accounts
        assert set(silent(account.answered, account.reading)) <= UNSAID[dialect] | unsayable(case, account.answered), (
            case.id
        )
        assert len(compared(account.answered, account.reading)) >= least(account.answered), case.id


def silent(truth: Reading, said: Reading) -> Iterator[str]:
    """Yield the facts that the wire states and the span does not, although its dialect has a place for them."""
    for name, fact in truth.facts.items():
        stated = fact.state is State.PRESENT and fact.value not in (False, "", [""], 1)
        if stated and said.has_place_for(name) and said.fact(name).state is State.ABSENT:
            yield name


def unsayable(case: Case, truth: Reading) -> frozenset[str]:
    """Return the facts that an instrumentation cannot get from the SDK's objects."""
    lost = set()
    if truth.gateway == "litellm" or case.gateway == "litellm":
        lost |= {"cost"}  # LiteLLM states it in a header.
    if truth.error or truth.truncated:
        # The SDK raises in place of the last chunk, and Anthropic's first count of the output is a placeholder.
        lost |= {"input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens", "cost"}
        lost |= {"reasoning_tokens", "input_audio_tokens", "output_audio_tokens", "finish_reasons"}
    if truth.streaming or truth.error or case.gateway != "anthropic":
        lost |= {"request_id"}  # The SDK has it on plain replies only, and only under Anthropic's name.
    return frozenset(lost)


def compared(truth: Reading, said: Reading) -> set[str]:
    """Return the names of the facts that both sides state."""
    return {
        name
        for name, fact in said.facts.items()
        if fact.state is State.PRESENT and truth.fact(_ALIKE.get(name, name)).state is State.PRESENT
    }


_ALIKE: Final = {
    "model": "request_model",
    "finish_reason": "finish_reasons",
    "tool_call_count": "tool_calls",
    "tool_call_names": "tool_calls",
}


def least(truth: Reading) -> int:
    """Return how many facts must have been compared, so that a test cannot pass because nothing was."""
    if truth.error or truth.truncated or truth.response_model is None:
        return 1
    if truth.api == "embeddings":
        return 2 if truth.input_tokens is None else 3
    return 4 if truth.input_tokens is None else 6


LEFT: Final = [
    pytest.param(dialect, case, id=f"{dialect}-{case.id}")
    for dialect, writer in DIALECTS.items()
    for case in CASES
    if case.id in {"scripted:openai/chat-cached-stream", "scripted:anthropic/messages-cached-stream"}
    if wire.identify(case.request) in writer.apis
]


@pytest.mark.parametrize(("dialect", "case"), LEFT)
def test_no_finding_on_a_stream_that_the_application_leaves(dialect: str, case: Case) -> None:
    """An application that stops reading a stream has no failure, and its span need not know what it did not read."""
    caller = Caller(asynchronous=False)
    with LLMTrace(settings=Settings(label=case.id, verify=False)) as trace, case.prepare(trace):
        stream = caller.stream(Instrumentation(writer=DIALECTS[dialect]), case.request)
        assert len(list(islice(stream, 2))) == 2
        stream.close()
        assert trace.findings() == ()
        assert trace.llm_span().ended
    caller.close()
