"""Whatever values a span or a body has, the checks judge them and do not raise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmtrace.checks import CHECKS, Evidence
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.model import State
from pytest_llmtrace.reading import VOCABULARY

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["stop", "__REDACTED__", "...", "{", "call_1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "arguments", "parameters", "properties", "status", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
FACTS = st.dictionaries(
    st.sampled_from(sorted(VOCABULARY)), VALUES | st.sampled_from([State.ABSENT, State.NULL, State.UNREADABLE])
)
PROMPT = {
    "tools": [{"name": "look", "type": "function"}],
    "tool_definitions": [{"name": "x", "description": "Looks.", "parameters": {"properties": {"x": {"enum": [1]}}}}],
    "input_messages": [{"role": "user", "text": "Hi"}],
    "input_tool_calls": [{"id": "c", "name": "look", "arguments": {"x": 1}}],
}
# By contract a fact of the wire has its own type; within that type it may be anything.
SOUND = FACTS.map(
    lambda facts: {
        name: PROMPT.get(name, value)
        for name, value in facts.items()
        if isinstance(value, State)
        or (isinstance(value, int | float) and name.endswith(("_tokens", "cost", "temperature", "seed")))
        or (isinstance(value, str) and name.endswith(("model", "_id", "provider")))
        or (isinstance(value, list) and name.endswith(("s", "stop")) and not name.endswith("_tokens"))
    }
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wire=SOUND, span=FACTS, api=st.sampled_from(["chat", "messages", "responses"]))
def test_no_value_makes_a_check_raise(make_call: Any, wire: Any, span: Any, api: str) -> None:
    """A house style may state any values: each check `wire/...` comes to a verdict, and its text can be written."""
    evidence = Evidence(calls=(make_call(wire, span, api=api),))
    for check in CHECKS:
        if check.id.startswith("wire/"):
            for finding in check.look(check, evidence):
                assert finding is None or finding.details


@pytest.mark.parametrize("depth", [10, 5000])
def test_what_is_nested_deeply(depth: int) -> None:
    """A value that is nested deeper than a report can show is cut."""
    value: Any = 1
    for _ in range(depth):
        value = [{"a": value}]
    assert shown(value) == "[{'a': [{'a': ...}]}]"
