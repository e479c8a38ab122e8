"""Whatever an attribute of a house style holds as the prompt, it is compared or not judged; nothing raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmtrace.model import Finding
from tests.unit.checks._cases import seen

Judged = Callable[..., list[Finding]]

SENT = {
    "input_messages": seen(
        [{"role": "user", "text": "Hi"}, {"role": "tool", "text": "[1]"}],
        ("messages[0].content", "Hi"),
        ("messages[1].content", "[1]"),
    )
}
TEXTS = st.sampled_from(["Hi", "[1]", "[", "{}", "[[]]", '[{"type": "text", "text": "Hi"}]', "***", "a...", "", " "])
VALUES: st.SearchStrategy[Any] = st.none() | st.integers() | TEXTS | st.text(max_size=5)
SAID: st.SearchStrategy[Any] = VALUES | st.fixed_dictionaries(
    {}, optional={"role": VALUES | st.just([]), "text": VALUES | st.just({})}
)


@given(value=VALUES | st.lists(SAID, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_of_a_span_makes_the_check_raise(judged: Judged, value: Any) -> None:
    """At most, the value is reported as another prompt."""
    found = judged(SENT, {"input_messages": value})
    assert {one.check for one in found} <= {"wire/input-messages"}


@pytest.mark.parametrize("value", [["Hi", "[1]"], [{"text": "Hi"}, {"role": 7, "text": "[1]"}], [None, "Hi", "[1]"]])
def test_texts_without_a_speaker(judged: Judged, value: list[Any]) -> None:
    """A house style may show the texts alone, without roles or with roles that mean nothing."""
    assert judged(SENT, {"input_messages": value}) == []
