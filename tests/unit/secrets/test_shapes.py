"""The quick look for shapes."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_llmtrace.secrets import shapes

BEHIND = re.compile(r"\(\?<=\(\?i:([a-z: ]+)\)\)")
"""What must stand before one of them."""


@pytest.mark.parametrize("name", shapes._SHAPES)
@given(data=st.data(), around=st.tuples(st.text(max_size=5), st.text(max_size=5)))
def test_no_shape_is_passed_over(name: str, data: st.DataObject, around: tuple[str, str]) -> None:
    """Whatever has a shape has a mark for which the quick look asks; `bearer` in odd capitals has not, as it says."""
    shape = shapes._SHAPES[name]
    before = BEHIND.match(shape)
    found = data.draw(st.from_regex(BEHIND.sub("", shape), fullmatch=True))
    text = f"{before[1] if before else ''}{found}"
    assume("bearer" not in text.lower() or text[:6] in {"bearer", "Bearer", "BEARER"})
    assert shapes.may_hold_shape(["plain", f"{around[0]}{text}{around[1]}"])


def test_a_plain_text_needs_no_look() -> None:
    """A text without marks has no shapes, and is told at once."""
    assert not shapes.may_hold_shape(["A standard for telemetry, of traces, metrics and logs.", ""])
