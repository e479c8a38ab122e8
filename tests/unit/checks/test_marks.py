"""Masks and marks of omission are recognised, even in texts that somebody has made hard to read."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pytest_llmtrace.checks import _marks

LENGTH = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "__REDACTED__",
        "[redacted]",
        "***",
        "[content omitted]",
        "<1032 chars>",
        "[2,048 tokens]",
        "sha256:9f86d081884c7d65",
    ],
)
def test_what_stands_for_a_text(text: str) -> None:
    """A mask, a length or a hash stands for the whole text, so there is nothing to compare."""
    assert _marks.is_masked(text)


@pytest.mark.parametrize(
    "text", ["hidden treasure", "1032 chars", "sha256: how does it work?", "[3]", "<b>12 words</b>"]
)
def test_what_says_something_itself(text: str) -> None:
    """A text that only has the same words in it is not a mask."""
    assert not _marks.is_masked(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("To <EMAIL_ADDRESS>, please.", True),
        ("To (NAME), please.", True),
        ("To (<PERSON>), please.", False),
        ("To (Bob), please.", False),
        ("To (12), please.", False),
        ("From <EMAIL_ADDRESS>, please.", False),
    ],
)
def test_masks_inside(text: str, masked: bool) -> None:
    """A mask within a text stands for anything, and the rest is compared; a word in round brackets is a word."""
    assert _marks.is_masked_from(text, "To Ann, please.") is masked


@pytest.mark.parametrize("look", [_marks.has_mask, _marks.is_masked, _marks.is_mask, _marks.cut_at])
@pytest.mark.parametrize("piece", ["[", "[[A", "...", " ", "*", "... more 1 ", "<image "])
def test_linear(look: Callable[[str], object], piece: str) -> None:
    """A long text is searched in linear time, whatever it is made of."""
    text = piece * (LENGTH // len(piece))
    began = time.process_time()
    look(text)
    _marks.without_stand_ins(text)
    _marks.is_masked_from(text, f"{text}.")
    assert time.process_time() - began < 5
