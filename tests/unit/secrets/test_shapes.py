"""The quick look for shapes."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_llmtrace.secrets import shapes
from pytest_llmtrace.secrets.words import runs_of

BEHIND = re.compile(r"\(\?<=\(\?i:([a-z: ]+)\)\)")
"""What must stand before one of them."""


@pytest.mark.parametrize("name", shapes._SHAPES)
@settings(max_examples=30)  # Of each shape; most of a key is any letter or digit.
@given(data=st.data(), around=st.tuples(st.text(max_size=5), st.text(max_size=5)))
def test_no_shape_is_passed_over(name: str, data: st.DataObject, around: tuple[str, str]) -> None:
    """Whatever has a shape has a mark for which the quick look asks; `bearer` in odd capitals has not, as it says."""
    shape = shapes._SHAPES[name]
    before = BEHIND.match(shape)
    usual = BEHIND.sub("", shape).replace("(?i:bearer)", "(?:bearer|Bearer|BEARER)")
    found = data.draw(st.from_regex(usual, fullmatch=True))
    text = f"{before[1] if before else ''}{found}"
    whole = f"{around[0]}{text}{around[1]}"
    assume(shapes._ANY.match(whole, len(around[0]) + len(text) - len(found)))
    assert shapes.may_hold_shape(whole, "\n".join(runs_of(whole)))


def test_a_plain_text_needs_no_look() -> None:
    """A text without marks has no shapes, and is told at once."""
    text = "A standard for telemetry, of traces, metrics and logs."
    assert not shapes.may_hold_shape(text, "\n".join(runs_of(text)))


@given(st.text(alphabet="azAZ09+/._-=?é語\ud83d😀 \0\n", max_size=80))
def test_long_runs_are_found_where_they_stand(text: str) -> None:
    """The quick search for long runs finds what a pattern describes, in all scripts."""
    assert runs_of(text) == re.findall(r"[A-Za-z0-9+/._-]{16,}", text)
