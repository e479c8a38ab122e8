"""Each comparison of a span with the wire: where it fires, and where it must not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks._wire_answer import ANSWER
from pytest_llmtrace.checks._wire_models import MODELS
from pytest_llmtrace.checks._wire_request import REQUEST
from pytest_llmtrace.checks._wire_usage import USAGE
from pytest_llmtrace.model import Finding
from tests.unit.checks import (
    _answer_cases,
    _definitions_cases,
    _models_cases,
    _past_call_cases,
    _prompt_cases,
    _request_cases,
    _result_cases,
    _tools_cases,
    _usage_cases,
)
from tests.unit.checks._cases import call

CASES = (
    _answer_cases,
    _definitions_cases,
    _models_cases,
    _past_call_cases,
    _prompt_cases,
    _request_cases,
    _result_cases,
    _tools_cases,
    _usage_cases,
)
FAULTS = [case for cases in CASES for case in cases.FAULTS]
NO_FAULTS = [case for cases in CASES for case in cases.NO_FAULTS]


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case[0])
def test_a_fault_is_found_and_told(fires: Callable[..., None], case: tuple[Any, ...]) -> None:
    """The finding says what the span says, what the wire says and where, why it matters, and what to do."""
    fires(*case)


@pytest.mark.parametrize("case", NO_FAULTS, ids=lambda case: case[0])
def test_the_same_in_other_words_is_no_fault(quiet: Callable[..., None], case: tuple[Any, ...]) -> None:
    """Conventions' other spellings, facts that the span leaves out, and facts that cannot be known are not faults."""
    quiet(*case)


def test_each_comparison_is_proved_both_ways() -> None:
    """Each comparison has a case where it fires, and a case where it must not."""
    ids = {check.id for check in (*ANSWER, *MODELS, *REQUEST, *USAGE)}
    assert {case[0] for case in FAULTS} == ids
    assert {case[0] for case in NO_FAULTS} == ids


def test_a_limit_and_a_value_that_is_nested_too_deep(judged: Callable[..., list[Finding]]) -> None:
    """A value that cannot be cut is compared as it is, and a model's arguments may be nested to any depth."""
    deep: Any = "x"
    for _ in range(2000):
        deep = [deep]
    calls = {"tool_calls": [call(city=deep)]}
    assert judged(calls, calls, record={"text_limit": 10}) == []


@pytest.mark.parametrize(("said", "found"), [("chatcmpl-1", []), ("chatcmpl-9", ["wire/response-id"])])
def test_what_a_limit_has_left_is_compared(judged: Callable[..., list[Finding]], said: str, found: list[str]) -> None:
    """A span says no more than its provider's limit allows; but what it says must be true."""
    judgement = judged({"response_id": "chatcmpl-123"}, {"response_id": said}, record={"text_limit": 10})
    assert [finding.check for finding in judgement] == found
