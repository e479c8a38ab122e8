"""Masks, and the marks of what was left out, in texts that somebody may have made to be hard to read."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pytest_llmtrace.checks import _marks

LENGTH = 200_000


@pytest.mark.parametrize("look", [_marks.has_mask, _marks.is_masked, _marks.is_mask, _marks.cut_at])
@pytest.mark.parametrize("piece", ["[", "[[A", "...", " ", "*", "... more 1 ", "<image "])
def test_linear(look: Callable[[str], object], piece: str) -> None:
    """However long a text is, and whatever it is made of, it is looked at in a moment."""
    text = piece * (LENGTH // len(piece))
    began = time.process_time()
    look(text)
    _marks.without_stand_ins(text)
    _marks.is_masked_from(text, f"{text}.")
    assert time.process_time() - began < 5
