"""A value that equals the wire's is not judged at all, which is right only if no judge would object to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_llmtrace.checks import COMPARISONS, Comparison
from pytest_llmtrace.checks._account import accounts
from pytest_llmtrace.dialects._convert import CONVERSIONS
from pytest_llmtrace.model import Call

TEXT, COUNT, NUMBER = (CONVERSIONS[name] for name in ("request_model", "input_tokens", "temperature"))
VALUES = {TEXT: ("gpt-4o", "openai/gpt-4o", ""), COUNT: (0, 12), NUMBER: (0, 12)}
CASES = [
    pytest.param(check, name, value, id=f"{check.id} {name} {value!r}")
    for check in COMPARISONS
    for name in check.about
    if CONVERSIONS.get(name) is CONVERSIONS.get(check.fact)
    for value in VALUES.get(CONVERSIONS.get(name, str), ())
]


@pytest.mark.parametrize(("check", "name", "value"), CASES)
def test_no_judge_objects_to_the_same(
    make_call: Callable[..., Call], check: Comparison, name: str, value: str | int
) -> None:
    """No comparison objects to a text or a whole number that equals the wire's."""
    [account] = accounts([make_call({check.fact: value}, {name: value})])
    [mine] = account.stated[name]
    true = (account.asked if check.of_request else account.answered).fact(check.fact)
    assert check.judge(mine, true, account) is None
